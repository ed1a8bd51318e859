"""Batches: one run of one file, its state, and the lease that says who works on it.

waiting → running → applied → done, or rejected, needs_mapping; undone after `undo`. A worker that dies loses its
lease by time; whoever claims the batch next goes on after the last row that was applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Row, and_, case, func, insert, literal, or_, select, update

from schemas.errors import InputError
from schemas.reports import OUTCOMES as COUNTED
from schemas.reports import FileStatus
from schemas.sentences import Sentence
from warehouse import bulk
from warehouse.tables import UtcTime, batch_rows, batches

FILING: dict[str, FileStatus] = {"applied": "imported", "refused": "rejected", "parked": "needs_mapping"}
"""States in which only the file has still to be moved."""

UNFINISHED = ("waiting", "running", *FILING)
COUNTS = (*COUNTED, "warnings")
FILE, ACTIVITY, EDIT = "file", "activity", "edit"
"""What a batch is: one run of one file, of contacts or of interactions, or one edit of many contacts."""
FILES = (FILE, ACTIVITY)
OUTCOMES = pa.schema(
    [
        ("batch_id", pa.int64()),
        ("row", pa.int64()),
        ("contact_id", pa.int64()),
        ("outcome", pa.string()),
        ("into_row", pa.int64()),
        ("code", pa.string()),
    ]
)
"""What became of rows, as `insert_outcomes` takes it."""


class NoSuchBatch(InputError):
    """There is no batch with this number."""


class LeaseLost(Exception):
    """Another worker has taken the batch over; this one stops and writes nothing more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A row of `batches`."""

    id: int
    kind: str
    source: str
    profile: str
    profile_text: str | None
    folder: str | None
    file: str
    path: str
    claim: str | None
    sha256: str | None
    actor: str
    state: str
    message_en: str | None
    message_es: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    rows_read: int
    rows_done: int
    created: int
    updated: int
    unchanged: int
    merged: int
    rejected: int
    warnings: int
    reject_file: str | None
    cancelled_by: str | None

    @property
    def sentence(self) -> Sentence:
        """What is said of the batch."""
        return Sentence(self.message_en or "", self.message_es or "")


_COLUMNS = tuple(batches.c[name] for name in Batch.__slots__)


def _batch(row: Row[Any]) -> Batch:
    return Batch(**row._mapping)


def add_batch(connection: Connection, values: Mapping[str, Any], now: datetime) -> int | None:
    """Add a batch, waiting unless its state is given; None if its file was claimed already."""
    claim = values.get("claim")
    if claim is not None:
        bulk.lock_keys(connection)
        if connection.execute(select(batches.c.id).where(batches.c.claim == claim)).first():
            return None
    number = bulk.take_ids(connection, "batches", 1)
    connection.execute(insert(batches).values(id=number, created_at=now, **{"state": "waiting", **values}))
    return number


def known_claims(connection: Connection, names: list[str]) -> set[str]:
    """Which of these claimed files have a batch."""
    if not names:
        return set()
    return set(connection.execute(select(batches.c.claim).where(batches.c.claim.in_(names))).scalars())


def is_going_to(connection: Connection, path: str) -> bool:
    """Whether an unfinished batch is about to move its file to this path."""
    query = select(batches.c.id).where(batches.c.path == path, batches.c.state.in_(UNFINISHED)).limit(1)
    return connection.execute(query).first() is not None


def get_batch(connection: Connection, number: int) -> Batch:
    row = connection.execute(select(*_COLUMNS).where(batches.c.id == number)).first()
    if row is None:
        raise NoSuchBatch(
            f"There is no batch {number}. See the numbers with: padron batches list",
            f"No hay un lote {number}. Vea los números con: padron batches list",
        )
    return _batch(row)


def list_batches(
    connection: Connection, limit: int, before: int | None = None, *, state: str = "", file: str = ""
) -> list[Batch]:
    """The newest files first; from those before a number on, in this state, whose name has this text."""
    query = select(*_COLUMNS).where(batches.c.kind.in_(FILES)).order_by(batches.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(batches.c.id < before)
    if state:
        query = query.where(batches.c.state == state)
    if file:
        query = query.where(batches.c.file.icontains(file, autoescape=True))
    return [_batch(row) for row in connection.execute(query)]


def files_kept(connection: Connection) -> list[Batch]:
    """The finished batches whose file is still theirs: not dropped by retention, nor sent again as another batch."""
    c = batches.c
    where = (c.kind.in_(FILES), c.finished_at.is_not(None), c.dropped_at.is_(None), c.state != "retried")
    return [_batch(row) for row in connection.execute(select(*_COLUMNS).where(*where).order_by(c.id))]


def files_before(connection: Connection, before: datetime) -> list[Batch]:
    """The batches that were imported before a time and of which Padrón still keeps a file or a report."""
    c = batches.c
    ours = or_(c.folder.is_not(None), c.reject_file.is_not(None))
    imported = c.state.in_(("done", "undone"))
    where = (c.kind.in_(FILES), c.finished_at < before, c.dropped_at.is_(None), imported, ours)
    return [_batch(row) for row in connection.execute(select(*_COLUMNS).where(*where).order_by(c.id))]


def unfinished_of(connection: Connection, sha256: str, profile_text: str, path: str) -> int | None:
    """A batch by hand of the same file under the same profile that was cut off, to go on with."""
    query = select(batches.c.id).where(
        batches.c.sha256 == sha256,
        batches.c.profile_text == profile_text,
        batches.c.path == path,
        batches.c.claim.is_(None),
        batches.c.state.in_(UNFINISHED),
    )
    return connection.execute(query.order_by(batches.c.id.desc())).scalar()


def claim_batch(connection: Connection, number: int, token: str, now: datetime, lease: timedelta) -> Batch | None:
    """Take an unfinished batch whose lease is free; None if somebody holds it or it is finished."""
    free = or_(batches.c.lease_until.is_(None), batches.c.lease_until <= now)
    taken = connection.execute(
        update(batches)
        .where(batches.c.id == number, batches.c.state.in_(UNFINISHED), free)
        .values(
            state=case((batches.c.state == "waiting", "running"), else_=batches.c.state),
            lease_token=token,
            lease_until=now + lease,
            attempts=batches.c.attempts + 1,
            started_at=func.coalesce(batches.c.started_at, literal(now, UtcTime())),
        )
        .returning(batches.c.id)
    ).scalar()
    return None if taken is None else get_batch(connection, number)


def hold_lease(connection: Connection, number: int, token: str, until: datetime) -> str | None:
    """Renew the lease inside the caller's transaction; who cancelled the batch, if anybody. Raises LeaseLost."""
    held = connection.execute(
        update(batches)
        .where(batches.c.id == number, batches.c.lease_token == token)
        .values(lease_until=until)
        .returning(batches.c.cancelled_by)
    ).first()
    if held is None:
        raise LeaseLost(f"batch {number}")
    return None if held.cancelled_by is None else str(held.cancelled_by)


