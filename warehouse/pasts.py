"""What happened after a moment, newest first: changes of contacts, and who joined and left segments."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from warehouse import bulk
from warehouse.segment_tables import segment_events, segment_members
from warehouse.tables import contact_changes, contacts

_AT_ONCE = 20_000


def changes_after(connection: Connection, at: datetime) -> Iterator[tuple[int, str, dict[str, list[Any]]]]:
    """Contact, operation and diff of every change after a moment."""
    c = contact_changes.c
    query = select(c.contact_id, c.operation, c.diff).where(c.at > at).order_by(c.id.desc())
    for contact, operation, diff in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
        yield int(contact), str(operation), diff or {}


def living(connection: Connection) -> list[int]:
    """Everybody on the roll, by number."""
    return list(
        connection.execute(
            select(contacts.c.id).where(contacts.c.deleted_at.is_(None)).order_by(contacts.c.id)
        ).scalars()
    )


def made_by(connection: Connection, ids: Iterable[int], at: datetime) -> set[int]:
    """Which of these were made by a moment: of the erased nothing but the row tells."""
    among = bulk.is_among(connection, contacts.c.id, sorted(ids))
    return set(connection.execute(select(contacts.c.id).where(among, contacts.c.created_at <= at)).scalars())


def members_at(connection: Connection, number: int, at: datetime) -> set[int]:
    """Who was in a segment at a moment, as far as its refreshes tell."""
    m, e = segment_members.c, segment_events.c
    found = set(connection.execute(select(m.contact_id).where(m.segment_id == number)).scalars())
    query = select(e.contact_id, e.joined).where(e.segment_id == number, e.at > at).order_by(e.id.desc())
    for contact, joined in connection.execute(query):
        (found.discard if joined else found.add)(contact)
    return found
