"""Files of contacts that somebody asked for: what is in them, and until when they stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.job_tables import exports


class NoSuchExport(InputError):
    """There is no export with this number, or not any more."""


@dataclass(frozen=True, slots=True)
class Export:
    """A row of `exports`; `as_of`, `rows` and `size_bytes` are known once the file is there."""

    id: int
    format: str
    filter_text: str | None
    search: str | None
    columns: Sequence[str] | None
    language: str
    actor: str
    created_at: datetime
    expires_at: datetime
    as_of: datetime | None
    rows: int | None
    size_bytes: int | None

    @property
    def file(self) -> str:
        """The name of the file in the folder of exports."""
        return f"export-{self.id}.{self.format}"


_COLUMNS = tuple(exports.c[name] for name in Export.__slots__)


def add_export(connection: Connection, values: Mapping[str, Any]) -> Export:
    number = bulk.take_ids(connection, "exports", 1)
    row = insert(exports).values(id=number, **values).returning(*_COLUMNS)
    return Export(**connection.execute(row).one()._mapping)


def get_export(connection: Connection, number: int) -> Export:
    row = connection.execute(select(*_COLUMNS).where(exports.c.id == number)).first()
    if row is None:
        raise NoSuchExport(
            f"There is no export {number}, or not any more.", f"No hay ninguna exportación {number}, o ya no."
        )
    return Export(**row._mapping)


def list_exports(connection: Connection, now: datetime, limit: int, before: int | None = None) -> list[Export]:
    """The newest exports that have not expired first; from those before a number on."""
    query = select(*_COLUMNS).where(exports.c.expires_at >= now).order_by(exports.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(exports.c.id < before)
    return [Export(**row._mapping) for row in connection.execute(query)]


def names_of(connection: Connection) -> set[str]:
    """The names of the files of all exports."""
    return {Export(**row._mapping).file for row in connection.execute(select(*_COLUMNS))}


def finish_export(connection: Connection, number: int, values: Mapping[str, Any]) -> bool:
    """Say what the file holds; False if the export was dropped meanwhile."""
    query = update(exports).where(exports.c.id == number).values(**values).returning(exports.c.id)
    return connection.execute(query).first() is not None


def drop_exports(connection: Connection, *, before: datetime | None = None, number: int | None = None) -> int:
    """Forget exports that expired before a time, or one, or all; how many."""
    query = delete(exports)
    if before is not None:
        query = query.where(exports.c.expires_at < before)
    if number is not None:
        query = query.where(exports.c.id == number)
    return connection.execute(query).rowcount
