"""Taking contacts off the roll for good.

Of those who are deleted, opt-outs and blocks stay with their addresses. Of those who are erased nothing stays but
keyed hashes of the keys that were theirs alone.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from schemas.consents import EVERY_CHANNEL, REACHED_BY
from schemas.folding import folded
from warehouse import bulk, jobs, segments
from warehouse.batches import EDIT
from warehouse.matches import OWN
from warehouse.segment_tables import interactions, segment_members, segment_pins
from warehouse.segment_tables import segments as all_segments
from warehouse.tables import (
    batch_rows,
    batches,
    candidate_pairs,
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    notes,
    opted_out_addresses,
    suppressions,
)

CHECK = "check"
DELETED, ERASED = "delete", "erase"
"""The operations in the history that take a contact away."""
BY_HAND = 0
"""The batch of an address that a deletion keeps opted out."""
_CHUNK, _KEYS_AT_ONCE = 500, 20_000
_BELONGING = (contact_keys, contact_values, contact_tags, notes, consents)
OF_THE_LIVING = (*_BELONGING, interactions, segment_members, segment_pins)
"""Tables that have nothing of who is not on the roll."""
EMPTY: dict[str, Any] = {
    **{column.name: None for column in contacts.columns if column.nullable},
    **dict.fromkeys(("sent", "received", "replied"), 0),
    "status": "archived",
}


def remove(
    connection: Connection,
    ids: Sequence[int],
    actor: str,
    at: datetime,
    *,
    operation: str = DELETED,
    batch: int | None = None,
) -> None:
    """Take these living contacts off the roll, with all that belongs to them; the history says so, and segments follow.

    Callers hold the keys (`bulk.lock_keys`).
    """
    if not ids:
        return
    _leave_segments(connection, ids, at)
    for table in (*_BELONGING, interactions):
        connection.execute(delete(table).where(bulk.is_among(connection, table.c.contact_id, ids)))
    connection.execute(delete(segment_pins).where(bulk.is_among(connection, segment_pins.c.contact_id, ids)))
    for column in (candidate_pairs.c.contact_a, candidate_pairs.c.contact_b):
        connection.execute(delete(candidate_pairs).where(bulk.is_among(connection, column, ids)))
    gone = update(contacts).where(bulk.is_among(connection, contacts.c.id, ids))
    connection.execute(gone.values(**{**EMPTY, "deleted_at": at}, version=contacts.c.version + 1))
    first = bulk.take_ids(connection, "contact_changes", len(ids))
    said = {"actor": actor, "at": at, "operation": operation, "batch_id": batch}
    rows = [{"id": first + place, "contact_id": number, **said} for place, number in enumerate(ids)]
    connection.execute(insert(contact_changes), rows)


def _leave_segments(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """Asked segment by segment, as members are found by their segment first."""
    m = segment_members.c
    known = connection.execute(select(all_segments.c.id).order_by(all_segments.c.id)).scalars().all()
    segments.lock_segments(connection, known)
    left: dict[int, list[int]] = {}
    for number in known:
        query = select(m.contact_id).where(m.segment_id == number, bulk.is_among(connection, m.contact_id, ids))
        if members := list(connection.execute(query).scalars()):
            left[number] = members
    for number, members in left.items():
        segments.move_members(connection, number, [], members, at, None)


# ── deleted ──────────────────────────────────────────────────────────────────────────────────────────────────────


def keep_opt_outs(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """Keep of these contacts' addresses that nobody may write there: their opt-outs, and everything if blocked."""
    keep_addresses(connection, refused_addresses(connection, ids), at)


def all_refused(connection: Connection) -> set[tuple[str, str, str]]:
    """Kind, value and channel of every address that nobody may write to, of contacts and of rows."""
    c, a = consents.c, opted_out_addresses.c
    out = select(c.contact_id).where(c.state == "out")
    ids = connection.execute(out.union(select(contacts.c.id).where(contacts.c.status == "blocked"))).scalars()
    found = refused_addresses(connection, list(ids))
    return found | {
        (kind, value, channel) for kind, value, channel in connection.execute(select(a.kind, a.value, a.channel))
    }


