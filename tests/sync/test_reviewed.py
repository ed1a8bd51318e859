"""What a reviewer found in the engine by reading it, each as it would have happened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import connections as pipeline
from pipelines.edits import ContactForm, block_contact, edit_contact, restore_contact
from pipelines.fields import FieldForm, create_field
from pipelines.removals import delete_contact, run_erasure
from schemas.mappings import WrongMapping, read_mapping
from schemas.settings import Settings
from tests.conftest import Roll
from tests.sync.memory_crm import with_
from tests.sync.syncing import PAIRS, Sync, mapping


@pytest.fixture
def sync(store: Roll, tmp_path: Path) -> Iterator[Sync]:
    found = Sync(store.engine, Settings(home=tmp_path, default_country="CO"))
    found.connect(mapping())
    yield found


def test_a_value_that_is_not_taken_here_is_not_emptied_there(sync: Sync) -> None:
    form = FieldForm("plan", "choice", options=("oro", "plata"))
    create_field(sync.store, form, sync.asked)
    others = [pair for pair in PAIRS if pair["local"] != "city"]
    sync.remap(mapping(fields=[*others, {"local": "custom.plan", "remote": "city"}]))
    sync.server.add({"firstname": "Ana", "email": "ana@example.org", "city": "Platinum"})
    sync.run()
    edit_contact(sync.store, sync.settings, 1, ContactForm({"last_name": "Ruiz"}), sync.asked)

    sync.until_quiet()

    assert sync.there("lastname", "city") == [("Ruiz", "Platinum")]


def test_who_was_put_away_stays_so_where_a_field_there_cannot_be_read(sync: Sync) -> None:
    sync.server.add({"firstname": "Ana", "email": "ana@example.org", "phone": "ask at the desk"})
    sync.run()
    sync.archive(1)

    sync.until_quiet()

    assert (sync.living(), sync.server.living()) == ([], [])


@pytest.mark.parametrize("odd", [{"name": "Lima"}, ["Lima", "Quito"], [["Lima"]]])
def test_a_value_of_another_kind_empties_nothing(sync: Sync, odd: Any) -> None:
    sync.create(first_name="Ana", email="ana@example.org", city="Lima")
    sync.run()
    sync.server.change("r1", {"city": odd})

    report = sync.run()

    assert sync.living("city") == [("Lima",)]
    assert report.counts["rejected"] == 1
    assert sync.there("city") == [(odd,)]


def test_a_record_that_was_set_aside_is_found_when_its_contact_is_there_again(sync: Sync) -> None:
    with_(sync.crm, create="probe")
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.archive(number)
    sync.server.add({"firstname": "Ana", "email": "ana@example.org"})
    sync.run()
    restore_contact(sync.store, number, sync.asked)

    sync.until_quiet()

    assert len(sync.server.living()) == 1
    assert [link[2] for link in sync.links()] == ["active"]


def test_somebody_made_again_by_hand_is_not_doubled(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    delete_contact(sync.store, number, sync.asked)
    sync.create(first_name="Ana", email="ana@example.org")
    sync.server.change("r1", {"city": "Quito"})

    sync.until_quiet()

    assert sync.living("email, city") == [("ana@example.org", "Quito")]
    assert sync.there("email") == [("ana@example.org",)]


def test_a_block_from_there_is_kept_when_the_record_is_archived_with_it(sync: Sync) -> None:
    others = [pair for pair in PAIRS if pair["local"] != "opt_out.all"]
    sync.remap(mapping(fields=[*others, {"local": "blocked", "remote": "optout"}]))
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.change("r1", {"optout": True})
    sync.server.archive("r1")

    sync.until_quiet()

    assert sync.rows("SELECT status FROM contacts") == [("blocked",)]


def test_a_blocked_contact_is_not_put_away_by_the_crm(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    block_contact(sync.store, number, "spam", sync.asked)
    sync.run()
    sync.server.archive("r1")

    sync.until_quiet()

    assert sync.rows("SELECT status FROM contacts") == [("blocked",)]


def test_an_opt_out_counts_while_its_deletion_waits_for_a_person(sync: Sync) -> None:
    sync.remap(mapping(delete={"most": 0}))
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.change("r1", {"optout": True})
    sync.server.archive("r1")

    assert sync.run().state == "approval"
    assert sync.rows("SELECT state FROM consents") == [("out",)]
    assert len(sync.living()) == 1


def test_an_erasure_reaches_a_record_whose_link_is_over(sync: Sync) -> None:
    with_(sync.crm, can_erase=True)
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.archive(number)
    sync.run()
    assert "r1" in sync.server.records

    run_erasure(sync.store, number, "ana", sync.settings, sync.clock, lambda done, total: None)
    sync.run()

    assert sync.server.records == {}


def test_who_is_taken_out_of_the_bin_comes_back_also_when_a_call_tells_of_it(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.archive("r1")
    sync.run()
    sync.server.unarchive("r1")
    sync.call("r1")

    sync.run()

    assert sync.living("first_name") == [("Ana",)]


def test_who_leaves_the_scope_and_comes_again_is_synced_again(sync: Sync) -> None:
    sync.remap(mapping(scope={"local": "tagged('vip')"}))
    number = sync.create(first_name="Ana", email="ana@example.org", tags=["vip"])
    sync.run()
    sync.edit(number, tags=[])
    sync.run()
    sync.edit(number, tags=["vip"], city="Lima")

    sync.until_quiet()

    assert sync.there("city") == [("Lima",)]


def test_whoever_is_outside_of_the_scope_is_left_alone_when_a_record_is_like_them(sync: Sync) -> None:
    sync.remap(mapping(scope={"local": "tagged('vip')"}, first_link="remote_wins"))
    sync.create(first_name="Ana", email="ana@example.org", city="Lima")
    sync.server.add({"firstname": "Otra", "email": "ana@example.org"})

    sync.until_quiet()

    assert sync.living("first_name") == [("Ana",)]
    assert sync.there("city") == [(None,)]


def test_a_scope_field_that_the_crm_hides_unlinks_nobody(sync: Sync) -> None:
    sync.remap(mapping(scope={"remote": [{"field": "city", "is": ["Lima"]}]}))
    sync.server.add({"firstname": "Ana", "email": "ana@example.org", "city": "Lima"})
    sync.run()
    sync.server.hidden = {"city"}
    sync.server.change("r1", {"lastname": "Ruiz"})

    sync.run()

    assert [link[2] for link in sync.links()] == ["active"]


def test_a_pause_during_a_run_stands(sync: Sync) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    paused = iter([True])
    sync.run(step=lambda name: pipeline.pause(sync.store, "crm", sync.asked) if next(paused, False) else None)

    assert sync.connection().state == "paused"


@pytest.mark.parametrize("body", ["r1 \x00", "r1 \ud800", "r" * 300])
def test_a_call_with_an_id_that_no_database_keeps_stops_nothing(sync: Sync, body: str) -> None:
    sync.crm.named = lambda said: said.replace("?", body).split()
    sync.call("?")

    assert sync.run().state == "done"
    assert sync.rows("SELECT count(*) FROM calls WHERE error IS NOT NULL") == [(1,)]


def test_a_mistake_of_ours_lets_go_of_the_connection_and_says_so(sync: Sync) -> None:
    def fails() -> None:
        raise KeyError("nobody thought of this")

    sync.crm.before_list = fails
    with pytest.raises(KeyError):
        sync.run()
    sync.crm.before_list = lambda: None

    assert sync.rows("SELECT state FROM sync_runs") == [("failed",)]
    assert sync.run().state == "done"


def test_who_was_restored_and_put_away_again_has_one_link(sync: Sync) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.server.archive("r1")
    sync.run()
    restore_contact(sync.store, number, sync.asked)
    sync.run()
    sync.archive(number)
    sync.server.unarchive("r1")

    sync.until_quiet()

    assert sync.living() == []


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ({"local": "opt_out.all", "remote": "x", "lens": "text"}, "yes or no"),
        ({"local": "custom.born", "remote": "x", "zone": "Bogota"}, "America/Bogota"),
        ({"lens": "template", "template": "{contry}", "remote": "x", "direction": "out"}, "no field 'contry'"),
    ],
)
def test_a_mapping_that_would_fail_later_is_refused(pair: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongMapping, match=said):
        read_mapping({"fields": [pair]}, "test")
