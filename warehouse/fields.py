"""Custom fields and tags as they are defined: their names and types, and how many contacts have them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from schemas.errors import InputError
from schemas.fields import BETWEEN, FieldType
from warehouse import bulk
from warehouse.tables import contact_changes, contact_tags, contact_values, contacts, custom_fields, tags

SLOT_OF = {"number": "number", "boolean": "number", "date": "at", "datetime": "at", "long_text": "long_text"}
"""The column of `contact_values` in which values of a type stand, if not `text`."""


HIDDEN = "\x1d"
"""Begins the keys of fields that nobody sees."""
_CHUNK = 10_000


class NoSuchField(InputError):
    """There is no custom field with this key."""


class NoSuchTag(InputError):
    """There is no tag with this number."""


@dataclass(frozen=True, slots=True)
class CustomField:
    """A row of `custom_fields`."""

    id: int
    key: str
    label: str
    type: FieldType
    options: list[str] | None
    created_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A row of `tags`, with how many living contacts have it."""

    id: int
    name: str
    form: str
    colour: str | None
    contacts: int


_COLUMNS = tuple(custom_fields.c[name] for name in CustomField.__slots__)


def all_fields(connection: Connection) -> list[CustomField]:
    """Every custom field, archived ones too, by key; not those that a conversion works on."""
    query = select(*_COLUMNS).order_by(custom_fields.c.key)
    found = [CustomField(**row._mapping) for row in connection.execute(query)]
    return [one for one in found if not one.key.startswith(HIDDEN)]


def get_field(connection: Connection, key: str) -> CustomField:
    row = connection.execute(select(*_COLUMNS).where(custom_fields.c.key == key)).first()
    if row is None:
        raise NoSuchField(f"There is no custom field «{key}».", f"No hay ningún campo propio «{key}».")
    return CustomField(**row._mapping)


def add_field(connection: Connection, values: Mapping[str, Any]) -> int:
    number = bulk.take_ids(connection, "custom_fields", 1)
    connection.execute(insert(custom_fields).values(id=number, **values))
    return number


def set_field(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(custom_fields).where(custom_fields.c.id == number).values(**values))


def hidden_fields(connection: Connection) -> list[tuple[int, str, str]]:
    """The fields that conversions work on or left: number, key, and the column that their values stand in."""
    f = custom_fields.c
    found = connection.execute(select(f.id, f.key, f.type).where(f.key.startswith(HIDDEN, autoescape=True)))
    return [(int(number), str(key), SLOT_OF.get(kind, "text")) for number, key, kind in found]


def is_there(connection: Connection, number: int) -> bool:
    return connection.execute(select(custom_fields.c.id).where(custom_fields.c.id == number)).first() is not None


def drop_some_values(connection: Connection, number: int, slot: str, after: int) -> int | None:
    """Take some thousand values of a field away, by contact from one on; the last, or None where there was none."""
    v = contact_values.c
    some = select(v.contact_id).where(v.field_id == number, v[slot].is_not(None), v.contact_id > after)
    found = list(connection.execute(some.order_by(v.contact_id).limit(_CHUNK)).scalars())
    if not found:
        return None
    drop_values(connection, number, found)
    return int(found[-1])


def drop_field(connection: Connection, number: int) -> None:
    """Take a field away that has no values."""
    connection.execute(delete(custom_fields).where(custom_fields.c.id == number))


# ── converting ───────────────────────────────────────────────────────────────────────────────────────────────────


def values_after(connection: Connection, field: int, slot: str, after: int, limit: int) -> pa.Table:
    """contact_id and value of a field, by contact from one on."""
    v = contact_values.c
    query = select(v.contact_id, v[slot]).where(v.field_id == field, v[slot].is_not(None), v.contact_id > after)
    return bulk.fetch_rows(connection, query.order_by(v.contact_id).limit(limit), _schema(slot))


