"""`padron export-plans …`: exports on schedule, as files in the home folder's export-plans/ say."""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.bars import bar
from admin.contact_commands import result_of
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from connectors.export_plans import plan_paths, read_export_plan
from pipelines.jobs import run_job
from pipelines.scheduled_exports import ask_for_scheduled
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.settings import read_settings
from schemas.spans import next_time
from warehouse.store import open_store

app = typer.Typer(help="Exports on schedule: list, run.", no_args_is_help=True)
console = Console()


@app.command("list")
def list_some() -> None:
    """The exports that files in the home folder's export-plans/ ask for, and what is wrong with a file."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("name", "schedule", "next", "place"):
        table.add_column(say(words, name), overflow="fold")
    for path in plan_paths(settings.home):
        try:
            plan = read_export_plan(path)
        except InputError as error:
            table.add_row(path.stem, "", "", escape(error.said(words)))
            continue
        following = next_time(plan.schedule, utc_now(), settings.time_zone)
        table.add_row(plan.name, plan.schedule, shown_time(following, settings), escape(f"{plan.to} {plan.file}"))
    console.print(table)


@app.command()
def run(name: Annotated[str, typer.Argument(help="The file's name, without .toml.")]) -> None:
    """Make a scheduled export now."""
    settings = read_settings()
    store = open_store(settings.store_url)
    work = ask_for_scheduled(store, settings, name, asked_now())
    with bar(name) as told:
        found = result_of(run_job(store, work.id, settings, utc_now, told))
    file = f"{found['to']}/{found['file']}"
    console.print(say(settings.language, "exported", rows=f"{found['rows']:,}", file=escape(file)), soft_wrap=True)
