"""The roll, or a segment, as it was at some moment: what stands now, with every later change taken back.

What the history does not keep is not given: who was deleted or erased since, what happened with contacts, and further
phones and e-mails. Nor is who may be written to, which is asked of today.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine

from pipelines.dates import STAMP
from pipelines.exports import Shape, format_of, parts_of_contacts, typed_values, written
from pipelines.segments import segment_named
from schemas.exports import ID, every_column
from schemas.fields import CUSTOM, OPT_INS, OPT_OUTS
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import audit, dumps, exports, pasts, roll
from warehouse.audit import Asked
from warehouse.engines import reading, transaction
from warehouse.jobs import Progress

_NOT_KEPT = frozenset(
    {"other_phones", "other_emails", "external_ids", "last_interaction_at", "sent", "received", "replied"}
    | {"last_sent_at", "last_received_at", *OPT_INS, *OPT_OUTS}
)
_GONE = ("delete", "erase", "undo")


@dataclass(slots=True)
class _Later:
    """What was changed after the moment: for each field what contacts had before; who came, and who went."""

    had: dict[str, dict[int, Any]] = field(default_factory=dict)
    tags: dict[int, set[int]] = field(default_factory=dict)
    came: set[int] = field(default_factory=set)
    went: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class PastRoll:
    """What was written: how many, of which moment, and how many more there were who have been deleted since."""

    rows: int
    at: datetime
    deleted_since: int


def write_past(
    store: Engine, settings: Settings, at: datetime, segment: str, path: Path, asked: Asked, progress: Progress
) -> PastRoll:
    """Write the contacts of that moment, or of a segment, to a file as exports are; raises WrongField."""
    if at > asked.at:
        raise WrongField("time", "future", f"{at.isoformat()} is still to come.", f"{at.isoformat()} aún no llega.")
    form = format_of(path)
    with ExitStack() as stack:
        connection = stack.enter_context(reading(store))
        fields, types = exports.custom_columns(connection), roll.known_fields(connection)
        columns = [name for name in every_column(fields) if name not in _NOT_KEPT]
        kinds = {key: types[key] for key in fields}
        shape = Shape(columns, kinds, fields, settings.language, exports.tag_names(connection))
        members = _members(connection, segment, at) if segment else None
        later = _later(connection, at)
        ids = [one for one in pasts.living(connection) if one not in later.came and (members is None or one in members)]
        deleted = pasts.made_by(connection, later.went - later.came, at)
        fetch = stack.enter_context(dumps.fetching(store, connection))
        with written(path, form, shape, len(ids)) as write:
            done = 0
            for part in parts_of_contacts(connection, fetch, np.sort(np.array(ids, np.int64)), shape):
                write(_as_it_was(part, shape, later))
                done += part.num_rows
                progress(done, len(ids))
            with transaction(store) as writing_audit:
                said = {"rows": len(ids), "at": at.isoformat()}
                audit.add_entry(writing_audit, asked, "contacts:export", f"file:{path.name}", None, said)
    return PastRoll(len(ids), at, len(deleted if members is None else deleted & members))


def _members(connection: Connection, name: str, at: datetime) -> set[int]:
    return pasts.members_at(connection, segment_named(connection, name).id, at)


def _later(connection: Connection, at: datetime) -> _Later:
    found = _Later()
    for contact, operation, diff in pasts.changes_after(connection, at):
        if operation == "create":
            found.came.add(contact)
        elif operation in _GONE and not diff:
            found.went.add(contact)
        for name, (old, new) in diff.items():
            if name == "tags":
                moved = found.tags.setdefault(contact, set())
                _take_back(moved, old, new)
            else:
                found.had.setdefault(name, {})[contact] = old
    return found


def _take_back(moved: set[int], gone: Iterable[int], came: Iterable[int]) -> None:
    """Keep, as signed numbers, which tags a contact had before (+) and had not (-)."""
    for tag in gone:
        moved.discard(-tag)
        moved.add(tag)
    for tag in came:
        moved.discard(tag)
        moved.add(-tag)


def _as_it_was(part: pa.Table, shape: Shape, later: _Later) -> pa.Table:
    ids = part.column(shape.columns.index(ID)).to_numpy()
    for place, name in enumerate(shape.columns):
        column = part.column(place).combine_chunks()
        if name == "tags" and later.tags:
            column = _tags(column, ids, shape, later.tags)
        elif had := later.had.get(name):
            column = _values(column, ids, _reader(name, shape), had)
        part = part.set_column(place, part.schema.field(place), column)
    return part


def _values(column: pa.Array, ids: Any, read: Callable[[list[Any]], pa.Array], had: Mapping[int, Any]) -> pa.Array:
    changed = np.isin(ids, np.fromiter(had, np.int64, len(had)))
    if not changed.any():
        return column
    values = read([had[int(one)] for one in ids[changed]])
    return pc.replace_with_mask(column, pa.array(changed), values.cast(column.type))


def _reader(name: str, shape: Shape) -> Callable[[list[Any]], pa.Array]:
    """What makes values of the history those of a column."""
    kind = shape.kind(name)
    if kind in ("date", "datetime"):
        return _times if not name.startswith(CUSTOM) else lambda values: _custom(_times(values), name, shape)
    if name.startswith(CUSTOM):
        stored = pa.float64() if kind in ("number", "boolean") else pa.string()
        fits = (int, float) if kind in ("number", "boolean") else str
        return lambda values: _custom(pa.array([_fitting(one, fits) for one in values], stored), name, shape)
    return lambda values: pa.array(values)


def _fitting(value: Any, kind: type | tuple[type, ...]) -> Any:
    """A value of when the field had another type: as a text, or none."""
    return value if value is None or isinstance(value, kind) else str(value) if kind is str else None


def _times(values: list[Any]) -> pa.Array:
    return pa.array([_time(one) for one in values], STAMP)


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _custom(column: pa.Array, name: str, shape: Shape) -> pa.Array:
    return typed_values(column, shape.types[name.removeprefix(CUSTOM)])


def _tags(column: pa.Array, ids: Any, shape: Shape, moved: Mapping[int, set[int]]) -> pa.Array:
    numbers, names = shape.tags
    named = dict(zip(numbers.to_pylist(), names.to_pylist(), strict=True))
    order = {name: place for place, name in enumerate(names.to_pylist())}
    listed = column.to_pylist()
    for place, contact in enumerate(ids.tolist()):
        if signs := moved.get(contact):
            tags = set(listed[place] or ()) - {named[-one] for one in signs if -one in named}
            tags |= {named[one] for one in signs if one in named}
            listed[place] = sorted(tags, key=lambda name: order[name]) or None
    return pa.array(listed, column.type)
