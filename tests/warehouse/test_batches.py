"""A batch is worked on by one worker at a time: whoever holds its lease."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Roll
from warehouse import batches
from warehouse.batches import LeaseLost, NoSuchBatch
from warehouse.engines import reading, transaction

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def add(store: Roll, claim: str | None = "0123__a.csv") -> int | None:
    values = {"source": "crm", "profile": "default", "file": "a.csv", "path": "/a.csv", "claim": claim, "actor": "test"}
    with transaction(store.engine) as connection:
        return batches.add_batch(connection, values, NOW)


def claim(store: Roll, number: int, token: str, now: datetime = NOW) -> batches.Batch | None:
    with transaction(store.engine) as connection:
        return batches.claim_batch(connection, number, token, now, MINUTE)


def hold(store: Roll, number: int, token: str, until: datetime) -> None:
    with transaction(store.engine) as connection:
        batches.hold_lease(connection, number, token, until)


def wake(store: Roll, now: datetime, quiet: timedelta = timedelta(seconds=5), limit: int = 100) -> list[int]:
    with transaction(store.engine) as connection:
        return batches.to_wake(connection, now, quiet, limit)


def numbered(number: int | None) -> int:
    assert number is not None
    return number


def test_one_of_many_threads_claims_a_batch(store: Roll) -> None:
    number = numbered(add(store))
    won: list[str] = []
    barrier = threading.Barrier(12)

    def race(token: str) -> None:
        barrier.wait()
        if claim(store, number, token):
            won.append(token)

    threads = [threading.Thread(target=race, args=(f"t{index}",)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1
    assert store.one("SELECT state, attempts, lease_token FROM batches") == ("running", 1, won[0])


def test_one_of_many_threads_adds_the_batch_of_a_file(store: Roll) -> None:
    found: list[int | None] = []
    barrier = threading.Barrier(8)

    def race() -> None:
        barrier.wait()
        found.append(add(store))

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found, key=str) == [1, *[None] * 7]


def test_a_held_batch_is_not_claimed_until_its_lease_is_over(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")

    early = claim(store, number, "second", NOW + MINUTE - timedelta(seconds=1))
    late = claim(store, number, "second", NOW + MINUTE)

    assert early is None
    assert late is not None
    assert (late.attempts, late.started_at) == (2, NOW)


def test_a_renewed_lease_lasts_longer(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")

    hold(store, number, "first", NOW + 3 * MINUTE)

    assert claim(store, number, "second", NOW + 2 * MINUTE) is None


def test_a_worker_whose_lease_was_taken_cannot_hold_it_any_more(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")
    claim(store, number, "second", NOW + MINUTE)

    with pytest.raises(LeaseLost):
        hold(store, number, "first", NOW + 5 * MINUTE)

    assert store.one("SELECT lease_token FROM batches") == "second"


def test_a_late_worker_that_nobody_replaced_goes_on(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")

    hold(store, number, "first", NOW + 10 * MINUTE)

    assert store.one("SELECT lease_token FROM batches") == "first"


def test_what_a_worker_writes_without_its_lease_is_rolled_back(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")
    claim(store, number, "second", NOW + MINUTE)

    with pytest.raises(LeaseLost), transaction(store.engine) as connection:
        batches.add_progress(connection, number, 100, {"created": 100})
        batches.hold_lease(connection, number, "first", NOW + 5 * MINUTE)

    assert store.one("SELECT rows_done, created FROM batches") == (0, 0)


@pytest.mark.parametrize("state", ["done", "rejected", "needs_mapping", "undone"])
def test_a_finished_batch_is_never_claimed_nor_woken(store: Roll, state: str) -> None:
    number = numbered(add(store))
    claim(store, number, "first")
    with transaction(store.engine) as connection:
        batches.finish(connection, number, state, NOW, {})

    assert claim(store, number, "second", NOW + 10 * MINUTE) is None
    assert wake(store, NOW + 10 * MINUTE) == []


def test_a_finished_batch_is_held_by_nobody(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")
    with transaction(store.engine) as connection:
        batches.finish(connection, number, "done", NOW, {})

    with pytest.raises(LeaseLost):
        hold(store, number, "first", NOW + MINUTE)


def test_progress_forgives_earlier_attempts_and_counts_up(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")
    claim(store, number, "second", NOW + MINUTE)

    with transaction(store.engine) as connection:
        batches.add_progress(connection, number, 10, {"created": 9, "rejected": 1})
        batches.add_progress(connection, number, 15, {"created": 2, "merged": 3})

    found = store.one("SELECT attempts, rows_done, created, merged, rejected FROM batches")
    assert found == (0, 15, 11, 3, 1)


def test_an_applied_batch_stays_applied_when_it_is_claimed_again(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")
    with transaction(store.engine) as connection:
        batches.set_batch(connection, number, {"state": "applied"})

    again = claim(store, number, "second", NOW + MINUTE)

    assert again is not None
    assert again.state == "applied"


def test_a_free_batch_is_woken_for_and_then_left_quiet_for_a_while(store: Roll) -> None:
    number = add(store)

    found = [wake(store, NOW + timedelta(seconds=seconds)) for seconds in (0, 4, 5, 6)]

    assert found == [[number], [], [number], []]


def test_a_batch_that_is_worked_on_is_not_woken_for(store: Roll) -> None:
    number = numbered(add(store))
    claim(store, number, "first")

    assert [wake(store, NOW + MINUTE / 2), wake(store, NOW + MINUTE)] == [[], [number]]


def test_an_import_by_hand_is_not_woken_for(store: Roll) -> None:
    add(store, claim=None)
    add(store, claim=None)

    assert (wake(store, NOW), store.one("SELECT count(*) FROM batches")) == ([], 2)


def test_no_more_batches_are_woken_for_at_once_than_asked(store: Roll) -> None:
    for index in range(5):
        add(store, claim=f"{index}__a.csv")

    assert [len(wake(store, NOW, limit=3)), len(wake(store, NOW, limit=3))] == [3, 2]


def test_running_batches_are_those_with_a_lease(store: Roll) -> None:
    for index in range(3):
        add(store, claim=f"{index}__a.csv")
    claim(store, 1, "first")

    with reading(store.engine) as connection:
        found = [batches.count_running(connection, NOW + wait) for wait in (timedelta(0), MINUTE)]

    assert found == [1, 0]


def test_a_number_without_a_batch_is_told_with_a_way_to_find_one(store: Roll) -> None:
    with pytest.raises(NoSuchBatch, match="padron batches list"), reading(store.engine) as connection:
        batches.get_batch(connection, 7)
