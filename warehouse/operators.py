"""Operators: the people who sign in, their roles, and the states that agents set."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, or_, select, update

from schemas.errors import InputError
from schemas.operators import OFFLINE
from warehouse import bulk
from warehouse.access_tables import licences, operator_roles, operators, reset_links, roles, seats


class NoSuchOperator(InputError):
    """There is no operator with this number."""


class NoSuchRole(InputError):
    """There is no role with this name."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A row of `operators` with its roles; the password stays in the store."""

    id: int
    email: str
    first_name: str
    last_name: str
    is_agent: bool
    licence_id: int | None
    max_conversations: int
    may_leave_open: bool
    sees_queued: bool
    is_active: bool
    must_change_password: bool
    agent_state: str
    agent_state_at: datetime
    open_conversations: int
    created_at: datetime
    version: int
    roles: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


_COLUMNS = tuple(operators.c[name] for name in Operator.__slots__ if name != "roles")


def add_operator(connection: Connection, values: Mapping[str, Any], now: datetime) -> int:
    """Add an operator; the e-mail was looked up before, in the same transaction."""
    number = bulk.take_ids(connection, "operators", 1)
    stamps = {"created_at": now, "agent_state": OFFLINE, "agent_state_at": now}
    connection.execute(insert(operators).values(id=number, **stamps, **values))
    return number


def lock_operators(connection: Connection) -> None:
    """Take turns at creating operators and at what concerns several of them; held to the end of the transaction."""
    bulk.take_ids(connection, "operators", 0)


def lock_operator(connection: Connection, number: int) -> None:
    """Take turns at an operator's password and sessions; held to the end of the transaction."""
    connection.execute(select(operators.c.id).where(operators.c.id == number).with_for_update())


def get_operator(connection: Connection, number: int) -> Operator:
    found = find_operators(connection, operators.c.id == number, limit=1)
    if not found:
        raise NoSuchOperator(f"There is no operator {number}.", f"No hay ningún operador {number}.")
    return found[0]


def operator_of(connection: Connection, email_match: str) -> Operator | None:
    """The operator who signs in with this e-mail, in its match form."""
    found = find_operators(connection, operators.c.email_match == email_match, limit=1)
    return found[0] if found else None


def find_operators(connection: Connection, *where: ColumnElement[bool], limit: int) -> list[Operator]:
    """The operators who fulfil these conditions, by id."""
    rows = connection.execute(select(*_COLUMNS).where(*where).order_by(operators.c.id).limit(limit)).all()
    held = _roles_of(connection, [row.id for row in rows])
    return [Operator(**row._mapping, roles=held.get(row.id, ())) for row in rows]


def _roles_of(connection: Connection, numbers: list[int]) -> dict[int, tuple[str, ...]]:
    c = operator_roles.c
    query = select(c.operator_id, c.role).where(c.operator_id.in_(numbers)).order_by(c.operator_id, c.role)
    found: dict[int, tuple[str, ...]] = {}
    for number, role in connection.execute(query):
        found[number] = (*found.get(number, ()), role)
    return found


