"""`padron segments …`: named filters and lists, who is in them, who joined and left."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin import charts
from admin.asking import confirm
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines import refreshes, segment_files, segments
from pipelines.segment_files import Step
from pipelines.segments import SegmentForm
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.settings import read_settings
from warehouse import segments as stored
from warehouse.engines import reading
from warehouse.store import open_store

app = typer.Typer(help="Segments: create, list, edit, refresh, members, events, growth, files.", no_args_is_help=True)
console = Console()
Number = Annotated[int, typer.Argument(help="The segment's number.")]
Text = Annotated[
    str | None, typer.Option("--filter", help="Who is in, such as city = 'Lima' AND sent(ago('30d')) = 0.")
]
Schedule = Annotated[
    str | None, typer.Option(help="How often it is refreshed: 15min, 2h, 1d, at 06:30, or cron 0 7 * * MON-FRI.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the segment is called.")],
    filter_: Text = None,
    schedule: Schedule = None,
    kind: Annotated[str, typer.Option(help="dynamic, static or snapshot.")] = "dynamic",
    contact: Annotated[list[int] | None, typer.Option(help="A contact of a static one; may be repeated.")] = None,
) -> None:
    """Make a segment, and fill it."""
    settings = read_settings()
    store = open_store(settings.store_url)
    form = SegmentForm(name, kind, filter_, schedule, None, tuple(contact or ()))
    number = segments.create_segment(store, settings, form, asked_now())
    refreshes.refresh_segment(store, number, settings, utc_now)
    with reading(store) as connection:
        found = stored.get_segment(connection, number)
    console.print(say(settings.language, "segment_made", id=number, size=found.size), soft_wrap=True)


@app.command("list")
def list_all() -> None:
    """Every segment, with its size and when it was refreshed."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "segment", "kind", "size", "as_of", "took", "schedule", "filter", "error"):
        table.add_column(say(words, name), overflow="fold")
    with reading(open_store(settings.store_url)) as connection:
        found = stored.all_segments(connection)
    for one in found:
        as_of = shown_time(one.as_of, settings)
        took = f"{one.took_ms / 1000:.2f} s" if one.took_ms is not None else ""
        error = (one.error_es if words == "es" else one.error_en) or ""
        cells = (
            str(one.id),
            one.name,
            one.kind,
            f"{one.size:,}",
            as_of,
            took,
            one.schedule or "",
            one.filter_text or "",
        )
        table.add_row(*(escape(cell) for cell in (*cells, error)))
    console.print(table)


@app.command()
def edit(
    number: Number,
    name: Annotated[str | None, typer.Option(help="What the segment is called.")] = None,
    filter_: Text = None,
    schedule: Schedule = None,
) -> None:
    """Change what is named."""
    settings = read_settings()
    store = open_store(settings.store_url)
    given = {"name": name, "filter_text": filter_, "schedule": schedule}
    changes = {key: value for key, value in given.items() if value is not None}
    segments.edit_segment(store, settings, number, changes, asked_now())
    if "filter_text" in changes:
        refreshes.refresh_segment(store, number, settings, utc_now)
    console.print(say(settings.language, "segment_saved", id=number))


@app.command()
def refresh(
    number: Number, full: Annotated[bool, typer.Option("--full", help="Look at every contact.")] = False
) -> None:
    """Refresh a segment now; who joined and left."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    segments.ask_for_refresh(store, number, asked_now(), fully=full)
    run = refreshes.refresh_segment(store, number, settings, utc_now)
    if run is None:
        console.print(say(words, "segment_busy", id=number))
        raise typer.Exit(1)
    if run.error_en:
        console.print(escape((run.error_es if words == "es" else run.error_en) or ""))
        raise typer.Exit(1)
    counts = {"joined": run.joined, "left": run.left, "size": run.size, "seconds": f"{run.took_ms / 1000:.2f}"}
    console.print(say(words, "segment_refreshed", **counts), soft_wrap=True)


@app.command()
def members(number: Number, limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 1000) -> None:
    """The numbers of the contacts in a segment, a line each."""
    with reading(open_store(read_settings().store_url)) as connection:
        stored.get_segment(connection, number)
        for one in stored.members_at(connection, number, stored.last_ids(connection)[2], 0, limit):
            print(one)


@app.command()
def events(number: Number, limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50) -> None:
    """Who joined and left, the newest first; a JSON object a line."""
    with reading(open_store(read_settings().store_url)) as connection:
        stored.get_segment(connection, number)
        for one in stored.events_of(connection, number, limit):
            said = {"contact": one.contact_id, "joined": one.joined, "at": one.at.isoformat(), "run": one.run_id}
            print(json.dumps(said))


@app.command()
def pin(
    number: Number,
    contact: Annotated[int, typer.Argument(help="The contact's number.")],
    how: Annotated[str, typer.Argument(help="in (always), out (never), or free (as the filter says).")],
) -> None:
    """Let a contact be always in a segment, never, or as its filter says."""
    settings = read_settings()
    choices = {"in": True, "out": False, "free": None}
    if how not in choices:
        raise InputError("Write in, out or free.", "Escriba in, out o free.")
    segments.pin(open_store(settings.store_url), number, contact, asked_now(), is_in=choices[how])
    console.print(say(settings.language, "segment_saved", id=number))


@app.command()
def why(number: Number, contact: Annotated[int, typer.Argument(help="The contact's number.")]) -> None:
    """Why a contact is in a segment or not: each part of the filter, and whether it holds."""
    settings = read_settings()
    for part, holds in refreshes.explain(open_store(settings.store_url), number, contact, settings, utc_now()):
        console.print(f"{'✓' if holds else '✗'} {escape(part)}", highlight=False, soft_wrap=True)


@app.command()
def growth(
    number: Number,
    chart: Annotated[Path | None, typer.Option(help="Write a chart (SVG) there instead.")] = None,
) -> None:
    """How many were in a segment at the end of each day on which somebody joined or left."""
    settings = read_settings()
    name, points = refreshes.growth_of(open_store(settings.store_url), number, settings)
    if chart is not None:
        chart.write_text(charts.line(points, name), "utf-8")
        console.print(str(chart), highlight=False, soft_wrap=True)
        return
    for at, size in points:
        print(f"{at:%Y-%m-%d} {size}")


@app.command("plan")
def show_plan() -> None:
    """What applying the files in the home folder's segments/ would change."""
    settings = read_settings()
    steps = segment_files.plan(open_store(settings.store_url), settings)
    _show_steps(steps, settings.language)


@app.command("apply")
def apply_files(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Let the segments be as the files in the home folder's segments/ say; those made by hand stay."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    steps = segment_files.plan(store, settings)
    _show_steps(steps, words)
    if not steps:
        return
    confirm(words, say(words, "sure_to_apply", count=len(steps)), yes=yes)
    segment_files.apply_plan(store, settings, steps, asked_now())
    refreshes.refresh_due(store, settings, utc_now)
    console.print(say(words, "applied", count=len(steps)))


def _show_steps(steps: Sequence[Step], words: str) -> None:
    if not steps:
        console.print(say(words, "nothing_to_do"))
    marks = {"create": "+", "edit": "~", "delete": "-"}
    for step in steps:
        console.print(f"{marks[step.action]} {escape(step.name)}", highlight=False, soft_wrap=True)
        for name, (before, after) in (step.changes or {}).items():
            console.print(escape(f"    {name}: {before} → {after}"), highlight=False, soft_wrap=True)


@app.command()
def delete(number: Number) -> None:
    """Take a segment away; its contacts stay."""
    settings = read_settings()
    segments.drop_segment(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "segment_gone", id=number))
