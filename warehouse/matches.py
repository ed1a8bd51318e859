"""Who owns a key: the contacts that the keys of a slice of rows point at."""

import pyarrow as pa
from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, Text, literal, select, union_all

from warehouse import bulk
from warehouse.tables import Key, contact_keys, contacts

_temporary = MetaData()
slice_hashes = Table(
    "slice_hashes",
    _temporary,
    Column("row", BigInteger),
    Column("kind", Key),
    Column("value", Key),
    Column("applied", BigInteger),
    prefixes=["TEMPORARY"],
)
slice_keys = Table(
    "slice_keys",
    _temporary,
    Column("row", BigInteger),
    Column("kind", Key),
    Column("value", Key),
    prefixes=["TEMPORARY"],
)
slice_ids = Table(
    "slice_ids", _temporary, Column("position", Integer), Column("contact_id", BigInteger), prefixes=["TEMPORARY"]
)
MATCHES = pa.schema(
    [
        ("row", pa.int64()),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("contact_id", pa.int64()),
        ("role", pa.string()),
        ("display_name", pa.string()),
    ]
)
OWN = {"phone": contacts.c.phone_match, "email": contacts.c.email_match}


def find_applied(connection: Connection, keys: pa.Table) -> pa.Table:
    """row and contact_id of the rows (`row, kind, value, applied`) that their contact has taken in already."""
    _fill(connection, slice_hashes, keys)
    k = slice_hashes.c
    stands = (contacts.c.applied == k.applied) & contacts.c.deleted_at.is_(None)
    parts = [
        select(k.row, contacts.c.id.label("contact_id"))
        .join_from(slice_hashes, contacts, column == k.value)
        .where(k.kind == kind, stands)
        for kind, column in OWN.items()
    ]
    further = (
        select(k.row, contacts.c.id)
        .join_from(slice_hashes, contact_keys, (contact_keys.c.value == k.value) & (contact_keys.c.kind == k.kind))
        .join(contacts, contacts.c.id == contact_keys.c.contact_id)
        .where(stands)
    )
    schema = pa.schema([("row", pa.int64()), ("contact_id", pa.int64())])
    return bulk.fetch_rows(connection, union_all(*parts, further), schema)


def find_matches(connection: Connection, keys: pa.Table) -> pa.Table:
    """For keys (`row, kind, value`), the living contacts that hold them, as MATCHES."""
    _fill(connection, slice_keys, keys)
    k = slice_keys.c
    living = contacts.c.deleted_at.is_(None)
    own = [
        select(k.row, k.kind, k.value, contacts.c.id, literal("owner", Text), contacts.c.display_name)
        .join_from(slice_keys, contacts, column == k.value)
        .where(k.kind == kind, living)
        for kind, column in OWN.items()
    ]
    further = (
        select(k.row, k.kind, k.value, contacts.c.id, contact_keys.c.role, contacts.c.display_name)
        .join_from(slice_keys, contact_keys, (contact_keys.c.value == k.value) & (contact_keys.c.kind == k.kind))
        .join(contacts, contacts.c.id == contact_keys.c.contact_id)
        .where(living)
    )
    return bulk.fetch_rows(connection, union_all(*own, further), MATCHES)


def keep_ids(connection: Connection, ids: pa.Array) -> None:
    """Make the contacts of a slice available to joins, by their position."""
    positions = pa.array(range(len(ids)), pa.int32())
    _fill(connection, slice_ids, pa.table({"position": positions, "contact_id": ids}))


def _fill(connection: Connection, table: Table, rows: pa.Table) -> None:
    table.drop(connection, checkfirst=True)
    table.create(connection)
    bulk.insert_rows(connection, table, rows)
    bulk.look_up_by_index(connection)