def set_operator(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change an operator, and count the version up."""
    query = update(operators).where(operators.c.id == number)
    connection.execute(query.values(**values, version=operators.c.version + 1))


def set_roles(connection: Connection, number: int, names: Iterable[str]) -> None:
    connection.execute(delete(operator_roles).where(operator_roles.c.operator_id == number))
    rows = [{"operator_id": number, "role": name} for name in sorted(set(names))]
    if rows:
        connection.execute(insert(operator_roles), rows)


def keep_open_conversations(connection: Connection, number: int, count: int) -> None:
    """Not a new version: nobody edited the operator."""
    connection.execute(update(operators).where(operators.c.id == number).values(open_conversations=count))


def email_match(connection: Connection, number: int) -> str:
    return str(connection.execute(select(operators.c.email_match).where(operators.c.id == number)).scalar_one())


def password_hash(connection: Connection, number: int) -> str | None:
    return connection.execute(select(operators.c.password_hash).where(operators.c.id == number)).scalar()


def keep_hash(connection: Connection, number: int, password_hash: str) -> None:
    """Not a new version: the password is the same."""
    connection.execute(update(operators).where(operators.c.id == number).values(password_hash=password_hash))


def able_administrators(connection: Connection, role: str, now: datetime) -> set[int]:
    """The active operators with this role who can sign in: with a password, and a licence that is valid now.

    Of a named licence, whose seats are their holders' for good, they have a seat, or there is a free one.
    """
    c, s = licences.c, seats.c
    taken = select(func.count()).where(s.licence_id == c.id, s.ended_at.is_(None)).scalar_subquery()
    own = exists().where(s.licence_id == c.id, s.operator_id == operators.c.id, s.ended_at.is_(None))
    query = select(operators.c.id).join(operator_roles, operator_roles.c.operator_id == operators.c.id)
    query = query.join(licences, c.id == operators.c.licence_id).where(operators.c.password_hash.is_not(None))
    query = query.where(or_(c.holding != "named", taken < c.seats, own))
    query = query.where(c.seats > 0, func.coalesce(c.valid_until > now, True), func.coalesce(c.valid_from <= now, True))
    return set(connection.execute(query.where(operator_roles.c.role == role, operators.c.is_active)).scalars())


def active_with_role(connection: Connection, role: str) -> set[int]:
    """The active operators who have this role."""
    query = select(operators.c.id).join(operator_roles, operator_roles.c.operator_id == operators.c.id)
    return set(connection.execute(query.where(operator_roles.c.role == role, operators.c.is_active)).scalars())


def agents_with(connection: Connection, licence_id: int) -> int:
    """How many agents have this licence."""
    c = operators.c
    return connection.execute(select(func.count()).where(c.licence_id == licence_id, c.is_agent)).scalar_one()


def holders_of(connection: Connection, role: str) -> int:
    """How many operators have this role."""
    return connection.execute(select(func.count()).where(operator_roles.c.role == role)).scalar_one()


# ── roles ────────────────────────────────────────────────────────────────────────────────────────────────────────


def own_roles(connection: Connection) -> dict[str, frozenset[str]]:
    """The roles that were made here, with what each may do."""
    query = select(roles.c.name, roles.c.permissions).order_by(roles.c.name)
    return {name: frozenset(permissions) for name, permissions in connection.execute(query)}


def put_role(connection: Connection, name: str, permissions: Iterable[str], now: datetime) -> None:
    """Make a role, or say anew what it may do."""
    listed = sorted(permissions)
    changed = update(roles).where(roles.c.name == name).values(permissions=listed, version=roles.c.version + 1)
    if not connection.execute(changed.returning(roles.c.name)).first():
        connection.execute(insert(roles).values(name=name, permissions=listed, created_at=now))


def drop_role(connection: Connection, name: str) -> None:
    connection.execute(delete(roles).where(roles.c.name == name))


# ── links to set a new password ──────────────────────────────────────────────────────────────────────────────────


def add_reset_link(connection: Connection, token_sha256: str, number: int, now: datetime, until: datetime) -> None:
    """Keep a link; earlier ones of the operator are of no use any more."""
    used = update(reset_links).where(reset_links.c.operator_id == number, reset_links.c.used_at.is_(None))
    connection.execute(used.values(used_at=now))
    row = {"token_sha256": token_sha256, "operator_id": number, "created_at": now, "expires_at": until}
    connection.execute(insert(reset_links).values(**row))


def void_reset_links(connection: Connection, number: int, now: datetime) -> None:
    """What was sent to an operator opens nothing more."""
    c = reset_links.c
    connection.execute(update(reset_links).where(c.operator_id == number, c.used_at.is_(None)).values(used_at=now))


def reset_link_of(connection: Connection, token_sha256: str, now: datetime) -> int | None:
    """The operator of a link that may be used."""
    c = reset_links.c
    fits = (c.token_sha256 == token_sha256, c.used_at.is_(None), c.expires_at > now)
    return connection.execute(select(c.operator_id).where(*fits)).scalar()


def use_reset_link(connection: Connection, token_sha256: str, now: datetime) -> int | None:
    """The operator of a link that may be used; it is used by asking."""
    c = reset_links.c
    fits = (c.token_sha256 == token_sha256, c.used_at.is_(None), c.expires_at > now)
    return connection.execute(update(reset_links).where(*fits).values(used_at=now).returning(c.operator_id)).scalar()
