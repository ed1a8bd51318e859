"""`padron export`: the roll, or part of it, as a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from admin.bars import bar
from admin.contact_commands import Filter, Search, wanted_of
from admin.operator_commands import asked_now
from admin.words import say
from pipelines.exports import ExportForm, export_contacts, format_of
from schemas.errors import InputError
from schemas.settings import read_settings
from warehouse.store import open_store

console = Console()


def export_file(
    file: Annotated[Path, typer.Argument(help="The file to write: .csv, .xlsx or .parquet.")],
    filter_: Filter = "",
    search: Search = "",
    columns: Annotated[
        str, typer.Option(help="Names with commas between, such as phone,tags,custom.plan; else all that imports take.")
    ] = "",
    language: Annotated[str, typer.Option(help="Language of the headers: es or en; else the installation's.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write contacts to a file that an import takes back without a change."""
    settings = read_settings()
    words = language or settings.language
    if words not in ("es", "en"):
        raise InputError("--language is es or en.", "--language es es o en.")
    if file.exists() and not force:
        raise InputError(
            f"there is a file {file} already. Choose another name, or write over it with --force.",
            f"ya existe el archivo {file}. Elija otro nombre, o reemplácelo con --force.",
        )
    chosen = tuple(name.strip() for name in columns.split(",") if name.strip())
    form = ExportForm(wanted_of(settings, filter_, search, "id"), format_of(file), chosen, words)
    file.parent.mkdir(parents=True, exist_ok=True)
    with bar(file.name) as told:
        found = export_contacts(open_store(settings.store_url), settings, form, file, asked_now(), told)
    console.print(say(settings.language, "exported", rows=f"{found.rows:,}", file=escape(str(file))), soft_wrap=True)
