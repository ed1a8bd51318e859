"""The steps of the benchmarks, each run in a process of its own: `python -m benchmarks.steps import URL FILE`."""

import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy import Table, func, select

from connectors.sources import open_source
from pipelines.byhand import import_by_hand, new_lease
from pipelines.clean import clean_block
from pipelines.imports import Job
from pipelines.mapping import map_columns
from schemas.profiles import Profile
from warehouse import bulk, search
from warehouse.engines import reading, transaction
from warehouse.store import open_store
from warehouse.tables import batch_rows, contact_changes, contact_keys, contact_tags, contact_values, contacts

PROFILE = Profile(custom_fields={"plan": "text", "puntos": "number", "renovacion": "date"}, date_order="dmy")
TABLES = (contacts, contact_keys, contact_values, contact_tags, contact_changes, batch_rows)


def run_import(url: str, file: str) -> dict[str, float]:
    engine = open_store(url)
    with tempfile.TemporaryDirectory() as folder:
        job = Job(Path(file), Path(file).name, PROFILE, Path(folder) / "report.csv")
        began = time.perf_counter()
        report = import_by_hand(engine, job, new_lease(600, lambda: datetime.now(UTC)), "bench").report
        seconds = time.perf_counter() - began
    assert report.status == "imported", report.message
    counts = {name: getattr(report, name) for name in ("rows", "created", "updated", "unchanged", "merged", "rejected")}
    return {"seconds": seconds, **counts}


def run_sweep(url: str) -> dict[str, float]:
    """What a worker does a moment after a first load: the index of searches."""
    began = time.perf_counter()
    search.catch_up(open_store(url))
    return {"seconds": time.perf_counter() - began}


def run_clean(file: str) -> dict[str, float]:
    """Reading, normalising and validating alone."""
    began, rows = time.perf_counter(), 0
    with open_source(Path(file), PROFILE, name="bench") as opened:
        mapping = map_columns(opened.header, PROFILE, {})
        for raw in opened.source.blocks():
            clean_block(raw, mapping, PROFILE)
            rows += raw.num_rows
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows_a_second": rows / seconds}


def run_count(url: str) -> dict[str, int]:
    """The highest first key of each table, to tell later rows from earlier ones."""
    with reading(open_store(url)) as connection:
        found = {table.name: connection.execute(select(func.max(_first_key(table)))).scalar() for table in TABLES}
    return {name: highest or 0 for name, highest in found.items()}


def _first_key(table: Table) -> Any:
    return next(iter(table.primary_key.columns))


def run_yardstick(source: str, target: str, before: str = "{}") -> dict[str, float]:
    """Write the source's rows, those after `before` (each table's highest first key), into the same tables, plainly."""
    engine, store = open_store(source), open_store(target)
    highest = json.loads(before)
    highest["contact_keys"] = highest["contact_values"] = highest["contact_tags"] = highest.get("contacts", 0)
    rows = {table.name: _rows(engine, table, highest.get(table.name, 0)) for table in TABLES}
    seconds = 0.0
    for table in TABLES:
        prepared = _prepare(store, rows.pop(table.name))
        began = time.perf_counter()
        with transaction(store) as connection:
            _write(connection, table, *prepared)
        seconds += time.perf_counter() - began
    return {"seconds": seconds}


def _rows(engine: Any, table: Table, after: int) -> pa.Table:
    names = [column.name for column in table.columns]
    keys = list(table.primary_key.columns)
    with reading(engine) as connection:
        query = bulk.select_columns(table, names).where(_first_key(table) > after).order_by(*keys)
        return bulk.fetch_rows(connection, query, bulk.schema_of(table, names))


def _prepare(store: Any, rows: pa.Table) -> tuple[list[str], Any]:
    """The rows as the database takes them, made before the clock starts."""
    if store.dialect.name == "postgresql":
        return rows.column_names, list(bulk.as_csv(rows))
    return rows.column_names, list(zip(*(bulk.bound(column) for column in rows.columns), strict=True))


def _write(connection: Any, table: Table, names: list[str], prepared: Any) -> None:
    quoted = ", ".join(connection.dialect.identifier_preparer.quote(name) for name in names)
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        with cursor.copy(f"COPY {table.name} ({quoted}) FROM STDIN (FORMAT csv)") as copy:
            for buffer in prepared:
                copy.write(buffer)
        return
    cursor.executemany(f"INSERT INTO {table.name} ({quoted}) VALUES ({', '.join('?' * len(names))})", prepared)


def main() -> None:
    name, *arguments = sys.argv[1:]
    steps = {"import": run_import, "clean": run_clean, "count": run_count, "yardstick": run_yardstick}
    steps |= {"sweep": run_sweep}
    result: dict[str, Any] = dict(steps[name](*arguments))  # type: ignore[operator]
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(result))


if __name__ == "__main__":
    main()
