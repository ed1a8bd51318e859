"""The statements of connections: accounts of CRMs, the versions of their mappings, and who works on one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, exists, insert, or_, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.batches import LeaseLost
from warehouse.sync_tables import (
    calls,
    conflicts,
    connections,
    links,
    mappings,
    sync_outcomes,
    sync_plan_items,
    sync_plans,
    sync_runs,
)

NEW, ACTIVE, PAUSED, APPROVAL, FAILED = "new", "active", "paused", "approval", "failed"


class NoSuchConnection(InputError):
    """There is no connection of this name."""


class NameTaken(InputError):
    """Another connection has this name."""


@dataclass(frozen=True, slots=True)
class CrmConnection:
    """A row of `connections`; the secrets are encrypted."""

    id: int
    name: str
    connector: str
    config: Mapping[str, Any]
    secrets: str | None
    mapping_id: int | None
    applied_mapping: str | None
    state: str
    message_en: str | None
    message_es: str | None
    fields: Sequence[Mapping[str, Any]] | None
    fields_hash: str | None
    read_until: datetime | None
    page: str | None
    page_began_at: datetime | None
    swept_at: datetime | None
    last_change: int
    approved: int
    failures: int
    next_at: datetime | None
    created_by: str
    created_at: datetime
    version: int


_COLUMNS = tuple(connections.c[name] for name in CrmConnection.__slots__)


def find_connection(connection: Connection, name: str) -> CrmConnection:
    row = connection.execute(select(*_COLUMNS).where(connections.c.name == name)).first()
    if row is None:
        known = ", ".join(one.name for one in all_connections(connection)) or "-"
        raise NoSuchConnection(
            f"There is no connection {name!r}. There are: {known}.", f"No hay una conexión {name!r}. Hay: {known}."
        )
    return CrmConnection(**row._mapping)


def get_connection(connection: Connection, number: int) -> CrmConnection:
    row = connection.execute(select(*_COLUMNS).where(connections.c.id == number)).first()
    if row is None:
        raise NoSuchConnection(f"There is no connection {number}.", f"No hay una conexión {number}.")
    return CrmConnection(**row._mapping)


def all_connections(connection: Connection) -> list[CrmConnection]:
    query = select(*_COLUMNS).order_by(connections.c.name)
    return [CrmConnection(**row._mapping) for row in connection.execute(query)]


def add_connection(connection: Connection, values: Mapping[str, Any]) -> CrmConnection:
    """A new connection; raises NameTaken."""
    number = bulk.take_ids(connection, "connections", 1)
    name = values["name"]
    if connection.execute(select(connections.c.id).where(connections.c.name == name)).first() is not None:
        raise NameTaken(f"There is a connection {name!r} already.", f"Ya hay una conexión {name!r}.")
    row = insert(connections).values(id=number, **values).returning(*_COLUMNS)
    return CrmConnection(**connection.execute(row).one()._mapping)


def set_connection(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Set what a run notes; no version of its own."""
    connection.execute(update(connections).where(connections.c.id == number).values(**values))


def edit_connection(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Set what a person changes."""
    set_connection(connection, number, {**values, "version": connections.c.version + 1})


def drop_connection(connection: Connection, number: int) -> None:
    """Remove a connection with all that belongs to it; contacts and records stay."""
    runs = select(sync_runs.c.id).where(sync_runs.c.connection_id == number)
    connection.execute(delete(sync_outcomes).where(sync_outcomes.c.run_id.in_(runs)))
    plans = select(sync_plans.c.id).where(sync_plans.c.connection_id == number)
    connection.execute(delete(sync_plan_items).where(sync_plan_items.c.plan_id.in_(plans)))
    for table in (sync_runs, sync_plans, conflicts, calls, links, mappings):
        connection.execute(delete(table).where(table.c.connection_id == number))
    connection.execute(delete(connections).where(connections.c.id == number))


# ── mappings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class MappingVersion:
    """A row of `mappings`."""

    id: int
    hash: str
    document: Mapping[str, Any]
    created_by: str
    created_at: datetime


def add_mapping(connection: Connection, number: int, values: Mapping[str, Any]) -> int:
    """A new version of a connection's mapping, which is the one in use from now on."""
    mapping = bulk.take_ids(connection, "mappings", 1)
    connection.execute(insert(mappings).values(id=mapping, connection_id=number, **values))
    edit_connection(connection, number, {"mapping_id": mapping})
    return mapping


def mapping_of(connection: Connection, crm: CrmConnection) -> MappingVersion | None:
    m = mappings.c
    columns = (m[name] for name in MappingVersion.__slots__)
    row = connection.execute(select(*columns).where(m.id == crm.mapping_id)).first()
    return MappingVersion(**row._mapping) if row else None


# ── who works on it ──────────────────────────────────────────────────────────────────────────────────────────────


def claim_connection(connection: Connection, number: int, token: str, now: datetime, until: datetime) -> bool:
    """Take a connection that nobody works on."""
    c = connections.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    taken = update(connections).where(c.id == number, free).values(lease_token=token, lease_until=until)
    return connection.execute(taken.returning(c.id)).first() is not None


def hold_connection(connection: Connection, number: int, token: str, until: datetime) -> None:
    """Renew the lease; raises LeaseLost."""
    c = connections.c
    held = update(connections).where(c.id == number, c.lease_token == token).values(lease_until=until)
    if connection.execute(held.returning(c.id)).first() is None:
        raise LeaseLost(f"connection {number}")


def release_connection(connection: Connection, number: int, token: str, values: Mapping[str, Any]) -> None:
    """Let go of it, and note how it went; a person who paused it meanwhile has the last word."""
    c = connections.c
    let = update(connections).where(c.id == number, c.lease_token == token)
    kept = (
        {**values, "state": case((c.state == PAUSED, c.state), else_=values["state"])} if "state" in values else values
    )
    connection.execute(let.values(**kept, lease_token=None, lease_until=None))


def due_connections(connection: Connection, now: datetime) -> list[int]:
    """Connections whose time has come, or that a webhook called, and that nobody works on.

    Those in which deletions wait for a person go on with everything else.
    """
    c = connections.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    called = exists().where(calls.c.connection_id == c.id, calls.c.error.is_(None))
    rested = or_(c.failures == 0, c.next_at <= now)
    due = or_(c.next_at.is_(None), c.next_at <= now, called)
    query = select(c.id).where(c.state.in_((ACTIVE, APPROVAL)), free, due, rested).order_by(c.next_at)
    return [int(number) for number in connection.execute(query).scalars()]
