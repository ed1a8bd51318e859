"""What one run does with pairs: the directed cases, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.settings import Settings
from tests.conftest import Roll
from tests.sync.memory_crm import with_
from tests.sync.syncing import Sync, mapping


@pytest.fixture
def sync(store: Roll, tmp_path: Path) -> Iterator[Sync]:
    found = Sync(store.engine, Settings(home=tmp_path, default_country="CO"))
    found.connect(mapping())
    yield found


def test_a_first_sync_makes_contacts_and_records_and_then_is_quiet(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.server.add({"firstname": "Eva", "email": "eva@example.org", "phone": "3001112233"})

    first = sync.run()
    second = sync.run()

    assert first.counts["create_local"] == first.counts["create_remote"] == 1
    assert sync.living() == [("Ana", "ana@example.org", None), ("Eva", "eva@example.org", None)]
    assert sync.there("firstname", "email") == [("Eva", "eva@example.org"), ("Ana", "ana@example.org")]
    assert (second.state, second.counts, second.calls) == ("done", {}, 1)


def test_who_is_on_both_sides_is_one_pair(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org", city="Lima")
    sync.server.add({"firstname": "Ana", "email": "ANA@example.org", "phone": "300 111 2233"})

    sync.run()

    assert sync.living("first_name, email, phone, city") == [("Ana", "ana@example.org", "+573001112233", "Lima")]
    assert sync.there("email", "phone", "city") == [("ANA@example.org", "300 111 2233", "Lima")]


def test_edits_of_different_fields_on_both_sides_both_stand(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.edit(number, city="Lima")
    sync.server.change("r1", {"lastname": "Ruiz"})

    sync.run()

    assert sync.living("last_name, city") == [("Ruiz", "Lima")]
    assert sync.there("lastname", "city") == [("Ruiz", "Lima")]
    assert not sync.conflicts()


def test_a_conflict_is_won_by_the_policy_and_the_loser_is_kept(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.edit(number, city="Lima")
    sync.server.change("r1", {"city": "Quito"})

    sync.run()

    assert sync.living("city") == sync.there("city") == [("Lima",)]
    assert [(pair, winner, state) for pair, _, _, winner, state in sync.conflicts()] == [("city=city", "local", "auto")]
    assert "Quito" in str(sync.conflicts()[0][2])


def test_the_way_in_which_the_crm_writes_a_value_is_no_edit(sync: Sync) -> None:
    number = sync.create(first_name="Ana", phone="+573001112233")
    sync.run()

    assert sync.there("phone") == [("+57 300 1112233",)]
    assert sync.run().counts == {}
    sync.edit(number, city="Lima")
    sync.run()
    assert sync.living("phone, city") == [("+573001112233", "Lima")]
    assert sync.there("phone", "city") == [("+57 300 1112233", "Lima")]


def test_a_deletion_there_archives_here_and_one_here_archives_there(sync: Sync) -> None:
    ana, eva = (sync.create(first_name=name, email=f"{name}@example.org") for name in ("Ana", "Eva"))
    sync.run()
    sync.server.archive("r1")
    sync.archive(eva)

    sync.run()

    assert sync.living() == []
    assert sync.server.living() == []
    assert sync.run().counts == {}
    assert sync.rows("SELECT status FROM contacts ORDER BY id") == [("archived",), ("archived",)]
    assert {state for _, _, state, _ in sync.links()} == {"gone"}
    assert ana


def test_an_edit_wins_over_a_deletion_and_nobody_comes_twice(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.archive("r1")
    sync.edit(number, city="Lima")

    sync.until_quiet()

    assert sync.living("email, city") == [("ana@example.org", "Lima")]
    assert sync.there("email", "city") == [("ana@example.org", "Lima")]


def test_opt_outs_go_both_ways_and_only_tighten(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.change("r1", {"optout": True})
    sync.run()

    assert sync.rows("SELECT channel, state, source FROM consents") == [("all", "out", "crm:crm")]
    sync.server.change("r1", {"optout": False})
    sync.run()
    assert sync.there("optout") == [(True,)]


def test_many_deletions_wait_for_a_person(sync: Sync) -> None:
    sync.remap(mapping(delete={"most": 2}))
    for at in range(5):
        sync.create(first_name=f"Ana{at}", email=f"a{at}@example.org")
    sync.run()
    for id_ in sync.server.living():
        sync.server.archive(id_)

    report = sync.run()
    still = len(sync.living())
    sync.approve()
    again = sync.run()

    assert (report.state, still, again.state, sync.living()) == ("approval", 5, "done", [])
    assert sync.connection().state == "active"


def test_a_record_that_is_refused_stops_nobody_else(sync: Sync) -> None:
    ana, eva = (sync.create(first_name=name, email=f"{name}@example.org") for name in ("Ana", "Eva"))
    sync.run()
    sync.edit(ana, city="refused")
    sync.edit(eva, city="Lima")

    report = sync.run()

    assert (report.counts["rejected"], report.counts["applied"]) == (1, 1)
    assert sync.rows("SELECT said FROM sync_outcomes WHERE outcome = 'rejected'") == [("INVALID_CITY",)]
    assert sync.there("city") == [(None,), ("Lima",)]


def test_a_lost_answer_makes_nobody_twice(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.crm.faults = [None, "after"]
    lost = sync.run()

    report = sync.until_quiet()

    assert lost.state == "waiting"
    assert sync.there("email") == [("ana@example.org",)]
    assert report.state == "done"
    assert [link[2] for link in sync.links()] == ["active"]


def test_who_was_made_without_an_answer_and_edited_there_before_it_was_found_is_edited_here(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org", city="Quito")
    sync.crm.faults = [None, "after"]
    sync.run()
    [id_] = sync.server.records
    sync.server.change(id_, {"city": "Lima"})

    sync.until_quiet()

    assert (sync.living("city"), sync.there("city")) == ([("Lima",)], [("Lima",)])


def test_a_lost_answer_makes_nobody_twice_where_nobody_is_found_by_a_key(sync: Sync) -> None:
    sync.remap(mapping(match=[]))
    with_(sync.crm, create="probe")
    sync.create(first_name="Ana", email="ana@example.org")
    sync.crm.faults = [None, "after"]
    sync.run()

    sync.until_quiet()

    assert sync.there("email") == [("ana@example.org",)]
    assert len(sync.living()) == 1


def test_two_records_that_the_crm_merges_stay_two_contacts_until_a_person_decides(sync: Sync) -> None:
    for name in ("Ana", "Eva"):
        sync.create(first_name=name, email=f"{name}@example.org")
    sync.run()
    sync.server.merge("r1", "r2")

    sync.until_quiet()

    assert len(sync.living()) == 2
    assert len(sync.server.living()) == 1
    assert sync.rows("SELECT reason FROM candidate_pairs") == [("merged_there",)]


def test_the_same_mail_twice_in_the_crm_is_told_and_not_taken_twice(sync: Sync) -> None:
    for name in ("Ana", "Anita"):
        sync.server.add({"firstname": name, "email": "ana@example.org"})

    report = sync.run()

    assert report.counts["conflict"] == 1
    assert len(sync.living()) == 1
    assert sync.run().counts == {}


def test_a_call_makes_the_record_be_read_at_once(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.purge("r1")
    sync.call("r1 r1 forged")

    sync.run()

    assert sync.living() == []
    assert sync.rows("SELECT count(*) FROM calls") == [(0,)]
    assert len(sync.links()) == 1


def test_a_call_that_says_nothing_is_kept_with_the_reason(sync: Sync) -> None:
    sync.call("nonsense")

    sync.run()

    assert sync.rows("SELECT body, error FROM calls") == [("nonsense", "nonsense")]


def test_a_field_that_the_crm_hides_is_not_emptied_here(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org", city="Lima")
    sync.run()
    sync.server.hidden = {"city"}
    sync.server.change("r1", {"lastname": "Ruiz"})
    sync.run()
    assert sync.living("city") == [("Lima",)]
    sync.run(sweeps=True)
    sync.edit(number, city="Quito")
    sync.run()

    assert sync.living("last_name, city") == [("Ruiz", "Quito")]
    sync.server.hidden = set()
    sync.until_quiet()
    assert sync.there("city") == [("Quito",)]


def test_a_plan_says_what_the_run_then_does(sync: Sync) -> None:
    ana = sync.create(first_name="Ana", email="ana@example.org")
    sync.server.add({"firstname": "Eva", "email": "eva@example.org"})
    planned = sync.plan()
    before = sync.server.writes

    assert (planned["create_local"], planned["create_remote"], sync.server.writes) == (1, 1, before)
    assert ana and sync.living("first_name") == [("Ana",)]
    sync.run()
    assert "create_local" not in sync.plan()


def test_nothing_is_put_away_while_a_field_is_missing_there(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org", city="Lima")
    sync.run(sweeps=True)
    sync.server.hidden = {"city"}
    sync.run(sweeps=True)
    sync.server.archive("r1")
    sync.run()

    assert len(sync.living()) == 1
    assert "city=city" in str(sync.connection().message_en)
    sync.server.hidden = set()
    sync.run(sweeps=True)
    sync.run()
    assert sync.living() == []


def test_who_was_merged_there_is_not_made_again_when_they_are_edited_here(sync: Sync) -> None:
    _, eva = (sync.create(first_name=name, email=f"{name}@example.org") for name in ("Ana", "Eva"))
    sync.run()
    loser = sync.rows("SELECT remote_id FROM links WHERE contact_id = :id", id=eva)[0][0]
    sync.server.merge("r1" if loser == "r2" else "r2", loser)
    sync.until_quiet()
    sync.edit(eva, city="Lima")

    sync.until_quiet()

    assert len(sync.server.living()) == 1
    assert len(sync.living()) == 2


def test_what_somebody_types_while_a_run_decides_is_not_written_over(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.change("r1", {"city": "Quito"})
    typed = iter([True])
    sync.run(step=lambda name: sync.edit(number, city="Lima") if name == "decided" and next(typed, False) else None)

    sync.until_quiet()

    assert sync.living("city") == sync.there("city") == [("Lima",)]
    assert "Quito" in str(sync.conflicts())


def test_two_that_were_merged_into_a_record_of_somebody_else_make_nobody_twice(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.create(first_name="Sol", email="sol@example.org")
    sol = sync.server.add({"firstname": "Sol", "email": "sol@example.org"})
    sync.server.merge(sol, "r1")

    sync.until_quiet()

    assert sync.there("email") == [("sol@example.org",)]
    assert len(sync.living()) == 2


def test_a_survivor_that_a_listing_showed_before_is_taken_in_once(sync: Sync) -> None:
    with_(sync.crm, fresh_listing=False)
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.archive(number)
    eva = sync.server.add({"firstname": "Eva", "email": "eva@example.org"})
    sync.server.merge(eva, "r1")

    sync.until_quiet()

    assert len(sync.server.living()) <= 1
    assert len(sync.living()) <= 1


def test_an_opt_out_of_a_record_that_is_archived_before_it_was_read_still_counts(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.change("r1", {"optout": True})
    sync.server.archive("r1")

    sync.run()

    assert sync.rows("SELECT channel, state FROM consents") == [("all", "out")]


def test_who_was_put_away_here_is_not_brought_back_by_the_crm(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.archive(number)
    sync.run()
    sync.server.unarchive("r1")
    sync.call("r1")

    sync.until_quiet()

    assert sync.living() == []


def test_who_was_archived_there_comes_back_when_they_are_taken_out_of_the_bin(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.archive("r1")
    sync.run()
    sync.server.unarchive("r1")

    sync.until_quiet()

    assert sync.living("first_name") == [("Ana",)]
