"""what the search box looks through is found by its trigrams, and lists by name and creation follow an index"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None

_SQLITE = (
    "CREATE VIRTUAL TABLE contacts_search USING fts5("
    "search_text, content='contacts', content_rowid='id', tokenize='trigram', detail=none, columnsize=0)",
    'CREATE TABLE contacts_searched (up_to INTEGER NOT NULL)',
    'INSERT INTO contacts_searched VALUES (0)',
    'CREATE TRIGGER contacts_search_insert AFTER INSERT ON contacts '
    'WHEN new.id <= (SELECT up_to FROM contacts_searched) BEGIN '
    'INSERT INTO contacts_search (rowid, search_text) VALUES (new.id, new.search_text); END',
    'CREATE TRIGGER contacts_search_update AFTER UPDATE OF search_text ON contacts '
    'WHEN old.search_text IS NOT new.search_text AND old.id <= (SELECT up_to FROM contacts_searched) BEGIN '
    "INSERT INTO contacts_search (contacts_search, rowid, search_text) VALUES ('delete', old.id, old.search_text); "
    'INSERT INTO contacts_search (rowid, search_text) VALUES (new.id, new.search_text); END',
    'CREATE TRIGGER contacts_search_delete AFTER DELETE ON contacts '
    'WHEN old.id <= (SELECT up_to FROM contacts_searched) BEGIN '
    "INSERT INTO contacts_search (contacts_search, rowid, search_text) VALUES ('delete', old.id, old.search_text); END",
)


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == 'postgresql'


def upgrade() -> None:
    op.create_index('ix_contacts_created_at_id', 'contacts', ['created_at', 'id'])
    if _is_postgresql():
        op.alter_column('contacts', 'search_text', type_=sa.String(collation='C'))
    op.create_index('ix_contacts_search_text_id', 'contacts', ['search_text', 'id'])
    dead = sa.text('deleted_at IS NOT NULL')
    op.create_index('ix_contacts_dead', 'contacts', ['id'], sqlite_where=dead, postgresql_where=dead)
    if _is_postgresql():
        op.execute('ALTER FUNCTION padron_fold(text) CALLED ON NULL INPUT')  # a STRICT one is called for each row
        op.execute('CREATE EXTENSION IF NOT EXISTS pg_trgm')
        empty = op.get_bind().execute(sa.text('SELECT 1 FROM contacts LIMIT 1')).first() is None
        if empty:  # a full one is indexed by the sweep, while others write
            op.execute('CREATE INDEX ix_contacts_search ON contacts USING gin (search_text gin_trgm_ops)')
        return
    for statement in _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    if _is_postgresql():
        op.execute('DROP INDEX IF EXISTS ix_contacts_search')
        op.execute('ALTER FUNCTION padron_fold(text) STRICT')
    else:
        for name in ('insert', 'update', 'delete'):
            op.execute(f'DROP TRIGGER contacts_search_{name}')
        op.execute('DROP TABLE contacts_search')
        op.execute('DROP TABLE contacts_searched')
    op.drop_index('ix_contacts_dead', table_name='contacts')
    op.drop_index('ix_contacts_search_text_id', table_name='contacts')
    op.drop_index('ix_contacts_created_at_id', table_name='contacts')
    if _is_postgresql():
        op.alter_column('contacts', 'search_text', type_=sa.Text(collation='default'))
