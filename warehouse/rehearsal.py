"""A rehearsal's own contacts on PostgreSQL: temporary tables in front of the real ones.

Writing the same keys into the real tables, to be rolled back later, would let every import that brings one of them
wait until the rehearsal ends. What a file can meet is what its keys meet, so that only those contacts are copied.
"""

from collections.abc import Iterable

import pyarrow as pa
from sqlalchemy import Column, Connection, MetaData, Table, text

from warehouse import bulk
from warehouse.tables import (
    Key,
    candidate_pairs,
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    notes,
    opted_out_addresses,
    tags,
)

_keys = Table("rehearsed_keys", MetaData(), Column("kind", Key), Column("value", Key), prefixes=["TEMPORARY"])
_WHOSE = {
    contacts: "id",
    contact_keys: "contact_id",
    contact_values: "contact_id",
    contact_tags: "contact_id",
    notes: "contact_id",
    consents: "contact_id",
    candidate_pairs: "contact_a",
}
_WHOLE, _EMPTY = (tags, custom_fields), (contact_changes, opted_out_addresses)
_MET = """
CREATE TEMPORARY TABLE rehearsed_ids ON COMMIT DROP AS
SELECT c.id FROM {schema}.contacts c JOIN rehearsed_keys k ON k.kind = 'phone' AND c.phone_match = k.value
WHERE c.deleted_at IS NULL
UNION
SELECT c.id FROM {schema}.contacts c JOIN rehearsed_keys k ON k.kind = 'email' AND c.email_match = k.value
WHERE c.deleted_at IS NULL
UNION
SELECT h.contact_id FROM {schema}.contact_keys h JOIN rehearsed_keys k ON h.kind = k.kind AND h.value = k.value
"""


def stand_beside(connection: Connection, keys: Iterable[pa.Table]) -> None:
    """From now on in this transaction, contacts are those that hold one of the keys (`kind`, `value`), copied."""
    schema = str(connection.execute(text("SELECT current_schema()")).scalar_one())
    schema = connection.dialect.identifier_preparer.quote(schema)
    _keys.create(connection)
    for some in keys:
        bulk.insert_rows(connection, _keys, some.select(["kind", "value"]))
    bulk.refresh_statistics(connection, [_keys])
    connection.exec_driver_sql(_MET.format(schema=schema))
    connection.exec_driver_sql("ANALYZE rehearsed_ids")
    for table in (*_WHOSE, *_WHOLE, *_EMPTY):
        like = f"(LIKE {schema}.{table.name} INCLUDING DEFAULTS INCLUDING INDEXES) ON COMMIT DROP"
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {table.name} {like}")
    for table, whose in _WHOSE.items():
        copied = f"SELECT t.* FROM {schema}.{table.name} t JOIN rehearsed_ids i ON i.id = t.{whose}"
        connection.exec_driver_sql(f"INSERT INTO {table.name} {copied}")
    for table in _WHOLE:
        connection.exec_driver_sql(f"INSERT INTO {table.name} SELECT * FROM {schema}.{table.name}")
    bulk.refresh_statistics(connection, [*_WHOSE, *_WHOLE])
