"""What is promised when something fails: nothing lost, nothing twice."""

import csv
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, func, select

from benchmarks.people import write_people
from connectors.folders import Watch, make_places
from connectors.profiles import DropFolder
from pipelines.drops import claim_ready, import_drop
from schemas.settings import Settings
from tests.conftest import Roll, _missing
from tests.forks import FORKS
from tests.routes.cluster import Cluster
from tests.routes.running import (
    Content,
    Start,
    a_home,
    assert_same_content,
    content_of,
    drop,
    drop_text,
    import_drops,
    states_of,
    utc_now,
    wait_until,
)
from warehouse import indexes
from warehouse.engines import reading
from warehouse.store import open_store
from warehouse.tables import batch_rows, batches, contact_changes


def a_heap(folder: Path, files: int, rows: int) -> list[Path]:
    """Files of people who are in no other file, so that their order does not matter."""
    paths = []
    for number in range(files):
        path = folder / f"heap-{number}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Nombre", "Teléfono", "Correo electrónico", "Etiquetas", "plan"])
            for row in range(rows):
                person = number * rows + row
                cells = [f"Persona {person}", f"+598 94 {person:06d}", f"p{person}@heap.example", f"h{number}", "pro"]
                writer.writerow(cells)
        paths.append(path)
    return paths


