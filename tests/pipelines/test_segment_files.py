"""Segments by files: planned, applied, and those made by hand left alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.toml_files import TomlFileError
from pipelines import refreshes
from pipelines.segment_files import apply_plan, plan
from pipelines.segments import SegmentForm, create_segment, edit_segment
from schemas.filters import WrongFilter
from schemas.operators import WrongField
from schemas.settings import Settings
from schemas.spans import next_time, read_schedule
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked


def asked() -> Asked:
    return Asked("test", utc_now())


@pytest.fixture
def home(store: Roll) -> Settings:
    settings = Settings(home=store.folder / "home", time_zone="America/Bogota")
    (settings.home / "segments").mkdir(parents=True)
    return settings


def write(settings: Settings, file: str, text: str) -> Path:
    path = settings.home / "segments" / f"{file}.toml"
    path.write_text(text, "utf-8")
    return path


def steps(store: Roll, settings: Settings) -> list[tuple[str, str]]:
    return [(step.action, step.name) for step in plan(store.engine, settings)]


def apply(store: Roll, settings: Settings) -> None:
    apply_plan(store.engine, settings, plan(store.engine, settings), asked())


def test_a_plan_makes_changes_and_takes_away_what_files_say_and_nothing_else(store: Roll, home: Settings) -> None:
    create_segment(store.engine, home, SegmentForm("A mano", filter_text="sent > 1"), asked())
    write(
        home,
        "a_vip",
        "name = 'VIP de Lima'\nfilter = \"in_segment('limeños') AND tagged('vip')\"\nschedule = '15min'\n",
    )
    write(home, "z_lima", "name = 'Limeños'\nfilter = \"city = 'Lima'\"\ndescription = 'De Lima'\n")

    assert steps(store, home) == [("create", "Limeños"), ("create", "VIP de Lima")]
    apply(store, home)
    assert steps(store, home) == []

    edit_segment(store.engine, home, 2, {"filter_text": "city = 'Cali'", "schedule": "1d"}, asked())
    [step] = plan(store.engine, home)
    assert step.changes == {"filter_text": ("city = 'Cali'", "city = 'Lima'"), "schedule": ("1d", None)}
    apply(store, home)
    (home.home / "segments" / "a_vip.toml").unlink()
    (home.home / "segments" / "z_lima.toml").unlink()
    assert steps(store, home) == [("delete", "VIP de Lima"), ("delete", "Limeños")]
    apply(store, home)
    assert store.rows("SELECT name FROM segments WHERE archived_at IS NULL") == [("A mano",)]


def test_a_segment_made_by_hand_is_taken_over_by_a_file_of_its_name(store: Roll, home: Settings) -> None:
    create_segment(store.engine, home, SegmentForm("Limeños", filter_text="city = 'Lima'"), asked())
    write(home, "lima", "name = 'limeños'\nfilter = \"city = 'Lima'\"\n")

    [step] = plan(store.engine, home)
    assert step.changes == {"name": ("Limeños", "limeños"), "origin": ("hand", "file")}
    apply(store, home)
    assert steps(store, home) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'x'", "write filter"),
        ("name = 3\nfilter = 'sent > 1'", "write name"),
        ("name = 'x'\nfilter = 'sent > 1'\ncolour = 'red'", "'colour' means nothing"),
        ("name = ", "not valid TOML"),
        ("name = 'a'\nfilter = \"in_segment('a')\"", "in a circle"),
        ("name = 'Lista'\nfilter = 'sent > 1'", "is a static segment"),
    ],
)
def test_a_file_that_describes_no_segment_is_named(store: Roll, home: Settings, text: str, said: str) -> None:
    create_segment(store.engine, home, SegmentForm("Lista", "static"), asked())
    path = write(home, "mala", text)

    with pytest.raises(TomlFileError) as error:
        plan(store.engine, home)
    assert said in error.value.said("en")
    assert path.name in error.value.said("en") or "circle" in said


def test_what_is_wrong_in_a_filter_or_schedule_is_said_before_anything_is_changed(store: Roll, home: Settings) -> None:
    path = write(home, "mala", "name = 'x'\nfilter = 'sent >'\n")
    with pytest.raises(WrongFilter, match=path.name):
        plan(store.engine, home)
    write(home, "mala", "name = 'x'\nfilter = 'sent > 1'\nschedule = 'sometimes'\n")
    with pytest.raises(TomlFileError, match="sometimes"):
        plan(store.engine, home)
    assert store.rows("SELECT id FROM segments") == []


def test_two_files_of_one_segment_are_both_named(store: Roll, home: Settings) -> None:
    for name in ("uno", "dos"):
        write(home, name, "name = 'Lima'\nfilter = \"city = 'Lima'\"\n")

    with pytest.raises(TomlFileError, match=r"dos.toml and .*uno.toml both describe Lima"):
        plan(store.engine, home)


# ── schedules and growth ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cron 0 7 * * MON-FRI", ["2026-03-30 07:00", "2026-03-31 07:00"]),
        ("*/30 1-3 * * *", ["2026-03-29 01:00", "2026-03-29 01:30", "2026-03-29 03:00"]),
        ("30 2 29 3 *", ["2026-03-29 03:00", "2027-03-29 02:30"]),
        ("at 02:30", ["2026-03-29 03:30", "2026-03-30 02:30"]),
    ],
)
def test_schedules_follow_the_clocks_of_the_place(schedule: str, expected: list[str]) -> None:
    at, zone = datetime(2026, 3, 28, 23, 30, tzinfo=UTC), "Europe/Madrid"

    found = []
    for _ in expected:
        at = next_time(schedule, at, zone)
        found.append(at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M"))

    assert found == expected


@pytest.mark.parametrize(
    "text", ["0 0 31 2 *", "61 * * * *", "* * * *", "@daily", "* * * * * *", "cron", "0 7 * * LUN"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(WrongField, match="is no schedule"):
        read_schedule(text)


def test_the_growth_of_a_segment_is_told_by_days_of_the_place(store: Roll, home: Settings) -> None:
    create_segment(
        store.engine,
        home,
        SegmentForm("Todos", filter_text="created_at > TIMESTAMP('2000-01-01T00:00:00Z')", schedule="1h"),
        asked(),
    )
    start = datetime(2026, 11, 2, 3, tzinfo=UTC)  # still the first in Bogota
    for hours, name in ((0, "Ana"), (1, "Eva"), (3, "Luis"), (60, None)):
        if name:
            store.import_text(f"nombre,correo,creado\n{name},{name.lower()}@example.org,2026-01-01\n")
        store.run("UPDATE segments SET next_at = NULL")
        refreshes.refresh_segment(store.engine, 1, home, lambda hours=hours: start + timedelta(hours=hours))

    name, points = refreshes.growth_of(store.engine, 1, home)

    assert (name, [(at.astimezone(ZoneInfo("America/Bogota")).day, size) for at, size in points]) == (
        "Todos",
        [(1, 2), (2, 3)],
    )
