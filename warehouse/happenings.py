"""Writing what happened with contacts: each once by its source and id, with the counters that follow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from warehouse import bulk
from warehouse.matches import OWN
from warehouse.segment_tables import interactions
from warehouse.tables import contact_keys, contacts

COUNTED = ("sent", "received", "replied")
"""Kinds that a contact has a counter for."""
_CHUNK = 500


def owners_of(connection: Connection, kind: str, values: Iterable[str]) -> dict[str, int]:
    """The living contacts that own these keys of one kind."""
    found: dict[str, int] = {}
    k, wanted = contact_keys.c, sorted(set(values))
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        held = select(k.value, k.contact_id).join_from(contact_keys, contacts, contacts.c.id == k.contact_id)
        held = held.where(k.kind == kind, k.value.in_(part), k.role == "owner", contacts.c.deleted_at.is_(None))
        found.update({str(value): int(contact) for value, contact in connection.execute(held)})
        if kind in OWN:
            own = select(OWN[kind], contacts.c.id).where(OWN[kind].in_(part), contacts.c.deleted_at.is_(None))
            found.update({str(value): int(contact) for value, contact in connection.execute(own)})
    return found


def add_happenings(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Note what happened, but for what is known by its source and id; what was new."""
    if not rows:
        return []
    first = bulk.take_ids(connection, "interactions", len(rows))
    numbered = [{**row, "id": first + at} for at, row in enumerate(rows)]
    insert = postgresql.insert if bulk.is_postgresql(connection) else sqlite.insert
    new: set[int] = set()
    for start in range(0, len(numbered), _CHUNK):
        statement = insert(interactions).values(numbered[start : start + _CHUNK]).on_conflict_do_nothing()
        new |= set(connection.execute(statement.returning(interactions.c.id)).scalars())
    return [row for row in numbered if row["id"] in new]


def count_happenings(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
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
