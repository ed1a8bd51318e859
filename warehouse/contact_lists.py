"""Contacts a page at a time: by filter and search, in an order, each page beginning where the one before ended.

A page costs the same wherever it stands, as it begins at a value and an id instead of skipping rows. Contacts without
a value in the order come last, by their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select, tuple_

from schemas.conditions import Clock, Condition
from schemas.fields import BETWEEN
from warehouse import bulk
from warehouse.fields import HIDDEN
from warehouse.filter_sql import look_up, matching
from warehouse.search import MANY, Sought, few, is_sought, sought_ids
from warehouse.tables import contact_tags, contact_values, contacts, custom_fields, tags

ORDERS: dict[str, ColumnElement[Any]] = {
    "id": contacts.c.id,
    "created_at": contacts.c.created_at,
    "last_interaction_at": contacts.c.last_interaction_at,
    "name": contacts.c.search_text,
}
"""What contacts are listed by; the search text begins with the folded name."""
MOST_COUNTED = MANY
_NEAR = 5_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which contacts, in which order; `after` is where the page before ended: its last value and id."""

    condition: Condition | None = None
    sought: Sought | None = None
    order: str = "id"
    descending: bool = True
    after: tuple[Any, int] | None = None

    @property
    def is_everybody(self) -> bool:
        return self.condition is None and self.sought is None


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a list: the contact, its tags and its custom values."""

    contact: dict[str, Any]
    tags: list[str]
    custom: dict[str, Any]
    place: tuple[Any, int]


def list_contacts(connection: Connection, wanted: Wanted, clock: Clock, limit: int) -> list[Listed]:
    """The next contacts of a list."""
    rows = _near(connection, wanted, limit)
    if len(rows) < limit:
        rows = _next(connection, wanted, clock, limit)
    listed = [dict(row._mapping) for row in rows]
    ids = [row["id"] for row in listed]
    named, valued = tags_of(connection, ids), values_of(connection, ids)
    places = [(row["search_text"] if wanted.order == "name" else row[wanted.order], row["id"]) for row in listed]
    return [
        Listed(row, named.get(row["id"], []), valued.get(row["id"], {}), place)
        for row, place in zip(listed, places, strict=True)
    ]


def _near(connection: Connection, wanted: Wanted, limit: int) -> list[Any]:
    """Those who are found among the next few thousand of the order: what many have is found there at once."""
    is_past_values = wanted.after is not None and wanted.after[0] is None
    if wanted.sought is None or wanted.condition is not None or is_past_values:
        return []
    order = ORDERS[wanted.order]
    living = select(contacts.c.id).where(contacts.c.deleted_at.is_(None))
    near = _part(living, wanted, order).limit(_NEAR).subquery()
    query = select(contacts).join_from(near, contacts, contacts.c.id == near.c.id).where(is_sought(wanted.sought))
    return list(connection.execute(_ordered(query, wanted, order).limit(limit)))


def _next(connection: Connection, wanted: Wanted, clock: Clock, limit: int) -> list[Any]:
    base = _living(connection, wanted, clock)
    if wanted.sought is not None:
        found = few(connection, wanted.sought)
        first = _first(found, wanted, limit)
        if first:
            rows = _from(connection, base.where(bulk.is_among(connection, contacts.c.id, first)), wanted, limit)
            if len(rows) == limit:
                return rows
        base = base.where(
            is_sought(wanted.sought) if found is None else bulk.is_among(connection, contacts.c.id, found)
        )
    return _from(connection, base, wanted, limit)


def _first(found: list[int] | None, wanted: Wanted, limit: int) -> list[int]:
    """Of few ids those that a page by ids is of, unless too many of them are of the dead."""
    if found is None or wanted.order != "id" or wanted.condition is not None:
        return []
    after = wanted.after[1] if wanted.after else None
    beyond = (one for one in found if after is None or (one < after if wanted.descending else one > after))
    return sorted(beyond, reverse=wanted.descending)[: 2 * limit]


def _from(connection: Connection, base: Select[Any], wanted: Wanted, limit: int) -> list[Any]:
    """The rows of the list from its place on."""
    order, rows = ORDERS[wanted.order], list[Any]()
    if wanted.after is None or wanted.after[0] is not None:
        rows = list(connection.execute(_part(base, wanted, order).limit(limit)))
    if wanted.order != "id" and len(rows) < limit:
        rows += connection.execute(_nulls(base, wanted, order).limit(limit - len(rows)))
    return rows


def count_contacts(connection: Connection, wanted: Wanted, clock: Clock, most: int | None = None) -> int:
    """How many there are in all; beyond `most` nobody counts."""
    query = ids_of(connection, wanted, clock)
    if most is not None:
        query = query.limit(most)
    return int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())


def ids_of(connection: Connection, wanted: Wanted, clock: Clock) -> Select[Any]:
    """The ids of all that are wanted, in whatever order."""
    query: Select[Any] = select(contacts.c.id).where(contacts.c.deleted_at.is_(None))
    if wanted.condition is not None:
        query = matching(wanted.condition, clock, look_up(connection, wanted.condition))
    if wanted.sought is None:
        return query
    found = sought_ids(connection, wanted.sought).cte("sought")
    ids = query.subquery()
    return select(ids.c.id).join_from(ids, found, found.c.id == ids.c.id)


def _living(connection: Connection, wanted: Wanted, clock: Clock) -> Select[Any]:
    query: Select[Any] = select(contacts).where(contacts.c.deleted_at.is_(None))
    if wanted.condition is not None:
        ids = matching(wanted.condition, clock, look_up(connection, wanted.condition)).cte("wanted")
        query = query.join_from(contacts, ids, ids.c.id == contacts.c.id)
    return query


def _part(base: Select[Any], wanted: Wanted, order: ColumnElement[Any]) -> Select[Any]:
    """Those with a value in the order, from the place on."""
    if wanted.after is not None:
        value, number = wanted.after
        here, there = tuple_(order, contacts.c.id), tuple_(literal(value, order.type), literal(number))
        beyond: ColumnElement[bool] = here < there if wanted.descending else here > there
        if wanted.order == "id":
            beyond = contacts.c.id < number if wanted.descending else contacts.c.id > number
        base = base.where(beyond)
    if wanted.order != "id":
        base = base.where(order.is_not(None))
    return _ordered(base, wanted, order)


def _ordered(base: Select[Any], wanted: Wanted, order: ColumnElement[Any]) -> Select[Any]:
    keys = (order, contacts.c.id)
    return base.order_by(*(key.desc() if wanted.descending else key.asc() for key in keys))


def _nulls(base: Select[Any], wanted: Wanted, order: ColumnElement[Any]) -> Select[Any]:
    """Those without a value in the order, from the place on if that is among them."""
    base = base.where(order.is_(None))
    if wanted.after is not None and wanted.after[0] is None:
        number = wanted.after[1]
        base = base.where(contacts.c.id < number if wanted.descending else contacts.c.id > number)
    return base.order_by(contacts.c.id.desc() if wanted.descending else contacts.c.id.asc())


def tags_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    query = (
        select(contact_tags.c.contact_id, tags.c.name)
        .join_from(contact_tags, tags, tags.c.id == contact_tags.c.tag_id)
        .where(contact_tags.c.contact_id.in_(ids))
        .order_by(tags.c.form)
    )
    found: dict[int, list[str]] = {}
    for contact, name in connection.execute(query):
        found.setdefault(contact, []).append(name)
    return found


def _shown(kind: str, value: Any) -> Any:
    """A value as it is told: yes or no, and a list where a field takes several options."""
    if kind == "choices" and isinstance(value, str):
        return value.strip(BETWEEN).split(BETWEEN)
    return bool(value) if kind == "boolean" else value


def values_of(connection: Connection, ids: Sequence[int], *, with_archived: bool = False) -> dict[int, dict[str, Any]]:
    """The custom values of contacts, by contact and key; of archived fields only if asked for."""
    v, f = contact_values.c, custom_fields.c
    query = (
        select(v.contact_id, f.key, f.type, v.text, v.number, v.at, v.long_text)
        .join_from(contact_values, custom_fields, f.id == v.field_id)
        .where(v.contact_id.in_(ids))
        .order_by(f.id)
    )
    query = query.where(~f.key.startswith(HIDDEN)) if with_archived else query.where(f.archived_at.is_(None))
    found: dict[int, dict[str, Any]] = {}
    for contact, key, kind, text, number, at, long_text in connection.execute(query):
        value = next((one for one in (text, number, at, long_text) if one is not None), None)
        found.setdefault(contact, {})[key] = _shown(kind, value)
    return found
