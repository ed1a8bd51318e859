"""Refreshing segments: only contacts that may have moved are looked at, and only who joined or left is written.

Those are the contacts that changed since the refresh before, and those for whom an edge of time went by. What is
written is the difference to the stored members, so that a refresh that was cut off is simply done again.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.exc import DBAPIError

from pipelines.contacts import clock_of
from pipelines.drops import heartbeat
from pipelines.events import emit
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.segments import asked_for
from schemas.conditions import Clock, Condition, During, Happened, InSegment, OptedOut, follows_interactions, leaves
from schemas.cql2 import as_text, parse
from schemas.errors import PadronError
from schemas.filters import Node, Op
from schemas.settings import Settings
from schemas.spans import next_time
from warehouse import bulk, contact_details, roll, segments
from warehouse.batches import LeaseLost
from warehouse.engines import UNREACHABLE, Store, reading, transaction
from warehouse.filter_sql import look_up, matching, moved_between
from warehouse.segments import CANDIDATES, Run, Segment

_MOST_TOLD, _AT_ONCE = 1_000, 20_000
_FULL_SHARE = 20
"""More than one contact in so many: a full refresh is as fast."""
_RETRY = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
Clocked = Callable[[], datetime]


class _Cancelled(Exception):
    """Somebody asked the refresh to stop."""


def refresh_segment(store: Engine, number: int, settings: Settings, clock: Clocked) -> Run | None:
    """Refresh a segment if nobody else does; the run, or None where there was nothing to do.

    What goes wrong is noted with the segment, which is tried again later; the others go on.
    """
    token, lasts, began = uuid.uuid4().hex, timedelta(seconds=settings.lease_seconds), time.monotonic()
    with transaction(store) as connection:
        found = segments.get_segment(connection, number)
        if found.filter_text is None or (found.kind == "snapshot" and found.as_of is not None):
            segments.set_segment(connection, number, {"next_at": None})
            return None
        segment = segments.claim_segment(connection, number, token, clock(), clock() + lasts)
    if segment is None:
        return None

    def renew(connection: Connection) -> str | None:
        return segments.hold_segment(connection, number, token, clock() + lasts)

    def hold(connection: Connection) -> None:
        if renew(connection):
            raise _Cancelled

    try:
        with heartbeat(store, settings.lease_seconds, renew):
            work = _Refresh(store, segment, settings, clock(), hold, began)
            return work.run()
    except LeaseLost:
        return None
    except UNREACHABLE:
        raise
    except (_Cancelled, PadronError, DBAPIError) as error:
        with suppress(LeaseLost):
            return _note_failure(store, segment, token, clock(), error, began)
        return None


def _note_failure(
    store: Engine, segment: Segment, token: str, now: datetime, error: Exception, began: float
) -> Run | None:
    english, spanish = ("stopped", "detenido") if isinstance(error, _Cancelled) else ("", "")
    if isinstance(error, PadronError):
        english, spanish = error.said("en"), error.said("es")
    if isinstance(error, DBAPIError):
        kind = type(error.orig).__name__
        english, spanish = f"The database could not answer: {kind}.", f"La base de datos no pudo responder: {kind}."
    again: datetime | None = now + _RETRY[min(segment.failures, len(_RETRY) - 1)]
    failures = segment.failures + 1
    if isinstance(error, _Cancelled):
        again, failures = _next(segment, now), segment.failures
    with transaction(store) as connection:
        segments.hold_segment(connection, segment.id, token, now)
        if _touched(connection, segment):
            again = now
        values = {"failures": failures, "error_en": english, "error_es": spanish, "next_at": again}
        segments.set_segment(connection, segment.id, {**values, "lease_token": None, "lease_until": None})
        run = bulk.take_ids(connection, "segment_runs", 1)
        took = round((time.monotonic() - began) * 1000)
        size = segments.size_of(connection, segment.id)
        counts = {"joined": 0, "left": 0, "size": size, "candidates": None, "how": "failed"}
        said = {"error_en": english, "error_es": spanish}
        row = {"id": run, "segment_id": segment.id, "at": now, "took_ms": took, **counts, **said}
        return segments.add_run(connection, row)


def growth_of(store: Store, number: int, settings: Settings) -> tuple[str, list[tuple[datetime, int]]]:
    """The name of a segment, and its size at the end of each day, in the installation's zone, on which it moved."""
    zone = ZoneInfo(settings.time_zone)
    with reading(store) as connection:
        name = segments.get_segment(connection, number).name
        points = segments.growth_of(connection, number)
    days = {at.astimezone(zone).date(): (at.astimezone(zone), size) for at, size in points}
    return name, list(days.values())


