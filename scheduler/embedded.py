"""Everything in one process over SQLite: Celery worker (threads), beat and watcher, until told to stop."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable

import structlog
from celery import Celery
from celery.beat import Service
from celery.worker import WorkController
from celery.worker import state as worker_state

from connectors.folders import make_places
from connectors.profiles import read_folders
from scheduler.app import NOTHING, QUEUE, TICKS, BoundedScheduler, make_app
from scheduler.tasks import Stores, Waker, add_tasks
from scheduler.watcher import watch_folders
from schemas.settings import Settings

log = structlog.get_logger("padron")
_GRACE_SECONDS = 2.5


class Embedded:
    """The stack of one process; `start` returns at once, `stop` waits a moment for running work."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop_event = threading.Event()
        self.app = make_app(settings)
        add_tasks(self.app, settings)
        self.app.finalize()
        self.app.set_default()
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        settings = self.settings
        engine = Stores(settings).engine()
        worker_state.should_stop = worker_state.should_terminate = None
        worker = WorkController(
            app=self.app,
            hostname="padron@embedded",
            pool="threads",
            concurrency=settings.worker_threads,
            queues=[QUEUE, TICKS],
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self.beat = Service(self.app, scheduler_cls=BoundedScheduler, max_interval=0.5)
        folders, wake = read_folders(settings.home), Waker(self.app).wake
        for folder in folders:
            make_places(folder)
        self._run("worker", worker.start)
        self._run("beat", self.beat.start)
        self._run("watcher", lambda: watch_folders(engine, folders, settings, wake, self.stop_event))

    def _run(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()

    @property
    def is_whole(self) -> bool:
        return all(thread.is_alive() for thread in self.threads)

    def stop(self) -> bool:
        """Ask everything to stop; False where something was still at work, which its lease will heal."""
        self.stop_event.set()
        self.beat.stop()
        worker_state.should_stop = 0
        _nudge(self.app)
        for thread in self.threads:
            thread.join(_GRACE_SECONDS)
        return not any(thread.is_alive() for thread in self.threads)


def _nudge(app: Celery) -> None:
    """A few empty messages, so that the worker's wait for messages ends at once."""
    for _ in range(3):
        app.send_task(NOTHING, retry=False, ignore_result=True, expires=1)


def run_until_stopped(settings: Settings, ready: Callable[[Embedded], None]) -> int:
    """Run the embedded stack until SIGTERM or Ctrl-C; the process's exit code."""
    stack = Embedded(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stack.stop_event.set())
    stack.start()
    ready(stack)
    while not stack.stop_event.wait(0.5) and stack.is_whole:
        pass
    asked = stack.stop_event.is_set()
    clean = stack.stop()
    logging.shutdown()
    if not clean:
        sys.stdout.flush()
        os._exit(0 if asked else 1)
    return 0 if asked else 1
