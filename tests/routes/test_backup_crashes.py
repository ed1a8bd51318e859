"""Backups whose process is killed: none that looks good and is not, none lost, and no store restored by half."""

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from benchmarks.people import write_people
from pipelines.backup_retention import prune
from pipelines.backups import create_backup, list_backups, names_in, place_of
from pipelines.restores import verify
from schemas.backups import backup_name
from schemas.settings import Settings
from tests.backing import beat, content
from tests.conftest import Roll
from tests.forks import fork
from tests.routes.running import environment, utc_now, wait_until
from warehouse.store import open_store

KILLS = pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.slow)])
ANEW = ("audit", "id_ranges", "jobs", "operator_sessions", "exports")


class Commands:
    """Runs commands over one home, and kills them."""

    def __init__(self, home: Path, log: Path) -> None:
        self.home, self.log = home, log
        self.settings = Settings(home=home, default_country="CO")

    def run(self, *arguments: str, dies_after: float | None = None, **settings: str) -> int | None:
        """The exit code, negative where it was killed."""
        process = fork(list(arguments), environment(self.home, **settings), (Path(os.devnull), self.log, self.log))
        process.join(dies_after if dies_after is not None else 60)
        if process.is_alive() and process.pid:
            os.killpg(process.pid, signal.SIGKILL)
            process.join(10)
            return -signal.SIGKILL
        return process.exitcode

    def seconds(self, *arguments: str, **settings: str) -> float:
        began = time.monotonic()
        assert self.run(*arguments, **settings) == 0, self.log.read_text()
        return time.monotonic() - began


@pytest.fixture
def commands(roll: Roll, tmp_path: Path) -> Commands:
    home = tmp_path / "home"
    home.mkdir()
    write_people(tmp_path / "people.csv", 8_000, seed=3)
    roll.import_path(tmp_path / "people.csv", custom_fields={"plan": "text"})
    roll.engine.dispose()
    os.replace(tmp_path / "padron.db", home / "padron.db")
    return Commands(home, tmp_path / "log")


def all_good(commands: Commands, *, looked_at: tuple[str, ...] | list[str] = ()) -> list[str]:
    """The backups that are listed, each of which is whole: in every page, or in its files if that was looked at."""
    found = [one.manifest for one in list_backups(commands.settings)]
    for manifest in found:
        verify(commands.settings, manifest, 1 if manifest.name in looked_at else 2, beat())
    return [manifest.name for manifest in found]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [40])
def test_a_backup_that_is_killed_is_none_and_the_next_one_is_good(commands: Commands, kills: int) -> None:
    whole, chance = min(commands.seconds("backup", "create") for _ in range(2)), random.Random(5)
    known, killed = all_good(commands), 0

    for _ in range(kills):
        code = commands.run("backup", "create", dies_after=chance.uniform(0.1, 0.95) * whole)
        killed += code is not None and code < 0
        now = all_good(commands, looked_at=known)
        assert set(now) >= set(known)
        wait_until(lambda: commands.run("backup", "create") == 0, 20, pause=0.5)
        known = all_good(commands, looked_at=now)

    assert killed > kills // 4
    engine = open_store(commands.settings.store_url)
    later = utc_now() + timedelta(days=2)
    pruned = prune(engine, commands.settings, later, is_rehearsal=True)
    prune(engine, commands.settings, later)
    engine.dispose()
    assert set(names_in(place_of(commands.settings))) == set(known) - set(pruned.backups)
    assert not [path for path in (commands.home / "scratch").iterdir() if path.is_dir()], "the last one swept"


@pytest.mark.slow
@pytest.mark.parametrize("kills", [40])
def test_killing_who_verifies_or_prunes_harms_no_backup(commands: Commands, kills: int) -> None:
    engine = open_store(commands.settings.store_url)
    for days in range(9, 0, -1):
        at = utc_now() - timedelta(days=days)
        create_backup(engine, commands.settings, backup_name(at, 1, 1), lambda at=at: at, lambda done, total: None)
    engine.dispose()
    known, chance = all_good(commands), random.Random(7)
    whole = commands.seconds("backup", "verify", "--level", "3")

    for number in range(kills):
        if number % 2:
            commands.run("backup", "verify", "--level", "3", dies_after=chance.uniform(0.1, 1) * whole)
            assert all_good(commands, looked_at=known) == known
        else:
            commands.run("backup", "prune", dies_after=chance.uniform(0.1, 1.2), PADRON_BACKUP_KEEP="1 1 1")
            left = all_good(commands, looked_at=known)
            assert left[-1] == known[-1], "the newest stays"
            known = left

    assert commands.run("backup", "verify", "--level", "3") == 0
    assert commands.run("backup", "prune", PADRON_BACKUP_KEEP="1 1 1") == 0
    assert len(all_good(commands)) < 5


def of(engine: Engine) -> dict[str, list[str]]:
    found = content(engine, *ANEW)
    engine.dispose()
    return found


@KILLS
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_a_restore_that_is_killed_leaves_all_or_nothing(
    commands: Commands, kills: int, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before, chance = of(open_store(commands.settings.store_url)), random.Random(9)
    commands.seconds("backup", "create")
    urls: Callable[[int], str] = lambda number: f"sqlite:///{tmp_path / f'other{number}.db'}"  # noqa: E731
    if kind == "postgresql":
        one: str = request.getfixturevalue("postgres_url")
        urls = lambda number: one  # noqa: E731
    whole = 1.5
    if kind == "sqlite":
        whole = commands.seconds("restore", "newest", "--yes", PADRON_DATABASE_URL=urls(-1))
    states = set()

    for number in range(kills):
        part = (
            chance.uniform(0.1, 1.1) if kind == "sqlite" else 0.1 + 2 * number / kills
        )  # one database: until it is in
        dies_after = part * whole
        code = commands.run("restore", "newest", "--yes", dies_after=dies_after, PADRON_DATABASE_URL=urls(number))
        engine = open_store(urls(number))
        found = of(engine)
        states.add((code == 0, found == before))
        assert found == before or not found["contacts"], "all or nothing"
        if found == before and kind == "postgresql":
            break

    assert (False, False) in states
    if not any(restored for _, restored in states):
        assert commands.run("restore", "newest", "--yes", PADRON_DATABASE_URL=urls(kills)) == 0
        assert of(open_store(urls(kills))) == before
