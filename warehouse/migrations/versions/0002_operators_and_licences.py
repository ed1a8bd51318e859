"""operators, licences, sessions, tokens, audit"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
import warehouse.tables

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

_NUMBERED = ('licences', 'operators', 'seats', 'operator_sessions', 'agent_state_changes', 'sign_in_attempts', 'api_tokens', 'uploads', 'audit')
_STATES = (('online', 'Online', 'En línea', True), ('busy', 'Busy', 'Ocupado', False),
           ('away', 'Away', 'Ausente', False), ('offline', 'Offline', 'Desconectado', False))


def upgrade() -> None:
    op.create_table('agent_state_changes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('operator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agent_state_changes')),
    comment="The history of agents' states."
    )
    op.create_index('ix_agent_state_changes_operator_id_id', 'agent_state_changes', ['operator_id', 'id'], unique=False)
    op.create_table('agent_states',
    sa.Column('name', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('en', sa.Text(), nullable=False),
    sa.Column('es', sa.Text(), nullable=False),
    sa.Column('takes_conversations', sa.Boolean(), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_agent_states')),
    comment='The states that an agent may set, such as online or away.'
    )
    op.create_table('api_tokens',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('prefix', sa.String(length=16), nullable=False),
    sa.Column('token_sha256', sa.String(length=64), nullable=False),
    sa.Column('permissions', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('expires_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('used_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('revoked_at', warehouse.tables.UtcTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('prefix', name=op.f('uq_api_tokens')),
    comment='Tokens of machines, kept as their hash, with the permissions they have.'
    )
    op.create_table('audit',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('object', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('before', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=True),
    sa.Column('after', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=True),
    sa.Column('previous_hash', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit')),
    comment="Who did what, when and from where. Each entry's hash covers the entry before it."
    )
    op.create_index('ix_audit_actor_id', 'audit', ['actor', 'id'], unique=False)
    op.create_index('ix_audit_object_id', 'audit', ['object', 'id'], unique=False)
    op.create_table('licences',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('name_match', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('holding', sa.String(length=8), nullable=False),
    sa.Column('seats', sa.Integer(), nullable=False),
    sa.Column('valid_from', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('valid_until', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('claims', sa.Integer(), server_default='0', nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_licences')),
    sa.UniqueConstraint('name_match', name=op.f('uq_licences')),
    comment='Seats that were bought. kind: `agent` or `admin`; holding: `floating` or `named`. `claims` is counted up first by whoever claims a seat, so that two claims never overlap.'
    )
    op.create_table('operator_roles',
    sa.Column('operator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('role', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.PrimaryKeyConstraint('operator_id', 'role', name=op.f('pk_operator_roles')),
    comment='Which roles an operator has.'
    )
    op.create_index('ix_operator_roles_role', 'operator_roles', ['role'], unique=False)
    op.create_table('operator_sessions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('token_sha256', sa.String(length=64), nullable=False),
    sa.Column('operator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('seat_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('seen_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('lease_until', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('absolute_until', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('user_agent', sa.Text(), nullable=True),
    sa.Column('ended_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('end_reason', sa.String(length=16), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_operator_sessions')),
    sa.UniqueConstraint('token_sha256', name=op.f('uq_operator_sessions')),
    comment='A sign-in: the token is kept as its hash, and ends by sign-out, silence, age or force.'
    )
    op.create_index('ix_operator_sessions_operator_id_ended_at', 'operator_sessions', ['operator_id', 'ended_at'], unique=False)
    op.create_table('operators',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('email', sa.Text(), nullable=False),
    sa.Column('email_match', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('first_name', sa.Text(), nullable=False),
    sa.Column('last_name', sa.Text(), nullable=False),
    sa.Column('search_text', sa.Text(), nullable=False),
    sa.Column('password_hash', sa.Text(), nullable=True),
    sa.Column('must_change_password', sa.Boolean(), nullable=False),
    sa.Column('is_agent', sa.Boolean(), nullable=False),
    sa.Column('licence_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('max_conversations', sa.Integer(), nullable=False),
    sa.Column('may_leave_open', sa.Boolean(), nullable=False),
    sa.Column('sees_queued', sa.Boolean(), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('agent_state', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('agent_state_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('open_conversations', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_operators')),
    sa.UniqueConstraint('email_match', name=op.f('uq_operators')),
    comment='People who sign in. may_leave_open: may sign out with open conversations.'
    )
    op.create_index(op.f('ix_operators_licence_id'), 'operators', ['licence_id'], unique=False)
    op.create_table('reset_links',
    sa.Column('token_sha256', sa.String(length=64), nullable=False),
    sa.Column('operator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('expires_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('used_at', warehouse.tables.UtcTime(), nullable=True),
    sa.PrimaryKeyConstraint('token_sha256', name=op.f('pk_reset_links')),
    comment='Links by which an operator sets a new password, once.'
    )
    op.create_index(op.f('ix_reset_links_operator_id'), 'reset_links', ['operator_id'], unique=False)
    op.create_table('roles',
    sa.Column('name', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('permissions', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_roles')),
    comment="Roles of one's own; the built-in ones are part of the program."
    )
    op.create_table('seats',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('licence_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('operator_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('claimed_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('lease_until', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('ended_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('end_reason', sa.String(length=16), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seats')),
    comment="A licence's seat while an operator has it, and afterwards its history. A named seat has no lease."
    )
    op.create_index('ix_seats_licence_id_ended_at', 'seats', ['licence_id', 'ended_at'], unique=False)
    op.create_index('uq_seats_operator_id', 'seats', ['operator_id'], unique=True, sqlite_where=sa.text('ended_at IS NULL'), postgresql_where=sa.text('ended_at IS NULL'))
    op.create_table('sign_in_attempts',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('email_match', sa.String(collation='C').with_variant(sa.Text(), 'sqlite'), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in_attempts')),
    comment='Failed sign-ins of the last hours; too many make the next ones wait.'
    )
    op.create_index('ix_sign_in_attempts_address_at', 'sign_in_attempts', ['address', 'at'], unique=False)
    op.create_index('ix_sign_in_attempts_email_match_at', 'sign_in_attempts', ['email_match', 'at'], unique=False)
    op.create_table('uploads',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('profile_text', sa.Text(), nullable=False),
    sa.Column('token_sha256', sa.String(length=64), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('batch_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_uploads')),
    comment='Files that came over HTTP, until their mapping is confirmed and they become batches.'
    )
    ranges = sa.table('id_ranges', sa.column('name', sa.String()), sa.column('next_id', sa.BigInteger()))
    op.bulk_insert(ranges, [{'name': name, 'next_id': 1} for name in _NUMBERED])
    states = sa.table('agent_states', *(sa.column(name, kind) for name, kind in (
        ('name', sa.String()), ('en', sa.Text()), ('es', sa.Text()), ('takes_conversations', sa.Boolean()), ('place', sa.Integer()))))
    op.bulk_insert(states, [{'name': name, 'en': en, 'es': es, 'takes_conversations': takes, 'place': place}
                            for place, (name, en, es, takes) in enumerate(_STATES)])


def downgrade() -> None:
    for name in ('uploads', 'sign_in_attempts', 'seats', 'roles', 'reset_links', 'operators', 'operator_sessions', 'operator_roles', 'licences', 'audit', 'api_tokens', 'agent_states', 'agent_state_changes'):
        op.drop_table(name)
    ranges = sa.table('id_ranges', sa.column('name', sa.String()))
    op.execute(ranges.delete().where(ranges.c.name.in_(_NUMBERED)))
