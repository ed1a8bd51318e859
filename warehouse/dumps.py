"""Whole tables out of the store, all of one moment, a part at a time."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from sqlalchemy import JSON, Connection, Engine, MetaData, Table, literal, select, text, tuple_

from schemas.errors import InputError
from warehouse import access_tables, bulk, job_tables, segment_tables, webhook_tables  # noqa: F401 (their tables too)
from warehouse.engines import copied, reading
from warehouse.tables import metadata


class NoRoom(InputError):
    """The disk is full."""


_PART_BYTES, _PART_ROWS = 16 << 20, 40_000
_JSON = {b"padron.type": b"json"}


def every_table() -> list[Table]:
    """All tables of this version, by name."""
    return [metadata.tables[name] for name in sorted(metadata.tables)]


def schema_of(table: Table) -> pa.Schema:
    """The Arrow types of a table; JSON is text that says so."""
    schema = bulk.schema_of(table, [column.name for column in table.columns])
    for place, column in enumerate(table.columns):
        if isinstance(column.type, JSON):
            schema = schema.set(place, schema.field(place).with_metadata(_JSON))
    return schema


def json_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if (field.metadata or {}).items() >= _JSON.items()]


Read = Callable[[str, pa.Schema], Iterator[pa.Table]]
"""Reads a table of this name, with these columns, a part at a time."""


@contextmanager
def one_moment(engine: Engine, scratch: Path) -> Iterator[Read]:
    """Reads the store as it is now, however long that takes.

    PostgreSQL is read through ADBC, which gives Arrow for COPY's binary form: psycopg takes each row by itself, and
    other threads of Python with it. SQLite is copied to a file in this folder first: its log would grow as long as
    somebody reads an older state.
    """
    if engine.dialect.name == "postgresql":
        address = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with reading(engine) as connection, adbc.connect(address) as beside:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            with beside.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                cursor.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
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
        yield partial(_by_key, stack.enter_context(reading(copy)))


def parts_of(connection: Connection, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    """All rows of a table; JSON as text. On SQLite they come by primary key, on PostgreSQL as they lie."""
    return _copied(connection, name, schema) if bulk.is_postgresql(connection) else _by_key(connection, name, schema)


def _streamed(beside: Any, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    as_text = set(json_columns(schema))
    columns = ", ".join(f'"{column}"::text' if column in as_text else f'"{column}"' for column in schema.names)
    with beside.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM "{name}"')
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
                yield bulk.read_csv(b"".join(rows), schema)
                rows, size = [], 0
    if rows:
        yield bulk.read_csv(b"".join(rows), schema)


def _by_key(connection: Connection, name: str, schema: pa.Schema) -> Iterator[pa.Table]:
    table = Table(name, MetaData(), autoload_with=connection)
    keys = list(table.primary_key.columns)
    query = select(*(table.c[name] for name in schema.names)).order_by(*keys).limit(_PART_ROWS)
    part = bulk.fetch_rows(connection, query, schema)
    while part.num_rows:
        yield part
        last = [_last(part, key) for key in keys]
        part = bulk.fetch_rows(connection, query.where(tuple_(*keys) > tuple_(*last)), schema)


def _last(part: pa.Table, key: Any) -> Any:
    return literal(part[key.name][-1].as_py(), key.type)