def refused_addresses(connection: Connection, ids: Sequence[int]) -> set[tuple[str, str, str]]:
    """Kind, value and channel of the addresses of these contacts that nobody may write to."""
    c = consents.c
    out = select(c.contact_id, c.channel).where(bulk.is_among(connection, c.contact_id, ids), c.state == "out")
    said = [(int(contact), str(channel)) for contact, channel in connection.execute(out)]
    blocked = select(contacts.c.id).where(bulk.is_among(connection, contacts.c.id, ids), contacts.c.status == "blocked")
    blocks = [(int(contact), EVERY_CHANNEL) for contact in connection.execute(blocked).scalars()]
    known = set(said)
    blocks = [one for one in blocks if one not in known]  # a block is the person's, an opt-out the address's
    said += blocks
    ids = sorted({contact for contact, _ in said})
    own, every = addresses_of(connection, ids), addresses_of(connection, ids, with_shared=True)
    refusing = set(blocks)
    return {
        (kind, value, channel)
        for contact, channel in said
        for kind, value in (own if (contact, channel) in refusing else every).get(contact, ())
    }


def keep_addresses(connection: Connection, addresses: Iterable[tuple[str, str, str]], at: datetime) -> None:
    """Keep that nobody may write to these (kind, value, channel)."""
    write = postgresql.insert if bulk.is_postgresql(connection) else sqlite.insert
    listed = [
        {"kind": kind, "value": value, "channel": channel, "batch_id": BY_HAND, "at": at}
        for kind, value, channel in sorted(addresses)
    ]
    for start in range(0, len(listed), _CHUNK):
        part = listed[start : start + _CHUNK]
        connection.execute(write(opted_out_addresses).values(part).on_conflict_do_nothing())


def addresses_of(
    connection: Connection, ids: Sequence[int], *, with_shared: bool = False
) -> dict[int, list[tuple[str, str]]]:
    """Every phone and e-mail that these contacts own, and perhaps those that they share."""
    found: dict[int, list[tuple[str, str]]] = {}
    for contact, kind, value in connection.execute(_keys_of(connection, ids, with_shared=with_shared)):
        if kind in REACHED_BY:
            found.setdefault(contact, []).append((kind, value))
    return found


def _keys_of(connection: Connection, ids: Sequence[int], *, with_shared: bool) -> Select[Any]:
    """contact, kind, value of every key that these contacts own, or have."""
    k = contact_keys.c
    own = [
        select(contacts.c.id, literal(kind), column).where(
            bulk.is_among(connection, contacts.c.id, ids), column.is_not(None)
        )
        for kind, column in OWN.items()
    ]
    further = select(k.contact_id, k.kind, k.value).where(bulk.is_among(connection, k.contact_id, ids))
    further = further if with_shared else further.where(k.role == "owner")
    return select(union_all(*own, further).subquery())


# ── erased ───────────────────────────────────────────────────────────────────────────────────────────────────────


def keys_held(connection: Connection, number: int) -> list[tuple[str, str, str | None]]:
    """kind, value and spelling of every key of a contact, shared ones too."""
    k, c = contact_keys.c, contacts.c
    own = [(kind, column, c[kind]) for kind, column in OWN.items()]
    parts = [select(literal(kind), column, written).where(c.id == number) for kind, column, written in own]
    query = union_all(*parts, select(k.kind, k.value, k.written).where(k.contact_id == number))
    return [(str(kind), str(value), written) for kind, value, written in connection.execute(query) if value]


def every_key(connection: Connection) -> Iterator[tuple[int, str, str]]:
    """contact, kind and value of all keys that living contacts own."""
    k, c = contact_keys.c, contacts.c
    own = (select(c.id, literal(kind), column).where(column.is_not(None)) for kind, column in OWN.items())
    further = select(k.contact_id, k.kind, k.value).where(k.role == "owner")
    query = union_all(*own, further).execution_options(yield_per=_KEYS_AT_ONCE)
    for contact, kind, value in connection.execute(query):
        yield int(contact), str(kind), str(value)


