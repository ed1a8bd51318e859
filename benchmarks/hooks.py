"""Webhooks of a CRM, 500 a second, while a sync runs and the database restarts: how long each waits, and none is lost.

    python -m benchmarks.hooks --rate 500 --seconds 20

PostgreSQL, the endpoint, the sync, the CRM's stand-in and the sender are a process each, on one machine. The first
part is sent while a first sync runs; in the second one PostgreSQL is stopped at once and started again, and the sender
tries again what was answered 503, or not at all, as CRMs do. There is no yardstick but the limits.
"""

import argparse
import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import local
from typing import Any

from sqlalchemy import Engine, delete, func, select

from benchmarks.sync import connect, fill_here, stand_in
from pipelines.connections import crm_factory
from pipelines.sync import Asking, run_sync
from schemas.settings import Settings
from tests import servers
from tests.routes.cluster import Cluster
from tests.routes.running import wait_until
from warehouse.engines import reading, transaction
from warehouse.store import open_store
from warehouse.sync_tables import calls

_SECRET, _THREADS, _PATIENCE = "s3cret", 24, 60.0
_CONTACTS = 10_000


def main() -> None:
    if sys.argv[1:2] == ["send"]:
        print(json.dumps(_send(*map(int, sys.argv[2:]))), flush=True)
        return
    if sys.argv[1:2] == ["sync"]:
        _sync(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    wanted = parser.parse_args()
    cluster = Cluster()
    with tempfile.TemporaryDirectory(prefix="padron-bench-") as folder:
        try:
            _measure(cluster, Path(folder), wanted.rate, wanted.seconds)
        finally:
            cluster.stop()


def _measure(cluster: Cluster, folder: Path, rate: int, seconds: int) -> None:
    url = cluster.database_url.replace("postgresql://", "postgresql+psycopg://")
    store, settings = open_store(url), Settings(home=folder, database_url=cluster.database_url, default_country="CO")
    fill_here(store, _CONTACTS)
    vendor, address = stand_in(_CONTACTS)
    number, port = connect(store, settings, address, hook=_SECRET), servers.free_port()
    variables = {
        "PADRON_HOME": str(folder),
        "PADRON_DATABASE_URL": cluster.database_url,
        "PADRON_ADMIN_PORT": str(port),
    }
    command = [sys.executable, "-m", "admin.command", "admin"]
    endpoint = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    command = [sys.executable, "-m", "benchmarks.hooks", "sync", url, str(folder), str(number)]
    try:
        assert wait_until(lambda: _answers(port), 60), "the endpoint does not answer"
        working = subprocess.Popen(command)
        time.sleep(3)
        found = _told(_sender(port, 0, rate, seconds))
        print(
            json.dumps({"while a sync runs": found, "which still ran at the end": working.poll() is None}), flush=True
        )
        working.wait()
        with transaction(store) as connection:
            connection.execute(delete(calls))
        sender = _sender(port, 10**6, rate, seconds)
        time.sleep(seconds / 3)
        cluster.stop_postgres_at_once()
        cluster.start_postgres()
        found = _told(sender)
        print(json.dumps({"while the database restarts": found, "kept": _kept(store)}), flush=True)
    finally:
        endpoint.kill()
        vendor.kill()
        store.dispose()


def _kept(store: Engine) -> int:
    with reading(store) as connection:
        return int(connection.execute(select(func.count()).select_from(calls)).scalar_one())


def _answers(port: int) -> bool:
    try:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        line.request("GET", "/health/live")
        return line.getresponse().status == 200
    except OSError:
        return False


def _sync(url: str, folder: Path, number: int) -> None:
    store, settings = open_store(url), Settings(home=folder, default_country="CO")
    run_sync(store, settings, number, crm_factory(store, settings), lambda: datetime.now(UTC), Asking("benchmark"))


def _sender(port: int, first: int, rate: int, seconds: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.hooks", "send", *map(str, (port, first, rate, seconds))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _told(sender: "subprocess.Popen[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sender.communicate()[0])
    return found


def _send(port: int, first: int, rate: int, seconds: int) -> dict[str, Any]:
    """Send so many a second, each at its time, and again what was not taken; milliseconds from its time to its 202."""
    lines, began = local(), time.monotonic() + 0.5

    def post(body: bytes) -> int:
        """The status; 0 where nothing came back."""
        try:
            if getattr(lines, "line", None) is None:
                lines.line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            signature = hashlib.sha256(_SECRET.encode() + body).hexdigest()
            lines.line.request("POST", "/hooks/hubspot", body, {"X-HubSpot-Signature": signature})
            answer = lines.line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            lines.line = None
            return 0
        return int(answer.status)

    def send(place: int) -> tuple[int, float]:
        due = began + place / rate
        time.sleep(max(0.0, due - time.monotonic()))
        body, tries = json.dumps([{"objectId": 101 + place % 5000, "eventId": first + place}]).encode(), 0
        while True:
            status, tries = post(body), tries + 1
            if status == 202:
                return tries, (time.monotonic() - due) * 1000
            if status not in (0, 503) or time.monotonic() > due + _PATIENCE:
                raise RuntimeError(f"answered {status}")
            time.sleep(0.2)

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(send, range(rate * seconds)))
    took, waits = time.monotonic() - began, sorted(wait for _, wait in found)
    said = {
        "accepted": len(found),
        "a second": round(len(found) / took),
        "sent again": sum(tries > 1 for tries, _ in found),
    }
    return said | {f"{at} % ms": round(waits[int(len(waits) * at / 100)], 1) for at in (50, 95, 99)}


if __name__ == "__main__":
    main()
