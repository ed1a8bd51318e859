"""Padrón's processes and the servers that they run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.conftest import _missing
from tests.routes.cluster import Cluster
from tests.routes.running import Running, Start, a_home


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Padrón's commands over one home folder, and kills what is left of them at the end."""
    home = a_home(tmp_path / "home")
    running: list[Running] = []

    def begin(command: str = "up", **settings: str) -> Running:
        running.append(Running(command, home, tmp_path / f"{command}.log", **settings))
        return running[-1]

    yield begin
    for item in running:
        item.kill()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    try:
        found = Cluster()
    except servers.Missing as error:
        _missing(f"PostgreSQL or Redis ({error})")
        return
    yield found
    found.stop()
