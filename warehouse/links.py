"""The statements of links: which contact is which record, what both last agreed on, and what is to be looked at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from warehouse import bulk
from warehouse.sync_tables import links
from warehouse.tables import contact_changes, contacts

SWEEP, LOCAL, REMOTE, CALLED = 1, 2, 3, 4
"""How soon a dirty link is looked at."""
OVER = ("gone", "merged")
"""The states of links that are over, and that keep the ids that they had."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Link:
    """A row of `links`."""

    id: int
    connection_id: int
    contact_id: int | None
    remote_id: str | None
    token: str
    state: str
    dirty: int = 0
    base: Mapping[str, Any] | None = None
    sent: Mapping[str, Any] | None = None
    intent_at: datetime | None = None
    local_version: int = 0
    remote_version: str | None = None
    why: str | None = None
    attempts: int = 0
    next_at: datetime | None = None
    message: str | None = None


_COLUMNS = tuple(links.c[name] for name in Link.__slots__)


def _links(connection: Connection, query: Select[Any]) -> list[Link]:
    return [Link(**row._mapping) for row in connection.execute(query)]


def due_links(connection: Connection, number: int, now: datetime, least: int) -> list[int]:
    """The numbers of the links that are to be looked at, at least so urgent, the most urgent first."""
    c = links.c
    ready = or_(c.next_at.is_(None), c.next_at <= now)
    query = select(c.id).where(c.connection_id == number, c.dirty > 0, c.dirty >= least, ready)
    return list(connection.execute(query.order_by(c.dirty.desc(), c.id)).scalars())


def creating_links(connection: Connection, number: int, now: datetime) -> list[Link]:
    """The links whose record may have been made, and that may be asked about now."""
    c = links.c
    ready = or_(c.next_at.is_(None), c.next_at <= now)
    lost = or_(c.state == "creating", and_(c.state == "erasing", c.remote_id.is_(None)))
    query = select(*_COLUMNS).where(c.connection_id == number, c.dirty > 0, lost, ready)
    return _links(connection, query.order_by(c.id))


def links_after(connection: Connection, number: int, after: int, limit: int) -> list[Link]:
    """Active links by their number."""
    c = links.c
    query = select(*_COLUMNS).where(c.connection_id == number, c.state == "active", c.id > after)
    return _links(connection, query.order_by(c.id).limit(limit))


def links_of_records(connection: Connection, number: int, ids: Sequence[str]) -> dict[str, Link]:
    """The links that have, or had, these records."""
    c, found = links.c, dict[str, Link]()
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        query = select(*_COLUMNS).where(c.connection_id == number, c.remote_id.in_(part))
        found.update((str(link.remote_id), link) for link in _links(connection, query))
    return found


def links_of_contacts(connection: Connection, number: int, ids: Sequence[int]) -> dict[int, Link]:
    """The links of these contacts that are not over."""
    c = links.c
    mine = bulk.is_among(connection, c.contact_id, ids)
    query = select(*_COLUMNS).where(c.connection_id == number, mine, c.state.not_in(OVER))
    return {int(link.contact_id or 0): link for link in _links(connection, query)}


def every_link_of(connection: Connection, contact: int) -> list[Link]:
    """All links of a contact, of every connection."""
    return _links(connection, select(*_COLUMNS).where(links.c.contact_id == contact).order_by(links.c.id))


def get_links(connection: Connection, ids: Sequence[int]) -> dict[int, Link]:
    query = select(*_COLUMNS).where(bulk.is_among(connection, links.c.id, ids))
    return {link.id: link for link in _links(connection, query)}


def count_links(connection: Connection, number: int) -> dict[str, int]:
    """How many links are in each state."""
    query = select(links.c.state, func.count()).where(links.c.connection_id == number).group_by(links.c.state)
    return dict(connection.execute(query).all())


def count_held(connection: Connection, number: int) -> int:
    """How many deletions wait for a person."""
    c = links.c
    query = select(func.count()).where(c.connection_id == number, c.dirty > 0, c.why == "held")
    return int(connection.execute(query).scalar_one())


def count_due(connection: Connection, number: int) -> int:
    c = links.c
    return int(connection.execute(select(func.count()).where(c.connection_id == number, c.dirty > 0)).scalar_one())


