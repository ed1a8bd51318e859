"""The steps of a run of sync: what the CRM lists, what changed here, records that may have been made, and the sweep.

Whatever tells that something happened only says where to look. What is done follows from both sides as they are read.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from pipelines.decisions import decide, new_remote
from pipelines.pairs import Decision, Reads, differs_from_sent, marks_of, read_records
from pipelines.suppression import read_suppressed
from pipelines.sync_here import carry_out, write_here
from pipelines.sync_matching import match_records
from pipelines.sync_scope import fits_there, in_scope
from pipelines.sync_there import bound, send
from pipelines.sync_work import Work
from schemas.crm import Answer, CrmSays, Page, Record
from warehouse import bulk, connections, links, sync_runs
from warehouse.contact_views import View, changes_since, views_of
from warehouse.engines import reading, transaction
from warehouse.links import Link

AT_ONCE = 500
OVERLAP = timedelta(minutes=10)
"""How far before the last listing the next one begins: what was still being written then is seen now."""
UNKNOWN = ("seen", "ignored", "ambiguous")
"""The states of links that are a record without a contact."""
_ROUNDS, _MOST_LATER, _MOST_ASIDE = 3, 5_000, 1_000
_TIMED = ("newest_wins", "source_order")
Item = TypeVar("Item")


def in_parts(listed: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


# ── pairs that are known ─────────────────────────────────────────────────────────────────────────────────────────


def look_at(work: Work, listed: Sequence[Link], in_hand: Mapping[str, Record]) -> None:
    """Read both sides of these links, but for the records in hand, and do what is to be done."""
    again: Sequence[Link] = listed
    for _ in range(_ROUNDS):
        if not again:
            return
        stale = send(work, _look_once(work, again, in_hand))
        in_hand = {}
        with reading(work.store) as connection:
            again = list(links.get_links(connection, [one.link.id for one in stale if one.link]).values())


def _look_once(work: Work, listed: Sequence[Link], in_hand: Mapping[str, Record]) -> list[Decision]:
    """Do what is to be done here with these links; those that have something to be sent."""
    records = dict(in_hand)
    wanted = [str(link.remote_id) for link in listed if link.remote_id and link.remote_id not in records]
    for part in in_parts(wanted, work.crm.capabilities.batch_read):
        records |= work.crm.read(part)
    work.step("read")
    known = [link for link in listed if link.state in ("active", "unlinked", "gone", "merged", "erasing")]
    newcomers = [link for link in listed if link.state in UNKNOWN]
    found = _decided(work, known, records) + _new_ones(work, [link for link in listed if link.state == "new"])
    there = {link.id for link in newcomers if _is_itself(link, records)}
    found += [Decision("rest", link) for link in newcomers if link.id not in there]
    work.step("decided")
    to_send = carry_out(work, found)
    return to_send + take_in(work, [records[str(link.remote_id)] for link in newcomers if link.id in there])


def decide_again(work: Work, listed: Sequence[Link]) -> list[Decision]:
    """What is to be done with these links, by both sides as they are now."""
    records: dict[str, Record] = {}
    for part in in_parts([str(link.remote_id) for link in listed if link.remote_id], work.crm.capabilities.batch_read):
        records |= work.crm.read(part)
    return _decided(work, listed, records)


def _is_itself(link: Link, records: Mapping[str, Record]) -> bool:
    """Whether the record that was read is the one asked for, and not another that it was merged into."""
    record = records.get(str(link.remote_id))
    return record is not None and record.id == link.remote_id


def _decided(work: Work, listed: Sequence[Link], records: Mapping[str, Record]) -> list[Decision]:
    if not listed:
        return []
    merging, numbers = work.merging, sorted({link.contact_id for link in listed if link.contact_id})
    with reading(work.store) as connection:
        views = views_of(connection, numbers, merging.locals, merging.days)
        inside = in_scope(connection, work, [view.id for view in views.values() if view.is_there])
        waiting = sync_runs.waiting_pairs(connection, [link.id for link in listed])
        since = min(link.local_version for link in listed)
        timed = any({rule.policy, rule.first_link, rule.then} & {*_TIMED} for rule in merging.rules)
        changes = changes_since(connection, numbers, since) if timed else {}
    there = {link.id: records[str(link.remote_id)] for link in listed if str(link.remote_id) in records}
    reads = dict(zip(there, read_records(merging.rules, list(there.values())), strict=True))
    found = []
    for link in listed:
        view, record = views.get(link.contact_id or 0), there.get(link.id)
        fits = view is not None and view.id in inside and (record is None or fits_there(merging, record))
        mine = reads.get(link.id, {})
        pair = _with_choices(link, mine, waiting)
        marks = marks_of(merging, changes.get(link.contact_id or 0, {}), record)
        found.append(_scoped(pair, view, record, fits) or decide(pair, view, record, mine, merging, marks))
    return found


def _with_choices(link: Link, reads: Reads, waiting: Mapping[tuple[int, str], str]) -> Link:
    """The link as if what stands here were owed to the CRM, where a person chose so."""
    base = dict(link.base or {})
    for (number, pair), state in waiting.items():
        if number == link.id and state == "chosen" and pair in reads:
            base[pair] = [base[pair][0] if pair in base else None, reads[pair][0], 1]
    return replace(link, base=base)


def _scoped(link: Link, view: View | None, record: Record | None, fits: bool) -> Decision | None:
    """Who has left what the mapping covers, and who is not there again yet."""
    is_both = view is not None and view.is_there and record is not None and not record.archived
    if link.state == "active" and is_both and not fits and record is not None and record.id == link.remote_id:
        return Decision("unlink", link, view, record, why="left_scope", contact=link.contact_id)
    if link.state == "unlinked" and link.why == "left_scope" and is_both and fits:
        assert view is not None and record is not None
        return Decision("rejoin", link, view, record, contact=view.id)
    return None


# ── records that no link knows ───────────────────────────────────────────────────────────────────────────────────


def take_in(work: Work, records: Sequence[Record]) -> list[Decision]:
    """Match records to contacts and write what comes of it; those that have something to be sent."""
    if not records:
        return []
    if work.plan is not None:
        with reading(work.store) as connection:
            work.plan(_matched(connection, work, records))
        return []
    with transaction(work.store) as connection:
        work.hold(connection)
        bulk.lock_keys(connection)
        known = links.links_of_records(connection, work.number, [record.id for record in records])
        free = [record for record in records if record.id not in known or known[record.id].state in UNKNOWN]
        found = _matched(connection, work, free)
        for one, record in zip(found, free, strict=True):
            one.seen = known.get(record.id)
        to_send = write_here(connection, work, found)
    work.step("taken_in")
    return to_send


def _matched(connection: Connection, work: Work, records: Sequence[Record]) -> list[Decision]:
    suppressed = read_suppressed(connection, work.settings)
    return match_records(connection, work, records, read_records(work.merging.rules, records), suppressed)


# ── contacts that have no record ─────────────────────────────────────────────────────────────────────────────────


def push_new(work: Work, since: int) -> None:
    """Make records of the contacts that changed since a change, and that have no link; of all, from 0 on."""
    if work.merging.mapping.create not in ("both", "remote"):
        return
    look_again(work, since)
    after = 0
    while True:
        with reading(work.store) as connection:
            ids = links.changed_unlinked(connection, work.number, after, since, AT_ONCE)
        if not ids:
            return
        after = ids[-1]
        fresh = [number for number in ids if number not in work.claimed]
        send(work, carry_out(work, _made_of(work, dict.fromkeys(fresh))))
        renew(work)


def look_again(work: Work, since: int) -> None:
    """Records that were set aside may be those of contacts that are about to be made there: they are matched again."""
    if work.plan is not None:
        return
    with transaction(work.store) as connection:
        work.hold(connection)
        waiting = links.changed_unlinked(connection, work.number, 0, since, 1)
        if not waiting or not links.mark_aside(connection, work.number, _MOST_ASIDE):
            return
    look_at_due(work, links.REMOTE)


def _new_ones(work: Work, listed: Sequence[Link]) -> list[Decision]:
    """Links whose record is still to be made; where the contact is gone by now, so is the link."""
    found = _made_of(work, {int(link.contact_id or 0): link for link in listed if link.contact_id not in work.claimed})
    wanted = {one.link.id for one in found if one.link}
    return found + [
        Decision("forget", link) for link in listed if link.id not in wanted and link.contact_id not in work.claimed
    ]


def _made_of(work: Work, listed: Mapping[int, Link | None]) -> list[Decision]:
    if not listed:
        return []
    with reading(work.store) as connection:
        views = views_of(connection, list(listed), work.merging.locals, work.merging.days)
        inside = in_scope(connection, work, [view.id for view in views.values() if view.is_there])
    found = [new_remote(views[number], work.merging, listed[number]) for number in sorted(inside)]
    return [one for one in found if one.patch and one.view is not None and one.view.merged_into is None]


# ── records that may have been made ──────────────────────────────────────────────────────────────────────────────


def settle(work: Work, listing: "Listing | None" = None) -> None:
    """Find out what became of records whose making nobody heard of, by their tokens; never by making them again.

    A CRM that knows no tokens has listed by now what it has: what was not among it, was not made.
    """
    if work.plan is not None:
        return
    with reading(work.store) as connection:
        found = links.creating_links(connection, work.number, work.now)
    for part in in_parts(found, max(1, work.crm.capabilities.batch_read)):
        records = work.crm.find_tokens([link.token for link in part])
        with transaction(work.store) as connection:
            work.hold(connection)
            rows = [_settled(connection, work, link, records.get(link.token), listing) for link in part]
            links.set_links(connection, [row for row in rows if row])
        work.step("settled")


def _settled(
    connection: Connection, work: Work, link: Link, record: Record | None, listing: "Listing | None"
) -> dict[str, Any] | None:
    can, lag = work.crm.capabilities, timedelta(seconds=work.crm.capabilities.index_lag)
    if record is not None and link.state == "erasing":
        return {"id": link.id, "remote_id": record.id, "dirty": links.CALLED}
    if record is not None:
        return _found(connection, work, link, record)
    if link.intent_at and work.now - link.intent_at <= lag:
        return {"id": link.id, "next_at": work.now + lag, "updated_at": work.now}
    if link.state == "erasing":
        return {"id": link.id, "state": "gone", "dirty": 0, "updated_at": work.now}
    if can.create == "unsafe" and (listing is None or not listing.is_whole or link.intent_at is None):
        return None
    if can.create == "unsafe" and listing is not None and listing.began_here <= (link.intent_at or work.now) + lag:
        return None
    return {"id": link.id, "state": "new", "intent_at": None, "why": "not_made", "updated_at": work.now}


def _found(connection: Connection, work: Work, link: Link, record: Record) -> dict[str, Any]:
    one = Decision("create_remote", link, contact=link.contact_id)
    stored = read_records(work.merging.rules, [record])[0]
    known = links.links_of_records(connection, work.number, [record.id])
    seen = known.get(record.id)
    if seen is not None and seen.contact_id is None:
        links.drop_links(connection, [seen.id])
        known = {}
    row = bound(work, one, Answer("done", record), stored, known)
    base = {**(row.get("base") or {}), **differs_from_sent(link.sent or {}, stored, work.merging)}
    return {**row, "base": base, "dirty": links.LOCAL, "remote_version": None} if row["state"] == "active" else row


# ── what the CRM lists ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Listing:
    """When a listing began, by our clock and by the CRM's; whether it was gone through from its beginning."""

    began_here: datetime
    is_whole: bool
    began_at: datetime | None = None


