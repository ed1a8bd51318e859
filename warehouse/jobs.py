"""Jobs: long work that somebody asked for, its state, and the lease that says who works on it.

waiting → running → done, failed or cancelled. As with batches, a worker that dies loses its lease by time, and whoever
claims the job next goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, literal, or_, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.audit import Asked
from warehouse.batches import LeaseLost
from warehouse.job_tables import jobs
from warehouse.tables import UtcTime

OPEN = ("waiting", "running")
Progress = Callable[[int, int], None]
"""Told how much of a job is done, and of how much; what it raises stops the job between two of its parts."""


class NoSuchJob(InputError):
    """There is no job with this number."""


@dataclass(frozen=True, slots=True)
class Work:
    """A row of `jobs`."""

    id: int
    kind: str
    object: str
    actor: str
    address: str | None
    state: str
    done: int
    total: int
    message_en: str | None
    message_es: str | None
    result: Mapping[str, Any] | None
    cancelled_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int


_COLUMNS = tuple(jobs.c[name] for name in Work.__slots__)


def _work(row: Row[Any]) -> Work:
    return Work(**row._mapping)


def add_job(connection: Connection, values: Mapping[str, Any]) -> Work:
    number = bulk.take_ids(connection, "jobs", 1)
    row = insert(jobs).values(id=number, state="waiting", **values).returning(*_COLUMNS)
    return _work(connection.execute(row).one())


def ask(connection: Connection, kind: str, object_: str, asked: Asked, *, total: int = 0) -> Work:
    """A new job that somebody asks for."""
    values = {"kind": kind, "object": object_, "actor": asked.actor, "address": asked.address}
    return add_job(connection, {**values, "created_at": asked.at, "total": total})


def get_job(connection: Connection, number: int) -> Work:
    row = connection.execute(select(*_COLUMNS).where(jobs.c.id == number)).first()
    if row is None:
        raise NoSuchJob(f"There is no job {number}.", f"No hay ningún trabajo {number}.")
    return _work(row)


def lock_jobs(connection: Connection) -> None:
    """Take turns at asking for jobs; held to the end of the transaction."""
    bulk.take_ids(connection, "jobs", 0)


def open_job(connection: Connection, kind: str, object_: str) -> Work | None:
    """The job of this kind on this object that is not finished."""
    c = jobs.c
    query = select(*_COLUMNS).where(c.kind == kind, c.object == object_, c.state.in_(OPEN))
    row = connection.execute(query).first()
    return _work(row) if row else None


def newest_job(connection: Connection, kind: str, *states: str) -> Work | None:
    """The newest job of a kind that ended, or that is in one of these states."""
    return next(iter(newest_jobs(connection, kind, 1, *states)), None)


def newest_jobs(connection: Connection, kind: str, limit: int, *states: str) -> list[Work]:
    """Some of them, the newest first."""
    c = jobs.c
    query = select(*_COLUMNS).where(c.kind == kind, c.state.in_(states) if states else c.state.not_in(OPEN))
    return [_work(row) for row in connection.execute(query.order_by(c.id.desc()).limit(limit))]


def any_running(connection: Connection, kinds: Sequence[str]) -> bool:
    """Whether somebody works on a job of these kinds."""
    query = select(jobs.c.id).where(jobs.c.kind.in_(kinds), jobs.c.state == "running").limit(1)
    return connection.execute(query).first() is not None


def list_jobs(
    connection: Connection, limit: int, *, object_: str = "", is_open: bool | None = None, before: int | None = None
) -> list[Work]:
    """The newest jobs first, of one object or of all, open or finished or both; from those before a number on."""
    c = jobs.c
    query = select(*_COLUMNS).order_by(c.id.desc()).limit(limit)
    if object_:
        query = query.where(c.object == object_)
    if is_open is not None:
        query = query.where(c.state.in_(OPEN) if is_open else c.state.not_in(OPEN))
    if before is not None:
        query = query.where(c.id < before)
    return [_work(row) for row in connection.execute(query)]


def count_jobs(connection: Connection) -> dict[str, int]:
    """How many jobs are in each state."""
    query = select(jobs.c.state, func.count()).group_by(jobs.c.state)
    return dict(connection.execute(query).all())


def claim_job(connection: Connection, number: int, token: str, now: datetime, lease: timedelta) -> Work | None:
    """Take an unfinished job whose lease is free; None if somebody holds it or it is finished."""
    c = jobs.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    query = update(jobs).where(c.id == number, c.state.in_(OPEN), free)
    query = query.values(
        state="running",
        lease_token=token,
        lease_until=now + lease,
        attempts=c.attempts + 1,
        started_at=func.coalesce(c.started_at, literal(now, UtcTime())),
    )
    row = connection.execute(query.returning(*_COLUMNS)).first()
    return _work(row) if row else None


def advance(connection: Connection, number: int, token: str, until: datetime, done: int, total: int) -> str | None:
    """Note how far a job is and renew its lease; who cancelled it, if anybody. Raises LeaseLost."""
    c = jobs.c
    query = update(jobs).where(c.id == number, c.lease_token == token)
    held = connection.execute(query.values(lease_until=until, done=done, total=total).returning(c.cancelled_by)).first()
    if held is None:
        raise LeaseLost(f"job {number}")
    return None if held.cancelled_by is None else str(held.cancelled_by)


def finish_job(connection: Connection, number: int, token: str, values: Mapping[str, Any]) -> bool:
    """Set the final state and let go of the lease; False if it is another's by now."""
    query = update(jobs).where(jobs.c.id == number, jobs.c.lease_token == token)
    ended = query.values(lease_token=None, lease_until=None, **values).returning(jobs.c.id)
    return connection.execute(ended).first() is not None


def release_job(connection: Connection, number: int, token: str, until: datetime) -> None:
    """Let go of a job that can go on a little later."""
    query = update(jobs).where(jobs.c.id == number, jobs.c.lease_token == token)
    connection.execute(query.values(lease_token=None, lease_until=until, attempts=jobs.c.attempts - 1))


def cancel_job(connection: Connection, number: int, actor: str, now: datetime) -> Work:
    """Ask a job to stop; one that has not begun stops at once."""
    c = jobs.c
    asked = update(jobs).where(c.id == number, c.state.in_(OPEN))
    connection.execute(asked.values(cancelled_by=func.coalesce(c.cancelled_by, actor)))
    waiting = update(jobs).where(c.id == number, c.state == "waiting")
    connection.execute(waiting.values(state="cancelled", finished_at=now))
    return get_job(connection, number)


def jobs_to_wake(connection: Connection, now: datetime, quiet: timedelta, limit: int) -> list[int]:
    """Unfinished jobs that nobody works on and nobody was woken for of late; marks them woken."""
    c = jobs.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    sleepy = or_(c.woken_at.is_(None), c.woken_at <= now - quiet)
    query = select(c.id).where(and_(c.state.in_(OPEN), free, sleepy)).limit(limit)
    found = [int(number) for number in connection.execute(query).scalars()]
    if found:
        connection.execute(update(jobs).where(c.id.in_(found)).values(woken_at=now))
    return found
