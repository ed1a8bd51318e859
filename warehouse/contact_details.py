"""Everything about one contact: keys, values, tags, notes, consents, what happened, and where each value came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from schemas.errors import InputError
from schemas.fields import BETWEEN
from warehouse.contact_lists import tags_of, values_of
from warehouse.contact_writes import tag_names
from warehouse.opted_out import opted_out_channels
from warehouse.segment_tables import interactions, segment_events, segment_members, segments
from warehouse.tables import batch_rows, batches, consents, contact_changes, contact_keys, contacts, notes

_MANY, _FEW = 500, 50


class NoSuchContact(InputError):
    """There is no living contact with this number."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a contact: who or what made it, and what changed (a create names no values)."""

    id: int
    at: datetime
    actor: str
    operation: str
    batch_id: int | None
    row: int | None
    file: str | None
    source: str | None
    diff: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Happening:
    """An interaction."""

    id: int
    kind: str
    ref: str | None
    at: datetime
    channel: str | None
    source: str
    external_id: str
    actor: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One contact with all that belongs to it; its version is the number of its last change.

    `origins` names for each field the change that it came from; fields that no change names came with the first.
    """

    contact: dict[str, Any]
    version: int
    keys: list[dict[str, Any]]
    tags: list[str]
    custom: dict[str, Any]
    notes: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    opted_out: list[str]
    segments: list[dict[str, Any]]
    origins: dict[str, Change]
    first_sent_at: datetime | None
    first_received_at: datetime | None


def detail_of(connection: Connection, number: int) -> Detail:
    """Everything about a contact; raises NoSuchContact."""
    contact = living(connection, number)
    listed = history_of(connection, number, _MANY)
    values = values_of(connection, [number]).get(number, {})
    return Detail(
        contact,
        listed[0].id if listed else 0,
        _rows(connection, contact_keys, number, "kind", "value", "written", "role"),
        tags_of(connection, [number]).get(number, []),
        values,
        _rows(connection, notes, number, "id", "text", "actor", "at"),
        _rows(connection, consents, number, "channel", "purpose", "state", "at", "source"),
        opted_out_channels(connection, contact),
        _segments(connection, number),
        _origins(contact, values, listed, _first_change(connection, number)),
        _first(connection, number, "sent"),
        _first(connection, number, "received"),
    )


def living(connection: Connection, number: int) -> dict[str, Any]:
    row = connection.execute(select(contacts).where(contacts.c.id == number, contacts.c.deleted_at.is_(None))).first()
    if row is None:
        raise NoSuchContact(f"There is no contact {number}.", f"No hay ningún contacto {number}.")
    return dict(row._mapping)


def history_of(connection: Connection, number: int, limit: int = _FEW, before: int | None = None) -> list[Change]:
    """The changes of a contact, the newest first; from those before a change on."""
    c, b = contact_changes.c, batches.c
    query: Select[Any] = (
        select(
            c.id, c.at, c.actor, c.operation, c.batch_id, c.row, func.nullif(b.file, "").label("file"), b.source, c.diff
        )
        .join_from(contact_changes, batches, b.id == c.batch_id, isouter=True)
        .where(c.contact_id == number)
        .order_by(c.id.desc())
        .limit(limit)
    )
    query = query if before is None else query.where(c.id < before)
    found = [Change(**row._mapping) for row in connection.execute(query)]
    moved = {one for change in found for side in (change.diff or {}).get("tags", ()) for one in side}
    names = tag_names(connection, moved) if moved else {}
    return [replace(change, diff=_as_told(_with_names(change.diff, names))) for change in found]


def _with_names(diff: Mapping[str, Any] | None, names: Mapping[int, str]) -> Mapping[str, Any] | None:
    """The tags of a change by their names."""
    if not diff or "tags" not in diff:
        return diff
    return {**diff, "tags": [[names.get(one, str(one)) for one in side] for side in diff["tags"]]}


def _as_told(diff: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Values that are several options as lists."""

    def told(value: Any) -> Any:
        several = isinstance(value, str) and value.startswith(BETWEEN)
        return value.strip(BETWEEN).split(BETWEEN) if several else value

    return {name: [told(side) for side in pair] for name, pair in diff.items()} if diff else diff


def status_before_block(connection: Connection, number: int) -> str:
    """What a blocked contact was before."""
    for change in history_of(connection, number, _MANY):
        was, status = (change.diff or {}).get("status", (None, None))
        if status == "blocked" and was in ("active", "inactive"):
            return str(was)
    return "active"


def interactions_of(
    connection: Connection, number: int, limit: int = _FEW, before: int | None = None
) -> list[Happening]:
    """What happened with a contact, the newest first."""
    i = interactions.c
    columns = (i[name] for name in Happening.__slots__)
    query = select(*columns).where(i.contact_id == number).order_by(i.at.desc(), i.id.desc()).limit(limit)
    if before is not None:
        at = select(i.at).where(i.id == before).scalar_subquery()
        query = query.where((i.at < at) | ((i.at == at) & (i.id < before)))
    return [Happening(**row._mapping) for row in connection.execute(query)]


def file_rows_of(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The rows of files that went to a contact, the oldest first."""
    r, b = batch_rows.c, batches.c
    query = select(r.batch_id, b.file, b.source, r.row, r.outcome, b.created_at.label("at"))
    query = query.join_from(batch_rows, batches, b.id == r.batch_id).where(r.contact_id == number)
    return [dict(one._mapping) for one in connection.execute(query.order_by(r.batch_id, r.row))]


def moves_of(connection: Connection, number: int) -> list[dict[str, Any]]:
    """The segments that a contact joined and left, the oldest first."""
    e = segment_events.c
    query = select(segments.c.name, e.joined, e.at).join_from(segment_events, segments, segments.c.id == e.segment_id)
    return [dict(one._mapping) for one in connection.execute(query.where(e.contact_id == number).order_by(e.id))]


def _rows(connection: Connection, table: Any, number: int, *names: str) -> list[dict[str, Any]]:
    columns = [table.c[name] for name in names]
    query = select(*columns).where(table.c.contact_id == number).order_by(*columns[:2])
    return [dict(row._mapping) for row in connection.execute(query)]


def _segments(connection: Connection, number: int) -> list[dict[str, Any]]:
    m = segment_members.c
    query: Select[Any] = (
        select(segments.c.id, segments.c.name, m.since)
        .join_from(segments, segment_members, (m.segment_id == segments.c.id) & (m.contact_id == number))
        .where(segments.c.archived_at.is_(None))
        .order_by(segments.c.name)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def _first_change(connection: Connection, number: int) -> Change | None:
    first = select(func.min(contact_changes.c.id)).where(contact_changes.c.contact_id == number)
    change = connection.execute(first).scalar()
    found = history_of(connection, number, 1, change + 1) if change is not None else []
    return found[0] if found else None


def _origins(
    contact: Mapping[str, Any], values: Mapping[str, Any], listed: Sequence[Change], made: Change | None
) -> dict[str, Change]:
    """For each field that has a value, the newest change that names it, or else the first change of all."""
    filled = [name for name, value in contact.items() if value is not None] + [f"custom.{key}" for key in values]
    found = {name: made for name in filled if made is not None}
    for change in reversed(listed):
        found |= {name: change for name in change.diff or () if name in found}
    return found


def _first(connection: Connection, number: int, kind: str) -> datetime | None:
    i = interactions.c
    at: datetime | None = connection.execute(
        select(func.min(i.at)).where(i.contact_id == number, i.kind == kind)
    ).scalar()
    return at
