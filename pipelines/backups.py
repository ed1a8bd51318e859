"""Backups: every table of one moment as Parquet, and a manifest, written last; found, and read back unharmed."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from sqlalchemy import Engine, Table

from connectors.places import Place, open_place
from connectors.scratch import scratch
from connectors.sealing import Damaged, Hashed, NoSuchKey, Sealing, key_id, unseal
from pipelines.digests import Digest
from pipelines.secrets import hash_keys
from schemas.backup_settings import as_backup_keys
from schemas.backups import (
    FORMAT,
    MANIFEST,
    VERIFIED,
    BackupFile,
    Manifest,
    Verified,
    is_genuine,
    is_ours,
    parse_manifest,
    parse_verified,
    render_manifest,
    said_by_name,
    signed,
)
from schemas.errors import InputError
from schemas.settings import Settings
from warehouse import dumps
from warehouse.jobs import Progress
from warehouse.store import current_version, known_versions, newest_version
from warehouse.tables import contacts

_ROW_GROUP, _AT_ONCE, _AHEAD = 120_000, 60_000, 2
_SECONDS = 1.0
NEWEST = "newest"
BACKUP, VERIFICATION = "backup", "verify_backup"
OF_BACKUPS = (BACKUP, VERIFICATION)
"""The kinds of jobs about backups."""


class NoSuchBackup(InputError):
    """There is no backup of this name, or none at all."""


class DamagedBackup(InputError):
    """A file of a backup is missing, cut off or changed."""


class ForeignBackup(InputError):
    """A backup that was signed with another installation's secret key."""


class NewerBackup(InputError):
    """A backup of tables, or of a format, that this program does not know yet."""


class WrongBackupKey(InputError):
    """The key that a backup was encrypted with is not among those of the settings."""


def place_of(settings: Settings) -> Place:
    return open_place(settings.backup_url or str(settings.home.absolute() / "backups"))


# ── making one ───────────────────────────────────────────────────────────────────────────────────────────────────


def create_backup(
    engine: Engine, settings: Settings, name: str, clock: Callable[[], datetime], progress: Progress
) -> Manifest:
    """Write every table as it is at this moment; `progress` counts tables. What it raises leaves no backup."""
    place, keys = place_of(settings), as_backup_keys(settings.backup_key)
    key, beat = (keys[0] if keys else None), Beat(progress, len(dumps.every_table()))
    try:
        with scratch(settings.home) as folder:
            place.folders()  # one that does not answer is said before anything is read
            as_of = clock()
            with dumps.one_moment(engine, folder) as read:
                version, files = _version(engine), []
                for table in dumps.every_table():
                    files.append(_write_table(read, table, place, name, key, beat))
                    beat.next()
                if settings.backup_csv:
                    files.append(_write_csv(read, contacts, place, name, key, beat))
        sealed_with = None if key is None else key_id(key)
        found = Manifest(name, as_of, version, engine.dialect.name, sealed_with, tuple(files))
        found = signed(found, signing_keys(settings)[0])
        beat.last()
        place.put(f"{name}/{MANIFEST}", render_manifest(found))
        return found
    except BaseException:  # also of who stops it: what was written so far is no backup
        drop_backup(place, name)
        raise


def _version(engine: Engine) -> str:
    """That of the tables, which must be this program's: another one may have migrated them meanwhile."""
    version = current_version(engine)
    if version != newest_version():
        raise InputError(
            f"The database has tables of version {version}, and this program {newest_version()}. Restart Padrón.",
            f"La base de datos tiene tablas de la versión {version}, y este programa {newest_version()}. Reinicie "
            "Padrón.",
        )
    return str(version)


def signing_keys(settings: Settings) -> tuple[bytes, ...]:
    return hash_keys(settings, "backups")


