"""The statements of webhooks: who wants to be told what, and the tellings that are due."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from schemas.errors import InputError
from schemas.events import OF_CONTACTS
from warehouse import bulk
from warehouse.tables import contact_changes, contacts
from warehouse.webhook_tables import deliveries, webhooks


class NoSuchWebhook(InputError):
    """There is no webhook with this number."""


class NoSuchDelivery(InputError):
    """There is no delivery with this number to this webhook."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A row of `webhooks`; the secrets are encrypted."""

    id: int
    url: str
    events: tuple[str, ...]
    description: str
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    is_active: bool
    disabled_because: str | None
    last_change: int
    created_by: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries`."""

    id: int
    webhook_id: int
    event: str
    message_id: str
    body: str
    state: str
    created_at: datetime
    attempts: int
    next_at: datetime | None
    sent_at: datetime | None
    status: int | None
    error: str | None


_WEBHOOK = tuple(webhooks.c[name] for name in Webhook.__slots__)
_DELIVERY = tuple(deliveries.c[name] for name in Delivery.__slots__)


def _webhook(row: Any) -> Webhook:
    return Webhook(**{**row._mapping, "events": tuple(row.events)})


def lock_webhooks(connection: Connection) -> None:
    """Take turns at editing webhooks; held to the end of the transaction."""
    bulk.take_ids(connection, "webhooks", 0)


def add_webhook(connection: Connection, values: Mapping[str, Any]) -> Webhook:
    number = bulk.take_ids(connection, "webhooks", 1)
    row = insert(webhooks).values(id=number, is_active=True, **values).returning(*_WEBHOOK)
    return _webhook(connection.execute(row).one())


def get_webhook(connection: Connection, number: int) -> Webhook:
    row = connection.execute(select(*_WEBHOOK).where(webhooks.c.id == number)).first()
    if row is None:
        raise NoSuchWebhook(f"There is no webhook {number}.", f"No hay ningún webhook {number}.")
    return _webhook(row)


def all_webhooks(connection: Connection) -> list[Webhook]:
    return [_webhook(row) for row in connection.execute(select(*_WEBHOOK).order_by(webhooks.c.id))]


def set_webhook(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    c = webhooks.c
    connection.execute(update(webhooks).where(c.id == number).values(version=c.version + 1, **values))


def see_changes(connection: Connection, number: int, seen: int, last_change: int) -> bool:
    """Note up to which change of a contact a webhook has its events; False if somebody else noted more by now."""
    c = webhooks.c
    query = update(webhooks).where(c.id == number, c.last_change == seen, c.is_active)
    return connection.execute(query.values(last_change=last_change).returning(c.id)).first() is not None


def drop_webhook(connection: Connection, number: int) -> None:
    """Remove a webhook with its deliveries."""
    connection.execute(delete(deliveries).where(deliveries.c.webhook_id == number))
    connection.execute(delete(webhooks).where(webhooks.c.id == number))


def changes_after(connection: Connection, after: int, limit: int) -> list[Any]:
    """Changes of contacts in the order in which they were made: id, contact, batch, actor, operation, diff.

    `born_blocked` says of a contact that was created whether it was blocked from the first.
    """
    c = contact_changes.c
    blocked = exists().where(contacts.c.id == c.contact_id, contacts.c.blocked_at == c.at)
    columns = (c.id, c.contact_id, c.batch_id, c.actor, c.at, c.operation, c.diff, blocked.label("born_blocked"))
    return list(connection.execute(select(*columns).where(c.id > after).order_by(c.id).limit(limit)))


def last_change(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(contact_changes.c.id), 0))).scalar_one())


# ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────


def add_deliveries(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add tellings that are due at once."""
    rows = list(rows)
    if rows:
        first = bulk.take_ids(connection, "deliveries", len(rows))
        numbered = [{"id": first + place, "state": "waiting", **row} for place, row in enumerate(rows)]
        connection.execute(insert(deliveries), numbered)


def with_due(connection: Connection, now: datetime) -> list[int]:
    """The webhooks to which something is due."""
    c = deliveries.c
    due = exists().where(c.webhook_id == webhooks.c.id, c.state == "waiting", c.next_at <= now)
    query = select(webhooks.c.id).where(due)
    return [int(number) for number in connection.execute(query).scalars()]


def claim_webhook(connection: Connection, number: int, now: datetime, until: datetime) -> Webhook | None:
    """Be the one who sends to a webhook until then; None if somebody else is, or the webhook is gone."""
    c = webhooks.c
    free = or_(c.sending_until.is_(None), c.sending_until <= now)
    query = update(webhooks).where(c.id == number, free).values(sending_until=until).returning(*_WEBHOOK)
    row = connection.execute(query).first()
    return _webhook(row) if row else None


def release_webhook(connection: Connection, number: int, until: datetime) -> None:
    """Let others send to a webhook again, unless somebody else does by now."""
    c = webhooks.c
    connection.execute(update(webhooks).where(c.id == number, c.sending_until == until).values(sending_until=None))


def claim_deliveries(
    connection: Connection, webhook_id: int, now: datetime, until: datetime, limit: int
) -> list[Delivery]:
    """Take tellings that are due; nobody else takes them before `until`. Those of contacts are many, and come last."""
    c = deliveries.c
    due = select(c.id).where(c.webhook_id == webhook_id, c.state == "waiting", c.next_at <= now)
    first = due.order_by(c.event.in_(OF_CONTACTS), c.next_at, c.id).limit(limit)
    taken = update(deliveries).where(c.id.in_(first))
    rows = connection.execute(taken.values(next_at=until, attempts=c.attempts + 1).returning(*_DELIVERY))
    return sorted((Delivery(**row._mapping) for row in rows), key=lambda one: one.id)


def count_waiting(connection: Connection, webhook_id: int, events: Iterable[str]) -> int:
    """How many tellings of these events a webhook has not taken yet."""
    c = deliveries.c
    query = select(func.count()).where(c.webhook_id == webhook_id, c.state == "waiting", c.event.in_(events))
    return int(connection.execute(query).scalar_one())


def set_delivery(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(deliveries).where(deliveries.c.id == number).values(**values))


def get_delivery(connection: Connection, webhook_id: int, number: int) -> Delivery:
    c = deliveries.c
    row = connection.execute(select(*_DELIVERY).where(c.id == number, c.webhook_id == webhook_id)).first()
    if row is None:
        raise NoSuchDelivery(
            f"Webhook {webhook_id} has no delivery {number}.", f"El webhook {webhook_id} no tiene el envío {number}."
        )
    return Delivery(**row._mapping)


def list_deliveries(
    connection: Connection, webhook_id: int, limit: int, *, state: str = "", before: int | None = None
) -> list[Delivery]:
    """A webhook's tellings, the newest first, in one state or in all."""
    c = deliveries.c
    query = select(*_DELIVERY).where(c.webhook_id == webhook_id).order_by(c.id.desc()).limit(limit)
    if state:
        query = query.where(c.state == state)
    if before is not None:
        query = query.where(c.id < before)
    return [Delivery(**row._mapping) for row in connection.execute(query)]


def count_deliveries(connection: Connection) -> dict[str, int]:
    """How many tellings are in each state."""
    query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    return dict(connection.execute(query).all())


def replay(connection: Connection, webhook_id: int, now: datetime, number: int | None = None) -> int:
    """Make one dead telling due again, or all of a webhook's; how many."""
    c = deliveries.c
    query = update(deliveries).where(c.webhook_id == webhook_id, c.state == "dead")
    query = query.where(c.id == number) if number is not None else query
    again = query.values(state="waiting", next_at=now, attempts=0, error=None, status=None)
    return len(connection.execute(again.returning(c.id)).all())


def drop_old_deliveries(connection: Connection, before: datetime) -> None:
    """Forget tellings from before this time, whatever became of them."""
    connection.execute(delete(deliveries).where(deliveries.c.created_at < before))
