"""`padron connections …`: accounts of CRMs, their credentials, and their mappings."""

from pathlib import Path
from typing import Annotated

import tomli_w
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.asking import confirm
from admin.example_crm import Records, serve_example
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from connectors.crm_files import connector_paths, read_connector
from pipelines import connections
from pipelines.conformance import Finding, prove
from pipelines.connections import ConnectionForm
from schemas.errors import InputError
from schemas.mappings import parse_mapping
from schemas.settings import read_settings
from warehouse.store import open_store

app = typer.Typer(help="Connections to CRMs: create, check, map, edit, list, delete.", no_args_is_help=True)
console = Console()
Name = Annotated[str, typer.Argument(help="The connection's name.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, such as url=https://crm.example.com.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option("--secret", help="NAME asks for it without showing it; NAME=VALUE says it on the command line."),
]


def _pairs(items: list[str] | None, *, hidden: bool = False) -> dict[str, str]:
    found = {}
    for item in items or ():
        name, mark, value = item.partition("=")
        if not mark and not hidden:
            raise InputError(f"{item}: write it as NAME=VALUE.", f"{item}: escríbalo como NOMBRE=VALOR.")
        found[name] = value if mark else str(typer.prompt(name, hide_input=True))
    return found


def _form(set_: list[str] | None, secret: list[str] | None) -> ConnectionForm:
    return ConnectionForm(_pairs(set_), _pairs(secret, hidden=True))


@app.command()
def create(
    name: Name,
    connector: Annotated[str, typer.Argument(help="Which CRM; see: padron connections connectors")],
    set_: Set = None,
    secret: Secrets = None,
) -> None:
    """Connect a CRM: its address and credentials are kept, encrypted, and its fields are read."""
    settings = read_settings()
    store, form = open_store(settings.store_url), _form(set_, secret)
    connections.create_connection(store, settings, name, connector, form, asked_now())
    console.print(say(settings.language, "connected", name=name))
    fields = connections.read_fields(store, settings, name)
    console.print(say(settings.language, "fields_read", count=len(fields), name=name), soft_wrap=True)


@app.command()
def edit(name: Name, set_: Set = None, secret: Secrets = None) -> None:
    """Change the address or the credentials; what is not named stays."""
    settings = read_settings()
    form = _form(set_, secret)
    connections.edit_connection(open_store(settings.store_url), settings, name, form, asked_now())
    console.print(say(settings.language, "connection_saved", name=name))


@app.command("list")
def list_some() -> None:
    """Every connection, and how it is."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("name", "crm", "state", "next", "message"):
        table.add_column(say(words, head), overflow="fold")
    for one in connections.find_connections(open_store(settings.store_url)):
        said = (one.message_es if words == "es" else one.message_en) or ""
        following = shown_time(one.next_at, settings) if one.next_at else ""
        table.add_row(one.name, one.connector, say(words, f"connection_{one.state}"), following, escape(said))
    console.print(table)


@app.command()
def connectors() -> None:
    """The CRMs that there are connectors for, and what each needs to be told."""
    settings = read_settings()
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("name", "crm", "--set", "--secret"):
        table.add_column(head if head.startswith("--") else say(settings.language, head), overflow="fold")
    for name in sorted(connector_paths(settings.home)):
        try:
            found = read_connector(settings.home, name)
        except InputError as error:
            table.add_row(name, escape(error.said(settings.language)), "", "")
            continue
        table.add_row(name, found.title, "\n".join(found.config), "\n".join(found.secrets))
    console.print(table)


@app.command()
def check(
    name: Name,
    prove_: Annotated[
        bool, typer.Option("--prove", help="Make, change and remove records of a test, to prove what the CRM can do.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Sign in, read the CRM's fields, and compare the mapping with them."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    fields = connections.read_fields(store, settings, name)
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("field", "label", "type"):
        table.add_column(say(words, head), overflow="fold")
    for one in fields:
        table.add_row(one.name, escape(one.label), one.type + (" ·" if one.read_only else ""))
    console.print(table)
    mapping = connections.find_mapping(store, name)
    if mapping is not None:
        connections.check_standing(store, settings, name, mapping)
    console.print(say(words, "checked", name=name, count=len(fields)))
    if prove_:
        confirm(words, say(words, "prove_sure", name=name), yes=yes)
        _tell(prove(connections.client_for_proof(store, settings, name)), words)


def _tell(findings: list[Finding], words: str) -> None:
    for one in findings:
        mark = "[green]✓[/]" if one.is_well else "[red]✗[/]"
        console.print(f"{mark} {escape(one.said(words))}", soft_wrap=True)
    if not all(one.is_well for one in findings):
        raise typer.Exit(1)


@app.command("map")
def map_(
    name: Name,
    file: Annotated[Path | None, typer.Option("--file", help="A mapping (TOML), which is then in use.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the mapping in use, or a proposal, to this file.")
    ] = None,
) -> None:
    """Set the mapping from a file; without one, take what the CRM's own fields suggest."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    standing = connections.find_mapping(store, name)
    if file is not None:
        mapping = parse_mapping(file.read_text("utf-8-sig"), str(file))
    else:
        mapping = standing or connections.proposed_mapping(store, settings, name)
    if save is not None:
        document = mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        save.write_text(tomli_w.dumps(document), "utf-8")
        console.print(say(words, "mapping_written", file=str(save)), soft_wrap=True)
        return
    if file is not None or standing is None:
        connections.set_mapping(store, settings, name, mapping, asked_now())
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("here", "direction", "there"):
        table.add_column(say(words, head), overflow="fold")
    arrows = {"both": "↔", "in": "←", "out": "→"}
    for pair in mapping.fields:
        table.add_row(pair.local or str(pair.template), arrows[pair.direction], ", ".join(pair.remote))
    console.print(table)
    console.print(say(words, "mapping_set", name=name), soft_wrap=True)


@app.command()
def delete(name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove a connection; contacts and records stay as they are."""
    settings = read_settings()
    confirm(settings.language, say(settings.language, "connection_sure", name=name), yes=yes)
    connections.drop_connection(open_store(settings.store_url), name, asked_now())
    console.print(say(settings.language, "connection_deleted", name=name))


def example_crm(
    port: Annotated[int, typer.Option(help="The port at which it listens.", min=1, max=65535)] = 8371,
    file: Annotated[Path, typer.Option(help="Where it keeps its contacts.")] = Path("example-crm.json"),
) -> None:
    """Start a small CRM to try sync with; it says how to connect to it."""
    settings = read_settings()
    records = Records.open(file)
    records.save()
    said = {"url": f"http://127.0.0.1:{port}", "token": records.token}
    console.print(say(settings.language, "example_crm", **said), soft_wrap=True, highlight=False)
    serve_example(file, port)
