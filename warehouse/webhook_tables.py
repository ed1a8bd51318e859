"""The tables of webhooks: who wants to be told what, and each telling."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from warehouse.tables import Id, Json, Key, UtcTime, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    Column("events", Json, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("secret", Text, nullable=False),
    Column("old_secret", Text),
    Column("old_secret_until", UtcTime),
    Column("is_active", Boolean, nullable=False),
    Column("disabled_because", Text),
    Column("last_change", BigInteger, nullable=False),
    Column("sending_until", UtcTime),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    comment="Addresses that are told of events. Secrets are encrypted; `last_change` is the change of a contact up to "
    "which events were made; until `sending_until` one process sends to it.",
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("webhook_id", Id, nullable=False),
    Column("event", Key, nullable=False),
    Column("message_id", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", UtcTime),
    Column("sent_at", UtcTime),
    Column("status", Integer),
    Column("error", Text),
    Index("ix_deliveries_webhook_id_state_next_at", "webhook_id", "state", "next_at"),
    Index("ix_deliveries_created_at", "created_at"),
    Index("ix_deliveries_webhook_id_id", "webhook_id", "id"),
    comment="Each telling of an event to a webhook: `waiting`, `sent`, or `dead` after three days. `body` is what is "
    "signed and sent; `next_at` is when to try next, and while one is being sent, when to believe it lost.",
)
