"""A slice of clean rows into the store: match, merge, write, with history and an outcome for every row.

Everything here happens in the caller's transaction, so that a slice is applied whole or not at all.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.columns import SEPARATOR, chunked
from pipelines.fold import is_same
from pipelines.groups import Longs
from pipelines.match import Decision, decide, keys_of
from pipelines.merge import Diffs, as_json, clears, merge_contacts, pick
from pipelines.phones import match_form
from pipelines.words import tag_form
from schemas.fields import CUSTOM, FieldType
from schemas.frames import ROW, CleanFrame
from schemas.profiles import Profile
from warehouse import bulk, matches, roll
from warehouse.tables import contact_changes, contact_keys, contact_tags, contact_values, contacts, notes

_TEXT = pa.string()
_COPIED = (
    ["first_name", "last_name", "display_name", "phone", "email", "company", "address", "city", "country"]
    + ["photo_url", "channel", "language", "last_interaction_at", "search_text"]
)
_FURTHER = pa.schema(
    [("contact_id", pa.int64()), ("kind", _TEXT), ("value", _TEXT), ("written", _TEXT), ("role", _TEXT)]
)
Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Context:
    """What all slices of one batch share."""

    batch_id: int
    source: str
    actor: str
    at: datetime
    profile: Profile
    custom: Mapping[str, FieldType]
    field_ids: Mapping[str, int]
    shared: dict[int, set[str]]
    fresh: bool = False
    owners: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Applied:
    """Row by row: the contact, the outcome, and a code where there is something to say."""

    rows: Longs
    contact: Longs
    outcome: npt.NDArray[np.object_]
    code: npt.NDArray[np.object_]


def apply_rows(connection: Connection, frame: CleanFrame, context: Context) -> Applied:
    """Apply rows that are one person each."""
    decision = _decide(connection, frame, context)
    again = _repeats(decision.contact)
    applied = _apply(connection, _keep(frame, ~again), _part(decision, frame, ~again), context)
    if not again.any():
        return applied
    rest = apply_rows(connection, _keep(frame, again), context)
    order = np.argsort(np.concatenate([applied.rows, rest.rows]), kind="stable")
    return Applied(
        np.concatenate([applied.rows, rest.rows])[order],
        np.concatenate([applied.contact, rest.contact])[order],
        np.concatenate([applied.outcome, rest.outcome])[order],
        np.concatenate([applied.code, rest.code])[order],
    )


def _decide(connection: Connection, frame: CleanFrame, context: Context) -> Decision:
    found = matches.MATCHES.empty_table()
    if not context.fresh:
        found = matches.find_matches(connection, keys_of(frame, context.source))
    shared = context.shared
    rows = frame[ROW].to_pylist()
    mine = {row: shared[row] for row in rows if row in shared} if shared else {}
    decision = decide(frame, found, context.profile, mine)
    _keep_own(decision, frame, found)
    return decision


def _keep_own(decision: Decision, frame: CleanFrame, found: pa.Table) -> None:
    """A phone or e-mail that the contact holds already, in whatever role, does not take its own one's place."""
    if not found.num_rows:
        return
    position = np.searchsorted(chunked(frame[ROW]).to_numpy(), found["row"].to_numpy())
    mine = found["contact_id"].to_numpy() == decision.contact[position]
    for kind, column in (("phone", "phone_match"), ("email", "email")):
        same = chunked(pc.equal(found["kind"], kind)).to_numpy(zero_copy_only=False) & mine
        own = chunked(frame[column]).take(pa.array(position))
        held = same & pc.equal(own, chunked(found["value"])).fill_null(False).to_numpy(zero_copy_only=False)
        decision.held[kind][position[held]] = True


def _repeats(contact: Longs) -> Flags:
    """Rows whose contact an earlier row of the slice has already: they are applied in a further round."""
    again = np.zeros(len(contact), bool)
    known = np.flatnonzero(contact)
    _, first = np.unique(contact[known], return_index=True)
    again[known] = True
    again[known[first]] = False
    return again


def _keep(frame: CleanFrame, mask: Flags) -> CleanFrame:
    return frame if mask.all() else CleanFrame(frame.filter(pa.array(mask)))


