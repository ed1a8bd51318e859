"""`python -m benchmarks.roll`: lists, searches, filters and segments over a roll with a history.

A million contacts with three tags and ten values each, and twenty million interactions. A page is limited to 50 ms
(p95); a filter to 700 ms on PostgreSQL and 3 s on SQLite, and to three times SQL written by hand for it, asked in
turn; a hundred segments to 60 s in full on PostgreSQL, and to 5 s after a thousand contacts changed.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, bindparam, event, func, insert, select, text, update

from benchmarks.importing import a_database
from benchmarks.roll_data import NOW, days_ago, fill
from pipelines.bulk_edits import BulkForm, ask_for_edit
from pipelines.contacts import clock_of, count_contacts, find_contacts, read_filter, read_search
from pipelines.jobs import ask_for_undo, run_job
from pipelines.refreshes import refresh_segment
from pipelines.segments import SegmentForm, create_segment
from schemas.settings import Settings
from warehouse import bulk, contact_lists
from warehouse.audit import Asked
from warehouse.contact_lists import ORDERS, Wanted
from warehouse.engines import reading, transaction
from warehouse.jobs import Work
from warehouse.segment_tables import segments
from warehouse.store import open_store
from warehouse.tables import UtcTime, contact_changes, contacts

_PARTS = ("lists", "filters", "tags", "segments")
_PAGE, _ROUNDS = 51, 7
_SEGMENTS, _CHANGED, _WORKERS = 100, 1_000, 2
_TYPED = ("300123", "garcia", "mendez", "maria garcia", "gmail", "correo@example7", "xyzxyz", "+57 300 12", "ñuñez zz")

_V = "SELECT contact_id FROM contact_values WHERE field_id = {} AND "
_I = "SELECT contact_id FROM interactions WHERE kind = '{}' AND at >= :{}"
_C = "SELECT id FROM contacts WHERE deleted_at IS NULL AND "
_T = "SELECT contact_id FROM contact_tags WHERE tag_id = {}"
_ALL = "SELECT id FROM contacts WHERE deleted_at IS NULL"
_DEAD = "SELECT id FROM contacts WHERE deleted_at IS NOT NULL"
FILTERS: tuple[tuple[str, str], ...] = (
    ("city = 'Lima'", f"{_C} city = 'Lima'"),
    ("status = 'active' AND channel = 'instagram'", f"{_C} status = 'active' AND channel = 'instagram'"),
    ("created_at >= ago('30d')", f"{_C} created_at >= :d30"),
    ("last_interaction_at < ago('90d')", f"{_C} last_interaction_at < :d90"),
    ("email LIKE '%@example7.org'", f"{_C} padron_fold(email) LIKE '%@example7.org'"),
    ("phone LIKE '+573001%'", f"{_C} padron_fold(phone) LIKE '+573001%'"),
    ("tagged('tag1')", _T.format(1)),
    ("A_CONTAINS(tags, ('tag1', 'tag2', 'tag3'))", " INTERSECT ".join(_T.format(n) for n in (1, 2, 3))),
    ("tagged('tag5', 'tag6') AND NOT tagged('tag1')", f"{_T.format('5 OR tag_id = 6')} EXCEPT {_T.format(1)}"),
    ("custom.plan = 'free'", _V.format(1) + "text = 'free'"),
    ("custom.code = 'C77'", _V.format(2) + "text = 'C77'"),
    ("custom.score BETWEEN 80 AND 90", _V.format(5) + "number BETWEEN 80 AND 90"),
    ("custom.renewal <= ahead('30d') AND custom.renewal >= now()", _V.format(9) + "at BETWEEN :d0 AND :a30"),
    ("custom.plan LIKE '%gold%'", _V.format(1) + "padron_fold(text) LIKE '%gold%'"),
    (
        "custom.plan IN ('pro', 'gold') AND custom.ltv > 100 AND tagged('tag3')",
        " INTERSECT ".join((_V.format(1) + "text IN ('pro', 'gold')", _V.format(6) + "number > 100", _T.format(3))),
    ),
    ("tagged('tag1') OR custom.plan = 'trial'", f"{_T.format(1)} UNION {_V.format(1)} text = 'trial'"),
    ("custom.ext_id = 'X777'", _V.format(3) + "text = 'X777'"),
    ("received(ago('30d')) >= 5", f"{_I.format('received', 'd30')} GROUP BY contact_id HAVING count(*) >= 5"),
    ("received(ago('60d')) = 0", f"{_C} (last_received_at IS NULL OR last_received_at < :d60)"),
    ("clicked('c77', ago('365d'))", f"{_I.format('clicked', 'd365')} AND ref = 'c77' GROUP BY contact_id"),
)
"""Filters, and SQL written by hand that finds the same; where it looks at other tables, the dead are left out of it."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--contacts", type=int, default=1_000_000)
    arguments.add_argument("--interactions", type=int, default=20_000_000)
    arguments.add_argument("--engine", action="append", choices=["sqlite", "postgresql"])
    arguments.add_argument("--part", action="append", choices=_PARTS, help="only this; else all")
    found = arguments.parse_args()
    for engine in found.engine or ["sqlite", "postgresql"]:
        with a_database(engine) as (url, _):
            store = open_store(url)
            began = time.perf_counter()
            fill(store, found.contacts, found.interactions)
            _say(engine, filled_in_seconds=round(time.perf_counter() - began))
            _measure(engine, store, found.part or _PARTS)
            store.dispose()