def _place(settings: Settings) -> str:
    """What the settings say that a filter's meaning depends on: the zone of days and the country of phones."""
    return f"{settings.time_zone} {settings.default_country}".strip()


def _next(segment: Segment, now: datetime) -> datetime | None:
    """When the segment is refreshed next by its schedule."""
    zone = (segment.zone or "UTC").split()[0]
    return next_time(segment.schedule, now, zone) if segment.schedule else None


def _touched(connection: Connection, segment: Segment) -> bool:
    """Whether somebody changed the segment, or asked for a refresh, while this one was under way."""
    now = segments.get_segment(connection, segment.id)
    asked = ("filter_version", "refreshed_version", "schedule", "next_at")
    return any(getattr(now, name) != getattr(segment, name) for name in asked)


@dataclass(slots=True)
class _Refresh:
    """One refresh of one segment, as of a moment."""

    store: Engine
    segment: Segment
    settings: Settings
    now: datetime
    hold: Callable[[Connection], None]
    began: float

    def run(self) -> Run:
        with reading(self.store) as connection:
            marks = segments.last_ids(connection)
            condition = self._condition(connection)
            clock = clock_of(self.settings, self.now)
            count = self._candidates(connection, condition, clock)
            among = None if count is None else CANDIDATES
            query = matching(condition, clock, look_up(connection, condition), among)
            joined, left = segments.moves(connection, self.segment.id, query, among)
        run, came, went = self._write(joined, left)
        return self._finish(run, marks, count, came, went)

    def _condition(self, connection: Connection) -> Condition:
        fields = roll.known_fields(connection)
        return understand(
            parse(self.segment.filter_text or ""), Catalogue(fields, self.settings.default_country or None)
        )

    def _candidates(self, connection: Connection, condition: Condition, clock: Clock) -> int | None:
        """Keep the contacts that may have moved; how many, or None where everybody is looked at."""
        before = self.segment
        found = leaves(condition)
        if before.refreshed_version != before.filter_version or before.as_of is None:
            return None
        if before.zone != _place(self.settings) or any(isinstance(leaf, OptedOut) for leaf in found):
            return None  # days begin elsewhere, phones are read otherwise, or somebody's word counts for others too
        then = Clock(before.as_of, clock.zone)
        queries: list[Select[Any]] = [segments.changed_since(before.watermark)]
        if any(follows_interactions(leaf) for leaf in found):
            queries.append(segments.happened_since(before.interaction_watermark))
        names = look_up(connection, condition)
        for leaf in found:
            if isinstance(leaf, During | Happened):
                queries += moved_between(leaf, then, clock, names)
        inner = [
            names.segments[leaf.name] for leaf in found if isinstance(leaf, InSegment) and leaf.name in names.segments
        ]
        if inner:
            queries.append(segments.moved_in(inner, before.event_watermark))
        count = segments.keep_candidates(connection, queries, segments.pinned(connection, before.id))
        return None if count * _FULL_SHARE > roll.highest_id(connection) else count

    def _write(self, joined: list[int], left: list[int]) -> tuple[int | None, int, int]:
        """Let contacts join and leave, a limited number at a time, and tell of them; the run, and how many they were.

        Some may have gone from the roll since they were looked at.
        """
        run: int | None = None
        came = went = 0
        for start in range(0, max(len(joined), len(left)), _AT_ONCE):
            some = (joined[start : start + _AT_ONCE], left[start : start + _AT_ONCE])
            with transaction(self.store) as connection:
                self.hold(connection)
                run = run or bulk.take_ids(connection, "segment_runs", 1)
                some = segments.move_members(connection, self.segment.id, *some, self.now, run)
                came, went = came + len(some[0]), went + len(some[1])
                for name, moved in zip(("segment.joined", "segment.left"), some, strict=True):
                    if moved:
                        said = {"segment_id": self.segment.id, "segment": self.segment.name, "total": len(moved)}
                        emit(connection, name, {**said, "run_id": run, "contact_ids": moved[:_MOST_TOLD]}, self.now)
        return run, came, went

    def _finish(self, run: int | None, marks: tuple[int, int, int], count: int | None, joined: int, left: int) -> Run:
        segment, zone = self.segment, _place(self.settings)
        took = round((time.monotonic() - self.began) * 1000)
        with transaction(self.store) as connection:
            self.hold(connection)
            if joined > _AT_ONCE:
                segments.know_members(connection)
            size = segments.size_of(connection, segment.id)
            values = {
                "refreshed_version": segment.filter_version,
                "watermark": marks[0],
                "interaction_watermark": marks[1],
                "event_watermark": marks[2],
                "zone": zone,
                "as_of": self.now,
                "size": size,
                "took_ms": took,
                "failures": 0,
                "error_en": None,
                "error_es": None,
                "next_at": _next(replace(segment, zone=zone), self.now),
                "lease_token": None,
                "lease_until": None,
            }
            if _touched(connection, segment):
                values |= {"next_at": self.now, "refreshed_version": None}
            segments.set_segment(connection, segment.id, values)
            how = "full" if count is None else "changes"
            counts = {"joined": joined, "left": left, "size": size, "candidates": count, "how": how}
            number = run or bulk.take_ids(connection, "segment_runs", 1)
            row = {"id": number, "segment_id": segment.id, "at": self.now, "took_ms": took, **counts}
            return segments.add_run(connection, row)


