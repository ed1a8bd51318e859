"""A backup made into a store again: planned, loaded, compared, and without whoever was erased since."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Connection

from connectors.scratch import scratch
from pipelines.backups import (
    OF_BACKUPS,
    Beat,
    canonical,
    check_files,
    check_sizes,
    damaged,
    find_backup,
    parts_of_file,
    require_key,
    signing_keys,
)
from pipelines.digests import Digest
from pipelines.erased import erased_people
from pipelines.removals import erase_again
from schemas.backups import MANIFEST, BackupFile, Manifest, is_genuine
from schemas.errors import InputError
from schemas.settings import Settings
from schemas.urls import hide_password
from warehouse import audit, dumps, export_files, loads, removals
from warehouse.audit import Asked
from warehouse.engines import overwriting, reading, transaction
from warehouse.store import newest_version, open_store


class NoSuchTable(InputError):
    """A backup has no such table."""


class RestoreDiffers(InputError):
    """What was loaded is not what the backup has."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore would do: the rows of each table, into which database, and who is left out."""

    manifest: Manifest
    target: str
    tables: dict[str, int]
    is_older: bool
    erased: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did; `erased` contacts of the backup are not in the store."""

    name: str
    as_of: datetime
    rows: int
    tables: int
    erased: int


@dataclass(frozen=True, slots=True)
class Wish:
    """Which backup to restore; without tables all of it. `after` is the URL of the store that it replaces."""

    name: str
    tables: Sequence[str] = ()
    may_be_foreign: bool = False
    after: str = ""


def plan_restore(settings: Settings, wish: Wish) -> Plan:
    """Nothing is written; raises what would keep the restore from being done."""
    manifest = find_backup(settings, wish.name, may_be_foreign=wish.may_be_foreign)
    files = _wanted(manifest, wish.tables)
    require_key(settings, manifest)
    check_sizes(settings, manifest)
    if wish.tables:
        _require_same_version(manifest)
        store = open_store(settings.store_url)
        with reading(store) as connection:
            _require_no_rows(connection, wish.tables)
        store.dispose()
    else:
        loads.require_empty(settings.store_url)
    counts = {file.table: file.rows for file in files}
    is_older = manifest.schema_version != newest_version()
    erased = len(erased_people(settings))
    return Plan(manifest, hide_password(settings.store_url), counts, is_older, erased)


def _wanted(manifest: Manifest, names: Sequence[str]) -> list[BackupFile]:
    known = manifest.tables()
    alone = [name for name in loads.BY_THEMSELVES if name in known]
    for name in names:
        if name not in alone:
            listed = ", ".join(alone)
            raise NoSuchTable(
                f"Table {name} is none that is restored by itself. These are: {listed}.",
                f"La tabla {name} no se restaura sola. Estas sí: {listed}.",
            )
    return [file for file in known.values() if not names or file.table in names]


def _require_same_version(manifest: Manifest) -> None:
    if manifest.schema_version != newest_version():
        raise InputError(
            f"Backup {manifest.name} is of an older version of the tables: restore all of it into an empty database.",
            f"La copia {manifest.name} es de una versión anterior de las tablas: restáurela entera en una base vacía.",
        )


def restore_backup(settings: Settings, wish: Wish, asked: Asked, beat: Beat) -> Restored:
    """Make the store what it was: into an empty one, or some tables that have no rows. All of it or nothing."""
    manifest = find_backup(settings, wish.name, may_be_foreign=wish.may_be_foreign)
    require_key(settings, manifest)
    if wish.tables:
        return _restore_tables(settings, manifest, wish.tables, asked, beat)
    files, noted, is_ours = _wanted(manifest, ()), erased_people(settings), is_genuine(manifest, signing_keys(settings))
    refused = _refused_since(wish.after)
    with scratch(settings.home) as folder, loads.new_store(settings.store_url, manifest.schema_version) as connection:
        _load(connection, settings, manifest, files, folder, beat)
        loads.migrate(connection)
        with overwriting(connection):
            erased = erase_again(connection, settings, noted, asked, by_number=is_ours)
        removals.keep_addresses(connection, refused, asked.at)
        loads.begin_anew(connection, OF_BACKUPS, asked.at)
        export_files.drop_exports(connection)
        _note(connection, manifest, (), asked)
    return Restored(manifest.name, manifest.as_of, sum(file.rows for file in files), len(files), erased)


def _refused_since(url: str) -> set[tuple[str, str, str]]:
    """Who may not be written to, as the store that is replaced knows it; nobody where there is none."""
    if not url:
        return set()
    store = open_store(url)
    try:
        with reading(store) as connection:
            return removals.all_refused(connection)
    finally:
        store.dispose()


def _restore_tables(settings: Settings, manifest: Manifest, names: Sequence[str], asked: Asked, beat: Beat) -> Restored:
    """Into the store as it is, whose tables of these names have no rows."""
    files = _wanted(manifest, names)
    _require_same_version(manifest)
    store = open_store(settings.store_url)
    try:
        noted = erased_people(settings)
        with scratch(settings.home) as folder, transaction(store) as connection:
            loads.lock_tables(connection, names)
            _require_no_rows(connection, names)
            _load(connection, settings, manifest, files, folder, beat)
            loads.drop_ownerless(connection, names)
            loads.number_on(connection, names)
            erased = erase_again(connection, settings, noted, asked, by_number=False)
            _note(connection, manifest, names, asked)
    finally:
        store.dispose()
    return Restored(manifest.name, manifest.as_of, sum(file.rows for file in files), len(files), erased)


def _require_no_rows(connection: Connection, names: Sequence[str]) -> None:
    if full := loads.with_rows(connection, names):
        listed = ", ".join(full)
        raise loads.StoreNotEmpty(
            f"There are rows in {listed} already, and a restore writes over nothing.",
            f"Ya hay filas en {listed}, y una restauración no reemplaza nada.",
        )


def _note(connection: Connection, manifest: Manifest, names: Sequence[str], asked: Asked) -> None:
    said = {"as_of": manifest.as_of.isoformat(), "tables": list(names) or "all"}
    audit.add_entry(connection, asked, "backups:restore", f"backup:{manifest.name}", None, said)


def _load(
    connection: Connection,
    settings: Settings,
    manifest: Manifest,
    files: Sequence[BackupFile],
    folder: Path,
    beat: Beat,
) -> dict[str, pa.Schema]:
    """The columns of each table that has rows. While a part is loaded the next is read, and its digest taken."""
    schemas: dict[str, pa.Schema] = {}

    def read(file: BackupFile) -> Iterator[pa.Table]:
        for part in dumps.ahead(parts_of_file(settings, manifest, file, folder)):
            schemas[file.table] = part.schema
            yield part
            beat()

    if not loads.are_all(connection, set(manifest.tables())):
        raise damaged(manifest.name, MANIFEST)
    with loads.without_indexes(connection, [file.table for file in files]):
        for file in files:
            try:
                count = loads.load_table(connection, file.table, read(file))
            except loads.OtherColumns as error:
                raise damaged(manifest.name, file.file) from error
            if count != file.rows:
                raise _differs(manifest, file.table)
            beat.next()
    return schemas


def _differs(manifest: Manifest, table: str) -> RestoreDiffers:
    return RestoreDiffers(
        f"What was restored of {table} is not what backup {manifest.name} has. Nothing was kept of it; please report.",
        f"Lo restaurado de {table} no es lo que tiene la copia {manifest.name}. No se guardó nada; por favor, avise.",
    )


# ── verifying ────────────────────────────────────────────────────────────────────────────────────────────────────


def verify(settings: Settings, manifest: Manifest, level: int, beat: Beat) -> None:
    """Raise what is wrong with a backup, looked at as far as a level says (`schemas.backups.LEVELS`)."""
    require_key(settings, manifest)
    if level == 1:
        check_files(settings, manifest, beat)
        return
    with scratch(settings.home) as folder:
        if level == 2:
            for file in manifest.tables().values():
                for _ in parts_of_file(settings, manifest, file, folder):
                    beat()
                beat.next()
            check_files(settings, manifest, beat)
            return
        _restore_and_compare(settings, manifest, folder, beat)


def _restore_and_compare(settings: Settings, manifest: Manifest, folder: Path, beat: Beat) -> None:
    """Into a database that nobody else has; its tables must add up to what the manifest says."""
    url = settings.scratch_url or f"sqlite:///{folder / 'trial.db'}"
    with loads.passing_store(url, manifest.schema_version) as connection:
        schemas = _load(connection, settings, manifest, _wanted(manifest, ()), folder, beat)
        for file in manifest.tables().values():
            digest, schema = Digest(), schemas.get(file.table)
            for part in dumps.parts_of(connection, file.table, schema) if schema else ():
                digest.add(canonical(part, schema))
                beat()
            if (digest.rows, str(digest)) != (file.rows, file.digest):
                raise _differs(manifest, file.table)
            beat.next()
