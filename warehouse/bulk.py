"""Arrow tables into and out of SQL, as fast as each database goes. The one place where the databases differ.

PostgreSQL moves CSV through COPY; SQLite binds tuples. Both keep null and empty text apart.
"""

import io
import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    any_,
    bindparam,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.selectable import CompoundSelect

from warehouse.engines import REHEARSAL
from warehouse.tables import UtcTime, id_ranges

STAMP = pa.timestamp("us", "UTC")
_CHUNK = 16_384
_MOST_ROWS, _MOST_MARKS = 200, 1_000
_ROLL_LOCK = 7_201_963
_REHEARSED = {"custom_fields": 20_000}
"""Where a rehearsal's ids begin, so that nobody else's are in its way; elsewhere at 2^52."""
Query = Select[Any] | CompoundSelect[Any]


def is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def lock_keys(connection: Connection) -> None:
    """Take turns at changing who owns which key; held to the end of the transaction (SQLite writers do anyway)."""
    if is_postgresql(connection) and REHEARSAL not in connection.info:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ROLL_LOCK})


def take_ids(connection: Connection, name: str, count: int) -> int:
    """Reserve `count` ids of a table; the first of them."""
    if REHEARSAL in connection.info:
        taken: dict[str, int] = connection.info[REHEARSAL]
        first = taken.get(name, _REHEARSED.get(name, 1 << 52))
        taken[name] = first + count
        return first
    statement = update(id_ranges).where(id_ranges.c.name == name).values(next_id=id_ranges.c.next_id + count)
    last = connection.execute(statement.returning(id_ranges.c.next_id)).scalar()
    if last is None:  # the first of this name; another connection may add it at the same moment
        dialect = postgresql if is_postgresql(connection) else sqlite
        added = dialect.insert(id_ranges).values(name=name, next_id=count + 1)
        added = added.on_conflict_do_update(index_elements=["name"], set_={"next_id": id_ranges.c.next_id + count})
        last = connection.execute(added.returning(id_ranges.c.next_id)).scalar_one()
    return int(last) - count


def last_id(connection: Connection, name: str) -> int:
    """The highest id of a table that was ever taken; 0 if none was."""
    return int(connection.execute(select(id_ranges.c.next_id).where(id_ranges.c.name == name)).scalar() or 1) - 1


def refresh_statistics(connection: Connection, tables: Sequence[Table]) -> None:
    """Let the planner know how large the tables have become; after a load it would guess badly for a while."""
    if not is_postgresql(connection):
        connection.exec_driver_sql("PRAGMA analysis_limit=1000")
    for table in tables:
        connection.exec_driver_sql(f"ANALYZE {_quoted(connection, table.name)}")


def look_up_by_index(connection: Connection) -> None:
    """For the rest of the transaction join by looking each row up, so that a slice's cost does not follow the store's.

    SQLite does so by itself; PostgreSQL would rather read a whole table once for each slice.
    """
    if is_postgresql(connection):
        connection.exec_driver_sql("SET LOCAL enable_hashjoin = off")
        connection.exec_driver_sql("SET LOCAL enable_mergejoin = off")


def insert_rows(connection: Connection, table: Table, rows: pa.Table) -> None:
    """Write the rows; their columns are named as the table's."""
    if not rows.num_rows:
        return
    rows = rows.select([name for name in rows.column_names if not _says_nothing(rows[name], table.c[name])])
    if is_postgresql(connection):
        _copy_in(connection, table, rows)
    else:
        _bind_in(connection, table, rows)


def _says_nothing(values: pa.ChunkedArray, column: Column[Any]) -> bool:
    return bool(values.null_count == len(values) and column.nullable and column.server_default is None)


def replace_rows(connection: Connection, table: Table, rows: pa.Table) -> None:
    """Write the rows in place of those with the same primary key."""
    if is_postgresql(connection):
        delete_rows(connection, table, rows.select([column.name for column in table.primary_key]))
        insert_rows(connection, table, rows)
    elif rows.num_rows:
        _bind_in(connection, table, rows, "REPLACE")


def fetch_rows(connection: Connection, query: Query, schema: pa.Schema) -> pa.Table:
    """The query's rows as an Arrow table of this schema."""
    if is_postgresql(connection):
        return _copy_out(connection, query, schema)
    return read_sqlite(text_of(connection, query, schema), schema)


