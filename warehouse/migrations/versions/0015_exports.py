"""files of contacts that somebody asked for"""

import sqlalchemy as sa
import warehouse.tables
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.String(collation='C').with_variant(sa.Text(), 'sqlite')
    number = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')
    json = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
    at = warehouse.tables.UtcTime()
    op.create_table(
        'exports',
        sa.Column('id', number, autoincrement=False, nullable=False),
        sa.Column('format', key, nullable=False),
        sa.Column('filter_text', sa.Text()),
        sa.Column('search', sa.Text()),
        sa.Column('columns', json),
        sa.Column('language', sa.String(length=2), nullable=False),
        sa.Column('actor', sa.Text(), nullable=False),
        sa.Column('created_at', at, nullable=False),
        sa.Column('expires_at', at, nullable=False),
        sa.Column('as_of', at),
        sa.Column('rows', sa.BigInteger()),
        sa.Column('size_bytes', sa.BigInteger()),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_exports')),
        comment='Files of contacts that somebody asked for, until they expire or somebody is erased.',
    )
    op.create_index('ix_exports_expires_at', 'exports', ['expires_at'])


def downgrade() -> None:
    op.drop_table('exports')
