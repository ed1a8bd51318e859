"""Backups: of one moment, whole or not there at all, and never read back wrong."""

import json
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import text

from pipelines.backup_jobs import ask_for_backup, ask_for_verification, note, on_schedule, state_of_backups
from pipelines.backup_retention import prune
from pipelines.backups import (
    DamagedBackup,
    ForeignBackup,
    NewerBackup,
    NoSuchBackup,
    WrongBackupKey,
    check_files,
    create_backup,
    find_backup,
    list_backups,
    parts_of_file,
)
from pipelines.jobs import run_job
from pipelines.restores import verify
from schemas.backups import Manifest
from schemas.settings import Settings
from tests.backing import asked, back_up, beat, content, files_of, fill, settings_of
from tests.conftest import Roll, utc_now
from warehouse import dumps
from warehouse.dumps import ReadingBroke
from warehouse.engines import UNREACHABLE, reading, transaction
from warehouse.store import open_store
from warehouse.tables import notes

KEY, OTHER_KEY = "A" * 42 + "A=", "B" * 42 + "A="


@pytest.fixture
def settings(store: Roll) -> Settings:
    found = settings_of(store)
    fill(store, found)
    return found


def parquet(settings: Settings, manifest: Manifest, table: str) -> Path:
    return settings.home / "backups" / manifest.name / f"{table}.parquet"


def test_a_backup_has_every_table_and_says_what_is_in_it(store: Roll, settings: Settings) -> None:
    made = back_up(store, settings)

    rows = {name: len(found) for name, found in content(store.engine).items()}
    assert {name: file.rows for name, file in made.tables().items()} == rows
    assert {name for name, count in rows.items() if count} > {"contacts", "contact_values", "notes", "interactions"}
    assert find_backup(settings, "newest") == find_backup(settings, made.name) == made
    found = pq.ParquetFile(parquet(settings, made, "contacts"))
    assert "Trujillo 'el' \\ \"norte\"" in found.read()["city"].to_pylist()
    assert found.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_good_backup_is_verified_and_that_is_kept(store: Roll, settings: Settings, level: int) -> None:
    made = back_up(store, settings)

    note(settings, made, level, utc_now, beat())
    note(settings, made, 1, utc_now, beat())

    verified = list_backups(settings)[0].verified
    assert verified is not None
    assert verified.level == level
    assert list((settings.home / "scratch").iterdir()) == [settings.home / "scratch" / ".turn"]


def test_the_contacts_come_as_csv_too_where_that_is_wanted(store: Roll, settings: Settings) -> None:
    made = back_up(store, settings.model_copy(update={"backup_csv": True}))

    lines = (settings.home / "backups" / made.name / "contacts.csv").read_text("utf-8")
    assert lines.startswith('"id","first_name"')
    assert '"+573109876501"' in lines
    verify(settings, made, 1, beat())


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_no_backup_is_torn_by_who_writes_meanwhile(store: Roll, rounds: int) -> None:
    settings, stop, written = settings_of(store), threading.Event(), [0]
    store.import_text("nombre,celular\nAna,3001112233\n")

    def write() -> None:
        while not stop.is_set():
            written[0] += 1
            with transaction(store.engine) as connection:
                for table in ("notes", "candidate_pairs"):
                    values = {"notes": "(id, contact_id, text, actor, at) VALUES (:n, 1, 'x', 'x', {at})"}
                    values["candidate_pairs"] = "(contact_a, contact_b, reason, at) VALUES (:n, :n + 1, 'x', {at})"
                    at = "now()" if store.engine.dialect.name == "postgresql" else "0"
                    connection.execute(text(f"INSERT INTO {table} {values[table].format(at=at)}"), {"n": written[0]})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [back_up(store, settings, f"20261128T0315{n:02}Z-1").tables() for n in range(rounds)]
    finally:
        stop.set()
        writer.join()

    pairs = [(one["notes"].rows, one["candidate_pairs"].rows) for one in made]
    assert [notes - others for notes, others in pairs] == [0] * rounds
    assert len({notes for notes, _ in pairs}) == rounds, "somebody wrote between any two"


# ── what is wrong ────────────────────────────────────────────────────────────────────────────────────────────────


def read_all(settings: Settings, manifest: Manifest, folder: Path) -> None:
    for file in manifest.tables().values():
        for _ in parts_of_file(settings, manifest, file, folder):
            pass


