"""operators are found by e-mail, first name and last name apart: their searched text has a line for each"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

_TABLE = sa.table('operators', *(sa.column(name) for name in ('id', 'first_name', 'last_name', 'email', 'search_text')))


def _folded(text: str) -> str:
    plain = unicodedata.normalize('NFKD', text.strip().casefold())
    return ''.join(char for char in plain if not unicodedata.combining(char))


def _rewrite(between: str) -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(_TABLE)).all():
        text = between.join(_folded(part) for part in (row.first_name, row.last_name, row.email))
        connection.execute(sa.update(_TABLE).where(_TABLE.c.id == row.id).values(search_text=text))


_OLD = 'People who sign in. may_leave_open: may sign out with open conversations.'
_NEW = _OLD + ' search_text: first name, last name and e-mail without case and accents, a line each.'


def _say(comment: str) -> None:
    if op.get_bind().dialect.name == 'postgresql':
        op.create_table_comment('operators', comment)


def upgrade() -> None:
    _rewrite('\n')
    _say(_NEW)


def downgrade() -> None:
    _rewrite(' ')
    _say(_OLD)
