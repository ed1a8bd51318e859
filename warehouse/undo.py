"""The statements of taking a batch back: what it created and changed, and putting values back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, func, or_, select, union, update

from schemas.consents import MARKETING
from schemas.fields import FieldType
from warehouse.batches import ACTIVITY, Batch
from warehouse.bulk import is_among, take_ids
from warehouse.removals import EMPTY
from warehouse.tables import (
    batch_rows,
    batches,
    candidate_pairs,
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    notes,
    opted_out_addresses,
)

_CHUNK = 500


def changes_of(connection: Connection, batch_id: int, after: int, limit: int) -> list[Any]:
    """The batch's changes, newest first, with whether anybody changed the contact since.

    Imports that were taken back changed nothing that stands.
    """
    later = contact_changes.alias("later")
    undone = select(batches.c.id).where(batches.c.state == "undone")
    newer = (
        select(func.count())
        .select_from(later)
        .where(
            later.c.contact_id == contact_changes.c.contact_id,
            later.c.id > contact_changes.c.id,
            func.coalesce(later.c.batch_id, 0) != batch_id,
            later.c.operation != "undo",
            func.coalesce(later.c.batch_id, 0).not_in(undone),
        )
        .scalar_subquery()
    )
    query = select(
        contact_changes.c.id, contact_changes.c.contact_id, contact_changes.c.operation, contact_changes.c.diff, newer
    ).where(contact_changes.c.batch_id == batch_id, contact_changes.c.operation.in_(("create", "update")))
    if after:
        query = query.where(contact_changes.c.id < after)
    return list(connection.execute(query.order_by(contact_changes.c.id.desc()).limit(limit)))


def plain_changes(connection: Connection, batch_id: int, after: int, limit: int) -> list[Any]:
    """The batch's updates, newest first: id, contact_id, diff."""
    c = contact_changes.c
    query = select(c.id, c.contact_id, c.diff).where(c.batch_id == batch_id, c.operation == "update")
    query = query.where(c.id < after) if after else query
    return list(connection.execute(query.order_by(c.id.desc()).limit(limit)))


def first_change(connection: Connection, batch_id: int) -> int:
    c = contact_changes.c
    return int(connection.execute(select(func.min(c.id)).where(c.batch_id == batch_id)).scalar() or 0)


def changed_by_others(connection: Connection, batch_id: int, since: int) -> set[int]:
    """The contacts that others changed after a change, also by undoing."""
    c = contact_changes.c
    query = select(c.contact_id).where(c.id > since, c.batch_id.is_distinct_from(batch_id)).distinct()
    return set(connection.execute(query).scalars())


def dead_among(connection: Connection, ids: list[int]) -> set[int]:
    where = is_among(connection, contacts.c.id, ids)
    return set(connection.execute(select(contacts.c.id).where(where, contacts.c.deleted_at.is_not(None))).scalars())


def count_changes(connection: Connection, batch_id: int) -> int:
    """How many changes `changes_of` gives in all."""
    c = contact_changes.c
    query = select(func.count()).where(c.batch_id == batch_id, c.operation.in_(("create", "update")))
    return int(connection.execute(query).scalar_one())


def remove_contacts(connection: Connection, ids: list[int], now: datetime) -> int:
    """Take contacts that a batch created off the roll, with all that came with them; how many opt-outs and blocks."""
    lifted = 0
    for part in _chunks(ids):
        out = select(consents.c.contact_id).where(consents.c.contact_id.in_(part), consents.c.state == "out")
        blocked = select(contacts.c.id).where(contacts.c.id.in_(part), contacts.c.status == "blocked")
        lifted += sum(len(connection.execute(query).all()) for query in (out, blocked))
        for table in (contact_keys, contact_values, contact_tags, notes, consents):
            connection.execute(delete(table).where(table.c.contact_id.in_(part)))
        pairs = candidate_pairs.c
        connection.execute(delete(candidate_pairs).where(pairs.contact_a.in_(part) | pairs.contact_b.in_(part)))
        connection.execute(
            update(contacts)
            .where(contacts.c.id.in_(part))
            .values(**{**EMPTY, "deleted_at": now}, version=contacts.c.version + 1)
        )
    return lifted


def contacts_by_id(connection: Connection, ids: list[int]) -> dict[int, dict[str, Any]]:
    rows = connection.execute(select(contacts).where(contacts.c.id.in_(ids))).mappings()
    return {row["id"]: dict(row) for row in rows}


