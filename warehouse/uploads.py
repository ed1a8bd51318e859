"""Uploads: files that came over HTTP, until their mapping is confirmed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.access_tables import uploads


class NoSuchUpload(InputError):
    """There is no upload with this number."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A row of `uploads`."""

    id: int
    name: str
    path: str
    sha256: str
    size_bytes: int
    profile_text: str
    token_sha256: str
    actor: str
    created_at: datetime
    batch_id: int | None


_COLUMNS = tuple(uploads.c[name] for name in Upload.__slots__)


def add_upload(connection: Connection, values: Mapping[str, Any]) -> Upload:
    number = bulk.take_ids(connection, "uploads", 1)
    row = insert(uploads).values(id=number, **values).returning(*_COLUMNS)
    return Upload(**connection.execute(row).one()._mapping)


def get_upload(connection: Connection, number: int) -> Upload:
    row = connection.execute(select(*_COLUMNS).where(uploads.c.id == number)).first()
    if row is None:
        raise NoSuchUpload(f"There is no upload {number}.", f"No hay ninguna subida {number}.")
    return Upload(**row._mapping)


def list_unconfirmed(connection: Connection, limit: int, before: int | None = None) -> list[Upload]:
    """Uploads that became no batch, the newest first; from those before a number on."""
    query = select(*_COLUMNS).where(uploads.c.batch_id.is_(None)).order_by(uploads.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(uploads.c.id < before)
    return [Upload(**row._mapping) for row in connection.execute(query)]


def drop_upload(connection: Connection, number: int) -> bool:
    """Forget an upload; False if it became a batch."""
    c = uploads.c
    query = delete(uploads).where(c.id == number, c.batch_id.is_(None)).returning(c.id)
    return connection.execute(query).first() is not None


def set_mapping(connection: Connection, number: int, profile_text: str, token_sha256: str) -> bool:
    """Map an upload otherwise; False if it became a batch or was deleted."""
    c = uploads.c
    query = update(uploads).where(c.id == number, c.batch_id.is_(None))
    query = query.values(profile_text=profile_text, token_sha256=token_sha256)
    return connection.execute(query.returning(c.id)).first() is not None


def drop_unconfirmed(connection: Connection, before: datetime) -> None:
    """Forget uploads from before this time that became no batch."""
    connection.execute(delete(uploads).where(uploads.c.created_at < before, uploads.c.batch_id.is_(None)))


def set_batch(connection: Connection, number: int, batch_id: int) -> bool:
    """Say which batch an upload became; False if it became one already."""
    c = uploads.c
    query = update(uploads).where(c.id == number, c.batch_id.is_(None)).values(batch_id=batch_id)
    return connection.execute(query.returning(c.id)).first() is not None
