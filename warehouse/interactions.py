"""Writing what happened with contacts: each once by its source and id, with the counters that follow."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from warehouse import bulk
from warehouse.segment_tables import interactions
from warehouse.tables import contacts

COUNTED = ("sent", "received", "replied")
"""Kinds that a contact has a counter for."""
LAST_AT = {"sent": "last_sent_at", "received": "last_received_at"}
"""Kinds of which a contact knows the last time."""
_LAST_TIMES = ("last_interaction_at", *LAST_AT.values())
_CHUNK = 5_000


def add_interactions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Note what happened, but for what is known by its source and id; the places of what was new."""
    if not rows:
        return []
    first = bulk.take_ids(connection, "interactions", len(rows))
    numbered = [{**row, "id": first + at} for at, row in enumerate(rows)]
    insert = postgresql.insert if bulk.is_postgresql(connection) else sqlite.insert
    new: set[int] = set()
    statement = insert(interactions).on_conflict_do_nothing().returning(interactions.c.id)
    for start in range(0, len(numbered), _CHUNK):
        new |= set(connection.execute(statement, numbered[start : start + _CHUNK]).scalars())
    return sorted(number - first for number in new)


def count_interactions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let the counters and the last times of the contacts follow."""
    changes: dict[int, dict[str, Any]] = {}
    for row in rows:
        change = changes.setdefault(row["contact_id"], {**dict.fromkeys(COUNTED, 0), **dict.fromkeys(_LAST_TIMES)})
        for name in {"last_interaction_at", LAST_AT.get(row["kind"], "last_interaction_at")}:
            change[name] = max(change[name] or row["at"], row["at"])
        if row["kind"] in COUNTED:
            change[row["kind"]] += 1
    if not changes:
        return
    c = contacts.c
    values = {name: c[name] + bindparam(f"b_{name}") for name in COUNTED}
    values |= {name: _later(c[name], bindparam(f"b_{name}", type_=c[name].type)) for name in _LAST_TIMES}
    statement = update(contacts).where(c.id == bindparam("b_id")).values(**values, applied=None)
    bound = [{"b_id": n, **{f"b_{name}": value for name, value in changes[n].items()}} for n in sorted(changes)]
    connection.execute(statement, bound)


def _later(kept: ColumnElement[Any], new: ColumnElement[Any]) -> ColumnElement[Any]:
    """The later of two times, either of which may be missing."""
    return case((or_(kept.is_(None), kept < new), new), else_=kept)