def cancel_batch(connection: Connection, number: int, actor: str) -> bool:
    """Ask an import to stop before its next slice; False if it is past that."""
    c = batches.c
    query = update(batches).where(c.id == number, c.state.in_(("waiting", "running")))
    stopping = query.values(cancelled_by=func.coalesce(c.cancelled_by, actor)).returning(c.id)
    return connection.execute(stopping).first() is not None


def end_abandoned(connection: Connection, number: int, now: datetime, sentence: Sentence) -> None:
    """Close a cancelled import by hand that nobody works on: no worker would ever look at it."""
    c = batches.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    query = update(batches).where(c.id == number, c.folder.is_(None), c.state.in_(("waiting", "running")), free)
    connection.execute(query.values(state="rejected", finished_at=now, **said(sentence)))


def said(sentence: Sentence) -> dict[str, str | None]:
    """The columns that keep what is said of a batch."""
    return {"message_en": sentence.en or None, "message_es": sentence.es or None}


def set_batch(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(batches).where(batches.c.id == number).values(**values))


def take_for_retry(connection: Connection, number: int) -> bool:
    """Say of a rejected or parked batch that it is sent again; False if it is neither, or somebody else did."""
    c = batches.c
    query = update(batches).where(c.id == number, c.state.in_(("rejected", "needs_mapping")), c.folder.is_not(None))
    return connection.execute(query.values(state="retried").returning(c.id)).first() is not None


