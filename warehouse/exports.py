"""Contacts to write out: whole columns of many at a time, all of one moment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import ColumnElement, Connection, Select, Table, select, true

from schemas.consents import MARKETING
from schemas.exports import IN_A_TAG, TAG_SEPARATOR
from schemas.fields import FieldType
from warehouse import bulk
from warehouse.dumps import Fetch
from warehouse.fields import HIDDEN
from warehouse.tables import DEAD, consents, contact_keys, contact_tags, contact_values, contacts, custom_fields, tags

OWN = frozenset(contacts.c.keys())
"""Columns that stand in the row of the contact."""
_OF_MANY = pa.schema([("at", pa.int64()), ("text", pa.string())])
_IDS = pa.schema([("id", pa.int64())])
_DEAD_IDS = select(contacts.c.id).where(DEAD)
KINDS = ("phone", "email", "external_id")
_VALUE = ("field_id", "text", "number", "at", "long_text")
_DENSE = 8
"""Where so many numbers or fewer have a contact that is wanted among them, all in the range are read."""
Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Needed:
    """Rows of a table that an export reads of each contact."""

    table: Table
    names: Sequence[str]
    where: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the contacts, by number and in order, and the rows that were read of them, by table."""

    ids: Numbers
    fetched: Mapping[str, pa.Table]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, table: Table) -> pa.Table:
        """The contacts' rows of a table, with their place among the contacts as `position`."""
        found = self.fetched[table.name]
        numbers = found["contact"].to_numpy()
        place = np.searchsorted(self.ids, numbers)
        found = found.set_column(0, "position", pa.array(place))
        mine = self.ids[place] == numbers
        return found if mine.all() else found.filter(pa.array(mine))


def needed(own: Sequence[str], fields: Collection[int], *, tags: bool, keys: bool, consented: bool) -> list[Needed]:
    """What is read for these columns of the contacts' own rows, and of the rows beside."""
    v, k, c = contact_values.c, contact_keys.c, consents.c
    found = [Needed(contacts, own, true())]
    if fields:
        found.append(Needed(contact_values, _VALUE, v.field_id.in_(fields)))
    if tags:
        found.append(Needed(contact_tags, ["tag_id"], true()))
    if keys:
        found.append(Needed(contact_keys, ["kind", "written", "value"], k.kind.in_(KINDS)))
    if consented:
        found.append(Needed(consents, ["channel", "state", "at"], c.purpose == MARKETING))
    return found


def read_part(connection: Connection, fetch: Fetch, ids: Numbers, wanted: Sequence[Needed]) -> Part:
    """Read the rows of some contacts; where most numbers of a range are theirs, of the whole range."""
    low, high = int(ids[0]), int(ids[-1])
    is_dense, found = high - low < _DENSE * len(ids), dict[str, pa.Table]()
    for one in wanted:
        key = one.table.c.id if one.table is contacts else one.table.c.contact_id
        mine = key.between(low, high) if is_dense else bulk.is_among(connection, key, ids.tolist())
        schema = pa.schema([("contact", pa.int64()), *bulk.schema_of(one.table, list(one.names))])
        query = select(key, *(one.table.c[name] for name in one.names)).where(mine, one.where)
        found[one.table.name] = fetch(query, schema)
    return Part(ids, found)


def ids_of(fetch: Fetch, query: Select[Any]) -> Numbers:
    """The numbers that a query finds, in order."""
    return np.sort(fetch(query, _IDS)["id"].to_numpy())


def living_ids(fetch: Fetch) -> Numbers:
    """The numbers of all contacts, in order: of indexes alone, which is some times faster than to look at each row."""
    every, dead = (fetch(query, _IDS)["id"].to_numpy() for query in (select(contacts.c.id), _DEAD_IDS))
    return np.sort(np.setdiff1d(every, dead, assume_unique=True))


def columns_in_use(connection: Connection) -> list[str]:
    """`opt_in.email`, `opt_out.all` and so on: what anybody has said; and `external_ids`, where anybody has one."""
    c, k = consents.c, contact_keys.c
    said = connection.execute(select(c.state, c.channel).where(c.purpose == MARKETING).distinct())
    found = sorted(f"opt_{state}.{channel}" for state, channel in said)
    has_ids = connection.execute(select(k.contact_id).where(k.kind == "external_id").limit(1)).first()
    return found if has_ids is None else [*found, "external_ids"]


