"""Connections, plans, conflicts and erasures over the example CRM, as commands and routes do them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.limits import LocalLimiter
from pipelines import connections, sync_plans, sync_reports
from pipelines.conformance import prove
from pipelines.connections import ConnectionForm, crm_factory
from pipelines.edits import ContactForm, archive_contact, create_contact, edit_contact
from pipelines.removals import run_erasure
from pipelines.sync import Asking, NotReady, SyncReport, run_sync
from pipelines.sync_plans import NoPlan
from pipelines.versions import VersionDiffers
from schemas.crm import SignInFails
from schemas.mappings import WrongMapping, read_mapping
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.sync.example import Example, example_crm
from warehouse.audit import Asked
from warehouse.connections import NameTaken, NoSuchConnection


class Desk:
    """A store, its settings, and a clock that can be set forward."""

    def __init__(self, store: Roll, folder: Path, crm: Example) -> None:
        self.store, self.roll, self.crm = store.engine, store, crm
        self.settings = Settings(home=folder, default_country="CO")
        self.ahead = timedelta(0)

    def clock(self) -> Any:
        return utc_now() + self.ahead

    @property
    def asked(self) -> Asked:
        return Asked("ana", self.clock())

    @property
    def crm_of(self) -> Any:
        return crm_factory(self.store, self.settings)

    def create(self, **fields: str) -> int:
        return create_contact(self.store, self.settings, ContactForm(fields), self.asked)

    def edit(self, number: int, **fields: str) -> None:
        edit_contact(self.store, self.settings, number, ContactForm(fields), self.asked)

    def plan(self, name: str = "ejemplo") -> Any:
        return sync_plans.make_plan(self.store, self.settings, name, self.crm_of, self.clock, self.asked)

    def apply(self, name: str = "ejemplo") -> SyncReport:
        return sync_plans.apply_plan(self.store, self.settings, name, self.crm_of, self.clock, self.asked)

    def run(self, name: str = "ejemplo", **asking: Any) -> SyncReport:
        self.ahead += timedelta(minutes=20)
        number = connections.find_connection(self.store, name).id
        report = run_sync(self.store, self.settings, number, self.crm_of, self.clock, Asking("ana", **asking))
        assert report is not None
        return report


@pytest.fixture
def desk(roll: Roll, tmp_path: Path) -> Iterator[Desk]:
    with example_crm(tmp_path) as crm:
        found = Desk(roll, tmp_path, crm)
        crm.connect(found.store, found.settings, found.asked)
        yield found


@pytest.fixture
def synced(desk: Desk) -> Desk:
    desk.create(first_name="Ana", email="ana@example.com")
    desk.plan()
    desk.apply()
    return desk


def test_nothing_is_synced_before_a_plan_was_applied(desk: Desk) -> None:
    with pytest.raises(NotReady, match="padron sync plan ejemplo"):
        desk.run()
    with pytest.raises(NoPlan):
        desk.apply()

    assert desk.roll.living() == []


def test_a_plan_changes_nothing_and_what_is_applied_is_what_it_said(desk: Desk) -> None:
    desk.create(first_name="Ana", email="ana@example.com")
    desk.create(first_name="Lucía", email="lucia.rojas@example.com", city="Lima")
    before = desk.crm.living("first_name", "city")
    plan = desk.plan()

    assert (plan.counts["adopt"], plan.counts["create_local"], plan.counts["create_remote"]) == (1, 2, 1)
    assert desk.crm.living("first_name", "city") == before
    assert len(desk.roll.living()) == 2
    report = desk.apply()
    assert (report.counts["adopt"], report.counts["create_local"], report.counts["create_remote"]) == (1, 2, 1)
    assert ("Lucía", "Lima") in desk.crm.living("first_name", "city")
    assert desk.run().counts == {}


def test_what_has_moved_since_the_plan_is_left_for_the_next(desk: Desk) -> None:
    number = desk.create(first_name="Ana", email="ana@example.com", city="Lima")
    desk.plan()
    desk.edit(number, city="Quito")
    desk.crm.ask("PATCH", "/contacts/c2", city="Neiva")

    report = desk.apply()

    assert report.counts["waiting"] == 2
    assert ("Ana", "Quito") not in desk.crm.living("first_name", "city")
    desk.run()
    assert ("Ana", "Quito") in desk.crm.living("first_name", "city")
    assert ("Mateo", "mateo.gil@example.com", None) in desk.roll.living("first_name, email, phone")


def test_the_loser_of_a_conflict_can_be_restored(synced: Desk) -> None:
    record = synced.crm.ask("GET", "/contacts/c4")
    synced.edit(1, city="Lima")
    synced.crm.ask("PATCH", f"/contacts/{record['id']}", city="Quito")
    synced.run()
    conflict = sync_reports.find_conflicts(synced.store, 5)[0]
    lost = "Lima" if conflict.winner == "remote" else "Quito"

    sync_reports.restore_conflict(synced.store, synced.settings, conflict.id, "loser", synced.asked)
    synced.run()

    assert synced.roll.one("SELECT city FROM contacts WHERE id = 1") == lost
    assert synced.crm.ask("GET", "/contacts/c4")["city"] == lost
    assert synced.run().counts == {}


@pytest.mark.parametrize(("side", "wanted"), [("local", "Lima"), ("remote", "Quito")])
def test_an_open_conflict_waits_for_a_person_and_is_then_settled(synced: Desk, side: str, wanted: str) -> None:
    mapping = connections.find_mapping(synced.store, "ejemplo")
    assert mapping is not None
    pairs = [pair.model_copy(update={"policy": "review"}) if pair.local == "city" else pair for pair in mapping.fields]
    changed = mapping.model_copy(update={"fields": tuple(pairs)})
    connections.set_mapping(synced.store, synced.settings, "ejemplo", changed, synced.asked)
    synced.plan()
    synced.apply()
    synced.edit(1, city="Lima")
    synced.crm.ask("PATCH", "/contacts/c4", city="Quito")
    assert synced.run().counts["conflict"] == 1
    synced.run(sweeps=True)
    conflicts = sync_reports.find_conflicts(synced.store, 5, state="open")
    assert len(conflicts) == 1

    sync_reports.restore_conflict(synced.store, synced.settings, conflicts[0].id, side, synced.asked)
    synced.run()
    synced.run()

    assert synced.crm.ask("GET", "/contacts/c4")["city"] == wanted
    assert synced.roll.one("SELECT city FROM contacts WHERE id = 1") == wanted
    assert sync_reports.find_conflicts(synced.store, 5, state="open") == []


def test_a_contact_is_explained_without_anything_being_changed(synced: Desk) -> None:
    synced.edit(1, city="Lima")
    before = synced.crm.living("version")

    found = sync_reports.explain(synced.store, synced.settings, 1, synced.crm_of)

    assert [(one.connection, one.link.state, one.action) for one in found] == [("ejemplo", "active", "merge")]
    city = next(one for one in found[0].fields if one.pair == "city=city")
    assert (city.base, city.local, city.remote, city.verdict) == ([None, None], "Lima", None, "goes_there")
    assert synced.crm.living("version") == before


def test_an_erasure_reaches_the_crm_and_nobody_comes_back(synced: Desk) -> None:
    number = synced.roll.one("SELECT id FROM contacts WHERE email = 'ines.vega@example.com'")
    synced.edit(number, city="Lima")
    synced.crm.ask("PATCH", "/contacts/c3", city="Quito")
    synced.run()
    run_erasure(synced.store, number, "ana", synced.settings, synced.clock, lambda done, total: None)
    text = str(synced.roll.rows("SELECT * FROM links")) + str(synced.roll.rows("SELECT * FROM conflicts"))
    text += str(synced.roll.rows("SELECT * FROM sync_plan_items"))

    assert "ines" not in text.lower() and "Quito" not in text
    synced.run()
    assert "ines.vega@example.com" not in str(synced.crm.living("email"))
    synced.crm.ask("POST", "/contacts", first_name="Inés", email="ines.vega@example.com")
    report = synced.run()
    assert "ines.vega@example.com" not in str(synced.roll.living())
    assert report.counts.get("create_local", 0) == 0


def test_two_connections_share_one_roll(synced: Desk, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with example_crm(tmp_path / "second") as other:
        other.connect(synced.store, synced.settings, synced.asked, "otro")
        synced.plan("otro")
        synced.apply("otro")
        other.ask("PATCH", "/contacts/c1", city="Pasto")
        synced.run("otro")
        synced.run("ejemplo")

        assert ("Lucía", "Pasto") in synced.crm.living("first_name", "city")
        assert synced.run("otro").counts == {}
        assert synced.run("ejemplo").counts == {}


def test_a_filter_says_who_is_synced_and_who_leaves_is_unlinked(synced: Desk) -> None:
    mapping = connections.find_mapping(synced.store, "ejemplo")
    assert mapping is not None
    scoped = read_mapping(
        {**mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True), "scope": {"local": "city = 'Cali'"}},
        "x",
    )
    connections.set_mapping(synced.store, synced.settings, "ejemplo", scoped, synced.asked)
    synced.create(first_name="Sol", email="sol@example.com", city="Lima")
    synced.create(first_name="Mar", email="mar@example.com", city="Cali")
    synced.plan()
    synced.apply()

    names = [name for (name,) in synced.crm.living("first_name")]
    assert "Mar" in names and "Sol" not in names
    assert synced.roll.rows("SELECT count(*) FROM links WHERE state = 'unlinked' AND why = 'left_scope'") == [(3,)]
    assert len(synced.crm.living("first_name")) == 5


def test_credentials_are_kept_encrypted_and_never_told(desk: Desk) -> None:
    row = str(desk.roll.rows("SELECT * FROM connections")) + str(desk.roll.rows("SELECT * FROM audit"))

    assert desk.crm.records.token not in row
    assert "token" not in connections.told(connections.find_connection(desk.store, "ejemplo"))


def test_wrong_credentials_stop_the_connection_until_they_are_set_again(synced: Desk) -> None:
    connections.edit_connection(
        synced.store, synced.settings, "ejemplo", ConnectionForm(secrets={"token": "no"}), synced.asked
    )
    report = synced.run()

    assert report.state == "failed"
    assert connections.find_connection(synced.store, "ejemplo").state == "failed"
    with pytest.raises(SignInFails):
        connections.read_fields(synced.store, synced.settings, "ejemplo")
    right = ConnectionForm(secrets={"token": synced.crm.records.token})
    connections.edit_connection(synced.store, synced.settings, "ejemplo", right, synced.asked)
    assert synced.run().state == "done"


def test_what_is_set_of_a_connection_is_checked(desk: Desk) -> None:
    store, settings, asked = desk.store, desk.settings, desk.asked
    with pytest.raises(NameTaken):
        connections.create_connection(store, settings, "ejemplo", "example", ConnectionForm(), asked)
    with pytest.raises(WrongField, match="small letters"):
        connections.create_connection(store, settings, "Mi CRM", "example", ConnectionForm(), asked)
    with pytest.raises(WrongField, match="has no 'colour'"):
        connections.create_connection(store, settings, "x", "example", ConnectionForm({"colour": "red"}), asked)
    with pytest.raises(WrongMapping, match="There is no connector 'siebel'"):
        connections.create_connection(store, settings, "x", "siebel", ConnectionForm(), asked)
    with pytest.raises(NoSuchConnection):
        connections.find_connection(store, "x")
    with pytest.raises(VersionDiffers):
        connections.edit_connection(store, settings, "ejemplo", ConnectionForm(), asked, version=99)
    for pair, said in (
        ({"local": "city", "remote": "town"}, "has no field 'town'"),
        ({"local": "custom.colour", "remote": "city"}, "no custom field 'colour'"),
        ({"local": "city", "remote": "do_not_contact", "lens": "phone"}, "is a boolean in the CRM"),
    ):
        with pytest.raises(WrongMapping, match=said):
            connections.set_mapping(store, settings, "ejemplo", read_mapping({"fields": [pair]}, "x"), asked)


def test_a_paused_connection_rests(synced: Desk) -> None:
    connections.pause(synced.store, "ejemplo", synced.asked)
    with pytest.raises(NotReady, match="is paused"):
        synced.run()
    connections.resume(synced.store, "ejemplo", synced.asked)

    assert synced.run().state == "done"


def test_a_removed_connection_leaves_contacts_and_records(synced: Desk) -> None:
    connections.drop_connection(synced.store, "ejemplo", synced.asked)

    assert len(synced.roll.living()) == len(synced.crm.living("id")) == 4
    for table in ("connections", "mappings", "links", "sync_runs", "sync_outcomes", "conflicts"):
        assert synced.roll.one(f"SELECT count(*) FROM {table}") == 0, table


def test_the_proof_finds_a_crm_that_does_as_its_file_says(synced: Desk) -> None:
    proof = connections.client_for_proof(synced.store, synced.settings, "ejemplo")
    found = prove(proof)

    assert [one.english for one in found if not one.is_well] == []
    assert len(found) == 7
    assert len(synced.crm.living("id")) == 4


def test_the_proof_finds_a_crm_that_does_not(synced: Desk) -> None:
    proof = connections.client_for_proof(synced.store, synced.settings, "ejemplo")
    api = proof.crm.api  # type: ignore[attr-defined]  # it is a RestCrm
    spec = api.connector.contact
    careless = spec.update.model_copy(update={"headers": {}})
    api.connector = api.connector.model_copy(update={"contact": spec.model_copy(update={"update": careless})})

    assert [one.english for one in prove(proof) if not one.is_well] == ["a change on an older version is refused"]


def test_archiving_here_and_deleting_there_ends_with_nothing_to_do(synced: Desk) -> None:
    archive_contact(synced.store, 1, synced.asked)
    synced.crm.ask("DELETE", "/contacts/c2")
    report = synced.run()

    assert (report.counts["archive_local"], report.counts["archive_remote"]) == (1, 1)
    assert synced.run().counts == {}


def test_limits_are_kept_and_waited_for() -> None:
    now = [0.0]
    limiter = LocalLimiter(clock=lambda: now[0])

    assert [limiter.take("a", 1, 2, 10, 0) for _ in range(3)] == [0.0, 0.0, 5.0]
    now[0] = 5.0
    assert limiter.take("a", 1, 2, 10, 0) == 0.0
    assert limiter.take("b", 1, 2, 10, 1) == 0.0
    assert limiter.take("b", 1, 2, 10, 1) == 5.0
    limiter.close("b", 30)
    assert limiter.take("b", 1, 2, 10, 0) == 30.0