def _part(decision: Decision, frame: CleanFrame, mask: Flags) -> Decision:
    if mask.all():
        return decision
    rows = set(chunked(frame[ROW]).to_numpy()[mask].tolist())
    return Decision(
        decision.contact[mask],
        decision.phone_taken[mask],
        decision.email_taken[mask],
        [pair for pair in decision.pairs if pair[0] in rows],
        {item for item in decision.taken_further if item[0] in rows},
        {kind: flags[mask] for kind, flags in decision.held.items()},
    )


def _apply(connection: Connection, frame: CleanFrame, decision: Decision, context: Context) -> Applied:
    rows = chunked(frame[ROW]).to_numpy()
    applied = Applied(
        rows, decision.contact.copy(), np.full(len(rows), "unchanged", object), np.full(len(rows), None, object)
    )
    new, old = decision.contact == 0, decision.contact != 0
    _refuse(applied, new, old, context.profile)
    create = new & (applied.outcome != "rejected")
    change = old & (applied.outcome != "rejected") & (applied.code != "skipped")
    if create.any():
        part = _keep(frame, create)
        applied.contact[create] = _create(connection, part, _part(decision, frame, create), context)
        applied.outcome[create] = "created"
    if change.any():
        part = _keep(frame, change)
        changed, stays_blocked = _change(connection, part, _part(decision, frame, change), context)
        applied.outcome[np.flatnonzero(change)[changed]] = "updated"
        applied.code[np.flatnonzero(change)[stays_blocked]] = "stays_blocked"
    _review(connection, applied, frame, decision, context)
    return applied


def _refuse(applied: Applied, new: Flags, old: Flags, profile: Profile) -> None:
    if profile.mode == "update":
        applied.outcome[new], applied.code[new] = "rejected", "not_found"
    if profile.mode == "create":
        applied.outcome[old], applied.code[old] = "rejected", "already_exists"
    elif profile.duplicates == "skip":
        applied.code[old] = "skipped"


# ── creating ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _create(connection: Connection, frame: CleanFrame, decision: Decision, context: Context) -> Longs:
    count = frame.num_rows
    first = bulk.take_ids(connection, "contacts", count)
    ids = np.arange(first, first + count)
    at = pa.scalar(context.at, pa.timestamp("us", "UTC"))
    status = chunked(frame["status"].fill_null("active"))
    blocked = pc.equal(status, "blocked")
    columns = {name: frame[name] for name in _COPIED}
    columns |= {
        "id": pa.array(ids),
        "phone_match": _unless(frame["phone_match"], decision.phone_taken),
        "email_match": _unless(frame["email"], decision.email_taken),
        "status": status,
        "blocked_at": pc.if_else(blocked, at, pa.scalar(None, at.type)),
        "blocked_reason": pc.if_else(blocked, f"import {context.batch_id}", pa.scalar(None, _TEXT)),
        "created_at": frame["created_at"].fill_null(at),
    }
    names = [column.name for column in contacts.columns if column.name in columns]
    bulk.insert_rows(connection, contacts, pa.table({name: columns[name] for name in names}))
    _insert_keys(connection, _further_keys(frame, decision, ids, context), context)
    _insert_values(connection, _value_rows(_incoming_values(frame, context), ids, context))
    _insert_tags(connection, *_tag_pairs(connection, frame, ids))
    _insert_notes(connection, frame, ids, np.ones(count, bool), context)
    _insert_consents(connection, frame, ids, {}, context)
    _insert_changes(connection, ids, frame, "create", None, context)
    _remember_owners(frame, decision, ids, context)
    return ids


def _unless(column: pa.ChunkedArray, taken: Flags) -> pa.Array:
    return pc.if_else(pa.array(taken), pa.scalar(None, _TEXT), chunked(column)) if taken.any() else chunked(column)