def custom_columns(connection: Connection) -> dict[str, int]:
    """The numbers of the custom fields that an export can have, by key."""
    f = custom_fields.c
    query = select(f.key, f.id).where(f.archived_at.is_(None), ~f.key.startswith(HIDDEN)).order_by(f.id)
    return {str(key): int(number) for key, number in connection.execute(query)}


def tag_names(connection: Connection) -> tuple[pa.Array, pa.Array]:
    """The numbers of all tags and their names, as a list of them takes them, in the order in which they are shown."""
    found = connection.execute(select(tags.c.id, tags.c.name).order_by(tags.c.form)).all()
    names = pa.array([name.replace(TAG_SEPARATOR, IN_A_TAG) for _, name in found], pa.string())
    return pa.array([number for number, _ in found], pa.int64()), names


def own_columns(part: Part, names: Sequence[str]) -> dict[str, pa.Array]:
    """Columns of the contacts' own rows."""
    found = part.rows(contacts)
    if found["position"].equals(pa.chunked_array([pa.array(np.arange(len(part)))])):  # mostly they come in order
        return {name: found[name].combine_chunks() for name in names}
    place = _places(found["position"], len(part))
    return {name: found[name].take(place).combine_chunks() for name in names}


def further_keys(part: Part) -> pa.Table:
    """`position, kind, text, value` of the keys beside their own; the text is as it was written, of an id the whole."""
    found = part.rows(contact_keys).sort_by([("position", "ascending"), ("value", "ascending")])
    is_id = pc.equal(found["kind"], "external_id")
    text = pc.if_else(is_id, found["value"], pc.coalesce(found["written"], found["value"]))
    return found.set_column(2, "text", text)


def tag_lists(part: Part, known: tuple[pa.Array, pa.Array]) -> pa.Array:
    """The names of each contact's tags; null where it has none."""
    numbers, names = known
    found = part.rows(contact_tags)
    place = pc.index_in(found["tag_id"], numbers)
    rows = pa.table({"at": found["position"], "place": place}).sort_by([("at", "ascending"), ("place", "ascending")])
    return lists_of(rows["at"], names.take(rows["place"].combine_chunks()), len(part))


def lists_of(positions: pa.ChunkedArray, texts: pa.Array, count: int) -> pa.Array:
    """The texts of each position, which come in order, as lists."""
    rows = pa.table([positions, pa.chunked_array([texts])], schema=_OF_MANY)
    grouped = rows.group_by("at", use_threads=False).aggregate([("text", "list")])
    return placed(grouped["at"], grouped["text_list"].combine_chunks(), count)


def values_of_fields(part: Part, fields: Mapping[str, int], types: Mapping[str, FieldType]) -> dict[str, pa.Array]:
    """The values of these custom fields, as they are stored, by key."""
    if not fields:
        return {}
    rows, found = part.rows(contact_values), dict[str, pa.Array]()
    for key, number in fields.items():
        mine = rows.filter(pc.equal(rows["field_id"], number))
        slot = {"number": "number", "boolean": "number", "date": "at", "datetime": "at"}.get(types[key])
        column = mine[slot] if slot else pc.coalesce(mine["long_text"], mine["text"])
        found[key] = placed(mine["position"], column.combine_chunks(), len(part))
    return found


def consent_times(part: Part, names: Sequence[str]) -> dict[str, pa.Array]:
    """Since when each contact has said so, by name as in `columns_in_use`."""
    if not names:
        return {}
    rows, found = part.rows(consents), dict[str, pa.Array]()
    for name in names:
        state, _, channel = name.removeprefix("opt_").partition(".")
        mine = rows.filter(pc.and_(pc.equal(rows["state"], state), pc.equal(rows["channel"], channel)))
        found[name] = placed(mine["position"], mine["at"].combine_chunks(), len(part))
    return found


def placed(positions: pa.ChunkedArray, values: pa.Array, count: int) -> pa.Array:
    """The values at their positions among so many, null elsewhere."""
    return values.take(_places(positions, count))


def _places(positions: pa.ChunkedArray, count: int) -> pa.Array:
    """Where in the rows each position stands; null where nowhere."""
    at = np.full(count, -1, np.int64)
    at[positions.to_numpy()] = np.arange(len(positions))
    return pa.array(at, mask=at < 0)