class Beat:
    """Tells how many files of how many are done, once a second at most; called between two parts of one."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done, self._told = progress, total, 0, 0.0

    def __call__(self) -> None:
        if time.monotonic() - self._told > _SECONDS:
            self._told = time.monotonic()
            self._progress(min(self._done, self._total), self._total)

    def next(self) -> None:
        self._done += 1
        self()

    def last(self) -> None:
        self._progress(self._total, self._total)


def _write_table(read: dumps.Read, table: Table, place: Place, name: str, key: bytes | None, beat: Beat) -> BackupFile:
    """While a part is read the one before is hashed and compressed."""
    file, digest, schema = f"{table.name}.parquet", Digest(), dumps.schema_of(table)
    with place.writing(f"{name}/{file}") as stream:
        sealing = Sealing(stream, key, f"{name}/{file}")
        with _Groups(sealing, schema) as groups, ThreadPoolExecutor(1) as aside:

            def take(part: pa.Table) -> None:
                part = canonical(part, schema)
                digest.add(part)
                groups.add(part)

            waiting: deque[Future[None]] = deque()
            for part in read(table.name, schema):
                waiting.append(aside.submit(take, part))
                if len(waiting) > _AHEAD:
                    waiting.popleft().result()
                beat()
            for one in waiting:
                one.result()
        sealing.close()
    return BackupFile(file, table.name, digest.rows, str(digest), sealing.size, sealing.sha256)


class _Groups:
    """A Parquet file whose row groups are neither too small nor larger than memory wants."""

    def __init__(self, sink: Any, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(
            sink, schema, compression="zstd", use_dictionary=False, write_page_checksum=True, write_statistics=False
        )
        self._schema, self._parts, self._rows = schema, list[pa.Table](), 0

    def __enter__(self) -> "_Groups":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, part: pa.Table) -> None:
        self._parts.append(part)
        self._rows += part.num_rows
        if self._rows >= _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.concat_tables(self._parts), row_group_size=self._rows)
            self._parts, self._rows = [], 0


def canonical(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """JSON written in one way, as PostgreSQL orders and spaces it in its own."""
    for name in dumps.json_columns(schema):
        column = part[name]
        if column.null_count == len(column):
            continue
        texts = [None if text is None else json.dumps(json.loads(text), sort_keys=True) for text in column.to_pylist()]
        part = part.set_column(part.column_names.index(name), schema.field(name), pa.array(texts, pa.string()))
    return part


def _write_csv(read: dumps.Read, table: Table, place: Place, name: str, key: bytes | None, beat: Beat) -> BackupFile:
    file, rows, schema = f"{table.name}.csv", 0, dumps.schema_of(table)
    with place.writing(f"{name}/{file}") as stream:
        sealing = Sealing(stream, key, f"{name}/{file}")
        with arrow_csv.CSVWriter(sealing, schema) as writer:
            for part in read(table.name, schema):
                writer.write(part)
                rows += part.num_rows
                beat()
        sealing.close()
    return BackupFile(file, table.name, rows, "", sealing.size, sealing.sha256)


def drop_backup(place: Place, name: str) -> None:
    """The manifest first: without it the rest is no backup."""
    place.drop(f"{name}/{MANIFEST}")
    place.drop_folder(name)


# ── finding them ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that lies in the place, and how far it was verified."""

    manifest: Manifest
    verified: Verified | None


def list_backups(settings: Settings) -> list[Backup]:
    """Those of this installation whose manifest can be read, the oldest first."""
    place, keys, found = place_of(settings), signing_keys(settings), []
    for name in names_in(place):
        try:
            manifest = _manifest(place, name)
        except (NoSuchBackup, DamagedBackup, NewerBackup):
            continue
        if is_genuine(manifest, keys):
            found.append(Backup(manifest, parse_verified(place.get(f"{name}/{VERIFIED}"), manifest, keys)))
    return found


def names_in(place: Place) -> list[str]:
    """What is named as backups are, the oldest first, whether it is whole or not."""
    return sorted(name for name in place.folders() if said_by_name(name))


def find_backup(settings: Settings, name: str, *, may_be_foreign: bool = False) -> Manifest:
    """The manifest of a backup, or of the newest; raises what keeps it from being used."""
    place = place_of(settings)
    if name == NEWEST:
        known = list_backups(settings)
        if known:
            return known[-1].manifest
        finished = [one for one in names_in(place) if place.get(f"{one}/{MANIFEST}")]
        if not finished:
            raise NoSuchBackup(f"There is no backup in {place.shown}.", f"No hay ninguna copia en {place.shown}.")
        name = finished[-1]
    manifest, keys = _manifest(place, name), signing_keys(settings)
    if is_genuine(manifest, keys):
        return manifest
    if is_ours(manifest, keys):
        raise damaged(name, MANIFEST)
    if not may_be_foreign:
        raise ForeignBackup(
            f"Backup {name} was signed with another secret key: it is another installation's, or PADRON_SECRET_KEY (or "
            "the file secret.key) is not the one of then. Put that back, or say --foreign if you trust who made it.",
            f"La copia {name} se firmó con otra clave secreta: es de otra instalación, o PADRON_SECRET_KEY (o el "
            "archivo secret.key) no es la de entonces. Póngala, o diga --foreign si confía en quien la hizo.",
        )
    return manifest


