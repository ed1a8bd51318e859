"""The audit: who did what, when and from where. Entries are chained, so that none can be changed or left out unseen."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select

from warehouse import bulk
from warehouse.access_tables import audit
from warehouse.idempotency import Once, keep_made

FIRST_HASH = "0" * 64
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `audit`."""

    id: int
    at: datetime
    actor: str
    address: str | None
    action: str
    object: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for something, from where, and when; what they may do, where that is limited; a key, to do it once."""

    actor: str
    at: datetime
    address: str | None = None
    permissions: frozenset[str] | None = None
    once: Once | None = None


def add_entry(
    connection: Connection,
    asked: Asked,
    action: str,
    object_: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry, in the transaction of what it tells of. Entries are taken one after the other."""
    number = bulk.take_ids(connection, "audit", 1)
    previous = connection.execute(select(audit.c.hash).where(audit.c.id == number - 1)).scalar() or FIRST_HASH
    values = {
        "id": number,
        "at": asked.at,
        "actor": asked.actor,
        "address": asked.address,
        "action": action,
        "object": object_,
        "before": before,
        "after": after,
        "previous_hash": previous,
    }
    connection.execute(insert(audit).values(**values, hash=_hash(values)))
    if asked.once is not None:
        keep_made(connection, asked.actor, asked.once, object_, asked.at)


def _hash(values: Mapping[str, Any]) -> str:
    said = {**values, "at": values["at"].isoformat()}
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def entries(
    connection: Connection, *where: ColumnElement[bool], newest_first: bool = False, limit: int | None = None
) -> Iterator[Entry]:
    """The entries that fulfil these conditions, in order."""
    query = select(audit).where(*where).order_by(audit.c.id.desc() if newest_first else audit.c.id)
    for row in connection.execute(query.limit(limit)).yield_per(_AT_ONCE):
        yield Entry(**row._mapping)


def first_broken(connection: Connection) -> int | None:
    """The number of the first entry that is not as it was written, or is missing; None if all are whole."""
    expected, previous = 1, FIRST_HASH
    for entry in entries(connection):
        values = {name: getattr(entry, name) for name in Entry.__slots__ if name != "hash"}
        if entry.id != expected or entry.previous_hash != previous or entry.hash != _hash(values):
            return expected
        expected, previous = entry.id + 1, entry.hash
    last = bulk.last_id(connection, "audit")
    return expected if expected <= last else None
