"""A slice of clean rows into the store: match, merge, write, with history and an outcome for every row.

Everything here happens in the caller's transaction, so that a slice is applied whole or not at all.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.ahead import Answers, matches_now
from pipelines.belongings import change_belongings, insert_belongings
from pipelines.columns import Flags, Longs, chunked, is_among
from pipelines.context import Context
from pipelines.fold import is_same
from pipelines.further import change_further, insert_further
from pipelines.history import as_diff, insert_changes, review_pairs
from pipelines.keys import KEYS, keys_of
from pipelines.match import Decision, decide
from pipelines.merge import merge_contacts
from pipelines.optouts import share_opt_outs
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


@dataclass(slots=True)
class Applied:
    """Row by row: the contact, the outcome, and a code where there is something to say."""

    rows: Longs
    contact: Longs
    outcome: npt.NDArray[np.object_]
    code: npt.NDArray[np.object_]


def apply_rows(connection: Connection, frame: CleanFrame, answers: Answers, context: Context) -> Applied:
    """Apply rows that are one person each, with the hash of each row as `applied`.

    Of the `answers`, those about contacts that this file changed since are asked again.
    """
    if not frame.num_rows:
        none, nothing = np.empty(0, np.int64), np.empty(0, object)
        return Applied(none, none, nothing, nothing)
    known = answers.applied
    contact = np.where(context.seen.has(known) | _repeats(known), 0, known)
    done = contact != 0
    context.seen.add(contact[done])
    rows, count = chunked(frame[ROW]).to_numpy(), len(contact)
    applied = Applied(rows, contact, np.full(count, "unchanged", object), np.full(count, None, object))
    _refuse(applied, np.zeros(count, bool), done, context)
    if done.all():
        return applied
    rest = _apply_rows(connection, _keep(frame, ~done), answers.matches, known[~done] != 0, context)
    return _together(_only(applied, done), rest) if done.any() else rest


def _only(applied: Applied, mask: Flags) -> Applied:
    return Applied(applied.rows[mask], applied.contact[mask], applied.outcome[mask], applied.code[mask])


def _together(*parts: Applied) -> Applied:
    order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
    return Applied(
        np.concatenate([part.rows for part in parts])[order],
        np.concatenate([part.contact for part in parts])[order],
        np.concatenate([part.outcome for part in parts])[order],
        np.concatenate([part.code for part in parts])[order],
    )


def _apply_rows(
    connection: Connection, frame: CleanFrame, found: pa.Table, unasked: Flags, context: Context
) -> Applied:
    """In as many rounds as rows depend on each other: what a round did is known to the next."""
    done: list[Applied] = []
    while frame.num_rows:
        found = matches_now(connection, frame, found, unasked, context)
        shared = context.shared.of(frame, context.source, context.passed_over)
        keys = {row: set(keys) for row, keys in shared.items()}
        barred = _either(_barred(found, keys, context), _other_records(connection, frame, found, context))
        decision = decide(frame, found, context.profile, keys, barred)
        again = _depends(frame, found, decision, shared, context)
        if context.profile.duplicates == "create":
            _tighten_namesakes(connection, frame, found, context)
        part = _part(decision, frame, ~again)
        now = _keep(frame, ~again)
        done.append(_apply(connection, now, part, shared, context))
        share_opt_outs(connection, now, found, done[-1].contact, context)
        frame, unasked = _keep(frame, again), unasked[again]
    return done[0] if len(done) == 1 else _together(*done)


def _barred(found: pa.Table, shared: dict[int, set[str]], context: Context) -> Flags | None:
    """Matches with the people of earlier rows by contended keys: the file's own groups told these people apart.

    Rows that change nothing of a contact do not make it another person's either.
    """
    if not shared or not found.num_rows or _changes_nothing(context):
        return None
    columns = (found[name].to_pylist() for name in ("row", "kind", "value"))
    contended = [f"{kind}:{value}" in shared.get(row, ()) for row, kind, value in zip(*columns, strict=True)]
    return np.array(contended, bool) & context.seen.has(found["contact_id"].to_numpy())


def _either(one: Flags | None, other: Flags | None) -> Flags | None:
    return one | other if one is not None and other is not None else one if other is None else other


def _other_records(connection: Connection, frame: CleanFrame, found: pa.Table, context: Context) -> Flags | None:
    """Matches by phone or e-mail of two records of one source, of which one has no name to say they are one person."""
    ids = chunked(frame["external_id"])
    if not found.num_rows or ids.null_count == len(ids):
        return None
    position = np.searchsorted(chunked(frame[ROW]).to_numpy(), found["row"].to_numpy())
    nameless = pc.or_(pc.is_null(found["display_name"]), pc.is_null(frame["display_name"].take(pa.array(position))))
    own = pc.binary_join_element_wise(context.source, ids.take(pa.array(position)), ":")
    asked = pc.and_(pc.and_(nameless, pc.not_equal(found["kind"], "external_id")), pc.is_valid(own))
    at = np.flatnonzero(chunked(asked).to_numpy(zero_copy_only=False))
    if not len(at):
        return None
    holders = found["contact_id"].to_numpy()[at]
    records = roll.records_of(connection, holders.tolist(), context.source)
    barred = np.zeros(found.num_rows, bool)
    for place, contact, value in zip(at.tolist(), holders.tolist(), own.take(pa.array(at)).to_pylist(), strict=True):
        barred[place] = contact in records and value not in records[contact]
    return barred


def _depends(
    frame: CleanFrame, found: pa.Table, decision: Decision, shared: dict[int, dict[str, int]], context: Context
) -> Flags:
    """Rows that an earlier row of the slice may bear on: they are applied in a further round, asked for anew.

    Either that row owns a key of theirs, or it goes to their contact, or to one that they have a key of.
    """
    rows = chunked(frame[ROW]).to_numpy()
    depends = np.zeros(len(rows), bool)
    inside = set(rows.tolist()) if shared else set()
    for row, keys in shared.items():
        depends[np.searchsorted(rows, row)] = not inside.isdisjoint(keys.values())
    repeats = _repeats(decision.contact)
    if _changes_nothing(context):
        return (depends & (decision.contact == 0)) | (repeats & _tightens(frame))
    known = np.flatnonzero(decision.contact)
    if found.num_rows and len(known):
        contacts_, first = np.unique(decision.contact[known], return_index=True)
        holders, position = found["contact_id"].to_numpy(), np.searchsorted(rows, found["row"].to_numpy())
        at = np.minimum(np.searchsorted(contacts_, holders), len(contacts_) - 1)
        chosen_before = (contacts_[at] == holders) & (known[first[at]] < position)
        depends[position[chosen_before]] = True
    return depends | repeats


def _changes_nothing(context: Context) -> bool:
    """Whether rows leave the contacts that there are as they are, but for consent and blocks."""
    return context.profile.duplicates == "skip" or context.profile.mode == "create"


def _tighten_namesakes(connection: Connection, frame: CleanFrame, now: pa.Table, context: Context) -> None:
    """Where every row becomes a contact of its own, its opt-outs and blocks hold for its namesake's too."""
    part = _keep(frame, _tightens(frame))
    if part.num_rows and now.num_rows:
        found = now.filter(pc.is_in(now["row"], chunked(part[ROW])))
        decision = decide(part, found, replace(context.profile, duplicates="update"), {})
        known = (decision.contact != 0) & ~_repeats(decision.contact)
        if known.any():
            _change(connection, _keep(part, known), _part(decision, part, known), "skip", context)


