"""Production: worker, beat and watcher as processes of their own, over Redis."""

import signal
import threading
import warnings
from collections.abc import Callable

from celery.platforms import SecurityWarning
from celery.utils.nodenames import host_format
from celery.worker import state as worker_state

from connectors.folders import make_places
from connectors.profiles import read_folders
from scheduler.app import QUEUE, TICKS, make_app
from scheduler.tasks import Stores, Waker, add_tasks
from scheduler.watcher import watch_folders
from schemas.errors import SetupError
from schemas.settings import Settings


class NeedsBroker(SetupError):
    """Separate processes need a broker that they can share."""


def _require_redis(settings: Settings, what: str) -> None:
    if settings.broker_url.startswith("memory://"):
        raise NeedsBroker(
            f"`padron {what}` needs a broker that processes share. Set PADRON_BROKER_URL=redis://host:6379/0, or run "
            "everything in one process with `padron up`.",
            f"`padron {what}` necesita un broker compartido entre procesos. Ponga "
            "PADRON_BROKER_URL=redis://host:6379/0, o ejecute todo en un proceso con `padron up`.",
        )


def run_worker(settings: Settings) -> int:
    """A worker with a process for each import at once; its exit code."""
    _require_redis(settings, "worker")
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app = make_app(settings)
    add_tasks(app, settings)
    app.set_default()
    worker = app.Worker(
        hostname=host_format("padron@%h"),
        pool="prefork",
        concurrency=settings.worker_threads,
        queues=[QUEUE, TICKS],
        optimization="fair",
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    )
    worker.start()
    return 0 if worker_state.should_stop is not None else int(worker.exitcode or 0)


def run_beat(settings: Settings) -> None:
    """The timetable; any number of beats is harmless."""
    _require_redis(settings, "beat")
    app = make_app(settings)
    add_tasks(app, settings)
    app.Beat(loglevel="WARNING", quiet=True).run()


def run_watch(settings: Settings) -> None:
    """The folder watcher alone."""
    _require_redis(settings, "watch")
    stop = _stop_event()
    engine = Stores(settings).engine()
    folders = read_folders(settings.home)
    for folder in folders:
        make_places(folder)
    watch_folders(engine, folders, settings, Waker(make_app(settings)).wake, stop)


def wait_until_stopped(is_whole: Callable[[], bool]) -> None:
    """Wait for SIGTERM or Ctrl-C, or until what runs in threads is no longer whole."""
    stop = _stop_event()
    while not stop.wait(0.5) and is_whole():
        pass


def _stop_event() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
