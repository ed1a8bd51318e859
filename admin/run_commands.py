"""`padron up`, and its parts one by one for production."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.api.callers import Desk
from admin.api.server import AdminServer
from admin.words import say
from connectors.profiles import read_folders, read_profile
from scheduler import embedded, processes
from scheduler.app import make_app
from scheduler.logs import set_up_logs
from scheduler.tasks import Waker, utc_now
from schemas.errors import InputError
from schemas.settings import Settings, describe, read_settings
from schemas.urls import hide_password
from warehouse.store import newest_version, open_store

console = Console()
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each file.")]


def up(
    verbose: Annotated[bool, typer.Option("--verbose/--quiet", "-v/-q", help="A line for each file.")] = True,
) -> None:
    """Watch the drop folders and import what arrives, in one process, until stopped."""
    set_up_logs(verbose=verbose)
    settings = read_settings()

    server = _server(settings)

    def ready(_: embedded.Embedded) -> None:
        server.start()
        console.print(f"{say(settings.language, 'admin_at')} {server.url}/api/docs", highlight=False)
        console.print(say(settings.language, "up"))
        for folder in read_folders(settings.home):
            console.print(f"  {folder.path / 'incoming'}", highlight=False, soft_wrap=True)
            try:
                read_profile(settings.home, folder.profile)
            except InputError as error:
                console.print(f"  ! {error.said(settings.language)}", highlight=False, markup=False, soft_wrap=True)
        console.print(say(settings.language, "stop"))

    code = embedded.run_until_stopped(settings, ready)
    server.stop()
    console.print(say(settings.language, "stopped"))
    raise typer.Exit(code)


def worker(verbose: Verbose = False) -> None:
    """Import dropped files (production; needs Redis)."""
    set_up_logs(verbose=verbose)
    raise typer.Exit(processes.run_worker(read_settings()))


def beat(verbose: Verbose = False) -> None:
    """Send the timetable's ticks (production; needs Redis)."""
    set_up_logs(verbose=verbose)
    processes.run_beat(read_settings())


def watch(verbose: Verbose = False) -> None:
    """Watch the drop folders (production; needs Redis)."""
    set_up_logs(verbose=verbose)
    processes.run_watch(read_settings())


def admin(verbose: Verbose = False) -> None:
    """Serve the admin endpoint (production)."""
    set_up_logs(verbose=verbose)
    settings = read_settings()
    server = _server(settings)
    server.start()
    console.print(f"{say(settings.language, 'admin_at')} {server.url}/api/docs", highlight=False)
    processes.wait_until_stopped(lambda: server.is_running)
    server.stop()


def _server(settings: Settings) -> AdminServer:
    """The endpoint, listening and not yet answering."""
    waker = Waker(make_app(settings))
    return AdminServer(Desk(settings, open_store(settings.store_url), utc_now, waker.wake, waker.wake_for_job))


def migrate() -> None:
    """Bring the database's tables to this version."""
    settings = read_settings()
    open_store(settings.store_url)
    console.print(f"{say(settings.language, 'tables')}: {newest_version()}")


def settings() -> None:
    """Every setting, with its value and what it means."""
    found = read_settings()
    table = Table()
    for name in ("setting", "value", "meaning"):
        table.add_column(say(found.language, name), overflow="fold")
    for name, item in Settings.model_fields.items():
        value = hide_password(str(getattr(found, name)))
        table.add_row(f"PADRON_{name.upper()}", escape(value), describe(item, found.language))
    console.print(table)
