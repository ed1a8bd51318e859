"""The tables of CRM sync: connections, their mappings, links, runs with their outcomes, conflicts, plans, and calls."""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, String, Table, Text, text

from warehouse.tables import Id, Json, Key, UtcTime, metadata

LINKED = text("contact_id IS NOT NULL AND state NOT IN ('gone', 'merged')")
KNOWN = text("remote_id IS NOT NULL")
DIRTY = text("dirty > 0")

connections = Table(
    "connections",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", String(60), nullable=False, unique=True),
    Column("connector", String(60), nullable=False),
    Column("config", Json, nullable=False),
    Column("secrets", Text),
    Column("mapping_id", BigInteger),
    Column("applied_mapping", String(16)),
    Column("state", String(16), nullable=False),
    Column("message_en", Text),
    Column("message_es", Text),
    Column("fields", Json),
    Column("fields_hash", String(16)),
    Column("read_until", UtcTime),
    Column("page", Text),
    Column("page_began_at", UtcTime),
    Column("swept_at", UtcTime),
    Column("last_change", BigInteger, nullable=False, server_default="0"),
    Column("approved", Integer, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("next_at", UtcTime),
    Column("lease_token", String(32)),
    Column("lease_until", UtcTime),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    comment="Accounts of CRMs. state is `new` until a first plan was applied, `active`, `paused`, `approval` (a person "
    "has to agree) or `failed` (credentials). `read_until` is the CRM's time up to which changes were read, "
    "`last_change` the change of a contact up to which links were marked, `approved` how many deletions may be made "
    "without asking. Secrets are encrypted.",
)

mappings = Table(
    "mappings",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("connection_id", Id, nullable=False, index=True),
    Column("hash", String(16), nullable=False),
    Column("document", Json, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    comment="Each version of a connection's mapping; none is ever changed.",
)

links = Table(
    "links",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("connection_id", Id, nullable=False),
    Column("contact_id", BigInteger),
    Column("remote_id", Key),
    Column("token", String(40), nullable=False, unique=True),
    Column("state", String(10), nullable=False),
    Column("dirty", SmallInteger, nullable=False, server_default="0"),
    Column("base", Json),
    Column("sent", Json),
    Column("intent_at", UtcTime),
    Column("local_version", BigInteger, nullable=False, server_default="0"),
    Column("remote_version", Text),
    Column("why", String(24)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", UtcTime),
    Column("message", Text),
    Column("updated_at", UtcTime, nullable=False),
    Index(
        "uq_links_connection_id_contact_id",
        "connection_id",
        "contact_id",
        unique=True,
        sqlite_where=LINKED,
        postgresql_where=LINKED,
    ),
    Index(
        "uq_links_connection_id_remote_id",
        "connection_id",
        "remote_id",
        unique=True,
        sqlite_where=KNOWN,
        postgresql_where=KNOWN,
    ),
    Index("ix_links_contact_id", "contact_id"),
    Index(
        "ix_links_connection_id_dirty_id", "connection_id", "dirty", "id", sqlite_where=DIRTY, postgresql_where=DIRTY
    ),
    comment="A contact and its record. state is `seen` (known by its id only), `new` (to be made there), `creating` "
    "(perhaps made), `active`, `ambiguous`, `ignored`, `unlinked`, `erasing`, `gone` or `merged`; the last two "
    "keep the ids that a link once had. base is {pair: [ours, theirs]} as last agreed. dirty is how soon to look: 4 a "
    "webhook, 3 a change there, 2 a change here, 1 the nightly sweep.",
)

calls = Table(
    "calls",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("connection_id", Id, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("error", Text),
    Index("ix_calls_connection_id_id", "connection_id", "id"),
    Index("ix_calls_connection_id_digest", "connection_id", "digest"),
    comment="Webhook calls of CRMs that are not gone through yet, and those that say nothing that can be understood.",
)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("connection_id", Id, nullable=False),
    Column("kind", String(8), nullable=False),
    Column("actor", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("state", String(10), nullable=False),
    Column("counts", Json),
    Column("calls", Integer, nullable=False, server_default="0"),
    Column("message_en", Text),
    Column("message_es", Text),
    Index("ix_sync_runs_connection_id_id", "connection_id", "id"),
    comment="Runs of a connection: how many records had which outcome, and how many requests were made.",
)

sync_outcomes = Table(
    "sync_outcomes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("link_id", BigInteger),
    Column("contact_id", BigInteger),
    Column("remote_id", Key),
    Column("outcome", String(12), nullable=False),
    Column("action", String(16)),
    Column("fields", Json),
    Column("said", Text),
    Column("at", UtcTime, nullable=False),
    Index("ix_sync_outcomes_run_id_id", "run_id", "id"),
    Index("ix_sync_outcomes_contact_id", "contact_id"),
    comment="What became of each record that a run looked at; `said` is the CRM's own words or the reason. No values.",
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("connection_id", Id, nullable=False),
    Column("link_id", BigInteger, nullable=False, index=True),
    Column("contact_id", BigInteger),
    Column("pair", Text, nullable=False),
    Column("local", Json),
    Column("remote", Json),
    Column("policy", String(24), nullable=False),
    Column("winner", String(8), nullable=False),
    Column("state", String(10), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("resolved_by", Text),
    Column("resolved_at", UtcTime),
    Index("ix_conflicts_contact_id", "contact_id"),
    Index("ix_conflicts_connection_id_state_id", "connection_id", "state", "id"),
    comment="Values that stood against each other. state is `open` (a person decides), `chosen` (ours goes there with "
    "the next run), `auto` (a policy did; the loser is kept here), `restored` or `dismissed`.",
)

sync_plans = Table(
    "sync_plans",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("connection_id", Id, nullable=False, index=True),
    Column("mapping_hash", String(16), nullable=False),
    Column("state", String(10), nullable=False),
    Column("counts", Json, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("applied_by", Text),
    Column("applied_at", UtcTime),
    comment="What a run would do, as of a moment: `draft`, `applied` or `replaced`.",
)

sync_plan_items = Table(
    "sync_plan_items",
    metadata,
    Column("plan_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Key, nullable=False),
    Column("contact_id", BigInteger),
    Column("remote_id", Key),
    Column("action", String(16), nullable=False),
    Column("changes", Json, nullable=False),
    Column("reason", Text),
    Column("fingerprint", String(32), nullable=False),
    Index("ix_sync_plan_items_contact_id", "contact_id"),
    comment="One pair of a plan: what would be done with it, from which values to which, and what it rests on.",
)
