"""Pairs of contacts that may be one person, which a person decides about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from warehouse.tables import candidate_pairs, contacts

_A, _B = contacts.alias("a"), contacts.alias("b")
_NAMES = ("id", "display_name", "phone", "email")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of a pair, as far as it takes to tell who it is."""

    id: int
    display_name: str | None
    phone: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """Two contacts, the older one first, and why they may be one."""

    older: Candidate
    newer: Candidate
    reason: str
    batch_id: int | None
    at: datetime


def open_pairs(connection: Connection, limit: int, after: int = 0) -> list[CandidatePair]:
    """The next pairs whose newer contact has a higher number; never a part of those of one contact."""
    p = candidate_pairs.c
    named = [one.c[name].label(f"{one.name}_{name}") for one in (_A, _B) for name in _NAMES]
    query = _waiting(p.reason, p.batch_id, p.at, *named).order_by(p.contact_b, p.contact_a)
    rows = connection.execute(query.where(p.contact_b > after).limit(limit)).all()
    if len(rows) == limit:
        last = rows[-1].b_id
        rows = [row for row in rows if row.b_id < last]
        rows += connection.execute(query.where(p.contact_b == last)).all()
    found = []
    for row in rows:
        older, newer = (Candidate(*(row._mapping[f"{one}_{name}"] for name in _NAMES)) for one in "ab")
        found.append(CandidatePair(older, newer, row.reason, row.batch_id, row.at))
    return found


def waiting_pairs(connection: Connection) -> int:
    """How many pairs of contacts that may be one wait for somebody to look at them."""
    return int(connection.execute(_waiting(func.count())).scalar_one())


def _waiting(*columns: ColumnElement[Any]) -> Select[Any]:
    """Of those that nobody decided about; who is archived or gone is nobody's double."""
    p, here = candidate_pairs.c, ("active", "inactive", "blocked")
    query: Select[Any] = select(*columns).select_from(candidate_pairs)
    query = query.join(_A, _A.c.id == p.contact_a).join(_B, _B.c.id == p.contact_b).where(p.state == "open")
    return query.where(*(one.c.deleted_at.is_(None) & one.c.status.in_(here) for one in (_A, _B)))


def set_pair(connection: Connection, numbers: Sequence[int], state: str) -> bool:
    """Keep what was decided about a pair; whether there is such a pair."""
    p, (low, high) = candidate_pairs.c, sorted(numbers)
    found = update(candidate_pairs).where(p.contact_a == low, p.contact_b == high).values(state=state)
    return bool(connection.execute(found).rowcount)
