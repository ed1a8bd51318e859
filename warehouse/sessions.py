"""Sessions and tokens: who is signed in, kept by the hashes of what they show; and sign-ins that failed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.access_tables import api_tokens, operator_sessions, sign_in_attempts
from warehouse.tables import UtcTime


class NoSuchToken(InputError):
    """There is no API token with this number."""


@dataclass(frozen=True, slots=True)
class Session:
    """A row of `operator_sessions`, without the token."""

    id: int
    operator_id: int
    seat_id: int | None
    created_at: datetime
    seen_at: datetime
    lease_until: datetime
    absolute_until: datetime
    address: str | None
    user_agent: str | None
    ended_at: datetime | None
    end_reason: str | None

    def is_open(self, now: datetime) -> bool:
        return self.ended_at is None and now < min(self.lease_until, self.absolute_until)


@dataclass(frozen=True, slots=True)
class Token:
    """A row of `api_tokens`, without the token."""

    id: int
    name: str
    permissions: tuple[str, ...]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


_MOST_LOOKED_AT = 100
_SESSION = tuple(operator_sessions.c[name] for name in Session.__slots__)
_TOKEN = tuple(api_tokens.c[name] for name in Token.__slots__)


def add_session(connection: Connection, token_sha256: str, values: Mapping[str, Any]) -> Session:
    number = bulk.take_ids(connection, "operator_sessions", 1)
    row = insert(operator_sessions).values(id=number, token_sha256=token_sha256, **values).returning(*_SESSION)
    return Session(**connection.execute(row).one()._mapping)


def session_of(connection: Connection, token_sha256: str) -> Session | None:
    row = connection.execute(select(*_SESSION).where(operator_sessions.c.token_sha256 == token_sha256)).first()
    return Session(**row._mapping) if row else None


def open_sessions(connection: Connection, operator_id: int, now: datetime) -> list[Session]:
    """The operator's sessions that stand, the newest first."""
    c = operator_sessions.c
    live = (c.operator_id == operator_id, c.ended_at.is_(None), c.lease_until > now, c.absolute_until > now)
    return [Session(**row._mapping) for row in connection.execute(select(*_SESSION).where(*live).order_by(c.id.desc()))]


def see_session(connection: Connection, number: int, now: datetime, lease_until: datetime) -> None:
    """Note that a session was used."""
    c = operator_sessions.c
    query = update(operator_sessions).where(c.id == number, c.ended_at.is_(None))
    connection.execute(query.values(seen_at=now, lease_until=lease_until))


def end_sessions(connection: Connection, now: datetime, reason: str, *where: ColumnElement[bool]) -> int:
    """End the open sessions that fulfil these conditions; how many."""
    open_ones = update(operator_sessions).where(operator_sessions.c.ended_at.is_(None), *where)
    ended = open_ones.values(ended_at=now, end_reason=reason).returning(operator_sessions.c.id)
    return len(connection.execute(ended).all())


# ── sign-ins that failed ─────────────────────────────────────────────────────────────────────────────────────────


def next_attempt(connection: Connection) -> int:
    """The number of a sign-in that is about to be tried; tries are counted one after the other."""
    return bulk.take_ids(connection, "sign_in_attempts", 1)


def add_attempt(connection: Connection, number: int, email_match: str, address: str | None, now: datetime) -> None:
    """Count a try before it is made: many at once would all be free otherwise."""
    row = {"id": number, "email_match": email_match, "address": address, "at": now}
    connection.execute(insert(sign_in_attempts).values(**row))


def attempts_since(connection: Connection, since: datetime, **filters: str | None) -> list[datetime]:
    """When sign-ins with this `email_match`, from this `address` failed; the last first."""
    c = sign_in_attempts.c
    where = [c[name] == value for name, value in filters.items()]
    query = select(c.at).where(c.at > since, *where).order_by(c.at.desc()).limit(_MOST_LOOKED_AT)
    return list(connection.execute(query).scalars())


def addresses_of(connection: Connection, operator_id: int) -> list[str]:
    """From where an operator signed in of late."""
    c = operator_sessions.c
    last = select(c.address).where(c.operator_id == operator_id).order_by(c.id.desc()).limit(_MOST_LOOKED_AT).subquery()
    return [address for address in connection.execute(select(last.c.address).distinct()).scalars() if address]


def forget_attempt(connection: Connection, number: int) -> None:
    """A try with the right password is none that failed."""
    connection.execute(delete(sign_in_attempts).where(sign_in_attempts.c.id == number))


def forget_attempts(connection: Connection, before: datetime, email_match: str | None = None) -> None:
    """Forget failures: those before this time, and with an e-mail all of it."""
    c = sign_in_attempts.c
    connection.execute(delete(sign_in_attempts).where(c.at < before))
    if email_match is not None:
        connection.execute(delete(sign_in_attempts).where(c.email_match == email_match))


# ── tokens of machines ───────────────────────────────────────────────────────────────────────────────────────────


def add_token(connection: Connection, token_sha256: str, values: Mapping[str, Any]) -> Token:
    number = bulk.take_ids(connection, "api_tokens", 1)
    row = insert(api_tokens).values(id=number, token_sha256=token_sha256, **values)
    return _token(connection.execute(row.returning(*_TOKEN)).one())


def _token(row: Any) -> Token:
    values = {name: row._mapping[name] for name in Token.__slots__}
    return Token(**{**values, "permissions": tuple(values["permissions"])})


def token_of(connection: Connection, token_sha256: str) -> Token | None:
    row = connection.execute(select(*_TOKEN).where(api_tokens.c.token_sha256 == token_sha256)).first()
    return _token(row) if row else None


def lock_token(connection: Connection, number: int) -> None:
    """Take turns at ending a token and at making others with it; held to the end of the transaction."""
    connection.execute(select(api_tokens.c.id).where(api_tokens.c.id == number).with_for_update())


def get_token(connection: Connection, number: int) -> Token:
    row = connection.execute(select(*_TOKEN).where(api_tokens.c.id == number)).first()
    if row is None:
        raise NoSuchToken(f"There is no token {number}.", f"No hay ninguna clave {number}.")
    return _token(row)


def find_tokens(connection: Connection, after: int = 0, limit: int | None = None) -> list[Token]:
    """The tokens behind this number, by number."""
    query = select(*_TOKEN).where(api_tokens.c.id > after).order_by(api_tokens.c.id).limit(limit)
    return [_token(row) for row in connection.execute(query)]


def tokens_by(connection: Connection, actor: str) -> list[Token]:
    """The tokens that somebody made, but for those that were revoked."""
    c = api_tokens.c
    query = select(*_TOKEN).where(c.created_by == actor, c.revoked_at.is_(None)).order_by(c.id)
    return [_token(row) for row in connection.execute(query)]


def use_token(connection: Connection, number: int, now: datetime) -> None:
    connection.execute(update(api_tokens).where(api_tokens.c.id == number).values(used_at=now))


def revoke_token(connection: Connection, number: int, now: datetime) -> None:
    """End a token; when it was ended first stands."""
    c = api_tokens.c
    ended = func.coalesce(c.revoked_at, literal(now, UtcTime))
    connection.execute(update(api_tokens).where(c.id == number).values(revoked_at=ended))
