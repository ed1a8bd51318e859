"""Decisions carried out here: contacts, links, conflicts and outcomes, in one transaction.

After it a process may die. What was done stands with its base; what was not sent is still owed, which the base says;
a record that is to be made is written down, with a token by which it is found if the answer is lost.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection

from pipelines.aliases import match_form
from pipelines.contact_patches import Patched, add_contacts, patch_contact
from pipelines.pairs import Decision
from pipelines.suppression import Suppressed, read_suppressed
from pipelines.sync_matching import holders_of, owner_of
from pipelines.sync_work import Work, failed
from warehouse import bulk, contact_writes, links, removals, roll, sync_runs
from warehouse.contact_views import versions_of
from warehouse.engines import transaction

_FREE = ("none", "rest", "wait", "unlink", "release", "rejoin", "forget", "merged", "ambiguous", "ignore", "recreate")
"""What is done without having been planned: nobody's values change by it."""
CLEAN: Mapping[str, Any] = {"dirty": 0, "attempts": 0, "next_at": None, "message": None, "sent": None}


@dataclass(slots=True)
class _Here:
    """What the transaction writes at its end: changed and new links, outcomes, conflicts; and what is to be sent.

    `survivors` are records that others were merged into, with the contact that goes on with each.
    """

    changed: list[dict[str, Any]] = field(default_factory=list)
    added: list[tuple[Decision, dict[str, Any]]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    outcomes: list[tuple[Decision, str, str]] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)
    decided: list[Decision] = field(default_factory=list)
    to_send: list[Decision] = field(default_factory=list)
    survivors: dict[str, int | None] = field(default_factory=dict)


def carry_out(work: Work, found: Sequence[Decision], *, freed: bool = False) -> list[Decision]:
    """Do what is to be done here; those that have something to be sent. A plan only takes notice."""
    if work.plan is not None:
        work.plan(found)
        return []
    with transaction(work.store) as connection:
        work.hold(connection)
        bulk.lock_keys(connection)
        to_send = write_here(connection, work, found, freed=freed)
    work.step("here")
    return to_send


def write_here(connection: Connection, work: Work, found: Sequence[Decision], *, freed: bool = False) -> list[Decision]:
    """The same in the caller's transaction, which holds the keys. Deletions are held back, unless they are `freed`."""
    here, fresh = _Here(), list[Decision]()
    versions = versions_of(connection, sorted({one.view.id for one in found if one.view is not None}))
    suppressed = read_suppressed(connection, work.settings)
    for one in found:
        one.version = one.view.version if one.view else 0
        is_held = one.is_destructive and not freed
        if one.view is not None and versions.get(one.view.id, 0) != one.view.version:
            _leave(here, work, one, "moved")
        elif not _is_allowed(work, one):
            _leave(here, work, one, "stale")
        elif is_held:
            _tighten(connection, work, one, suppressed)
            work.held[one.key] = one
            _mark(here, one, "held")
        elif one.action == "create_local":
            fresh.append(one)
        else:
            _write(connection, work, here, one, suppressed)
    _write_fresh(connection, work, here, fresh)
    _finish(connection, work, here)
    return here.to_send


def _is_allowed(work: Work, one: Decision) -> bool:
    return work.allowed is None or one.action in _FREE or work.allowed.get(one.key) == one.fingerprint


def _leave(here: _Here, work: Work, one: Decision, why: str) -> None:
    """Something has moved since this was decided, or since it was planned: the pair is looked at again."""
    _mark(here, one, why)
    if one.link is None and one.seen is None:
        state = "seen" if one.record else "new"
        here.added.append((one, _new_link(one, work, state, dirty=links.REMOTE, why=why)))
    here.outcomes.append((one, "waiting", why))


def _mark(here: _Here, one: Decision, why: str) -> None:
    link = one.link or one.seen
    if link is not None:
        here.changed.append({"id": link.id, "dirty": max(link.dirty, links.REMOTE), "why": why})


def _new_link(one: Decision, work: Work, state: str, **values: Any) -> dict[str, Any]:
    return {
        "connection_id": work.number,
        "contact_id": None if state in ("seen", "ambiguous", "ignored") else one.contact,
        "remote_id": one.record.id if one.record else None,
        "token": uuid.uuid4().hex,
        "state": state,
        "local_version": one.version,
        "updated_at": work.now,
        **values,
    }


