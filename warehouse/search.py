"""Finding contacts by parts of the text that searches look through: names, phone digits, e-mail.

Trigrams find them. On PostgreSQL that is a GIN index, which a first load drops and the sweep builds while others write.
On SQLite it is a table of FTS5: row by row it would cost more than the rest of an import, so that the sweep takes in
new contacts, many at a time, and triggers keep only those that it has. Who is not in either is looked at row by row.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    column,
    func,
    insert,
    or_,
    select,
    table,
    text,
    true,
    tuple_,
    union,
    update,
)

from warehouse import bulk
from warehouse.engines import reading, transaction
from warehouse.matches import OWN
from warehouse.tables import contact_keys, contacts

MANY = 10_001
"""Where as many are found, a list walks along its order and looks at each row, which then finds some soon."""
OBJECTS = ("contacts_search", "contacts_searched", "ix_contacts_search")
"""What stands in a database beside the tables of the catalogue."""
_INDEX = "CREATE INDEX CONCURRENTLY ix_contacts_search ON contacts USING gin (search_text gin_trgm_ops)"
_AT_ONCE = 10_000
_TRIGRAM = 3
_SURROGATES, _BEHIND_SURROGATES = 0xD800, 0xE000
_LOCK = 0x7061_6472
"""Of PostgreSQL's advisory locks: who builds the index."""
_searched = table("contacts_searched", column("up_to", BigInteger))
_trigrams = table("contacts_search", column("rowid", BigInteger), column("search_text"))


@dataclass(frozen=True, slots=True)
class Sought:
    """What the search box says: parts of the search text that must all be there, or keys one of which must be had.

    A part of one or two signs begins a word, and the text where there are only such: so few are in nearly everybody's.
    """

    parts: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if "" in self.parts:
            raise ValueError("a part of a search has a sign at least")


def sought_ids(connection: Connection, sought: Sought) -> Select[Any]:
    """The ids of those who are found, maybe of the dead too."""
    found = [_holders(sought)] if sought.keys else []
    if sought.parts:
        found += [_by_rows(sought.parts)] if bulk.is_postgresql(connection) else _by_trigrams(connection, sought.parts)
    if len(found) == 1:
        return found[0]
    both = union(*found).subquery()
    return select(both.c.id)


def few(connection: Connection, sought: Sought) -> list[int] | None:
    """The ids of those who are found; None where they are many."""
    found = list(connection.execute(sought_ids(connection, sought).limit(MANY)).scalars())
    return found if len(found) < MANY else None


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


_UP_TO = text("SELECT up_to FROM contacts_searched")
"""The contact up to which FTS5 has everybody."""


def _by_trigrams(connection: Connection, parts: tuple[str, ...]) -> list[Select[Any]]:
    """FTS5 takes GLOB, with its signs in brackets, by its trigrams; LIKE with an escape sign it does not."""
    long = [part for part in parts if len(part) >= _TRIGRAM]
    if not long:
        return [_by_rows(parts)]
    globs = ("".join(f"[{sign}]" if sign in "*?[" else sign for sign in part) for part in long)
    inside = (_trigrams.c.search_text.op("GLOB")(f"*{glob}*") for glob in globs)
    found = select(_trigrams.c.rowid.label("id")).where(*inside)
    if short := _short(parts, alone=False):
        ids = found.subquery()
        found = select(contacts.c.id).join_from(ids, contacts, contacts.c.id == ids.c.id).where(*short)
    done = connection.execute(_UP_TO).scalar_one()
    return [found, _by_rows(parts).where(contacts.c.id > done)]


# ── a first load ─────────────────────────────────────────────────────────────────────────────────────────────────


def stand_back(connection: Connection) -> None:
    """Let a first load write without the index of searches."""
    if bulk.is_postgresql(connection):
        connection.execute(text("DROP INDEX IF EXISTS ix_contacts_search"))


def catch_up(engine: Engine) -> None:
    """Bring the index of searches up to date, so that nobody who writes waits for it."""
    if engine.dialect.name == "postgresql":
        _build(engine)
        return
    while _take_some(engine):
        pass


def _take_some(engine: Engine) -> bool:
    """Let FTS5 have some more contacts; whether there were any."""
    with reading(engine) as connection:
        if connection.execute(_next_after(connection).limit(1)).first() is None:
            return False
    with transaction(engine) as connection:
        some = _next_after(connection).limit(_AT_ONCE).subquery()
        rows = select(contacts.c.id, contacts.c.search_text).join(some, some.c.id == contacts.c.id)
        connection.execute(insert(_trigrams).from_select(["rowid", "search_text"], rows))
        done = select(func.max(some.c.id)).scalar_subquery()
        connection.execute(update(_searched).values(up_to=func.coalesce(done, _searched.c.up_to)))
    return True


def _next_after(connection: Connection) -> Select[Any]:
    done = connection.execute(_UP_TO).scalar_one()
    return select(contacts.c.id).where(contacts.c.id > done).order_by(contacts.c.id)


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
