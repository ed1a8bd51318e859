"""Reading the audit: searched, exported, and checked as a chain."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_

from warehouse import audit
from warehouse.access_tables import audit as table
from warehouse.audit import Entry
from warehouse.engines import Store, reading

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Span:
    """From when on, and until before when; either may be open."""

    since: datetime | None = None
    until: datetime | None = None


def audit_entries(
    store: Store, text: str, limit: int | None, *, newest_first: bool, before: int | None = None, span: Span = Span()
) -> list[Entry]:
    """The entries of this time whose actor, action or object is this text or begins with it."""
    where = _where(text, span) + ([table.c.id < before] if before else [])
    with reading(store) as connection:
        return list(audit.entries(connection, *where, newest_first=newest_first, limit=limit))


def audit_lines(store: Store, text: str, span: Span) -> Iterator[str]:
    """Those entries as JSON, a line each, the oldest first, however many there are; some lines at a time."""
    after = 0
    while True:
        with reading(store) as connection:  # not while somebody reads slowly
            found = list(audit.entries(connection, *_where(text, span), table.c.id > after, limit=_AT_ONCE))
        if not found:
            return
        yield "".join(json.dumps(entry_line(entry), ensure_ascii=False) + "\n" for entry in found)
        after = found[-1].id


def _where(text: str, span: Span) -> list[ColumnElement[bool]]:
    c = table.c
    where: list[ColumnElement[bool]] = []
    if text:
        where.append(or_(*(column.startswith(text, autoescape=True) for column in (c.actor, c.action, c.object))))
    if span.since is not None:
        where.append(c.at >= span.since)
    if span.until is not None:
        where.append(c.at < span.until)
    return where


def broken_entry(store: Store) -> int | None:
    """The first entry that is not as it was written, or is missing."""
    with reading(store) as connection:
        return audit.first_broken(connection)


def newest_entry(store: Store) -> Entry | None:
    """The entry at the end of the chain: its hash, kept elsewhere, proves later that nothing up to it was rewritten."""
    return next(iter(audit_entries(store, "", 1, newest_first=True)), None)


def holds(store: Store, number: int, hash_: str) -> bool:
    """Whether an entry still has the hash that was noted."""
    with reading(store) as connection:
        return any(entry.hash == hash_ for entry in audit.entries(connection, table.c.id == number))


def entry_line(entry: Entry) -> dict[str, Any]:
    """An entry as JSON says it, with its hashes."""
    return {name: getattr(entry, name) for name in Entry.__slots__} | {"at": entry.at.isoformat()}
