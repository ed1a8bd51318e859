"""Sync with a real server, Kinto: its conditional writes, its tombstones, its pages; and answers that are lost."""

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from pipelines import connections as pipeline
from pipelines.connections import ConnectionForm, crm_factory
from pipelines.sync import Asking, SyncReport, run_sync
from schemas.mappings import read_mapping
from schemas.settings import Settings
from tests.conftest import Roll
from tests.sync.proxy import Proxy, proxy_of
from tests.sync.syncing import Sync
from warehouse import connections
from warehouse.engines import transaction

PAIRS = [
    {"local": "first_name", "remote": "name"},
    {"local": "email", "remote": "email"},
    {"local": "phone", "remote": "phone"},
    {"local": "city", "remote": "town"},
    {"local": "tags", "remote": "tags"},
    {"local": "opt_out.all", "remote": "no_mail"},
]
MAPPING = {"policy": "local_wins", "delete": {"most": 50}, "fields": PAIRS}


class Kinto(Sync):
    """A store and a collection of a Kinto that is its own."""

    proxy: Proxy
    api: str

    def open(self, kinto: str, proxy: Proxy) -> None:
        bucket = f"b{uuid.uuid4().hex[:10]}"
        self.proxy, self.api = proxy, f"{kinto}/v1/buckets/{bucket}/collections/contacts/records"
        for path in (bucket, f"{bucket}/collections/contacts"):
            requests.put(f"{kinto}/v1/buckets/{path}", auth=("peer", "s3cret"), timeout=20).raise_for_status()
        form = ConnectionForm({"url": proxy.url, "bucket": bucket}, {"user": "peer", "password": "s3cret"})
        made = pipeline.create_connection(self.store, self.settings, "kinto", "kinto", form, self.asked)
        self.number = made.id
        mapping = read_mapping(MAPPING, "kinto")
        pipeline.set_mapping(self.store, self.settings, "kinto", mapping, self.asked)
        with transaction(self.store) as connection:
            connections.set_connection(connection, made.id, {"state": "active", "applied_mapping": mapping.hash})

    def run(self, **asking: Any) -> SyncReport:
        self.now = max(self.now + timedelta(hours=1), datetime.now(UTC))
        factory = crm_factory(self.store, self.settings)
        report = run_sync(self.store, self.settings, self.number, factory, self.clock, Asking("ana", **asking))
        assert report is not None
        return report

    def ask(self, method: str, path: str = "", **values: Any) -> Any:
        body = {"data": values} if values else None
        answer = requests.request(method, f"{self.api}{path}", json=body, auth=("peer", "s3cret"), timeout=20)
        return answer.json().get("data")

    def records(self) -> list[dict[str, Any]]:
        return sorted(self.ask("GET"), key=lambda one: str(one.get("email")))


@pytest.fixture
def sync(kinto: str, roll: Roll, tmp_path: Path) -> Iterator[Kinto]:
    with proxy_of(kinto) as proxy:
        found = Kinto(roll.engine, Settings(home=tmp_path, default_country="CO"))
        found.open(kinto, proxy)
        yield found


def test_both_sides_come_to_be_the_same(sync: Kinto) -> None:
    sync.create(first_name="Ana", email="ana@example.org", tags=["vip"])
    sync.ask("POST", name="Eva", email="eva@example.org", phone="300 111 2233", extra={"kept": 1})

    sync.run()
    report = sync.run()

    assert sync.living("first_name, email, phone") == [
        ("Ana", "ana@example.org", None),
        ("Eva", "eva@example.org", "+573001112233"),
    ]
    assert [(one["name"], one.get("tags")) for one in sync.records()] == [("Ana", ["vip"]), ("Eva", None)]
    assert sync.records()[1]["phone"] == "300 111 2233"
    assert (report.counts, report.calls) == ({}, 1)


def test_more_than_a_page_is_gone_through_and_nothing_is_written_when_nothing_changed(sync: Kinto) -> None:
    for at in range(130):
        sync.ask("POST", name=f"Eva{at}", email=f"e{at}@example.org")
    sync.run()
    sync.proxy.seen.clear()
    sync.now += timedelta(hours=1)
    sync.run()

    assert len(sync.living()) == 130
    assert sync.proxy.count("PUT", "PATCH", "POST", "DELETE") == 0
    assert all("/records?" in path for _, path in sync.proxy.seen)


