"""jobs, requests that are made once, imports that can be cancelled"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
import warehouse.tables

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine:
    return sa.String(collation='C').with_variant(sa.Text(), 'sqlite')


def upgrade() -> None:
    op.create_table('jobs',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('kind', _key(), nullable=False),
    sa.Column('object', _key(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('done', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('total', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('message_en', sa.Text(), nullable=True),
    sa.Column('message_es', sa.Text(), nullable=True),
    sa.Column('result', sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql'), nullable=True),
    sa.Column('cancelled_by', sa.Text(), nullable=True),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('started_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('finished_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('lease_token', sa.String(length=32), nullable=True),
    sa.Column('lease_until', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('woken_at', warehouse.tables.UtcTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_jobs')),
    comment="Long work that somebody asked for: `kind` says what is done to `object`. The state and the lease say who works on it; Celery only wakes workers."
    )
    op.create_index('ix_jobs_state_lease_until', 'jobs', ['state', 'lease_until'], unique=False)
    op.create_index('ix_jobs_object_id', 'jobs', ['object', 'id'], unique=False)
    op.create_table('idempotency_keys',
    sa.Column('actor', _key(), nullable=False),
    sa.Column('key_sha256', sa.String(length=64), nullable=False),
    sa.Column('request_sha256', sa.String(length=64), nullable=False),
    sa.Column('object', _key(), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('actor', 'key_sha256', name=op.f('pk_idempotency_keys')),
    comment='Creates that were asked for with a key, and what each made, so that the same request again makes nothing.'
    )
    op.create_index(op.f('ix_idempotency_keys_created_at'), 'idempotency_keys', ['created_at'], unique=False)
    op.add_column('batches', sa.Column('cancelled_by', sa.Text(), nullable=True))
    ranges = sa.table('id_ranges', sa.column('name', sa.String()), sa.column('next_id', sa.BigInteger()))
    op.bulk_insert(ranges, [{'name': 'jobs', 'next_id': 1}])


def downgrade() -> None:
    op.drop_column('batches', 'cancelled_by')
    op.drop_table('idempotency_keys')
    op.drop_table('jobs')
    ranges = sa.table('id_ranges', sa.column('name', sa.String()))
    op.execute(ranges.delete().where(ranges.c.name == 'jobs'))