def add_progress(connection: Connection, number: int, rows_done: int, counts: Mapping[str, int]) -> None:
    """Count a slice; progress also forgives earlier attempts."""
    sums = {name: batches.c[name] + counts.get(name, 0) for name in COUNTS}
    connection.execute(update(batches).where(batches.c.id == number).values(rows_done=rows_done, attempts=0, **sums))


def finish(connection: Connection, number: int, state: str, now: datetime, values: Mapping[str, Any]) -> None:
    """Set the final state and let go of the lease."""
    connection.execute(
        update(batches)
        .where(batches.c.id == number)
        .values(state=state, finished_at=now, lease_token=None, lease_until=None, **values)
    )


def to_wake(connection: Connection, now: datetime, quiet: timedelta, limit: int) -> list[int]:
    """Unfinished dropped files that nobody works on and nobody was woken for of late; marks them woken."""
    free = or_(batches.c.lease_until.is_(None), batches.c.lease_until <= now)
    sleepy = or_(batches.c.woken_at.is_(None), batches.c.woken_at <= now - quiet)
    where = and_(batches.c.state.in_(UNFINISHED), batches.c.claim.is_not(None), free, sleepy)
    found = [int(number) for number in connection.execute(select(batches.c.id).where(where).limit(limit)).scalars()]
    if found:
        connection.execute(update(batches).where(batches.c.id.in_(found)).values(woken_at=now))
    return found


def any_half_done(connection: Connection) -> bool:
    """Whether a dropped or sent file was begun and is not put away yet."""
    c = batches.c
    query = select(c.id).where(c.state.in_(("running", *FILING)), c.claim.is_not(None)).limit(1)
    return connection.execute(query).first() is not None


def count_running(connection: Connection, now: datetime) -> int:
    """How many batches somebody works on at the moment."""
    query = select(func.count()).select_from(batches).where(batches.c.lease_until > now)
    return int(connection.execute(query).scalar() or 0)


def insert_outcomes(connection: Connection, rows: pa.Table) -> None:
    """Write outcomes (OUTCOMES)."""
    plain = pc.and_(pc.is_null(rows["into_row"]), pc.is_null(rows["code"]))
    for part in (plain, pc.invert(plain)):
        bulk.insert_rows(connection, batch_rows, rows.filter(part))


def outcome_rows(
    connection: Connection, number: int, codes: tuple[str, ...], bounds: tuple[int, int] | None = None
) -> pa.Table:
    """The rows that got one of these codes while merging: row, code (its place in `codes`), rejected (0 or 1)."""
    schema = pa.schema([("row", pa.int64()), ("code", pa.int8()), ("rejected", pa.int8())])
    c = batch_rows.c
    place = case({code: place for place, code in enumerate(codes)}, value=c.code)
    rejected = case((c.outcome == "rejected", 1), else_=0)
    query = select(c.row, place.label("code"), rejected.label("rejected")).order_by(c.row)
    query = query.where(c.batch_id == number, c.code.in_(codes))
    return bulk.fetch_rows(connection, query.where(c.row.between(*bounds)) if bounds else query, schema)


def rejected_rows(connection: Connection, number: int) -> list[int]:
    """The rows of a batch that were not taken, so far as they were applied."""
    c = batch_rows.c
    query = select(c.row).where(c.batch_id == number, c.outcome == "rejected").order_by(c.row)
    return list(connection.execute(query).scalars())


def contacts_of(connection: Connection, number: int, outcome: str | None = None) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The contacts that rows of a batch went to, those with this outcome."""
    query = select(batch_rows.c.contact_id).where(batch_rows.c.batch_id == number, batch_rows.c.contact_id.is_not(None))
    query = query.where(batch_rows.c.outcome == outcome) if outcome else query
    return np.unique(np.array(list(connection.execute(query).scalars()), np.int64))


def count_states(connection: Connection) -> dict[str, int]:
    """How many batches are in each state."""
    query = select(batches.c.state, func.count()).group_by(batches.c.state)
    return dict(connection.execute(query).all())