def values_among(connection: Connection, field: int, slot: str, ids: Sequence[int]) -> pa.Table:
    """contact_id and value of a field, of these contacts."""
    v = contact_values.c
    among = bulk.is_among(connection, v.contact_id, ids)
    query = select(v.contact_id, v[slot]).where(v.field_id == field, v[slot].is_not(None), among)
    return bulk.fetch_rows(connection, query.order_by(v.contact_id), _schema(slot))


def _schema(slot: str) -> pa.Schema:
    return bulk.schema_of(contact_values, ["contact_id", slot])


def texts_among(connection: Connection, field: int, most: int) -> list[str]:
    """The different texts that a field has, at most so many."""
    v = contact_values.c
    query = select(v.text).where(v.field_id == field, v.text.is_not(None)).distinct().order_by(v.text).limit(most)
    return list(connection.execute(query).scalars())


def has_option(connection: Connection, field: int, option: str) -> bool:
    """Whether some contact has this option, alone or among others."""
    v = contact_values.c
    has = or_(v.text == option, v.text.contains(f"{BETWEEN}{option}{BETWEEN}", autoescape=True))
    return connection.execute(select(v.contact_id).where(v.field_id == field, has).limit(1)).first() is not None


def put_values(connection: Connection, field: int, slot: str, contacts_: pa.Array, values: pa.Array) -> None:
    """Write values of a field that these contacts do not have yet."""
    numbers = pa.array([field] * len(contacts_), pa.int64())
    table = pa.table({"contact_id": contacts_, "field_id": numbers, slot: values})
    bulk.insert_rows(connection, contact_values, table.filter(values.is_valid()))


def drop_values(connection: Connection, field: int, ids: Sequence[int]) -> None:
    v = contact_values.c
    connection.execute(delete(contact_values).where(v.field_id == field, bulk.is_among(connection, v.contact_id, ids)))


def changed_since(connection: Connection, change: int) -> list[int]:
    """The contacts that were changed after a change."""
    query = select(contact_changes.c.contact_id).where(contact_changes.c.id > change).distinct()
    return sorted(connection.execute(query).scalars())


# ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tags() -> Select[Any]:
    t = contact_tags.c
    counted = (
        select(t.tag_id, func.count().label("contacts"))
        .join_from(contact_tags, contacts, contacts.c.id == t.contact_id)
        .where(contacts.c.deleted_at.is_(None))
        .group_by(t.tag_id)
        .subquery()
    )
    columns = (tags.c.id, tags.c.name, tags.c.form, tags.c.colour)
    query = select(*columns, func.coalesce(counted.c.contacts, 0).label("contacts"))
    return query.join_from(tags, counted, counted.c.tag_id == tags.c.id, isouter=True)


def all_tags(connection: Connection) -> list[Tag]:
    """Every tag, by form; not those that were dropped, unless contacts have them again."""
    found = connection.execute(_tags().add_columns(tags.c.dropped_at).order_by(tags.c.form))
    return [Tag(*row[:-1]) for row in found if row.dropped_at is None or row.contacts]


def get_tag(connection: Connection, number: int) -> Tag:
    row = connection.execute(select(tags).where(tags.c.id == number)).first()
    if row is None:
        raise NoSuchTag(f"There is no tag {number}.", f"No hay ninguna etiqueta {number}.")
    t = contact_tags.c
    query = select(func.count()).join_from(contact_tags, contacts, contacts.c.id == t.contact_id)
    count = connection.execute(query.where(t.tag_id == number, contacts.c.deleted_at.is_(None))).scalar_one()
    return Tag(row.id, row.name, row.form, row.colour, int(count))


def tag_of_form(connection: Connection, form: str) -> int | None:
    return connection.execute(select(tags.c.id).where(tags.c.form == form)).scalar()


def set_tag(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(tags).where(tags.c.id == number).values(**values))


def drop_tag(connection: Connection, number: int, now: datetime) -> None:
    """Hide a tag that no living contact has; its row stays, as an undo may give it back."""
    connection.execute(update(tags).where(tags.c.id == number).values(dropped_at=now))
