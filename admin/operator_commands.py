"""`padron operators …`: who may sign in, and who is."""

import sys
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.actors import by_hand
from admin.words import say
from pipelines import access
from pipelines.licences import first_admin_licence
from pipelines.new_passwords import mail_reset_link, make_reset_link, reset_address, set_password
from pipelines.operators import ADMINISTRATOR, create_operator, edit_operator, search_operators
from pipelines.passwords import Password
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.operators import OperatorForm
from schemas.settings import Settings, read_settings
from warehouse.audit import Asked
from warehouse.operators import Operator
from warehouse.store import open_store

app = typer.Typer(help="Operators: create, list, edit, passwords, sign out.", no_args_is_help=True)
console = Console()
Number = Annotated[int, typer.Argument(help="The operator's number.")]
Roles = Annotated[list[str] | None, typer.Option("--role", help="A role; may be repeated.")]
FromInput = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def asked_now() -> Asked:
    return Asked(by_hand(), utc_now())


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The e-mail, by which the operator signs in.")],
    first_name: Annotated[str, typer.Option(help="First name.")],
    last_name: Annotated[str, typer.Option(help="Last name.")],
    admin: Annotated[bool, typer.Option("--admin", help="An administrator, with a seat of an admin licence.")] = False,
    role: Roles = None,
    licence: Annotated[int | None, typer.Option(help="The number of the licence.")] = None,
    agent: Annotated[bool, typer.Option("--agent", help="May take conversations.")] = False,
    max_conversations: Annotated[int, typer.Option(help="Most conversations at a time.")] = 5,
    may_leave_open: Annotated[
        bool, typer.Option("--may-leave-open", help="May sign out with open conversations.")
    ] = False,
    sees_queued: Annotated[bool, typer.Option("--sees-queued", help="Sees queued conversations.")] = False,
    temporary: Annotated[bool, typer.Option("--temporary", help="To be changed at the next sign-in.")] = False,
    password_stdin: FromInput = False,
) -> None:
    """Create an operator; the password is asked for."""
    settings = read_settings()
    store, asked = open_store(settings.store_url), asked_now()
    roles = (*(role or ()), *((ADMINISTRATOR,) if admin else ()))
    if admin and licence is None:
        licence = first_admin_licence(store, say(settings.language, "admin_licence"), asked).id
    form = OperatorForm(
        email, first_name, last_name, agent, licence, max_conversations, may_leave_open, sees_queued, roles=roles
    )
    made = create_operator(store, form, _password(settings, from_input=password_stdin, temporary=temporary), asked)
    console.print(say(settings.language, "operator_made", id=made.id, name=escape(made.name), email=escape(made.email)))


def _password(settings: Settings, *, from_input: bool, temporary: bool = False) -> Password:
    if from_input:
        typed = sys.stdin.readline().rstrip("\r\n")
        return Password(typed, typed, temporary)
    first = typer.prompt(say(settings.language, "password"), hide_input=True)
    return Password(first, typer.prompt(say(settings.language, "confirmation"), hide_input=True), temporary)


@app.command("list")
def list_all(
    search: Annotated[str, typer.Option(help="Part of an e-mail, first or last name.")] = "",
    email: Annotated[str, typer.Option(help="Part of the e-mail.")] = "",
    first_name: Annotated[str, typer.Option(help="Part of the first name.")] = "",
    last_name: Annotated[str, typer.Option(help="Part of the last name.")] = "",
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Only those who may sign in, or not.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100,
) -> None:
    """Operators, by number."""
    settings = read_settings()
    found = search_operators(
        open_store(settings.store_url),
        text=search,
        email=email,
        first_name=first_name,
        last_name=last_name,
        is_active=active,
        limit=limit,
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("id", "email", "name", "roles", "licence", "agent", "state"):
        table.add_column(say(settings.language, name), overflow="fold")
    for one in found:
        table.add_row(*_line(one, settings.language))
    console.print(table)


def _line(one: Operator, words: str) -> tuple[str, ...]:
    licence = "–" if one.licence_id is None else str(one.licence_id)
    state = say(words, "active" if one.is_active else "inactive")
    agent = one.agent_state if one.is_agent else "–"
    return (str(one.id), escape(one.email), escape(one.name), escape(", ".join(one.roles)), licence, agent, state)


@app.command()
def edit(
    number: Number,
    first_name: Annotated[str | None, typer.Option(help="First name.")] = None,
    last_name: Annotated[str | None, typer.Option(help="Last name.")] = None,
    role: Roles = None,
    no_role: Annotated[bool, typer.Option("--no-role", help="Take every role away.")] = False,
    licence: Annotated[int | None, typer.Option(help="The number of the licence.")] = None,
    no_licence: Annotated[bool, typer.Option("--no-licence", help="Take the licence away.")] = False,
    agent: Annotated[bool | None, typer.Option("--agent/--no-agent", help="May take conversations.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="May sign in.")] = None,
    max_conversations: Annotated[int | None, typer.Option(help="Most conversations at a time.")] = None,
    may_leave_open: Annotated[
        bool | None, typer.Option("--may-leave-open/--may-not-leave-open", help="May sign out with open conversations.")
    ] = None,
    sees_queued: Annotated[
        bool | None, typer.Option("--sees-queued/--no-queued", help="Sees queued conversations.")
    ] = None,
) -> None:
    """Change what is named of an operator."""
    settings = read_settings()
    said: dict[str, Any] = {
        "first_name": first_name,
        "last_name": last_name,
        "roles": tuple(role) if role else None,
        "licence_id": licence,
        "is_agent": agent,
        "is_active": active,
        "max_conversations": max_conversations,
        "may_leave_open": may_leave_open,
        "sees_queued": sees_queued,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    changes |= {"roles": ()} if no_role else {}
    changes |= {"licence_id": None} if no_licence else {}
    if not changes:
        raise InputError("Name what to change; see --help.", "Indique qué cambiar; vea --help.")
    changed = edit_operator(open_store(settings.store_url), number, changes, asked_now())
    console.print(say(settings.language, "operator_changed", id=changed.id, name=escape(changed.name)))


@app.command()
def password(
    number: Number,
    lasting: Annotated[bool, typer.Option("--lasting", help="Need not be changed at the next sign-in.")] = False,
    password_stdin: FromInput = False,
) -> None:
    """Set an operator's password; their sessions end."""
    settings = read_settings()
    typed = _password(settings, from_input=password_stdin, temporary=not lasting)
    set_password(open_store(settings.store_url), number, typed, asked_now())
    console.print(say(settings.language, "password_set"))


@app.command("reset-link")
def reset_link(
    number: Number, mail: Annotated[bool, typer.Option("--mail", help="Send it to the operator by mail.")] = False
) -> None:
    """Print a link by which the operator sets a new password, once, within two hours."""
    settings = read_settings()
    store = open_store(settings.store_url)
    if mail:
        sent_to = mail_reset_link(store, settings, number, asked_now())
        console.print(say(settings.language, "link_mailed", email=escape(sent_to)))
        return
    link = reset_address(settings, make_reset_link(store, number, asked_now()))
    console.print(link, soft_wrap=True, highlight=False, markup=False)


@app.command("sign-out")
def sign_out(number: Number) -> None:
    """End an operator's sessions and free the seat."""
    settings = read_settings()
    count = access.force_sign_out(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "signed_out", count=count))
