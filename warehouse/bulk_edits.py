"""One edit of many contacts: what they have at the moment, and writing the change to all of a slice at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, select, update

from warehouse import bulk
from warehouse.tables import batches, contact_changes, contact_tags, contact_values, contacts


def contacts_now(connection: Connection, ids: Sequence[int], names: Sequence[str]) -> list[dict[str, Any]]:
    """These columns of the living among the contacts, with their version and status."""
    columns = [contacts.c[name] for name in dict.fromkeys(("id", "version", "status", *names))]
    query = select(*columns).where(bulk.is_among(connection, contacts.c.id, ids), contacts.c.deleted_at.is_(None))
    return [dict(row._mapping) for row in connection.execute(query.order_by(contacts.c.id))]


def tags_now(connection: Connection, ids: Sequence[int], tags: Sequence[int]) -> set[tuple[int, int]]:
    """Which of these tags the contacts have, as pairs."""
    t = contact_tags.c
    query = select(t.contact_id, t.tag_id).where(bulk.is_among(connection, t.contact_id, ids), t.tag_id.in_(tags))
    return {(int(contact), int(tag)) for contact, tag in connection.execute(query)} if tags else set()


def values_now(connection: Connection, ids: Sequence[int], fields: Sequence[int]) -> dict[tuple[int, int], Any]:
    """The values of these custom fields, by contact and field."""
    v = contact_values.c
    query = select(v.contact_id, v.field_id, v.text, v.number, v.at, v.long_text)
    query = query.where(bulk.is_among(connection, v.contact_id, ids), v.field_id.in_(fields))
    found = connection.execute(query).all() if fields else []
    return {(row[0], row[1]): next((one for one in row[2:] if one is not None), None) for row in found}


@dataclass(slots=True)
class Edits:
    """What a slice of an edit writes."""

    contacts: list[dict[str, Any]] = field(default_factory=list)
    diffs: list[tuple[int, str]] = field(default_factory=list)
    tags_gone: list[tuple[int, int]] = field(default_factory=list)
    tags_new: list[tuple[int, int]] = field(default_factory=list)
    values_gone: list[tuple[int, int]] = field(default_factory=list)
    values_new: dict[str, list[tuple[int, int, Any]]] = field(default_factory=dict)

    def write(self, connection: Connection, batch: int, actor: str, at: datetime, *, operation: str = "update") -> None:
        """Write it all, with a line in the history of each contact."""
        if not self.diffs:
            return
        if self.contacts:
            _update(connection, self.contacts)
        bulk.delete_rows(connection, contact_tags, _pairs(self.tags_gone, "contact_id", "tag_id"))
        bulk.insert_rows(connection, contact_tags, _pairs(self.tags_new, "contact_id", "tag_id"))
        bulk.delete_rows(connection, contact_values, _pairs(self.values_gone, "contact_id", "field_id"))
        for slot, rows in self.values_new.items():
            names = ["contact_id", "field_id", slot]
            table = dict(zip(names, zip(*rows, strict=True), strict=True))
            bulk.insert_rows(connection, contact_values, _typed(contact_values, table))
        first, count = bulk.take_ids(connection, "contact_changes", len(self.diffs)), len(self.diffs)
        said = {
            "batch_id": [batch] * count,
            "actor": [actor] * count,
            "at": [at] * count,
            "operation": [operation] * count,
        }
        numbers = {"id": range(first, first + count), "contact_id": [contact for contact, _ in self.diffs]}
        diffs = {"diff": [diff for _, diff in self.diffs]}
        bulk.insert_rows(connection, contact_changes, _typed(contact_changes, {**numbers, **said, **diffs}))


def count_changed(connection: Connection, batch: int, count: int) -> None:
    """Count contacts that an edit changed."""
    counted = batches.c.updated + count
    connection.execute(update(batches).where(batches.c.id == batch).values(updated=counted))


def _update(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    bulk.update_rows(connection, contacts, _typed(contacts, columns), "id")


def _typed(table: Any, columns: Mapping[str, Any]) -> pa.Table:
    schema = bulk.schema_of(table, list(columns))
    return pa.table([pa.array(list(columns[name]), schema.field(name).type) for name in columns], schema=schema)


def _pairs(pairs: Sequence[tuple[int, int]], *names: str) -> pa.Table:
    columns = zip(*pairs, strict=True) if pairs else ((), ())
    return pa.table({name: pa.array(list(one), pa.int64()) for name, one in zip(names, columns, strict=True)})
