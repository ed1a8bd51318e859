"""Creating and changing operators: every rule about them, whichever door they are changed by."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection

from pipelines.emails import normalise_email
from pipelines.names import folded
from pipelines.passwords import Password, hashed_password
from pipelines.states import leave_state
from pipelines.versions import require_version
from schemas.errors import InputError
from schemas.operators import OperatorForm, WrongField, plain_name
from schemas.permissions import PERMISSIONS, ROLES
from warehouse import audit, licences, operators, sessions
from warehouse.access_tables import operator_sessions
from warehouse.access_tables import operators as table
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.operators import NoSuchRole, Operator

ADMINISTRATOR = "administrator"


class EmailTaken(WrongField):
    """Another operator signs in with this e-mail."""


class LastAdministrator(InputError):
    """Nobody would be left who may administer."""


class NotYours(InputError):
    """Nobody gives, or takes over, what goes beyond what they may do themselves."""


def create_operator(store: Store, form: OperatorForm, password: Password | None, asked: Asked) -> Operator:
    """Add an operator; without a password nobody can sign in until one is set by a link."""
    match = _email_match(form.email)
    values = _values(form)
    hashed = hashed_password(password, form) if password else None
    with transaction(store) as connection:
        operators.lock_operators(connection)
        taken = operators.operator_of(connection, match)
        if taken is not None:
            raise EmailTaken(
                "email",
                "taken",
                f"The e-mail {form.email} is taken already, by {taken.name} (operator {taken.id}).",
                f"El correo {form.email} ya lo usa {taken.name} (operador {taken.id}).",
            )
        _lock_licences(connection, {form.licence_id})
        _check_licence(connection, form)
        check_power(connection, form.roles, asked)
        row = {**values, "email": form.email.strip(), "email_match": match, "password_hash": hashed}
        row["must_change_password"] = password is not None and password.is_temporary
        number = operators.add_operator(connection, row, asked.at)
        operators.set_roles(connection, number, form.roles)
        audit.add_entry(connection, asked, "operators:create", f"operator:{number}", None, _told(form))
        return operators.get_operator(connection, number)


def edit_operator(
    store: Store, number: int, changes: Mapping[str, Any], asked: Asked, *, version: int | None = None
) -> Operator:
    """Change what is named of an operator; the e-mail stays. Who is deactivated loses seat and sessions at once."""
    with transaction(store) as connection:
        operators.lock_operators(connection)
        _lock_licences(connection, {operators.get_operator(connection, number).licence_id, changes.get("licence_id")})
        before = operators.get_operator(connection, number)
        require_version(version in (None, before.version), f"operator {number}", f"el operador {number}")
        old = form_of(before)
        form = replace(old, **changes, email=old.email)
        _check_licence(connection, form)
        check_power(connection, before.roles, asked)
        check_power(connection, form.roles, asked)
        with keeping_an_administrator(connection, asked):
            operators.set_operator(connection, number, _values(form))
            operators.set_roles(connection, number, form.roles)
        if form.is_active != old.is_active or form.roles != old.roles:
            operators.void_reset_links(connection, number, asked.at)
        if not form.is_active or form.licence_id != old.licence_id:
            end_access(connection, number, asked, "licence" if form.is_active else "deactivated", for_good=True)
        elif not form.is_agent:
            leave_state(connection, before, asked)
        if not form.is_agent:
            operators.keep_open_conversations(connection, number, 0)
        differing = [name for name in asdict(form) if getattr(form, name) != getattr(old, name)]
        if differing:
            said = ({name: _told(one)[name] for name in differing} for one in (old, form))
            audit.add_entry(connection, asked, "operators:edit", f"operator:{number}", *said)
        return operators.get_operator(connection, number)


def report_conversations(store: Store, operator_id: int, count: int) -> None:
    """Keep how many conversations an operator has open, as the chat platform says."""
    with transaction(store) as connection:
        if count and not operators.get_operator(connection, operator_id).is_agent:
            raise WrongField(
                "open", "no_agent", "Only agents have conversations.", "Solo los agentes tienen conversaciones."
            )
        operators.keep_open_conversations(connection, operator_id, count)


def find_operator(store: Store, number: int) -> Operator:
    """The operator with this number; raises NoSuchOperator."""
    with reading(store) as connection:
        return operators.get_operator(connection, number)


def search_operators(
    store: Store,
    *,
    text: str = "",
    email: str = "",
    first_name: str = "",
    last_name: str = "",
    is_active: bool | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Operator]:
    """Operators by number, whatever case and accents: with this in their e-mail, first or last name, or in any."""
    c = table.c
    patterns = [f"%{like(word)}%" for word in folded(text).split()]
    patterns += [f"%{like(word)}%\n%\n%" for word in folded(first_name).split()]
    patterns += [f"%\n%{like(word)}%\n%" for word in folded(last_name).split()]
    patterns += [f"%\n%\n%{like(word)}%" for word in folded(email).split()]
    where = [c.id > after, *(c.search_text.like(pattern, escape="/") for pattern in patterns)]
    if is_active is not None:
        where.append(c.is_active.is_(is_active))
    with reading(store) as connection:
        return operators.find_operators(connection, *where, limit=limit)


def like(word: str) -> str:
    """A word as LIKE takes it literally.

    >>> like("50%_/")
    '50/%/_//'
    """
    return word.translate({ord(char): f"/{char}" for char in "/%_"})


def form_of(operator: Operator) -> OperatorForm:
    return OperatorForm(**{name: getattr(operator, name) for name in OperatorForm.__slots__})


def _lock_licences(connection: Connection, numbers: set[int | None]) -> None:
    """Take turns with whoever signs in with these licences."""
    for number in sorted(number for number in numbers if number is not None):
        licences.lock_licence(connection, number)


def end_access(connection: Connection, number: int, asked: Asked, reason: str, *, for_good: bool = False) -> None:
    """End the operator's sessions, free the seat (a named one only for good), and let an agent be offline."""
    operators.lock_operator(connection, number)
    sessions.end_sessions(connection, asked.at, reason, operator_sessions.c.operator_id == number)
    seat = licences.seat_of(connection, number)
    if seat is not None and (for_good or seat.lease_until is not None):
        licences.end_seat(connection, seat.id, asked.at, reason)
    leave_state(connection, operators.get_operator(connection, number), asked)


