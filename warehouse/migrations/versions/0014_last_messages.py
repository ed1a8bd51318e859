"""a contact knows when the last message went out and came in"""

import sqlalchemy as sa
import warehouse.tables
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None


def upgrade() -> None:
    for kind in ('sent', 'received'):
        name = f'last_{kind}_at'
        op.add_column('contacts', sa.Column(name, warehouse.tables.UtcTime()))
        op.execute(
            f'UPDATE contacts SET {name} = (SELECT max(at) FROM interactions i '
            f"WHERE i.contact_id = contacts.id AND i.kind = '{kind}') WHERE {kind} > 0"
        )
        known = sa.text(f'{name} IS NOT NULL')
        op.create_index(f'ix_contacts_{name}', 'contacts', [name], sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    for kind in ('sent', 'received'):
        op.drop_index(f'ix_contacts_last_{kind}_at', table_name='contacts')
        op.drop_column('contacts', f'last_{kind}_at')
