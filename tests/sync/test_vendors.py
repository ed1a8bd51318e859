"""The connector files of vendors, against stand-ins that have their traps; what they say is held against recordings."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import connections as pipeline
from pipelines.connections import ConnectionForm, crm_factory
from pipelines.sync import Asking, SyncReport, run_sync
from schemas.settings import Settings
from tests.conftest import SHARED, Roll
from tests.sync.syncing import Sync
from tests.sync.vendors import HubSpot, Odoo, Pipedrive, Vendor, serving
from warehouse import connections
from warehouse.engines import transaction


class Vendored(Sync):
    """A store connected to a stand-in."""

    vendor: Any
    jump = timedelta(minutes=20)

    def open(
        self, vendor: Vendor, connector: str, config: dict[str, str], secrets: dict[str, str], **mapping: Any
    ) -> None:
        self.vendor = vendor
        form = ConnectionForm({"url": vendor.url, **config}, secrets)
        self.number = pipeline.create_connection(self.store, self.settings, connector, connector, form, self.asked).id
        pipeline.read_fields(self.store, self.settings, connector)
        proposed = pipeline.proposed_mapping(self.store, self.settings, connector)
        wanted = proposed.model_copy(update={"policy": "local_wins", **mapping})
        pipeline.set_mapping(self.store, self.settings, connector, wanted, self.asked)
        with transaction(self.store) as connection:
            connections.set_connection(connection, self.number, {"state": "active", "applied_mapping": wanted.hash})

    def run(self, **asking: Any) -> SyncReport:
        self.now = max(self.now + timedelta(hours=1), datetime.now(UTC))
        self.vendor.now += self.jump
        factory = crm_factory(self.store, self.settings)
        report = run_sync(self.store, self.settings, self.number, factory, self.clock, Asking("ana", **asking))
        assert report is not None
        return report


def opened(roll: Roll, folder: Path) -> Vendored:
    return Vendored(roll.engine, Settings(home=folder, default_country="CO"))


@pytest.fixture
def hubspot(roll: Roll, tmp_path: Path) -> Iterator[Vendored]:
    with serving(HubSpot()) as vendor:
        found = opened(roll, tmp_path)
        found.open(vendor, "hubspot", {}, {"token": "pat-1"})
        yield found


@pytest.fixture
def odoo(roll: Roll, tmp_path: Path) -> Iterator[Vendored]:
    with serving(Odoo()) as vendor:
        found = opened(roll, tmp_path)
        found.open(vendor, "odoo", {"database": "crm", "user": "ana"}, {"key": "key-1"})
        yield found


@pytest.fixture
def pipedrive(roll: Roll, tmp_path: Path) -> Iterator[Vendored]:
    with serving(Pipedrive()) as vendor:
        found = opened(roll, tmp_path)
        found.open(vendor, "pipedrive", {}, {"token": "tok-1"})
        yield found


# ── HubSpot ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hubspot_takes_a_thousand_changes_in_as_few_calls_as_its_batches_allow(hubspot: Vendored) -> None:
    hubspot.store.dispose()
    for at in range(250):
        hubspot.vendor.add(firstname=f"Eva{at}", email=f"e{at}@example.org")
    hubspot.run()
    hubspot.vendor.seen.clear()
    for number in range(1, 251):
        hubspot.edit(number, city=f"town{number}")

    report = hubspot.run()

    assert report.counts["merge"] == 250
    assert hubspot.vendor.count("batch/update") == 3
    assert hubspot.vendor.count("batch/read") == 3
    assert len(hubspot.vendor.seen) <= 8
    hubspot.vendor.seen.clear()
    assert hubspot.run().counts == {}
    assert [path for _, path in hubspot.vendor.seen] == ["/crm/v3/objects/contacts/search"] * len(hubspot.vendor.seen)


def test_hubspot_refuses_one_of_a_batch_and_takes_the_others(hubspot: Vendored) -> None:
    people = [hubspot.create(first_name=f"Ana{at}", email=f"a{at}@example.org") for at in range(5)]
    hubspot.run()
    for number in people:
        hubspot.edit(number, city="refused" if number == people[2] else "Lima")

    report = hubspot.run()

    assert (report.counts["rejected"], report.counts["merge"]) == (1, 4)
    assert hubspot.rows("SELECT contact_id, said FROM sync_outcomes WHERE outcome = 'rejected'") == [
        (people[2], "Property values were not valid")
    ]


def test_hubspot_refuses_a_whole_batch_for_one_and_only_that_one_is_left(hubspot: Vendored) -> None:
    hubspot.run()
    for at in range(5):
        hubspot.create(first_name=f"Ana{at}", email=f"a{at}@example.org")
    hubspot.vendor.add(firstname="Otra", email="a2@example.org")
    hubspot.vendor.lag = timedelta(days=400)

    report = hubspot.run()

    assert report.counts["create_remote"] == 4
    assert "already exists" in hubspot.rows("SELECT said FROM sync_outcomes WHERE outcome = 'rejected'")[0][0]
    hubspot.vendor.lag = timedelta(0)
    hubspot.run(sweeps=True)
    assert {state for _, _, state, _ in hubspot.links()} == {"active"}
    assert len(hubspot.vendor.rows) == len(hubspot.living()) == 5


def test_hubspots_search_that_lags_loses_nobody(hubspot: Vendored) -> None:
    hubspot.run()
    hubspot.jump = timedelta(0)
    hubspot.vendor.now += timedelta(minutes=30)
    hubspot.vendor.add(firstname="Eva", email="eva@example.org")
    hubspot.vendor.lag = timedelta(minutes=5)
    hubspot.run()
    assert hubspot.living("email") == []
    hubspot.vendor.now += timedelta(minutes=6)
    hubspot.run()

    assert hubspot.living("email") == [("eva@example.org",)]


def test_hubspot_merges_two_and_nobody_is_made_again(hubspot: Vendored) -> None:
    for name in ("Ana", "Eva"):
        hubspot.create(first_name=name, email=f"{name}@example.org")
    hubspot.run()
    one, two = sorted(hubspot.vendor.rows)
    hubspot.vendor.rows.pop(two)
    hubspot.vendor.merged[two] = one

    for _ in range(3):
        hubspot.run(sweeps=True)

    assert len(hubspot.vendor.rows) == 1
    assert len(hubspot.living()) == 2
    assert hubspot.rows("SELECT reason FROM candidate_pairs") == [("merged_there",)]


def test_hubspot_loses_an_answer_and_nobody_is_made_twice(hubspot: Vendored) -> None:
    for at in range(3):
        hubspot.create(first_name=f"Ana{at}", email=f"a{at}@example.org")
    hubspot.vendor.loses = lambda method, path: path.endswith("batch/create")
    hubspot.run()
    hubspot.vendor.loses = lambda method, path: False
    for _ in range(3):
        hubspot.run()

    assert sorted(row["properties"]["email"] for row in hubspot.vendor.rows.values()) == [
        f"a{at}@example.org" for at in range(3)
    ]
    assert {state for _, _, state, _ in hubspot.links()} == {"active"}


def test_hubspot_archives_several_at_once(hubspot: Vendored) -> None:
    people = [hubspot.create(first_name=f"Ana{at}", email=f"a{at}@example.org") for at in range(3)]
    hubspot.run()
    for number in people:
        hubspot.archive(number)

    report = hubspot.run()

    assert (report.counts["archive_remote"], hubspot.vendor.rows) == (3, {})
    assert hubspot.vendor.count("batch/archive") == 1
    assert hubspot.run().counts == {}


# ── Odoo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_odoo_and_the_roll_come_to_be_the_same(odoo: Vendored) -> None:
    odoo.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    odoo.vendor.add(name="Eva Paz", email="eva@example.org", phone="300 111 2233")
    odoo.run()
    odoo.edit(1, city="Lima")
    eva = min(odoo.vendor.rows)
    odoo.vendor.change(eva, city="Quito")
    odoo.run()

    assert odoo.living("display_name, city") == [("Ana Ruiz", "Lima"), ("Eva Paz", "Quito")]
    assert [(row["name"], row["city"], row["phone"]) for row in odoo.vendor.rows.values()] == [
        ("Eva Paz", "Quito", "300 111 2233"),
        ("Ana Ruiz", "Lima", False),
    ]
    assert odoo.run().counts == {}


def test_odoo_deletes_without_a_word_and_the_sweep_finds_it(odoo: Vendored) -> None:
    odoo.create(first_name="Ana", email="ana@example.org")
    odoo.run()
    odoo.vendor.rows.clear()
    assert odoo.run().counts == {}

    odoo.run(sweeps=True)

    assert odoo.living() == []


def test_odoo_archives_and_the_contact_is_archived(odoo: Vendored) -> None:
    number = odoo.create(first_name="Ana", email="ana@example.org")
    odoo.run()
    odoo.vendor.change(min(odoo.vendor.rows), active=False)
    odoo.run()
    assert odoo.living() == []
    eva = odoo.create(first_name="Eva", email="eva@example.org")
    odoo.run()
    odoo.archive(eva)
    odoo.run()

    assert [row["active"] for row in odoo.vendor.rows.values()] == [False, False]
    assert number


def test_odoo_changes_twice_within_a_second_and_both_are_seen(odoo: Vendored) -> None:
    odoo.create(first_name="Ana", email="ana@example.org")
    odoo.run()
    one = min(odoo.vendor.rows)
    at = odoo.vendor.rows[one]["at"]
    odoo.vendor.rows[one] |= {"city": "Lima", "at": at + timedelta(microseconds=10)}

    odoo.run()

    assert odoo.living("city") == [("Lima",)]


def test_odoo_loses_an_answer_and_nobody_is_made_twice(odoo: Vendored) -> None:
    odoo.create(first_name="Ana", email="ana@example.org")
    calls = iter([False, False, True])
    odoo.vendor.loses = lambda method, path: next(calls, False)
    odoo.run()
    for _ in range(3):
        odoo.run()

    assert len(odoo.vendor.rows) == 1
    assert {state for _, _, state, _ in odoo.links()} == {"active"}


def test_odoos_stand_in_says_what_a_real_one_was_recorded_to_say() -> None:
    path = SHARED / "wire" / "odoo17.jsonl"
    if not path.exists():
        pytest.skip("the recordings are not beside the project")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    recorded = [line for line in lines if line["request"]["path"] == "/jsonrpc"]
    assert recorded
    for line in recorded:
        name = re.findall(r'"data": {"name": "([^"]+)"', line["response"]["body"])  # the body is cut off after a while
        asked = json.loads(line["request"]["body"])
        asked["params"]["args"][:3] = ["crm", 2, "key-1"]
        status, found = Odoo().answer("POST", "/jsonrpc", {}, asked, {})
        assert (status, [found["error"]["data"]["name"]]) == (line["response"]["status"], name)


# ── Pipedrive ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pipedrive_keeps_the_other_mails_of_a_person(pipedrive: Vendored) -> None:
    number = pipedrive.vendor.add("Eva Paz", "eva@example.org")
    second = {"value": "eva@home.example", "primary": False, "label": "home"}
    pipedrive.vendor.rows[number]["emails"].append(second)
    pipedrive.run()
    pipedrive.edit(1, email="eva.paz@example.org")
    pipedrive.run()

    assert pipedrive.vendor.rows[number]["emails"] == [
        {"value": "eva.paz@example.org", "primary": True, "label": "work"},
        second,
    ]
    assert pipedrive.run().counts == {}


def test_pipedrive_loses_an_answer_and_the_next_listing_finds_the_person(pipedrive: Vendored) -> None:
    pipedrive.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    pipedrive.vendor.loses = lambda method, path: method == "POST"
    pipedrive.run()
    pipedrive.vendor.loses = lambda method, path: False
    for _ in range(3):
        pipedrive.run()

    assert [row["name"] for row in pipedrive.vendor.rows.values()] == ["Ana Ruiz"]
    assert {state for _, _, state, _ in pipedrive.links()} == {"active"}


def test_pipedrive_takes_nothing_and_the_person_is_made_in_the_end(pipedrive: Vendored) -> None:
    pipedrive.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    pipedrive.vendor.fails = lambda method, path: (500, {"error": "down"}) if method == "POST" else None
    pipedrive.run()
    pipedrive.vendor.fails = lambda method, path: None
    for _ in range(4):
        pipedrive.run()

    assert [row["name"] for row in pipedrive.vendor.rows.values()] == ["Ana Ruiz"]


def test_pipedrive_made_a_person_and_answered_500(pipedrive: Vendored) -> None:
    pipedrive.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    made: list[int] = []

    def answer(method: str, path: str) -> Any:
        if method == "POST":
            made.append(pipedrive.vendor.add("Ana Ruiz", "ana@example.org"))
            return 500, {"error": "internal"}
        return None

    pipedrive.vendor.fails = answer
    pipedrive.run()
    pipedrive.vendor.fails = lambda method, path: None
    for _ in range(3):
        pipedrive.run()

    assert len(pipedrive.vendor.rows) == len(made) == 1


def test_pipedrives_page_of_403_is_waited_for(pipedrive: Vendored) -> None:
    pipedrive.vendor.fails = lambda method, path: (403, "<html>Cloudflare</html>")

    report = pipedrive.run()

    assert report.state == "waiting"
    assert pipedrive.connection().state == "active"


# ── OAuth ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Granting(Pipedrive):
    """The same behind OAuth 2, whose refresh tokens are good for one time."""

    def __init__(self) -> None:
        super().__init__()
        self.good, self.refreshes = "refresh-1", 0

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Any:
        if path == "/oauth/token":
            if body != {
                "grant_type": "refresh_token",
                "refresh_token": self.good,
                "client_id": "us",
                "client_secret": "s",
            }:
                return 400, {"error": "invalid_grant"}
            self.refreshes += 1
            self.good = f"refresh-{self.refreshes + 1}"
            return 200, {"access_token": f"access-{self.refreshes}", "refresh_token": self.good, "expires_in": 3600}
        if headers.get("Authorization") != f"Bearer access-{self.refreshes}":
            return 401, {"error": "expired"}
        return super().answer(method, path, query, body, {"x-api-token": "tok-1"})


def oauth_connector(folder: Path) -> None:
    text = (Path(__file__).parents[2] / "connectors" / "crm" / "pipedrive.toml").read_text("utf-8")
    auth = '[auth]\ntype = "oauth2"\ntoken_url = "{config.url}/oauth/token"\n'
    (folder / "connectors").mkdir()
    (folder / "connectors" / "granting.toml").write_text(re.sub(r"\[auth\]\n(.+\n)+", auth, text), "utf-8")


def test_a_token_that_expires_is_refreshed_once_and_kept_before_it_is_used(roll: Roll, tmp_path: Path) -> None:
    oauth_connector(tmp_path)
    with serving(Granting()) as vendor:
        sync = opened(roll, tmp_path)
        secrets = {"refresh_token": "refresh-1", "client_id": "us", "client_secret": "s", "hook_user": "crm"}
        sync.open(vendor, "granting", {}, secrets)
        sync.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
        sync.run()
        sync.run()
        kept = pipeline.secrets_of(sync.settings, sync.connection())

        assert [row["name"] for row in vendor.rows.values()] == ["Ana Ruiz"]
        assert (vendor.refreshes, kept["refresh_token"], kept["hook_user"]) == (1, "refresh-2", "crm")


def test_a_refresh_that_is_refused_fails_the_connection_and_says_so(roll: Roll, tmp_path: Path) -> None:
    oauth_connector(tmp_path)
    with serving(Granting()) as vendor:
        sync = opened(roll, tmp_path)
        secrets = {"refresh_token": "refresh-1", "client_id": "us", "client_secret": "s"}
        sync.open(vendor, "granting", {}, secrets)
        form = ConnectionForm(secrets={"refresh_token": "stolen", "expires_at": "0"})
        pipeline.edit_connection(sync.store, sync.settings, "granting", form, sync.asked)

        report = sync.run()

        assert report.state == "failed"
        assert "credentials" in str(report.sentence)
