"""The endpoint served for real, over a real store, and people who call it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match

from admin.api.callers import Desk
from admin.api.server import AdminServer
from pipelines.imports import Clock
from pipelines.jobs import run_job
from pipelines.licences import LicenceForm, create_licence
from pipelines.operators import create_operator
from pipelines.passwords import Password
from schemas.operators import OperatorForm
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked

PASSWORD = "tres gatos en un tejado"
_DOCUMENT: dict[str, Any] = {}
"""The document of the API, the same for every endpoint; making it takes longer than most tests."""
_TOLD = frozenset({"ETag", "Location", "Set-Cookie", "Retry-After", "WWW-Authenticate"})


@dataclass
class Endpoint:
    """The endpoint under test; calls go over HTTP."""

    store: Roll
    url: str
    app: FastAPI
    woken: list[int] = field(default_factory=list)
    woken_for_jobs: list[int] = field(default_factory=list)

    def call(self, method: str, path: str, secret: str = "", **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        headers |= arguments.pop("headers", {})
        answer = requests.request(method, self.url + path, headers=headers, timeout=30, **arguments)
        self._check_headers(method, path, answer)
        return answer

    def _check_headers(self, method: str, path: str, answer: requests.Response) -> None:
        """The document of the API tells of the headers that an answer has."""
        scope = {"type": "http", "method": method, "path": path.partition("?")[0], "root_path": ""}
        routes = (one for one in self.app.routes if isinstance(one, APIRoute) and one.include_in_schema)
        found = next((route for route in routes if route.matches(scope)[0] == Match.FULL), None)
        if found is not None:
            if not _DOCUMENT:
                _DOCUMENT.update(self.app.openapi())
            answers = _DOCUMENT["paths"][found.path][method.lower()]["responses"]
            told = answers.get(str(answer.status_code), {}).get("headers", {})
            assert _TOLD.intersection(answer.headers) <= told.keys(), (method, path, answer.status_code)

    def finish(self, answer: requests.Response, secret: str) -> dict[str, Any]:
        """The job that was answered with, once a worker has done it."""
        assert answer.status_code == 202, answer.text
        run_job(self.store.engine, answer.json()["id"], Settings(home=self.store.folder), utc_now)
        found: dict[str, Any] = self.call("GET", f"/api/jobs/{answer.json()['id']}", secret).json()
        return found

    def operator(self, email: str, *roles: str, seats: int = 1, **values: Any) -> int:
        """An operator with these roles and a licence of their own."""
        asked = Asked("test", utc_now())
        licence = create_licence(self.store.engine, LicenceForm(f"Of {email}", seats=seats), asked)
        form = OperatorForm(email, "Ana", "Pérez", licence_id=licence.id, roles=roles, **values)
        return create_operator(self.store.engine, form, Password(PASSWORD, PASSWORD), asked).id

    def sign_in(self, email: str, password: str = PASSWORD) -> str:
        answer = self.call("POST", "/api/sessions", json={"email": email, "password": password})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    def someone(self, *roles: str) -> str:
        """The secret of a new operator with these roles, signed in."""
        email = f"{'-'.join(roles) or 'nobody'}@example.org"
        self.operator(email, *roles)
        return self.sign_in(email)


def serve(store: Roll, clock: Clock = utc_now, **settings: Any) -> Iterator[Endpoint]:
    found: list[int] = []
    jobs: list[int] = []
    desk = Desk(Settings(home=store.folder, admin_port=0, **settings), store.engine, clock, found.append, jobs.append)
    server = AdminServer(desk)
    server.start()
    yield Endpoint(store, server.url, server.app, found, jobs)
    threading.Thread(target=server.stop).start()  # it looks up from its work every 0.1 s; nobody need wait for that


@pytest.fixture
def endpoint(roll: Roll) -> Iterator[Endpoint]:
    """The endpoint over SQLite."""
    yield from serve(roll)


@pytest.fixture
def endpoints(store: Roll) -> Iterator[Endpoint]:
    """The endpoint, once over SQLite and once over PostgreSQL."""
    yield from serve(store)