def _remember_owners(frame: CleanFrame, decision: Decision, ids: Longs, context: Context) -> None:
    """In a first load nobody is asked who owns a key that rows contend for: it is kept here."""
    if not (context.fresh and context.shared):
        return
    wanted = pa.array({key for keys in context.shared.values() for key in keys} - context.owners.keys(), _TEXT)
    for kind, column, taken in (
        ("phone", "phone_match", decision.phone_taken),
        ("email", "email", decision.email_taken),
    ):
        keys = pc.binary_join_element_wise(kind, chunked(frame[column]), ":")
        hits = pc.and_(pc.is_in(keys, wanted), pa.array(~taken)).fill_null(False).to_numpy(zero_copy_only=False)
        for position in np.flatnonzero(hits).tolist():
            context.owners.setdefault(keys[position].as_py(), int(ids[position]))


def _further_keys(frame: CleanFrame, decision: Decision, ids: Longs, context: Context) -> pa.Table:
    """External ids, shared phones and e-mails, and further ones, of these rows."""
    parts: list[pa.Table] = []
    external = chunked(frame["external_id"])
    if external.null_count < len(external):
        parts.append(_external_keys(external, frame, decision, ids, context))
    for kind, form, written, taken in (
        ("phone", "phone_match", "phone", decision.phone_taken),
        ("email", "email", "email", decision.email_taken),
    ):
        if taken.any():
            mask = pa.array(taken)
            own = chunked(frame[form]).filter(mask)
            parts.append(_key_table(ids[taken], kind, own, chunked(frame[written]).filter(mask), "shared"))
    parts += _more_keys(frame, decision, ids)
    return pa.concat_tables(parts) if parts else _FURTHER.empty_table()


def _external_keys(
    external: pa.Array, frame: CleanFrame, decision: Decision, ids: Longs, context: Context
) -> pa.Table:
    mask = pc.is_valid(external)
    values = pc.binary_join_element_wise(context.source, external.filter(mask), ":")
    table = _key_table(
        ids[mask.to_numpy(zero_copy_only=False)], "external_id", values, external.filter(mask), "owner"
    )
    return _with_roles(table, chunked(frame[ROW]).filter(mask), decision)


def _more_keys(frame: CleanFrame, decision: Decision, ids: Longs) -> list[pa.Table]:
    parts = []
    for kind, column in (("phone", "more_phones"), ("email", "more_emails")):
        filled = chunked(pc.is_valid(frame[column]))
        if pc.any(filled).as_py():
            split = pc.split_pattern(chunked(frame[column]).filter(filled), SEPARATOR)
            at = pc.list_parent_indices(split)
            written = pc.list_flatten(split)
            owners = pa.array(ids).filter(filled).take(at)
            part = _keys_of_kind(kind, owners.to_numpy(), written)
            parts.append(_with_roles(part, chunked(frame[ROW]).filter(filled).take(at), decision))
    return parts


def _keys_of_kind(kind: str, ids: Longs, written: pa.Array) -> pa.Table:
    return _key_table(ids, kind, match_form(written) if kind == "phone" else written, written, "owner")


def _key_table(ids: Longs, kind: str, values: pa.Array, written: pa.Array, role: str) -> pa.Table:
    count = len(values)
    return pa.table(
        {"contact_id": ids, "kind": [kind] * count, "value": values, "written": written, "role": [role] * count}, _FURTHER
    )


def _with_roles(table: pa.Table, rows: pa.Array, decision: Decision) -> pa.Table:
    """Further keys that somebody else owns are shared."""
    if not decision.taken_further:
        return table
    taken = decision.taken_further
    kinds, values = table["kind"].to_pylist(), table["value"].to_pylist()
    roles = [
        "shared" if (row, f"{kind}:{value}") in taken else "owner"
        for row, kind, value in zip(rows.to_pylist(), kinds, values, strict=True)
    ]
    return table.set_column(4, "role", pa.array(roles, _TEXT))


