"""The endpoint served for real, over a real store, and people who call it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from admin.api.callers import Desk
from admin.api.server import AdminServer
from pipelines.licences import LicenceForm, create_licence
from pipelines.operators import create_operator
from pipelines.passwords import Password
from schemas.operators import OperatorForm
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked

PASSWORD = "tres gatos en un tejado"


@dataclass
class Endpoint:
    """The endpoint under test; calls go over HTTP."""

    store: Roll
    url: str
    woken: list[int] = field(default_factory=list)
    woken_for_jobs: list[int] = field(default_factory=list)

    def call(self, method: str, path: str, secret: str = "", **arguments: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        headers |= arguments.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=30, **arguments)

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


def serve(store: Roll, **settings: Any) -> Iterator[Endpoint]:
    found: list[int] = []
    jobs: list[int] = []
    desk = Desk(Settings(home=store.folder, admin_port=0, **settings), store.engine, utc_now, found.append, jobs.append)
    server = AdminServer(desk)
    server.start()
    yield Endpoint(store, server.url, found, jobs)
    threading.Thread(target=server.stop).start()  # it looks up from its work every 0.1 s; nobody need wait for that


@pytest.fixture
def endpoint(roll: Roll) -> Iterator[Endpoint]:
    """The endpoint over SQLite."""
    yield from serve(roll)


@pytest.fixture
def endpoints(store: Roll) -> Iterator[Endpoint]:
    """The endpoint, once over SQLite and once over PostgreSQL."""
    yield from serve(store)
