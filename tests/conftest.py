"""Real stores, servers and workers for the tests; where PostgreSQL or Redis is missing, that is said loudly."""

import gc
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from argon2 import PasswordHasher
from hypothesis import Phase, settings
from sqlalchemy import Engine, text

from pipelines import imports, passwords
from pipelines.byhand import import_by_hand, new_lease
from pipelines.imports import Job
from schemas.profiles import Profile
from schemas.reports import ImportReport
from tests import servers
from tests.browser import Browser, open_browser
from tests.commands import run
from warehouse.bulk import take_ids
from warehouse.engines import reading, transaction
from warehouse.store import open_store

# The same examples in every run, and no hour of shrinking: a failure is looked into by hand.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target)
settings.register_profile("padron", derandomize=True, phases=_PHASES, deadline=None, database=None)
settings.load_profile("padron")

__all__ = ["run"]  # a fixture of every test

_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_NOBODY = _CHEAP.hash("nobody")
_ON_BOTH = ("test_races", "test_seats")
SHARED = Path(__file__).resolve().parents[2] / "shared"
CORPUS = SHARED / "corpus"


def utc_now() -> datetime:
    return datetime.now(UTC)


def _missing(what: str) -> None:
    """In CI a missing server is a failure; elsewhere the test says what was not run."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not installed, and CI must run these tests")
    warnings.warn(f"NOT RUN: {what} is not installed", stacklevel=2)
    pytest.skip(f"{what} is not installed: its tests were NOT run")


@pytest.fixture(autouse=True)
def passwords_cost_little(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id in its cheapest form, as nobody guesses here; marked tests have it as it is."""
    if not request.node.get_closest_marker("real_passwords"):
        monkeypatch.setattr(passwords, "_HASHER", _CHEAP)
        monkeypatch.setattr(passwords, "_NOBODY", _NOBODY)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a throwaway server; every test gets a database of its own from `postgres_url`."""
    try:
        server, url = servers.start_postgres()
    except servers.Missing as error:
        _missing(f"PostgreSQL ({error})")
        return
    template = url.rsplit("/", 1)[0] + "/padron_template"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE padron_template")
    open_store(template.replace("postgresql://", "postgresql+psycopg://")).dispose()
    yield url
    server.stop()


@pytest.fixture(scope="session")
def databases(postgres: str) -> Iterator[psycopg.Connection[Any]]:
    """One session that makes and drops them all: a fresh one needs ten times as long to make its first (0.3 s)."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgres_url(postgres: str, databases: psycopg.Connection[Any]) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    databases.execute(f"CREATE DATABASE {name} TEMPLATE padron_template".encode())
    yield postgres.replace("postgresql://", "postgresql+psycopg://").rsplit("/", 1)[0] + f"/{name}"
    databases.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    try:
        server, url = servers.start_redis()
    except servers.Missing as error:
        _missing(f"Redis ({error})")
        return
    yield url
    server.stop()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A real Chromium that asks for pages in Spanish."""
    try:
        with open_browser(tmp_path / "browser", "es") as found:
            yield found
    except servers.Missing as error:
        _missing(str(error))


@dataclass
class Roll:
    """A store under test, with the few things that tests do to it."""

    engine: Engine
    folder: Path
    imports: int = field(default=0)

    def use_up_ids(self, count: int) -> None:
        """As if so many contacts had come and had been taken back: they are gone, and the ids of later ones are higher."""
        with transaction(self.engine) as connection:
            take_ids(connection, "contacts", count)

    def import_text(self, content: str, name: str = "contacts.csv", **profile: Any) -> ImportReport:
        """Import this text as a file; keywords are attributes of the profile."""
        return self.import_bytes(content.encode(), name, **profile)

    def import_bytes(self, content: bytes, name: str = "contacts.csv", **profile: Any) -> ImportReport:
        self.imports += 1
        path = self.folder / f"{self.imports}-{name}"
        path.write_bytes(content)
        return self.import_path(path, **profile)

    def import_path(self, path: Path, **profile: Any) -> ImportReport:
        self.imports += 1
        found = Profile(**{"default_country": "CO", **profile})
        job = Job(path, path.name, found, self.folder / f"report-{self.imports}.csv")
        return import_by_hand(self.engine, job, new_lease(60, utc_now), "test").report

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with reading(self.engine) as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    def run(self, sql: str) -> None:
        """Change the store by hand."""
        with transaction(self.engine) as connection:
            connection.execute(text(sql))

    def one(self, sql: str, **values: Any) -> Any:
        found = self.rows(sql, **values)
        assert len(found) == 1, found
        return found[0][0] if len(found[0]) == 1 else found[0]

    def living(self, columns: str = "display_name, phone, email") -> list[tuple[Any, ...]]:
        """The contacts on the roll, oldest first."""
        return self.rows(f"SELECT {columns} FROM contacts WHERE deleted_at IS NULL ORDER BY id")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store whose copies need no migration."""
    path = tmp_path_factory.mktemp("template") / "padron.db"
    open_store(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "padron.db")
    return f"sqlite:///{tmp_path / 'padron.db'}"


def pytest_collection_finish() -> None:
    """Let collections pass over what is imported."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What pipelines and the endpoint do on PostgreSQL too is for the slow lane; races and the store itself for both.

    Groups that run one after the other begin first, so that no worker waits for them in the end.
    """
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
    for item in items:
        is_above = item.path.parent.name in ("pipelines", "api") and item.path.stem not in _ON_BOTH
        if is_above and "postgresql" in item.name:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Roll]:
    """An empty store, once on SQLite and once on PostgreSQL."""
    engine = open_store(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
    yield Roll(engine, tmp_path)
    engine.dispose()


@pytest.fixture
def roll(sqlite_url: str, tmp_path: Path) -> Iterator[Roll]:
    """An empty store on SQLite, for tests about things that do not depend on the database."""
    engine = open_store(sqlite_url)
    yield Roll(engine, tmp_path)
    engine.dispose()


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The shared corpus of hard files, where it stands beside the project."""
    if not CORPUS.exists():
        pytest.skip("the shared corpus is not beside the project")
    return CORPUS


@pytest.fixture
def slices() -> Iterator[Callable[[int], None]]:
    """Sets how many rows a slice has, and puts back what was."""
    kept = imports._FIRST, imports._SMALLEST, imports._LARGEST

    def of(size: int) -> None:
        imports._FIRST = imports._SMALLEST = imports._LARGEST = size

    yield of
    imports._FIRST, imports._SMALLEST, imports._LARGEST = kept


@pytest.fixture(scope="session")
def kinto() -> Iterator[str]:
    try:
        server, url = servers.start_kinto()
    except servers.Missing as error:
        _missing(str(error))
        return
    requests.put(f"{url}/v1/accounts/peer", json={"data": {"password": "s3cret"}}, timeout=20).raise_for_status()
    yield url
    server.stop()