def _insert_keys(connection: Connection, keys: pa.Table, context: Context) -> None:
    """Each key once, sorted; an owner comes before a sharer."""
    if not keys.num_rows:
        return
    keys = keys.sort_by([("contact_id", "ascending"), ("kind", "ascending"), ("value", "ascending")])
    owners: set[tuple[str, str]] = set()
    seen: set[tuple[int, str, str]] = set()
    keep, roles = [], []
    columns = (keys[name].to_pylist() for name in ("contact_id", "kind", "value", "role"))
    for contact, kind, value, role in zip(*columns, strict=True):
        new = (contact, kind, value) not in seen
        seen.add((contact, kind, value))
        keep.append(new)
        roles.append("shared" if role == "shared" or (kind, value) in owners else "owner")
        if new and roles[-1] == "owner":
            owners.add((kind, value))
    keys = keys.set_column(4, "role", pa.array(roles, _TEXT)).filter(pa.array(keep))
    batch = pa.array(np.full(keys.num_rows, context.batch_id))
    bulk.insert_rows(connection, contact_keys, keys.append_column("batch_id", batch))


# ── custom values ────────────────────────────────────────────────────────────────────────────────────────────────


def _incoming_values(frame: CleanFrame, context: Context) -> dict[str, pa.Array]:
    found = {}
    for key, kind in context.custom.items():
        column = chunked(frame[f"{CUSTOM}{key}"])
        found[key] = column.cast(pa.float64()) if kind == "boolean" else column
    return found


def slot_of(kind: FieldType) -> str:
    """The column of contact_values that holds this type."""
    return {"number": "number", "boolean": "number", "date": "at", "datetime": "at", "long_text": "long_text"}.get(
        kind, "text"
    )


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
    """The filled values as rows of contact_values, in the order of its key."""
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
        arrays = [columns.get(item.name, None) for item in _VALUES]
        parts.append(
            pa.Table.from_arrays(
                [pa.nulls(count, item.type) if array is None else array for array, item in zip(arrays, _VALUES, strict=True)],
                schema=_VALUES,
            )
        )
    if not parts:
        return _VALUES.empty_table()
    return pa.concat_tables(parts).sort_by([("contact_id", "ascending"), ("field_id", "ascending")])


def _insert_values(connection: Connection, rows: pa.Table) -> None:
    used = [name for name in rows.column_names if rows[name].null_count < rows.num_rows]
    bulk.insert_rows(connection, contact_values, rows.select(used))


def _change_values(
    connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs, context: Context
) -> None:
    if not context.custom:
        return
    existing = roll.slice_values(connection, context.field_ids.values())
    cleared = chunked(frame["clear"])
    changed: dict[str, pa.Array] = {}
    gone = []
    for key, incoming in _incoming_values(frame, context).items():
        old = _aligned(existing, context.field_ids[key], slot_of(context.custom[key]), len(ids)).cast(incoming.type)
        new = pick(old, incoming, clears(cleared, f"{CUSTOM}{key}"), context.profile.duplicates)
        differs = ~is_same(old, new).to_numpy(zero_copy_only=False)
        where = np.flatnonzero(differs)
        if not len(where):
            continue
        at = pa.array(where)
        for position, one, other in zip(where.tolist(), as_json(old.take(at)), as_json(new.take(at)), strict=True):
            diffs.setdefault(position, {})[f"{CUSTOM}{key}"] = [one, other]
        had = differs & pc.is_valid(old).to_numpy(zero_copy_only=False)
        gone.append(pa.table({"contact_id": ids[had], "field_id": np.full(had.sum(), context.field_ids[key])}))
        changed[key] = pc.if_else(pa.array(differs), new, pa.scalar(None, new.type))
    if gone:
        roll.delete_values(connection, pa.concat_tables(gone))
    _insert_values(connection, _value_rows(changed, ids, context))


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