def is_held_by_others(connection: Connection, number: int, kind: str, value: str) -> bool:
    """Whether a living contact but this one has this key too."""
    k = contact_keys.c
    holders = select(k.contact_id).where(k.kind == kind, k.value == value, k.contact_id != number)
    has: ColumnElement[bool] = contacts.c.id.in_(holders)
    if kind in OWN:
        has = or_(has, (OWN[kind] == value) & (contacts.c.id != number))
    query = select(contacts.c.id).where(has, contacts.c.deleted_at.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def forget_history(connection: Connection, number: int) -> None:
    """Drop what the history says of a contact; call it before `remove`, whose line stays."""
    connection.execute(delete(contact_changes).where(contact_changes.c.contact_id == number))


def forget_addresses(connection: Connection, keys: Iterable[tuple[str, str]]) -> None:
    """Drop what is kept of addresses that were opted out."""
    a = opted_out_addresses.c
    for kind, value in keys:
        connection.execute(delete(opted_out_addresses).where(a.kind == kind, a.value == value))


def forget_edits_that_name(connection: Connection, texts: Iterable[str]) -> None:
    """Drop what edits of many asked for, where it names one of these texts; what they did stays."""
    b = batches.c
    query = select(b.id, b.profile_text).where(b.kind == EDIT, _names(b.profile_text, texts))
    for number, text in connection.execute(query).all():
        if jobs.open_job(connection, EDIT, f"batch:{number}") is None:
            left = json.dumps({"action": json.loads(text).get("action", "")})
            connection.execute(update(batches).where(b.id == number).values(profile_text=left))


def segments_that_name(connection: Connection, texts: Iterable[str]) -> list[str]:
    """The names of the segments whose filters name one of these texts; those that are gone forget theirs."""
    s, named = all_segments.c, _names(all_segments.c.filter_text, texts)
    connection.execute(update(all_segments).where(s.archived_at.is_not(None), named).values(filter_text=None))
    return list(connection.execute(select(s.name).where(s.archived_at.is_(None), named).order_by(s.name)).scalars())


def _names(text: ColumnElement[Any], wanted: Iterable[str]) -> ColumnElement[bool]:
    asked = func.padron_fold(text, type_=Text())
    return or_(false(), *(asked.contains(folded(one), autoescape=True) for one in wanted))


def values_once_had(connection: Connection, number: int) -> dict[str, set[str]]:
    """The phones and e-mails that the history says a contact once had."""
    c, found = contact_changes.c, {"phone": set[str](), "email": set[str]()}
    query = select(c.diff).where(c.contact_id == number, c.diff.is_not(None))
    for diff in connection.execute(query).scalars():
        for kind, values in found.items():
            values.update(value for value in (diff or {}).get(kind, ()) if isinstance(value, str))
    return found


def suppress(connection: Connection, number: int | None, hashes: Mapping[str, str], at: datetime) -> None:
    """Keep these hashes (of a key, with its kind) of a contact."""
    write = postgresql.insert if bulk.is_postgresql(connection) else sqlite.insert
    rows = [{"hash": one, "kind": kind, "contact_id": number, "at": at} for one, kind in hashes.items()]
    if rows:
        connection.execute(write(suppressions).values(rows).on_conflict_do_nothing())


def suppressed(connection: Connection) -> frozenset[str]:
    """All hashes that are kept."""
    return frozenset(connection.execute(select(suppressions.c.hash)).scalars())


def checks(connection: Connection) -> frozenset[str]:
    """The hashes of nobody, one for each secret that people were noted with."""
    s = suppressions.c
    return frozenset(connection.execute(select(s.hash).where(s.kind == CHECK)).scalars())


def drop_hashes(connection: Connection, hashes: Sequence[str]) -> None:
    """Forget these hashes, and no others of the same person."""
    connection.execute(delete(suppressions).where(suppressions.c.hash.in_(hashes)))


def unsuppress(connection: Connection, hashes: Sequence[str]) -> bool:
    """Let the person come back whom one of these hashes stands for, by all of their keys; whether there was one."""
    s = suppressions.c
    people = select(s.contact_id).where(s.hash.in_(hashes))
    gone = delete(suppressions).where(s.hash.in_(hashes) | s.contact_id.in_(people)).returning(s.hash)
    return bool(connection.execute(gone).all())


def rows_of(connection: Connection, number: int) -> dict[int, list[int]]:
    """The rows of files that went to a contact, by batch; those that were merged into them too."""
    r, into = batch_rows.c, batch_rows.alias()
    found: dict[int, list[int]] = {}
    for batch, row in connection.execute(select(r.batch_id, r.row).where(r.contact_id == number)):
        found.setdefault(int(batch), []).append(int(row))
    for batch, rows in found.items():
        among = bulk.is_among(connection, into.c.into_row, rows)
        merged = select(into.c.row).where(into.c.batch_id == batch, into.c.into_row.is_not(None), among)
        rows += connection.execute(merged).scalars()
    return found


def is_erased(connection: Connection, number: int) -> bool:
    c = contact_changes.c
    query = select(c.id).where(c.contact_id == number, c.operation == ERASED).limit(1)
    return connection.execute(query).first() is not None


def row_of_contact(connection: Connection, number: int) -> dict[str, Any] | None:
    """A contact, on the roll or off it."""
    row = connection.execute(select(contacts).where(contacts.c.id == number)).first()
    return dict(row._mapping) if row else None
