"""Finding contacts by parts of the text that searches look through: names, phone digits, e-mail.

Trigrams find them: a GIN index on PostgreSQL, a table of FTS5 beside the contacts on SQLite, which triggers keep.
A first load leaves both behind, and the sweep catches up while others write. Until then a search looks at each row:
slower, and as right.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    any_,
    column,
    func,
    literal,
    or_,
    select,
    table,
    text,
    true,
    tuple_,
    union,
)

from warehouse.engines import transaction
from warehouse.matches import OWN
from warehouse.tables import contact_keys, contacts

MANY = 10_001
"""Where as many are found, a list walks along its order and looks at each row, which then finds some soon."""
OBJECTS = ("contacts_search", "contacts_searched", "ix_contacts_search")
"""What stands in a database beside the tables of the catalogue."""
_INDEX = "CREATE INDEX CONCURRENTLY ix_contacts_search ON contacts USING gin (search_text gin_trgm_ops)"
_WHOLE = 2**63 - 1
_AT_ONCE = 10_000
_TRIGRAM = 3
_SURROGATES, _BEHIND_SURROGATES = 0xD800, 0xE000
_LOCK = 0x7061_6472
"""Of PostgreSQL's advisory locks: who builds the index."""
_trigrams = table("contacts_search", column("rowid", BigInteger), column("search_text"))


@dataclass(frozen=True, slots=True)
class Sought:
    """What the search box says: parts of the search text that must all be there, or keys one of which must be had.

    A part of one or two signs begins a word, and the text where there are only such: so few are in nearly everybody's.
    """

    parts: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


def sought_ids(connection: Connection, sought: Sought) -> Select[Any]:
    """The ids of those who are found, maybe of the dead too."""
    found = [_holders(sought)] if sought.keys else []
    if sought.parts:
        found.append(_by_trigrams(sought.parts) if _is_indexed(connection) else _by_rows(sought.parts))
    if len(found) == 1:
        return found[0]
    both = union(*found).subquery()
    return select(both.c.id)


def few(connection: Connection, sought: Sought) -> list[int] | None:
    """The ids of those who are found; None where they are many."""
    found = list(connection.execute(sought_ids(connection, sought).limit(MANY)).scalars())
    return found if len(found) < MANY else None


def is_among(connection: Connection, ids: list[int]) -> ColumnElement[bool]:
    """Whether a contact is one of these, so that the planner sees how few they are."""
    if connection.dialect.name == "postgresql":
        return contacts.c.id == any_(literal(ids, ARRAY(BigInteger)))
    listed = func.json_each(f"[{','.join(map(str, ids))}]").table_valued("value")
    return contacts.c.id.in_(select(listed.c.value))


def is_sought(sought: Sought) -> ColumnElement[bool]:
    """Whether a contact is found, asked of its row."""
    if not sought.keys:
        return _has_all(sought.parts)
    holders = contacts.c.id.in_(_holders(sought))
    return or_(holders, _has_all(sought.parts)) if sought.parts else holders


def _holders(sought: Sought) -> Select[Any]:
    k = contact_keys.c
    held = select(k.contact_id.label("id")).where(tuple_(k.kind, k.value).in_(sought.keys))
    own = (select(contacts.c.id).where(OWN[kind] == value) for kind, value in sought.keys if kind in OWN)
    both = union(held, *own).subquery()
    return select(both.c.id)


def _by_rows(parts: tuple[str, ...]) -> Select[Any]:
    return select(contacts.c.id).where(_has_all(parts))


def _has_all(parts: tuple[str, ...]) -> ColumnElement[bool]:
    words = contacts.c.search_text
    inside = [words.contains(part, autoescape=True) for part in parts if len(part) >= _TRIGRAM]
    return and_(true(), *inside, *_short(parts, alone=not inside))


def _short(parts: tuple[str, ...], *, alone: bool) -> list[ColumnElement[bool]]:
    """What the short parts ask; where there are no others, the first of them begins the text, which an index finds."""
    words = contacts.c.search_text
    short = [part for part in parts if len(part) < _TRIGRAM]
    first = [_begins(short[0])] if alone and short else []
    rest = short[1:] if first else short
    return first + [or_(_begins(part), words.contains(f" {part}", autoescape=True)) for part in rest]


