"""Whole tables into a new store, which is there once it is whole, or not at all.

On PostgreSQL everything is one transaction; on SQLite it is a file of its own that takes the database's place.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from alembic import command
from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    delete,
    func,
    inspect,
    literal,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from schemas.errors import InputError
from warehouse import bulk, search
from warehouse.access_tables import operator_sessions, operators, seats
from warehouse.engines import check_reachable, open_engine, reading, sorting, transaction
from warehouse.job_tables import jobs
from warehouse.jobs import OPEN
from warehouse.removals import OF_THE_LIVING
from warehouse.segment_tables import interactions, segments
from warehouse.store import alembic_config, current_version, known_versions
from warehouse.sync_tables import connections
from warehouse.tables import batches, contact_changes, contacts, id_ranges, metadata
from warehouse.webhook_tables import webhooks

_HOLD = (contacts, contact_changes, batches, operators, interactions, segments, webhooks)
"""Tables of which none has a row in a store that may be written over."""
_GAP = 1_000_000
_PAUSED = (
    "Paused, as the store was restored: resume it where it is to go on, in this store only.",
    "En pausa, porque la base se restauró: siga solo en la base en que deba seguir.",
)
BY_THEMSELVES = (
    *("contact_values", "contact_tags", "notes", "consents", "interactions", "segment_members", "segment_pins"),
    *("tags", "custom_fields", "roles", "agent_states", "licences"),
)
"""Tables that can be restored alone: nothing of who is off the roll stands in them, and who somebody is does not depend
on them."""
_INDEXES = {
    "postgresql": "SELECT c.relname, pg_get_indexdef(i.indexrelid), t.relname FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT EXISTS "
    "(SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) ORDER BY c.relname",
    "sqlite": "SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name",
}


class StoreNotEmpty(InputError):
    """A store that has something in it is not written over."""


class OtherColumns(InputError):
    """What is to be loaded is not of the tables' version."""


class StoreInUse(InputError):
    """Somebody has the database open whose file is to be replaced."""


def require_empty(url: str) -> None:
    """Raise StoreNotEmpty with what is in a store; a database without tables, or that is not there, is empty."""
    database = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and not Path(database or "").exists():
        return
    engine = open_engine(url)
    try:
        check_reachable(engine)
        with reading(engine) as connection:
            _require_empty(connection)
    except DatabaseError as error:
        if isinstance(error, OperationalError):
            raise
        raise StoreNotEmpty(
            f"{database} is something else than a database of Padrón's. Name an empty one.",
            f"{database} es otra cosa que una base de datos de Padrón. Ponga una vacía.",
        ) from error
    finally:
        engine.dispose()


def _require_empty(connection: Connection) -> None:
    there = set(inspect(connection).get_table_names())
    for table in _HOLD:
        if table.name in there and connection.execute(select(literal(1)).select_from(table).limit(1)).first():
            raise StoreNotEmpty(
                f"The database has {table.name} already, and a restore writes over nothing. Name an empty one in "
                "PADRON_DATABASE_URL (for trials PADRON_SCRATCH_URL).",
                f"La base de datos ya tiene {table.name}, y una restauración no reemplaza nada. Ponga una vacía en "
                "PADRON_DATABASE_URL (para pruebas PADRON_SCRATCH_URL).",
            )


@contextmanager
def new_store(url: str, version: str) -> Iterator[Connection]:
    """A connection to empty tables of a version, which become the store's at the end of the block.

    Raises StoreNotEmpty, StoreInUse. Whatever is raised in the block leaves the store as it was.
    """
    if make_url(url).get_backend_name() == "sqlite":
        with _new_file(url, version) as connection:
            yield connection
        return
    engine = open_engine(url)
    try:
        check_reachable(engine)
        with transaction(engine) as connection:
            bulk.lock_keys(connection)
            _keep_others_out(connection)
            _require_empty(connection)
            _bring_to(connection, current_version(engine), version)
            yield connection
    finally:
        engine.dispose()


