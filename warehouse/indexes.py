"""Indexes that can be away during a first load, and come back by themselves.

An index that is missing costs speed, never correctness: who owns a key is decided under `bulk.lock_keys`.
"""

from sqlalchemy import Connection, Index, text

from warehouse.engines import Store, reading, sorting, transaction
from warehouse.search import stand_back
from warehouse.tables import LIVE_KEYS

_NAMES = {
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
}
"""Asked before and after every import: reflecting the tables would cost a small one a tenth of its time."""


def deferrable() -> tuple[Index, ...]:
    """The indexes that a first load builds at its end."""
    return tuple(index for table in LIVE_KEYS for index in sorted(table.indexes, key=lambda index: str(index.name)))


def drop_for_first_load(connection: Connection) -> None:
    for index in deferrable():
        index.drop(connection, checkfirst=True)
    stand_back(connection)


def missing(store: Store) -> tuple[Index, ...]:
    """The indexes of the catalogue that the database does not have."""
    with reading(store) as connection:
        found = set(connection.execute(text(_NAMES[connection.dialect.name])).scalars())
    return tuple(index for index in deferrable() if index.name not in found)


def build_missing(store: Store) -> int:
    """Build what is missing, each in its own transaction, so that writers never wait for more than one."""
    gone = missing(store)
    for index in gone:
        with transaction(store) as connection, sorting(connection):
            index.create(connection, checkfirst=True)
    return len(gone)
