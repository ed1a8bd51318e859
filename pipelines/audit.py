"""Reading the audit: searched, exported, and checked as a chain."""

from typing import Any

from sqlalchemy import or_

from warehouse import audit
from warehouse.access_tables import audit as table
from warehouse.audit import Entry
from warehouse.engines import Store, reading


def audit_entries(
    store: Store, text: str, limit: int | None, *, newest_first: bool, before: int | None = None
) -> list[Entry]:
    """The entries whose actor, action or object is this text or begins with it."""
    columns = (table.c.actor, table.c.action, table.c.object)
    where = [or_(*(column.startswith(text, autoescape=True) for column in columns))] if text else []
    where += [table.c.id < before] if before else []
    with reading(store) as connection:
        return list(audit.entries(connection, *where, newest_first=newest_first, limit=limit))


def broken_entry(store: Store) -> int | None:
    """The first entry that is not as it was written, or is missing."""
    with reading(store) as connection:
        return audit.first_broken(connection)


def entry_line(entry: Entry) -> dict[str, Any]:
    """An entry as JSON says it, with its hashes."""
    return {name: getattr(entry, name) for name in Entry.__slots__} | {"at": entry.at.isoformat()}