def _say(engine: str, **found: Any) -> None:
    print(json.dumps({"engine": engine, **found}, ensure_ascii=False), flush=True)


def _measure(engine: str, store: Engine, parts: Sequence[str]) -> None:
    settings = Settings(default_country="CO")
    lists = (("pages", _pages(store)), ("searches as they are typed", _searches())) if "lists" in parts else ()
    for name, asked in lists:
        times = [_milliseconds(lambda one=one: find_contacts(store, settings, one, _PAGE, NOW)) for one in asked]  # type: ignore[misc]
        slowest = max(zip(times, asked, strict=True), key=lambda pair: pair[0])
        said = f"{slowest[1].order} {slowest[1].sought}"
        _say(engine, what=name, asked=len(times), p50=_at(times, 0.5), p95=_at(times, 0.95), most=(slowest[0], said))
    for asked_text, by_hand in FILTERS if "filters" in parts else ():
        _say(engine, **_filter(store, settings, asked_text, by_hand))
    if "tags" in parts:
        _say(engine, **_tagging(store, settings))
    if "segments" in parts:
        _say(engine, **_segments(store, settings))


def _tagging(store: Engine, settings: Settings) -> dict[str, Any]:
    """Seconds for a tag that a tenth of the contacts get, and for taking it back; how much of it the database took."""
    asked, ids = Asked("bench", NOW), range(1, 1_000_001, 10)
    spent = 0.0

    @event.listens_for(store, "before_cursor_execute")
    def before(connection: Any, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    @event.listens_for(store, "after_cursor_execute")
    def after(connection: Any, *_: Any) -> None:
        nonlocal spent
        spent += time.perf_counter() - connection.info["began"]

    def timed(work: Work) -> tuple[Work, float, float]:
        nonlocal spent
        spent, began = 0.0, time.perf_counter()
        done = run_job(store, work.id, settings, lambda: NOW)
        assert done is not None
        assert done.state == "done", done
        return done, round(time.perf_counter() - began, 2), round(spent, 2)

    edit, edit_s, edit_db = timed(ask_for_edit(store, settings, BulkForm(ids=list(ids), add_tags=["bench"]), asked))
    _, undo_s, undo_db = timed(ask_for_undo(store, (edit.result or {})["batch_id"], asked))
    found = {"tagged": (edit.result or {})["changed"], "edit_s": edit_s, "undo_s": undo_s}
    return {**found, "edit_statements_s": edit_db, "undo_statements_s": undo_db}


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return round((time.perf_counter() - began) * 1000, 2)


def _at(times: list[float], share: float) -> float:
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def _pages(store: Engine) -> list[Wanted]:
    """The first page of each order, and some that begin in the middle or near the end."""
    found = []
    for name, order in ORDERS.items():
        for descending in (False, True):
            found.append(Wanted(order=name, descending=descending))
            with reading(store) as connection:
                count = connection.execute(select(func.count(order))).scalar_one()
                for share in (0.3, 0.6, 0.99):
                    at = select(order, contacts.c.id).where(order.is_not(None)).order_by(order, contacts.c.id)
                    value, number = connection.execute(at.offset(int(count * share)).limit(1)).one()
                    found.append(Wanted(order=name, descending=descending, after=(value, number)))
    return found


def _searches() -> list[Wanted]:
    """What is asked while somebody types."""
    typed = [term[:end] for term in _TYPED for end in range(1, len(term) + 1)]
    return [Wanted(sought=read_search(one, "CO")) for one in typed if one.strip() not in ("", "+")]


def _filter(store: Engine, settings: Settings, asked: str, by_hand: str) -> dict[str, Any]:
    """Our count, the statement that it makes alone, and the SQL written by hand, in turn."""
    wanted = Wanted(read_filter(store, settings, asked))
    times = {f"d{days}": days_ago(days) for days in (30, 60, 90, 365)} | {"d0": days_ago(0.5), "a30": days_ago(-29.5)}
    bound = [bindparam(name, at, UtcTime()) for name, at in times.items() if f":{name}" in by_hand]
    living = "" if by_hand.startswith(_ALL) else f"WHERE contact_id NOT IN ({_DEAD})"
    query = text(f"SELECT count(*) FROM ({by_hand}) AS found {living}").bindparams(*bound)
    counts: list[int] = []

    def ours() -> None:
        counts.append(count_contacts(store, settings, wanted, NOW, exactly=True))

    def theirs() -> None:
        with reading(store) as connection:
            counts.append(connection.execute(query).scalar_one())

    with reading(store) as connection:
        ids = contact_lists.ids_of(connection, wanted, clock_of(settings, NOW))
        statement = bulk.as_text(connection, select(func.count()).select_from(ids.subquery())).replace("%", "%%")

    def alone() -> None:
        with reading(store) as connection:
            counts.append(connection.exec_driver_sql(statement).scalar_one())

    took = [tuple(map(_milliseconds, (ours, alone, theirs))) for _ in range(_ROUNDS)]
    assert len(set(counts)) == 1, (asked, counts[:3])
    mine, ran, hand = (statistics.median(one[at] for one in took) for at in (0, 1, 2))
    ratios = {"ratio": round(mine / hand, 2), "ratio of the statement": round(ran / hand, 2)}
    return {"filter": asked, "found": counts[0], "ms": mine, "statement": ran, "by_hand": hand, **ratios}


def _segments(store: Engine, settings: Settings) -> dict[str, Any]:
    """Seconds for a hundred segments: the first time, in full again, and after a thousand contacts changed."""
    asked, numbers = Asked("bench", NOW), list[int]()
    for number in range(_SEGMENTS):
        filter_text = FILTERS[number % len(FILTERS)][0]
        if number >= len(FILTERS):
            filter_text = f"({filter_text}) AND NOT tagged('tag{number}')"
        numbers.append(create_segment(store, settings, SegmentForm(f"S{number}", filter_text=filter_text), asked))

    def refresh(at: datetime) -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(_WORKERS) as workers:  # as workers do that find them due at once
            runs = list(workers.map(lambda number: refresh_segment(store, number, settings, lambda: at), numbers))
        assert all(run is not None and run.error_en is None for run in runs)
        return round(time.perf_counter() - began, 1)

    found = {"first_s": refresh(NOW)}
    _change(store)
    found["after_1000_changed_s"] = refresh(NOW + timedelta(minutes=15))
    with transaction(store) as connection:
        connection.execute(update(segments).values(refreshed_version=None))
    return {"segments": len(numbers), **found, "in_full_s": refresh(NOW + timedelta(minutes=15))}


def _change(store: Engine) -> None:
    """Let a thousand contacts have moved to Lima."""
    with transaction(store) as connection:
        step = connection.execute(select(func.max(contacts.c.id))).scalar_one() // _CHANGED
        ids = [step * number for number in range(1, _CHANGED + 1)]
        connection.execute(update(contacts).where(contacts.c.id.in_(ids)).values(city="Lima"))
        first = bulk.take_ids(connection, "contact_changes", len(ids))
        said = {"actor": "bench", "at": NOW, "operation": "update", "diff": {"city": ["", "Lima"]}}
        connection.execute(
            insert(contact_changes), [{"id": first + at, "contact_id": n, **said} for at, n in enumerate(ids)]
        )


if __name__ == "__main__":
    main()