def poll(work: Work) -> Listing:
    """Go through what the CRM lists as changed since the last listing, or through everything the first time."""
    crm, can = work.connection, work.crm.capabilities
    since = crm.read_until - OVERLAP if crm.read_until else None
    page = crm.page if work.plan is None and can.stable_pages else None
    listing = Listing(work.now, is_whole=page is None, began_at=crm.page_began_at if page else None)
    while True:
        found = _page(work, since, page)
        listing.began_at = listing.began_at or found.server_at or work.now
        take_page(work, found)
        page = found.following
        renew(work, {"page": page, "page_began_at": listing.began_at if page else None})
        if page is None:
            send_later(work)
            return listing
        if can.stable_pages:
            look_at_due(work, links.CALLED)


def _page(work: Work, since: datetime | None, page: str | None) -> Page:
    """A page; where the CRM does not know any more where a listing of an earlier run had come, it begins anew."""
    try:
        return work.crm.list_changed(since, page)
    except CrmSays:
        if page is None or page != work.connection.page:
            raise
        return work.crm.list_changed(since, None)


def take_page(work: Work, page: Page) -> set[str]:
    """Look at what a page shows that is new, or differs from what was seen; the ids that it shows.

    What follows for the CRM is sent once the listing has ended: a record that moves while others are listed could let
    one of them be passed over, and be made a second time.
    """
    records = {record.id: record for record in page.records}
    ids = [*records, *page.gone]
    with reading(work.store) as connection:
        known = links.links_of_records(connection, work.number, ids)
    new = [record for record in records.values() if record.id not in known and not record.archived]
    moved = [link for link in known.values() if _has_moved(link, records.get(str(link.remote_id)), work)]
    if work.crm.capabilities.fresh_listing:
        work.later += take_in(work, new)
        work.later += _look_once(work, moved, {id_: record for id_, record in records.items() if id_ in known})
        del work.later[_MOST_LATER:]  # the base says what is owed, and the link that it is to be looked at
    else:
        _note(work, moved, [record.id for record in new])
    return set(records)


