"""How complete and how clean the roll is, in numbers, by the source that each contact came from."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select, text

from schemas.consents import MARKETING
from warehouse.tables import batches, consents, contact_changes, contacts

_REACHED = text("SELECT count(DISTINCT contact_id) FROM opted_out")
BY_HAND = ""
"""The source of contacts that no file brought."""


def _parts(since: datetime) -> dict[str, ColumnElement[bool]]:
    """What is counted of each source, and how it is told."""
    c = contacts.c
    return {
        "no_phone": c.phone.is_(None),
        "no_email": c.email.is_(None),
        "no_name": c.display_name.is_(None),
        "unreachable": and_(c.phone.is_(None), c.email.is_(None)),
        "never_contacted": and_(c.sent == 0, c.received == 0),
        "silent": and_(
            or_(c.sent > 0, c.received > 0), or_(c.last_interaction_at.is_(None), c.last_interaction_at < since)
        ),
        "blocked": c.status == "blocked",
        "archived": c.status == "archived",
    }


NAMES = tuple(_parts(datetime.min))


def by_source(connection: Connection, since: datetime) -> list[dict[str, Any]]:
    """source, contacts, and how many of them lack something; the largest source first."""
    made = (
        select(contact_changes.c.contact_id, func.max(contact_changes.c.batch_id).label("batch_id"))
        .where(contact_changes.c.operation == "create")
        .group_by(contact_changes.c.contact_id)
        .subquery()
    )
    counted = [func.sum(case((which, 1), else_=0)).label(name) for name, which in _parts(since).items()]
    source = func.coalesce(batches.c.source, literal(BY_HAND)).label("source")
    query = (
        select(source, func.count().label("contacts"), *counted)
        .select_from(contacts)
        .join(made, made.c.contact_id == contacts.c.id, isouter=True)
        .join(batches, batches.c.id == made.c.batch_id, isouter=True)
        .where(contacts.c.deleted_at.is_(None))
        .group_by(source)
        .order_by(func.count().desc(), source)
    )
    return [
        {name: value if name == "source" else int(value) for name, value in row._mapping.items()}
        for row in connection.execute(query)
    ]


def opted_out_count(connection: Connection) -> int:
    """How many contacts are not to be written to on some channel."""
    return int(connection.execute(_REACHED).scalar_one())


def consented_count(connection: Connection) -> int:
    """How many contacts said yes to being written to on some channel."""
    query = select(func.count(consents.c.contact_id.distinct())).where(
        consents.c.state == "in", consents.c.purpose == MARKETING
    )
    return int(connection.execute(query).scalar_one())
