"""`padron history at`: the roll, or a segment, as it was."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.markup import escape

from admin.bars import bar
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines.pasts import write_past
from schemas.operators import WrongField
from schemas.settings import Settings, read_settings
from warehouse.store import open_store

app = typer.Typer(help="History: the roll as it was.", no_args_is_help=True)
console = Console()


@app.callback()
def _group() -> None:
    """Keeps `at` a command of its own."""


@app.command()
def at(
    moment: Annotated[str, typer.Argument(help="A day or a time, such as 2026-05-01 or 2026-05-01T18:30.")],
    file: Annotated[Path, typer.Argument(help="The file to write: .csv, .xlsx or .parquet.")],
    segment: Annotated[str, typer.Option(help="Only who was in this segment.")] = "",
) -> None:
    """Write the contacts as they were at a moment, by taking back what was changed since."""
    settings = read_settings()
    with bar(file.name) as told:
        found = write_past(
            open_store(settings.store_url), settings, _moment(moment, settings), segment, file, asked_now(), told
        )
    said = {"rows": f"{found.rows:,}", "file": escape(str(file)), "at": shown_time(found.at, settings)}
    console.print(say(settings.language, "past_written", **said), soft_wrap=True)
    if found.deleted_since:
        console.print(say(settings.language, "past_deleted", count=found.deleted_since), soft_wrap=True)


def _moment(text: str, settings: Settings) -> datetime:
    """A day is its beginning; what names no zone is in the installation's."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongField(
            "time",
            "invalid",
            f"«{text}» is no day or time such as 2026-05-01 or 2026-05-01T18:30.",
            f"«{text}» no es un día ni una hora como 2026-05-01 o 2026-05-01T18:30.",
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(settings.time_zone))