@pytest.mark.parametrize("flips", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_a_single_flipped_bit_is_seen_wherever_it_is(
    store: Roll, settings: Settings, flips: int, tmp_path: Path
) -> None:
    made, chance = back_up(store, settings), random.Random(11)
    paths = files_of(settings, made)
    sizes = [path.stat().st_size for path in paths]

    for path in chance.choices(paths, sizes, k=flips):
        whole = path.read_bytes()
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        with pytest.raises((DamagedBackup, NewerBackup, ForeignBackup, NoSuchBackup)):
            found = find_backup(settings, made.name)
            check_files(settings, found, beat())
        with pytest.raises((DamagedBackup, NewerBackup, ForeignBackup, NoSuchBackup)):
            read_all(settings, find_backup(settings, made.name), tmp_path)
        path.write_bytes(whole)
    read_all(settings, find_backup(settings, made.name), tmp_path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("harm", [cut, lengthen, empty, Path.unlink])
@pytest.mark.parametrize("file", ["contacts.parquet", "notes.parquet", "manifest.json"])
def test_a_file_that_is_cut_longer_empty_or_missing_is_seen(
    roll: Roll, harm: Callable[[Path], None], file: str, tmp_path: Path
) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)

    harm(settings.home / "backups" / made.name / file)

    with pytest.raises((DamagedBackup, NoSuchBackup), match=file if file != "manifest.json" else made.name):
        for level in (1, 2):
            verify(settings, find_backup(settings, made.name), level, beat())


def rewrite(settings: Settings, manifest: Manifest, **values: object) -> None:
    path = settings.home / "backups" / manifest.name / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_manifest_that_somebody_changed_is_refused(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)

    rewrite(settings, made, as_of="2026-01-01T00:00:00+00:00")

    with pytest.raises(DamagedBackup, match="manifest.json"):
        find_backup(settings, made.name)
    assert list_backups(settings) == []


@pytest.mark.parametrize("values", [{"format": 2, "new": 1}, {"schema_version": "9999"}])
def test_a_backup_of_a_later_version_is_said_to_be_one(roll: Roll, values: dict[str, object]) -> None:
    settings = settings_of(roll)
    made = back_up(roll, settings)
    rewrite(settings, made, **values)

    with pytest.raises(NewerBackup, match="later version"):
        find_backup(settings, made.name)


def test_a_backup_of_another_installation_wants_to_be_trusted(roll: Roll) -> None:
    settings = settings_of(roll)
    made = back_up(roll, settings)
    other = settings.model_copy(update={"secret_key": SecretStr(Fernet.generate_key().decode())})

    with pytest.raises(ForeignBackup, match="another secret key"):
        find_backup(other, made.name)

    assert find_backup(other, made.name, may_be_foreign=True) == made
    assert list_backups(other) == []


def test_a_backup_that_is_renamed_is_damaged_and_one_that_is_not_there_is_said_not_to_be(roll: Roll) -> None:
    settings = settings_of(roll)
    made = back_up(roll, settings)
    shutil.copytree(settings.home / "backups" / made.name, settings.home / "backups" / "20270101T000000Z-1")

    with pytest.raises(DamagedBackup):
        find_backup(settings, "20270101T000000Z-1")
    for name in ("20260101T000000Z-9", "../home", "x", ""):
        with pytest.raises(NoSuchBackup):
            find_backup(settings, name)
    assert find_backup(settings, "newest").name == made.name


@pytest.mark.slow
def test_with_a_key_nobody_else_reads_it(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll, backup_key=KEY)
    fill(roll, settings)

    made = back_up(roll, settings)

    assert all(path.read_bytes().startswith(b"PADRON1\n") for path in files_of(settings, made)[:-1])
    for level in (1, 2, 3):
        verify(settings, made, level, beat())
    rotated = settings.model_copy(update={"backup_key": SecretStr(f"{OTHER_KEY},{KEY}")})
    read_all(rotated, made, tmp_path)
    for key in (OTHER_KEY, ""):
        with pytest.raises(WrongBackupKey, match="PADRON_BACKUP_KEY"):
            read_all(settings.model_copy(update={"backup_key": SecretStr(key)}), made, tmp_path)


def test_who_stops_a_backup_leaves_nothing_of_it(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    work = ask_for_backup(roll.engine, asked())

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(roll.engine, work.id, settings, utc_now, stop)

    assert list((settings.home / "backups").iterdir()) == []
    assert list_backups(settings) == []


# ── as jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_makes_and_another_verifies_and_health_knows(store: Roll, settings: Settings) -> None:
    work = ask_for_backup(store.engine, asked())
    assert ask_for_backup(store.engine, asked()).id == work.id
    done = run_job(store.engine, work.id, settings, utc_now)
    assert done is not None
    assert done.state == "done", done
    name = dict(done.result or {})["backup"]

    checked = run_job(
        store.engine, ask_for_verification(store.engine, settings, "newest", 3, asked()).id, settings, utc_now
    )

    assert checked is not None
    assert dict(checked.result or {}) == {"backup": name, "level": 3, "rows": find_backup(settings, name).rows}
    with reading(store.engine) as connection:
        state = state_of_backups(connection)
    assert (state.last_at, state.verified_at, state.problem) == (done.started_at, checked.finished_at, None)


def test_a_failed_verification_says_so_and_health_shows_it(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)
    cut(parquet(settings, made, "contacts"))

    work = run_job(
        roll.engine, ask_for_verification(roll.engine, settings, made.name, 2, asked()).id, settings, utc_now
    )

    assert work is not None
    assert (work.state, "contacts.parquet" in str(work.message_es)) == ("failed", True)
    with reading(roll.engine) as connection:
        problem = state_of_backups(connection).problem
    assert problem is not None
    assert problem.id == work.id


def test_the_schedule_asks_once_for_each_moment_and_not_for_moments_before_the_first_contact(roll: Roll) -> None:
    settings = settings_of(roll, backup_schedule="* * * * *", backup_verify_schedule="", time_zone="America/Lima")
    on_schedule(roll.engine, settings, utc_now())
    roll.import_text("nombre,celular\nAna,3001112233\n")
    on_schedule(roll.engine, settings, utc_now())
    assert roll.rows("SELECT kind FROM jobs") == []

    roll.run("UPDATE contact_changes SET at = at - 3600000000")
    for _ in range(3):
        on_schedule(roll.engine, settings, utc_now())

    assert roll.one("SELECT kind, actor, state FROM jobs") == ("backup", "schedule", "waiting")
    done = run_job(roll.engine, roll.one("SELECT id FROM jobs"), settings, utc_now)
    assert done is not None
    assert done.state == "done"


# ── what a reviewer found ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"format": 1}', "[]", "null", '{"format": 1, "files": [1]}', '{"files": {}, "name": "é"}'],
)
def test_a_manifest_that_is_something_else_breaks_nothing(roll: Roll, text: str) -> None:
    settings = settings_of(roll)
    roll.import_text("nombre,celular\nAna,3001112233\n")
    made = back_up(roll, settings)
    folder = settings.home / "backups"
    (folder / "20270101T000000Z-2").mkdir()
    (folder / "20270101T000000Z-2" / "manifest.json").write_text(text)
    (folder / "20200101T000000Z-99999999999999999999").mkdir()
    rewrite(settings, made, signature="é")
    whole = back_up(roll, settings, "20261129T031500Z-3")

    assert [one.manifest.name for one in list_backups(settings)] == [whole.name]
    with pytest.raises(DamagedBackup):
        find_backup(settings, "20270101T000000Z-2")
    prune(roll.engine, settings, utc_now())


@pytest.mark.parametrize("file", ["../x.parquet", "/etc/passwd", "a/b.parquet", "x.exe", ["x"], None])
def test_a_manifest_names_files_of_its_own_only(roll: Roll, file: object) -> None:
    settings = settings_of(roll)
    made = back_up(roll, settings)
    path = settings.home / "backups" / made.name / "manifest.json"
    said = json.loads(path.read_text())
    said["files"][0]["file"] = file
    path.write_text(json.dumps(said))

    with pytest.raises(DamagedBackup):
        find_backup(settings, made.name, may_be_foreign=True)


@pytest.mark.slow
def test_what_failed_a_verification_is_not_verified_any_more(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)
    note(settings, made, 3, utc_now, beat())
    path = parquet(settings, made, "contacts")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")

    with pytest.raises(DamagedBackup):
        note(settings, made, 1, utc_now, beat())

    path.write_bytes(whole)
    assert [one.verified for one in list_backups(settings)] == [None]


def test_nobody_but_us_says_that_a_backup_was_verified(roll: Roll) -> None:
    settings = settings_of(roll)
    made = back_up(roll, settings)
    note(settings, made, 1, utc_now, beat())
    path = settings.home / "backups" / made.name / "verified.json"
    path.write_text(path.read_text().replace('"level": 1', '"level": 3'))

    assert [one.verified for one in list_backups(settings)] == [None]


@pytest.mark.slow
def test_numbers_with_gaps_are_read_in_parts_of_one_size(roll: Roll) -> None:
    with transaction(roll.engine) as connection:
        for first, last in ((1, 3_000), (1_000_000_000, 1_000_090_000)):
            connection.execute(
                text(
                    "WITH RECURSIVE n(id) AS (SELECT :first UNION ALL SELECT id + 1 FROM n WHERE id < :last) INSERT INTO "
                    "notes (id, contact_id, text, actor, at) SELECT id, 1, 'hola ' || id, 'x', 0 FROM n"
                ),
                {"first": first, "last": last},
            )
    schema = dumps.schema_of(notes)

    with reading(roll.engine) as connection:
        parts = [part.num_rows for part in dumps.parts_of(connection, "notes", schema)]

    assert sum(parts) == 93_001
    assert max(parts) < 60_000


def test_a_database_that_goes_away_while_it_is_read_is_one_sentence(postgres_url: str, tmp_path: Path) -> None:
    engine = open_store(postgres_url)
    roll = Roll(engine, tmp_path)
    roll.import_text("nombre,celular\nAna,3001112233\n")
    settings = settings_of(roll)

    def cut(done: int, total: int) -> None:
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )

    with pytest.raises((ReadingBroke, *UNREACHABLE)):
        create_backup(engine, settings, "20261128T031500Z-1", utc_now, cut)

    assert list((settings.home / "backups").iterdir()) == []
    assert back_up(roll, settings, "20261128T031600Z-1").tables()["contacts"].rows == 1
    engine.dispose()
