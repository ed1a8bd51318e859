"""The tables of what happened with contacts, and of segments."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, text

from warehouse.tables import Id, Key, UtcTime, metadata

_HAS_REF = text("ref IS NOT NULL")

interactions = Table(
    "interactions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("kind", Key, nullable=False),
    Column("ref", Key),
    Column("at", UtcTime, nullable=False),
    Column("channel", String(20)),
    Column("source", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    Column("actor", Text),
    Column("text", Text),
    Index("uq_interactions_source_external_id", "source", "external_id", unique=True),
    Index("ix_interactions_contact_id_kind_at", "contact_id", "kind", "at"),
    Index("ix_interactions_kind_at_contact_id", "kind", "at", "contact_id"),
    Index(
        "ix_interactions_kind_ref_contact_id",
        "kind",
        "ref",
        "contact_id",
        sqlite_where=_HAS_REF,
        postgresql_where=_HAS_REF,
    ),
    comment="A message in or out, a click, a reaction: what happened with a contact, and to what it refers.",
)

segments = Table(
    "segments",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("form", Key, nullable=False, unique=True),
    Column("kind", String(10), nullable=False),
    Column("description", Text),
    Column("filter_text", Text),
    Column("origin", String(10), nullable=False, server_default="hand"),
    Column("schedule", Text),
    Column("next_at", UtcTime, index=True),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("filter_version", Integer, nullable=False, server_default="1"),
    Column("refreshed_version", Integer),
    Column("watermark", BigInteger, nullable=False, server_default="0"),
    Column("interaction_watermark", BigInteger, nullable=False, server_default="0"),
    Column("event_watermark", BigInteger, nullable=False, server_default="0"),
    Column("zone", Text),
    Column("as_of", UtcTime),
    Column("size", BigInteger, nullable=False, server_default="0"),
    Column("took_ms", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("error_en", Text),
    Column("error_es", Text),
    Column("lease_token", String(32)),
    Column("lease_until", UtcTime),
    Column("cancelled_by", Text),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("archived_at", UtcTime),
    comment="A named filter (dynamic), list (static) or picture of one moment (snapshot) with stored members.",
)

segment_members = Table(
    "segment_members",
    metadata,
    Column("segment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", UtcTime, nullable=False),
    comment="Who is in a segment, and since when.",
    sqlite_with_rowid=False,
)

segment_pins = Table(
    "segment_pins",
    metadata,
    Column("segment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("contact_id", BigInteger, primary_key=True, autoincrement=False),
    Column("is_in", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    comment="Contacts that are always, or never, in a segment, whatever its filter says.",
    sqlite_with_rowid=False,
)

segment_runs = Table(
    "segment_runs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("segment_id", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("took_ms", BigInteger, nullable=False),
    Column("how", String(12), nullable=False),
    Column("candidates", BigInteger),
    Column("joined", BigInteger, nullable=False),
    Column("left", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("error_en", Text),
    Column("error_es", Text),
    Index("ix_segment_runs_segment_id_id", "segment_id", "id"),
    comment="Each refresh: how long it took, who joined and left, how large the segment was then.",
)

segment_events = Table(
    "segment_events",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("segment_id", BigInteger, nullable=False),
    Column("contact_id", BigInteger, nullable=False),
    Column("joined", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("run_id", BigInteger),
    Index("ix_segment_events_segment_id_id", "segment_id", "id"),
    Index("ix_segment_events_contact_id_id", "contact_id", "id"),
    comment="Who joined or left a segment, in which refresh (none: by hand).",
)
