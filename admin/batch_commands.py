"""`padron batches …`: what became of each file, taking one back, sending one again."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say, say_state
from connectors.profiles import read_profile
from pipelines.clean import with_defaults
from pipelines.drops import retry_batch
from pipelines.jobs import cancel_import
from pipelines.undo import undo_by_hand
from scheduler.tasks import utc_now
from schemas.settings import Settings, read_settings
from warehouse import batches
from warehouse.batches import Batch
from warehouse.engines import reading
from warehouse.store import open_store

app = typer.Typer(help="Imports: list, show, cancel, undo, retry.", no_args_is_help=True)
console = Console()
Number = Annotated[int, typer.Argument(help="The batch's number.")]
_COUNTS = ("rows_read", "created", "updated", "unchanged", "merged", "rejected")


@app.command("list")
def list_all(limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20) -> None:
    """The newest batches."""
    settings = read_settings()
    words = settings.language
    with reading(open_store(settings.store_url)) as connection:
        found = batches.list_batches(connection, limit)
    console.print(batch_table(found, words))


def batch_table(found: Iterable[Batch], words: str) -> Table:
    """A line for each batch, in this language."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "file", "state"):
        table.add_column(say(words, name), overflow="fold")
    for name in _COUNTS:
        title = name if name == "rows_read" else f"short_{name}"
        table.add_column(say(words, title), justify="right", no_wrap=True)
    for batch in found:
        counted = replace(batch, rows_read=batch.rows_read or batch.rows_done)
        counts = (f"{getattr(counted, name):,}" for name in _COUNTS)
        table.add_row(str(batch.id), escape(batch.file), say_state(words, batch.state), *counts)
    return table


@app.command()
def show(number: Number) -> None:
    """Everything known of one batch."""
    settings = read_settings()
    with reading(open_store(settings.store_url)) as connection:
        batch = batches.get_batch(connection, number)
    words = settings.language
    for name in batches.Batch.__slots__:
        value = getattr(batch, name)
        if value is not None and name not in ("profile_text", "sha256", "message_en", "message_es"):
            shown = say_state(words, value) if name == "state" else _shown(value, settings)
            console.print(f"[bold]{say(words, name)}[/]: {escape(shown)}", highlight=False, soft_wrap=True)
    if batch.sentence:
        said = escape(batch.sentence.said(words))
        console.print(f"[bold]{say(words, 'message')}[/]: {said}", highlight=False, soft_wrap=True)


def _shown(value: object, settings: Settings) -> str:
    match value:
        case datetime():
            return shown_time(value, settings)
        case int():
            return f"{value:,}"
        case _:
            return str(value)


@app.command()
def cancel(number: Number) -> None:
    """Ask an import to stop; the rows that were taken stay, and can be taken back."""
    settings = read_settings()
    batch = cancel_import(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "import_stopping", id=number, file=escape(batch.file)), soft_wrap=True)


@app.command()
def undo(number: Number) -> None:
    """Take an import back; contacts that were edited since keep those edits and are listed."""
    settings = read_settings()
    report = undo_by_hand(open_store(settings.store_url), number, asked_now(), utc_now)
    words = settings.language
    console.print(say(words, "taken_back", id=number, removed=report.removed, restored=report.restored))
    if report.lifted:
        console.print(say(words, "lifted", count=report.lifted), soft_wrap=True)
    if report.kept:
        shown = ", ".join(map(str, report.kept[:50]))
        console.print(say(words, "kept", count=len(report.kept), ids=shown), soft_wrap=True)


@app.command()
def retry(
    number: Number,
    profile: Annotated[str, typer.Option(help="How the source's columns map; empty: as they did.")] = "",
) -> None:
    """Send a rejected or parked file of a drop folder again, under a profile."""
    settings = read_settings()
    with reading(open_store(settings.store_url)) as connection:
        name = profile or batches.get_batch(connection, number).profile
    found = with_defaults(read_profile(settings.home, name), settings)
    new = retry_batch(open_store(settings.store_url), number, found, asked_now())
    console.print(f"{say(settings.language, 'retried')} {new}")