def _insert_consents(
    connection: Connection, frame: CleanFrame, ids: Longs, existing: dict[tuple[int, str], str], context: Context
) -> dict[int, dict[str, list[str | None]]]:
    """Write what the rows say about consent; `out` is never turned back to `in` by a file. Gives the changes."""
    column = chunked(frame["consents"])
    changes: dict[int, dict[str, list[str | None]]] = {}
    for at in np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False)).tolist():
        said = dict(part.split(":") for part in sorted(column[at].as_py().split(SEPARATOR)))
        for channel, state in said.items():
            had = existing.get((at, channel))
            if had != state and had != "out":
                changes.setdefault(at, {})[f"consent.{channel}"] = [had, state]
    rows = [(at, name.removeprefix("consent."), pair[1]) for at, found in changes.items() for name, pair in found.items()]
    if rows:
        table = {
            "contact_id": ids[[at for at, _, _ in rows]],
            "channel": [channel for _, channel, _ in rows],
            "purpose": ["marketing"] * len(rows),
            "state": [state for _, _, state in rows],
            "at": pa.array([context.at] * len(rows), pa.timestamp("us", "UTC")),
            "source": [context.source] * len(rows),
            "batch_id": np.full(len(rows), context.batch_id),
        }
        roll.set_consents(connection, pa.table(table))
    return changes


def _change_consents(connection: Connection, frame: CleanFrame, ids: Longs, diffs: Diffs, context: Context) -> None:
    if frame["consents"].null_count == frame.num_rows:
        return
    found = roll.slice_consents(connection).to_pylist()
    existing = {(row["position"], row["channel"]): row["state"] for row in found}
    for at, changes in _insert_consents(connection, frame, ids, existing, context).items():
        diffs.setdefault(at, {}).update(changes)


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _change(
    connection: Connection, frame: CleanFrame, decision: Decision, context: Context
) -> tuple[Longs, Longs]:
    """Merge rows into the contacts they matched; the positions that changed, and those that stay blocked."""
    ids = decision.contact
    existing = roll.fetch_slice(connection, pa.array(ids))
    incoming = CleanFrame(frame.append_column("email_match", frame["email"])).combine_chunks()
    merged = merge_contacts(
        _plain(existing),
        _plain(incoming),
        context.profile.duplicates,
        keep_phone=pa.array(decision.phone_taken | decision.held["phone"]),
        keep_email=pa.array(decision.email_taken | decision.held["email"]),
    )
    diffs = merged.diffs
    _change_values(connection, frame, ids, diffs, context)
    _change_tags(connection, frame, ids, diffs)
    _change_notes(connection, frame, ids, diffs, context)
    _change_consents(connection, frame, ids, diffs, context)
    _change_keys(connection, frame, decision, existing, merged.lost, diffs, context)
    changed = np.array(sorted(diffs), np.int64)
    if len(changed):
        _write_changed(connection, existing, merged.columns, changed, context)
        texts = [json.dumps(diffs[at], ensure_ascii=False, separators=(",", ":")) for at in changed.tolist()]
        part = CleanFrame(frame.take(pa.array(changed)))
        _insert_changes(connection, ids[changed], part, "update", texts, context)
    return changed, np.flatnonzero(merged.stays_blocked)


def _plain(table: pa.Table) -> pa.Table:
    return pa.Table.from_batches(table.combine_chunks().to_batches(), table.schema)


def _write_changed(
    connection: Connection, existing: pa.Table, columns: dict[str, pa.Array], changed: Longs, context: Context
) -> None:
    at = pa.array(changed)
    new = {name: chunked(column).take(at) for name, column in columns.items()}
    old = existing.take(at)
    stamp = pa.scalar(context.at, pa.timestamp("us", "UTC"))
    blocks = pc.and_(pc.equal(new["status"], "blocked"), pc.not_equal(chunked(old["status"]), "blocked"))
    new["blocked_at"] = pc.if_else(blocks, stamp, chunked(old["blocked_at"]))
    new["blocked_reason"] = pc.if_else(blocks, f"import {context.batch_id}", chunked(old["blocked_reason"]))
    new["version"] = pc.add(chunked(old["version"]), 1)
    bulk.update_rows(connection, contacts, pa.table({"id": old["id"], **new}), "id")