def _tightens(frame: CleanFrame) -> Flags:
    """Rows that block, or say something of consent."""
    tightens = pc.or_(pc.equal(frame["status"], "blocked").fill_null(False), pc.is_valid(frame["consents"]))
    return chunked(tightens).to_numpy(zero_copy_only=False)


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
        decision.renamed[mask],
    )


def _apply(
    connection: Connection,
    frame: CleanFrame,
    decision: Decision,
    shared: dict[int, dict[str, int]],
    context: Context,
) -> Applied:
    rows = chunked(frame[ROW]).to_numpy()
    applied = Applied(
        rows, decision.contact.copy(), np.full(len(rows), "unchanged", object), np.full(len(rows), None, object)
    )
    new, old = decision.contact == 0, decision.contact != 0
    _refuse(applied, new, old, context)
    create = new & (applied.outcome != "rejected")
    if create.any():
        part = _keep(frame, create)
        applied.contact[create] = _create(connection, part, _part(decision, frame, create), context)
        applied.outcome[create] = "created"
    for mask, policy in _changes(applied, frame, old, context):
        if mask.any():
            part = _keep(frame, mask)
            changed, stays_blocked = _change(connection, part, _part(decision, frame, mask), policy, context)
            where = np.flatnonzero(mask)[changed]
            applied.outcome[where[applied.outcome[where] != "rejected"]] = "updated"
            applied.code[np.flatnonzero(mask)[stays_blocked]] = "stays_blocked"
    for at in np.flatnonzero(decision.renamed & (applied.outcome != "rejected")).tolist():
        applied.code[at] = applied.code[at] or "names_disagree"
    review_pairs(connection, applied.rows, applied.contact, applied.outcome, applied.code, decision, shared, context)
    context.seen.add(applied.contact)
    return applied


