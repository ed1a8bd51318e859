"""webhooks and their deliveries"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
import warehouse.tables

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_NUMBERED = ('webhooks', 'deliveries')


def _id() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def _key() -> sa.types.TypeEngine:
    return sa.String(collation='C').with_variant(sa.Text(), 'sqlite')


def upgrade() -> None:
    op.create_table('webhooks',
    sa.Column('id', _id(), autoincrement=False, nullable=False),
    sa.Column('url', sa.Text(), nullable=False),
    sa.Column('events', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=False),
    sa.Column('description', sa.Text(), server_default='', nullable=False),
    sa.Column('secret', sa.Text(), nullable=False),
    sa.Column('old_secret', sa.Text(), nullable=True),
    sa.Column('old_secret_until', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('disabled_because', sa.Text(), nullable=True),
    sa.Column('last_change', sa.BigInteger(), nullable=False),
    sa.Column('sending_until', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks')),
    comment='Addresses that are told of events. Secrets are encrypted; `last_change` is the change of a contact up to which events were made; until `sending_until` one process sends to it.'
    )
    op.create_table('deliveries',
    sa.Column('id', _id(), autoincrement=False, nullable=False),
    sa.Column('webhook_id', _id(), nullable=False),
    sa.Column('event', _key(), nullable=False),
    sa.Column('message_id', sa.String(length=40), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=8), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('next_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('sent_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('status', sa.Integer(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_deliveries')),
    comment='Each telling of an event to a webhook: `waiting`, `sent`, or `dead` after three days. `body` is what is signed and sent; `next_at` is when to try next, and while one is being sent, when to believe it lost.'
    )
    op.create_index('ix_deliveries_state_next_at', 'deliveries', ['state', 'next_at'], unique=False)
    op.create_index('ix_deliveries_webhook_id_id', 'deliveries', ['webhook_id', 'id'], unique=False)
    ranges = sa.table('id_ranges', sa.column('name', sa.String()), sa.column('next_id', sa.BigInteger()))
    op.bulk_insert(ranges, [{'name': name, 'next_id': 1} for name in _NUMBERED])


def downgrade() -> None:
    for name in reversed(_NUMBERED):
        op.drop_table(name)
    ranges = sa.table('id_ranges', sa.column('name', sa.String()))
    op.execute(ranges.delete().where(ranges.c.name.in_(_NUMBERED)))
