"""The statements of runs: what became of each record, calls of webhooks, and values that stood against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, or_, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.sync_tables import calls, conflicts, links, sync_outcomes, sync_plan_items, sync_runs


class NoSuchConflict(InputError):
    """There is no conflict with this number."""


@dataclass(frozen=True, slots=True)
class SyncRun:
    """A row of `sync_runs`."""

    id: int
    connection_id: int
    kind: str
    actor: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    counts: Mapping[str, int] | None
    calls: int
    message_en: str | None
    message_es: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of `sync_outcomes`."""

    id: int
    run_id: int
    link_id: int | None
    contact_id: int | None
    remote_id: str | None
    outcome: str
    action: str | None
    fields: Sequence[str] | None
    said: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row of `conflicts`."""

    id: int
    connection_id: int
    link_id: int
    contact_id: int | None
    pair: str
    local: Any
    remote: Any
    policy: str
    winner: str
    state: str
    at: datetime
    resolved_by: str | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Call:
    """A row of `calls`."""

    id: int
    body: str
    received_at: datetime


_RUN = tuple(sync_runs.c[name] for name in SyncRun.__slots__)
_OUTCOME = tuple(sync_outcomes.c[name] for name in Outcome.__slots__)
_CONFLICT = tuple(conflicts.c[name] for name in Conflict.__slots__)


# ── runs and outcomes ────────────────────────────────────────────────────────────────────────────────────────────


def begin_run(connection: Connection, number: int, kind: str, actor: str, at: datetime) -> int:
    run = bulk.take_ids(connection, "sync_runs", 1)
    values = {"id": run, "connection_id": number, "kind": kind, "actor": actor, "started_at": at, "state": "running"}
    connection.execute(insert(sync_runs).values(**values))
    return run


def end_run(connection: Connection, run: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(sync_runs).where(sync_runs.c.id == run).values(**values))


def runs_of(connection: Connection, number: int, limit: int, before: int | None = None) -> list[SyncRun]:
    """The runs of a connection, the newest first."""
    c = sync_runs.c
    query = select(*_RUN).where(c.connection_id == number).order_by(c.id.desc()).limit(limit)
    query = query if before is None else query.where(c.id < before)
    return [SyncRun(**row._mapping) for row in connection.execute(query)]


def add_outcomes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        first = bulk.take_ids(connection, "sync_outcomes", len(rows))
        connection.execute(insert(sync_outcomes), [{**row, "id": first + at} for at, row in enumerate(rows)])


def outcomes_of(
    connection: Connection, run: int, limit: int, *, outcome: str = "", after: int | None = None
) -> list[Outcome]:
    """What became of the records of a run, in order."""
    c = sync_outcomes.c
    query = select(*_OUTCOME).where(c.run_id == run).order_by(c.id).limit(limit)
    query = query.where(c.outcome == outcome) if outcome else query
    query = query if after is None else query.where(c.id > after)
    return [Outcome(**row._mapping) for row in connection.execute(query)]


def drop_old_runs(connection: Connection, before: datetime) -> None:
    """Forget runs that ended before a moment, with their outcomes."""
    old = select(sync_runs.c.id).where(sync_runs.c.finished_at < before)
    connection.execute(delete(sync_outcomes).where(sync_outcomes.c.run_id.in_(old)))
    connection.execute(delete(sync_runs).where(sync_runs.c.finished_at < before))


# ── calls of webhooks ────────────────────────────────────────────────────────────────────────────────────────────


def add_calls(connection: Connection, found: Sequence[Mapping[str, Any]]) -> None:
    """Keep calls (connection_id, digest, body, received_at) until they are gone through; what waits already is once."""
    c = calls.c
    new = {(one["connection_id"], one["digest"]): one for one in reversed(found)}
    digests = [digest for _, digest in new]
    waits = select(c.connection_id, c.digest).where(c.digest.in_(digests), c.error.is_(None))
    for number, digest in connection.execute(waits):
        new.pop((number, digest), None)
    if new:
        first = bulk.take_ids(connection, "calls", len(new))
        rows = [{"id": number, **one} for number, one in enumerate(reversed(new.values()), first)]
        connection.execute(insert(calls), rows)


def waiting_calls(connection: Connection, number: int, limit: int) -> list[Call]:
    c = calls.c
    query = select(c.id, c.body, c.received_at).where(c.connection_id == number, c.error.is_(None))
    return [Call(*row) for row in connection.execute(query.order_by(c.id).limit(limit))]


def end_calls(connection: Connection, ids: Sequence[int], failed: Mapping[int, str]) -> None:
    """Forget the calls that were gone through; those that say nothing that can be understood are kept with why."""
    done = [number for number in ids if number not in failed]
    connection.execute(delete(calls).where(bulk.is_among(connection, calls.c.id, done)))
    for number, error in failed.items():
        connection.execute(update(calls).where(calls.c.id == number).values(error=error))


def failed_calls(connection: Connection, number: int) -> int:
    query = select(func.count()).where(calls.c.connection_id == number, calls.c.error.is_not(None))
    return int(connection.execute(query).scalar_one())


def drop_old_calls(connection: Connection, before: datetime) -> None:
    connection.execute(delete(calls).where(calls.c.received_at < before, calls.c.error.is_not(None)))


# ── conflicts ────────────────────────────────────────────────────────────────────────────────────────────────────


def add_conflicts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what stood against each other; what is open already with the same values is not told twice."""
    ids = sorted({int(row["link_id"]) for row in rows})
    if not ids:
        return
    c = conflicts.c
    query = select(c.id, c.link_id, c.pair, c.local, c.remote).where(bulk.is_among(connection, c.link_id, ids))
    known = {(link, pair): (number, values) for number, link, pair, *values in _open(connection, query)}
    fresh = []
    for row in rows:
        number, values = known.get((row["link_id"], row["pair"]), (0, None))
        if number and row["state"] == "open" and _same(values) == _same([row["local"], row["remote"]]):
            continue
        if number:
            set_conflict(connection, number, {"state": "dismissed", "resolved_by": "sync", "resolved_at": row["at"]})
        fresh.append(row)
    if fresh:
        first = bulk.take_ids(connection, "conflicts", len(fresh))
        connection.execute(insert(conflicts), [{**row, "id": first + at} for at, row in enumerate(fresh)])


