"""a batch is a file, or one edit of many contacts"""

import sqlalchemy as sa
from alembic import op

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


_BEFORE = 'One run of one file. The state and the lease say who works on it; Celery only wakes workers.'
_SAID = (
    'One run of one file, or (kind `edit`) one edit of many contacts. '
    'The state and the lease say who works on it; Celery only wakes workers.'
)


def _say(comment: str) -> None:
    if op.get_bind().dialect.name == 'postgresql':
        op.create_table_comment('batches', comment)


def upgrade() -> None:
    _say(_SAID)
    op.add_column('batches', sa.Column('kind', sa.String(length=8), server_default='file', nullable=False))


def downgrade() -> None:
    _say(_BEFORE)
    op.drop_column('batches', 'kind')