def _put(here: _Here, work: Work, one: Decision, state: str, **values: Any) -> None:
    """Let the pair's link be so: the one it has, that of the record known by its id only, or a new one."""
    link = one.link or one.seen
    if one.link is not None and one.seen is not None and one.seen.id != one.link.id:
        here.dropped.append(one.seen.id)
    if link is None:
        here.added.append((one, _new_link(one, work, state, **values)))
        return
    one.link = link
    row = {"contact_id": one.contact, "remote_id": one.record.id if one.record else link.remote_id}
    row = row if state not in ("seen", "ambiguous", "ignored") else {}
    here.changed.append({"id": link.id, "state": state, "updated_at": work.now, **row, **values})


def _write(connection: Connection, work: Work, here: _Here, one: Decision, suppressed: Suppressed) -> None:
    """One pair, but for new contacts."""
    if one.action in ("archive_local", "delete_local", "recreate", "unlink", "wait"):
        _tighten(connection, work, one, suppressed)
    match one.action:
        case "none" | "merge" | "adopt" | "restore_local":
            _write_merged(connection, work, here, one, suppressed)
        case "archive_local" | "delete_local":
            _put_away(connection, work, one)
            end_link(here.changed, work, one, "gone", "gone_there")
            here.outcomes.append((one, "applied", one.why))
        case "create_remote":
            intent = {"sent": one.push, "intent_at": work.now, "dirty": links.LOCAL, "why": "creating"}
            _put(here, work, one, "creating", local_version=one.version, **intent)
            here.to_send.append(one)
        case "recreate":
            end_link(here.changed, work, one, "gone", "recreated")
            again = {"dirty": links.LOCAL, "why": "recreated", "remote_id": None, "local_version": 0}
            here.added.append((one, _new_link(one, work, "new", **again)))
            here.outcomes.append((one, "applied", one.why))
        case "archive_remote" | "erase_remote":
            here.to_send.append(one)
        case "unlink" | "forget":
            end_link(here.changed, work, one, "unlinked" if one.action == "unlink" else "gone", one.why or "both_gone")
            here.outcomes.append((one, "applied", one.why))
        case "merged":
            _write_merger(connection, work, here, one)
        case "ambiguous" | "ignore":
            _set_aside(here, work, one)
        case "wait":
            _wait(here, work, one)
        case "rejoin":
            _put(here, work, one, "active", dirty=links.REMOTE, why="rejoined")
        case "release":
            _release(here, one, work)
        case "rest":
            _rest(here, one)
        case "create_local":
            raise AssertionError("new contacts are written together")


def _tighten(connection: Connection, work: Work, one: Decision, suppressed: Suppressed) -> None:
    """What an archived record says against writing to somebody, before anything else is done or waited for."""
    if one.view is not None and one.pull:
        patch_contact(connection, work.settings, one.view, one.pull, suppressed, work.asked)


def _release(here: _Here, one: Decision, work: Work) -> None:
    """The contact is gone, and the record is looked at as one that nobody knows: it may be another contact by now."""
    assert one.link is not None
    free = {"state": "seen", "contact_id": None, "base": None, "dirty": links.REMOTE, "why": "edited_there"}
    here.changed.append({"id": one.link.id, **free, "remote_version": None, "updated_at": work.now})
    here.outcomes.append((one, "waiting", one.why))


def _rest(here: _Here, one: Decision) -> None:
    """Nothing is done with it: it is unlinked, or gone, or was never taken in."""
    link = one.link or one.seen
    if link is not None and link.state == "seen":
        here.dropped.append(link.id)
    elif link is not None:
        here.changed.append({"id": link.id, "remote_version": one.record.version if one.record else None, **CLEAN})


