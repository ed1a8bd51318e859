"""What is too old goes by itself, each day, and is counted before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.folders import make_places
from connectors.profiles import DropFolder
from pipelines.contacts import find_contact
from pipelines.edits import block_contact
from pipelines.interactions import Told, take_interactions
from pipelines.jobs import run_job
from pipelines.refreshes import refresh_segment
from pipelines.retention import ask_for_retention, retain_daily
from pipelines.segments import SegmentForm, create_segment
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops
from warehouse.audit import Asked

LATER = timedelta(days=400)


def later() -> datetime:
    return utc_now() + LATER


def asked() -> Asked:
    return Asked("test", utc_now())


def retain(store: Roll, settings: Settings, *, is_rehearsal: bool = False) -> dict[str, Any]:
    work = ask_for_retention(store.engine, asked(), is_rehearsal=is_rehearsal)
    done = run_job(store.engine, work.id, settings, later)
    assert done is not None
    assert done.state == "done", done
    return dict(done.result or {})


@pytest.fixture
def people(store: Roll) -> Roll:
    store.import_text("nombre,celular\nAna,3001112233\nLuis,3004445566\nEva,3007778899\n")
    told = [Told("1", "received", utc_now(), contact=1), Told("2", "received", later() - timedelta(days=1), contact=2)]
    take_interactions(store.engine, Settings(), "chat", told, Asked("test", later()))
    block_contact(store.engine, 3, "insulta", asked())
    return store


def test_contacts_with_whom_nothing_happens_go_and_their_blocks_stay(people: Roll) -> None:
    settings = Settings(keep_inactive_days=365)

    counted = retain(people, settings, is_rehearsal=True)
    assert (counted, len(people.living())) == ({"interactions": 0, "files": 0, "contacts": 2}, 3)

    assert retain(people, settings) == {"interactions": 0, "files": 0, "contacts": 2}
    assert [name for name, *_ in people.living()] == ["Luis"]
    people.import_text("nombre,celular\nEva,3007778899\n")
    assert find_contact(people.engine, 4).opted_out == ["phone", "sms", "whatsapp"]


def test_the_time_of_the_last_message_outlives_the_message(people: Roll) -> None:
    settings, form = Settings(keep_interactions_days=30), SegmentForm("r", filter_text="received(ago('500d')) >= 1")
    number = create_segment(people.engine, settings, form, asked())
    refresh_segment(people.engine, number, settings, utc_now)
    assert retain(people, settings)["interactions"] == 1

    sizes = []
    for days in (1, 499, 501):
        refresh_segment(people.engine, number, settings, lambda days=days: utc_now() + timedelta(days=days))
        sizes.append(people.one("SELECT size FROM segments"))

    assert sizes == [2, 2, 1]


def test_old_interactions_go_and_segments_on_them_look_again(people: Roll) -> None:
    form = SegmentForm("Escribieron", filter_text="received(ago('3000d'), ahead('9d')) > 0", schedule="1d")
    segment = create_segment(people.engine, Settings(), form, asked())
    refresh_segment(people.engine, segment, Settings(), later)
    before = people.one("SELECT size FROM segments")

    found = retain(people, Settings(keep_interactions_days=30))
    people.run("UPDATE segments SET next_at = as_of")
    refresh_segment(people.engine, segment, Settings(), later)

    assert (before, found["interactions"], people.one("SELECT size FROM segments")) == (2, 1, 1)
    assert people.rows("SELECT received FROM contacts ORDER BY id") == [(1,), (1,), (0,)]


def test_old_files_go_with_their_reports_and_the_batches_stay(store: Roll, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", default_country="CO", keep_files_days=90)
    make_places(DropFolder(settings.home / "drop"))
    drop_text(settings.home / "drop" / "incoming", "gente.csv", "nombre,celular\nAna,3001112233\nLuis,hola\n")
    import_drops(store.engine, settings)
    store.import_text("nombre,celular\nEva,3007778899\nNoé,hola\n")
    done = settings.home / "drop" / "done"
    assert len(list(done.iterdir())) == 3

    assert retain(store, settings)["files"] == 2
    assert retain(store, settings)["files"] == 0
    assert list(done.iterdir()) == []
    assert not list(store.folder.glob("report-*.csv"))
    assert list(store.folder.glob("*-contacts.csv"))
    assert store.rows("SELECT state, reject_file FROM batches ORDER BY id") == [("done", None)] * 2


def test_it_is_done_once_each_day_and_only_where_a_rule_is_set(store: Roll) -> None:
    settings = Settings(keep_interactions_days=30, time_zone="America/Lima")
    evening, night = datetime(2026, 11, 2, 4, 59, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)

    assert retain_daily(store.engine, Settings(), evening) is None
    numbers = [retain_daily(store.engine, settings, at) for at in (evening, evening, night, night)]

    assert numbers == [1, None, 2, None]
    assert store.rows("SELECT kind, object FROM jobs ORDER BY id") == [
        ("retention", "day:2026-11-01"),
        ("retention", "day:2026-11-02"),
    ]
