"""`padron roles …`, `padron tokens …` and `padron audit …`: what may be done, by whom, and what was done."""

import re
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.actors import shown
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines.audit import Span, audit_entries, audit_lines, broken_entry, holds, newest_entry
from pipelines.roles import all_roles, drop_role, put_role
from pipelines.tokens import create_token, revoke_token
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.permissions import ROLES
from schemas.settings import Settings, read_settings
from warehouse import sessions
from warehouse.engines import reading
from warehouse.store import open_store

roles = typer.Typer(help="Roles: list, save, delete.", no_args_is_help=True)
tokens = typer.Typer(help="API tokens: create, list, revoke.", no_args_is_help=True)
audit = typer.Typer(help="The audit: show, export, verify.", no_args_is_help=True)
console = Console()
Permissions = Annotated[list[str], typer.Option("--may", help="A permission, such as operators:read; may be repeated.")]
RoleName = Annotated[str, typer.Argument(help="The role's name.")]


@roles.command("list")
def list_roles() -> None:
    """Every role, with what it may do."""
    settings = read_settings()
    for name, permissions in all_roles(open_store(settings.store_url)).items():
        mark = "" if name in ROLES else " *"
        console.print(f"[bold]{escape(name)}[/]{mark}: {', '.join(sorted(permissions))}", highlight=False)


@roles.command()
def save(name: RoleName, may: Permissions) -> None:
    """Make a role of your own, or say anew what it may do."""
    settings = read_settings()
    put_role(open_store(settings.store_url), name, may, asked_now())
    console.print(say(settings.language, "role_saved", name=escape(name)))


@roles.command()
def delete(name: RoleName) -> None:
    """Remove a role that nobody has."""
    settings = read_settings()
    drop_role(open_store(settings.store_url), name, asked_now())
    console.print(say(settings.language, "role_deleted", name=escape(name)))


@tokens.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    may: Permissions,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="For how many days it is good.")] = None,
) -> None:
    """Make a token for a machine; it is shown this once."""
    settings = read_settings()
    asked = asked_now()
    until = asked.at + timedelta(days=days) if days else None
    secret, token = create_token(open_store(settings.store_url), name, may, until, asked)
    console.print(say(settings.language, "token_made", id=token.id))
    console.print(secret, soft_wrap=True, highlight=False)


@tokens.command("list")
def list_tokens() -> None:
    """Every token, with when it was used last."""
    settings = read_settings()
    now = utc_now()
    with reading(open_store(settings.store_url)) as connection:
        found = sessions.find_tokens(connection)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for title in ("id", "name", "permissions", "until", "used", "state"):
        table.add_column(say(settings.language, title), overflow="fold")
    for one in found:
        until, used = (shown_time(at, settings) or "–" for at in (one.expires_at, one.used_at))
        state = say(settings.language, "active" if one.is_good(now) else "inactive")
        table.add_row(str(one.id), escape(one.name), ", ".join(one.permissions), until, used, state)
    console.print(table)


@tokens.command()
def revoke(number: Annotated[int, typer.Argument(help="The token's number.")]) -> None:
    """End a token at once."""
    settings = read_settings()
    token = revoke_token(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "token_revoked", name=escape(token.name)))


@audit.command()
def show(
    search: Annotated[str, typer.Option(help="An actor, action or object, such as operator:3.")] = "",
    since: Annotated[datetime | None, typer.Option(help="From this time on.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Until before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object for each line, oldest first: an export.")
    ] = False,
) -> None:
    """What was done, by whom and from where; the newest first."""
    settings = read_settings()
    store, span = open_store(settings.store_url), Span(_in_zone(since, settings), _in_zone(until, settings))
    if as_json:
        for line in audit_lines(store, search, span):
            typer.echo(line, nl=False)
        return
    for entry in audit_entries(store, search, limit, newest_first=True, span=span):
        actor = shown(entry.actor, settings.language)
        who = f"{actor}  {entry.address}" if entry.address else actor
        line = f"{entry.id}  {shown_time(entry.at, settings)}  {who}  {entry.action}  {entry.object}"
        console.print(escape(line), highlight=False, soft_wrap=True)


def _in_zone(at: datetime | None, settings: Settings) -> datetime | None:
    return at.replace(tzinfo=ZoneInfo(settings.time_zone)) if at else None


_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


@audit.command()
def verify(
    head: Annotated[
        str | None, typer.Option(help="What verify printed earlier: a number, a colon and the hash.")
    ] = None,
) -> None:
    """Check that no entry was changed or left out; who keeps the printed head elsewhere can prove it later."""
    settings = read_settings()
    store = open_store(settings.store_url)
    noted = _HEAD.fullmatch(head.strip()) if head is not None else None
    if head is not None and noted is None:
        raise InputError(f"{head!r} is no head that verify printed.", f"{head!r} no es una punta que verify mostró.")
    broken = broken_entry(store)
    if broken is None and noted and not holds(store, int(noted[1]), noted[2]):
        broken = int(noted[1])
    if broken is not None:
        console.print(say(settings.language, "audit_broken", id=broken))
        raise typer.Exit(1)
    last = newest_entry(store)
    console.print(say(settings.language, "audit_whole", head=f"{last.id}:{last.hash}" if last else "–"), soft_wrap=True)