def _write_merged(connection: Connection, work: Work, here: _Here, one: Decision, suppressed: Suppressed) -> None:
    assert one.view is not None and one.record is not None
    if one.link is not None and one.link.state in links.OVER:
        other = links.links_of_contacts(connection, work.number, [one.view.id]).get(one.view.id)
        if other is not None:  # somebody restored the contact, which has another record since
            _rest(here, one)
            return
    if one.action == "restore_local":
        _set_status(connection, work, one, "active")
    done = Patched(one.view.id)
    if one.pull:
        done = patch_contact(connection, work.settings, one.view, one.pull, suppressed, work.asked)
    had = dict(one.link.base or {}) if one.link else {}
    for rule in work.merging.rules:
        if rule.local in done.refused:  # what was not taken is not agreed on
            one.parked[rule.name] = done.refused[rule.local].code
            one.base.pop(rule.name, None)
            if rule.name in had:
                one.base[rule.name] = had[rule.name]
    if done.changed or one.action == "restore_local":
        here.touched.append(one.view.id)
    here.decided.append(one)
    owed: Mapping[str, Any] = {"dirty": links.LOCAL} if one.push else CLEAN
    said = {"base": one.base, "remote_version": one.record.version, "why": None}
    _put(here, work, one, "active", local_version=one.version, **said, **owed)
    if one.push:
        here.to_send.append(one)
        return
    refused = "; ".join(error.said(work.settings.language) for error in done.refused.values())
    here.outcomes.append((one, how(one, has_changed=bool(done.changed)), refused or parked(one)))


def how(one: Decision, *, has_changed: bool) -> str:
    """The outcome of a pair whose fields were merged."""
    if any(lost.winner == "open" for lost in one.lost.values()):
        return "conflict"
    if has_changed or one.push or one.action in ("adopt", "restore_local"):
        return "applied"
    return "rejected" if any(why != "review" for why in one.parked.values()) else "unchanged"


def parked(one: Decision) -> str:
    """Why fields were left as they are."""
    return "; ".join(f"{name}: {why}" for name, why in sorted(one.parked.items()))


def _set_status(connection: Connection, work: Work, one: Decision, status: str) -> None:
    assert one.view is not None
    contact_writes.set_contact(connection, one.view.id, {"status": status})
    diff = {"status": [one.view.status, status]}
    contact_writes.add_change(connection, one.view.id, "update", diff, work.asked)


def _put_away(connection: Connection, work: Work, one: Decision) -> None:
    assert one.view is not None
    if one.action == "archive_local":
        _set_status(connection, work, one, "archived")
        return
    removals.keep_opt_outs(connection, [one.view.id], work.now)
    removals.remove(connection, [one.view.id], work.asked.actor, work.now)


def end_link(changed: list[dict[str, Any]], work: Work, one: Decision, state: str, why: str) -> None:
    """The link is over, or rests; what both agreed on is kept only where it may be needed again."""
    assert one.link is not None
    keeps = state == "unlinked" or why == "gone_there"
    said = {"state": state, "why": why[:24], "base": one.link.base if keeps else None, "updated_at": work.now}
    changed.append({"id": one.link.id, "remote_version": one.record.version if one.record else None, **said, **CLEAN})


def _write_merger(connection: Connection, work: Work, here: _Here, one: Decision) -> None:
    """The CRM made one record of two: the id stays known, and the contact goes on with the record that is left.

    Where that one is another contact's already, a person is asked whether the two contacts are one as well.
    """
    assert one.link is not None and one.record is not None
    other = links.links_of_records(connection, work.number, [one.record.id]).get(one.record.id)
    holder = here.survivors.get(one.record.id) or (other.contact_id if other else None)
    contact = one.link.contact_id
    if holder is None and (owner := owner_of(connection, work.merging, one.record)) not in (None, contact):
        holder = here.survivors[one.record.id] = owner
        if other is None:  # it is somebody's who was not linked yet, and will be
            here.added.append((one, _new_link(one, work, "seen", dirty=links.REMOTE, why="merged")))
    end_link(here.changed, work, one, "merged", one.record.id)
    if contact and holder and holder != contact:
        low, high = sorted((holder, contact))
        pair = {"contact_a": low, "contact_b": high, "reason": "merged_there", "batch_id": None, "row": None}
        roll.add_pairs(connection, [{**pair, "at": work.now, "state": "open"}])
    elif contact and not holder:
        if other is not None:
            here.dropped.append(other.id)
        one.contact = here.survivors[one.record.id] = contact
        moved = {"base": one.link.base, "dirty": links.REMOTE, "why": "merged", "local_version": one.link.local_version}
        here.added.append((one, _new_link(one, work, "active", **moved)))
    here.outcomes.append((one, "applied", one.why))


