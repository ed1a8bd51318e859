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


def upgrade() -> None:
    _rewrite('\n')


def downgrade() -> None:
    _rewrite(' ')
