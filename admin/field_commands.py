"""`padron fields …` and `padron tags …`: what contacts can be described by, kept tidy."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.contact_commands import result_of, tell_of_edit
from admin.operator_commands import asked_now
from admin.words import say
from pipelines import fields, tags
from pipelines.fields import FieldForm
from pipelines.jobs import run_job
from scheduler.tasks import utc_now
from schemas.settings import read_settings
from warehouse.store import open_store

field_app = typer.Typer(help="Custom fields: list, create, rename, convert, archive, restore.", no_args_is_help=True)
tag_app = typer.Typer(help="Tags: list, rename, colour, merge, find near-duplicates, delete.", no_args_is_help=True)
console = Console()
Key = Annotated[str, typer.Argument(help="The field's key.")]
Number = Annotated[int, typer.Argument(help="The tag's number.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@field_app.command("list")
def list_fields(as_json: AsJson = False) -> None:
    """Every custom field."""
    settings = read_settings()
    found = fields.find_fields(open_store(settings.store_url))
    if as_json:
        for one in found:
            print(json.dumps(asdict(one), ensure_ascii=False, default=str))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("key", "label", "type", "options", "archived"):
        table.add_column(say(settings.language, name), overflow="fold")
    for one in found:
        archived = f"{one.archived_at:%Y-%m-%d}" if one.archived_at else ""
        table.add_row(escape(one.key), escape(one.label), one.type, escape(", ".join(one.options or ())), archived)
    console.print(table)


@field_app.command("create")
def create_field(
    key: Key,
    type_: Annotated[
        str,
        typer.Option(
            "--type", help="text, long_text, number, boolean, date, datetime, choice (one option) or choices (several)."
        ),
    ] = "text",
    label: Annotated[str, typer.Option(help="How people call it.")] = "",
    option: Annotated[list[str] | None, typer.Option(help="An option of a choice; may be repeated.")] = None,
) -> None:
    """Define a field before a file brings it."""
    settings = read_settings()
    fields.create_field(open_store(settings.store_url), FieldForm(key, type_, label, option or ()), asked_now())
    console.print(say(settings.language, "field_saved", field=key))


@field_app.command("rename")
def rename_field(key: Key, label: Annotated[str, typer.Argument(help="How people call it.")]) -> None:
    """Call a field otherwise; its key stays, as files and filters name it so."""
    settings = read_settings()
    fields.edit_field(open_store(settings.store_url), key, asked_now(), label=label)
    console.print(say(settings.language, "field_saved", field=key))


@field_app.command("options")
def set_options(
    key: Key, options: Annotated[list[str], typer.Argument(help="All options that it is to have.")]
) -> None:
    """Give a choice other options; one that contacts have stays."""
    settings = read_settings()
    fields.edit_field(open_store(settings.store_url), key, asked_now(), options=options)
    console.print(say(settings.language, "field_saved", field=key))


@field_app.command("archive")
def archive_field(key: Key) -> None:
    """Put a field away with its values."""
    settings = read_settings()
    fields.edit_field(open_store(settings.store_url), key, asked_now(), is_archived=True)
    console.print(say(settings.language, "field_saved", field=key))


@field_app.command("restore")
def restore_field(key: Key) -> None:
    """Take a field out of the archive."""
    settings = read_settings()
    fields.edit_field(open_store(settings.store_url), key, asked_now(), is_archived=False)
    console.print(say(settings.language, "field_saved", field=key))


@field_app.command("convert")
def convert_field(
    key: Key, type_: Annotated[str, typer.Argument(metavar="TYPE", help="The type it is to have.")]
) -> None:
    """Give a field another type, if every value fits it."""
    settings = read_settings()
    store = open_store(settings.store_url)
    work = fields.ask_for_conversion(store, key, type_, asked_now())
    result_of(run_job(store, work.id, settings, utc_now))
    console.print(say(settings.language, "field_saved", field=key))


@tag_app.command("list")
def list_tags(as_json: AsJson = False) -> None:
    """Every tag, with how many contacts have it."""
    settings = read_settings()
    found = tags.find_tags(open_store(settings.store_url))
    if as_json:
        for one in found:
            print(json.dumps(asdict(one), ensure_ascii=False))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("id", justify="right")
    table.add_column(say(settings.language, "tag"), overflow="fold")
    table.add_column(say(settings.language, "colour"))
    table.add_column(say(settings.language, "contacts"), justify="right")
    for one in found:
        table.add_row(str(one.id), escape(one.name), one.colour or "", f"{one.contacts:,}")
    console.print(table)


@tag_app.command("near")
def near_tags() -> None:
    """Groups of tags that may be one, such as VIP and Vips."""
    settings = read_settings()
    groups = tags.near_tags(tags.find_tags(open_store(settings.store_url)))
    for group in groups:
        line = " · ".join(f"{one.name} ({one.id}; {one.contacts:,})" for one in group)
        console.print(escape(line), highlight=False, soft_wrap=True)
    if not groups:
        console.print(say(settings.language, "no_near_tags"))


@tag_app.command("rename")
def rename_tag(number: Number, name: Annotated[str, typer.Argument(help="How it is written.")]) -> None:
    """Write a tag otherwise."""
    settings = read_settings()
    tags.edit_tag(open_store(settings.store_url), number, asked_now(), name=name)
    console.print(say(settings.language, "tag_saved", id=number))


@tag_app.command("colour")
def colour_tag(number: Number, colour: Annotated[str, typer.Argument(help="As #1d4ed8; empty takes it away.")]) -> None:
    """Give a tag a colour."""
    settings = read_settings()
    tags.edit_tag(open_store(settings.store_url), number, asked_now(), colour=colour)
    console.print(say(settings.language, "tag_saved", id=number))


@tag_app.command("merge")
def merge_tags(
    number: Number, into: Annotated[int, typer.Argument(help="The number of the tag that they get instead.")]
) -> None:
    """Let whoever has a tag have another instead; it can be taken back."""
    settings = read_settings()
    store = open_store(settings.store_url)
    work = tags.merge_tags(store, settings, number, into, asked_now())
    tell_of_edit(run_job(store, work.id, settings, utc_now), settings.language)


@tag_app.command("delete")
def delete_tag(number: Number) -> None:
    """Take a tag away that no contact has."""
    settings = read_settings()
    tags.drop_tag(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "tag_gone", id=number))
