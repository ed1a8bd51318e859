"""Restores: the store as it was, on either database, all of it or nothing, and without who was erased since."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as fs
import pyarrow.parquet as pq
import pytest
from cryptography.fernet import Fernet
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from sqlalchemy import Engine, Table, text

from connectors.places import PlaceFails
from connectors.sealing import Sealing
from pipelines.backups import Beat, DamagedBackup, ForeignBackup, find_backup, place_of, signing_keys
from pipelines.consents import ConsentForm, set_consent
from pipelines.contact_restores import find_past_contact, restore_past_contact
from pipelines.contacts import find_contact
from pipelines.digests import Digest
from pipelines.edits import ContactForm, block_contact, create_contact, edit_contact
from pipelines.interactions import Told, take_interactions
from pipelines.jobs import run_job
from pipelines.removals import ask_for_erasure, delete_contact, readmit
from pipelines.restores import NoSuchTable, Wish, plan_restore, restore_backup, verify
from pipelines.secrets import WrongKey
from schemas.backups import BackupFile, Manifest, render_manifest, signed
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.backing import asked, back_up, beat, content, fill, settings_of
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops
from warehouse import search, sync_tables
from warehouse.contact_details import NoSuchContact
from warehouse.engines import reading, transaction
from warehouse.loads import StoreInUse, StoreNotEmpty
from warehouse.store import newest_version, open_store

ANEW = ("audit", "id_ranges", "jobs", "operator_sessions", "exports")
"""Tables that a restore itself changes."""


@pytest.fixture
def settings(store: Roll) -> Settings:
    found = settings_of(store)
    fill(store, found)
    return found


def bucket_of(server: ThreadedMotoServer) -> str:
    """The URL of a folder in a new bucket of this server."""
    host, port = server.get_host_and_port()
    query = f"endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    files, _ = fs.FileSystem.from_uri(f"s3://key:secret@padron?{query}&allow_bucket_creation=true")
    files.create_dir("padron")
    return f"s3://key:secret@padron/backups?{query}"


@pytest.fixture
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield bucket_of(server)
    server.stop()


@pytest.fixture
def into(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that has nothing, not even tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'other' / 'padron.db'}"
        return
    server, databases = request.getfixturevalue("postgres"), request.getfixturevalue("databases")
    name = f"t{uuid.uuid4().hex[:12]}"
    databases.execute(f"CREATE DATABASE {name}")
    yield server.replace("postgresql://", "postgresql+psycopg://").rsplit("/", 1)[0] + f"/{name}"
    databases.execute(f"DROP DATABASE {name} WITH (FORCE)")


EITHER = pytest.mark.parametrize("into", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)


def to(settings: Settings, url: str, **values: Any) -> Settings:
    return settings.model_copy(update={"database_url": url, **values})


def restored(settings: Settings, name: str = "newest", **wish: Any) -> Engine:
    restore_backup(settings, Wish(name, **wish), asked(), beat())
    return open_store(settings.store_url)


@EITHER
def test_everything_is_as_it_was_on_either_database(store: Roll, settings: Settings, into: str) -> None:
    before = content(store.engine, *ANEW)
    made = back_up(store, settings)

    engine = restored(to(settings, into))

    assert content(engine, *ANEW) == before
    roll = Roll(engine, store.folder)
    assert roll.one("SELECT count(*) FROM audit WHERE action = 'backups:restore'") == 1
    assert roll.one("SELECT object FROM audit ORDER BY id DESC LIMIT 1") == f"backup:{made.name}"
    again = back_up(roll, to(settings, into), "20261129T031500Z-9").tables()
    assert {name: file.digest for name, file in again.items() if name not in ANEW} == {
        name: file.digest for name, file in made.tables().items() if name not in ANEW
    }
    engine.dispose()


@EITHER
def test_a_restored_store_works_on(store: Roll, settings: Settings, into: str) -> None:
    back_up(store, settings)
    store.use_up_ids(50)  # numbers that others had since

    engine = restored(to(settings, into))

    roll = Roll(engine, store.folder)
    roll.imports = 100
    assert roll.import_text("nombre,celular\nAna N,3109876501\nNueva,3205556677\n").created == 1
    assert roll.one("SELECT min(id) FROM contacts WHERE phone = '+573205556677'") > 1_000_000
    search.catch_up(engine)
    with reading(engine) as connection:
        indexes = text("SELECT count(*) FROM sqlite_master WHERE type = 'index' AND name LIKE 'ix_%'")
        if engine.dialect.name == "postgresql":
            indexes = text("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'ix_%' AND schemaname = 'public'")
        there = connection.execute(indexes).scalar_one()
    fresh = open_store(f"sqlite:///{store.folder / 'fresh.db'}")
    assert there >= Roll(fresh, store.folder).one("SELECT count(*) FROM sqlite_master WHERE name LIKE 'ix_%'")
    fresh.dispose()
    engine.dispose()


def test_a_store_with_something_in_it_is_not_written_over(store: Roll, settings: Settings) -> None:
    before = content(store.engine)
    back_up(store, settings)

    for attempt in (plan_restore, lambda *given: restore_backup(*given, asked(), beat())):
        with pytest.raises(StoreNotEmpty, match="PADRON_DATABASE_URL"):
            attempt(settings, Wish("newest"))

    assert content(store.engine) == before


def test_a_plan_says_what_would_be_done_and_does_nothing(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)
    other = to(settings, f"sqlite:///{tmp_path / 'other' / 'padron.db'}")

    plan = plan_restore(other, Wish(made.name))

    assert (plan.manifest, plan.is_older, plan.erased) == (made, False, 0)
    assert plan.tables["contacts"] == 4
    assert not (tmp_path / "other").exists()
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreNotEmpty, match="something else"):
        plan_restore(to(settings, f"sqlite:///{tmp_path / 'letter.txt'}"), Wish(made.name))


def test_a_database_that_somebody_has_open_is_not_replaced(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    other = to(settings, f"sqlite:///{tmp_path / 'padron2.db'}")
    somebody = open_store(other.store_url)
    with reading(somebody) as connection:
        connection.execute(text("SELECT count(*) FROM contacts"))

        with pytest.raises(StoreInUse, match="Stop Padrón"):
            restore_backup(other, Wish("newest"), asked(), beat())

    somebody.dispose()
    engine = restored(other)
    assert len(Roll(engine, tmp_path).living()) == 4
    engine.dispose()
    assert not [path for path in tmp_path.iterdir() if "restoring" in path.name]


@EITHER
def test_a_damaged_backup_leaves_the_database_as_it_was(store: Roll, settings: Settings, into: str) -> None:
    made = back_up(store, settings)
    path = settings.home / "backups" / made.name / "webhooks.parquet"  # the last one
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")

    with pytest.raises(DamagedBackup, match="webhooks"):
        restore_backup(to(settings, into), Wish("newest"), asked(), beat())

    path.write_bytes(whole)
    engine = restored(to(settings, into))
    assert content(engine, *ANEW) == content(store.engine, *ANEW)
    engine.dispose()


# ── erased since ─────────────────────────────────────────────────────────────────────────────────────────────────


def erase(engine: Engine, settings: Settings, number: int) -> None:
    done = run_job(engine, ask_for_erasure(engine, number, asked()).id, settings, utc_now)
    assert done is not None
    assert done.state == "done", done


def came(engine: Engine, settings: Settings, content: str) -> tuple[int, int]:
    """How many were created and rejected of a file that is dropped."""
    drop_text(settings.home / "drop" / "incoming", "luego.csv", content)
    number = import_drops(engine, settings)[0]
    found: tuple[int, int] = Roll(engine, settings.home).one(
        "SELECT created, rejected FROM batches WHERE id = :id", id=number
    )
    return found


def number_of(store: Roll, phone: str) -> int:
    return int(store.one("SELECT id FROM contacts WHERE phone = :phone AND deleted_at IS NULL", phone=phone))


@EITHER
def test_who_was_erased_since_does_not_come_back(store: Roll, settings: Settings, into: str) -> None:
    ana = number_of(store, "+573109876501")
    back_up(store, settings)
    erase(store.engine, settings, ana)
    store.engine.dispose()

    plan = plan_restore(to(settings, into), Wish("newest"))
    engine = restored(to(settings, into))

    assert plan.erased == 1
    found = json.dumps(content(engine), ensure_ascii=False).lower()
    for trace in ("núñez", "3109876501", "ana.nunez", "llamó por la tarde"):
        assert trace not in found, trace
    assert "eva@example.org" in found
    assert came(engine, to(settings, into), "nombre;celular\nAna;3109876501\n") == (0, 1)
    beside = next((settings.home / "backups" / "erased").iterdir()).read_text()
    assert "3109876501" not in beside
    engine.dispose()


@pytest.mark.slow
def test_who_had_another_number_then_is_known_by_a_key(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    delete_contact(roll.engine, number_of(roll, "+573109876501"), asked())
    roll.import_text("nombre,celular\nAna otra vez,3109876501\n")
    erase(roll.engine, settings, number_of(roll, "+573109876501"))

    engine = restored(to(settings, f"sqlite:///{tmp_path / 'other.db'}"))

    assert "núñez" not in json.dumps(content(engine), ensure_ascii=False).lower()
    engine.dispose()


def test_who_was_readmitted_may_come_but_what_the_backup_has_of_them_stays_erased(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    erase(roll.engine, settings, number_of(roll, "+573109876501"))
    readmit(roll.engine, settings, "3109876501", asked())

    engine = restored(to(settings, f"sqlite:///{tmp_path / 'other.db'}"))

    assert "núñez" not in json.dumps(content(engine), ensure_ascii=False).lower()
    assert came(engine, settings, "nombre;celular\nAna;3109876501\n") == (1, 0)
    engine.dispose()


def test_with_another_secret_nobody_can_tell_who_was_erased_and_nothing_is_restored(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    erase(roll.engine, settings, number_of(roll, "+573109876501"))
    other = to(settings, f"sqlite:///{tmp_path / 'other.db'}", secret_key=SecretStr(Fernet.generate_key().decode()))

    with pytest.raises(WrongKey, match="secret key is not the one"):
        restore_backup(other, Wish("20261128T031500Z-1", may_be_foreign=True), asked(), beat())

    assert not (tmp_path / "other.db").exists() or (tmp_path / "other.db").stat().st_size == 0


# ── some tables ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_table_that_lost_its_rows_gets_them_back_but_for_who_is_gone(store: Roll, settings: Settings) -> None:
    back_up(store, settings)
    before = content(store.engine)
    ana, eva = number_of(store, "+573109876501"), number_of(store, "+573004445566")
    store.run("DELETE FROM interactions")
    store.run("DELETE FROM notes")
    erase(store.engine, settings, ana)

    wish = Wish("newest", ("interactions", "notes"))
    assert set(plan_restore(settings, wish).tables) == {"interactions", "notes"}
    restore_backup(settings, wish, asked(), beat())

    after = content(store.engine)
    kept = [row for row in before["interactions"] if f", {ana}, " not in row.split("datetime")[0]]
    assert after["interactions"] == kept
    assert any(f", {eva}, " in row for row in kept)
    assert after["notes"] == []
    with pytest.raises(StoreNotEmpty, match="interactions"):
        restore_backup(settings, wish, asked(), beat())
    for name in ("tagz", "contact_changes", "contacts", "batches", "audit", "alembic_version"):
        with pytest.raises(NoSuchTable, match="contact_tags"):
            plan_restore(settings, Wish("newest", (name,)))
    with pytest.raises(StoreNotEmpty, match="interactions"):
        plan_restore(settings, wish)
    told = Told("later", "sent", utc_now(), contact=eva)
    take_interactions(store.engine, settings, "chat", [told], asked())  # with a number that is free


# ── of an older version ──────────────────────────────────────────────────────────────────────────────────────────


_OF_SYNC = {table.name for table in vars(sync_tables).values() if isinstance(table, Table)}


def as_of_version(settings: Settings, made: Manifest, version: str) -> Manifest:
    """The backup as a program of before migration 0014 would have made it."""
    folder, files = settings.home / "backups" / made.name, []
    for file in made.files:
        path, rows = folder / file.file, pq.read_table(folder / file.file)
        path.unlink()
        if file.table == "exports" or file.table in _OF_SYNC:
            continue
        if file.table == "contacts":
            rows = rows.drop_columns(["last_sent_at", "last_received_at"])
        files.append(_rewritten(path, file, rows))
    older = signed(replace(made, schema_version=version, files=tuple(files)), signing_keys(settings)[0])
    (folder / "manifest.json").write_bytes(render_manifest(older))
    return older


def _rewritten(path: Path, file: BackupFile, rows: pa.Table) -> BackupFile:
    digest = Digest()
    digest.add(rows)
    with path.open("wb") as stream:
        sealing = Sealing(stream, None, "")
        pq.write_table(rows, sealing, write_page_checksum=True)
    return replace(file, digest=str(digest), sha256=sealing.sha256, size_bytes=sealing.size)


@EITHER
def test_a_backup_of_an_older_version_is_migrated_on_the_way(store: Roll, settings: Settings, into: str) -> None:
    before = content(store.engine, *ANEW)
    older = as_of_version(settings, back_up(store, settings), "0013")

    assert plan_restore(to(settings, into), Wish(older.name)).is_older
    engine = restored(to(settings, into))

    after = content(engine, *ANEW)
    assert {**after, **{name: before[name] for name in _OF_SYNC}} == before, "also the last messages, not there then"
    engine.dispose()


@pytest.mark.slow
def test_an_empty_store_of_this_version_goes_back_and_forth_too(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    older = as_of_version(settings, back_up(roll, settings), "0013")
    other = to(settings, f"sqlite:///{tmp_path / 'other.db'}")
    open_store(other.store_url).dispose()

    engine = restored(other, older.name)

    assert content(engine, *ANEW, *_OF_SYNC) == content(roll.engine, *ANEW, *_OF_SYNC)
    engine.dispose()


def test_a_kept_backup_of_each_version_can_be_restored(tmp_path: Path) -> None:
    """Made by the program of then; a new version of the tables adds one."""
    kept = Path(__file__).parents[1] / "data" / "backups"
    names = sorted(path.name for path in kept.iterdir() if path.name.startswith("2"))
    settings = Settings(home=tmp_path / "home", backup_url=str(tmp_path / "kept"), default_country="CO")
    shutil.copytree(kept, tmp_path / "kept")
    versions = set()

    for name in names:
        manifest = find_backup(settings, name, may_be_foreign=True)
        versions.add(manifest.schema_version)
        engine = restored(to(settings, f"sqlite:///{tmp_path / name}.db"), name, may_be_foreign=True)
        assert len(Roll(engine, tmp_path).living()) == 4
        engine.dispose()

    assert newest_version() in versions, "make one: see the head of tests/data/backups/README.md"


@pytest.mark.slow
def test_an_edit_after_a_restore_is_in_the_history(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    other = to(settings, f"sqlite:///{tmp_path / 'other.db'}")
    engine = restored(other)

    edit_contact(engine, other, 1, ContactForm({"city": "Ica"}), asked())

    with transaction(engine) as connection:
        ids = connection.execute(text("SELECT id FROM contact_changes")).scalars().all()
    assert len(ids) == len(set(ids))
    engine.dispose()


# ── object storage ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("key", ["", "A" * 42 + "A="])
def test_a_backup_in_object_storage_is_verified_and_restored_and_a_lost_one_is_not(
    roll: Roll, s3: str, tmp_path: Path, key: str
) -> None:
    settings = settings_of(roll, backup_url=s3, backup_key=key)
    fill(roll, settings)
    made = back_up(roll, settings)

    for level in (1, 2, 3):
        verify(settings, made, level, beat())
    engine = restored(to(settings, f"sqlite:///{tmp_path / 'other.db'}"))
    assert content(engine, *ANEW) == content(roll.engine, *ANEW)
    engine.dispose()
    assert not (settings.home / "backups").exists()
    place_of(settings).drop(f"{made.name}/notes.parquet")
    for level in (1, 2, 3):
        with pytest.raises(DamagedBackup, match="notes"):
            verify(settings, made, level, beat())


@pytest.mark.slow
def test_a_bucket_that_goes_away_is_said_to_fail_and_the_store_is_untouched(roll: Roll, tmp_path: Path) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    settings = settings_of(roll, backup_url=bucket_of(server))
    fill(roll, settings)
    back_up(roll, settings)
    before = content(roll.engine)
    server.stop()

    for attempt in (
        lambda: back_up(roll, settings, "20261129T031500Z-2"),
        lambda: restored(to(settings, f"sqlite:///{tmp_path / 'other.db'}"), "20261128T031500Z-1"),
    ):
        with pytest.raises(PlaceFails, match="fails"):
            attempt()

    assert content(roll.engine) == before
    assert not (tmp_path / "other.db").exists()


# ── one contact ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_contact_is_edited_back_to_what_a_backup_has(store: Roll, settings: Settings) -> None:
    before = find_contact(store.engine, 1)
    back_up(store, settings)
    form = ContactForm(
        {"city": "Ica", "phone": "+573201110000", "display_name": "Otra"},
        {"plan": None, "puntos": 8, "socio": False, "renovacion": "2030-01-02"},
        tags=["x"],
    )
    edit_contact(store.engine, settings, 1, form, asked())
    block_contact(store.engine, 1, "insulta", asked())

    past = find_past_contact(store.engine, settings, Wish("newest"), 1)
    assert restore_past_contact(store.engine, settings, past, asked()) == 1

    after = find_contact(store.engine, 1)
    assert past.changes["city"] == ("Ica", before.contact["city"])
    assert set(past.changes) >= {"phone", "display_name", "plan", "puntos", "socio", "renovacion", "tags"}
    assert (after.custom, after.tags) == (before.custom, before.tags)
    names = ("display_name", "first_name", "phone", "phone_match", "email", "city", "channel")
    assert [after.contact[name] for name in names] == [before.contact[name] for name in names]
    assert after.contact["status"] == "blocked"
    assert find_past_contact(store.engine, settings, Wish("newest"), 1).changes == {}


def test_a_deleted_contact_is_made_anew_and_an_erased_one_is_not(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    delete_contact(roll.engine, 3, asked())
    erase(roll.engine, settings, 1)

    past = find_past_contact(roll.engine, settings, Wish("newest"), 3)
    number = restore_past_contact(roll.engine, settings, past, asked())

    assert (past.is_gone, number > 4) == (True, True)
    assert roll.one("SELECT email FROM contacts WHERE id = :id", id=number) == "luis@example.org"
    for gone in (1, 99):
        with pytest.raises(NoSuchContact, match="erased since"):
            find_past_contact(roll.engine, settings, Wish("newest"), gone)


# ── what a reviewer found ────────────────────────────────────────────────────────────────────────────────────────


def test_two_restores_into_one_database_take_no_turns(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    other = to(settings, f"sqlite:///{tmp_path / 'other.db'}")
    refused: list[str] = []

    def again(done: int, total: int) -> None:
        if not refused:
            with pytest.raises(StoreInUse, match="under way") as found:
                restore_backup(other, Wish("newest"), asked(), beat())
            refused.append(str(found.value))

    restore_backup(other, Wish("newest"), asked(), Beat(again, 1))

    engine = open_store(other.store_url)
    assert refused
    assert content(engine, *ANEW) == content(roll.engine, *ANEW)
    engine.dispose()


@pytest.mark.slow
def test_who_was_deleted_before_the_backup_and_erased_after_leaves_no_history(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    edit_contact(roll.engine, settings, 1, ContactForm({"email": "ana.vieja@example.org"}), asked())
    delete_contact(roll.engine, 1, asked())
    back_up(roll, settings)
    erase(roll.engine, settings, 1)

    engine = restored(to(settings, f"sqlite:///{tmp_path / 'other.db'}"))

    found = json.dumps(content(engine), ensure_ascii=False).lower()
    for trace in ("núñez", "ana.nunez", "ana.vieja", "llamó por la tarde"):
        assert trace not in found, trace
    engine.dispose()


@pytest.mark.slow
def test_an_erasure_reaches_backups_that_lie_elsewhere(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    usb = settings.model_copy(update={"backup_url": str(tmp_path / "usb")})
    back_up(roll, usb)
    erase(roll.engine, settings, 1)

    engine = restored(to(usb, f"sqlite:///{tmp_path / 'other.db'}"))

    assert "núñez" not in json.dumps(content(engine), ensure_ascii=False).lower()
    engine.dispose()


@pytest.mark.slow
def test_who_was_erased_readmitted_and_erased_again_stays_away(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    erase(roll.engine, settings, 1)
    readmit(roll.engine, settings, "3109876501", asked())
    number = create_contact(roll.engine, settings, ContactForm({"phone": "+573109876501"}), asked())
    erase(roll.engine, settings, number)

    engine = restored(to(settings, f"sqlite:///{tmp_path / 'other.db'}"))

    with pytest.raises(WrongField, match="erased"):
        create_contact(engine, settings, ContactForm({"phone": "+573109876501"}), asked())
    engine.dispose()


@pytest.mark.slow
def test_in_a_backup_of_another_installation_numbers_are_others(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)
    mine = Settings(home=tmp_path / "mine", default_country="CO")
    own = Roll(open_store(mine.store_url), tmp_path)
    own.imports = 400
    own.import_text("nombre,celular\nOtro,3201110000\nOtra,3202220000\n")
    erase(own.engine, mine, 2)
    own.engine.dispose()
    other = to(mine, f"sqlite:///{tmp_path / 'other.db'}", backup_url=str(settings.home / "backups"))

    found = restore_backup(other, Wish(made.name, may_be_foreign=True), asked(), beat())

    assert found.erased == 0
    with pytest.raises(ForeignBackup):
        find_past_contact(own.engine, other, Wish(made.name, may_be_foreign=True), 2)


def test_a_note_of_an_erased_person_that_somebody_changed_stops_the_restore(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    back_up(roll, settings)
    erase(roll.engine, settings, 1)
    [note] = (settings.home / "erased").iterdir()
    whole = note.read_text()

    for changed in (whole[:-3], "", whole.replace('"contact_id": 1', '"contact_id": 2'), "[]"):
        note.write_text(changed)
        with pytest.raises(WrongKey, match=note.name):
            restore_backup(to(settings, f"sqlite:///{tmp_path / 'other.db'}"), Wish("newest"), asked(), beat())


def test_a_field_that_has_another_type_since_goes_back_as_text_or_says_why_not(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    edit_contact(roll.engine, settings, 3, ContactForm({}, {"plan": "7"}), asked())
    back_up(roll, settings)
    for key in ("plan", "socio"):
        roll.run(f"DELETE FROM contact_values WHERE field_id = (SELECT id FROM custom_fields WHERE key = '{key}')")
    roll.run("UPDATE custom_fields SET type = 'number' WHERE key = 'plan'")
    roll.run("UPDATE custom_fields SET type = 'text' WHERE key = 'socio'")

    past = find_past_contact(roll.engine, settings, Wish("newest"), 3)
    restore_past_contact(roll.engine, settings, past, asked())
    with pytest.raises(WrongField, match="plan|number"):
        secret = find_past_contact(roll.engine, settings, Wish("newest"), 1)
        restore_past_contact(roll.engine, settings, secret, asked())

    assert find_contact(roll.engine, 3).custom["plan"] == 7
    assert secret.form.custom["socio"] == "sí"


def test_tables_that_the_version_does_not_have_are_refused(roll: Roll, tmp_path: Path) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    made = back_up(roll, settings)
    swapped = {"contacts": "notes", "notes": "contacts", "roles": "alembic_version", "tags": "nothing"}
    folder = settings.home / "backups" / made.name
    for name in ("roles", "tags", "contacts"):
        files = [replace(file, table=swapped[file.table]) if file.table == name else file for file in made.files]
        if name == "contacts":
            files = [replace(file, table=swapped.get(file.table, file.table)) for file in made.files]
            files = [
                replace(f, table=f.file.split(".")[0]) if f.table in ("alembic_version", "nothing") else f
                for f in files
            ]
        bad = signed(replace(made, files=tuple(files)), signing_keys(settings)[0])
        (folder / "manifest.json").write_bytes(render_manifest(bad))
        with pytest.raises(DamagedBackup):
            restore_backup(to(settings, f"sqlite:///{tmp_path / 'other.db'}"), Wish(made.name), asked(), beat())
    assert not (tmp_path / "other.db").exists()


def test_opt_outs_and_blocks_of_the_store_that_is_replaced_are_kept(
    store: Roll, settings: Settings, tmp_path: Path
) -> None:
    back_up(store, settings)
    set_consent(store.engine, 1, ConsentForm("whatsapp", "out", "por teléfono"), asked())
    block_contact(store.engine, 3, "insulta", asked())
    store.imports = 60
    store.import_text("nombre,correo,baja\nNueva,nueva@example.org,sí\n")
    other = to(settings, f"sqlite:///{tmp_path / 'other.db'}")

    restore_backup(other, Wish("newest", after=settings.store_url), asked(), beat())

    engine = open_store(other.store_url)
    found = {number: find_contact(engine, number).opted_out for number in (1, 2, 3)}
    assert "whatsapp" in found[1]
    assert "all" in found[3] or "email" in found[3]
    kept = Roll(engine, tmp_path).rows("SELECT value, channel FROM opted_out_addresses")
    assert ("nueva@example.org", "email") in kept or ("nueva@example.org", "all") in kept
    engine.dispose()