def _keep_others_out(connection: Connection) -> None:
    there = set(inspect(connection).get_table_names())
    for table in (*_HOLD, id_ranges):
        if table.name in there:
            connection.execute(text(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE"))


def _bring_to(connection: Connection, current: str | None, version: str) -> None:
    """Tables of this version, whatever there is: tables without rows go back as well as forward."""
    config = alembic_config(connection)
    is_later = current is not None and known_versions().index(current) > known_versions().index(version)
    (command.downgrade if is_later else command.upgrade)(config, version)


@contextmanager
def _new_file(url: str, version: str) -> Iterator[Connection]:
    target = Path(make_url(url).database or "").absolute()
    building = target.with_name(f".{target.name}.restoring")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _one_restore(target):
        _require_unused(url, target)
        _drop_file(building)
        engine = open_engine(f"sqlite:///{building}")
        try:
            with engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-131072"):
                    driver.execute(f"PRAGMA {pragma}")
                with connection.begin():
                    _bring_to(connection, None, version)
                    yield connection
            engine.dispose()
            _require_unused(url, target)
            _put_in_place(building, target)
        finally:
            engine.dispose()
            _drop_file(building)


@contextmanager
def _one_restore(target: Path) -> Iterator[None]:
    """Only one at a time of a database; the kernel lets go of the lock of a process that died."""
    with target.with_name(f"{target.name}.restore-lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreInUse(
                f"Another restore into {target} is under way.", f"Ya hay otra restauración en {target}."
            ) from error
        yield


def _require_unused(url: str, target: Path) -> None:
    """Raise unless there is no such database, or an empty one that nobody has open."""
    if not target.exists():
        return
    require_empty(url)
    if any(target.with_name(f"{target.name}{ending}").exists() for ending in ("-wal", "-shm")):
        raise StoreInUse(
            f"Another process has {target} open. Stop Padrón, and restore again.",
            f"Otro proceso tiene abierta {target}. Detenga Padrón y restaure de nuevo.",
        )


def _put_in_place(building: Path, target: Path) -> None:
    number = os.open(building, os.O_RDONLY)
    os.fsync(number)
    os.close(number)
    os.replace(building, target)
    number = os.open(target.parent, os.O_RDONLY)
    os.fsync(number)
    os.close(number)


def _drop_file(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal", ".lock", ".lock.next"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)


class _Passed(Exception):
    """The end of a store that is not kept."""


@contextmanager
def passing_store(url: str, version: str) -> Iterator[Connection]:
    """As `new_store`, but of which nothing is left at the end."""
    try:
        with new_store(url, version) as connection:
            yield connection
            raise _Passed
    except _Passed:
        return


@contextmanager
def without_indexes(connection: Connection, names: Iterable[str]) -> Iterator[None]:
    """The block loads these tables without their secondary indexes, which are built at its end."""
    wanted = set(names)
    listed = connection.execute(text(_INDEXES[connection.dialect.name])).all()
    found = [(str(name), str(sql)) for name, sql, table in listed if table in wanted]
    quote = connection.dialect.identifier_preparer.quote
    for name, _ in found:
        connection.exec_driver_sql(f"DROP INDEX {quote(name)}")
    yield
    with sorting(connection):
        for _, sql in found:
            connection.exec_driver_sql(sql)


def are_all(connection: Connection, names: set[str]) -> bool:
    """Whether these are the tables of the store's version, beside which others may have theirs in the database."""
    there = set(inspect(connection).get_table_names())
    own = {name for name in there - {"alembic_version"} if not name.startswith(search.OBJECTS)}
    return names <= own and own & set(metadata.tables) <= names


def load_table(connection: Connection, name: str, parts: Iterable[pa.Table]) -> int:
    """Put these rows in place of all that a table has; how many it has then. Raises OtherColumns."""
    table = Table(name, MetaData(), autoload_with=connection)
    connection.execute(table.delete())
    for part in parts:
        if set(part.column_names) != set(table.c.keys()):
            raise OtherColumns(f"Table {name} has other columns.", f"La tabla {name} tiene otras columnas.")
        bulk.insert_rows(connection, table, part)
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def lock_tables(connection: Connection, names: Sequence[str]) -> None:
    """Let nobody else write to these tables, and nobody change who owns a key; held to the end of the transaction."""
    bulk.lock_keys(connection)
    if bulk.is_postgresql(connection):
        for name in sorted(names):
            connection.execute(text(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"))


def number_on(connection: Connection, names: Sequence[str]) -> None:
    """Let new rows of these tables have numbers behind all that there are."""
    for name in names:
        table = metadata.tables[name]
        if "id" in table.c and table.c.id.primary_key:
            highest = connection.execute(select(func.max(table.c.id))).scalar() or 0
            if (short := highest - bulk.last_id(connection, name)) > 0:
                bulk.take_ids(connection, name, short)


def migrate(connection: Connection) -> None:
    """Bring the tables to this program's version."""
    command.upgrade(alembic_config(connection), "head")


def begin_anew(connection: Connection, over: Sequence[str], at: datetime) -> None:
    """What must not go on where it was.

    Sessions end; jobs of kinds that are over too, and nobody works on the others; CRMs are left alone until a person
    says which of two stores goes on with them; new contacts get numbers that nobody had meanwhile.
    """
    for table in (jobs, batches, connections):
        connection.execute(update(table).where(table.c.lease_until.is_not(None)).values(lease_until=None))
    going = update(connections).where(connections.c.state.in_(("active", "approval")))
    connection.execute(going.values(state="paused", message_en=_PAUSED[0], message_es=_PAUSED[1]))
    ended = update(jobs).where(jobs.c.kind.in_(over), jobs.c.state.in_(OPEN))
    connection.execute(ended.values(state="cancelled", finished_at=at))
    for table in (operator_sessions, seats):  # a named seat, which has no lease, stays its operator's
        gone = update(table).where(table.c.ended_at.is_(None), table.c.lease_until.is_not(None))
        connection.execute(gone.values(ended_at=at, end_reason="restored"))
    gap = update(id_ranges).where(id_ranges.c.name == contacts.name)
    connection.execute(gap.values(next_id=id_ranges.c.next_id + _GAP))


def with_rows(connection: Connection, names: Sequence[str]) -> list[str]:
    """Which of these tables have rows."""
    queries = {name: select(literal(1)).select_from(Table(name, MetaData())).limit(1) for name in names}
    return [name for name, query in queries.items() if connection.execute(query).first()]


def drop_ownerless(connection: Connection, names: Sequence[str]) -> None:
    """Let go what these tables have of contacts that are not on the roll (any more)."""
    living = select(contacts.c.id).where(contacts.c.deleted_at.is_(None))
    for name in set(names) & {table.name for table in OF_THE_LIVING}:
        table = metadata.tables[name]
        connection.execute(delete(table).where(table.c.contact_id.not_in(living)))