def _manifest(place: Place, name: str) -> Manifest:
    content = place.get(f"{name}/{MANIFEST}") if said_by_name(name) else None
    if content is None:
        raise NoSuchBackup(
            f"There is no backup {name} in {place.shown}, or it was not finished. See: padron backup list",
            f"No hay ninguna copia {name} en {place.shown}, o no se terminó. Vea: padron backup list",
        )
    try:
        said = json.loads(content)
        if isinstance(said, dict) and isinstance(said.get("format"), int) and said["format"] > FORMAT:
            raise _newer(name)
        manifest = parse_manifest(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(name, MANIFEST) from error
    if manifest.name != name:
        raise damaged(name, MANIFEST)
    if manifest.schema_version not in known_versions():
        raise _newer(name)
    return manifest


def _newer(name: str) -> NewerBackup:
    return NewerBackup(
        f"Backup {name} was made by a later version of Padrón. Update Padrón.",
        f"La copia {name} la hizo una versión posterior de Padrón. Actualice Padrón.",
    )


def damaged(name: str, file: str) -> DamagedBackup:
    return DamagedBackup(
        f"Backup {name} is damaged: {file} is missing, cut off or changed. Use another one: padron backup list",
        f"La copia {name} está dañada: falta {file}, está cortado o cambiado. Use otra: padron backup list",
    )


# ── reading them ─────────────────────────────────────────────────────────────────────────────────────────────────


def require_key(settings: Settings, manifest: Manifest) -> None:
    """Raise WrongBackupKey where the backup was encrypted with a key that is not ours."""
    if manifest.sealed_with not in (None, *map(key_id, as_backup_keys(settings.backup_key))):
        raise _wrong_key(manifest)


def _wrong_key(manifest: Manifest) -> WrongBackupKey:
    return WrongBackupKey(
        f"Backup {manifest.name} was encrypted with a key that PADRON_BACKUP_KEY does not have.",
        f"La copia {manifest.name} se cifró con una clave que PADRON_BACKUP_KEY no tiene.",
    )


def check_sizes(settings: Settings, manifest: Manifest) -> None:
    """Every file is there, as long as the manifest says; raises DamagedBackup."""
    sizes = place_of(settings).sizes(manifest.name)
    for file in manifest.files:
        if sizes.get(file.file) != file.size_bytes:
            raise damaged(manifest.name, file.file)


def check_files(settings: Settings, manifest: Manifest, beat: Beat) -> None:
    """Every file is as long as the manifest says and has its hash; raises DamagedBackup."""
    place = place_of(settings)
    check_sizes(settings, manifest)
    for file in manifest.files:
        with place.reading(f"{manifest.name}/{file.file}") as stream:
            hashed = Hashed(stream)
            for _ in hashed.rest():
                beat()
        if hashed.sha256 != file.sha256:
            raise damaged(manifest.name, file.file)
        beat.next()


def parts_of_file(settings: Settings, manifest: Manifest, file: BackupFile, folder: Path) -> Iterator[pa.Table]:
    """The rows of a table in a backup; raises DamagedBackup at its end at the latest, or WrongBackupKey."""
    digest = Digest()
    with _opened(settings, manifest, file, folder) as path:
        try:
            with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as source:
                for batch in source.iter_batches(_AT_ONCE, use_threads=False):
                    part = pa.Table.from_batches([batch])
                    digest.add(part)
                    yield part
        except (OSError, pa.ArrowException) as error:
            raise damaged(manifest.name, file.file) from error
    if (digest.rows, str(digest)) != (file.rows, file.digest):
        raise damaged(manifest.name, file.file)


@contextmanager
def _opened(settings: Settings, manifest: Manifest, file: BackupFile, folder: Path) -> Iterator[Path]:
    """The plain file on this machine, whose hash was compared: where it lies, or a copy that goes at the end."""
    place, name = place_of(settings), f"{manifest.name}/{file.file}"
    if place.sizes(manifest.name).get(file.file) != file.size_bytes:
        raise damaged(manifest.name, file.file)
    is_plain = manifest.sealed_with is None
    copy = folder / file.file
    try:
        with copy.open("wb") as target, place.reading(name) as stream:
            hashed = Hashed(stream)
            if not is_plain:
                unseal(hashed, as_backup_keys(settings.backup_key), name, target)
            elif place.is_local:
                deque(hashed.rest(), 0)
            else:
                target.writelines(hashed.rest())
        if hashed.sha256 != file.sha256:
            raise damaged(manifest.name, file.file)
        yield Path(place.path(name)) if is_plain and place.is_local else copy
    except Damaged as error:
        raise damaged(manifest.name, file.file) from error
    except NoSuchKey as error:
        raise _wrong_key(manifest) from error
    finally:
        copy.unlink(missing_ok=True)
