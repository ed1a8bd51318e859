"""deliveries are found by their webhook, and by age; pairs by either contact; the audit by time"""

from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index('ix_deliveries_state_next_at', table_name='deliveries')
    op.create_index('ix_deliveries_webhook_id_state_next_at', 'deliveries', ['webhook_id', 'state', 'next_at'])
    op.create_index('ix_deliveries_created_at', 'deliveries', ['created_at'])
    op.create_index('ix_candidate_pairs_contact_b', 'candidate_pairs', ['contact_b'])
    op.create_index('ix_audit_at', 'audit', ['at'])


def downgrade() -> None:
    op.drop_index('ix_audit_at', table_name='audit')
    op.drop_index('ix_candidate_pairs_contact_b', table_name='candidate_pairs')
    op.drop_index('ix_deliveries_created_at', table_name='deliveries')
    op.drop_index('ix_deliveries_webhook_id_state_next_at', table_name='deliveries')
    op.create_index('ix_deliveries_state_next_at', 'deliveries', ['state', 'next_at'])
