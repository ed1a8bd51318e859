"""Events for webhooks: written in the transaction of what they tell of, or made from the history of contacts."""

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from schemas.events import OF_CONTACTS
from warehouse import webhooks
from warehouse.engines import Store, reading, transaction
from warehouse.removals import DELETED, ERASED
from warehouse.webhooks import Webhook

_AT_ONCE = 500
MOST_WAITING = 1_000
"""So many events of contacts wait for one webhook at most; the rest stay in the history until these are taken."""


def emit(connection: Connection, event: str, data: Mapping[str, Any], at: datetime) -> None:
    """Tell every webhook that wants this event, once the caller's transaction is committed."""
    wanting = [
        webhook for webhook in webhooks.all_webhooks(connection) if webhook.is_active and event in webhook.events
    ]
    webhooks.add_deliveries(connection, (delivery(webhook, event, data, at) for webhook in wanting))


def delivery(webhook: Webhook, event: str, data: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The row of a telling: the body is what Standard Webhooks asks for (type, timestamp, data)."""
    said = {"type": event, "timestamp": at.isoformat(), "data": dict(data)}
    body = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    stamps = {"created_at": at, "next_at": at}
    return {"webhook_id": webhook.id, "event": event, "message_id": f"msg_{uuid.uuid4().hex}", "body": body, **stamps}


def make_contact_events(store: Store, now: datetime) -> int:
    """Make events of contacts out of their history, as many as each webhook has room for; how many were made."""
    with reading(store) as connection:
        active = [item for item in webhooks.all_webhooks(connection) if item.is_active]
    return sum(_make(store, webhook, now) for webhook in active if set(webhook.events) & set(OF_CONTACTS))


def _make(store: Store, webhook: Webhook, now: datetime) -> int:
    made, after = 0, webhook.last_change
    while True:
        with transaction(store) as connection:
            if webhooks.count_waiting(connection, webhook.id, OF_CONTACTS) >= MOST_WAITING:
                return made
            changes = webhooks.changes_after(connection, after, _AT_ONCE)
            if not changes or not webhooks.see_changes(connection, webhook.id, after, changes[-1].id):
                return made
            wanted = [(event, data) for event, data in _said(changes) if event in webhook.events]
            webhooks.add_deliveries(connection, (delivery(webhook, event, data, now) for event, data in wanted))
        made, after = made + len(wanted), changes[-1].id
        if len(changes) < _AT_ONCE:
            return made


def _said(changes: Iterable[Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """The events of changes, each with what it says."""
    for change in changes:
        diff = change.diff or {}
        data = {
            "change_id": change.id,
            "contact_id": change.contact_id,
            "batch_id": change.batch_id,
            "actor": change.actor,
            "at": change.at.isoformat(),
        }
        gone = change.operation in (DELETED, ERASED) or (change.operation == "undo" and change.diff is None)
        if change.operation == "create" or gone:
            yield ("contact.deleted" if gone else "contact.created"), data
            if change.born_blocked and not gone:
                yield "contact.blocked", data
            continue
        yield "contact.updated", {**data, "fields": sorted(diff)}
        if diff.get("status", (None, None))[1] == "blocked":
            yield "contact.blocked", data
