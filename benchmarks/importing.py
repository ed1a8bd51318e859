"""`make bench`: the whole import against plain COPY (on SQLite executemany) of the very rows that it stores.

Each round runs the yardstick and Padrón in turn, each in a process of its own; the medians and their ratio are
printed. `python -m benchmarks.importing --rows 1000000 --rounds 3 --engine sqlite --engine postgresql`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.people import write_people
from tests import servers

_SEED = 7
SERVER = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
"""PostgreSQL as one would run it for a roll of a million, for both sides; with the defaults both are slower."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    found = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="padron-bench-") as folder:
        files = _files(Path(folder), found.rows)
        print(json.dumps({"read_clean_validate_one_core": _step("clean", files["base"], cores="0")}), flush=True)
        for engine in found.engine or ["sqlite", "postgresql"]:
            _compare(engine, Path(folder), files, found.rounds)


@contextmanager
def a_database(engine: str) -> Iterator[tuple[str, Path]]:
    """The URL of an empty database, on a server of its own, and a folder; both go at the end."""
    server, admin = servers.start_postgres(**SERVER) if engine == "postgresql" else (None, "")
    try:
        with tempfile.TemporaryDirectory(prefix="padron-bench-") as folder:
            yield database(engine, Path(folder), admin), Path(folder)
    finally:
        if server:
            server.stop()


def _files(folder: Path, rows: int) -> dict[str, Path]:
    files = {name: folder / f"{name}.csv" for name in ("base", "other", "changed", "bad")}
    write_people(files["base"], rows, seed=_SEED)
    write_people(files["other"], rows, seed=_SEED + 1)
    write_people(files["changed"], rows, seed=_SEED, changed=0.1)
    write_people(files["bad"], rows, seed=_SEED + 2, bad=0.5)
    return files


def _compare(engine: str, folder: Path, files: dict[str, Path], rounds: int) -> None:
    server, admin = servers.start_postgres(**SERVER) if engine == "postgresql" else (None, "")
    times: dict[str, list[float]] = {}
    peak = 0.0
    try:
        for _ in range(rounds):
            url = database(engine, folder, admin)
            first = _note(times, "import into an empty store", "import", url, files["base"])
            peak = max(peak, first["peak_mb"])
            _note(times, "yardstick of it", "yardstick", url, database(engine, folder, admin))
            _note(times, "the same file again", "import", url, files["base"])
            _note(times, "10 % changed", "import", url, files["changed"])
            before = _step("count", url)
            _step("sweep", url)
            _note(times, "a second million", "import", url, files["other"])
            copy = database(engine, folder, admin)
            _step("import", copy, files["base"])
            _step("sweep", copy)
            _note(times, "yardstick of it (second)", "yardstick", url, copy, json.dumps(before))
            bad = database(engine, folder, admin)
            _note(times, "half of the rows bad", "import", bad, files["bad"])
    finally:
        if server:
            server.stop()
    _print(engine, times, peak)


def _print(engine: str, times: dict[str, list[float]], peak: float) -> None:
    median = {name: statistics.median(values) for name, values in times.items()}
    base = median["import into an empty store"]
    ratios = {
        "empty store / yardstick (limit 1.0)": base / median["yardstick of it"],
        "store of 1M / yardstick (limit 1.5)": median["a second million"] / median["yardstick of it (second)"],
        "again / first (limit 0.6)": median["the same file again"] / base,
        "10 % changed / first (limit 0.8)": median["10 % changed"] / base,
        "half bad / first (limit 1.0)": median["half of the rows bad"] / base,
    }
    print(json.dumps({"engine": engine, "seconds": {k: round(v, 1) for k, v in median.items()}}, indent=1))
    print(json.dumps({"ratios": {k: round(v, 2) for k, v in ratios.items()}, "peak_mb": peak}, indent=1), flush=True)


def _note(times: dict[str, list[float]], name: str, *step: object) -> dict[str, float]:
    result = _step(*step)
    times.setdefault(name, []).append(result["seconds"])
    return result


def _step(*step: object, cores: str | None = None) -> dict[str, float]:
    """Run one step in a process of its own; what it measured."""
    command = [sys.executable, "-m", "benchmarks.steps", *map(str, step)]
    if cores is not None:
        command = ["taskset", "-c", cores, *command]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {step[0]} {str(step[-1]).rpartition('/')[2][:30]}: {result}", file=sys.stderr, flush=True)
    return result


def database(engine: str, folder: Path, admin: str) -> str:
    name = f"b{uuid.uuid4().hex[:10]}"
    if engine == "sqlite":
        return f"sqlite:///{folder / name}.db"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return admin.rsplit("/", 1)[0].replace("postgresql://", "postgresql+psycopg://") + f"/{name}"


if __name__ == "__main__":
    main()
