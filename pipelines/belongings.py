"""What belongs to a contact beside its own row: custom values, tags, notes, consents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.columns import SEPARATOR, Flags, Longs, chunked
from pipelines.context import Context
from pipelines.fold import is_same
from pipelines.merge import Diffs, as_json, clears, pick
from pipelines.words import tag_form
from schemas.consents import EVERY_CHANNEL, MARKETING
from schemas.fields import CUSTOM, FieldType
from schemas.frames import CleanFrame
from schemas.profiles import Duplicates
from warehouse import bulk, roll
from warehouse.fields import SLOT_OF
from warehouse.tables import EPOCH, consents, contact_tags, contact_values, notes

CONSENT_GIVEN = "consent_given."
"""Before a channel, in history: when, where and by which batch the consent was given that gave way."""
_TEXT = pa.string()
_ALL_OUT = (EVERY_CHANNEL, "out")


def insert_belongings(connection: Connection, frame: CleanFrame, ids: Longs, context: Context) -> None:
    """Write what belongs to new contacts."""
    _insert_values(connection, _value_rows(_incoming_values(frame, context), ids, context), context)
    _insert_tags(connection, *_tag_pairs(connection, frame, ids))
    _insert_notes(connection, frame, ids, np.ones(len(ids), bool), context)
    _insert_consents(connection, frame, ids, context)


def change_belongings(
    connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs, policy: Duplicates, context: Context
) -> None:
    """Merge what belongs to the slice's contacts, noting changes; with `skip` only consent is tightened."""
    _change_consents(connection, frame, ids, diffs, context)
    if policy != "skip":
        _change_values(connection, frame, ids, diffs, policy, context)
        _change_tags(connection, frame, ids, diffs)
        _change_notes(connection, frame, ids, diffs, context)


# ── custom values ────────────────────────────────────────────────────────────────────────────────────────────────


def _incoming_values(frame: CleanFrame, context: Context) -> dict[str, pa.Array]:
    found = {}
    for key, kind in context.custom.items():
        column = chunked(frame[f"{CUSTOM}{key}"])
        found[key] = column.cast(pa.float64()) if kind == "boolean" else column
    return found


def slot_of(kind: FieldType) -> str:
    """The column of contact_values that holds this type."""
    return SLOT_OF.get(kind, "text")


_VALUES = pa.schema(
    [
        ("contact_id", pa.int64()),
        ("field_id", pa.int64()),
        ("text", _TEXT),
        ("number", pa.float64()),
        ("at", pa.timestamp("us", "UTC")),
        ("long_text", _TEXT),
    ]
)


def _value_rows(values: Mapping[str, pa.Array], ids: Longs, context: Context) -> pa.Table:
    """The filled values as rows of contact_values."""
    parts = []
    for key, column in values.items():
        filled = pc.is_valid(column)
        count = len(column) - column.null_count
        slot = slot_of(context.custom[key])
        columns = {
            "contact_id": pa.array(ids).filter(filled),
            "field_id": pa.array(np.full(count, context.field_ids[key])),
            slot: column.filter(filled),
        }
        arrays = [columns.get(item.name) for item in _VALUES]
        parts.append(
            pa.Table.from_arrays(
                [
                    pa.nulls(count, item.type) if array is None else array
                    for array, item in zip(arrays, _VALUES, strict=True)
                ],
                schema=_VALUES,
            )
        )
    if not parts:
        return _VALUES.empty_table()
    return pa.concat_tables(parts)


def _insert_values(connection: Connection, rows: pa.Table, context: Context) -> None:
    """Write them in the order of the table's key, or of the values where their indexes cost the most to keep."""
    if not rows.num_rows:
        return
    rows = rows.select([name for name in rows.column_names if rows[name].null_count < rows.num_rows])
    order = ["contact_id", "field_id"]
    if bulk.is_postgresql(connection) and not context.fresh:
        order = ["field_id", *(name for name in ("text", "number", "at") if name in rows.column_names)]
    bulk.insert_rows(connection, contact_values, rows.sort_by([(name, "ascending") for name in order]))