def _set_aside(here: _Here, work: Work, one: Decision) -> None:
    """A record that is not taken in: known from now on, and looked at again when it changes."""
    state, outcome = ("ignored", "unchanged") if one.action == "ignore" else ("ambiguous", "conflict")
    version = one.record.version if one.record else None
    one.link = None if one.link is not None and one.link.state in ("new", "creating") else one.link
    _put(here, work, one, state, **{**CLEAN, "why": one.why[:24], "remote_version": version})
    here.outcomes.append((one, outcome, one.why))


def _wait(here: _Here, work: Work, one: Decision) -> None:
    link = one.link or one.seen
    if link is not None:
        here.changed.append({**failed(link, one.why, work.now), "dirty": links.SWEEP})
    elif one.record is not None:
        here.added.append((one, _new_link(one, work, "seen", dirty=links.REMOTE, why=one.why)))
    here.outcomes.append((one, "waiting", one.why))


# ── new contacts ─────────────────────────────────────────────────────────────────────────────────────────────────


def _write_fresh(connection: Connection, work: Work, here: _Here, fresh: Sequence[Decision]) -> None:
    """Contacts made of records, all at once."""
    if not fresh:
        return
    taken = holders_of(connection, _keys(fresh))
    rows = [(f"{work.connection.name}:{one.record.id if one.record else ''}", one.pull) for one in fresh]
    made = add_contacts(connection, work.settings, rows, taken, work.asked)
    for one, done in zip(fresh, made, strict=True):
        one.contact = done.contact
        here.touched.append(done.contact)
        for rule in work.merging.rules:
            if rule.local in done.refused:  # what was not taken is not agreed on
                one.base.pop(rule.name, None)
                one.parked[rule.name] = done.refused[rule.local].code
        version = one.record.version if one.record else None
        _put(here, work, one, "active", base=one.base, remote_version=version, why=None, **CLEAN)
        refused = "; ".join(error.said(work.settings.language) for error in done.refused.values())
        here.outcomes.append((one, "applied", refused or parked(one)))


def _keys(fresh: Sequence[Decision]) -> list[tuple[str, str]]:
    phones = match_form(pa.array([one.pull.get("phone") for one in fresh], pa.string())).to_pylist()
    pairs = [("phone", value) for value in phones if value]
    return pairs + [("email", str(one.pull["email"])) for one in fresh if one.pull.get("email")]


# ── at the end ───────────────────────────────────────────────────────────────────────────────────────────────────


def _finish(connection: Connection, work: Work, here: _Here) -> None:
    """The links, with the versions of their contacts after what was written, conflicts and outcomes."""
    versions = versions_of(connection, here.touched)
    for row in (*here.changed, *(row for _, row in here.added)):
        if row.get("contact_id") in versions:
            row["local_version"] = versions[row["contact_id"]]
    links.drop_links(connection, here.dropped)
    links.set_links(connection, here.changed)
    numbers = links.add_links(connection, [row for _, row in here.added])
    made = links.get_links(connection, numbers)
    for (one, _), number in zip(here.added, numbers, strict=True):
        one.link = made[number] if one.action not in ("recreate", "merged") else one.link
        if made[number].why == "stale":
            work.looked_at.add(number)  # not again in this run: the plan would still not say so
    for one in here.to_send:
        one.version = versions.get(one.view.id, one.version) if one.view else one.version
    _tell_conflicts(connection, work, here.decided)
    sync_runs.add_outcomes(connection, [work.outcome(*one) for one in here.outcomes])


def _tell_conflicts(connection: Connection, work: Work, decided: Sequence[Decision]) -> None:
    rows, agreed = [], []
    for one in decided:
        assert one.link is not None and one.view is not None
        agreed += [(one.link.id, pair) for pair in one.agreed]
        for pair, lost in one.lost.items():
            rows.append(
                {
                    "connection_id": work.number,
                    "link_id": one.link.id,
                    "contact_id": one.view.id,
                    "pair": pair,
                    "local": list(lost.local) if isinstance(lost.local, tuple) else lost.local,
                    "remote": lost.remote,
                    "policy": lost.policy,
                    "winner": lost.winner,
                    "state": "open" if lost.winner == "open" else "auto",
                    "at": work.now,
                }
            )
    sync_runs.add_conflicts(connection, rows)
    numbers = sorted({number for number, _ in agreed})
    waiting = sync_runs.waiting_pairs(connection, numbers) if numbers else {}
    sync_runs.close_conflicts(connection, [pair for pair in agreed if pair in waiting], work.now)
