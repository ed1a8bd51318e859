"""a batch is a file, or one edit of many contacts"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('batches', sa.Column('kind', sa.String(length=8), server_default='file', nullable=False))


def downgrade() -> None:
    op.drop_column('batches', 'kind')
