"""Contacts to write out: whole columns of many at a time, all of one moment."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, select

from schemas.consents import MARKETING
from schemas.fields import FieldType
from warehouse import bulk, roll
from warehouse.fields import HIDDEN
from warehouse.matches import keep_ids, slice_ids
from warehouse.tables import consents, contact_keys, contacts, custom_fields, tags

OWN = frozenset(contacts.c.keys())
"""Columns that stand in the row of the contact."""
_OF_MANY = pa.schema([("at", pa.int64()), ("text", pa.string())])


def consents_in_use(connection: Connection) -> list[str]:
    """`opt_in.email`, `opt_out.all` and so on: what anybody has said."""
    c = consents.c
    found = connection.execute(select(c.state, c.channel).where(c.purpose == MARKETING).distinct())
    return sorted(f"opt_{state}.{channel}" for state, channel in found)


def custom_columns(connection: Connection) -> dict[str, int]:
    """The numbers of the custom fields that an export can have, by key."""
    f = custom_fields.c
    query = select(f.key, f.id).where(f.archived_at.is_(None), ~f.key.startswith(HIDDEN)).order_by(f.id)
    return {str(key): int(number) for key, number in connection.execute(query)}


def tag_names(connection: Connection) -> tuple[pa.Array, pa.Array]:
    """The numbers of all tags and their names, in the order in which a contact's are shown."""
    found = connection.execute(select(tags.c.id, tags.c.name).order_by(tags.c.form)).all()
    return pa.array([number for number, _ in found], pa.int64()), pa.array([name for _, name in found], pa.string())


def own_columns(connection: Connection, ids: pa.Array, names: Sequence[str]) -> pa.Table:
    """Columns of these contacts, in this order, which stay the slice that the other functions tell of."""
    keep_ids(connection, ids)
    schema = pa.schema([("position", pa.int64()), *bulk.schema_of(contacts, list(names))])
    query = select(slice_ids.c.position, *(contacts.c[name] for name in names)).join_from(
        slice_ids, contacts, contacts.c.id == slice_ids.c.contact_id
    )
    return bulk.fetch_rows(connection, query, schema).sort_by("position").drop_columns(["position"])


def further_keys(connection: Connection) -> pa.Table:
    """`position, kind, text, value` of the slice's keys beside their own; the text is as it was written."""
    k = contact_keys.c
    schema = pa.schema([("position", pa.int64()), ("kind", pa.string()), ("text", pa.string()), ("value", pa.string())])
    query = (
        select(slice_ids.c.position, k.kind, k.written, k.value)
        .join_from(slice_ids, contact_keys, k.contact_id == slice_ids.c.contact_id)
        .where(k.kind.in_(("phone", "email")))
    )
    found = bulk.fetch_rows(connection, query, schema).sort_by([("position", "ascending"), ("value", "ascending")])
    return found.set_column(2, "text", pc.coalesce(found["text"], found["value"]))


def tag_lists(connection: Connection, known: tuple[pa.Array, pa.Array], count: int) -> pa.Array:
    """The names of each contact's tags; null where it has none."""
    numbers, names = known
    found = roll.slice_tags(connection)
    place = pc.index_in(found["tag_id"], numbers)
    rows = pa.table({"at": found["position"], "place": place}).sort_by([("at", "ascending"), ("place", "ascending")])
    return lists_of(rows["at"], names.take(rows["place"].combine_chunks()), count)


def lists_of(positions: pa.ChunkedArray, texts: pa.Array, count: int) -> pa.Array:
    """The texts of each position, which come in order, as lists."""
    rows = pa.table([positions, pa.chunked_array([texts])], schema=_OF_MANY)
    grouped = rows.group_by("at", use_threads=False).aggregate([("text", "list")])
    return placed(grouped["at"], grouped["text_list"].combine_chunks(), count)


def values_of_fields(
    connection: Connection, fields: Mapping[str, int], types: Mapping[str, FieldType], count: int
) -> dict[str, pa.Array]:
    """The values of these custom fields, as they are stored, by key."""
    if not fields:
        return {}
    rows = roll.slice_values(connection, fields.values())
    found = {}
    for key, number in fields.items():
        part = rows.filter(pc.equal(rows["field_id"], number))
        slot = {"number": "number", "boolean": "number", "date": "at", "datetime": "at"}.get(types[key])
        column = part[slot] if slot else pc.coalesce(part["long_text"], part["text"])
        found[key] = placed(part["position"], column.combine_chunks(), count)
    return found


def consent_times(connection: Connection, names: Sequence[str], count: int) -> dict[str, pa.Array]:
    """Since when each contact has said so, by name as in `consents_in_use`."""
    if not names:
        return {}
    rows = roll.slice_consents(connection)
    found = {}
    for name in names:
        state, _, channel = name.removeprefix("opt_").partition(".")
        part = rows.filter(pc.and_(pc.equal(rows["state"], state), pc.equal(rows["channel"], channel)))
        found[name] = placed(part["position"], part["at"].combine_chunks(), count)
    return found


def placed(positions: pa.ChunkedArray, values: pa.Array, count: int) -> pa.Array:
    """The values at their positions among so many, null elsewhere."""
    at = np.full(count, -1, np.int64)
    at[positions.to_numpy()] = np.arange(len(values))
    return values.take(pa.array(at, mask=at < 0))
