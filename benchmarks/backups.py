"""`python -m benchmarks.backups`: a backup of a whole roll, verified, and restored in turn with plain COPY.

The yardstick of a restore writes the same rows by COPY (on SQLite executemany) into the same tables and then builds the
same indexes; making the rows ready for it is not counted. Each step is a process of its own, so that its peak of memory
is its own.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.importing import SERVER, database
from benchmarks.roll_data import NOW, fill
from pipelines.backups import Beat, create_backup, find_backup
from pipelines.restores import Wish, restore_backup, verify
from schemas import memory
from schemas.settings import Settings
from tests import servers
from warehouse import bulk, loads
from warehouse.audit import Asked
from warehouse.store import open_store

_NAME = "20261101T120000Z-1"


def _beat() -> Beat:
    return Beat(lambda done, total: None, 1)


def _settings(home: str, url: str) -> Settings:
    return Settings(home=Path(home), database_url=url)


def step_fill(url: str, people: str, happenings: str) -> None:
    fill(open_store(url), int(people), int(happenings))


def step_create(home: str, url: str) -> None:
    create_backup(open_store(url), _settings(home, url), _NAME, lambda: NOW, lambda done, total: None)


def step_verify(home: str, level: str) -> None:
    settings = _settings(home, "")
    verify(settings, find_backup(settings, _NAME), int(level), _beat())


def step_restore(home: str, url: str) -> None:
    restore_backup(_settings(home, url), Wish(_NAME), Asked("bench", NOW), _beat())


def step_plain(home: str, url: str) -> float:
    """Seconds of writing alone."""
    manifest, seconds = find_backup(_settings(home, url), _NAME), 0.0
    with loads.new_store(url, manifest.schema_version) as connection:
        cursor: Any = connection.connection.cursor()
        plain = loads.without_indexes(connection, manifest.tables())
        plain.__enter__()
        for file in manifest.tables().values():
            connection.exec_driver_sql(f"DELETE FROM {file.table}")
            for batch in pq.ParquetFile(Path(home) / "backups" / _NAME / file.file).iter_batches(60_000):
                rows = pa.Table.from_batches([batch])
                names = ", ".join(f'"{name}"' for name in rows.column_names)
                if connection.dialect.name == "postgresql":
                    buffers = list(bulk.as_csv(rows))
                    began = time.perf_counter()
                    with cursor.copy(f"COPY {file.table} ({names}) FROM STDIN (FORMAT csv)") as copy:
                        for buffer in buffers:
                            copy.write(buffer)
                else:
                    tuples = list(zip(*(bulk.bound(column) for column in rows.columns), strict=True))
                    marks = ", ".join("?" * rows.num_columns)
                    began = time.perf_counter()
                    cursor.executemany(f"INSERT INTO {file.table} ({names}) VALUES ({marks})", tuples)
                seconds += time.perf_counter() - began
        began = time.perf_counter()
        plain.__exit__(None, None, None)
    return seconds + time.perf_counter() - began


def _step(*arguments: object) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.backups", "step", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {arguments[0]}: {found}", file=sys.stderr, flush=True)
    return found


def _fresh(name: str, engine: str, home: Path, admin: str) -> dict[str, float]:
    """A step that fills a database, which is dropped then."""
    url = database(engine, home, admin)
    found = _step(name, home, url)
    _drop(url, admin)
    return found


def _drop(url: str, admin: str) -> None:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).unlink()
        return
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")


def _measure(engine: str, folder: Path, people: int, happenings: int) -> None:
    server, admin = servers.start_postgres(**SERVER) if engine == "postgresql" else (None, "")
    home = folder / engine
    home.mkdir()
    try:
        url = database(engine, home, admin)
        _step("fill", url, people, happenings)
        made = _step("create", home, url)
        files, pages = _step("verify", home, 1), _step("verify", home, 2)
        _drop(url, admin)
        plain, restored = (_fresh(name, engine, home, admin) for name in ("plain", "restore"))
        trial = _step("verify", home, 3)
        size = sum(path.stat().st_size for path in (home / "backups" / _NAME).iterdir())
    finally:
        if server:
            server.stop()
    seconds = {"create (limit 60)": made, "files": files, "pages": pages, "plain": plain, "restore": restored}
    seconds |= {"restored into SQLite and compared": trial}
    said = {"seconds": {name: round(one["seconds"], 1) for name, one in seconds.items()}}
    said["restore / plain (limit 2)"] = round(restored["seconds"] / plain["seconds"], 2)  # type: ignore[assignment]
    said["peak_mb"] = {name: one["peak_mb"] for name, one in seconds.items()}
    print(json.dumps({"engine": engine, "size_mb": size >> 20, **said}, indent=1), flush=True)


def main() -> None:
    if sys.argv[1:2] == ["step"]:
        memory.use_little()
        work: dict[str, Any] = {
            "fill": step_fill,
            "create": step_create,
            "verify": step_verify,
            "restore": step_restore,
            "plain": step_plain,
        }
        began = time.perf_counter()
        found = work[sys.argv[2]](*sys.argv[3:])
        seconds = found if isinstance(found, float) else time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"seconds": seconds, "peak_mb": peak}))
        return
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--contacts", type=int, default=1_000_000)
    arguments.add_argument("--interactions", type=int, default=20_000_000)
    arguments.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    arguments.add_argument("--folder", type=Path, help="where there is room for the databases; else a temporary one")
    found = arguments.parse_args()
    with TemporaryDirectory(prefix="padron-bench-", dir=found.folder) as folder:
        for engine in found.engine or ["sqlite", "postgresql"]:
            _measure(engine, Path(folder), found.contacts, found.interactions)


if __name__ == "__main__":
    main()