def is_free(connection: Connection, contact_id: int, kind: str, column: str, value: str) -> bool:
    """Whether a contact can own this phone or e-mail: nobody else does, and it does not hold it as shared."""
    c, k = contacts.c, contact_keys.c
    own = select(c.id).where(c[column] == value, c.deleted_at.is_(None), c.id != contact_id)
    held = select(k.contact_id).where(
        k.value == value,
        k.kind == kind,
        ((k.contact_id != contact_id) & (k.role == "owner")) | ((k.contact_id == contact_id) & (k.role != "owner")),
    )
    return connection.execute(own).first() is None and connection.execute(held).first() is None


def drop_keys(connection: Connection, contact_id: int, keys: list[tuple[str, str]]) -> None:
    for kind, value in keys:
        k = contact_keys.c
        connection.execute(delete(contact_keys).where(k.contact_id == contact_id, k.kind == kind, k.value == value))


def tags_of(connection: Connection, ids: list[int]) -> set[tuple[int, int]]:
    """The tags of these contacts, as pairs."""
    t = contact_tags.c
    rows = connection.execute(select(t.contact_id, t.tag_id).where(t.contact_id.in_(ids)))
    return {(int(contact), int(tag)) for contact, tag in rows}


def drop_note(connection: Connection, contact_id: int, batch_id: int) -> bool:
    """Take a batch's note away; whether there was one."""
    n = notes.c
    gone = delete(notes).where(n.contact_id == contact_id, n.batch_id == batch_id).returning(n.id)
    return bool(connection.execute(gone).all())


def custom_fields_by_key(connection: Connection) -> dict[str, tuple[int, FieldType]]:
    """The id and type of each custom field, also of archived ones."""
    f = custom_fields.c
    return {key: (number, kind) for key, number, kind in connection.execute(select(f.key, f.id, f.type))}


def values_of(connection: Connection, ids: list[int]) -> dict[tuple[int, int], dict[str, Any]]:
    """The custom values of these contacts, by contact and field."""
    rows = connection.execute(select(contact_values).where(contact_values.c.contact_id.in_(ids))).mappings()
    return {(row["contact_id"], row["field_id"]): dict(row) for row in rows}


def set_consent(
    connection: Connection, contact_id: int, channel: str, change: tuple[str | None, str], given: Mapping[str, Any]
) -> bool:
    """Put a consent back as it was given, unless it is no longer as the change left it."""
    c = consents.c
    old, new = change
    where = (c.contact_id == contact_id) & (c.channel == channel) & (c.purpose == MARKETING) & (c.state == new)
    back = update(consents).where(where).values(state=old, **given)
    statement = delete(consents).where(where) if old is None else back
    return connection.execute(statement.returning(c.channel)).first() is not None


def consent_of(connection: Connection, contact_id: int, channel: str) -> str | None:
    c = consents.c
    query = select(c.state).where(c.contact_id == contact_id, c.channel == channel, c.purpose == MARKETING)
    return connection.execute(query).scalar()


def drop_opted_out(connection: Connection, batch_id: int) -> int:
    """Forget the addresses that rows of a batch opted out, which were not taken; how many."""
    a = opted_out_addresses.c
    return len(connection.execute(delete(opted_out_addresses).where(a.batch_id == batch_id).returning(a.value)).all())


def drop_pairs(connection: Connection, batch_id: int) -> None:
    """Forget the pairs that a batch put up for review, unless somebody has decided them."""
    pairs = candidate_pairs.c
    connection.execute(delete(candidate_pairs).where(pairs.batch_id == batch_id, pairs.state == "open"))


def kept_for(connection: Connection, batch_id: int) -> list[int]:
    """The contacts of imports that were taken back, which stayed as rows of this one went to them, and now may go.

    Nobody edited them, and no other import that stands has them.
    """
    if not connection.execute(select(batches.c.id).where(batches.c.state == "undone").limit(1)).first():
        return []
    undone = select(batches.c.id).where(batches.c.state == "undone")
    rows, change = batch_rows.c, contact_changes.c
    mine = union(
        select(rows.contact_id).where(rows.batch_id == batch_id),
        select(change.contact_id).where(change.batch_id == batch_id),
    ).subquery()
    made = exists().where(change.contact_id == contacts.c.id, change.operation == "create", change.batch_id.in_(undone))
    others = or_(change.batch_id.is_(None), change.batch_id.not_in(undone))
    touched = exists().where(
        change.contact_id == contacts.c.id,
        change.operation != "undo",
        others,
        func.coalesce(change.batch_id, 0) != batch_id,
    )
    query = select(contacts.c.id).join(mine, mine.c.contact_id == contacts.c.id)
    found = connection.execute(query.where(contacts.c.deleted_at.is_(None), made, ~touched)).scalars().all()
    if not found:
        return []
    b = batches.c
    standing = select(b.id).where(b.id != batch_id, b.state != "undone", b.kind != ACTIVITY)
    return sorted(set(found) - contacts_of(connection, connection.execute(standing).scalars()))


