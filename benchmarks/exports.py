"""`python -m benchmarks.exports`: contacts to Parquet and CSV by Padrón, and plainly by the database, in turn.

Plainly means the same columns of the contacts' own rows: to Parquet by COPY streamed through pyarrow (on SQLite a plain
fetch into Arrow), to CSV by raw COPY (`csv.writer`). Nothing is guarded or named for an import there. A last line has
all that an export has, tags, custom values, further keys and consents, which the plain way does not get out.
"""

import argparse
import csv
import io
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine

from benchmarks.importing import a_database
from benchmarks.roll_data import NOW, fill
from pipelines.exports import ExportForm, export_contacts
from schemas.settings import Settings
from warehouse.audit import Asked
from warehouse.contact_lists import Wanted
from warehouse.engines import reading
from warehouse.store import open_store

_COLUMNS = (
    *("first_name", "last_name", "display_name", "phone", "email", "city", "channel", "status"),
    *("created_at", "last_interaction_at", "last_sent_at", "last_received_at"),
)
_SQL = f"SELECT id, {', '.join(_COLUMNS)} FROM contacts WHERE deleted_at IS NULL ORDER BY id"
_AT_ONCE = 50_000


class _Stream(io.RawIOBase):
    """The parts of a COPY as a file to read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._rest = parts, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = bytes(part)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def plain_parquet(connection: Connection, path: Path) -> None:
    names = ["id", *_COLUMNS]
    if connection.dialect.name == "postgresql":
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY ({_SQL}) TO STDOUT (FORMAT csv)") as copy:  # type: ignore[attr-defined]
            stream = io.BufferedReader(_Stream(iter(copy)), 1 << 20)
            options = arrow_csv.ReadOptions(column_names=names, block_size=1 << 24)
            reader = arrow_csv.open_csv(stream, options)
            with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    writer.write_batch(batch)
        return
    cursor = connection.connection.cursor()
    cursor.execute(_SQL)
    writer = None
    while rows := cursor.fetchmany(_AT_ONCE):
        table = pa.table(dict(zip(names, map(pa.array, zip(*rows, strict=True)), strict=True)))
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


def plain_csv(connection: Connection, path: Path) -> None:
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        with path.open("wb") as file, cursor.copy(f"COPY ({_SQL}) TO STDOUT (FORMAT csv)") as copy:  # type: ignore[attr-defined]
            for part in copy:
                file.write(part)
        return
    cursor.execute(_SQL)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(iter(lambda: cursor.fetchone(), None))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--contacts", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    found = arguments.parse_args()
    for engine in found.engine or ["sqlite", "postgresql"]:
        with a_database(engine) as (url, folder):
            store = open_store(url)
            fill(store, found.contacts, 1_000)
            _measure(engine, store, folder, found.rounds)
            store.dispose()


def _measure(engine: str, store: Engine, folder: Path, rounds: int) -> None:
    times: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[Path], None], path: Path) -> None:
        began = time.perf_counter()
        work(path)
        times.setdefault(name, []).append(time.perf_counter() - began)
        path.unlink()

    def plainly(how: Callable[[Connection, Path], None]) -> Callable[[Path], None]:
        def work(path: Path) -> None:
            with reading(store) as connection:
                how(connection, path)

        return work

    def by_padron(form: str, columns: tuple[str, ...]) -> Callable[[Path], None]:
        wish, asked = ExportForm(Wanted(), form, columns), Asked("bench", NOW)
        return lambda path: export_contacts(store, Settings(), wish, path, asked, lambda done, total: None) and None

    for _ in range(rounds):
        timed("plain parquet", plainly(plain_parquet), folder / "plain.parquet")
        timed("parquet", by_padron("parquet", _COLUMNS), folder / "own.parquet")
        timed("plain csv", plainly(plain_csv), folder / "plain.csv")
        timed("csv", by_padron("csv", _COLUMNS), folder / "own.csv")
        timed("parquet, everything", by_padron("parquet", ()), folder / "all.parquet")
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    ratios = {form: round(medians[form] / medians[f"plain {form}"], 2) for form in ("parquet", "csv")}
    print(json.dumps({"engine": engine, "seconds": medians, "ratios (limit 1.5)": ratios}), flush=True)


if __name__ == "__main__":
    main()
