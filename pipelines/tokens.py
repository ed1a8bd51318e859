"""Tokens of machines: what each may do, until when, and who made it."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from pipelines.access import SEEN_EVERY, Caller
from pipelines.passwords import digest, new_secret
from pipelines.roles import check_known, check_yours
from schemas.operators import WrongField, plain_name
from schemas.permissions import PERMISSIONS
from warehouse import audit, sessions
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.sessions import Token

_MACHINE = "token:"
"""How a machine is called where it acts; its token's number follows."""


def create_token(
    store: Store, name: str, permissions: Iterable[str], expires_at: datetime | None, asked: Asked
) -> tuple[str, Token]:
    """A token with these permissions, none of which its maker lacks; the secret is told this once."""
    wanted = frozenset(permissions)
    check_known(wanted)
    check_yours(wanted, asked)
    if not wanted:
        raise WrongField(
            "permissions", "none", "A token without permissions opens nothing.", "Una clave sin permisos no abre nada."
        )
    if expires_at is not None and expires_at <= asked.at:
        raise WrongField("expires_at", "past", "That moment is over.", "Ese momento ya pasó.")
    name = plain_name("name", name)
    if not name:
        raise WrongField("name", "required", "Give the token a name.", "Dé un nombre a la clave.")
    secret = new_secret("padron")
    values = {
        "name": name,
        "permissions": sorted(wanted),
        "created_by": asked.actor,
        "created_at": asked.at,
        "expires_at": expires_at,
    }
    with transaction(store) as connection:
        _check_lasts_no_longer(connection, expires_at, asked)
        token = sessions.add_token(connection, digest(secret), values)
        said = {"name": token.name, "permissions": list(token.permissions)}
        audit.add_entry(connection, asked, "tokens:create", f"token:{token.id}", None, said)
    return secret, token


def caller_of_token(store: Store, secret: str, now: datetime) -> Caller | None:
    """The machine that shows this secret, if its token is good."""
    with reading(store) as connection:
        token = sessions.token_of(connection, digest(secret))
    if token is None or not token.is_good(now):
        return None
    if token.used_at is None or now - token.used_at >= SEEN_EVERY:
        with transaction(store) as connection:
            sessions.use_token(connection, token.id, now)
    return Caller(f"{_MACHINE}{token.id}", frozenset(token.permissions) & PERMISSIONS.keys())


def revoke_token(store: Store, number: int, asked: Asked) -> Token:
    """End a token at once, and those that were made with it."""
    with transaction(store) as connection:
        sessions.lock_token(connection, number)
        token = sessions.get_token(connection, number)
        check_yours(frozenset(token.permissions), asked)
        for one in (token, *_made_with(connection, token)):
            sessions.revoke_token(connection, one.id, asked.at)
            audit.add_entry(connection, asked, "tokens:revoke", f"token:{one.id}", None, {"name": one.name})
        return sessions.get_token(connection, number)


def _made_with(connection: Connection, token: Token) -> Iterator[Token]:
    """The tokens that were made with this one, and with those in turn, that are not revoked."""
    for one in sessions.tokens_by(connection, f"{_MACHINE}{token.id}"):
        yield from (one, *_made_with(connection, one))


def _check_lasts_no_longer(connection: Connection, until: datetime | None, asked: Asked) -> None:
    """Raise where a token would outlive the one that it is made with."""
    if not asked.actor.startswith(_MACHINE):
        return
    number = int(asked.actor.removeprefix(_MACHINE))
    sessions.lock_token(connection, number)
    maker = sessions.get_token(connection, number)
    if not maker.is_good(asked.at):
        raise WrongField(
            "name", "maker_ended", "The token that this is made with has ended.", "La clave con que se crea ya terminó."
        )
    own = maker.expires_at
    if own is not None and (until is None or until > own):
        raise WrongField(
            "expires_at",
            "too_late",
            f"A token lasts no longer than the one that it is made with: until {own:%Y-%m-%d %H:%M} UTC at most.",
            f"Una clave no dura más que la clave con que se crea: como mucho hasta {own:%Y-%m-%d %H:%M} UTC.",
        )
