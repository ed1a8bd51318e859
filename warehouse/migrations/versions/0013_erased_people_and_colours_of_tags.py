"""people who were erased do not come back; tags have a colour"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
import warehouse.tables
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


_BEFORE = (
    'One run of one file, or (kind `edit`) one edit of many contacts. '
    'The state and the lease say who works on it; Celery only wakes workers.'
)
_SAID = (
    'One run of one file of contacts, or (kind `activity`) of interactions, or (`edit`) one edit of many. '
    'The state and the lease say who works on it; Celery only wakes workers.'
)


def _say(comment: str) -> None:
    if op.get_bind().dialect.name == 'postgresql':
        op.create_table_comment('batches', comment)


def upgrade() -> None:
    _say(_SAID)
    key = sa.String(collation='C').with_variant(sa.Text(), 'sqlite')
    at = warehouse.tables.UtcTime()
    op.create_table(
        'suppressions',
        sa.Column('hash', key, nullable=False),
        sa.Column('kind', key, nullable=False),
        sa.Column('contact_id', sa.BigInteger()),
        sa.Column('at', at, nullable=False),
        sa.PrimaryKeyConstraint('hash', name=op.f('pk_suppressions')),
        comment='Keyed hashes of the keys of erased people, whom no file, CRM or restored backup brings back.',
        sqlite_with_rowid=False,
    )
    op.add_column('batches', sa.Column('dropped_at', at))
    json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
    op.add_column('custom_fields', sa.Column('options', json))
    op.add_column('tags', sa.Column('colour', sa.String(length=7)))
    op.add_column('tags', sa.Column('dropped_at', at))


def downgrade() -> None:
    _say(_BEFORE)
    op.drop_column('batches', 'dropped_at')
    op.drop_column('custom_fields', 'options')
    op.drop_column('tags', 'dropped_at')
    op.drop_column('tags', 'colour')
    op.drop_table('suppressions')
