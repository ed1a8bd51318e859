"""The watcher: looks through the drop folders on time, sooner when the file system says that something happened."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy import Engine
from watchfiles import watch

from connectors.folders import Watch
from connectors.profiles import DropFolder
from pipelines.drops import claim_ready
from scheduler.logs import reason_of
from scheduler.tasks import utc_now
from schemas.settings import Settings

log = structlog.get_logger("padron")
Wake = Callable[[int], None]


def watch_folders(
    engine: Engine, folders: list[DropFolder], settings: Settings, wake: Wake, stop: threading.Event
) -> None:
    """Watch folders that exist until told to stop; one that fails does not stop the others."""
    watches = [_watch(folder, settings) for folder in folders]
    events = threading.Event()
    local = [folder.path / "incoming" for folder in folders if not folder.polling]
    if local:
        threading.Thread(target=_listen, args=(local, events, stop), name="file events", daemon=True).start()
    while not stop.is_set():
        for item in watches:
            _scan(engine, item, settings, wake)
        waiting = any(item.seen for item in watches)
        pause = min(settings.scan_seconds, max(settings.settle_seconds / 2, 0.1)) if waiting else settings.scan_seconds
        events.wait(pause)
        events.clear()


def _watch(folder: DropFolder, settings: Settings) -> Watch:
    settle = folder.settle_seconds
    return Watch(folder, settings.settle_seconds if settle is None else settle)


def _listen(paths: list[object], events: threading.Event, stop: threading.Event) -> None:
    for _ in watch(*map(str, paths), stop_event=stop, debounce=200, step=50, recursive=False, rust_timeout=1000):
        events.set()


def _scan(engine: Engine, item: Watch, settings: Settings, wake: Wake) -> None:
    try:
        for number in claim_ready(engine, item, settings, utc_now, time.monotonic()):
            log.info("file claimed", batch=number, folder=item.folder.path.name)
            wake(number)
    except Exception as error:  # the outermost door of the watcher: it must outlive whatever a folder does
        log.warning("folder not scanned", folder=str(item.folder.path), reason=reason_of(error))
