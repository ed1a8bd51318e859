"""Segments: a named filter, list or picture, its stored members, and who works on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    and_,
    case,
    delete,
    except_,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    union,
    union_all,
    update,
)

from schemas.errors import InputError
from warehouse import bulk
from warehouse.batches import LeaseLost
from warehouse.segment_tables import (
    interactions,
    segment_events,
    segment_members,
    segment_pins,
    segment_runs,
    segments,
)
from warehouse.tables import contact_changes, contacts

CANDIDATES = Table("segment_candidates", MetaData(), Column("id", BigInteger), prefixes=["TEMPORARY"])
_MOST_NAMED = 50_000
_IDS = pa.schema([("id", pa.int64())])
_MOVES = pa.schema([("id", pa.int64()), ("joined", pa.int64())])


class NoSuchSegment(InputError):
    """There is no segment with this number."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A row of `segments`."""

    id: int
    name: str
    form: str
    kind: str
    description: str | None
    filter_text: str | None
    origin: str
    schedule: str | None
    next_at: datetime | None
    version: int
    filter_version: int
    refreshed_version: int | None
    watermark: int
    interaction_watermark: int
    event_watermark: int
    zone: str | None
    as_of: datetime | None
    size: int
    took_ms: int | None
    failures: int
    error_en: str | None
    error_es: str | None
    cancelled_by: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `segment_runs`: one refresh."""

    id: int
    segment_id: int
    at: datetime
    took_ms: int
    how: str
    candidates: int | None
    joined: int
    left: int
    size: int
    error_en: str | None
    error_es: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `segment_events`: a contact joined or left."""

    id: int
    contact_id: int
    joined: bool
    at: datetime
    run_id: int | None


_COLUMNS = tuple(segments.c[name] for name in Segment.__slots__)


def get_segment(connection: Connection, number: int) -> Segment:
    row = connection.execute(select(*_COLUMNS).where(segments.c.id == number, segments.c.archived_at.is_(None))).first()
    if row is None:
        raise NoSuchSegment(f"There is no segment {number}.", f"No hay ningún segmento {number}.")
    return Segment(**row._mapping)


def all_segments(connection: Connection) -> list[Segment]:
    query = select(*_COLUMNS).where(segments.c.archived_at.is_(None)).order_by(segments.c.id)
    return [Segment(**row._mapping) for row in connection.execute(query)]


def add_segment(connection: Connection, values: Mapping[str, Any]) -> int:
    number = bulk.take_ids(connection, "segments", 1)
    connection.execute(insert(segments).values(id=number, **values))
    return number


def set_segment(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(segments).where(segments.c.id == number).values(**values))


def drop_segment(connection: Connection, number: int, now: datetime) -> None:
    """Take a segment away, with its members; its name is free again, its runs and events stay."""
    gone = {"archived_at": now, "form": f"{number}\x1d", "next_at": None}
    connection.execute(update(segments).where(segments.c.id == number).values(**gone))
    for table in (segment_members, segment_pins):
        connection.execute(delete(table).where(table.c.segment_id == number))


# ── who refreshes ────────────────────────────────────────────────────────────────────────────────────────────────


def due_segments(connection: Connection, now: datetime, limit: int) -> list[int]:
    """The segments that are to be refreshed by now, the longest due first."""
    c = segments.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    query = select(c.id).where(c.next_at <= now, c.archived_at.is_(None), free).order_by(c.next_at, c.id).limit(limit)
    return list(connection.execute(query).scalars())


def claim_segment(connection: Connection, number: int, token: str, now: datetime, until: datetime) -> Segment | None:
    """Take the right to refresh a segment; None where somebody else has it."""
    c = segments.c
    free = or_(c.lease_until.is_(None), c.lease_until <= now)
    claim = update(segments).where(c.id == number, c.archived_at.is_(None), free)
    values = {"lease_token": token, "lease_until": until, "cancelled_by": None}
    row = connection.execute(claim.values(**values).returning(*_COLUMNS)).first()
    return Segment(**row._mapping) if row else None


def hold_segment(connection: Connection, number: int, token: str, until: datetime) -> str | None:
    """Renew the lease; who cancelled the refresh, if anybody. Raises LeaseLost."""
    c = segments.c
    held = update(segments).where(c.id == number, c.lease_token == token, c.archived_at.is_(None))
    held = held.values(lease_until=until)
    row = connection.execute(held.returning(c.cancelled_by)).first()
    if row is None:
        raise LeaseLost
    return None if row[0] is None else str(row[0])


def cancel_refresh(connection: Connection, number: int, actor: str, now: datetime) -> bool:
    """Ask a refresh that is under way to stop; False where none is."""
    c = segments.c
    query = update(segments).where(c.id == number, c.lease_until > now).values(cancelled_by=actor)
    return connection.execute(query.returning(c.id)).first() is not None


# ── who is in ────────────────────────────────────────────────────────────────────────────────────────────────────


def ids_in(connection: Connection, query: Select[Any]) -> Any:
    """The ids that a query finds, as a sorted numpy array."""
    found = bulk.fetch_rows(connection, query, _IDS)["id"].combine_chunks().sort()
    return found.to_numpy()