def _change_keys(
    connection: Connection,
    frame: CleanFrame,
    decision: Decision,
    existing: pa.Table,
    lost: list[tuple[int, str, str, str]],
    diffs: Diffs,
    context: Context,
) -> None:
    """Add the further keys that the contacts do not have yet, among them phones and e-mails that gave way."""
    ids = decision.contact
    wanted = _further_keys(frame, decision, ids, context)
    if lost:
        rows = [(int(ids[at]), kind, form, written, "owner") for at, kind, form, written in lost]
        wanted = pa.concat_tables([wanted, pa.Table.from_arrays([pa.array(x) for x in zip(*rows, strict=True)], schema=_FURTHER)])
    if not wanted.num_rows:
        return
    have = roll.slice_keys(connection)
    known = set(zip(*(have[name].to_pylist() for name in ("position", "kind", "value")), strict=True))
    position_of = {contact: at for at, contact in enumerate(ids.tolist())}
    own = {("phone", "phone_match"), ("email", "email_match")}
    for kind, name in own:
        known |= {(at, kind, value) for at, value in enumerate(existing[name].to_pylist()) if value}
    known -= {(at, kind, form) for at, kind, form, _ in lost}
    keep = []
    for row in wanted.to_pylist():
        at = position_of[row["contact_id"]]
        new = (at, row["kind"], row["value"]) not in known
        keep.append(new)
        if new:
            known.add((at, row["kind"], row["value"]))
            diffs.setdefault(at, {}).setdefault("keys", [[], []])[1].append(f"{row['kind']}:{row['value']}")
    _insert_keys(connection, wanted.filter(pa.array(keep, pa.bool_())), context)


# ── history and review ───────────────────────────────────────────────────────────────────────────────────────────


def _insert_changes(
    connection: Connection, ids: Longs, frame: CleanFrame, operation: str, diffs: list[str] | None, context: Context
) -> None:
    count = len(ids)
    first = bulk.take_ids(connection, "contact_changes", count)
    rows = {
        "id": pa.array(np.arange(first, first + count)),
        "contact_id": pa.array(ids),
        "batch_id": pa.array(np.full(count, context.batch_id)),
        "row": chunked(frame[ROW]),
        "actor": pa.array([context.actor]).take(pa.array(np.zeros(count, np.int64))),
        "at": pa.array([context.at], pa.timestamp("us", "UTC")).take(pa.array(np.zeros(count, np.int64))),
        "operation": pa.array([operation]).take(pa.array(np.zeros(count, np.int64))),
    }
    if diffs is not None:
        rows["diff"] = pa.array(diffs, _TEXT)
    bulk.insert_rows(connection, contact_changes, pa.table(rows))


def _review(
    connection: Connection, applied: Applied, frame: CleanFrame, decision: Decision, context: Context
) -> None:
    """Note the pairs that a person should look at, and say so in the rows' codes."""
    pairs: list[dict[str, object]] = []
    for row, mine, other, reason in decision.pairs + _contended(connection, applied, decision, context):
        at = int(np.searchsorted(applied.rows, row))
        contact = mine or int(applied.contact[at])
        if applied.outcome[at] == "rejected" or contact in (0, other):
            continue
        applied.code[at] = applied.code[at] or reason
        low, high = sorted((contact, other))
        pair = {"contact_a": low, "contact_b": high, "reason": reason, "batch_id": context.batch_id}
        pairs.append({**pair, "row": row, "at": context.at, "state": "open"})
    roll.add_pairs(connection, pairs)


def _contended(
    connection: Connection, applied: Applied, decision: Decision, context: Context
) -> list[tuple[int, int, int, str]]:
    """Pairs with the owners of keys that earlier rows of the file own."""
    if not context.shared:
        return []
    noted = {row for row, _, _, _ in decision.pairs}
    rows = [row for row in applied.rows.tolist() if row in context.shared and row not in noted]
    keys = [(row, *key.split(":", 1)) for row in rows for key in sorted(context.shared[row])]
    if not keys:
        return []
    if context.fresh:
        found = [(row, context.owners.get(f"{kind}:{value}")) for row, kind, value in keys]
    else:
        columns = [pa.array(column) for column in zip(*keys, strict=True)]
        table = matches.find_matches(connection, pa.Table.from_arrays(columns, names=["row", "kind", "value"]))
        owned = table.filter(pc.equal(table["role"], "owner"))
        found = list(zip(owned["row"].to_pylist(), owned["contact_id"].to_pylist(), strict=True))
    return [(row, 0, owner, "key_shared") for row, owner in found if owner]