def _change_values(
    connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs, policy: Duplicates, context: Context
) -> None:
    if not context.custom:
        return
    existing = roll.slice_values(connection, context.field_ids.values())
    cleared = chunked(frame["clear"])
    changed: dict[str, pa.Array] = {}
    gone = []
    for key, incoming in _incoming_values(frame, context).items():
        old = _aligned(existing, context.field_ids[key], slot_of(context.custom[key]), len(ids)).cast(incoming.type)
        new = pick(old, incoming, clears(cleared, f"{CUSTOM}{key}"), policy)
        differs = ~is_same(old, new).to_numpy(zero_copy_only=False)
        where = np.flatnonzero(differs)
        if not len(where):
            continue
        at = pa.array(where)
        for position, one, other in zip(where.tolist(), as_json(old.take(at)), as_json(new.take(at)), strict=True):
            diffs.setdefault(position, {})[f"{CUSTOM}{key}"] = [one, other]
        emptied = differs & pc.and_(pc.is_valid(old), pc.is_null(new)).to_numpy(zero_copy_only=False)
        gone.append(pa.table({"contact_id": ids[emptied], "field_id": np.full(emptied.sum(), context.field_ids[key])}))
        changed[key] = pc.if_else(pa.array(differs), new, pa.scalar(None, new.type))
    if gone:
        bulk.delete_rows(connection, contact_values, pa.concat_tables(gone))
    bulk.replace_rows(connection, contact_values, _value_rows(changed, ids, context))


def _aligned(existing: pa.Table, field_id: int, slot: str, count: int) -> pa.Array:
    """The field's stored value at each position of the slice, null where there is none."""
    part = existing.filter(pc.equal(existing["field_id"], field_id))
    at = np.full(count, -1, np.int64)
    at[part["position"].to_numpy()] = np.arange(part.num_rows)
    return chunked(part[slot]).take(pa.array(at, mask=at < 0))


# ── tags, notes, consents ────────────────────────────────────────────────────────────────────────────────────────


def _tag_pairs(connection: Connection, frame: CleanFrame, ids: Longs) -> tuple[Longs, Longs]:
    """contact_id and tag_id for every tag of every row, in the order of the table's key."""
    column = chunked(frame["tags"])
    if column.null_count == len(column):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    encoded = column.dictionary_encode()
    texts = [text.split(SEPARATOR) for text in encoded.dictionary.to_pylist()]
    names = {tag_form(tag): tag for parts in reversed(texts) for tag in reversed(parts)}
    id_of = roll.tag_ids(connection, names)
    lists = pa.array([sorted({id_of[tag_form(tag)] for tag in parts}) for parts in texts], pa.list_(pa.int64()))
    per_row = lists.take(encoded.indices)
    filled = pc.is_valid(per_row)
    parents = pc.list_parent_indices(per_row.filter(filled))
    return pa.array(ids).filter(filled).take(parents).to_numpy(), pc.list_flatten(per_row).to_numpy()


def _insert_tags(connection: Connection, contact_ids: Longs, tag_ids: Longs) -> None:
    bulk.insert_rows(connection, contact_tags, pa.table({"contact_id": contact_ids, "tag_id": tag_ids}))


def _change_tags(connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs) -> None:
    contact_ids, wanted = _tag_pairs(connection, frame, ids)
    if not len(wanted):
        return
    existing = roll.slice_tags(connection)
    order = np.argsort(ids)
    position = order[np.searchsorted(ids[order], contact_ids)]
    scale = 1 << 32
    have = existing["position"].to_numpy() * scale + existing["tag_id"].to_numpy()
    new = ~np.isin(position * scale + wanted, have)
    for at, tag in zip(position[new].tolist(), wanted[new].tolist(), strict=True):
        diffs.setdefault(at, {}).setdefault("tags", [[], []])[1].append(tag)
    _insert_tags(connection, contact_ids[new], wanted[new])


def _insert_notes(connection: Connection, frame: CleanFrame, ids: Longs, wanted: Flags, context: Context) -> None:
    filled = chunked(pc.is_valid(frame["note"])).to_numpy(zero_copy_only=False) & wanted
    count = int(filled.sum())
    if not count:
        return
    first = bulk.take_ids(connection, "notes", count)
    rows = {
        "id": np.arange(first, first + count),
        "contact_id": ids[filled],
        "text": chunked(frame["note"]).filter(pa.array(filled)),
        "actor": [context.actor] * count,
        "at": pa.array([context.at] * count, pa.timestamp("us", "UTC")),
        "batch_id": np.full(count, context.batch_id),
    }
    bulk.insert_rows(connection, notes, pa.table(rows))