def known_roles(connection: Connection, names: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """What each of these roles may do; raises NoSuchRole."""
    known = ROLES | operators.own_roles(connection)
    for name in names:
        if name not in known:
            listed = ", ".join(known)
            raise NoSuchRole(
                f"There is no role {name!r}. Known: {listed}.", f"No existe el rol {name!r}. Hay: {listed}."
            )
    return {name: known[name] & PERMISSIONS.keys() for name in names}


def check_power(connection: Connection, names: tuple[str, ...], asked: Asked) -> None:
    """Raise NotYours where these roles may do what the one who asks may not."""
    wanted = frozenset[str]().union(*known_roles(connection, names).values())
    beyond = sorted(wanted - asked.permissions) if asked.permissions is not None else []
    if beyond:
        raise NotYours(
            f"This operator's roles ({', '.join(names)}) may do what you may not: {', '.join(beyond)}.",
            f"Los roles de este operador ({', '.join(names)}) permiten lo que usted no puede: {', '.join(beyond)}.",
        )


def _email_match(email: str) -> str:
    found = normalise_email(email.strip())
    if found is None:
        raise WrongField(
            "email", "invalid", f"{email!r} is not an e-mail address.", f"{email!r} no es una dirección de correo."
        )
    return found


def _values(form: OperatorForm) -> dict[str, Any]:
    first, last = plain_name("first_name", form.first_name), plain_name("last_name", form.last_name)
    search = "\n".join(folded(part) for part in (first, last, form.email.strip()))
    shared = ("is_agent", "licence_id", "max_conversations", "may_leave_open", "sees_queued", "is_active")
    return {
        "first_name": first,
        "last_name": last,
        "search_text": search,
        **{name: getattr(form, name) for name in shared},
    }


def _told(form: OperatorForm) -> dict[str, Any]:
    return {**asdict(form), "roles": sorted(form.roles)}


def _check_licence(connection: Connection, form: OperatorForm) -> None:
    licence = licences.get_licence(connection, form.licence_id) if form.licence_id is not None else None
    if form.is_agent and licence is not None and licence.kind == "admin":
        raise WrongField(
            "is_agent",
            "admin_licence",
            f"The licence {licence.name!r} is of kind admin, whose operators take no conversations. Choose an agent "
            "licence, or say that the operator is no agent.",
            f"La licencia {licence.name!r} es de tipo admin, y sus operadores no atienden conversaciones. Elija una "
            "licencia de agente, o indique que el operador no es agente.",
        )


@contextmanager
def keeping_an_administrator(connection: Connection, asked: Asked) -> Iterator[None]:
    """Raise LastAdministrator where what is done inside lets no administrator sign in, and one could before."""
    before = operators.able_administrators(connection, ADMINISTRATOR, asked.at)
    yield
    if before and not operators.able_administrators(connection, ADMINISTRATOR, asked.at):
        raise LastAdministrator(
            "After this no administrator could sign in. Let another one be able to first.",
            "Después de esto ningún administrador podría entrar. Haga antes que otro pueda.",
        )