def groups_of_files(folder: Path, rounds: int = 1, rows: int = 40_000) -> list[list[Path]]:
    """Files to be dropped group after group: a first load, the same people changed, and a heap of small files."""
    folder.mkdir()
    groups = []
    for number in range(rounds):
        first, second = folder / f"first-{number}.csv", folder / f"second-{number}.csv"
        write_people(first, rows, seed=number + 1, bad=0.005)
        write_people(second, rows // 7, seed=number + 1, changed=0.5)
        groups += [[first], [second]]
    return [*groups, a_heap(folder, 4, 500)]


def clean_run(folder: Path, groups: list[list[Path]]) -> Content:
    """What the store holds after one undisturbed run."""
    settings = Settings(home=a_home(folder))
    engine = open_store(settings.store_url)
    for group in groups:
        drop(folder / "drop" / "incoming", *group)
        import_drops(engine, settings)
    content = content_of(engine)
    engine.dispose()
    return content


def assert_all_is_in_its_place(home: Path, engine: Engine, groups: list[list[Path]]) -> None:
    """Every file is in done/, none in working/, the records say where, and no index is missing."""
    names = sorted(file.name for group in groups for file in group)
    done = home / "drop" / "done"
    assert sorted(path.name for path in done.iterdir() if path.name.endswith(".csv") and "report" not in path.name) == (
        names
    )
    assert [path.name for path in (home / "drop" / "working").iterdir()] == []
    assert [path.name for path in (home / "drop" / "rejected").iterdir()] == []
    assert indexes.missing(engine) == ()
    with reading(engine) as connection:
        records = connection.execute(select(batches.c.file, batches.c.path, batches.c.reject_file)).all()
    assert sorted(record.file for record in records) == names
    assert [record.path for record in records if not Path(record.path).exists()] == []
    assert [
        record.reject_file for record in records if record.reject_file and not Path(record.reject_file).exists()
    ] == []


def kill_and_start_until_done(start: Start, home: Path, groups: list[list[Path]], kills: list[int], seed: int) -> int:
    """Drop group after group; kill the process so many times during each; the number of kills."""
    random_ = random.Random(seed)
    engine = open_store(f"sqlite:///{home / 'padron.db'}")
    process, killed, files = start().wait_ready(), 0, 0

    def all_done() -> bool:
        return states_of(engine)["done"] == files

    for group, times in zip(groups, kills, strict=True):
        drop(home / "drop" / "incoming", *group)
        files += len(group)
        while True:
            patience = random_.uniform(0.05, 0.9) if times else 120
            if wait_until(all_done, patience, 0.02):
                break
            assert times, f"not done in {patience} s: {states_of(engine)}\n{process.said()[-3000:]}"
            process.kill()
            times, killed = times - 1, killed + 1
            process = start()
            if random_.random() < 0.8:
                process.wait_ready()
    assert process.stop() == 0
    engine.dispose()
    return killed


@pytest.mark.xdist_group("crashes")
def test_a_process_killed_again_and_again_loses_nothing_and_does_nothing_twice(start: Start, tmp_path: Path) -> None:
    groups = groups_of_files(tmp_path / "files", rows=3_000)

    killed = kill_and_start_until_done(start, tmp_path / "home", groups, [1, 1, 1], seed=1)

    assert killed >= 2
    engine = open_store(f"sqlite:///{tmp_path / 'home' / 'padron.db'}")
    assert_same_content(content_of(engine), clean_run(tmp_path / "clean", groups))
    assert_all_is_in_its_place(tmp_path / "home", engine, groups)
    engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.xdist_group("crashes")
def test_two_hundred_kills_lose_nothing_and_do_nothing_twice(start: Start, tmp_path: Path) -> None:
    groups = groups_of_files(tmp_path / "files", rounds=10)

    killed = kill_and_start_until_done(start, tmp_path / "home", groups, [20, 3] * 10 + [5], seed=2)

    assert killed >= 150
    engine = open_store(f"sqlite:///{tmp_path / 'home' / 'padron.db'}")
    assert_same_content(content_of(engine), clean_run(tmp_path / "clean", groups))
    assert_all_is_in_its_place(tmp_path / "home", engine, groups)
    engine.dispose()


class Died(BaseException):
    """Stands for the death of a worker at this line."""


def dies_when_gone(path: Path) -> Callable[[], datetime]:
    """A clock whose reader dies once the file was moved away."""

    def clock() -> datetime:
        if not path.exists():
            raise Died
        return utc_now()

    return clock


def claimed(roll: Roll, name: str, text: str) -> tuple[Settings, int, Path]:
    """A file that a watcher has claimed: the settings, its batch, and where it lies."""
    settings = Settings(home=roll.folder / "home")
    folder = DropFolder(settings.home / "drop")
    make_places(folder)
    drop_text(folder.path / "incoming", name, text)
    [number] = claim_ready(roll.engine, Watch(folder, 0), settings, utc_now, time.monotonic())
    [path] = (folder.path / "working").iterdir()
    return settings, number, path


def after_the_lease() -> datetime:
    return utc_now() + timedelta(hours=1)


def test_a_worker_that_dies_after_moving_an_imported_file_leaves_its_record_right(roll: Roll) -> None:
    settings, number, path = claimed(roll, "a.csv", "email,nombre\nana@example.org,Ana\nnadie,Nadie\n")
    with pytest.raises(Died):
        import_drop(roll.engine, number, settings, dies_when_gone(path))

    import_drop(roll.engine, number, settings, after_the_lease)

    state, where, report = roll.one("SELECT state, path, reject_file FROM batches")
    assert (state, Path(where).exists(), Path(report or "nowhere").exists()) == ("done", True, True)


def test_a_worker_that_dies_after_moving_a_refused_file_leaves_it_refused(roll: Roll) -> None:
    settings, number, path = claimed(roll, "a.csv", "")
    with pytest.raises(Died):
        import_drop(roll.engine, number, settings, dies_when_gone(path))

    import_drop(roll.engine, number, settings, after_the_lease)

    assert roll.one("SELECT state FROM batches") == "rejected"
    assert [item.name for item in (settings.home / "drop" / "done").iterdir()] == []


def test_a_file_left_in_working_without_a_batch_is_adopted(roll: Roll) -> None:
    settings = Settings(home=roll.folder / "home")
    folder = DropFolder(settings.home / "drop")
    make_places(folder)
    drop_text(folder.path / "working", "0123__a.csv", "email\nana@example.org\n")

    numbers = import_drops(roll.engine, settings)

    assert (len(numbers), roll.living("email")) == (1, [("ana@example.org",)])
    assert (folder.path / "done" / "a.csv").exists()


def claim_all(settings: Settings, together: Barrier) -> None:
    engine, watch = open_store(settings.store_url), Watch(DropFolder(settings.home / "drop"), 0)
    together.wait(60)
    for _ in range(3):
        claim_ready(engine, watch, settings, utc_now, time.monotonic())


def test_two_watchers_on_one_folder_claim_each_file_once(roll: Roll) -> None:
    settings = Settings(home=roll.folder / "home", database_url=roll.engine.url.render_as_string())
    folder = DropFolder(settings.home / "drop")
    make_places(folder)
    for number in range(120):
        drop_text(folder.path / "incoming", f"{number}.csv", f"email\np{number}@example.org\n")
    both = FORKS.Barrier(2)
    watchers = [FORKS.Process(target=claim_all, args=(settings, both)) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join(60)

    assert [watcher.exitcode for watcher in watchers] == [0, 0]
    assert roll.one("SELECT count(*), count(DISTINCT file), count(DISTINCT claim) FROM batches") == (120, 120, 120)
    assert len(list((folder.path / "working").iterdir())) == 120


def test_the_same_file_dropped_ten_times_makes_its_contacts_once(roll: Roll) -> None:
    settings = Settings(home=roll.folder / "home")
    text = "email,nombre,notas\n" + "".join(f"p{number}@example.org,Persona {number},x\n" for number in range(50))

    for _ in range(10):
        drop_text(settings.home / "drop" / "incoming", "people.csv", text)
        import_drops(roll.engine, settings)

    assert roll.one("SELECT count(*), max(version) FROM contacts") == (50, 1)
    assert roll.rows("SELECT created, unchanged FROM batches ORDER BY id") == [(50, 0)] + [(0, 50)] * 9
    done = settings.home / "drop" / "done"
    assert len([path for path in done.iterdir() if path.suffix == ".csv"]) == 10


def is_in_a_transaction(lock: Path) -> bool:
    """Whether some process holds the store's lock file."""
    return subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode != 0


@pytest.mark.slow
@pytest.mark.xdist_group("crashes")
@pytest.mark.skipif(not shutil.which("flock"), reason="the command flock is not installed")
def test_a_worker_frozen_beyond_its_lease_writes_nothing_more(start: Start, tmp_path: Path) -> None:
    home = tmp_path / "home"
    people = tmp_path / "people.csv"
    write_people(people, 6_000)
    groups = [[people]]
    engine = open_store(f"sqlite:///{home / 'padron.db'}")
    frozen = start().wait_ready()
    drop(home / "drop" / "incoming", *groups[0])
    assert wait_until(lambda: states_of(engine)["running"] == 1, 30, 0.01)
    while True:
        frozen.send(signal.SIGSTOP)
        time.sleep(0.05)
        if not is_in_a_transaction(home / "padron.db.lock"):
            break
        frozen.send(signal.SIGCONT)
        time.sleep(0.02)
    assert states_of(engine)["done"] == 0

    other = start().wait_ready()
    assert wait_until(lambda: states_of(engine)["done"] == 1, 60), other.said()
    before = writes_of(engine)
    frozen.send(signal.SIGCONT)
    time.sleep(3)

    assert writes_of(engine) == before
    assert frozen.is_alive
    assert_same_content(content_of(engine), clean_run(tmp_path / "clean", groups))
    assert_all_is_in_its_place(home, engine, groups)
    assert (frozen.stop(), other.stop()) == (0, 0)
    engine.dispose()


def writes_of(engine: Engine) -> tuple[Any, ...]:
    with reading(engine) as connection:
        return (
            connection.execute(select(func.count()).select_from(contact_changes)).scalar(),
            connection.execute(select(func.count()).select_from(batch_rows)).scalar(),
            connection.execute(select(batches.c.attempts, batches.c.rows_done, batches.c.state)).all(),
        )


@pytest.mark.slow
@pytest.mark.xdist_group("crashes")
def test_a_full_disk_only_delays_the_import(start: Start, tmp_path: Path) -> None:
    home, files = tmp_path / "home", tmp_path / "files"
    files.mkdir()
    people = files / "people.csv"
    write_people(people, 4_000)
    profiles = home / "profiles"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(home)], capture_output=True)
    if mounted.returncode != 0:
        _missing("permission to mount a small disk")
    try:
        shutil.rmtree(profiles, ignore_errors=True)
        shutil.rmtree(home / "drop", ignore_errors=True)
        a_home(home)
        process = start().wait_ready()
        ballast = home / "ballast"
        ballast.write_bytes(bytes(max(shutil.disk_usage(home).free - people.stat().st_size - 300_000, 0)))
        drop(home / "drop" / "incoming", people)
        full = wait_until(lambda: "disk is full" in process.said() or "No space left" in process.said(), 30)
        time.sleep(1)
        ballast.unlink()

        assert process.is_alive, process.said()[-3000:]
        engine = open_store(f"sqlite:///{home / 'padron.db'}")
        assert wait_until(lambda: states_of(engine)["done"] == 1, 60), process.said()[-3000:]
        assert full
        assert process.stop() == 0
        assert_same_content(content_of(engine), clean_run(tmp_path / "clean", [[people]]))
        assert_all_is_in_its_place(home, engine, [[people]])
        engine.dispose()
        with sqlite3.connect(home / "padron.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    finally:
        process.kill()
        subprocess.run(["umount", "-l", str(home)], check=False)


# ── PostgreSQL and Redis, with a process for each part ───────────────────────────────────────────────────────────


@pytest.mark.timeout(1800)
@pytest.mark.xdist_group("cluster")
@pytest.mark.parametrize(
    ("rounds", "rows", "faults"),
    [pytest.param(1, 4_000, 6, id="quick"), pytest.param(8, 40_000, 70, id="slow", marks=pytest.mark.slow)],
)
def test_killed_workers_and_lost_servers_lose_nothing_and_do_nothing_twice(
    start: Start, cluster: Cluster, tmp_path: Path, rounds: int, rows: int, faults: int
) -> None:
    with psycopg.connect(cluster.admin_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS padron WITH (FORCE)")
        connection.execute("CREATE DATABASE padron")
    cluster.flush_redis()
    home, random_ = tmp_path / "home", random.Random(3)
    groups = groups_of_files(tmp_path / "files", rounds, rows)
    where = {"PADRON_DATABASE_URL": cluster.database_url, "PADRON_BROKER_URL": cluster.broker_url}
    engine = open_store(Settings(database_url=cluster.database_url).store_url)
    parts = {name: start(name, **where) for name in ("worker", "beat", "watch")}
    died: list[str] = []

    def keep_running() -> None:
        for name, part in parts.items():
            if not part.is_alive:
                died.append(f"{name}: {part.said()[-1500:]}")
                parts[name] = start(name, **where)

    def kill(name: str) -> None:
        parts[name].kill()
        parts[name] = start(name, **where)

    def lose_redis() -> None:
        cluster.kill_redis()
        time.sleep(random_.uniform(0, 1))
        cluster.start_redis()

    def lose_postgres() -> None:
        cluster.stop_postgres_at_once()
        time.sleep(random_.uniform(0, 1))
        cluster.start_postgres()

    kinds: list[Callable[[], None]] = [
        lambda: kill("worker"),
        lose_postgres,
        cluster.flush_redis,
        lambda: kill("watch"),
        lose_redis,
        lambda: kill("beat"),
        lambda: kill("worker"),
    ]
    done = files = 0

    def all_done() -> bool:
        keep_running()
        return states_of(engine)["done"] == files

    for index, group in enumerate(groups):
        drop(home / "drop" / "incoming", *group)
        files += len(group)
        until = faults * (index + 1) // len(groups)
        while not wait_until(all_done, random_.uniform(0.3, 2.5) if done < until else 120):
            assert done < until, f"{states_of(engine)}\n{parts['worker'].said()[-3000:]}"
            kinds[done % len(kinds)]()
            done += 1
        while done < until:
            kinds[done % len(kinds)]()
            done += 1
    assert wait_until(all_done, 60)

    assert_same_content(content_of(engine), clean_run(tmp_path / "clean", groups))
    assert_all_is_in_its_place(home, engine, groups)
    engine.dispose()


@pytest.mark.slow
@pytest.mark.xdist_group("cluster")
def test_the_watcher_outlives_a_stop_of_the_database(start: Start, cluster: Cluster, tmp_path: Path) -> None:
    home = tmp_path / "home"
    where = {"PADRON_DATABASE_URL": cluster.database_url, "PADRON_BROKER_URL": cluster.broker_url}
    open_store(Settings(database_url=cluster.database_url).store_url).dispose()
    watch = start("watch", **where)
    drop_text(home / "drop" / "incoming", "one.csv", "email\nana@example.org\n")
    assert wait_until(lambda: list((home / "drop" / "working").glob("*__one.csv")), 30), watch.said()

    cluster.stop_postgres_at_once()
    drop_text(home / "drop" / "incoming", "two.csv", "email\neva@example.org\n")
    ended = wait_until(lambda: not watch.is_alive, 3)
    cluster.start_postgres()

    assert not ended, watch.said()[-1500:]
    engine = open_store(Settings(database_url=cluster.database_url).store_url)
    assert wait_until(lambda: states_of(engine).total() >= 2, 20), watch.said()[-1500:]
    engine.dispose()
    assert watch.stop() == 0
