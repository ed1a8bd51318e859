"""what is said of a batch is kept in both languages, for whoever looks at it"""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('batches') as table:
        table.alter_column('message', new_column_name='message_en', existing_type=sa.Text())
        table.add_column(sa.Column('message_es', sa.Text()))
    op.execute('UPDATE batches SET message_es = message_en')


def downgrade() -> None:
    with op.batch_alter_table('batches') as table:
        table.drop_column('message_es')
        table.alter_column('message_en', new_column_name='message', existing_type=sa.Text())