def explain(store: Engine, number: int, contact: int, settings: Settings, now: datetime) -> list[tuple[str, bool]]:
    """The parts of a segment's filter, the whole first, each with whether it holds of a contact now."""
    clock, found = clock_of(settings, now), list[tuple[str, bool]]()
    with reading(store) as connection:
        segment = segments.get_segment(connection, number)
        contact_details.living(connection, contact)
        if segment.filter_text is None:
            return []
        catalogue = Catalogue(roll.known_fields(connection), settings.default_country or None)
        segments.keep_candidates(connection, [], [contact])
        waiting: list[Node] = [parse(segment.filter_text)]
        while waiting:
            node = waiting.pop(0)
            condition = understand(node, catalogue)
            query = matching(condition, clock, look_up(connection, condition), CANDIDATES)
            found.append((as_text(node), bool(len(segments.ids_in(connection, query)))))
            if isinstance(node, Op) and node.name in ("and", "or", "not"):
                waiting.extend(node.args)
    return found


def are_due(store: Engine, now: datetime) -> bool:
    """Whether a segment is to be refreshed by now."""
    with reading(store) as connection:
        return bool(segments.due_segments(connection, now, 1))


def refresh_due(store: Engine, settings: Settings, clock: Clocked, limit: int = 100) -> int:
    """Refresh the segments that are due, those that others ask for first; how many were."""
    with reading(store) as connection:
        due = set(segments.due_segments(connection, clock(), limit))
        known = segments.all_segments(connection)
    count = 0
    for number in [one.id for one in in_order(known) if one.id in due]:
        count += refresh_segment(store, number, settings, clock) is not None
    return count


def in_order(known: Sequence[Segment]) -> list[Segment]:
    """The segments so that whoever is asked for comes before whoever asks."""
    by_form, found, done = {one.form: one for one in known}, list[Segment](), set[str]()

    def add(segment: Segment) -> None:
        if segment.form not in done:
            done.add(segment.form)
            for form in sorted(asked_for(segment)):
                if form in by_form:
                    add(by_form[form])
            found.append(segment)

    for one in known:
        add(one)
    return found
