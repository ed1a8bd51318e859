"""connections to CRMs, and what syncing needs"""

import sqlalchemy as sa
import warehouse.tables
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.String(collation='C').with_variant(sa.Text(), 'sqlite')
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
    at = warehouse.tables.UtcTime()
    op.create_table(
        'connections',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('name', sa.String(length=60), nullable=False),
        sa.Column('connector', sa.String(length=60), nullable=False),
        sa.Column('config', json, nullable=False),
        sa.Column('secrets', sa.Text()),
        sa.Column('mapping_id', sa.BigInteger()),
        sa.Column('applied_mapping', sa.String(length=16)),
        sa.Column('state', sa.String(length=16), nullable=False),
        sa.Column('message_en', sa.Text()),
        sa.Column('message_es', sa.Text()),
        sa.Column('fields', json),
        sa.Column('fields_hash', sa.String(length=16)),
        sa.Column('read_until', at),
        sa.Column('page', sa.Text()),
        sa.Column('page_began_at', at),
        sa.Column('swept_at', at),
        sa.Column('last_change', sa.BigInteger(), nullable=False, server_default='0'),
        sa.Column('approved', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('failures', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('next_at', at),
        sa.Column('lease_token', sa.String(length=32)),
        sa.Column('lease_until', at),
        sa.Column('created_by', sa.Text(), nullable=False),
        sa.Column('created_at', at, nullable=False),
        sa.Column('version', sa.Integer(), nullable=False, server_default='1'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_connections')),
        sa.UniqueConstraint('name', name=op.f('uq_connections')),
        comment="Accounts of CRMs. state is `new` until a first plan was applied, `active`, `paused`, `approval` (a person has to agree) or `failed` (credentials). `read_until` is the CRM's time up to which changes were read, `last_change` the change of a contact up to which links were marked, `approved` how many deletions may be made without asking. Secrets are encrypted.",
    )
    op.create_table(
        'mappings',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('connection_id', number, nullable=False),
        sa.Column('hash', sa.String(length=16), nullable=False),
        sa.Column('document', json, nullable=False),
        sa.Column('created_by', sa.Text(), nullable=False),
        sa.Column('created_at', at, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_mappings')),
        comment="Each version of a connection's mapping; none is ever changed.",
    )
    op.create_index('ix_mappings_connection_id', 'mappings', ['connection_id'])
    op.create_table(
        'links',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('connection_id', number, nullable=False),
        sa.Column('contact_id', sa.BigInteger()),
        sa.Column('remote_id', key),
        sa.Column('token', sa.String(length=40), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('dirty', sa.SmallInteger(), nullable=False, server_default='0'),
        sa.Column('base', json),
        sa.Column('sent', json),
        sa.Column('intent_at', at),
        sa.Column('local_version', sa.BigInteger(), nullable=False, server_default='0'),
        sa.Column('remote_version', sa.Text()),
        sa.Column('why', sa.String(length=24)),
        sa.Column('attempts', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('next_at', at),
        sa.Column('message', sa.Text()),
        sa.Column('updated_at', at, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_links')),
        sa.UniqueConstraint('token', name=op.f('uq_links')),
        comment='A contact and its record. state is `seen` (known by its id only), `new` (to be made there), `creating` (perhaps made), `active`, `ambiguous`, `ignored`, `unlinked`, `erasing`, `gone` or `merged`; the last two keep the ids that a link once had. base is {pair: [ours, theirs]} as last agreed. dirty is how soon to look: 4 a webhook, 3 a change there, 2 a change here, 1 the nightly sweep.',
    )
    op.create_index('ix_links_connection_id_dirty_id', 'links', ['connection_id', 'dirty', 'id'], sqlite_where=sa.text('dirty > 0'), postgresql_where=sa.text('dirty > 0'))
    op.create_index('ix_links_contact_id', 'links', ['contact_id'])
    op.create_index('uq_links_connection_id_contact_id', 'links', ['connection_id', 'contact_id'], unique=True, sqlite_where=sa.text("contact_id IS NOT NULL AND state NOT IN ('gone', 'merged')"), postgresql_where=sa.text("contact_id IS NOT NULL AND state NOT IN ('gone', 'merged')"))
    op.create_index('uq_links_connection_id_remote_id', 'links', ['connection_id', 'remote_id'], unique=True, sqlite_where=sa.text('remote_id IS NOT NULL'), postgresql_where=sa.text('remote_id IS NOT NULL'))
    op.create_table(
        'calls',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('connection_id', number, nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('body', sa.Text(), nullable=False),
        sa.Column('received_at', at, nullable=False),
        sa.Column('error', sa.Text()),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_calls')),
        comment='Webhook calls of CRMs that are not gone through yet, and those that say nothing that can be understood.',
    )
    op.create_index('ix_calls_connection_id_digest', 'calls', ['connection_id', 'digest'])
    op.create_index('ix_calls_connection_id_id', 'calls', ['connection_id', 'id'])
    op.create_table(
        'sync_runs',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('connection_id', number, nullable=False),
        sa.Column('kind', sa.String(length=8), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('started_at', at, nullable=False),
        sa.Column('finished_at', at),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('counts', json),
        sa.Column('calls', sa.Integer(), nullable=False, server_default='0'),
        sa.Column('message_en', sa.Text()),
        sa.Column('message_es', sa.Text()),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_runs')),
        comment='Runs of a connection: how many records had which outcome, and how many requests were made.',
    )
    op.create_index('ix_sync_runs_connection_id_id', 'sync_runs', ['connection_id', 'id'])
    op.create_table(
        'sync_outcomes',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('run_id', sa.BigInteger(), nullable=False),
        sa.Column('link_id', sa.BigInteger()),
        sa.Column('contact_id', sa.BigInteger()),
        sa.Column('remote_id', key),
        sa.Column('outcome', sa.String(length=12), nullable=False),
        sa.Column('action', sa.String(length=16)),
        sa.Column('fields', json),
        sa.Column('said', sa.Text()),
        sa.Column('at', at, nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_outcomes')),
        comment="What became of each record that a run looked at; `said` is the CRM's own words or the reason. No values.",
    )
    op.create_index('ix_sync_outcomes_contact_id', 'sync_outcomes', ['contact_id'])
    op.create_index('ix_sync_outcomes_run_id_id', 'sync_outcomes', ['run_id', 'id'])
    op.create_table(
        'conflicts',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('connection_id', number, nullable=False),
        sa.Column('link_id', sa.BigInteger(), nullable=False),
        sa.Column('contact_id', sa.BigInteger()),
        sa.Column('pair', sa.Text(), nullable=False),
        sa.Column('local', json),
        sa.Column('remote', json),
        sa.Column('policy', sa.String(length=24), nullable=False),
        sa.Column('winner', sa.String(length=8), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('at', at, nullable=False),
        sa.Column('resolved_by', sa.Text()),
        sa.Column('resolved_at', at),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_conflicts')),
        comment='Values that stood against each other. state is `open` (a person decides), `chosen` (ours goes there with the next run), `auto` (a policy did; the loser is kept here), `restored` or `dismissed`.',
    )
    op.create_index('ix_conflicts_connection_id_state_id', 'conflicts', ['connection_id', 'state', 'id'])
    op.create_index('ix_conflicts_contact_id', 'conflicts', ['contact_id'])
    op.create_index('ix_conflicts_link_id', 'conflicts', ['link_id'])
    op.create_table(
        'sync_plans',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('connection_id', number, nullable=False),
        sa.Column('mapping_hash', sa.String(length=16), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('counts', json, nullable=False),
        sa.Column('calls', sa.Integer(), nullable=False),
        sa.Column('created_by', sa.Text(), nullable=False),
        sa.Column('created_at', at, nullable=False),
        sa.Column('applied_by', sa.Text()),
        sa.Column('applied_at', at),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_sync_plans')),
        comment='What a run would do, as of a moment: `draft`, `applied` or `replaced`.',
    )
    op.create_index('ix_sync_plans_connection_id', 'sync_plans', ['connection_id'])
    op.create_table(
        'sync_plan_items',
        sa.Column('plan_id', sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('key', key, nullable=False),
        sa.Column('contact_id', sa.BigInteger()),
        sa.Column('remote_id', key),
        sa.Column('action', sa.String(length=16), nullable=False),
        sa.Column('changes', json, nullable=False),
        sa.Column('reason', sa.Text()),
        sa.Column('fingerprint', sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint('plan_id', 'number', name=op.f('pk_sync_plan_items')),
        comment='One pair of a plan: what would be done with it, from which values to which, and what it rests on.',
    )
    op.create_index('ix_sync_plan_items_contact_id', 'sync_plan_items', ['contact_id'])


def downgrade() -> None:
    op.drop_table('sync_plan_items')
    op.drop_table('sync_plans')
    op.drop_table('conflicts')
    op.drop_table('sync_outcomes')
    op.drop_table('sync_runs')
    op.drop_table('calls')
    op.drop_table('links')
    op.drop_table('mappings')
    op.drop_table('connections')