def _open(connection: Connection, query: Select[Any]) -> list[Any]:
    return list(connection.execute(query.where(conflicts.c.state.in_(("open", "chosen")))))


def _same(values: Any) -> str:
    return repr([list(value) if isinstance(value, tuple) else value for value in values])


def close_conflicts(connection: Connection, agreed: Sequence[tuple[int, str]], at: datetime) -> None:
    """Both sides have come to say the same of these (link, pair): nobody has to decide any more."""
    c = conflicts.c
    for link, pair in agreed:
        mine = update(conflicts).where(c.link_id == link, c.pair == pair)
        connection.execute(mine.where(c.state == "chosen").values(state="restored"))
        settled = {"state": "dismissed", "resolved_by": "sync", "resolved_at": at}
        connection.execute(mine.where(c.state == "open").values(**settled))


def waiting_pairs(connection: Connection, numbers: Sequence[int]) -> dict[tuple[int, str], str]:
    """The pairs of these links that are open, or for which a person chose what stands here: their state."""
    c = conflicts.c
    query = select(c.link_id, c.pair, c.state).where(bulk.is_among(connection, c.link_id, numbers))
    found = connection.execute(query.where(c.state.in_(("open", "chosen"))))
    return {(int(link), str(pair)): str(state) for link, pair, state in found}


def chosen_links(connection: Connection, number: int) -> list[int]:
    """The links for which a person chose, and which have to be looked at."""
    c = conflicts.c
    query = select(c.link_id).where(c.connection_id == number, c.state == "chosen").distinct()
    return list(connection.execute(query).scalars())


def count_open(connection: Connection, number: int) -> int:
    """How many conflicts wait for a person."""
    c = conflicts.c
    query = select(func.count()).where(c.connection_id == number, c.state == "open")
    return int(connection.execute(query).scalar_one())


def list_conflicts(
    connection: Connection, limit: int, *, number: int | None = None, state: str = "", before: int | None = None
) -> list[Conflict]:
    """The newest first; of one connection or of all."""
    c = conflicts.c
    query: Select[Any] = select(*_CONFLICT).order_by(c.id.desc()).limit(limit)
    for wanted in (
        None if number is None else c.connection_id == number,
        c.state == state if state else None,
        None if before is None else c.id < before,
    ):
        query = query if wanted is None else query.where(wanted)
    return [Conflict(**row._mapping) for row in connection.execute(query)]


def get_conflict(connection: Connection, number: int) -> Conflict:
    row = connection.execute(select(*_CONFLICT).where(conflicts.c.id == number)).first()
    if row is None:
        raise NoSuchConflict(f"There is no conflict {number}.", f"No hay ningún conflicto {number}.")
    return Conflict(**row._mapping)


def set_conflict(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(conflicts).where(conflicts.c.id == number).values(**values))


def forget_person(connection: Connection, contact: int) -> None:
    """Leave nothing of what conflicts, plans, outcomes and calls hold of a person."""
    mine = select(links.c.connection_id).where(links.c.contact_id == contact)
    records = select(links.c.remote_id).where(links.c.contact_id == contact, links.c.remote_id.is_not(None))
    i = sync_plan_items.c
    connection.execute(delete(conflicts).where(conflicts.c.contact_id == contact))
    connection.execute(delete(sync_plan_items).where(or_(i.contact_id == contact, i.remote_id.in_(records))))
    connection.execute(update(sync_outcomes).where(sync_outcomes.c.contact_id == contact).values(said=None))
    connection.execute(delete(calls).where(calls.c.error.is_not(None), calls.c.connection_id.in_(mine)))
