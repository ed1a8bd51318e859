"""tokens are found by their whole hash, as sessions are"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('api_tokens') as table:
        table.drop_constraint('uq_api_tokens', type_='unique')
        table.drop_column('prefix')
        table.create_unique_constraint('uq_api_tokens', ['token_sha256'])
        table.create_index('ix_api_tokens_created_by', ['created_by'])


def downgrade() -> None:
    with op.batch_alter_table('api_tokens') as table:
        table.drop_index('ix_api_tokens_created_by')
        table.drop_constraint('uq_api_tokens', type_='unique')
        table.add_column(sa.Column('prefix', sa.String(16)))
    op.execute('UPDATE api_tokens SET prefix = substr(token_sha256, 1, 8)')
    with op.batch_alter_table('api_tokens') as table:
        table.alter_column('prefix', existing_type=sa.String(16), nullable=False)
        table.create_unique_constraint('uq_api_tokens', ['prefix'])
