"""What is older than it may be kept: contacts with whom nothing happens, and what happened with contacts."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, func, select, update

from warehouse.segment_tables import interactions, segments
from warehouse.tables import contact_changes, contacts


def _inactive(before: datetime) -> Select[Any]:
    c, change = contacts.c, contact_changes.c
    changed = exists().where(change.contact_id == c.id, change.at >= before)
    last = func.coalesce(c.last_interaction_at, c.created_at, type_=c.created_at.type)
    return select(c.id).where(c.deleted_at.is_(None), last < before, ~changed)


def count_inactive(connection: Connection, before: datetime) -> int:
    """How many contacts there are with whom nothing happened, and whom nobody changed, since a time."""
    return int(connection.execute(select(func.count()).select_from(_inactive(before).subquery())).scalar_one())


def inactive(connection: Connection, before: datetime, after: int, limit: int) -> list[int]:
    """Such contacts, by number from one on."""
    query = _inactive(before).where(contacts.c.id > after).order_by(contacts.c.id).limit(limit)
    return list(connection.execute(query).scalars())


def count_interactions(connection: Connection, before: datetime) -> int:
    query = select(func.count()).select_from(interactions).where(interactions.c.at < before)
    return int(connection.execute(query).scalar_one())


def drop_interactions(connection: Connection, before: datetime, limit: int) -> int:
    """Drop some of what happened before a time; how many."""
    old = select(interactions.c.id).where(interactions.c.at < before).limit(limit)
    return connection.execute(delete(interactions).where(interactions.c.id.in_(old))).rowcount


def refresh_fully(connection: Connection) -> None:
    """Let every segment look at every contact the next time that it is refreshed, also where that is under way."""
    again = {"refreshed_version": None, "filter_version": segments.c.filter_version + 1}
    connection.execute(update(segments).where(segments.c.archived_at.is_(None)).values(**again))
