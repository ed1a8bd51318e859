"""Every table of the store, the same on SQLite and PostgreSQL. Times are UTC; ids are never used twice.

Contact-keyed tables carry no foreign keys to `contacts`, so that they can be spread over hosts by contact; the
pipelines write them in the contact's own transaction.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    TIMESTAMP,
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

NAMES = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s"}
metadata = MetaData(naming_convention=NAMES)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, whole microseconds since 1970 on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        delta = value - EPOCH
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value.astimezone(UTC) if value else None
        return datetime.fromtimestamp(value // 1_000_000, UTC).replace(microsecond=value % 1_000_000)


Json = JSON().with_variant(JSONB(), "postgresql")
Key = String(collation="C").with_variant(Text(), "sqlite")
"""Text that is compared byte by byte, which indexes faster."""
Id = BigInteger().with_variant(Integer(), "sqlite")
"""A numbered row; what SQLite calls INTEGER is the place of the row itself, without an index beside it."""
LIVING = text("deleted_at IS NULL")
DEAD = text("deleted_at IS NOT NULL")
OWNED = text("role = 'owner'")
SENT_TO = text("last_sent_at IS NOT NULL")
HEARD_OF = text("last_received_at IS NOT NULL")

id_ranges = Table(
    "id_ranges",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("next_id", BigInteger, nullable=False),
    comment="The next free id of each numbered table; taken in blocks, so that rows can be written in bulk.",
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("display_name", Text),
    Column("phone", Text),
    Column("phone_match", Key),
    Column("email", Text),
    Column("email_match", Key),
    Column("company", Text),
    Column("address", Text),
    Column("city", Text),
    Column("country", Text),
    Column("photo_url", Text),
    Column("channel", Text),
    Column("status", Text, nullable=False, server_default="active"),
    Column("blocked_at", UtcTime),
    Column("blocked_reason", Text),
    Column("language", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("last_interaction_at", UtcTime),
    Column("last_sent_at", UtcTime),
    Column("last_received_at", UtcTime),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("replied", Integer, nullable=False, server_default="0"),
    Column("search_text", Key),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("applied", BigInteger),
    Column("merged_into", BigInteger),
    Column("deleted_at", UtcTime),
    Index("uq_contacts_phone_match", "phone_match", unique=True, sqlite_where=LIVING, postgresql_where=LIVING),
    Index("uq_contacts_email_match", "email_match", unique=True, sqlite_where=LIVING, postgresql_where=LIVING),
    Index("ix_contacts_last_interaction_at_id", "last_interaction_at", "id"),
    Index("ix_contacts_last_sent_at", "last_sent_at", sqlite_where=SENT_TO, postgresql_where=SENT_TO),
    Index("ix_contacts_last_received_at", "last_received_at", sqlite_where=HEARD_OF, postgresql_where=HEARD_OF),
    Index("ix_contacts_created_at_id", "created_at", "id"),
    Index("ix_contacts_search_text_id", "search_text", "id"),
    Index("ix_contacts_dead", "id", sqlite_where=DEAD, postgresql_where=DEAD),
    comment="The roll. phone_match and email_match are filled where this contact owns the key. applied: hash of the "
    "file row that was applied last; whoever else changes the contact or what belongs to it sets it to null.",
)

contact_keys = Table(
    "contact_keys",
    metadata,
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Key, primary_key=True),
    Column("value", Key, primary_key=True),
    Column("written", Text),
    Column("role", Text, nullable=False),
    Column("batch_id", BigInteger),
    Index("ix_contact_keys_value_kind", "value", "kind"),
    Index("uq_contact_keys_owner", "value", "kind", unique=True, sqlite_where=OWNED, postgresql_where=OWNED),
    comment="Every further key of a contact: second phones and e-mails, shared ones, external ids.",
    sqlite_with_rowid=False,
)

custom_fields = Table(
    "custom_fields",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("key", String(60), nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("type", String(20), nullable=False),
    Column("options", Json),
    Column("created_at", UtcTime, nullable=False),
    Column("archived_at", UtcTime),
)

_FILLED = {name: text(f"{name} IS NOT NULL") for name in ("text", "number", "at")}
contact_values = Table(
    "contact_values",
    metadata,
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("field_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("text", Key),
    Column("number", Double),
    Column("at", UtcTime),
    Column("long_text", Text),
    *(
        Index(
            f"ix_contact_values_{name}",
            "field_id",
            name,
            "contact_id",
            sqlite_where=_FILLED[name],
            postgresql_where=_FILLED[name],
        )
        for name in _FILLED
    ),
    comment="Custom values: text up to 1,000 characters, numbers and yes/no (1, 0), dates and times, long text.",
    sqlite_with_rowid=False,
)

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("form", Key, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("colour", String(7)),
    Column("dropped_at", UtcTime),
    comment="A tag as first written, and the form in which tags are the same.",
)

contact_tags = Table(
    "contact_tags",
    metadata,
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("tag_id", BigInteger, primary_key=True, autoincrement=False),
    Index("ix_contact_tags_tag_id_contact_id", "tag_id", "contact_id"),
    sqlite_with_rowid=False,
)

notes = Table(
    "notes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("batch_id", BigInteger),
)

consents = Table(
    "consents",
    metadata,
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(20), primary_key=True),
    Column("purpose", String(40), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("batch_id", BigInteger),
    comment="state is `in` or `out`; files and CRMs may turn `in` to `out`, only a person the other way.",
)

opted_out_addresses = Table(
    "opted_out_addresses",
    metadata,
    Column("kind", Key, primary_key=True),
    Column("value", Key, primary_key=True),
    Column("channel", String(20), primary_key=True),
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("at", UtcTime, nullable=False),
    comment="Phones and e-mails that rows opted out which were not taken, or skipped.",
    sqlite_with_rowid=False,
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("hash", Key, primary_key=True),
    Column("kind", Key, nullable=False),
    Column("contact_id", BigInteger),
    Column("at", UtcTime, nullable=False),
    comment="Keyed hashes of the keys of erased people, whom no file, CRM or restored backup brings back.",
    sqlite_with_rowid=False,
)

contact_changes = Table(
    "contact_changes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("batch_id", BigInteger),
    Column("row", BigInteger),
    Column("actor", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("operation", String(10), nullable=False),
    Column("diff", Json),
    Index("ix_contact_changes_contact_id_id", "contact_id", "id"),
    Index("ix_contact_changes_batch_id_id", "batch_id", "id"),
    comment="History and lineage: {field: [old, new]}; a create stores no values. Also the feed of segments and sync.",
)

batches = Table(
    "batches",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False, server_default="file"),
    Column("source", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("profile_version", Text),
    Column("profile_text", Text),
    Column("folder", Text),
    Column("file", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("claim", Key, unique=True),
    Column("sha256", String(64), index=True),
    Column("size_bytes", BigInteger),
    Column("actor", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("message_en", Text),
    Column("message_es", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("lease_token", String(32)),
    Column("lease_until", UtcTime),
    Column("woken_at", UtcTime),
    Column("rows_read", BigInteger, nullable=False, server_default="0"),
    Column("rows_done", BigInteger, nullable=False, server_default="0"),
    *(
        Column(name, BigInteger, nullable=False, server_default="0")
        for name in ("created", "updated", "unchanged", "merged", "rejected", "warnings")
    ),
    Column("reject_file", Text),
    Column("cancelled_by", Text),
    Column("dropped_at", UtcTime),
    Index("ix_batches_state_lease_until", "state", "lease_until"),
    comment="One run of one file of contacts, or (kind `activity`) of interactions, or (`edit`) one edit of many. "
    "The state and the lease say who works on it; Celery only wakes workers.",
)

batch_rows = Table(
    "batch_rows",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("row", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger),
    Column("outcome", String(10), nullable=False),
    Column("into_row", BigInteger),
    Column("code", String(24)),
    comment="What became of each row of each file.",
    sqlite_with_rowid=False,
)

candidate_pairs = Table(
    "candidate_pairs",
    metadata,
    Column("contact_a", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_b", BigInteger, primary_key=True, autoincrement=False, index=True),
    Column("reason", String(24), nullable=False),
    Column("batch_id", BigInteger),
    Column("row", BigInteger),
    Column("at", UtcTime, nullable=False),
    Column("state", String(10), nullable=False, server_default="open"),
    comment="Two contacts that may be one person; a person decides.",
)

LIVE_KEYS = (contacts, contact_keys, contact_values, contact_tags, contact_changes)
"""The tables whose secondary indexes are built after a first load instead of row by row."""