def update_rows(connection: Connection, table: Table, rows: pa.Table, key: str) -> None:
    """Set the given columns of the rows with this key."""
    if not rows.num_rows:
        return
    names = [name for name in rows.column_names if name != key]
    statement = (
        update(table)
        .where(table.c[key] == bindparam("the_key"))
        .values({name: bindparam(f"b_{name}") for name in names})
    )
    compiled = statement.compile(dialect=connection.dialect)
    if is_postgresql(connection):
        _update_from(connection, table, rows, key, names)
        return
    order = [name.removeprefix("b_") if name != "the_key" else key for name in compiled.positiontup or ()]
    for chunk in _tuples(rows.select(order)):
        connection.connection.cursor().executemany(str(compiled), chunk)  # type: ignore[arg-type]


def delete_rows(connection: Connection, table: Table, keys: pa.Table) -> None:
    """Delete the rows with these keys; the columns are named as the table's."""
    if not keys.num_rows:
        return
    target, same = _quoted(connection, table.name), " AND ".join
    names = [_quoted(connection, name) for name in keys.column_names]
    if is_postgresql(connection):
        temporary = _temporary_copy(connection, table, keys)
        joined = same(f"t.{name} = n.{name}" for name in names)
        connection.exec_driver_sql(f"DELETE FROM {target} t USING {temporary} n WHERE {joined}")
        connection.exec_driver_sql(f"DROP TABLE {temporary}")
        return
    statement = f"DELETE FROM {target} WHERE {same(f'{name} = ?' for name in names)}"
    for chunk in _tuples(keys):
        connection.connection.cursor().executemany(statement, chunk)  # type: ignore[arg-type]


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────


def _copy_in(connection: Connection, table: Table, rows: pa.Table) -> None:
    columns = ", ".join(_quoted(connection, name) for name in rows.column_names)
    cursor = connection.connection.cursor()
    statement = f"COPY {_quoted(connection, table.name)} ({columns}) FROM STDIN (FORMAT csv)"
    with cursor.copy(statement) as copy:  # type: ignore[attr-defined]
        for buffer in as_csv(rows):
            copy.write(buffer)


def as_csv(rows: pa.Table) -> Iterator[memoryview]:
    """The rows as COPY reads them, a part at a time."""
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="needed", batch_size=_CHUNK)
    for batch in _for_csv(rows).to_batches(_CHUNK):
        buffer = io.BytesIO()
        arrow_csv.write_csv(batch, buffer, options)
        yield buffer.getbuffer()


def _for_csv(rows: pa.Table) -> pa.Table:
    """Times as ISO text, so that COPY reads them in UTC."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            naive = rows.column(index).cast(pa.timestamp("us"))
            texts = pc.binary_join_element_wise(pc.cast(naive, pa.string()), "+00", "")
            rows = rows.set_column(index, field.name, texts)
    return rows


def _copy_out(connection: Connection, query: Query, schema: pa.Schema) -> pa.Table:
    sql = as_text(connection, query)
    cursor = connection.connection.cursor()
    buffer = io.BytesIO()
    with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT csv)") as copy:  # type: ignore[attr-defined]
        for chunk in copy:
            buffer.write(chunk)
    return read_csv(buffer.getbuffer(), schema)


def as_text(connection: Connection, query: Query) -> str:
    """The query with its values in it, as COPY and drivers that bind otherwise take it."""
    sql = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    return sql.replace("%%", "%") if is_postgresql(connection) else sql


def read_csv(data: memoryview | bytes, schema: pa.Schema) -> pa.Table:
    """Rows as both databases give them: null is nothing, empty text is quoted."""
    if not len(data):
        return schema.empty_table()
    return arrow_csv.read_csv(
        pa.py_buffer(data),
        arrow_csv.ReadOptions(column_names=schema.names, use_threads=False, block_size=max(len(data) + 16, 1024)),
        arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        arrow_csv.ConvertOptions(
            column_types=dict(zip(schema.names, schema.types, strict=True)),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["t", "1"],
            false_values=["f", "0"],
        ),
    )


def _update_from(connection: Connection, table: Table, rows: pa.Table, key: str, names: list[str]) -> None:
    temporary, target = _temporary_copy(connection, table, rows), _quoted(connection, table.name)
    sets = ", ".join(f"{_quoted(connection, name)} = n.{_quoted(connection, name)}" for name in names)
    where = f"t.{_quoted(connection, key)} = n.{_quoted(connection, key)}"
    connection.exec_driver_sql(f"UPDATE {target} t SET {sets} FROM {temporary} n WHERE {where}")
    connection.exec_driver_sql(f"DROP TABLE {temporary}")


def _temporary_copy(connection: Connection, table: Table, rows: pa.Table) -> str:
    """The rows in a temporary table of the same columns; its name."""
    temporary, target = _quoted(connection, f"new_{table.name}"), _quoted(connection, table.name)
    columns = ", ".join(_quoted(connection, name) for name in rows.column_names)
    connection.exec_driver_sql(
        f"CREATE TEMP TABLE {temporary} ON COMMIT DROP AS SELECT {columns} FROM {target} LIMIT 0"
    )
    _copy_in(connection, Table(f"new_{table.name}", MetaData()), rows)
    return temporary


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _bind_in(connection: Connection, table: Table, rows: pa.Table, conflict: str = "FAIL") -> None:
    """Many rows a statement, which costs half of what one row a statement costs.

    OR FAIL, because the transaction is given up anyway when a row fails: without it SQLite keeps a copy of every page
    that a statement changes, in case it must take back that statement alone.
    """
    _bind_null_quickly()
    columns = ", ".join(_quoted(connection, name) for name in rows.column_names)
    row = f"({', '.join('?' * rows.num_columns)})"
    several = max(1, min(_MOST_ROWS, _MOST_MARKS // rows.num_columns))
    cursor = connection.connection.cursor()
    into = f"INSERT OR {conflict} INTO {_quoted(connection, table.name)} ({columns}) VALUES "
    for chunk in _tuples(rows):
        values = list(itertools.chain.from_iterable(chunk))
        step = several * rows.num_columns
        whole = len(values) // step * step
        if whole:
            parts = (values[at : at + step] for at in range(0, whole, step))
            cursor.executemany(into + ", ".join([row] * several), parts)  # type: ignore[arg-type]
        if rest := values[whole:]:
            cursor.execute(into + ", ".join([row] * (len(rest) // rows.num_columns)), rest)


@cache
def _bind_null_quickly() -> None:
    """Tell sqlite3 that None needs no adapter, which it otherwise looks for at every null."""
    sqlite3.register_adapter(type(None), lambda value: value)


def _tuples(rows: pa.Table) -> Iterator[Iterator[tuple[Any, ...]]]:
    for start in range(0, rows.num_rows, _CHUNK):
        part = rows.slice(start, _CHUNK)
        yield zip(*(bound(column) for column in part.columns), strict=True)


def bound(column: pa.ChunkedArray) -> list[Any]:
    """The column as values that sqlite3 binds."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    if column.null_count == len(column):
        return [None] * len(column)
    return column.to_pylist()


