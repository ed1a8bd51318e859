"""Creating and changing operators: every rule about them, whichever door they are changed by."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from connectors.mail import send_mail
from pipelines.emails import normalise_email
from pipelines.names import folded
from pipelines.passwords import digest, hash_password, is_password, new_secret
from pipelines.states import leave_state
from pipelines.tries import begin_try
from pipelines.versions import VersionDiffers
from schemas.errors import InputError
from schemas.operators import OperatorForm, WrongField, check_password
from schemas.permissions import PERMISSIONS, ROLES
from schemas.settings import Settings
from warehouse import audit, licences, operators, sessions
from warehouse.access_tables import operator_sessions
from warehouse.access_tables import operators as table
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.licences import Licence
from warehouse.operators import NoSuchRole, Operator

ADMINISTRATOR = "administrator"
_LINK_LASTS = timedelta(hours=2)


class EmailTaken(WrongField):
    """Another operator signs in with this e-mail."""


class LastAdministrator(InputError):
    """Nobody would be left who may administer."""


class NotYours(InputError):
    """Nobody gives, or takes over, what goes beyond what they may do themselves."""


class WrongPassword(InputError):
    """The old password is not right."""


class LinkUsed(InputError):
    """A link to set a new password is used, too old, or none of ours."""


@dataclass(frozen=True, slots=True)
class Password:
    """A new password as it was typed twice; a temporary one must be changed at the next sign-in."""

    password: str
    confirmation: str
    is_temporary: bool = False


def create_operator(store: Store, form: OperatorForm, password: Password | None, asked: Asked) -> Operator:
    """Add an operator; without a password nobody can sign in until one is set by a link."""
    match = _email_match(form.email)
    values = _values(form)
    hashed = _hashed(password, form) if password else None
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
        _check_licence(connection, form)
        _check_power(connection, form.roles, asked)
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
        if version is not None and version != before.version:
            raise VersionDiffers(
                f"Operator {number} was changed by somebody else since you read it. Read it again.",
                f"Otra persona cambió el operador {number} después de que usted lo leyó. Vuelva a leerlo.",
            )
        old = form_of(before)
        form = replace(old, **changes, email=old.email)
        _check_licence(connection, form)
        _check_power(connection, before.roles, asked)
        _check_power(connection, form.roles, asked)
        if ADMINISTRATOR in before.roles and not (form.is_active and ADMINISTRATOR in form.roles):
            _keep_an_administrator(connection, number)
        operators.set_operator(connection, number, _values(form))
        operators.set_roles(connection, number, form.roles)
        if not form.is_active or form.roles != old.roles:
            operators.void_reset_links(connection, number, asked.at)
        if not form.is_active or form.licence_id != old.licence_id:
            end_access(connection, number, asked, "licence" if form.is_active else "deactivated", for_good=True)
        elif not form.is_agent:
            leave_state(connection, before, asked)
        differing = [name for name in asdict(form) if getattr(form, name) != getattr(old, name)]
        if differing:
            said = ({name: _told(one)[name] for name in differing} for one in (old, form))
            audit.add_entry(connection, asked, "operators:edit", f"operator:{number}", *said)
        return operators.get_operator(connection, number)


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


def _check_power(connection: Connection, names: tuple[str, ...], asked: Asked) -> None:
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
    first, last = _name("first_name", form.first_name), _name("last_name", form.last_name)
    search = "\n".join(folded(part) for part in (first, last, form.email.strip()))
    shared = ("is_agent", "licence_id", "max_conversations", "may_leave_open", "sees_queued", "is_active")
    return {
        "first_name": first,
        "last_name": last,
        "search_text": search,
        **{name: getattr(form, name) for name in shared},
    }


def _name(field: str, text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in text):
        raise WrongField(
            field,
            "invalid",
            "A name has no line breaks or signs that are not shown.",
            "Un nombre no lleva saltos de línea ni signos que no se ven.",
        )
    return text.strip()


def _told(form: OperatorForm) -> dict[str, Any]:
    return {**asdict(form), "roles": sorted(form.roles)}


def _check_licence(connection: Connection, form: OperatorForm) -> Licence | None:
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
    return licence


def _keep_an_administrator(connection: Connection, number: int) -> None:
    if not operators.active_with_role(connection, ADMINISTRATOR) - {number}:
        raise LastAdministrator(
            f"Operator {number} is the last active administrator. Make another one first.",
            f"El operador {number} es el último administrador activo. Nombre antes a otro.",
        )


# ── passwords ────────────────────────────────────────────────────────────────────────────────────────────────────


def _hashed(password: Password, form: OperatorForm) -> str:
    known = {"email": form.email, "name": f"{form.first_name} {form.last_name}"}
    check_password(password.password, password.confirmation, known)
    return hash_password(password.password)


def set_password(store: Store, number: int, password: Password, asked: Asked) -> None:
    """Give an operator a password; every session of theirs ends."""
    with reading(store) as connection:
        form = form_of(operators.get_operator(connection, number))
    hashed = _hashed(password, form)
    with transaction(store) as connection:
        _check_power(connection, operators.get_operator(connection, number).roles, asked)
        _keep_password(connection, number, hashed, asked, "operators:password", is_temporary=password.is_temporary)


def change_own_password(store: Store, number: int, old: str, password: Password, asked: Asked, keep: int) -> None:
    """Change one's own password, with the old one; the other sessions end, and `keep` stays."""
    with transaction(store) as connection:
        attempt = begin_try(connection, f"operator:{number}", asked)
        form, kept = form_of(operators.get_operator(connection, number)), operators.password_hash(connection, number)
    if not is_password(old, kept):
        raise WrongPassword("The old password is not right.", "La contraseña anterior no es correcta.")
    with transaction(store) as connection:
        sessions.forget_attempt(connection, attempt)
    if password.password == old:
        raise WrongField(
            "password", "same", "Choose another password than the old one.", "Elija una contraseña distinta."
        )
    hashed = _hashed(password, form)
    with transaction(store) as connection:
        _keep_password(connection, number, hashed, asked, "operators:own_password", keep=keep)


