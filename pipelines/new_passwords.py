"""New passwords: one's own, one that an administrator gives, and one that is set by a link."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from connectors.mail import send_mail
from pipelines.operators import check_power, end_access, find_operator, form_of
from pipelines.passwords import Password, digest, hashed_password, is_password, new_secret
from pipelines.tries import WINDOW, begin_try
from schemas.errors import InputError
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import audit, operators, sessions
from warehouse.access_tables import operator_sessions
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction

_LINK_LASTS = timedelta(hours=2)


class WrongPassword(InputError):
    """The old password is not right."""


class LinkUsed(InputError):
    """A link to set a new password is used, too old, or none of ours."""


def set_password(store: Store, number: int, password: Password, asked: Asked) -> None:
    """Give an operator a password; every session of theirs ends."""
    with reading(store) as connection:
        form = form_of(operators.get_operator(connection, number))
    hashed = hashed_password(password, form)
    with transaction(store) as connection:
        check_power(connection, operators.get_operator(connection, number).roles, asked)
        _keep_password(connection, number, hashed, asked, "operators:password", is_temporary=password.is_temporary)


def change_own_password(store: Store, number: int, old: str, password: Password, asked: Asked, keep: int) -> None:
    """Change one's own password, with the old one; the other sessions end, and `keep` stays."""
    with transaction(store) as connection:
        attempt = begin_try(connection, f"operator:{number}", asked, number)
        form, kept = form_of(operators.get_operator(connection, number)), operators.password_hash(connection, number)
    if not is_password(old, kept):
        raise WrongPassword("The old password is not right.", "La contraseña anterior no es correcta.")
    with transaction(store) as connection:
        sessions.forget_attempt(connection, attempt)
    if password.password == old:
        raise WrongField(
            "password", "same", "Choose another password than the old one.", "Elija una contraseña distinta."
        )
    hashed = hashed_password(password, form)
    with transaction(store) as connection:
        operators.lock_operator(connection, number)
        still_in = any(one.id == keep for one in sessions.open_sessions(connection, number, asked.at))
        if operators.password_hash(connection, number) != kept or not still_in:
            raise WrongPassword(
                "The password was changed by somebody else just now. Sign in again.",
                "Otra persona acaba de cambiar la contraseña. Inicie sesión otra vez.",
            )
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
    operators.lock_operator(connection, number)
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
        check_power(connection, operators.get_operator(connection, number).roles, asked)
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
    with reading(store) as connection:
        number = operators.reset_link_of(connection, digest(secret), asked.at)
        form = form_of(operators.get_operator(connection, number)) if number is not None else None
    hashed = hashed_password(password, form) if form is not None else ""
    with transaction(store) as connection:
        if number is not None:
            operators.lock_operator(connection, number)
        if number is None or operators.use_reset_link(connection, digest(secret), asked.at) is None:
            raise LinkUsed(
                "This link was used already, or is too old. Ask for a new one.",
                "Este enlace ya se usó o caducó. Pida uno nuevo.",
            )
        mine = replace(asked, actor=f"operator:{number}")
        _keep_password(connection, number, hashed, mine, "operators:reset_password")
        email_match = operators.email_match(connection, number)
        sessions.forget_attempts(connection, asked.at - WINDOW, email_match)
    return number
