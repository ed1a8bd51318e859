"""Licences and their seats: who may be signed in at a time, and who was."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from schemas.errors import InputError
from schemas.operators import Holding, Kind
from warehouse import bulk
from warehouse.access_tables import licences, operators, seats


class NoSuchLicence(InputError):
    """There is no licence with this number."""


@dataclass(frozen=True, slots=True)
class Licence:
    """A row of `licences`."""

    id: int
    name: str
    kind: Kind
    holding: Holding
    seats: int
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime
    version: int

    def is_valid(self, now: datetime) -> bool:
        return (self.valid_from or now) <= now and (self.valid_until is None or now < self.valid_until)


@dataclass(frozen=True, slots=True)
class Seat:
    """A row of `seats`."""

    id: int
    licence_id: int
    operator_id: int
    claimed_at: datetime
    lease_until: datetime | None
    ended_at: datetime | None
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a seat, since when, and when it is free unless its operator is heard of before."""

    operator_id: int
    name: str
    since: datetime
    free_at: datetime | None


_LICENCE = tuple(licences.c[name] for name in Licence.__slots__)
_SEAT = tuple(seats.c[name] for name in Seat.__slots__)


def add_licence(connection: Connection, values: Mapping[str, Any], now: datetime) -> int:
    number = bulk.take_ids(connection, "licences", 1)
    connection.execute(insert(licences).values(id=number, created_at=now, **values))
    return number


def get_licence(connection: Connection, number: int) -> Licence:
    row = connection.execute(select(*_LICENCE).where(licences.c.id == number)).first()
    if row is None:
        raise NoSuchLicence(f"There is no licence {number}.", f"No hay ninguna licencia {number}.")
    return Licence(**row._mapping)


def all_licences(connection: Connection) -> list[Licence]:
    return [Licence(**row._mapping) for row in connection.execute(select(*_LICENCE).order_by(licences.c.id))]


def is_name_taken(connection: Connection, name_match: str) -> bool:
    return connection.execute(select(licences.c.id).where(licences.c.name_match == name_match)).first() is not None


def set_licence(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    query = update(licences).where(licences.c.id == number)
    connection.execute(query.values(**values, version=licences.c.version + 1))


# ── seats ────────────────────────────────────────────────────────────────────────────────────────────────────────


def lock_licence(connection: Connection, number: int) -> Licence:
    """Take turns at this licence's seats, to the end of the transaction, of which this is the first statement."""
    connection.execute(update(licences).where(licences.c.id == number).values(claims=licences.c.claims + 1))
    return get_licence(connection, number)


def end_silent(connection: Connection, licence_id: int, now: datetime) -> None:
    """Free the seats whose operators have been silent for too long."""
    c = seats.c
    silent = and_(c.licence_id == licence_id, c.ended_at.is_(None), c.lease_until <= now)
    connection.execute(update(seats).where(silent).values(ended_at=c.lease_until, end_reason="expired"))


def taken_seats(connection: Connection, licence_id: int) -> list[Seat]:
    """The seats that are taken, the one that may be free first before the others."""
    c = seats.c
    query = select(*_SEAT).where(c.licence_id == licence_id, c.ended_at.is_(None))
    return [Seat(**row._mapping) for row in connection.execute(query.order_by(c.lease_until.nulls_last(), c.id))]


def holders(connection: Connection, licence_id: int, now: datetime) -> list[Holder]:
    """Who has the seats of a licence now, the one that may be free first before the others."""
    s, o = seats.c, operators.c
    live = and_(s.licence_id == licence_id, s.ended_at.is_(None), or_(s.lease_until.is_(None), s.lease_until > now))
    query = select(o.id, o.first_name, o.last_name, s.claimed_at, s.lease_until).join(seats, s.operator_id == o.id)
    rows = connection.execute(query.where(live).order_by(s.lease_until.nulls_last(), s.id))
    return [Holder(number, f"{first} {last}".strip(), since, until) for number, first, last, since, until in rows]


def count_taken(connection: Connection, now: datetime) -> dict[str, tuple[int, int]]:
    """Of each licence by name: the seats that were bought, and those that are taken."""
    s, c = seats.c, licences.c
    live = and_(s.licence_id == c.id, s.ended_at.is_(None), or_(s.lease_until.is_(None), s.lease_until > now))
    query = select(c.name, c.seats, func.count(s.id)).outerjoin(seats, live).group_by(c.id, c.name, c.seats)
    return {name: (bought, taken) for name, bought, taken in connection.execute(query.order_by(c.id))}


def seat_of(connection: Connection, operator_id: int) -> Seat | None:
    """The seat that the operator has."""
    row = connection.execute(
        select(*_SEAT).where(seats.c.operator_id == operator_id, seats.c.ended_at.is_(None))
    ).first()
    return Seat(**row._mapping) if row else None


def take_seat(
    connection: Connection, licence_id: int, operator_id: int, now: datetime, lease_until: datetime | None
) -> int:
    number = bulk.take_ids(connection, "seats", 1)
    row = {"id": number, "licence_id": licence_id, "operator_id": operator_id, "claimed_at": now}
    connection.execute(insert(seats).values(**row, lease_until=lease_until))
    return number


def renew_seat(connection: Connection, number: int, lease_until: datetime) -> None:
    """Keep a floating seat at least until then."""
    c = seats.c
    kept = and_(c.id == number, c.ended_at.is_(None), c.lease_until < lease_until)
    connection.execute(update(seats).where(kept).values(lease_until=lease_until))


def end_seat(connection: Connection, number: int, now: datetime, reason: str) -> None:
    c = seats.c
    connection.execute(
        update(seats).where(c.id == number, c.ended_at.is_(None)).values(ended_at=now, end_reason=reason)
    )


def seats_between(connection: Connection, licence_id: int, start: datetime, end: datetime) -> list[Seat]:
    """The seats that were taken at some time of a period: what an invoice goes by."""
    c = seats.c
    inside = and_(c.licence_id == licence_id, c.claimed_at < end, or_(c.ended_at.is_(None), c.ended_at > start))
    return [Seat(**row._mapping) for row in connection.execute(select(*_SEAT).where(inside).order_by(c.claimed_at))]
