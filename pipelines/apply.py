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
from pipelines.columns import Flags, Longs, chunked, is_among
from pipelines.context import Context
from pipelines.history import review_pairs
from pipelines.match import Decision, decide
from pipelines.optouts import keep_of_addresses
from pipelines.write import change_contacts, create_contacts
from schemas.frames import ROW, CleanFrame
from schemas.layouts import OURS
from schemas.profiles import Duplicates
from warehouse import roll


@dataclass(slots=True)
class Applied:
    """Row by row: the contact, the outcome, and a code where there is something to say."""

    rows: Longs
    contact: Longs
    outcome: npt.NDArray[np.object_]
    code: npt.NDArray[np.object_]

    @property
    def left_out(self) -> Flags:
        """Rows that went to no contact as they are."""
        return np.asarray((self.outcome == "rejected") | (self.code == "skipped"))


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
            _block_namesakes(connection, _keep(frame, ~again), found, context)
        part = _part(decision, frame, ~again)
        now = _keep(frame, ~again)
        done.append(_apply(connection, now, part, shared, context))
        keep_of_addresses(connection, now, done[-1].left_out, context)
        frame, unasked = _keep(frame, again), unasked[again]
    return done[0] if len(done) == 1 else _together(*done)


def _barred(found: pa.Table, shared: dict[int, set[str]], context: Context) -> Flags | None:
    """Matches with the people of earlier rows by contended keys: the file's own groups told these people apart.

    Where rows change nothing of the contacts that there were, these are nobody's of the file.
    """
    if not shared or not found.num_rows:
        return None
    people = context.made if _changes_nothing(context) else context.seen
    columns = (found[name].to_pylist() for name in ("row", "kind", "value"))
    contended = [f"{kind}:{value}" in shared.get(row, ()) for row, kind, value in zip(*columns, strict=True)]
    return np.array(contended, bool) & people.has(found["contact_id"].to_numpy())


def _either(one: Flags | None, other: Flags | None) -> Flags | None:
    return one | other if one is not None and other is not None else one if other is None else other


def _other_records(connection: Connection, frame: CleanFrame, found: pa.Table, context: Context) -> Flags | None:
    """Matches by phone or e-mail of two records of one source, of which one has no name to say they are one person."""
    ids = chunked(frame["external_id"])
    if not found.num_rows or ids.null_count == len(ids) or context.source == OURS:
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


def _block_namesakes(connection: Connection, frame: CleanFrame, now: pa.Table, context: Context) -> None:
    """Where every row becomes a contact of its own, its block holds for its namesake's too."""
    part = _keep(frame, _blocks(frame))
    if part.num_rows and now.num_rows:
        found = now.filter(pc.is_in(now["row"], chunked(part[ROW])))
        decision = decide(part, found, replace(context.profile, duplicates="update"), {})
        known = (decision.contact != 0) & ~_repeats(decision.contact)
        if known.any():
            change_contacts(connection, _keep(part, known), _part(decision, part, known), "skip", context)


def _tightens(frame: CleanFrame) -> Flags:
    """Rows that block, or say something of consent."""
    return _blocks(frame) | chunked(pc.is_valid(frame["consents"])).to_numpy(zero_copy_only=False)


def _blocks(frame: CleanFrame) -> Flags:
    return chunked(pc.equal(frame["status"], "blocked").fill_null(False)).to_numpy(zero_copy_only=False)


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
        applied.contact[create] = create_contacts(connection, part, _part(decision, frame, create), context)
        applied.outcome[create] = "created"
        context.made.add(applied.contact[create])
    for mask, policy in _changes(applied, frame, old, context):
        if mask.any():
            part = _keep(frame, mask)
            changed, stays_blocked = change_contacts(connection, part, _part(decision, frame, mask), policy, context)
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