def test_an_edit_there_meanwhile_is_not_overwritten(sync: Kinto) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    record = sync.records()[0]
    sync.edit(number, city="Lima")

    def edits_first(method: str, path: str) -> None:
        if method == "PATCH" and sync.records()[0].get("note") is None:
            sync.ask("PATCH", f"/{record['id']}", note="by hand")

    sync.proxy.answers = edits_first  # type: ignore[assignment]  # it answers nothing of its own
    sync.run()

    assert (sync.records()[0]["town"], sync.records()[0]["note"]) == ("Lima", "by hand")
    assert sync.proxy.count("PATCH") == 2


def test_a_deletion_there_is_seen_by_its_tombstone(sync: Kinto) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.ask("DELETE", f"/{sync.records()[0]['id']}")

    sync.run()

    assert sync.living() == []


def test_an_archived_contact_is_deleted_there(sync: Kinto) -> None:
    number = sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    sync.archive(number)
    sync.run()

    assert sync.records() == []
    assert sync.run().counts == {}


@pytest.mark.parametrize("seed", range(3))
def test_lost_answers_double_nobody(sync: Kinto, seed: int) -> None:
    chance = random.Random(seed)
    sync.proxy.drops = lambda method, path: chance.random() < 0.3
    people = [sync.create(first_name=f"Ana{at}", email=f"a{at}@example.org") for at in range(6)]
    for at in range(4):
        sync.ask("POST", name=f"Eva{at}", email=f"e{at}@example.org")
    for turn in range(8):
        sync.edit(chance.choice(people), city=f"town{turn}")
        some = chance.choice(sync.records())
        sync.ask("PATCH", f"/{some['id']}", town=f"there{turn}")
        sync.run()
    sync.proxy.drops = lambda method, path: False
    for _ in range(4):
        sync.run(sweeps=True)

    emails = [one["email"] for one in sync.records()]
    assert len(emails) == len(set(emails)) == 10
    assert {(one["email"], one.get("town")) for one in sync.records()} == set(sync.living("email, city"))
    assert sync.run().counts == {}


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ((401, {"Content-Type": "application/json"}, b'{"message": "no"}'), "failed"),
        ((403, {"Content-Type": "application/json"}, b'{"message": "no"}'), "failed"),
        ((200, {"Content-Type": "text/html"}, b"<html>sign in</html>"), "active"),
        ((200, {"Content-Type": "application/json"}, b'{"data": [{"no": "id"}]}'), "active"),
        ((200, {"Content-Type": "application/json"}, b'{"data": [[1, 2'), "active"),
        ((200, {"Content-Type": "application/json"}, json.dumps({"data": ["x" * 20_000_000]}).encode()), "active"),
        ((500, {}, b""), "active"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "active"),
    ],
    ids=["401", "403", "page", "no record", "half", "huge", "500", "elsewhere"],
)
def test_what_makes_no_sense_touches_nothing(sync: Kinto, answer: Any, state: str) -> None:
    sync.create(first_name="Ana", email="ana@example.org")
    sync.run()
    before = (sync.records(), sync.living())
    sync.proxy.answers = lambda method, path: answer

    report = sync.run()
    sync.proxy.answers = lambda method, path: None

    assert report.state in ("failed", "waiting")
    assert report.sentence and "kinto" in report.sentence[0]
    assert (sync.connection().state, sync.records(), sync.living()) == (state, *before)


@pytest.mark.parametrize("status", [429, 503])
def test_too_many_requests_are_waited_for(sync: Kinto, status: int) -> None:
    sync.proxy.answers = lambda method, path: (status, {"Retry-After": "30"}, b"{}")

    report = sync.run()

    assert report.state == "waiting"
    assert sync.connection().next_at == sync.now + timedelta(seconds=30)


def test_the_wait_may_be_told_as_a_time(sync: Kinto) -> None:
    said = {"Date": "Sat, 28 Nov 2026 10:00:00 GMT", "Retry-After": "Sat, 28 Nov 2026 10:01:30 GMT"}
    sync.proxy.answers = lambda method, path: (429, said, b"{}")

    sync.run()

    assert sync.connection().next_at == sync.now + timedelta(seconds=90)
