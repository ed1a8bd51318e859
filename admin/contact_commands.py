"""`padron contacts …`: find, read, create, edit, block, archive."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.asking import confirm
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines import bulk_edits, contacts, edits
from pipelines.bulk_edits import BulkForm
from pipelines.edits import ContactForm
from pipelines.jobs import run_job
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.fields import BY_KEY, CUSTOM
from schemas.settings import Settings, read_settings
from warehouse.contact_details import Change, Detail
from warehouse.contact_lists import ORDERS, Listed, Wanted
from warehouse.jobs import Work
from warehouse.store import open_store

app = typer.Typer(help="Contacts: list, count, show, create, edit one or many, block, archive.", no_args_is_help=True)
console = Console()
Number = Annotated[int, typer.Argument(help="The contact's number.")]
Filter = Annotated[str, typer.Option("--filter", help="A filter, such as city = 'Lima' AND tagged('vip').")]
Search = Annotated[str, typer.Option(help="A name, an e-mail, or a phone in any spelling.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Values = Annotated[list[str], typer.Argument(help="FIELD=VALUE, such as city=Lima or custom.plan=oro; FIELD= empties.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag of the contact; these are all it will have.")]
_SHOWN = ("display_name", "phone", "email", "status", "channel", "last_interaction_at")


def wanted_of(settings: Settings, filter_: str, search: str, sort: str) -> Wanted:
    order = sort.removeprefix("-")
    if order not in ORDERS:
        listed = ", ".join(ORDERS)
        raise InputError(
            f"--sort is one of {listed}; with - before it, downwards.",
            f"--sort es uno de {listed}; con - delante, hacia abajo.",
        )
    store = open_store(settings.store_url)
    condition = contacts.read_filter(store, settings, filter_) if filter_ else None
    sought = contacts.read_search(search, settings.default_country or None)
    return Wanted(condition, sought, order, sort.startswith("-"))


@app.command("list")
def list_some(
    filter_: Filter = "",
    search: Search = "",
    sort: Annotated[
        str, typer.Option(help="id, created_at, last_interaction_at or name; - before it: downwards.")
    ] = "-id",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Contacts by filter and search."""
    settings = read_settings()
    wanted, words = wanted_of(settings, filter_, search, sort), settings.language
    found = contacts.find_contacts(open_store(settings.store_url), settings, wanted, limit, utc_now())
    if as_json:
        for one in found:
            print(json.dumps(_document(one), ensure_ascii=False, default=str))
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True)
    for name in (*_SHOWN, "tags"):
        table.add_column(BY_KEY[name].label(words), overflow="fold", no_wrap=name == "phone")
    for one in found:
        cells = (_cell(one.contact[name], settings) for name in ("id", *_SHOWN))
        table.add_row(*(escape(cell) for cell in cells), escape(", ".join(one.tags)))
    console.print(table)


def _document(one: Listed) -> dict[str, Any]:
    hidden = ("phone_match", "email_match", "search_text", "applied", "merged_into", "deleted_at", "version")
    own = {name: value for name, value in one.contact.items() if name not in hidden}
    return {**own, "tags": one.tags, "custom": one.custom}


def _cell(value: object, settings: Settings) -> str:
    return shown_time(value, settings) if isinstance(value, datetime) else "" if value is None else str(value)


@app.command()
def count(filter_: Filter = "", search: Search = "") -> None:
    """How many contacts a filter and a search find."""
    settings = read_settings()
    wanted = wanted_of(settings, filter_, search, "-id")
    store = open_store(settings.store_url)
    print(contacts.count_contacts(store, settings, wanted, utc_now(), exactly=True))