def _keep_password(
    connection: Connection,
    number: int,
    hashed: str,
    asked: Asked,
    action: str,
    *,
    keep: int | None = None,
    is_temporary: bool = False,
) -> None:
    values = {"password_hash": hashed, "must_change_password": is_temporary}
    operators.set_operator(connection, number, values)
    operators.void_reset_links(connection, number, asked.at)
    c = operator_sessions.c
    sessions.end_sessions(connection, asked.at, "password", c.operator_id == number, c.id != (keep or 0))
    if keep is None:
        end_access(connection, number, asked, "password")
    audit.add_entry(connection, asked, action, f"operator:{number}", None, {"is_temporary": is_temporary})


def make_reset_link(store: Store, number: int, asked: Asked) -> str:
    """A secret by which the operator can set a new password once, within two hours."""
    secret = new_secret("reset")
    with transaction(store) as connection:
        _check_power(connection, operators.get_operator(connection, number).roles, asked)
        operators.add_reset_link(connection, digest(secret), number, asked.at, asked.at + _LINK_LASTS)
        audit.add_entry(connection, asked, "operators:reset_link", f"operator:{number}")
    return secret


def reset_address(settings: Settings, secret: str) -> str:
    """The address of the page on which the operator sets a new password."""
    return f"{settings.address}/reset#{secret}"


def mail_reset_link(store: Store, settings: Settings, number: int, asked: Asked) -> str:
    """Send the operator a link by mail; the address it went to. Raises where no mail is set up, or it is not taken."""
    if not settings.smtp_url:
        raise InputError(
            "No mail is set up. Set PADRON_SMTP_URL, or give the link by hand.",
            "No hay correo configurado. Ponga PADRON_SMTP_URL, o entregue el enlace a mano.",
        )
    operator = find_operator(store, number)
    link = reset_address(settings, make_reset_link(store, number, asked))
    subject, text = _MAIL[settings.language]
    send_mail(settings.smtp_url, settings.mail_from, operator.email, subject, text.format(operator.first_name, link))
    return operator.email


_MAIL = {
    "en": (
        "Padrón: set a new password",
        "{},\n\nan administrator sent you this link to set a new password. It is good once, for two hours:\n\n{}\n\n"
        "If you did not expect it, tell them.\n",
    ),
    "es": (
        "Padrón: nueva contraseña",
        "{}:\n\nUn administrador le envía este enlace para poner una contraseña nueva. Sirve una vez, durante dos "
        "horas:\n\n{}\n\nSi no lo esperaba, avísele.\n",
    ),
}


def use_reset_link(store: Store, secret: str, password: Password, asked: Asked) -> int:
    """Set a new password by a link; the operator's number."""
    with transaction(store) as connection:
        number = operators.use_reset_link(connection, digest(secret), asked.at)
        if number is None:
            raise LinkUsed(
                "This link was used already, or is too old. Ask for a new one.",
                "Este enlace ya se usó o caducó. Pida uno nuevo.",
            )
        hashed = _hashed(password, form_of(operators.get_operator(connection, number)))
        mine = replace(asked, actor=f"operator:{number}")
        _keep_password(connection, number, hashed, mine, "operators:reset_password")
    return number