def _begins(part: str) -> ColumnElement[bool]:
    """As a range, which an index answers whatever the plan was made for."""
    words, last = contacts.c.search_text, ord(part[-1])
    if last == sys.maxunicode:
        return words.startswith(part, autoescape=True)
    after = chr(_BEHIND_SURROGATES if last + 1 == _SURROGATES else last + 1)
    return and_(words >= part, words < part[:-1] + after)


# ── SQLite ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _is_indexed(connection: Connection) -> bool:
    """Whether FTS5 has everybody; PostgreSQL's planner takes its index by itself."""
    if connection.dialect.name == "postgresql":
        return False
    return connection.execute(text("SELECT up_to FROM contacts_searched")).scalar_one() == _WHOLE


def _by_trigrams(parts: tuple[str, ...]) -> Select[Any]:
    """FTS5 takes GLOB, with its signs in brackets, by its trigrams; LIKE with an escape sign it does not."""
    long = [part for part in parts if len(part) >= _TRIGRAM]
    short = _short(parts, alone=not long)
    if not long:
        return select(contacts.c.id).where(*short)
    globs = ("".join(f"[{sign}]" if sign in "*?[" else sign for sign in part) for part in long)
    inside = [_trigrams.c.search_text.op("GLOB")(f"*{glob}*") for glob in globs]
    found = select(_trigrams.c.rowid.label("id")).where(*inside)
    if not short:
        return found
    ids = found.subquery()
    return select(contacts.c.id).join_from(ids, contacts, contacts.c.id == ids.c.id).where(*short)


# ── a first load ─────────────────────────────────────────────────────────────────────────────────────────────────


def stand_back(connection: Connection) -> None:
    """Let a first load write without the index of searches."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP INDEX IF EXISTS ix_contacts_search"))
    else:
        connection.execute(text("UPDATE contacts_searched SET up_to = 0"))


def catch_up(engine: Engine) -> None:
    """Build what is missing of the index of searches, so that nobody who writes waits for it."""
    if engine.dialect.name == "postgresql":
        _build(engine)
        return
    while _take_some(engine):
        pass


def _take_some(engine: Engine) -> bool:
    """Let FTS5 know some more contacts; whether there are more."""
    with engine.connect().execution_options(sqlite_write=False) as connection, connection.begin():
        if _is_indexed(connection):
            return False
    with transaction(engine) as connection:
        done = connection.execute(text("SELECT up_to FROM contacts_searched")).scalar_one()
        some = select(contacts.c.id).where(contacts.c.id > done).order_by(contacts.c.id).limit(_AT_ONCE).subquery()
        count, last = connection.execute(select(func.count(), func.max(some.c.id))).one()
        rows = text(
            "INSERT INTO contacts_search (rowid, search_text) "
            "SELECT id, search_text FROM contacts WHERE id > :done AND id <= :last"
        )
        if count:
            connection.execute(rows, {"done": done, "last": last})
        reached = last if count == _AT_ONCE else _WHOLE
        connection.execute(text("UPDATE contacts_searched SET up_to = :up_to"), {"up_to": reached})
    return bool(count == _AT_ONCE)


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────

_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_contacts_search')"


def _build(engine: Engine) -> None:
    """Build the index beside those who write; one that was cut off is dropped first."""
    with _alone(engine) as connection:
        if connection is None:
            return
        valid = connection.execute(text(_VALID)).scalar()
        if valid:
            return
        if valid is False:
            connection.execute(text("DROP INDEX CONCURRENTLY ix_contacts_search"))
        connection.execute(text("SET maintenance_work_mem = '256MB'"))
        try:
            connection.execute(text(_INDEX))
        finally:
            connection.execute(text("RESET maintenance_work_mem"))


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection | None]:
    """A connection outside of transactions, for one process at a time; None for the others."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text(f"SELECT pg_try_advisory_lock({_LOCK})")).scalar():
            yield None
            return
        try:
            yield connection
        finally:
            connection.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
