"""Reading and writing contacts and what belongs to them, a slice at a time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pyarrow as pa
from sqlalchemy import Connection, Select, func, insert, select

from schemas.consents import MARKETING
from schemas.fields import FieldType, field_type
from warehouse import bulk
from warehouse.matches import keep_ids, slice_ids
from warehouse.tables import (
    candidate_pairs,
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    notes,
    tags,
)

_CHUNK = 500
MERGEABLE = (
    ["id", "first_name", "last_name", "display_name", "phone", "phone_match", "email", "email_match", "company"]
    + ["address", "city", "country", "photo_url", "channel", "status", "blocked_at", "blocked_reason", "language"]
    + ["created_at", "last_interaction_at", "version"]
)


def is_empty(connection: Connection) -> bool:
    """Whether the roll has never had a contact."""
    return connection.execute(select(contacts.c.id).limit(1)).first() is None


def last_change(connection: Connection) -> int:
    """The id of the newest change."""
    return int(connection.execute(select(func.max(contact_changes.c.id))).scalar() or 0)


def first_change_at(connection: Connection) -> datetime | None:
    """When the first thing happened to a contact."""
    c = contact_changes.c
    return connection.execute(select(c.at).order_by(c.id).limit(1)).scalar()


def changed_by_others(connection: Connection, since: int, batch_id: int) -> bool:
    """Whether anybody but this batch has changed a contact since that change."""
    c = contact_changes.c
    query = select(c.id).where(c.id > since, c.batch_id.is_distinct_from(batch_id)).limit(1)
    return connection.execute(query).first() is not None


def highest_id(connection: Connection) -> int:
    return int(connection.execute(select(func.max(contacts.c.id))).scalar() or 0)


def standing_between(connection: Connection, first: int, last: int) -> pa.Table:
    """contact_id and applied of the living contacts in a range of ids that stand as a row left them."""
    c = contacts.c
    query = select(c.id.label("contact_id"), c.applied).where(
        c.id.between(first, last), c.applied.is_not(None), c.deleted_at.is_(None)
    )
    return bulk.fetch_rows(connection, query, pa.schema([("contact_id", pa.int64()), ("applied", pa.int64())]))


def fetch_slice(connection: Connection, ids: pa.Array) -> pa.Table:
    """The contacts with these ids, in this order; the ids stay available to the other `slice_` functions."""
    keep_ids(connection, ids)
    schema = pa.schema([("position", pa.int64()), *bulk.schema_of(contacts, MERGEABLE)])
    query = select(slice_ids.c.position, *(contacts.c[name] for name in MERGEABLE)).join_from(
        slice_ids, contacts, contacts.c.id == slice_ids.c.contact_id
    )
    found = bulk.fetch_rows(connection, query, schema).sort_by("position")
    return found.drop_columns(["position"])


def slice_keys(connection: Connection) -> pa.Table:
    """position, kind, value of every further key of the slice."""
    schema = pa.schema([("position", pa.int64()), ("kind", pa.string()), ("value", pa.string())])
    query = _of_slice(contact_keys, "kind", "value")
    return bulk.fetch_rows(connection, query, schema)


def records_of(connection: Connection, ids: Sequence[int], source: str) -> dict[int, set[str]]:
    """The external ids in this source of those of the contacts that have any."""
    c, mark = contact_keys.c, f"{source}:"
    found: dict[int, set[str]] = {}
    ids = sorted(set(ids))
    for start in range(0, len(ids), _CHUNK):
        query = select(c.contact_id, c.value).where(
            c.contact_id.in_(ids[start : start + _CHUNK]), c.kind == "external_id"
        )
        for contact, value in connection.execute(query.where(func.substr(c.value, 1, len(mark)) == mark)):
            found.setdefault(contact, set()).add(value)
    return found


def slice_values(connection: Connection, field_ids: Iterable[int]) -> pa.Table:
    """position and typed value of these fields."""
    names = ["field_id", "text", "number", "at", "long_text"]
    schema = pa.schema([("position", pa.int64()), *bulk.schema_of(contact_values, names)])
    query = _of_slice(contact_values, *names).where(contact_values.c.field_id.in_(list(field_ids)))
    return bulk.fetch_rows(connection, query, schema)


def slice_tags(connection: Connection) -> pa.Table:
    schema = pa.schema([("position", pa.int64()), ("tag_id", pa.int64())])
    return bulk.fetch_rows(connection, _of_slice(contact_tags, "tag_id"), schema)


def slice_notes(connection: Connection) -> pa.Table:
    schema = pa.schema([("position", pa.int64()), ("text", pa.string())])
    return bulk.fetch_rows(connection, _of_slice(notes, "text"), schema)


def slice_consents(connection: Connection) -> pa.Table:
    names = ["channel", "state", "at", "source", "batch_id"]
    schema = pa.schema([("position", pa.int64()), *bulk.schema_of(consents, names)])
    query = _of_slice(consents, *names).where(consents.c.purpose == MARKETING)
    return bulk.fetch_rows(connection, query, schema)


def _of_slice(table: pa.Table, *names: str) -> Select[tuple[object, ...]]:
    columns = (table.c[name] for name in names)
    return select(slice_ids.c.position, *columns).join_from(
        slice_ids, table, table.c.contact_id == slice_ids.c.contact_id
    )


def add_pairs(connection: Connection, pairs: list[dict[str, object]]) -> None:
    """Note pairs for review; those noted before stay as they are."""
    if not pairs:
        return
    known: set[tuple[int, int]] = set()
    c = candidate_pairs.c
    for start in range(0, len(pairs), _CHUNK):
        firsts = [pair["contact_a"] for pair in pairs[start : start + _CHUNK]]
        query = select(c.contact_a, c.contact_b).where(c.contact_a.in_(firsts))
        known.update((int(one), int(two)) for one, two in connection.execute(query))
    new = {(pair["contact_a"], pair["contact_b"]): pair for pair in reversed(pairs)}
    rows = [pair for key, pair in new.items() if key not in known]
    if rows:
        connection.execute(insert(candidate_pairs), rows)


# ── tags and custom fields ───────────────────────────────────────────────────────────────────────────────────────


def tag_ids(connection: Connection, wanted: Mapping[str, str]) -> dict[str, int]:
    """The ids of tags by their form (form → name as written); missing ones are made."""
    if not wanted:
        return {}
    found: dict[str, int] = {}
    forms = list(wanted)
    for start in range(0, len(forms), _CHUNK):
        query = select(tags.c.form, tags.c.id).where(tags.c.form.in_(forms[start : start + _CHUNK]))
        found.update({str(form): int(tag) for form, tag in connection.execute(query)})
    missing = [form for form in forms if form not in found]
    if missing:
        first = bulk.take_ids(connection, "tags", len(missing))
        rows = [{"id": first + n, "form": form, "name": wanted[form]} for n, form in enumerate(missing)]
        connection.execute(insert(tags), rows)
        found.update({form: first + n for n, form in enumerate(missing)})
    return found


def known_fields(connection: Connection) -> dict[str, FieldType]:
    """The custom fields there are, with their types."""
    f = custom_fields.c
    query = select(f.key, f.type, f.options).where(f.archived_at.is_(None))
    return {str(key): field_type(kind, options) for key, kind, options in connection.execute(query)}


def field_types(connection: Connection) -> dict[str, FieldType]:
    """The types of all custom fields, archived ones too, which files still fill."""
    f = custom_fields.c
    return {
        str(key): field_type(kind, options)
        for key, kind, options in connection.execute(select(f.key, f.type, f.options))
    }


def field_ids(connection: Connection, wanted: Mapping[str, FieldType], at: datetime) -> dict[str, int]:
    """The ids of custom fields by key; missing ones are made with the wanted type."""
    query = select(custom_fields.c.key, custom_fields.c.id)
    found = {str(key): int(field) for key, field in connection.execute(query)}
    missing = [key for key in sorted(wanted) if key not in found]
    if missing:
        first = bulk.take_ids(connection, "custom_fields", len(missing))
        rows = [
            {"id": first + n, "key": key, "label": key.replace("_", " "), "type": wanted[key], "created_at": at}
            for n, key in enumerate(missing)
        ]
        connection.execute(insert(custom_fields), rows)
        found.update({key: first + n for n, key in enumerate(missing)})
    return {key: found[key] for key in wanted}
