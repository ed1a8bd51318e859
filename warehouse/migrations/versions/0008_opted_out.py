"""who may not be written to is asked of a view, which looks at every holder of an address"""

import sqlalchemy as sa
from alembic import op
import warehouse.tables

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

_VIEW = """
CREATE VIEW opted_out AS
WITH said AS (
    SELECT 'phone' AS kind, c.phone_match AS value, s.channel
    FROM consents s JOIN contacts c ON c.id = s.contact_id
    WHERE s.state = 'out' AND c.phone_match IS NOT NULL AND c.deleted_at IS NULL
    UNION ALL
    SELECT 'email', c.email_match, s.channel
    FROM consents s JOIN contacts c ON c.id = s.contact_id
    WHERE s.state = 'out' AND c.email_match IS NOT NULL AND c.deleted_at IS NULL
    UNION ALL
    SELECT k.kind, k.value, s.channel
    FROM consents s JOIN contact_keys k ON k.contact_id = s.contact_id
    WHERE s.state = 'out' AND k.kind IN ('phone', 'email')
    UNION ALL
    SELECT kind, value, channel FROM opted_out_addresses
),
reaches (kind, channel) AS (
    VALUES ('email', 'email'), ('phone', 'phone'), ('phone', 'sms'), ('phone', 'whatsapp')
),
addresses AS (
    SELECT DISTINCT said.kind, said.value, reaches.channel
    FROM said JOIN reaches ON reaches.kind = said.kind AND said.channel IN (reaches.channel, 'all')
)
SELECT s.contact_id, s.channel
FROM consents s JOIN contacts c ON c.id = s.contact_id
WHERE s.state = 'out' AND c.deleted_at IS NULL
UNION
SELECT c.id, a.channel
FROM addresses a JOIN contacts c ON c.phone_match = a.value
WHERE a.kind = 'phone' AND c.deleted_at IS NULL
UNION
SELECT c.id, a.channel
FROM addresses a JOIN contacts c ON c.email_match = a.value
WHERE a.kind = 'email' AND c.deleted_at IS NULL
UNION
SELECT c.id, a.channel
FROM addresses a
JOIN contact_keys k ON k.value = a.value AND k.kind = a.kind AND k.role = 'shared'
JOIN contacts c ON c.id = k.contact_id
WHERE c.deleted_at IS NULL AND (
    (a.kind = 'phone' AND c.phone IS NOT NULL AND c.phone_match IS NULL) OR (a.kind = 'email' AND c.email = a.value)
)
"""


def _key() -> sa.types.TypeEngine:
    return sa.String(collation='C').with_variant(sa.Text(), 'sqlite')


def upgrade() -> None:
    op.create_table('opted_out_addresses',
    sa.Column('kind', _key(), nullable=False),
    sa.Column('value', _key(), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=False),
    sa.Column('batch_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('kind', 'value', 'channel', 'batch_id', name=op.f('pk_opted_out_addresses')),
    comment='Phones and e-mails that rows opted out which were not taken, or skipped.',
    sqlite_with_rowid=False
    )
    op.create_index('ix_opted_out_addresses_batch_id', 'opted_out_addresses', ['batch_id'])
    op.execute(_VIEW)


def downgrade() -> None:
    op.execute('DROP VIEW opted_out')
    op.drop_table('opted_out_addresses')
