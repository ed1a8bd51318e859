"""`padron licences …`: the seats that were bought, who has them, and what an invoice goes by."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.operator_commands import asked_now
from admin.words import say
from pipelines.licences import LicenceForm, SeatView, create_licence, daily_peaks, edit_licence, seat_views
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.settings import read_settings
from warehouse.store import open_store

app = typer.Typer(help="Licences: create, list, edit, days.", no_args_is_help=True)
console = Console()
Number = Annotated[int, typer.Argument(help="The licence's number.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A day, such as 2027-01-31.")]


def _utc(day: datetime | None) -> datetime | None:
    return day.replace(tzinfo=UTC) if day else None


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the licence is called.")],
    seats: Annotated[int, typer.Option(help="How many may be signed in at a time.")],
    kind: Annotated[str, typer.Option(help="agent or admin; with an admin one nobody takes conversations.")] = "agent",
    holding: Annotated[str, typer.Option(help="floating or named.")] = "floating",
    valid_from: Day = None,
    valid_until: Day = None,
) -> None:
    """Add seats that were bought."""
    settings = read_settings()
    form = LicenceForm(name, kind, holding, seats, _utc(valid_from), _utc(valid_until))  # type: ignore[arg-type]  # the form refuses others
    made = create_licence(open_store(settings.store_url), form, asked_now())
    console.print(say(settings.language, "licence_made", id=made.id, name=escape(made.name), seats=made.seats))


@app.command("list")
def list_all() -> None:
    """Every licence, with its seats and who has them."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "licence", "kind", "holding", "seats", "taken", "who", "until"):
        table.add_column(say(words, name), overflow="fold")
    for view in seat_views(open_store(settings.store_url), utc_now()):
        table.add_row(*_line(view, words))
    console.print(table)


def _line(view: SeatView, words: str) -> tuple[str, ...]:
    one = view.licence
    until = f"{one.valid_until:%Y-%m-%d}" if one.valid_until else "–"
    if not view.is_valid:
        until += f" ({say(words, 'not_valid')})"
    elif view.expires_soon:
        until += f" ({say(words, 'expires_soon')})"
    who = ", ".join(f"{holder.name} ({holder.since:%Y-%m-%d %H:%M})" for holder in view.holders)
    shown = (str(one.id), one.name, one.kind, one.holding, str(one.seats), str(len(view.holders)), who or "–", until)
    return tuple(map(escape, shown))


@app.command()
def edit(
    number: Number,
    name: Annotated[str | None, typer.Option(help="What the licence is called.")] = None,
    seats: Annotated[int | None, typer.Option(help="How many may be signed in at a time.")] = None,
    valid_from: Day = None,
    valid_until: Day = None,
) -> None:
    """Change what is named of a licence; fewer seats throw nobody out."""
    settings = read_settings()
    said: dict[str, Any] = {
        "name": name,
        "seats": seats,
        "valid_from": _utc(valid_from),
        "valid_until": _utc(valid_until),
    }
    changes = {key: value for key, value in said.items() if value is not None}
    if not changes:
        raise InputError("Name what to change; see --help.", "Indique qué cambiar; vea --help.")
    changed = edit_licence(open_store(settings.store_url), number, changes, asked_now())
    console.print(say(settings.language, "licence_changed", name=escape(changed.name), seats=changed.seats))


@app.command()
def days(number: Number, first: Day = None, last: Day = None) -> None:
    """The most seats that were taken on each day (UTC): by default of the last thirty."""
    settings = read_settings()
    now = utc_now()
    end = (_utc(last) or now).date()
    start = first.date() if first else end - timedelta(days=29)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("day", "taken"):
        table.add_column(say(settings.language, title))
    for day, most in daily_peaks(open_store(settings.store_url), number, start, end, now).items():
        table.add_row(day.isoformat(), str(most))
    console.print(table)
