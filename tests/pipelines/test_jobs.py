"""Long work: done once, watched, stopped, gone on with; and imports that are stopped."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.folders import Watch, make_places
from connectors.profiles import DropFolder
from pipelines import imports
from pipelines.byhand import import_by_hand, new_lease
from pipelines.drops import claim_ready, import_drop, retry_batch
from pipelines.imports import Clock, Job
from pipelines.jobs import ask_for_undo, cancel_import, cancel_job, find_job, find_jobs, run_job
from pipelines.undo import undo_batch
from schemas.errors import InputError
from schemas.profiles import Profile
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from warehouse import indexes
from warehouse.audit import Asked


def asked() -> Asked:
    return Asked("ana", utc_now(), "10.0.0.1")


def settings_of(store: Roll) -> Settings:
    return Settings(home=store.folder / "home")


def imported(store: Roll, rows: int) -> int:
    """The batch of so many new contacts."""
    text = "nombre,correo\n" + "".join(f"P{number},p{number}@example.org\n" for number in range(rows))
    number = store.import_text(text).batch_id
    assert number is not None
    return number


def nth_time(count: int, what: Callable[[], object]) -> Clock:
    """A clock that does something when it is read for the nth time."""
    times = 0

    def clock() -> datetime:
        nonlocal times
        times += 1
        if times == count:
            what()
        return utc_now()

    return clock


def test_an_import_is_taken_back_by_a_job_that_says_how_far_it_is(store: Roll) -> None:
    batch = imported(store, 3)

    work = ask_for_undo(store.engine, batch, asked())
    done = run_job(store.engine, work.id, settings_of(store), utc_now)

    assert (work.state, work.object, work.actor, work.address) == ("waiting", f"batch:{batch}", "ana", "10.0.0.1")
    assert done is not None
    assert (done.state, done.done, done.total) == ("done", 3, 3)
    assert done.result == {"batch_id": batch, "removed": 3, "restored": 0, "lifted": 0, "kept": 0, "kept_contacts": []}
    assert store.living() == []
    assert store.one("SELECT actor FROM contact_changes WHERE operation = 'undo' AND contact_id = 1") == "ana"
    assert run_job(store.engine, work.id, settings_of(store), utc_now) is None


def test_asking_twice_makes_one_job(store: Roll) -> None:
    batch = imported(store, 1)

    first, second = (ask_for_undo(store.engine, batch, asked()) for _ in range(2))

    assert first.id == second.id
    assert store.one("SELECT count(*) FROM audit WHERE action = 'batches:undo'") == 1


def test_a_job_that_has_not_begun_stops_at_once(store: Roll) -> None:
    work = ask_for_undo(store.engine, imported(store, 1), asked())

    stopped = cancel_job(store.engine, work.id, asked())

    assert (stopped.state, stopped.cancelled_by) == ("cancelled", "ana")
    assert run_job(store.engine, work.id, settings_of(store), utc_now) is None
    assert len(store.living()) == 1
    with pytest.raises(InputError, match="finished"):
        cancel_job(store.engine, work.id, asked())


def test_a_job_that_is_stopped_midway_is_gone_on_with_by_another(store: Roll) -> None:
    batch = imported(store, 1_200)
    work = ask_for_undo(store.engine, batch, asked())
    stopping = nth_time(4, lambda: cancel_job(store.engine, work.id, asked()))

    stopped = run_job(store.engine, work.id, settings_of(store), stopping)
    left = len(store.living())
    again = ask_for_undo(store.engine, batch, asked())
    done = run_job(store.engine, again.id, settings_of(store), utc_now)

    assert stopped is not None
    assert done is not None
    assert (stopped.state, done.state, again.id != work.id) == ("cancelled", "done", True)
    assert 0 < left < 1_200
    assert store.living() == []


class Died(BaseException):
    """Stands for the death of a worker at this line."""


def die() -> None:
    raise Died


def test_a_job_whose_worker_died_is_gone_on_with_once_the_lease_is_over(store: Roll) -> None:
    work = ask_for_undo(store.engine, imported(store, 1_200), asked())
    settings = settings_of(store)
    with pytest.raises(Died):
        run_job(store.engine, work.id, settings, nth_time(4, die))
    assert run_job(store.engine, work.id, settings, utc_now) is None

    done = run_job(store.engine, work.id, settings, lambda: utc_now() + timedelta(seconds=settings.lease_seconds + 1))

    assert done is not None
    assert (done.state, done.attempts, store.living()) == ("done", 2, [])


def test_a_job_that_fails_again_and_again_is_given_up_with_a_sentence(store: Roll) -> None:
    work = ask_for_undo(store.engine, imported(store, 1), asked())
    settings = settings_of(store)
    for attempt in range(settings.max_attempts):
        later = timedelta(hours=attempt)
        with pytest.raises(Died):
            run_job(store.engine, work.id, settings, nth_time(2, die) if not attempt else _dying_later(later))

    ended = run_job(store.engine, work.id, settings, lambda: utc_now() + timedelta(days=2))

    assert ended is not None
    assert ended.state == "failed"
    assert "Given up" in str(ended.message_en)
    assert "Abandonado" in str(ended.message_es)


def _dying_later(later: timedelta) -> Clock:
    clock = nth_time(2, die)
    return lambda: clock() + later


def test_a_job_whose_worker_died_after_the_last_row_is_done(store: Roll) -> None:
    work = ask_for_undo(store.engine, imported(store, 1), asked())
    settings = settings_of(store)

    def dies_when_undone() -> datetime:
        if store.one("SELECT state FROM batches") == "undone":
            raise Died
        return utc_now()

    with pytest.raises(Died):
        run_job(store.engine, work.id, settings, dies_when_undone)

    done = run_job(store.engine, work.id, settings, lambda: utc_now() + timedelta(hours=1))

    assert done is not None
    assert (done.state, store.living()) == ("done", [])


def test_a_refusal_is_told_in_both_languages(store: Roll) -> None:
    batch = imported(store, 1)
    work = ask_for_undo(store.engine, batch, asked())
    undo_batch(store.engine, batch, "somebody else", utc_now)

    ended = run_job(store.engine, work.id, settings_of(store), utc_now)

    assert ended is not None
    assert ended.state == "failed"
    assert f"Batch {batch} is taken back" in str(ended.message_en)
    assert f"El lote {batch} está deshecho" in str(ended.message_es)


def test_jobs_are_listed_by_object_and_by_whether_they_are_over(store: Roll) -> None:
    first, second = imported(store, 1), imported(store, 2)
    works = [ask_for_undo(store.engine, number, asked()) for number in (first, second)]
    run_job(store.engine, works[0].id, settings_of(store), utc_now)

    def numbers(object_: str = "", *, is_open: bool | None = None) -> list[int]:
        return [work.id for work in find_jobs(store.engine, object_, 10, is_open=is_open)]

    assert numbers() == [works[1].id, works[0].id]
    assert numbers(f"batch:{first}") == [works[0].id]
    assert (numbers(is_open=True), numbers(is_open=False)) == ([works[1].id], [works[0].id])
    assert find_job(store.engine, works[0].id).state == "done"


# ── imports that are stopped ─────────────────────────────────────────────────────────────────────────────────────


def dropped(roll: Roll, text: str) -> tuple[Settings, int]:
    """A claimed file: its batch."""
    settings = settings_of(roll)
    folder = DropFolder(settings.home / "drop")
    make_places(folder)
    (folder.path / "incoming" / "a.csv").write_text(text, "utf-8")
    [number] = claim_ready(roll.engine, Watch(folder, 0), settings, utc_now, 1e9)
    return settings, number


def test_an_import_that_has_not_begun_is_stopped_and_its_file_kept(roll: Roll) -> None:
    settings, number = dropped(roll, "correo\nana@example.org\n")

    cancel_import(roll.engine, number, asked())
    report = import_drop(roll.engine, number, settings, utc_now)

    assert report is not None
    assert (report.status, report.rows) == ("rejected", 0)
    assert "a.csv was stopped by ana after 0 of its rows" in report.message
    assert (settings.home / "drop" / "rejected" / "a.csv").exists()
    assert roll.living() == []
    with pytest.raises(InputError, match="takes no more rows"):
        cancel_import(roll.engine, number, asked())


def test_an_import_that_is_stopped_midway_can_be_taken_back_or_sent_again(
    roll: Roll, slices: Callable[[int], None]
) -> None:
    slices(2)
    text = "correo\n" + "".join(f"p{number}@example.org\n" for number in range(9))
    settings, number = dropped(roll, text)
    with pytest.raises(Died):
        import_drop(roll.engine, number, settings, _dies_after_rows(roll, 4))

    cancel_import(roll.engine, number, asked())
    report = import_drop(roll.engine, number, settings, lambda: utc_now() + timedelta(hours=1))
    again = retry_batch(roll.engine, number, Profile(), asked())
    whole = import_drop(roll.engine, again, settings, utc_now)

    assert report is not None
    assert whole is not None
    assert (report.status, report.rows, report.created) == ("rejected", 4, 4)
    assert "after 4 of its rows" in report.message
    assert f"padron batches retry {number}" in report.message
    assert (whole.created, whole.unchanged) == (5, 4)
    undo_batch(roll.engine, again, "ana", utc_now)
    assert len(roll.living()) == 4
    undo_batch(roll.engine, number, "ana", utc_now)
    assert roll.living() == []
    assert Path(settings.home / "drop" / "done" / "a.csv").exists()


def test_a_cancelled_import_by_hand_that_nobody_works_on_ends_at_once(
    roll: Roll, slices: Callable[[int], None]
) -> None:
    slices(2)
    path = roll.folder / "a.csv"
    path.write_text("correo\nana@x.co\nnadie\n" + "".join(f"p{number}@x.co\n" for number in range(5)), "utf-8")
    job = Job(path, "a.csv", Profile(), roll.folder / "report.csv")
    with pytest.raises(Died):
        import_by_hand(roll.engine, job, new_lease(1, _dies_after_rows(roll, 2)), "ana")
    number = roll.one("SELECT id FROM batches")

    later = Asked("ana", utc_now() + timedelta(hours=1))
    ended = cancel_import(roll.engine, number, later)
    again = import_by_hand(roll.engine, job, new_lease(60, utc_now), "ana").report
    undo_batch(roll.engine, number, "ana", utc_now)

    assert (ended.state, ended.cancelled_by) == ("rejected", "ana")
    assert "after 2 of its rows" in ended.sentence.en
    assert "retry" not in ended.sentence.en
    assert (again.status, again.created, again.unchanged, again.rejected) == ("imported", 5, 1, 1)


def test_a_first_load_that_is_stopped_leaves_every_index(
    roll: Roll, slices: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    slices(2)
    cancels = iter([lambda: cancel_import(roll.engine, 1, asked())])
    monkeypatch.setattr(imports, "_FIRST_LOAD", 1)  # a first load of 20,000 rows takes long
    # between two slices, where the import holds no lock
    monkeypatch.setattr(imports._Sizes, "took", lambda *_: next(cancels, lambda: None)())

    report = roll.import_text("correo\nana@example.org\neva@example.org\nluz@example.org\n")

    assert (report.status, report.rows) == ("rejected", 2)
    assert indexes.missing(roll.engine) == ()


def test_an_import_that_was_cut_off_at_its_end_tells_its_rows_again(roll: Roll) -> None:
    settings, number = dropped(roll, "correo\nana@example.org\nnadie\n")

    def dies_when_applied() -> datetime:
        if roll.one("SELECT state FROM batches") == "applied":
            raise Died
        return utc_now()

    with pytest.raises(Died):
        import_drop(roll.engine, number, settings, dies_when_applied)

    report = import_drop(roll.engine, number, settings, lambda: utc_now() + timedelta(hours=1))

    assert report is not None
    assert (report.status, report.rows, list(report.row_errors)) == ("imported", 2, [2])


def _dies_after_rows(roll: Roll, rows: int) -> Clock:
    def clock() -> datetime:
        if roll.one("SELECT coalesce(max(rows_done), 0) FROM batches") >= rows:
            raise Died
        return utc_now()

    return clock