@app.command()
def show(number: Number, as_json: AsJson = False) -> None:
    """Everything about one contact: its values and where each came from, its keys, tags and history."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    detail = contacts.find_contact(store, number)
    listed = contacts.history_of(store, number, 20)
    if as_json:
        document = {**_document(Listed(detail.contact, detail.tags, detail.custom, (None, number)))}
        document |= {"keys": detail.keys, "notes": detail.notes, "consents": detail.consents}
        document |= {"opted_out": detail.opted_out, "segments": detail.segments}
        document["history"] = [{name: getattr(one, name) for name in Change.__slots__} for one in listed]
        print(json.dumps(document, ensure_ascii=False, default=str))
        return
    console.print(_values_table(detail, settings))
    for name, shown in (
        ("tags", ", ".join(detail.tags)),
        ("keys", ", ".join(f"{key['kind']} {key['written'] or key['value']} ({key['role']})" for key in detail.keys)),
        ("opted_out", ", ".join(detail.opted_out)),
        ("segments", ", ".join(one["name"] for one in detail.segments)),
    ):
        if shown:
            console.print(f"[bold]{say(words, name)}[/]: {escape(shown)}", highlight=False, soft_wrap=True)
    for note in detail.notes:
        console.print(f"[bold]{say(words, 'note')}[/]: {escape(note['text'])}", highlight=False, soft_wrap=True)
    for change in listed:
        console.print(escape(_change_line(change, settings)), highlight=False, soft_wrap=True)


def _values_table(detail: Detail, settings: Settings) -> Table:
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("field", "value", "from"):
        table.add_column(say(words, name), overflow="fold")
    own = {name: value for name, value in detail.contact.items() if name in BY_KEY and value is not None}
    labelled = {name: BY_KEY[name].label(words) for name in own}
    custom = {f"{CUSTOM}{key}": value for key, value in detail.custom.items()}
    for name, value in {**own, **custom}.items():
        origin = detail.origins.get(name)
        table.add_row(
            labelled.get(name, name), escape(_cell(value, settings)), escape(_origin(origin) if origin else "")
        )
    return table


def _origin(change: Change) -> str:
    return f"{change.file}, {change.row}" if change.file else change.actor


def _change_line(change: Change, settings: Settings) -> str:
    said = ", ".join(f"{name}: {old} → {new}" for name, (old, new) in (change.diff or {}).items())
    return f"{shown_time(change.at, settings)} {change.operation} · {_origin(change)} {said}".rstrip()


@app.command()
def create(values: Values, tag: Tags = None) -> None:
    """Make a contact by hand, as in: padron contacts create first_name=Ana phone="300 111 2233"."""
    settings = read_settings()
    store = open_store(settings.store_url)
    number = edits.create_contact(store, settings, _form(values, tag), asked_now())
    console.print(say(settings.language, "contact_made", id=number))


@app.command()
def edit(
    number: Number, values: Annotated[list[str] | None, typer.Argument(help="FIELD=VALUE.")] = None, tag: Tags = None
) -> None:
    """Change what is named of a contact."""
    settings = read_settings()
    store = open_store(settings.store_url)
    edits.edit_contact(store, settings, number, _form(values or [], tag), asked_now())
    console.print(say(settings.language, "contact_saved", id=number))


def _form(values: list[str], tag: list[str] | None) -> ContactForm:
    fields: dict[str, str | None] = {}
    custom: dict[str, Any] = {}
    for item in values:
        name, mark, text = item.partition("=")
        if not mark:
            raise InputError(f"{item}: write it as FIELD=VALUE.", f"{item}: escríbalo como CAMPO=VALOR.")
        if name.startswith(CUSTOM):
            custom[name.removeprefix(CUSTOM)] = text
        elif name in edits.FIELDS:
            fields[name] = text or None
        else:
            listed = ", ".join(edits.FIELDS)
            raise InputError(
                f"There is no field {name}. Fields: {listed}, custom.KEY.",
                f"No hay un campo {name}. Campos: {listed}, custom.CLAVE.",
            )
    return ContactForm(fields, custom, tag)


@app.command("edit-many")
def edit_many(
    filter_: Filter = "",
    contact: Annotated[list[int] | None, typer.Option("--id", help="A contact's number, instead of a filter.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="FIELD=VALUE.")] = None,
    add_tag: Annotated[list[str] | None, typer.Option(help="A tag to add.")] = None,
    remove_tag: Annotated[list[str] | None, typer.Option(help="A tag to take away.")] = None,
    action: Annotated[str, typer.Option(help="block, archive, restore or delete.")] = "",
    reason: Annotated[str | None, typer.Option(help="Why they are blocked.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Change all who match a filter, after saying how many they are; it can be taken back."""
    settings = read_settings()
    store, words, asked = open_store(settings.store_url), settings.language, asked_now()
    values = _form(set_ or [], None)
    form = BulkForm(
        filter_,
        contact or (),
        values.fields,
        values.custom,
        add_tag or (),
        remove_tag or (),
        action=action,
        reason=reason,
    )
    bulk_edits.check(form)
    count = bulk_edits.count_matching(store, settings, form, asked)
    confirm(words, say(words, "how_many_match", count=f"{count:,}"), yes=yes)
    work = bulk_edits.ask_for_edit(store, settings, replace(form, expected=count), asked)
    tell_of_edit(run_job(store, work.id, settings, utc_now), words)


def result_of(work: Work | None) -> dict[str, Any]:
    """What a job that was done here says, or its error."""
    if work is None:
        raise InputError(
            "A worker does it already. See how far it is with: padron jobs list",
            "Ya lo hace un proceso. Vea cómo va con: padron jobs list",
        )
    if work.result is None:
        raise InputError(work.message_en or work.state, work.message_es or work.state)
    return dict(work.result)


def tell_of_edit(work: Work | None, words: str) -> None:
    """Say how many an edit of many changed."""
    found = result_of(work)
    counts = {name: f"{found[name]:,}" for name in ("changed", "matched", "skipped")}
    console.print(say(words, "many_changed", id=found["batch_id"], **counts), soft_wrap=True)


@app.command()
def block(number: Number, reason: Annotated[str, typer.Option(help="Why.")]) -> None:
    """Let no message reach a contact any more."""
    settings = read_settings()
    edits.block_contact(open_store(settings.store_url), number, reason, asked_now())
    console.print(say(settings.language, "contact_saved", id=number))


@app.command()
def unblock(number: Number) -> None:
    """Take a block back."""
    settings = read_settings()
    edits.unblock_contact(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "contact_saved", id=number))


@app.command()
def archive(number: Number) -> None:
    """Put a contact away."""
    settings = read_settings()
    edits.archive_contact(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "contact_archived", id=number))


@app.command()
def restore(number: Number) -> None:
    """Take a contact out of the archive."""
    settings = read_settings()
    edits.restore_contact(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "contact_saved", id=number))