def moves(connection: Connection, number: int, wanted: Select[Any], among: Table | None) -> tuple[list[int], list[int]]:
    """Who is wanted, or pinned, and no member yet; and who is a member and wanted no more, or pinned out."""
    p = segment_pins.c
    pins = select(p.contact_id.label("id")).where(p.segment_id == number)
    if connection.execute(pins.limit(1)).first() is not None:
        always = pins.join_from(segment_pins, contacts, contacts.c.id == p.contact_id)
        always = always.where(p.is_in.is_(True), contacts.c.deleted_at.is_(None))
        with_pins = union(select(wanted.subquery().c.id), always).subquery()
        never = pins.where(p.is_in.is_(False)).subquery()
        wanted = select(except_(select(with_pins.c.id), select(never.c.id)).subquery().c.id)
    now, then = wanted.cte("now_in").prefix_with("MATERIALIZED"), members_query(number, among).cte("then_in")
    joined = except_(select(now.c.id), select(then.c.id)).subquery()
    left = except_(select(then.c.id), select(now.c.id)).subquery()
    both = union_all(select(joined.c.id, literal(1).label("joined")), select(left.c.id, literal(0))).subquery()
    rows = bulk.fetch_rows(connection, select(both.c.id, both.c.joined), _MOVES).sort_by("id")
    ids, came = rows["id"].to_numpy(), rows["joined"].to_numpy() == 1
    return ids[came].tolist(), ids[~came].tolist()


def members_query(number: int, among: Table | None = None) -> Select[Any]:
    """The stored members of a segment, of those in the table `among` only, if given."""
    m = segment_members.c
    query = select(m.contact_id.label("id")).where(m.segment_id == number)
    return query if among is None else query.where(m.contact_id.in_(select(among.c.id)))


def pinned(connection: Connection, number: int) -> dict[int, bool]:
    """The contacts that are always (True) or never (False) in."""
    p = segment_pins.c
    query = select(p.contact_id, p.is_in).where(p.segment_id == number)
    return {int(contact): bool(is_in) for contact, is_in in connection.execute(query)}


def pin_contact(connection: Connection, number: int, contact: int, *, is_in: bool, actor: str, at: datetime) -> None:
    unpin_contact(connection, number, contact)
    values = {"segment_id": number, "contact_id": contact, "is_in": is_in, "actor": actor, "at": at}
    connection.execute(insert(segment_pins).values(**values))


def unpin_contact(connection: Connection, number: int, contact: int) -> None:
    p = segment_pins.c
    connection.execute(delete(segment_pins).where(p.segment_id == number, p.contact_id == contact))


def size_of(connection: Connection, number: int) -> int:
    """How many members there are, as those who joined and left were counted."""
    return int(connection.execute(select(segments.c.size).where(segments.c.id == number)).scalar_one())


def living_among(connection: Connection, ids: Iterable[int]) -> set[int]:
    wanted, found = sorted(set(ids)), set[int]()
    for start in range(0, len(wanted), _MOST_NAMED):
        part = bulk.is_among(connection, contacts.c.id, wanted[start : start + _MOST_NAMED])
        found |= set(connection.execute(select(contacts.c.id).where(part, contacts.c.deleted_at.is_(None))).scalars())
    return found


def keep_candidates(connection: Connection, queries: Sequence[Select[Any]], more: Iterable[int]) -> int:
    """Keep the contacts that may have joined or left in `CANDIDATES`; how many there are."""
    CANDIDATES.drop(connection, checkfirst=True)
    CANDIDATES.create(connection)
    if queries:
        # set apart, as SQLite would else walk a whole index to find few numbers without repetition
        found = union_all(*queries).cte("moved").prefix_with("MATERIALIZED")
        connection.execute(insert(CANDIDATES).from_select(["id"], select(found.c.id).distinct()))
    if new := list(more):
        connection.execute(insert(CANDIDATES), [{"id": one} for one in new])
    if bulk.is_postgresql(connection):
        bulk.refresh_statistics(connection, [CANDIDATES])
    return int(connection.execute(select(func.count()).select_from(CANDIDATES)).scalar_one())


def changed_since(change: int) -> Select[Any]:
    """The contacts that were changed after a change."""
    return select(contact_changes.c.contact_id.label("id")).where(contact_changes.c.id > change)


def happened_since(interaction: int) -> Select[Any]:
    """The contacts with whom something happened that was noted after an interaction."""
    return select(interactions.c.contact_id.label("id")).where(interactions.c.id > interaction)


def moved_in(numbers: Iterable[int], event: int) -> Select[Any]:
    """The contacts that joined or left these segments after an event."""
    e = segment_events.c
    return select(e.contact_id.label("id")).where(e.segment_id.in_(list(numbers)), e.id > event)


def last_ids(connection: Connection) -> tuple[int, int, int]:
    """The newest change, interaction and event of a segment, as this view of the store has them."""
    columns = (contact_changes.c.id, interactions.c.id, segment_events.c.id)
    change, interaction, event = (connection.execute(select(func.max(one))).scalar() or 0 for one in columns)
    return int(change), int(interaction), int(event)


