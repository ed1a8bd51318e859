"""Requests that are made once however often they are sent: what each key made."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from warehouse.job_tables import idempotency_keys


@dataclass(frozen=True, slots=True)
class Once:
    """A key that its caller chose for one request, and the request; both as hashes."""

    key_sha256: str
    request_sha256: str


def made_with(connection: Connection, actor: str, once: Once) -> tuple[str, str] | None:
    """What was made with this key (`operator:5`), and the request that made it."""
    c = idempotency_keys.c
    query = select(c.object, c.request_sha256).where(c.actor == actor, c.key_sha256 == once.key_sha256)
    row = connection.execute(query).first()
    return (row.object, row.request_sha256) if row else None


def keep_made(connection: Connection, actor: str, once: Once, object_: str, now: datetime) -> None:
    """Keep what a request made, in its transaction; raises CLASH where the same key made something just now."""
    row = {"actor": actor, "key_sha256": once.key_sha256, "request_sha256": once.request_sha256}
    connection.execute(insert(idempotency_keys).values(**row, object=object_, created_at=now))


def forget_made(connection: Connection, before: datetime) -> None:
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at < before))
