"""what happened with contacts, and segments"""

import sqlalchemy as sa
from alembic import op
import warehouse.tables

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

_FOLD = '''
CREATE FUNCTION padron_fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(value) = length(value) THEN lower(value COLLATE "C")
        ELSE regexp_replace(
            normalize(lower(value COLLATE "{collation}"), NFKD), '[\\u0300-\\u036f]', '', 'g'
        ) COLLATE "C"
    END
$$
'''
"""What `schemas.folding.folded` does; a text of ASCII alone is by far the most frequent, and the fastest."""


def _id() -> sa.types.TypeEngine:
    return sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def _key() -> sa.types.TypeEngine:
    return sa.String(collation='C').with_variant(sa.Text(), 'sqlite')


def _make_fold() -> None:
    connection = op.get_bind()
    if connection.dialect.name == 'postgresql':
        known = connection.exec_driver_sql("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'").scalar()
        connection.exec_driver_sql(_FOLD.replace('{collation}', 'und-x-icu' if known else 'default'))


def upgrade() -> None:
    _make_fold()
    op.create_table('interactions',
    sa.Column('id', _id(), autoincrement=False, nullable=False),
    sa.Column('contact_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', _key(), nullable=False),
    sa.Column('ref', _key(), nullable=True),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('channel', sa.String(length=20), nullable=True),
    sa.Column('source', _key(), nullable=False),
    sa.Column('external_id', _key(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=True),
    sa.Column('text', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_interactions')),
    comment='A message in or out, a click, a reaction: what happened with a contact, and to what it refers.'
    )
    op.create_index('ix_interactions_contact_id_kind_at', 'interactions', ['contact_id', 'kind', 'at'], unique=False)
    op.create_index('ix_interactions_kind_at_contact_id', 'interactions', ['kind', 'at', 'contact_id'], unique=False)
    op.create_index('ix_interactions_kind_ref_contact_id', 'interactions', ['kind', 'ref', 'contact_id'], unique=False, sqlite_where=sa.text('ref IS NOT NULL'), postgresql_where=sa.text('ref IS NOT NULL'))
    op.create_index('uq_interactions_source_external_id', 'interactions', ['source', 'external_id'], unique=True)
    op.create_table('segment_events',
    sa.Column('id', _id(), autoincrement=False, nullable=False),
    sa.Column('segment_id', sa.BigInteger(), nullable=False),
    sa.Column('contact_id', sa.BigInteger(), nullable=False),
    sa.Column('joined', sa.Boolean(), nullable=False),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('run_id', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_segment_events')),
    comment='Who joined or left a segment, in which refresh (none: by hand).'
    )
    op.create_index('ix_segment_events_contact_id_id', 'segment_events', ['contact_id', 'id'], unique=False)
    op.create_index('ix_segment_events_segment_id_id', 'segment_events', ['segment_id', 'id'], unique=False)
    op.create_table('segment_members',
    sa.Column('segment_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('contact_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('since', warehouse.tables.UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('segment_id', 'contact_id', name=op.f('pk_segment_members')),
    comment='Who is in a segment, and since when.',
    sqlite_with_rowid=False
    )
    op.create_table('segment_pins',
    sa.Column('segment_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('contact_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('is_in', sa.Boolean(), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.PrimaryKeyConstraint('segment_id', 'contact_id', name=op.f('pk_segment_pins')),
    comment='Contacts that are always, or never, in a segment, whatever its filter says.',
    sqlite_with_rowid=False
    )
    op.create_table('segment_runs',
    sa.Column('id', _id(), autoincrement=False, nullable=False),
    sa.Column('segment_id', sa.BigInteger(), nullable=False),
    sa.Column('at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('took_ms', sa.BigInteger(), nullable=False),
    sa.Column('how', sa.String(length=12), nullable=False),
    sa.Column('candidates', sa.BigInteger(), nullable=True),
    sa.Column('joined', sa.BigInteger(), nullable=False),
    sa.Column('left', sa.BigInteger(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('error_en', sa.Text(), nullable=True),
    sa.Column('error_es', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_segment_runs')),
    comment='Each refresh: how long it took, who joined and left, how large the segment was then.'
    )
    op.create_index('ix_segment_runs_segment_id_id', 'segment_runs', ['segment_id', 'id'], unique=False)
    op.create_table('segments',
    sa.Column('id', _id(), autoincrement=False, nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('form', _key(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('filter_text', sa.Text(), nullable=True),
    sa.Column('origin', sa.String(length=10), server_default='hand', nullable=False),
    sa.Column('schedule', sa.Text(), nullable=True),
    sa.Column('next_at', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('filter_version', sa.Integer(), server_default='1', nullable=False),
    sa.Column('refreshed_version', sa.Integer(), nullable=True),
    sa.Column('watermark', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('interaction_watermark', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('event_watermark', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('zone', sa.Text(), nullable=True),
    sa.Column('as_of', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('size', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('took_ms', sa.BigInteger(), nullable=True),
    sa.Column('failures', sa.Integer(), server_default='0', nullable=False),
    sa.Column('error_en', sa.Text(), nullable=True),
    sa.Column('error_es', sa.Text(), nullable=True),
    sa.Column('lease_token', sa.String(length=32), nullable=True),
    sa.Column('lease_until', warehouse.tables.UtcTime(), nullable=True),
    sa.Column('cancelled_by', sa.Text(), nullable=True),
    sa.Column('created_by', sa.Text(), nullable=False),
    sa.Column('created_at', warehouse.tables.UtcTime(), nullable=False),
    sa.Column('archived_at', warehouse.tables.UtcTime(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_segments')),
    sa.UniqueConstraint('form', name=op.f('uq_segments')),
    comment='A named filter (dynamic), list (static) or picture of one moment (snapshot) with stored members.'
    )
    op.create_index(op.f('ix_segments_next_at'), 'segments', ['next_at'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_segments_next_at'), table_name='segments')
    op.drop_table('segments')
    op.drop_index('ix_segment_runs_segment_id_id', table_name='segment_runs')
    op.drop_table('segment_runs')
    op.drop_table('segment_pins')
    op.drop_table('segment_members')
    op.drop_index('ix_segment_events_segment_id_id', table_name='segment_events')
    op.drop_index('ix_segment_events_contact_id_id', table_name='segment_events')
    op.drop_table('segment_events')
    op.drop_index('uq_interactions_source_external_id', table_name='interactions')
    op.drop_index('ix_interactions_kind_ref_contact_id', table_name='interactions', sqlite_where=sa.text('ref IS NOT NULL'), postgresql_where=sa.text('ref IS NOT NULL'))
    op.drop_index('ix_interactions_kind_at_contact_id', table_name='interactions')
    op.drop_index('ix_interactions_contact_id_kind_at', table_name='interactions')
    op.drop_table('interactions')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION padron_fold(text)')
