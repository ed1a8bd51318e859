"""What the planner knows of the sizes of tables: PostgreSQL guesses badly about one that grew since it last looked."""

from sqlalchemy import Connection, text

from warehouse import bulk
from warehouse.engines import Store, reading, transaction
from warehouse.tables import LIVE_KEYS

_SMALLEST = 5_000


class Growth:
    """How many contacts a load added since the planner looked; it looks again whenever they have doubled.

    It takes a look by itself only about once a minute, when a load may have added a million to a table that it takes
    for empty, and joined them row by row.
    """

    def __init__(self, store: Store) -> None:
        with reading(store) as connection:
            self._known = _rows_known(connection)
        self._added = 0

    def by(self, store: Store, count: int) -> None:
        """Note that so many contacts were added."""
        self._added += count
        if self._known is not None and self._added >= max(self._known, _SMALLEST):
            with transaction(store) as connection:
                bulk.refresh_statistics(connection, LIVE_KEYS)
                self._known = _rows_known(connection)
            self._added = 0


def _rows_known(connection: Connection) -> int | None:
    """How many contacts PostgreSQL believes there are; None for SQLite, which looks every row up by itself."""
    if not bulk.is_postgresql(connection):
        return None
    found = connection.execute(text("SELECT reltuples FROM pg_class WHERE oid = 'contacts'::regclass")).scalar()
    return max(int(found or 0), 0)