def rows_of_others(connection: Connection, batch: Batch) -> dict[int, int]:
    """How many rows the imports applied that came after a batch, or that ran beside it; not those taken back."""
    b = batches.c
    beside = or_(b.finished_at.is_(None), b.finished_at >= (batch.started_at or batch.created_at))
    query = select(b.id, b.rows_done).where(b.id != batch.id, b.state != "undone", or_(b.id > batch.id, beside))
    query = query.where(b.kind != ACTIVITY)
    return {number: int(done) for number, done in connection.execute(query)}


def contacts_of(connection: Connection, numbers: Iterable[int], after: int = 0) -> set[int]:
    """The contacts that rows of these imports went to, those after a row."""
    r = batch_rows.c
    query = select(r.contact_id).where(r.batch_id.in_(list(numbers)), r.row > after, r.contact_id.is_not(None))
    return set(connection.execute(query.distinct()).scalars())


def fields_changed_since(connection: Connection, contact_id: int, change_id: int, batch_id: int) -> set[str]:
    """The fields of a contact that others changed after a change; not imports that were taken back, nor undo itself."""
    c = contact_changes.c
    undone = select(batches.c.id).where(batches.c.state == "undone")
    by = func.coalesce(c.batch_id, 0)
    query = select(c.diff).where(c.contact_id == contact_id, c.id > change_id, by != batch_id, by.not_in(undone))
    diffs = connection.execute(query.where(c.operation != "undo", c.diff.is_not(None))).scalars()
    return {name for diff in diffs for name in diff or {}}


@dataclass(slots=True)
class Writes:
    """What an undo writes, gathered so that few statements write it; no contact comes twice between two flushes."""

    _contacts: dict[tuple[str, ...], list[dict[str, Any]]] = field(default_factory=dict)
    _gone: list[dict[str, Any]] = field(default_factory=list)
    _values: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _tags_gone: list[dict[str, int]] = field(default_factory=list)
    _tags: list[dict[str, int]] = field(default_factory=list)
    _notes: list[tuple[int, dict[str, Any] | None]] = field(default_factory=list)

    def set_contact(self, contact_id: int, values: dict[str, Any]) -> None:
        self._contacts.setdefault(tuple(sorted(values)), []).append(
            {"contact": contact_id, **{f"new_{name}": value for name, value in values.items()}}
        )

    def set_value(self, contact_id: int, field_id: int, slot: str, value: Any) -> None:
        self._gone.append({"contact": contact_id, "field": field_id})
        if value is not None:
            row = {"contact_id": contact_id, "field_id": field_id, slot: value}
            self._values.setdefault(slot, []).append(row)

    def set_tags(self, contact_id: int, gone: list[int], new: list[int]) -> None:
        self._tags_gone += [{"contact": contact_id, "tag": tag} for tag in gone]
        self._tags += [{"contact_id": contact_id, "tag_id": tag} for tag in new]

    def note(self, contact_id: int, diff: dict[str, Any] | None) -> None:
        """A line of the contact's history."""
        self._notes.append((contact_id, diff))

    def flush(self, connection: Connection, of_all: dict[str, Any]) -> None:
        """Write all of it; `of_all` is what every line of the history says."""
        c, v = contacts.c, contact_values.c
        for names, rows in self._contacts.items():
            changed = {name: bindparam(f"new_{name}", type_=c[name].type) for name in names}
            statement = update(contacts).where(c.id == bindparam("contact"))
            connection.execute(statement.values(**changed, version=c.version + 1, applied=None), rows)
        if self._gone:
            where = (v.contact_id == bindparam("contact")) & (v.field_id == bindparam("field"))
            connection.execute(delete(contact_values).where(where), self._gone)
        for rows in self._values.values():
            connection.execute(contact_values.insert(), rows)
        if self._tags_gone:
            t = contact_tags.c
            pair = (t.contact_id == bindparam("contact")) & (t.tag_id == bindparam("tag"))
            connection.execute(delete(contact_tags).where(pair), self._tags_gone)
        if self._tags:
            connection.execute(contact_tags.insert(), self._tags)
        if self._notes:
            first = take_ids(connection, "contact_changes", len(self._notes))
            said = {**of_all, "operation": "undo"}
            lines = [{**said, "id": first + at, "contact_id": n, "diff": d} for at, (n, d) in enumerate(self._notes)]
            connection.execute(contact_changes.insert(), lines)
        for gathered in (self._contacts, self._gone, self._values, self._tags_gone, self._tags, self._notes):
            gathered.clear()


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
