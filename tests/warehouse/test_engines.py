"""Writers take turns at a lock that dies with its holder; readers never wait."""

import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from tests.conftest import Roll
from tests.forks import FORKS
from warehouse import engines
from warehouse.engines import StoreBusy, StoreUnreachable, check_reachable, open_engine, reading, transaction

Hold = Callable[[Roll, float], ForkServerProcess]


def keep_open(url: str, held: Event, seconds: float) -> None:
    with transaction(open_engine(url)) as connection:
        connection.execute(text("INSERT INTO tags (id, form, name) VALUES (99, 'held', 'held')"))
        held.set()
        time.sleep(seconds)


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Opens a write transaction in another process, and waits until it is open."""
    holders: list[ForkServerProcess] = []

    def begin(roll: Roll, seconds: float) -> ForkServerProcess:
        url, held = roll.engine.url.render_as_string(hide_password=False), FORKS.Event()
        holder = FORKS.Process(target=keep_open, args=(url, held, seconds))
        holder.start()
        holders.append(holder)
        assert held.wait(60)
        return holder

    yield begin
    for holder in holders:
        holder.kill()
        holder.join(10)


def add_tag(roll: Roll, number: int) -> None:
    with transaction(roll.engine) as connection:
        connection.execute(
            text("INSERT INTO tags (id, form, name) VALUES (:id, :form, 'x')"), {"id": number, "form": f"f{number}"}
        )


def test_a_writer_waits_for_the_writer_of_another_process(roll: Roll, hold: Hold) -> None:
    holder = hold(roll, 1.0)

    began = time.monotonic()
    add_tag(roll, 1)

    assert time.monotonic() - began > 0.5
    holder.join(10)
    assert holder.exitcode == 0
    assert roll.rows("SELECT id FROM tags ORDER BY id") == [(1,), (99,)]


def test_one_who_writes_again_and_again_lets_the_others_in_between(roll: Roll) -> None:
    """As an import does: a long transaction, and at once the next one."""
    greedy_began, greedy_is_done = threading.Event(), threading.Event()

    def write_again_and_again() -> None:
        for number in range(10):
            with transaction(roll.engine) as connection:
                connection.execute(text(f"INSERT INTO tags (id, form, name) VALUES ({number}, 'g{number}', 'x')"))
                greedy_began.set()
                time.sleep(0.1)
        greedy_is_done.set()

    greedy = threading.Thread(target=write_again_and_again)
    greedy.start()
    greedy_began.wait()
    between = 0
    while not greedy_is_done.is_set():
        add_tag(roll, 100 + between)
        between += 1
    greedy.join()

    assert between >= 9


def test_the_lock_of_a_killed_writer_is_free_at_once_and_its_row_is_gone(roll: Roll, hold: Hold) -> None:
    holder = hold(roll, 60)

    holder.kill()
    holder.join(10)
    began = time.monotonic()
    add_tag(roll, 1)

    assert time.monotonic() - began < 1
    assert roll.rows("SELECT id FROM tags") == [(1,)]


def test_a_reader_never_waits_for_a_writer_and_sees_nothing_half_done(roll: Roll, hold: Hold) -> None:
    hold(roll, 60)

    began = time.monotonic()
    found = roll.rows("SELECT id FROM tags")

    assert (found, time.monotonic() - began < 0.5) == ([], True)


def test_a_writer_waits_no_longer_than_it_may(roll: Roll, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(roll, 60)
    monkeypatch.setattr(engines, "_WAIT_SECONDS", 0.3)  # a minute of waiting is too long for a test

    began = time.monotonic()
    with pytest.raises(StoreBusy, match="lock"):
        add_tag(roll, 1)

    assert 0.3 <= time.monotonic() - began < 2


def test_a_refused_writer_can_write_later(roll: Roll, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = hold(roll, 60)
    monkeypatch.setattr(engines, "_WAIT_SECONDS", 0.1)  # likewise
    with pytest.raises(StoreBusy):
        add_tag(roll, 1)
    holder.kill()
    holder.join(10)

    add_tag(roll, 2)

    assert roll.rows("SELECT id FROM tags") == [(2,)]


def test_a_write_inside_a_write_is_an_error_instead_of_a_deadlock(roll: Roll) -> None:
    with transaction(roll.engine), pytest.raises(RuntimeError, match="second one"):
        add_tag(roll, 1)

    add_tag(roll, 2)
    assert roll.rows("SELECT id FROM tags") == [(2,)]


def test_many_threads_write_one_after_the_other(store: Roll) -> None:
    problems: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 20):
                add_tag(store, number)
        except BaseException as error:  # a thread would lose it: the test looks at it afterwards
            problems.append(error)

    threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (problems, store.one("SELECT count(*) FROM tags")) == ([], 160)


def test_a_transaction_that_raises_leaves_nothing(store: Roll) -> None:
    with pytest.raises(ZeroDivisionError), transaction(store.engine) as connection:
        connection.execute(text("INSERT INTO tags (id, form, name) VALUES (1, 'a', 'a')"))
        raise ZeroDivisionError

    assert store.rows("SELECT id FROM tags") == []


def test_a_reader_keeps_its_view_of_one_moment(store: Roll) -> None:
    with reading(store.engine) as connection:
        before = connection.execute(text("SELECT count(*) FROM tags")).scalar()
        add_tag(store, 1)

        assert (before, connection.execute(text("SELECT count(*) FROM tags")).scalar()) == (0, 0)


def test_a_store_on_sqlite_survives_power_loss_by_full_synchronous_writes(roll: Roll) -> None:
    with reading(roll.engine) as connection:
        modes = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]

    assert modes == ["wal", 2]


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    engine = open_engine("postgresql+psycopg://ana:s3cret@127.0.0.1:1/padron")

    with pytest.raises(StoreUnreachable, match="PADRON_DATABASE_URL") as caught:
        check_reachable(engine)

    assert "s3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "padron.db").write_text("not a database " * 100, encoding="utf-8")

    with pytest.raises((StoreUnreachable, DatabaseError), match="not a database"):
        check_reachable(open_engine(f"sqlite:///{tmp_path / 'padron.db'}"))