def lock_segments(connection: Connection, numbers: Iterable[int]) -> None:
    """Keep others from moving members of these segments to the end of the transaction."""
    query = select(segments.c.id).where(segments.c.id.in_(sorted(numbers))).order_by(segments.c.id)
    connection.execute(query.with_for_update()).all()


def move_members(
    connection: Connection, number: int, joined: Sequence[int], left: Sequence[int], at: datetime, run: int | None
) -> tuple[list[int], list[int]]:
    """Let contacts join and leave, each with its event; the size follows. Who did: not the dead, and nobody twice."""
    lock_segments(connection, [number])
    members = _members_among(connection, number, [*joined, *left])
    joined = sorted(living_among(connection, joined) - members)
    left = sorted(members.intersection(left))
    if len(left):
        keys = pa.table({"segment_id": [number] * len(left), "contact_id": pa.array(left, pa.int64())})
        bulk.delete_rows(connection, segment_members, keys)
    stamps = pa.array([at] * len(joined), bulk.STAMP)
    rows = {"segment_id": [number] * len(joined), "contact_id": pa.array(joined, pa.int64()), "since": stamps}
    if len(joined):
        bulk.insert_rows(connection, segment_members, pa.table(rows))
    count = len(joined) + len(left)
    first = bulk.take_ids(connection, "segment_events", count)
    events = {
        "id": pa.array(range(first, first + count)),
        "segment_id": pa.array([number] * count),
        "contact_id": pa.array([*joined, *left], pa.int64()),
        "joined": pa.array([True] * len(joined) + [False] * len(left)),
        "at": pa.array([at] * count, bulk.STAMP),
        "run_id": pa.array([run] * count, pa.int64()),
    }
    if count:
        bulk.insert_rows(connection, segment_events, pa.table(events))
        grown = segments.c.size + len(joined) - len(left)
        connection.execute(update(segments).where(segments.c.id == number).values(size=grown))
    return joined, left


def _members_among(connection: Connection, number: int, ids: Sequence[int]) -> set[int]:
    m, found = segment_members.c, set[int]()
    for start in range(0, len(ids), _MOST_NAMED):
        part = bulk.is_among(connection, m.contact_id, ids[start : start + _MOST_NAMED])
        found |= set(connection.execute(select(m.contact_id).where(m.segment_id == number, part)).scalars())
    return found


def know_members(connection: Connection) -> None:
    """Let the planner know of a segment that many joined at once."""
    bulk.refresh_statistics(connection, [segment_members])


def add_run(connection: Connection, values: Mapping[str, Any]) -> Run:
    row = insert(segment_runs).values(**values).returning(*(segment_runs.c[name] for name in Run.__slots__))
    return Run(**connection.execute(row).one()._mapping)


def runs_of(connection: Connection, number: int, limit: int, before: int | None = None) -> list[Run]:
    """The refreshes of a segment, the newest first."""
    r = segment_runs.c
    query = (
        select(*(r[name] for name in Run.__slots__)).where(r.segment_id == number).order_by(r.id.desc()).limit(limit)
    )
    query = query if before is None else query.where(r.id < before)
    return [Run(**row._mapping) for row in connection.execute(query)]


def growth_of(connection: Connection, number: int) -> list[tuple[datetime, int]]:
    """The size of a segment after each moment at which somebody joined or left."""
    e = segment_events.c
    came = func.sum(case((e.joined, 1), else_=-1))
    query = select(e.at, came).where(e.segment_id == number).group_by(e.at).order_by(e.at)
    size, found = 0, []
    for at, moved in connection.execute(query):
        size += int(moved)
        found.append((at, size))
    return found


def events_of(connection: Connection, number: int, limit: int, before: int | None = None) -> list[Event]:
    """Who joined and left, the newest first."""
    e = segment_events.c
    query = select(*(e[name] for name in Event.__slots__)).where(e.segment_id == number).order_by(e.id.desc())
    query = query.limit(limit) if before is None else query.where(e.id < before).limit(limit)
    return [Event(**row._mapping) for row in connection.execute(query)]


def members_at(connection: Connection, number: int, event: int, after: int, limit: int) -> list[int]:
    """The members as they were at an event, by their ids from one on: pages of it fit together whatever moves since."""
    m, e, later = segment_members.c, segment_events.c, segment_events.alias("later")
    moved = exists().where(e.segment_id == number, e.contact_id == m.contact_id, e.id > event)
    stayed = select(m.contact_id.label("id")).where(m.segment_id == number, m.contact_id > after, ~moved)
    before = exists().where(
        later.c.segment_id == number, later.c.contact_id == e.contact_id, later.c.id > event, later.c.id < e.id
    )
    gone = select(e.contact_id.label("id")).where(
        and_(e.segment_id == number, e.id > event, e.joined.is_(False), e.contact_id > after, ~before)
    )
    both = union(stayed.order_by(m.contact_id).limit(limit).subquery().select(), gone).subquery()
    return list(connection.execute(select(both.c.id).order_by(both.c.id).limit(limit)).scalars())
