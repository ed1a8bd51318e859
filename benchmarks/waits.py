"""`python -m benchmarks.waits`: how long small writers wait while a file is imported (limit: 2 s).

A first load, and then a file of other people into the store that it left, each in a process of its own; meanwhile
this process makes a small write every few milliseconds and notes how long each one took.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.importing import SERVER, database
from benchmarks.people import write_people
from tests import servers
from warehouse import bulk
from warehouse.engines import transaction
from warehouse.store import open_store

_PAUSE_SECONDS = 0.02


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    found = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="padron-bench-") as folder:
        files = {"first load": Path(folder) / "one.csv", "into that store": Path(folder) / "two.csv"}
        for seed, file in enumerate(files.values()):
            write_people(file, found.rows, seed=seed)
        for engine in found.engine or ["sqlite", "postgresql"]:
            server, admin = servers.start_postgres(**SERVER) if engine == "postgresql" else (None, "")
            try:
                url = database(engine, Path(folder), admin)
                for name, file in files.items():
                    print(json.dumps({"engine": engine, "import": name, **_watch(url, file)}), flush=True)
            finally:
                if server:
                    server.stop()


def _watch(url: str, file: Path) -> dict[str, float]:
    """The waits of small writes while the file is imported, in seconds."""
    store = open_store(url)
    command = [sys.executable, "-m", "benchmarks.steps", "import", url, str(file)]
    waits: list[float] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as importing:
        while importing.poll() is None:
            began = time.perf_counter()
            with transaction(store) as connection:
                bulk.lock_keys(connection)
                bulk.take_ids(connection, "waits", 1)
            waits.append(time.perf_counter() - began)
            time.sleep(_PAUSE_SECONDS)
    store.dispose()
    longest, usual = max(waits), float(np.median(waits))
    return {"writes": len(waits), "longest": round(longest, 2), "median": round(usual, 4)}


if __name__ == "__main__":
    main()
