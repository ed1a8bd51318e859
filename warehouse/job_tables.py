"""The tables of long work, of requests that are made once however often they are sent, and of files to be fetched."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from warehouse.tables import Id, Json, Key, UtcTime, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", Key, nullable=False),
    Column("object", Key, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text),
    Column("state", String(16), nullable=False),
    Column("done", BigInteger, nullable=False, server_default="0"),
    Column("total", BigInteger, nullable=False, server_default="0"),
    Column("message_en", Text),
    Column("message_es", Text),
    Column("result", Json),
    Column("cancelled_by", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", String(32)),
    Column("lease_until", UtcTime),
    Column("woken_at", UtcTime),
    Index("ix_jobs_state_lease_until", "state", "lease_until"),
    Index("ix_jobs_object_id", "object", "id"),
    comment="Long work that somebody asked for: `kind` says what is done to `object`. The state and the lease say who "
    "works on it; Celery only wakes workers.",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("actor", Key, primary_key=True),
    Column("key_sha256", String(64), primary_key=True),
    Column("request_sha256", String(64), nullable=False),
    Column("object", Key, nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
    comment="Creates that were asked for with a key, and what each made, so that the same request again makes nothing.",
)

exports = Table(
    "exports",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("format", Key, nullable=False),
    Column("filter_text", Text),
    Column("search", Text),
    Column("columns", Json),
    Column("language", String(2), nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("as_of", UtcTime),
    Column("rows", BigInteger),
    Column("size_bytes", BigInteger),
    comment="Files of contacts that somebody asked for, until they expire or somebody is erased.",
)