def add_links(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Write new links; their numbers."""
    if not rows:
        return []
    first = bulk.take_ids(connection, "links", len(rows))
    names = {name for row in rows for name in row}
    listed = [{**dict.fromkeys(names), **_USUAL, **row, "id": first + at} for at, row in enumerate(rows)]
    connection.execute(insert(links), listed)
    return [int(row["id"]) for row in listed]


_USUAL: Mapping[str, Any] = {"dirty": 0, "local_version": 0, "attempts": 0}


def set_links(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Set columns of links, each row naming its `id`."""
    by_names: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        names = tuple(sorted(row.keys() - {"id"}))
        by_names.setdefault(names, []).append({**{f"b_{name}": row[name] for name in names}, "the_id": row["id"]})
    for names, listed in by_names.items():
        statement = update(links).where(links.c.id == bindparam("the_id"))
        connection.execute(statement.values({name: bindparam(f"b_{name}") for name in names}), listed)


def drop_links(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(delete(links).where(bulk.is_among(connection, links.c.id, ids)))


def mark_all(connection: Connection, number: int, how: int, why: str) -> None:
    """Let every active link be looked at: the mapping or the CRM's fields have changed."""
    c = links.c
    mine = and_(c.connection_id == number, c.state.in_(("active", "ignored", "ambiguous")))
    connection.execute(update(links).where(mine, c.dirty < how).values(dirty=how, why=why, next_at=None))


def _unless_settled(why: str) -> ColumnElement[str]:
    """Why a link is to be looked at; what ended or unlinked one is still asked for."""
    return case((links.c.state.in_(("unlinked", *OVER)), links.c.why), else_=why)


def mark_records(connection: Connection, number: int, ids: Sequence[str], how: int, why: str) -> set[str]:
    """Let the links of these records be looked at; the ids that have one."""
    c, found = links.c, set[str]()
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        marked = update(links).where(c.connection_id == number, c.remote_id.in_(part))
        raised = func.max(c.dirty, how) if not bulk.is_postgresql(connection) else func.greatest(c.dirty, how)
        values = {"dirty": raised, "why": _unless_settled(why), "next_at": None}
        found.update(str(one) for one in connection.execute(marked.values(values).returning(c.remote_id)).scalars())
    return found


def mark_aside(connection: Connection, number: int, most: int) -> int:
    """Let records be matched again that were set aside for what contacts were then; how many, at most so many."""
    c = links.c
    aside = or_(c.state == "ambiguous", and_(c.state == "ignored", c.why.in_(("archived_here", "not_created"))))
    ids = list(connection.execute(select(c.id).where(c.connection_id == number, aside).limit(most)).scalars())
    if ids:
        marked = update(links).where(bulk.is_among(connection, c.id, ids))
        connection.execute(marked.values(dirty=REMOTE, next_at=None))
    return len(ids)


# ── what happened here ───────────────────────────────────────────────────────────────────────────────────────────


def mark_changed(connection: Connection, number: int, since: int, until: int) -> None:
    """Let the links be looked at whose contacts have changed, but for what their last run wrote itself."""
    c, h = links.c, contact_changes.c
    changed = exists().where(h.contact_id == c.contact_id, h.id > since, h.id <= until, h.id > c.local_version)
    mine = and_(c.connection_id == number, c.state.not_in(OVER), c.dirty < LOCAL)
    if until - since <= _CHUNK * 4:
        ids = select(h.contact_id).where(h.id > since, h.id <= until)
        mine = and_(mine, c.contact_id.in_(ids))
    connection.execute(
        update(links).where(mine, changed).values(dirty=LOCAL, why=_unless_settled("local"), next_at=None)
    )


def changed_unlinked(connection: Connection, number: int, after: int, since: int, limit: int) -> list[int]:
    """Living contacts without a link here that changed since a change, by their number; all of them where it is 0.

    One whose record was merged into another is not made again.
    """
    c, h = links.c, contact_changes.c
    linked = exists().where(c.connection_id == number, c.contact_id == contacts.c.id, c.state != "gone")
    query = select(contacts.c.id).where(contacts.c.id > after, contacts.c.deleted_at.is_(None), ~linked)
    if since:
        query = query.where(contacts.c.id.in_(select(h.contact_id).where(h.id > since)))
    return list(connection.execute(query.order_by(contacts.c.id).limit(limit)).scalars())
