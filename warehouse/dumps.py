"""Whole tables out of the store, all of one moment, a part at a time."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import adbc_driver_postgresql.dbapi as adbc
import adbc_driver_sqlite.dbapi as sqlite_adbc
import pyarrow as pa
from sqlalchemy import JSON, Column, Connection, Engine, Integer, MetaData, Select, Table, func, select, text

from schemas.errors import InputError, TransientError
from warehouse import access_tables, bulk, job_tables, segment_tables, sync_tables, webhook_tables  # noqa: F401 (their tables too)
from warehouse.engines import copied, reading
from warehouse.tables import metadata


class ReadingBroke(TransientError):
    """The database went away while its tables were read."""


class NoRoom(InputError):
    """The disk is full."""


_PART_BYTES, _TEXT_BYTES = 16 << 20, 3 << 20
_ROWS = 65_536
_FIRST_STEP, _MOST_STEP = 2_000, 100_000
Part = TypeVar("Part")
_JSON = {b"padron.type": b"json"}


def every_table() -> list[Table]:
    """All tables of this version, by name."""
    return [metadata.tables[name] for name in sorted(metadata.tables)]


def schema_of(table: Table) -> pa.Schema:
    """The Arrow types of a table, and where nothing is missing; JSON is text that says so."""
    schema = bulk.schema_of(table, [column.name for column in table.columns])
    fields = [field.with_nullable(bool(table.c[field.name].nullable)) for field in schema]
    is_json = [isinstance(table.c[field.name].type, JSON) for field in schema]
    return pa.schema(
        [field.with_metadata(_JSON) if json else field for field, json in zip(fields, is_json, strict=True)]
    )


def json_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if (field.metadata or {}).items() >= _JSON.items()]


Read = Callable[[str, pa.Schema], Iterator[pa.Table]]
"""Reads a table of this name, with these columns, a part at a time."""


@contextmanager
def one_moment(engine: Engine, scratch: Path) -> Iterator[Read]:
    """Reads the store as it is now, however long that takes.

    PostgreSQL is read beside; SQLite is copied to a file in this folder first: its log would grow as long as somebody
    reads an older state.
    """
    if engine.dialect.name == "postgresql":
        with reading(engine) as connection, _beside(engine, connection) as beside:
            yield partial(_streamed, beside)
        return
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(copied(engine, scratch / "copy.db"))
        except sqlite3.OperationalError as error:
            raise NoRoom(
                f"The database cannot be copied to {scratch}, which a backup begins with: {error}. Make room there.",
                f"No se puede copiar la base de datos a {scratch}, que es como empieza una copia: {error}. Haga sitio.",
            ) from error
        yield partial(_scanned, stack.enter_context(sqlite_adbc.connect(copy.url.database)))


Fetch = Callable[[bulk.Query, pa.Schema], pa.Table]
"""The rows of a query, with these columns."""


@contextmanager
def fetching(engine: Engine, connection: Connection) -> Iterator[Fetch]:
    """Fetches many rows of what this connection reads, as fast as the database goes."""
    if not bulk.is_postgresql(connection):
        yield partial(bulk.fetch_rows, connection)
        return
    with _beside(engine, connection) as beside:
        yield lambda query, schema: pa.concat_tables(
            [schema.empty_table(), *_selected(beside, bulk.as_text(connection, query), schema)]
        )


@contextmanager
def _beside(engine: Engine, connection: Connection) -> Iterator[Any]:
    """A second connection to PostgreSQL that reads of the same moment, through ADBC.

    That gives Arrow for COPY's binary form: psycopg takes each row by itself, and other threads of Python with it.
    """
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with adbc.connect(address) as beside:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            with beside.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            yield beside
    except adbc.Error as error:
        said = str(error).splitlines()[0]
        raise ReadingBroke(f"The database broke off: {said}.", f"La base de datos cortó: {said}.") from error


def parts_of(connection: Connection, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """All rows of a table; JSON as text. On SQLite they come by primary key, on PostgreSQL as they lie."""
    return _copied(connection, name, schema) if bulk.is_postgresql(connection) else _by_key(connection, name, schema)


def _streamed(beside: Any, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    as_text = set(json_columns(schema))
    columns = ", ".join(f'"{column}"::text' if column in as_text else f'"{column}"' for column in schema.names)
    yield from _selected(beside, f'SELECT {columns} FROM "{name}"', schema)


def _scanned(beside: Any, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """SQLite has types of values instead of columns: those of the first row are taken, so that one is made up."""
    as_text = set(json_columns(schema))
    columns = ", ".join(f'CAST("{column}" AS TEXT)' if column in as_text else f'"{column}"' for column in schema.names)
    samples = (
        "''" if pa.types.is_string(kind) else "1e0" if pa.types.is_floating(kind) else "1" for kind in schema.types
    )
    sql = f'SELECT {", ".join(samples)} UNION ALL SELECT * FROM (SELECT {columns} FROM "{name}")'
    with beside.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_ROWS)})
        cursor.execute(sql)
        for number, batch in enumerate(cursor.fetch_record_batch()):
            part = pa.Table.from_batches([batch]).rename_columns(schema.names)
            yield part.slice(0 if number else 1).cast(schema)


def _selected(beside: Any, sql: str, schema: pa.Schema) -> Iterator[pa.Table]:
    with beside.cursor() as cursor:
        cursor.execute(sql)
        for batch in cursor.fetch_record_batch():
            yield pa.Table.from_batches([batch]).rename_columns(schema.names).cast(schema)


def _copied(connection: Connection, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """For what only this connection sees. psycopg gives a row at a time, so that a part always ends with one."""
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(name) for name in schema.names)
    rows: list[bytes | memoryview] = []
    size = 0
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {quote(name)} ({names}) TO STDOUT (FORMAT csv)") as copy:  # type: ignore[attr-defined]
        for row in copy:
            rows.append(row)
            size += len(row)
            if size >= _PART_BYTES:
                yield bulk.read_csv(b"".join(rows), schema).cast(schema)
                rows, size = [], 0
    if rows:
        yield bulk.read_csv(b"".join(rows), schema).cast(schema)


def _by_key(connection: Connection, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """By ranges of the first column of the key, where it is a number; a table that has another is small."""
    table = Table(name, MetaData(), autoload_with=connection)
    query, first = select(*(table.c[name] for name in schema.names)), next(iter(table.primary_key.columns))
    is_number = isinstance(first.type, Integer)
    texts = _in_ranges(connection, query, first, schema) if is_number else [bulk.text_of(connection, query, schema)]
    for text_ in ahead(iter(texts)):
        yield bulk.read_sqlite(text_, schema).cast(schema)


def _in_ranges(connection: Connection, query: Select[Any], key: Column[Any], schema: pa.Schema) -> Iterator[bytes]:
    """Each about as long as a part is to be, however many rows a number has."""
    low, step = connection.execute(select(func.min(key))).scalar(), _FIRST_STEP
    while low is not None:
        found = bulk.text_of(connection, query.where(key.between(low, low + step - 1)), schema)
        yield found
        low += step
        if len(found) < _TEXT_BYTES // 4:  # a gap may come: numbers begin where there are some again
            low = connection.execute(select(func.min(key)).where(key >= low)).scalar()
        step = max(1, min(step * 2, step * _TEXT_BYTES // max(len(found), 1), _MOST_STEP))


def ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """While one is worked on the next is made, in a thread of its own."""
    with ThreadPoolExecutor(1, "ahead") as aside:
        following = aside.submit(next, parts, None)
        while (part := following.result()) is not None:
            following = aside.submit(next, parts, None)
            yield part