def _change_notes(connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs, context: Context) -> None:
    texts = chunked(frame["note"])
    if texts.null_count == len(texts):
        return
    existing = roll.slice_notes(connection)
    have = set(zip(existing["position"].to_pylist(), existing["text"].to_pylist(), strict=True))
    incoming = texts.to_pylist()
    new = np.array([text is not None and (at, text) not in have for at, text in enumerate(incoming)], bool)
    for at in np.flatnonzero(new).tolist():
        diffs.setdefault(at, {})["note"] = [None, incoming[at]]
    _insert_notes(connection, frame, ids, new, context)


@dataclass(frozen=True, slots=True)
class Said:
    """A consent that a row changes: whose (by position), on which channel, from what to what, and since when."""

    at: int
    channel: str
    had: str | None
    state: str
    since: datetime


def consents_in(cell: str) -> dict[str, str]:
    """What a clean row says of consent, by channel: `in` or `out`, and perhaps since when; `out` wins.

    >>> consents_in("email:out\x1femail:in\x1fsms:in@5")
    {'email': 'out', 'sms': 'in@5'}
    """
    return dict(part.split(":") for part in sorted(cell.split(SEPARATOR)))


def _consents_said(
    frame: CleanFrame, existing: dict[int, dict[str, str]], out_since: dict[int, datetime], now: datetime
) -> list[Said]:
    """What the rows change about consent; `out` is never turned back to `in` by a file.

    An opt-out of every channel ends the opt-ins of single ones, unless it is the one that stood before them
    (`out_since`), and lets no new one in.
    """
    column = chunked(frame["consents"])
    changes = []
    for at in np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False)).tolist():
        said = consents_in(column[at].as_py())
        had = existing.get(at, {})
        everywhere = said.get(EVERY_CHANNEL, "")
        if at in out_since and everywhere == f"out@{(out_since[at] - EPOCH) // timedelta(microseconds=1)}":
            everywhere = ""
        if everywhere.startswith("out") or had.get(EVERY_CHANNEL) == "out":
            ends = {channel: everywhere for channel, state in had.items() if state == "in" and everywhere}
            said = {**ends, **{channel: text for channel, text in said.items() if text.startswith("out")}}
        for channel, text in said.items():
            state, _, microseconds = text.partition("@")
            if had.get(channel) not in (state, "out"):
                since = EPOCH + timedelta(microseconds=int(microseconds)) if microseconds else now
                changes.append(Said(at, channel, had.get(channel), state, since))
    return changes


def _consent_rows(said: list[Said], ids: Longs, context: Context) -> pa.Table:
    columns = {
        "contact_id": ids[[item.at for item in said]],
        "channel": [item.channel for item in said],
        "purpose": [MARKETING] * len(said),
        "state": [item.state for item in said],
        "at": pa.array([item.since for item in said], pa.timestamp("us", "UTC")),
        "source": [context.source] * len(said),
        "batch_id": np.full(len(said), context.batch_id),
    }
    return pa.table(columns)


def _insert_consents(connection: Connection, frame: CleanFrame, ids: Longs, context: Context) -> None:
    said = _consents_said(frame, {}, {}, context.at)
    if said:
        bulk.insert_rows(connection, consents, _consent_rows(said, ids, context))


def _change_consents(connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs, context: Context) -> None:
    if frame["consents"].null_count == frame.num_rows:
        return
    standing = {(row["position"], row["channel"]): row for row in roll.slice_consents(connection).to_pylist()}
    existing: dict[int, dict[str, str]] = {}
    for (at, channel), row in standing.items():
        existing.setdefault(at, {})[channel] = row["state"]
    out_since = {at: row["at"] for (at, channel), row in standing.items() if (channel, row["state"]) == _ALL_OUT}
    said = _consents_said(frame, existing, out_since, context.at)
    if said:
        bulk.replace_rows(connection, consents, _consent_rows(said, ids, context))
    for item in said:
        diff = diffs.setdefault(item.at, {})
        diff[f"consent.{item.channel}"] = [item.had, item.state]
        if row := standing.get((item.at, item.channel)):
            diff[f"{CONSENT_GIVEN}{item.channel}"] = [[row["at"].isoformat(), row["source"], row["batch_id"]], None]
