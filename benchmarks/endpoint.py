"""`python -m benchmarks.endpoint`: sign-ins a second, and pages of long lists against their bare queries.

A store with 100,000 operators and 100,000 batches, served by a process of its own. Pages are asked for one by one over
one connection, in turn with the same query through the same driver. Then a hundred operators sign in from eight
threads (limit: 20 a second), while another client goes on asking for pages.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, insert

from admin.api.pages import cursor_of
from benchmarks.importing import SERVER, database
from pipelines.licences import LicenceForm, create_licence
from pipelines.operators import create_operator
from pipelines.passwords import Password
from schemas.operators import OperatorForm
from tests import servers
from warehouse import batches as batch_rows
from warehouse import bulk, operators
from warehouse.access_tables import operator_roles
from warehouse.access_tables import operators as operator_table
from warehouse.audit import Asked
from warehouse.engines import reading, transaction
from warehouse.store import open_store
from warehouse.tables import batches

_PASSWORD = "tres gatos en un tejado"
_PAGE = 50
_SIGN_INS, _THREADS = 100, 8


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--pages", type=int, default=200)
    arguments.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    found = arguments.parse_args()
    for engine in found.engine or ["sqlite", "postgresql"]:
        server, admin = servers.start_postgres(**SERVER) if engine == "postgresql" else (None, "")
        try:
            with tempfile.TemporaryDirectory(prefix="padron-bench-") as folder:
                url = database(engine, Path(folder), admin)
                print(
                    json.dumps({"engine": engine, **_measure(url, Path(folder), found.rows, found.pages)}), flush=True
                )
        finally:
            if server:
                server.stop()


def _measure(url: str, folder: Path, rows: int, pages: int) -> dict[str, Any]:
    store = open_store(url)
    _fill(store, rows)
    port = servers.free_port()
    variables = {"PADRON_HOME": str(folder), "PADRON_DATABASE_URL": url.replace("+psycopg", "")}
    variables |= {"PADRON_ADMIN_PORT": str(port), "PADRON_SESSION_HOURS": "24"}
    command = [sys.executable, "-m", "admin.command", "admin"]
    with subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL) as endpoint:
        try:
            api = f"http://127.0.0.1:{port}"
            _wait(api)
            with requests.Session() as session:
                body = {"email": "admin@example.org", "password": _PASSWORD}
                secret = session.post(f"{api}/api/sessions", json=body, timeout=30).json()["secret"]
                session.headers["Authorization"] = f"Bearer {secret}"
                return {**_pages(session, api, store, rows, pages), **_sign_ins(session, api)}
        finally:
            endpoint.terminate()
            store.dispose()


def _fill(store: Engine, rows: int) -> None:
    now = datetime.now(UTC)
    asked = Asked("benchmark", now)
    licence = create_licence(store, LicenceForm("Everybody", seats=100_000), asked)
    for number in range(_SIGN_INS + 1):
        email = f"s{number}@example.org" if number else "admin@example.org"
        form = OperatorForm(email, "Ana", "Pérez", licence_id=licence.id, roles=("administrator",))
        create_operator(store, form, Password(_PASSWORD, _PASSWORD), asked)
    with transaction(store) as connection:
        first = bulk.take_ids(connection, "operators", rows)
        people = [_operator(first + number, number, now) for number in range(rows)]
        connection.execute(insert(operator_table), people)
        connection.execute(insert(operator_roles), [{"operator_id": one["id"], "role": "agent"} for one in people])
        first = bulk.take_ids(connection, "batches", rows)
        connection.execute(insert(batches), [_batch(first + number, now) for number in range(rows)])


def _operator(number: int, place: int, now: datetime) -> dict[str, Any]:
    email = f"operator{place}@example.org"
    flags = dict.fromkeys(("must_change_password", "is_agent", "may_leave_open", "sees_queued"), False)
    names = {"first_name": f"Name{place}", "last_name": "Pérez", "search_text": f"name{place}\nperez\n{email}"}
    states = {"is_active": True, "agent_state": "offline", "agent_state_at": now, "created_at": now}
    return {"id": number, "email": email, "email_match": email, **names, **flags, **states, "max_conversations": 5}


def _batch(number: int, now: datetime) -> dict[str, Any]:
    names = {"source": "default", "profile": "default", "file": f"{number}.csv", "path": f"/done/{number}.csv"}
    return {"id": number, **names, "actor": "benchmark", "state": "done", "created_at": now}


def _wait(api: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            requests.get(f"{api}/health/live", timeout=1)
            return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError("the endpoint did not answer")


def _pages(session: requests.Session, api: str, store: Engine, rows: int, pages: int) -> dict[str, Any]:
    """Median milliseconds of a page and of its bare query, asked in turn, somewhere in the middle of each list."""
    middle = rows // 2

    def bare_operators() -> object:
        with reading(store) as connection:
            return operators.find_operators(connection, operator_table.c.id > middle, limit=_PAGE + 1)

    def bare_batches() -> object:
        with reading(store) as connection:
            return batch_rows.list_batches(connection, _PAGE + 1, before=middle)

    found: dict[str, Any] = {}
    for name, bare in {"operators": bare_operators, "batches": bare_batches}.items():
        ask = _asking(session, f"{api}/api/{name}?limit={_PAGE}&cursor={cursor_of(middle)}")
        asked, queried = zip(*((_timed(ask), _timed(bare)) for _ in range(pages)), strict=True)
        page, query = (statistics.median(times) * 1000 for times in (asked, queried))
        found[f"{name}: page ms (limit 20)"] = round(page, 2)
        found[f"{name}: page / bare query"] = round(page / query, 1)
    return found


def _asking(session: requests.Session, url: str) -> Callable[[], object]:
    def ask() -> object:
        answer = session.get(url, timeout=30)
        answer.raise_for_status()
        return answer.content

    return ask


def _timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def _sign_ins(session: requests.Session, api: str) -> dict[str, Any]:
    """Sign-ins a second, and how long somebody else waits for a page meanwhile."""
    ask, waits, over = _asking(session, f"{api}/api/operators?limit={_PAGE}"), list[float](), threading.Event()

    def others() -> None:
        while not over.is_set():
            waits.append(_timed(ask))
            time.sleep(0.02)

    def sign_in(number: int) -> None:
        body = {"email": f"s{number + 1}@example.org", "password": _PASSWORD}
        answer = requests.post(f"{api}/api/sessions", json=body, timeout=60)
        if answer.status_code != 201:
            raise RuntimeError(answer.text)

    other = threading.Thread(target=others)
    other.start()
    began = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(sign_in, range(_SIGN_INS)))
    seconds = time.perf_counter() - began
    over.set()
    other.join()
    waits.sort()
    return {
        "sign-ins a second (limit 20)": round(_SIGN_INS / seconds, 1),
        "page meanwhile, median ms": round(statistics.median(waits) * 1000, 1),
        "page meanwhile, 95 % ms": round(waits[int(len(waits) * 0.95)] * 1000, 1),
    }


if __name__ == "__main__":
    main()
