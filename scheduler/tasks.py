"""The tasks: thin doors to the pipelines. Each is right when run twice, and takes only a number."""

import time
from datetime import UTC, datetime, timedelta

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import Engine

from pipelines.drops import import_drop
from scheduler.app import IMPORT_DROP, NOTHING, SWEEP
from scheduler.logs import reason_of
from schemas.settings import Settings
from warehouse import batches, indexes
from warehouse.engines import transaction
from warehouse.store import open_store

log = structlog.get_logger("padron")
_WAKE_AT_ONCE = 200
_BREAK_SECONDS = 3.0


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
        if time.monotonic() < self._quiet_until:
            return
        try:
            self.app.send_task(IMPORT_DROP, (number,), retry=False, ignore_result=True)
        except OperationalError as error:
            self._quiet_until = time.monotonic() + _BREAK_SECONDS
            log.warning("not woken", batch=number, reason=str(error))


def add_tasks(app: Celery, settings: Settings) -> None:
    """Register the tasks on an application."""
    stores, waker = Stores(settings), Waker(app)

    def import_drop_task(number: int) -> None:
        try:
            report = import_drop(stores.engine(), number, settings, utc_now)
        except Exception as error:  # the outermost door: Celery would log what the error says of rows
            log.error("file not imported yet", batch=number, reason=reason_of(error))
            return
        if report is not None:
            counts = {name: getattr(report, name) for name in ("rows", "created", "updated", "unchanged", "rejected")}
            log.info("file done", batch=number, status=report.status, seconds=round(report.seconds, 2), **counts)

    def nothing_task() -> None:
        """Wakes a worker that waits for messages, so that it sees that it should stop."""

    def sweep_task() -> None:
        for number in sweep(stores.engine(), settings):
            waker.wake(number)

    app.task(import_drop_task, name=IMPORT_DROP, shared=False)
    app.task(sweep_task, name=SWEEP, shared=False)
    app.task(nothing_task, name=NOTHING, shared=False)


def sweep(engine: Engine, settings: Settings) -> list[int]:
    """Find batches that nobody works on, and indexes that a load left unbuilt; the batches to wake."""
    quiet = timedelta(seconds=max(settings.sweep_seconds * 1.5, 3.0))
    with transaction(engine) as connection:
        found = batches.to_wake(connection, utc_now(), quiet, _WAKE_AT_ONCE)
        running = batches.count_running(connection, utc_now())
    if not running:
        indexes.build_missing(engine)
    return found
