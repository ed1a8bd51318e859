"""The tables of who may come in and what they ask for: operators, licences, sessions, tokens, uploads, audit."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, text

from warehouse.tables import Id, Json, Key, UtcTime, metadata

OPEN = text("ended_at IS NULL")

licences = Table(
    "licences",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("name_match", Key, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("holding", String(8), nullable=False),
    Column("seats", Integer, nullable=False),
    Column("valid_from", UtcTime),
    Column("valid_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("claims", Integer, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, server_default="1"),
    comment="Seats that were bought. kind: `agent` or `admin`; holding: `floating` or `named`. `claims` is counted up "
    "first by whoever claims a seat, so that two claims never overlap.",
)

roles = Table(
    "roles",
    metadata,
    Column("name", Key, primary_key=True),
    Column("permissions", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    comment="Roles of one's own; the built-in ones are part of the program.",
)

operators = Table(
    "operators",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("email", Text, nullable=False),
    Column("email_match", Key, nullable=False, unique=True),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("search_text", Text, nullable=False),
    Column("password_hash", Text),
    Column("must_change_password", Boolean, nullable=False),
    Column("is_agent", Boolean, nullable=False),
    Column("licence_id", Id, index=True),
    Column("max_conversations", Integer, nullable=False),
    Column("may_leave_open", Boolean, nullable=False),
    Column("sees_queued", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("agent_state", Key, nullable=False),
    Column("agent_state_at", UtcTime, nullable=False),
    Column("open_conversations", Integer, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    comment="People who sign in. may_leave_open: may sign out with open conversations. search_text: first name, last "
    "name and e-mail without case and accents, a line each.",
)

operator_roles = Table(
    "operator_roles",
    metadata,
    Column("operator_id", Id, primary_key=True, autoincrement=False),
    Column("role", Key, primary_key=True),
    Index("ix_operator_roles_role", "role"),
    comment="Which roles an operator has.",
)

seats = Table(
    "seats",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("licence_id", Id, nullable=False),
    Column("operator_id", Id, nullable=False),
    Column("claimed_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime),
    Column("ended_at", UtcTime),
    Column("end_reason", String(16)),
    Index("uq_seats_operator_id", "operator_id", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    Index("ix_seats_licence_id_ended_at", "licence_id", "ended_at"),
    comment="A licence's seat while an operator has it, and afterwards its history. A named seat has no lease.",
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("operator_id", Id, nullable=False),
    Column("seat_id", Id),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime, nullable=False),
    Column("absolute_until", UtcTime, nullable=False),
    Column("address", Text),
    Column("user_agent", Text),
    Column("ended_at", UtcTime),
    Column("end_reason", String(16)),
    Index("ix_operator_sessions_operator_id_ended_at", "operator_id", "ended_at"),
    comment="A sign-in: the token is kept as its hash, and ends by sign-out, silence, age or force.",
)

agent_states = Table(
    "agent_states",
    metadata,
    Column("name", Key, primary_key=True),
    Column("en", Text, nullable=False),
    Column("es", Text, nullable=False),
    Column("takes_conversations", Boolean, nullable=False),
    Column("place", Integer, nullable=False),
    comment="The states that an agent may set, such as online or away.",
)

agent_state_changes = Table(
    "agent_state_changes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("operator_id", Id, nullable=False),
    Column("state", Key, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Index("ix_agent_state_changes_operator_id_id", "operator_id", "id"),
    comment="The history of agents' states.",
)

sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("email_match", Key, nullable=False),
    Column("address", Text),
    Column("at", UtcTime, nullable=False),
    Index("ix_sign_in_attempts_email_match_at", "email_match", "at"),
    Index("ix_sign_in_attempts_address_at", "address", "at"),
    comment="Failed sign-ins of the last hours; too many make the next ones wait.",
)

reset_links = Table(
    "reset_links",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("operator_id", Id, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    comment="Links by which an operator sets a new password, once.",
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("permissions", Json, nullable=False),
    Column("created_by", Text, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
    comment="Tokens of machines, kept as their hash, with the permissions they have.",
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("profile_text", Text, nullable=False),
    Column("token_sha256", String(64), nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("batch_id", Id),
    comment="Files that came over HTTP, until their mapping is confirmed and they become batches.",
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("address", Text),
    Column("action", String(40), nullable=False),
    Column("object", Key, nullable=False),
    Column("before", Json),
    Column("after", Json),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_object_id", "object", "id"),
    Index("ix_audit_at", "at"),
    Index("ix_audit_actor_id", "actor", "id"),
    comment="Who did what, when and from where. Each entry's hash covers the entry before it.",
)
