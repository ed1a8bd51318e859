"""Decisions carried out there: records made, changed, archived and erased, in batches; and what the CRM made of them.

What a write became is known only from the CRM's answer. Where there is none, nothing is sent again: the record is read,
by its id or by its token, before anything else is done with the pair.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from pipelines.pairs import Decision, base_after, base_of_sent, moved_meanwhile, read_records
from pipelines.sync_here import CLEAN, end_link, how, parked
from pipelines.sync_work import Work, failed
from schemas.crm import Answer, NewRecord, Patch
from warehouse import links, sync_runs
from warehouse.engines import transaction
from warehouse.links import Link

Row = dict[str, Any]
_Send = Callable[[Sequence[Decision]], list[Answer]]


def send(work: Work, found: Sequence[Decision]) -> list[Decision]:
    """Send what is owed to the CRM; the pairs that met another version there and are to be looked at again."""
    can, again = work.crm.capabilities, list[Decision]()
    for actions, size, call in (
        (("erase_remote",), 1, lambda part: _erase(work, part)),
        (("archive_remote",), can.batch_archive, lambda part: _archive(work, part)),
        (("none", "merge", "adopt", "restore_local"), can.batch_update, lambda part: _update(work, part)),
        (("create_remote",), can.batch_create, lambda part: _create(work, part)),
    ):
        listed = [one for one in found if one.action in actions]
        for start in range(0, len(listed), size):
            again += _send_part(work, listed[start : start + size], call)
    return again


def _send_part(work: Work, part: Sequence[Decision], call: _Send) -> list[Decision]:
    work.step("before_send")
    answers = call(part)
    work.step("sent")
    with transaction(work.store) as connection:
        work.hold(connection)
        take_answers(connection, work, part, answers)
    work.step("there")
    return [one for one, answer in zip(part, answers, strict=True) if answer.state in ("stale", "gone")]


def _create(work: Work, part: Sequence[Decision]) -> list[Answer]:
    return work.crm.create([NewRecord(_link(one).token, one.patch) for one in part])


def _update(work: Work, part: Sequence[Decision]) -> list[Answer]:
    return work.crm.update([Patch(one.record, one.patch) for one in part if one.record is not None])


def _archive(work: Work, part: Sequence[Decision]) -> list[Answer]:
    return work.crm.archive([str(_link(one).remote_id) for one in part])


def _erase(work: Work, part: Sequence[Decision]) -> list[Answer]:
    erase = work.crm.erase if work.crm.capabilities.can_erase else lambda id_: work.crm.archive([id_])[0]
    return [erase(str(_link(one).remote_id)) for one in part]


def _link(one: Decision) -> Link:
    assert one.link is not None
    return one.link


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def take_answers(connection: Connection, work: Work, part: Sequence[Decision], answers: Sequence[Answer]) -> None:
    """Note what became of each write. Who was erased meanwhile keeps nothing but the record's id."""
    now_links = links.get_links(connection, [_link(one).id for one in part])
    records = [answer.record for answer in answers if answer.record is not None]
    reads = iter(read_records(work.merging.rules, records))
    known = links.links_of_records(connection, work.number, [record.id for record in records])
    changed, outcomes = list[Row](), list[Row]()
    written: list[tuple[int, str]] = []
    for one, answer in zip(part, answers, strict=True):
        stored = next(reads) if answer.record is not None else {}
        link = now_links[_link(one).id]
        if link.state == "erasing" and one.action != "erase_remote":
            remote = answer.record.id if answer.record else link.remote_id
            changed.append({"id": link.id, "remote_id": remote, "dirty": links.CALLED})
            continue
        match answer.state:
            case "done":
                changed.append(_done(work, one, answer, stored, known))
                written += [(link.id, pair) for pair in one.push]
                outcomes.append(work.outcome(one, how(one, has_changed=True), parked(one)))
            case "gone" if one.action in ("archive_remote", "erase_remote"):
                end_link(changed, work, one, "gone", one.why or "erased")
                outcomes.append(work.outcome(one, "applied", one.why))
            case "refused":
                changed.append(_refused(work, one, answer))
                outcomes.append(work.outcome(one, "rejected", answer.said))
            case "unknown" | "stale" | "gone":
                outcomes.append(work.outcome(one, "waiting", answer.said or answer.state))
                if answer.state == "unknown":
                    changed.append(failed(link, answer.said or "no answer", work.now))
    links.set_links(connection, changed)
    waiting = sync_runs.waiting_pairs(connection, sorted({link for link, _ in written}))
    sync_runs.close_conflicts(connection, [pair for pair in written if pair in waiting], work.now)
    sync_runs.add_outcomes(connection, outcomes)


def _done(work: Work, one: Decision, answer: Answer, stored: Mapping[str, Any], known: Mapping[str, Link]) -> Row:
    if one.action in ("archive_remote", "erase_remote"):
        rows: list[Row] = []
        end_link(rows, work, one, "gone", one.why or "erased")
        return rows[0]
    if one.action == "create_remote":
        return bound(work, one, answer, stored, known)
    link = _link(one)
    if answer.record is None:  # it does not tell what it stored: read it
        return {"id": link.id, "dirty": links.LOCAL, "why": "read_back", "next_at": None, "updated_at": work.now}
    version = {"local_version": one.version, "remote_version": answer.record.version}
    base = {"base": base_after(one, stored, work.merging), "why": None, "updated_at": work.now}
    row: Row = {"id": link.id, "state": "active", **CLEAN, **base, **version}
    if moved_meanwhile(one, stored, work.merging):
        row |= {"dirty": links.REMOTE, "why": "moved"}
    return row


def bound(work: Work, one: Decision, answer: Answer, stored: Mapping[str, Any], known: Mapping[str, Link]) -> Row:
    """The link of a record that was made, or that was found to have been: its base is what was sent then."""
    link, record = _link(one), answer.record
    assert record is not None
    other = known.get(record.id)
    if other is not None and other.id != link.id:  # the CRM took it for a record that is another contact's
        said = f"{record.id}: {other.contact_id or other.state}"
        return {**failed(link, said, work.now), "state": "new", "intent_at": None, "why": "taken_there"}
    sent = one.push or dict(link.sent or {})
    return {
        "id": link.id,
        "state": "active",
        "remote_id": record.id,
        "base": base_of_sent(sent, stored, work.merging),
        "local_version": one.version or link.local_version,
        "remote_version": record.version,
        "intent_at": None,
        "why": None,
        "updated_at": work.now,
        **CLEAN,
    }


def _refused(work: Work, one: Decision, answer: Answer) -> Row:
    """Not taken, in the CRM's own words: it is tried again later, and at once when either side changes."""
    row = {**failed(_link(one), answer.said, work.now), "dirty": links.SWEEP}
    if one.action == "create_remote":
        row |= {"state": "new", "intent_at": None}
    return row
