"""Writing what happened with contacts: each once by its source and id, with the counters that follow."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from warehouse import bulk
from warehouse.segment_tables import interactions
from warehouse.tables import contacts

COUNTED = ("sent", "received", "replied")
"""Kinds that a contact has a counter for."""
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
    """Let the counters and the last interaction of the contacts follow."""
    changes: dict[int, dict[str, Any]] = {}
    for row in rows:
        change = changes.setdefault(row["contact_id"], {**dict.fromkeys(COUNTED, 0), "at": row["at"]})
        change["at"] = max(change["at"], row["at"])
        if row["kind"] in COUNTED:
            change[row["kind"]] += 1
    if not changes:
        return
    c, at = contacts.c, bindparam("b_at", type_=contacts.c.last_interaction_at.type)
    later = or_(c.last_interaction_at.is_(None), c.last_interaction_at < at)
    values = {name: c[name] + bindparam(f"b_{name}") for name in COUNTED}
    moved = case((later, at), else_=c.last_interaction_at)
    statement = (
        update(contacts).where(c.id == bindparam("b_id")).values(**values, last_interaction_at=moved, applied=None)
    )
    bound = [{"b_id": n, **{f"b_{name}": value for name, value in changes[n].items()}} for n in sorted(changes)]
    connection.execute(statement, bound)