def send_later(work: Work) -> None:
    """Send what pages made necessary; what met another version is looked at again.

    Where the CRM does not tell versions apart, all of it is read again before: the listing took its time.
    """
    again = send(work, work.later) if work.crm.capabilities.conditional else list(work.later)
    work.later.clear()
    with reading(work.store) as connection:
        stale = list(links.get_links(connection, [one.link.id for one in again if one.link]).values())
    look_at(work, stale, {})


def _has_moved(link: Link, record: Record | None, work: Work) -> bool:
    """Whether what a listing shows is not what the link has seen. One that is dirty is looked at anyway."""
    if record is None:
        return link.state in ("active", "seen", "erasing")
    if record.archived and link.state in ("gone", "merged", "ignored", "ambiguous", "unlinked"):
        return False
    return link.dirty > 0 or record.version is None or link.remote_version != record.version


def _note(work: Work, moved: Sequence[Link], new: Sequence[str]) -> None:
    """Remember where to look; what a listing that lags behind shows is not what is there."""
    with transaction(work.store) as connection:
        work.hold(connection)
        marked = [str(link.remote_id) for link in moved]
        links.mark_records(connection, work.number, marked, links.REMOTE, "listed")
        add_seen(connection, work, new, links.REMOTE, "listed")


def add_seen(connection: Connection, work: Work, ids: Sequence[str], how: int, why: str) -> None:
    """Records known by their ids only, which are to be read."""
    rows = [
        {
            "connection_id": work.number,
            "remote_id": id_,
            "token": uuid.uuid4().hex,
            "state": "seen",
            "dirty": how,
            "why": why,
            "updated_at": work.now,
        }
        for id_ in dict.fromkeys(ids)
    ]
    links.add_links(connection, rows)


# ── what is due ──────────────────────────────────────────────────────────────────────────────────────────────────


def look_at_due(work: Work, least: int = 0) -> None:
    """Look at the links that are marked, the most urgent first; each once in a run."""
    with reading(work.store) as connection:
        numbers = [
            one for one in links.due_links(connection, work.number, work.now, least) if one not in work.looked_at
        ]
    for part in in_parts(numbers, AT_ONCE):
        work.looked_at |= set(part)
        with reading(work.store) as connection:
            listed = links.get_links(connection, part).values()
        look_at(work, [link for link in listed if link.state != "creating"], {})
        renew(work)


def renew(work: Work, values: Mapping[str, Any] | None = None) -> None:
    """Prove that the connection is still ours, and note how far the run is."""
    if work.plan is None:
        with transaction(work.store) as connection:
            work.hold(connection)
            if values:
                connections.set_connection(connection, work.number, values)
    work.step("renewed")
