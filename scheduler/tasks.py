"""The tasks: thin doors to the pipelines. Each is right when run twice, and takes only a number."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import Engine

from connectors.limits import share
from pipelines.backup_jobs import on_schedule
from pipelines.connections import crm_factory
from pipelines.drops import import_drop
from pipelines.events import make_contact_events
from pipelines.export_jobs import drop_expired
from pipelines.jobs import run_job
from pipelines.refreshes import are_due, refresh_due
from pipelines.retention import retain_daily
from pipelines.scheduled_exports import export_on_schedule
from pipelines.states import let_silent_be_offline
from pipelines.sync import Asking, NotReady, due_now, run_sync
from pipelines.tries import WINDOW
from pipelines.uploads import drop_old_uploads
from pipelines.webhooks import send_due
from scheduler.app import DELIVER, IMPORT_DROP, NOTHING, REFRESH, RUN_JOB, SWEEP, SYNC
from scheduler.limits import limiter_of
from scheduler.logs import reason_of
from schemas.settings import Settings
from warehouse import batches, indexes, search
from warehouse.engines import transaction
from warehouse.idempotency import forget_made
from warehouse.jobs import jobs_to_wake
from warehouse.sessions import forget_attempts
from warehouse.store import open_store
from warehouse.sync_runs import drop_old_calls, drop_old_runs
from warehouse.webhooks import drop_old_deliveries

log = structlog.get_logger("padron")
_WAKE_AT_ONCE = 200
_BREAK_SECONDS = 3.0
_DELIVER_SECONDS = 20.0
_KEYS_LAST, _DELIVERIES_LAST = timedelta(days=2), timedelta(days=30)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Stores:
    """The store of this process, opened when first needed, so that forked workers do not share connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._engine: Engine | None = None

    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = open_store(self.settings.store_url)
        return self._engine


class Waker:
    """Sends wake-ups; after a failure it keeps quiet for a moment, as the sweeper sends again anyway."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._quiet_until = 0.0

    def wake(self, number: int) -> None:
        """Send a batch's number to the workers."""
        self._send(IMPORT_DROP, number)

    def wake_for_job(self, number: int) -> None:
        """Send a job's number to the workers."""
        self._send(RUN_JOB, number)

    def wake_for_segments(self) -> None:
        """Let a worker refresh what is due."""
        self._send(REFRESH)

    def wake_for_sync(self, number: int) -> None:
        """Send a connection's number to the workers."""
        self._send(SYNC, number)

    def wake_all(self, engine: Engine, batches_: list[int], jobs: list[int]) -> None:
        """Wake workers for these batches and jobs, and for the segments and connections that are due."""
        for number in batches_:
            self.wake(number)
        for number in jobs:
            self.wake_for_job(number)
        if are_due(engine, utc_now()):
            self.wake_for_segments()
        for number in due_now(engine, utc_now()):
            self.wake_for_sync(number)

    def _send(self, task: str, *number: int) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            self.app.send_task(task, number, retry=False, ignore_result=True)
        except OperationalError as error:
            self._quiet_until = time.monotonic() + _BREAK_SECONDS
            log.warning("not woken", task=task, number=number, reason=str(error))


@contextmanager
def _logged(failure: str, **about: int) -> Iterator[None]:
    """The outermost door: Celery would log what an error says of rows, so that only its kind is logged."""
    try:
        yield
    except Exception as error:
        log.error(failure, reason=reason_of(error), **about)


def add_tasks(app: Celery, settings: Settings) -> None:
    """Register the tasks on an application."""
    stores, waker = Stores(settings), Waker(app)
    share(limiter_of(settings))

    def import_drop_task(number: int) -> None:
        with _logged("file not imported yet", batch=number):
            report = import_drop(stores.engine(), number, settings, utc_now)
            if report is not None:
                names = ("rows", "created", "updated", "unchanged", "rejected")
                counts = {name: getattr(report, name) for name in names}
                log.info("file done", batch=number, status=report.status, seconds=round(report.seconds, 2), **counts)

    def run_job_task(number: int) -> None:
        with _logged("job not done yet", job=number):
            work = run_job(stores.engine(), number, settings, utc_now)
            if work is not None:
                log.info("job ended", job=number, kind=work.kind, state=work.state, done=work.done)

    def refresh_task() -> None:
        with _logged("segments not refreshed yet"):
            refresh(stores.engine(), settings)

    def sync_task(number: int) -> None:
        with _logged("not synced yet", connection=number):
            sync(stores.engine(), number, settings)

    def deliver_task() -> None:
        with _logged("webhooks not told yet"):
            deliver(stores.engine(), settings)

    def nothing_task() -> None:
        """Wakes a worker that waits for messages, so that it sees that it should stop."""

    def sweep_task() -> None:
        with _logged("not swept"):
            waker.wake_all(stores.engine(), *sweep(stores.engine(), settings))

    tasks = {IMPORT_DROP: import_drop_task, RUN_JOB: run_job_task, DELIVER: deliver_task, SWEEP: sweep_task}
    for name, task in {**tasks, REFRESH: refresh_task, SYNC: sync_task, NOTHING: nothing_task}.items():
        app.task(task, name=name, shared=False)


def refresh(engine: Engine, settings: Settings) -> None:
    """Refresh the segments that are due."""
    count = refresh_due(engine, settings, utc_now)
    if count:
        log.info("segments refreshed", count=count)


def sync(engine: Engine, number: int, settings: Settings) -> None:
    """Sync a connection that is due."""
    try:
        report = run_sync(engine, settings, number, crm_factory(engine, settings), utc_now, Asking("schedule"))
    except NotReady as error:
        log.info("not synced", connection=number, reason=error.said("en"))
        return
    if report is not None:
        log.info("synced", connection=number, state=report.state, requests=report.calls, **report.counts)


def sweep(engine: Engine, settings: Settings) -> tuple[list[int], list[int]]:
    """Find batches and jobs that nobody works on, which are to be woken; tidy up what is over."""
    quiet = timedelta(seconds=max(settings.sweep_seconds * 1.5, 3.0))
    retain_daily(engine, settings, utc_now())
    on_schedule(engine, settings, utc_now())
    export_on_schedule(engine, settings, utc_now())
    with transaction(engine) as connection:
        now = utc_now()
        found = batches.to_wake(connection, now, quiet, _WAKE_AT_ONCE)
        asked = jobs_to_wake(connection, now, quiet, _WAKE_AT_ONCE)
        running = batches.count_running(connection, now)
        forget_made(connection, now - _KEYS_LAST)
        forget_attempts(connection, now - WINDOW)
        drop_old_deliveries(connection, now - _DELIVERIES_LAST)
        drop_old_runs(connection, now - timedelta(days=settings.keep_sync_days))
        drop_old_calls(connection, now - timedelta(days=settings.keep_sync_days))
    drop_old_uploads(engine, settings, now)
    drop_expired(engine, settings, now)
    let_silent_be_offline(engine, now)
    if not running:
        indexes.build_missing(engine)
        search.catch_up(engine)
    return found, asked


def deliver(engine: Engine, settings: Settings) -> None:
    """Make the events of contacts that changed, and send what is due; what is left after a while waits for the next."""
    began = time.monotonic()
    while time.monotonic() - began < _DELIVER_SECONDS:
        # a first load that is under way has no index by which its changes are found
        made = 0 if indexes.missing(engine) else make_contact_events(engine, utc_now())
        send_due(engine, settings, utc_now)
        if not made:
            break