def _changes(applied: Applied, frame: CleanFrame, old: Flags, context: Context) -> list[tuple[Flags, Duplicates]]:
    """Which rows change their contact, and by which rule.

    A contact that an earlier row of the file went to already only has its gaps filled, so that rows which share no
    key do not overwrite each other, and the same file again changes nothing. Rows that are skipped, or refused as they
    exist already, still tighten consent.
    """
    policy = context.profile.duplicates
    change = old & (applied.outcome != "rejected")
    if _changes_nothing(context):
        return [(old & _tightens(frame), "skip")]
    seen = change & context.seen.has(applied.contact)
    return [(change & ~seen, policy), (seen, "merge")]


def _refuse(applied: Applied, new: Flags, old: Flags, context: Context) -> None:
    """Reject what the profile's mode does not take, and remember it for the rows that were merged into these."""
    profile = context.profile
    if profile.mode == "update":
        applied.outcome[new], applied.code[new] = "rejected", "not_found"
    if profile.mode == "create":
        applied.outcome[old], applied.code[old] = "rejected", "already_exists"
    elif profile.duplicates == "skip":
        applied.code[old] = "skipped"
    awaited = is_among(applied.rows, context.awaited)
    refused = (applied.outcome == "rejected") & awaited
    context.passed_over.update(applied.rows[(refused | (applied.code == "skipped")) & awaited].tolist())
    context.refused.update(zip(applied.rows[refused].tolist(), applied.code[refused], strict=True))


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
    keys = keys_of(_keep(frame, concerned), context.source)
    own = {"phone": chunked(frame["phone_match"]), "email": chunked(frame["email"])}
    taken = {"phone": decision.phone_taken, "email": decision.email_taken}
    owns, at = np.ones(keys.num_rows, bool), np.searchsorted(rows, keys["row"].to_numpy())
    for index, (row, kind, value) in enumerate(zip(*(keys[name].to_pylist() for name in KEYS.names), strict=True)):
        is_own = kind in own and own[kind][int(at[index])].as_py() == value
        owns[index] = not (taken[kind][at[index]] if is_own else (row, f"{kind}:{value}") in decision.taken_further)
    context.shared.remember(keys.filter(pa.array(owns)), ids[at[owns]])


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _change(
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
        applied = chunked(frame["applied"]) if policy == context.profile.duplicates else None
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
    """Write the merged contacts; `applied` are the rows' hashes where the rows went in by the profile's own rule."""
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
    new["applied"] = pa.nulls(len(changed), pa.int64()) if applied is None else applied.take(at)
    bulk.update_rows(connection, contacts, pa.table({"id": old["id"], **new}), "id")


def _same(old: pa.ChunkedArray, new: pa.Array) -> bool:
    return bool(pc.all(is_same(chunked(old), new)).as_py())