def text_of(connection: Connection, query: Query, schema: pa.Schema) -> bytes:
    """SQLite writes the rows as one CSV text: row by row, sqlite3 and other threads would wait for each other.

    A row is one `printf`, as each `||` would copy what there is of it so far.
    """
    sql = as_text(connection, query)
    names = ", ".join(_quoted(connection, name) for name in schema.names)
    cells = [_as_cell(_quoted(connection, item.name), item) for item in schema]
    line = f"printf('{','.join(form for form, _ in cells)}', {', '.join(value for _, value in cells)})"
    cursor = connection.connection.cursor()
    cursor.execute(f"WITH found ({names}) AS ({sql}) SELECT group_concat({line}, char(10)) || char(10) FROM found")
    return (cursor.fetchall()[0][0] or "").encode()


def read_sqlite(data: bytes, schema: pa.Schema) -> pa.Table:
    """The rows that `text_of` gave; times are numbers there."""
    numbered = pa.schema([(item.name, pa.int64() if item.type == STAMP else item.type) for item in schema])
    found = read_csv(data, numbered)
    for index, item in enumerate(schema):
        if item.type == STAMP:
            found = found.set_column(index, item, found.column(index).cast(pa.timestamp("us")).cast(STAMP))
    return found


def _as_cell(name: str, item: pa.Field) -> tuple[str, str]:
    """How `printf` writes a column, and of what."""
    if pa.types.is_floating(item.type):
        return "%s", f"CASE WHEN {name} IS NULL THEN '' ELSE printf('%!.20e', {name}) END"
    if pa.types.is_string(item.type):
        return (
            ("%s", f"""coalesce('"' || replace({name}, '"', '""') || '"', '')""") if item.nullable else ('"%w"', name)
        )
    return ("%s", f"coalesce({name}, '')") if item.nullable else ("%d", name)


def schema_of(table: Table, names: list[str]) -> pa.Schema:
    """The Arrow types of these columns."""
    return pa.schema([(name, _arrow_type(table.c[name].type)) for name in names])


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, UtcTime):
        return STAMP
    python = kind.python_type
    return {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}.get(python, pa.string())


def is_among(connection: Connection, column: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Whether a number is one of these, said so that the planner sees how many they are."""
    if is_postgresql(connection):
        return column == any_(literal(list(ids), ARRAY(BigInteger)))
    listed = func.json_each(f"[{','.join(map(str, ids))}]").table_valued("value")
    return column.in_(select(listed.c.value))


def select_columns(table: Table, names: list[str]) -> Select[Any]:
    return select(*(table.c[name] for name in names))
