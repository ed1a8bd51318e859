"""Dropped files: where each goes, whatever its name and whoever else works."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from connectors.folders import Watch, make_places
from connectors.profiles import DropFolder
from pipelines.drops import claim_ready, import_drop
from scheduler.logs import reason_of
from schemas.errors import InputError
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops
from warehouse.engines import UNREACHABLE


def test_a_mended_row_report_is_imported_under_its_own_name(roll: Roll, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, default_country="CO")
    make_places(DropFolder(tmp_path / "drop"))
    incoming = tmp_path / "drop" / "incoming"
    drop_text(incoming, "people.csv", "nombre,telefono\nAna,3001112233\nLuis,hola\n")
    import_drops(roll.engine, settings)
    report = (tmp_path / "drop" / "done" / "people.csv.report.csv").read_text(encoding="utf-8-sig")

    drop_text(incoming, "people.csv.report.csv", report.replace("hola", "3104445566"))
    import_drops(roll.engine, settings)

    assert roll.living("display_name, phone") == [("Ana", "+573001112233"), ("Luis", "+573104445566")]
    assert roll.rows("SELECT file, state FROM batches ORDER BY id") == [
        ("people.csv", "done"),
        ("people.csv.report.csv", "done"),
    ]
    assert list((tmp_path / "drop" / "working").iterdir()) == []


def test_files_of_one_name_that_are_finished_at_once_are_all_kept(store: Roll, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, default_country="CO")
    folder = DropFolder(tmp_path / "drop")
    make_places(folder)
    watch, numbers = Watch(folder, settle_seconds=0), []
    for number in range(6):
        drop_text(folder.path / "incoming", "people.csv", f"nombre,telefono\nAna,300111223{number}\nLuis,hola\n")
        numbers += claim_ready(store.engine, watch, settings, utc_now, 1.0)

    with ThreadPoolExecutor(6) as workers:
        list(workers.map(lambda number: import_drop(store.engine, number, settings, utc_now), numbers))

    kept = sorted(path.name for path in (folder.path / "done").iterdir())
    assert len(numbers) == 6
    assert len([name for name in kept if name.endswith(".report.csv")]) == 6
    assert len([name for name in kept if name.endswith(".summary.json")]) == 6
    assert len(kept) == 18
    assert len(set(store.rows("SELECT path FROM batches"))) == 6


def test_a_failure_is_named_without_what_the_database_says_of_the_rows() -> None:
    class Refusal(Exception):
        sqlstate = "23505"

    refusal = Refusal("Key (phone_match)=(+573001112233) already exists")

    assert reason_of(IntegrityError("INSERT", {}, refusal)) == "Refusal 23505"
    assert reason_of(InputError("no such file", "no existe")) == "no such file"


def test_only_a_database_that_is_away_busy_or_full_is_waited_for() -> None:
    away = (OperationalError, sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError)
    wrong = (DataError, IntegrityError, psycopg.errors.UniqueViolation, sqlite3.IntegrityError)

    assert [issubclass(kind, UNREACHABLE) for kind in away] == [True] * 4
    assert [issubclass(kind, UNREACHABLE) for kind in wrong] == [False] * 4
