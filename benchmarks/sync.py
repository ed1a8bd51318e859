"""First sync of many contacts with a CRM that answers in 20 ms: how much of what it allows is used, and our own time.

    python -m benchmarks.sync --contacts 20000 --engine sqlite

The yardstick is what the CRM's limits allow: so many calls at once, then so many a second. The CRM is the stand-in of
the tests, in a process of its own. Half of the contacts are there, half are here.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from sqlalchemy import Engine

from connectors.crm_files import read_connector
from pipelines import connections as pipeline
from pipelines.connections import ConnectionForm, crm_factory
from pipelines.sync import Asking, run_sync
from schemas.settings import Settings
from tests import servers
from warehouse import bulk, connections
from warehouse.audit import Asked
from warehouse.engines import transaction
from warehouse.store import open_store
from warehouse.tables import contact_changes, contacts

_SERVER = """
import sys, threading, time
from tests.sync.vendors import HubSpot, serving
count = int(sys.argv[1])
class Slow(HubSpot):
    def answer(self, *args):
        time.sleep(0.02)
        return super().answer(*args)
    def taken(self, email):
        return False
vendor = Slow()
for at in range(count):
    more = {"email": f"there{at}@example.org", "phone": f"+57300{at:07}", "city": "Cali"}
    vendor.add(firstname=f"Eva{at}", lastname="Paz", **more)
with serving(vendor):
    print(vendor.url, flush=True)
    threading.Event().wait()
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--contacts", type=int, default=20_000)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url, server = f"sqlite:///{folder}/padron.db", None
        if wanted.engine == "postgresql":
            server, url = servers.start_postgres()
            url = url.replace("postgresql://", "postgresql+psycopg://")
        try:
            _measure(url, Path(folder), wanted.contacts // 2)
        finally:
            if server is not None:
                server.stop()


def _measure(url: str, folder: Path, count: int) -> None:
    store, settings = open_store(url), Settings(home=folder, default_country="CO")
    vendor, address = stand_in(count)
    fill_here(store, count)
    number = connect(store, settings, address)
    try:
        for name in ("first", "nothing changed"):
            _run(name, store, settings, number, 2 * count)
    finally:
        vendor.kill()
        store.dispose()


def stand_in(count: int) -> "tuple[subprocess.Popen[str], str]":
    """The CRM with so many contacts, and its address."""
    vendor = subprocess.Popen([sys.executable, "-c", _SERVER, str(count)], stdout=subprocess.PIPE, text=True)
    assert vendor.stdout
    return vendor, vendor.stdout.readline().strip()


def connect(store: Engine, settings: Settings, address: str, **secrets: str) -> int:
    """A connection to it with the mapping that is proposed; its number."""
    asked = Asked("benchmark", datetime.now(UTC))
    form = ConnectionForm({"url": address}, {"token": "pat-1", **secrets})
    number = pipeline.create_connection(store, settings, "hubspot", "hubspot", form, asked).id
    pipeline.read_fields(store, settings, "hubspot")
    mapping = pipeline.proposed_mapping(store, settings, "hubspot")
    pipeline.set_mapping(store, settings, "hubspot", mapping, asked)
    with transaction(store) as connection:
        connections.set_connection(connection, number, {"state": "active", "applied_mapping": mapping.hash})
    return number


def _run(name: str, store: Engine, settings: Settings, number: int, count: int) -> None:
    burst = next(one for one in read_connector(settings.home, "hubspot").limits.buckets if one.name == "burst")
    began, cpu = time.monotonic(), time.process_time()
    factory = crm_factory(store, settings)
    report = run_sync(store, settings, number, factory, lambda: datetime.now(UTC), Asking("benchmark"))
    took, used = time.monotonic() - began, time.process_time() - cpu
    assert report is not None
    allowed = max(0.0, (report.calls - burst.calls) / (burst.calls / burst.seconds))
    shares = {key: count for key, count in report.counts.items() if count}
    print(f"{name}: {report.state}, {report.calls} calls in {took:.1f} s (the CRM allows them in {allowed:.1f} s)")
    print(f"  our own time {used:.1f} s, {used / count * 1000:.2f} ms a contact; {shares}", flush=True)


def fill_here(store: Engine, count: int) -> None:
    """So many contacts of this side."""
    ids = np.arange(1, count + 1)
    at = pa.array([datetime.now(UTC)] * count, pa.timestamp("us", "UTC"))
    phones = [f"+57310{one:07}" for one in ids]
    emails = [f"here{one}@example.org" for one in ids]
    rows = {
        "id": ids,
        "first_name": [f"Ana{one}" for one in ids],
        "last_name": ["Ruiz"] * count,
        "display_name": [f"Ana{one} Ruiz" for one in ids],
        "phone": phones,
        "phone_match": phones,
        "email": emails,
        "email_match": emails,
        "status": ["active"] * count,
        "created_at": at,
    }
    changes = {"id": ids, "contact_id": ids, "actor": ["benchmark"] * count, "at": at, "operation": ["create"] * count}
    with transaction(store) as connection:
        for name in ("contacts", "contact_changes"):
            bulk.take_ids(connection, name, count)
        bulk.insert_rows(connection, contacts, pa.table(rows))
        bulk.insert_rows(connection, contact_changes, pa.table(changes))


if __name__ == "__main__":
    main()
