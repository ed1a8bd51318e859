"""Writing a slice's contacts: new ones, and changes of those that there are, with all that belongs to them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.belongings import change_belongings, insert_belongings
from pipelines.columns import Flags, Longs, chunked
from pipelines.context import Context
from pipelines.fold import is_same
from pipelines.further import change_further, insert_further
from pipelines.history import as_diff, insert_changes
from pipelines.keys import KEYS, keys_of
from pipelines.match import Decision
from pipelines.merge import merge_contacts
from pipelines.texts import search_text
from schemas.frames import ROW, CleanFrame
from schemas.profiles import Duplicates
from warehouse import bulk, roll
from warehouse.tables import contacts

_TEXT = pa.string()
_COPIED = ["first_name", "last_name", "display_name", "phone", "email", "company", "address", "city", "country"] + [
    "photo_url",
    "channel",
    "language",
    "last_interaction_at",
]


# ── creating ─────────────────────────────────────────────────────────────────────────────────────────────────────


def create_contacts(connection: Connection, frame: CleanFrame, decision: Decision, context: Context) -> Longs:
    count = frame.num_rows
    first = bulk.take_ids(connection, "contacts", count)
    ids = np.arange(first, first + count)
    at = pa.scalar(context.at, pa.timestamp("us", "UTC"))
    status = chunked(frame["status"].fill_null("active"))
    blocked = pc.equal(status, "blocked")
    columns = {name: frame[name] for name in _COPIED}
    columns |= {
        "id": pa.array(ids),
        "applied": frame["applied"],
        "search_text": search_text(*(chunked(frame[name]) for name in ("display_name", "phone", "email"))),
        "phone_match": _unless(frame["phone_match"], decision.phone_taken),
        "email_match": _unless(frame["email"], decision.email_taken),
        "status": status,
        "blocked_at": pc.if_else(blocked, at, pa.scalar(None, at.type)),
        "blocked_reason": pc.if_else(blocked, f"import {context.batch_id}", pa.scalar(None, _TEXT)),
        "created_at": frame["created_at"].fill_null(at),
    }
    names = [column.name for column in contacts.columns if column.name in columns]
    bulk.insert_rows(connection, contacts, pa.table({name: columns[name] for name in names}))
    insert_further(connection, frame, decision, ids, context)
    insert_belongings(connection, frame, ids, context)
    insert_changes(connection, ids, frame, "create", None, context)
    _remember_owners(frame, decision, ids, context)
    return ids


def _unless(column: pa.ChunkedArray, taken: Flags) -> pa.Array:
    return pc.if_else(pa.array(taken), pa.scalar(None, _TEXT), chunked(column)) if taken.any() else chunked(column)


def _remember_owners(frame: CleanFrame, decision: Decision, ids: Longs, context: Context) -> None:
    """In a first load nobody is asked who owns a key that rows contend for: it is kept here."""
    rows = chunked(frame[ROW]).to_numpy()
    concerned = context.shared.concerns(rows)
    if not (context.fresh and concerned.any()):
        return
    keys = keys_of(frame.filter(pa.array(concerned)), context.source)
    own = {"phone": chunked(frame["phone_match"]), "email": chunked(frame["email"])}
    taken = {"phone": decision.phone_taken, "email": decision.email_taken}
    owns, at = np.ones(keys.num_rows, bool), np.searchsorted(rows, keys["row"].to_numpy())
    for index, (row, kind, value) in enumerate(zip(*(keys[name].to_pylist() for name in KEYS.names), strict=True)):
        is_own = kind in own and own[kind][int(at[index])].as_py() == value
        owns[index] = not (taken[kind][at[index]] if is_own else (row, f"{kind}:{value}") in decision.taken_further)
    context.shared.remember(keys.filter(pa.array(owns)), ids[at[owns]])


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def change_contacts(
    connection: Connection, frame: CleanFrame, decision: Decision, policy: Duplicates, context: Context
) -> tuple[Longs, Longs]:
    """Merge rows into the contacts they matched; the positions that changed, and those that stay blocked."""
    ids = decision.contact
    existing = roll.fetch_slice(connection, pa.array(ids))
    incoming = CleanFrame(frame.append_column("email_match", frame["email"])).combine_chunks()
    merged = merge_contacts(
        _plain(existing),
        _plain(incoming),
        policy,
        keep_phone=pa.array(decision.phone_taken | decision.held["phone"]),
        keep_email=pa.array(decision.email_taken | decision.held["email"]),
    )
    diffs = merged.diffs
    change_belongings(connection, frame, ids, diffs, policy, context)
    if policy != "skip":
        change_further(connection, frame, decision, existing, merged, context)
    changed = np.array(sorted(diffs), np.int64)
    if len(changed):
        applied = chunked(frame["applied"]) if policy == context.profile.duplicates else pa.nulls(len(ids), pa.int64())
        applied = None if policy == "skip" else applied
        _write_changed(connection, existing, merged.columns, applied, changed, context)
        texts = [as_diff(diffs[at]) for at in changed.tolist()]
        part = CleanFrame(frame.take(pa.array(changed)))
        insert_changes(connection, ids[changed], part, "update", texts, context)
    return changed, np.flatnonzero(merged.stays_blocked)


def _plain(table: pa.Table) -> pa.Table:
    return pa.Table.from_batches(table.combine_chunks().to_batches(), table.schema)


def _write_changed(
    connection: Connection,
    existing: pa.Table,
    columns: dict[str, pa.Array],
    applied: pa.Array | None,
    changed: Longs,
    context: Context,
) -> None:
    """Write the merged contacts; `applied` are the rows' hashes where the rows went in by the profile's own rule.

    None leaves them: whoever was only blocked or opted out still stands as their row left them.
    """
    at = pa.array(changed)
    old = existing.take(at)
    new = {name: chunked(column).take(at) for name, column in columns.items()}
    new = {name: column for name, column in new.items() if name not in old.column_names or not _same(old[name], column)}
    stamp = pa.scalar(context.at, pa.timestamp("us", "UTC"))
    if "status" in new:
        blocks = pc.and_(pc.equal(new["status"], "blocked"), pc.not_equal(chunked(old["status"]), "blocked"))
        new["blocked_at"] = pc.if_else(blocks, stamp, chunked(old["blocked_at"]))
        new["blocked_reason"] = pc.if_else(blocks, f"import {context.batch_id}", chunked(old["blocked_reason"]))
    new["version"] = pc.add(chunked(old["version"]), 1)
    if applied is not None:
        new["applied"] = applied.take(at)
    bulk.update_rows(connection, contacts, pa.table({"id": old["id"], **new}), "id")


def _same(old: pa.ChunkedArray, new: pa.Array) -> bool:
    return bool(pc.all(is_same(chunked(old), new)).as_py())
