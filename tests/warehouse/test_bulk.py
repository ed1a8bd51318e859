"""Arrow tables go into SQL and come back as they were, on both databases."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from tests.conftest import Roll
from warehouse import bulk
from warehouse.engines import reading, rehearsing, transaction
from warehouse.tables import contact_values, contacts, tags

_NAMES = ["contact_id", "field_id", "text", "number", "at", "long_text"]
_SCHEMA = bulk.schema_of(contact_values, _NAMES)
_TEXTS = [
    None,
    "",
    " ",
    "plain",
    'quo"te',
    '"quoted"',
    '""',
    "com,ma",
    "new\nline",
    "carriage\r\nreturn",
    "\n",
    "back\\slash",
    "\\N",
    "\\.",
    "\\n",
    "NULL",
    "null",
    "tab\tbed",
    "🙂 👩‍👩‍👧 é e\u0301",
    "\u2028\u00a0\ufeff",
    "100%",
    "%s :name",
    "'; DROP TABLE contacts; --",
]
_MOMENTS = [
    None,
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1900, 2, 28, 1, 2, 3, tzinfo=UTC),
    datetime(2026, 11, 22, 12, 30, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
]


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    empty = dict.fromkeys(_NAMES)
    numbered = [{**empty, "contact_id": number, "field_id": 1, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, _SCHEMA)


def there_and_back(store: Roll, rows: pa.Table) -> pa.Table:
    with transaction(store.engine) as connection:
        connection.execute(delete(contact_values))
        bulk.insert_rows(connection, contact_values, rows)
    query = bulk.select_columns(contact_values, _NAMES).order_by(contact_values.c.contact_id)
    with reading(store.engine) as connection:
        return bulk.fetch_rows(connection, query, _SCHEMA)


def test_hard_texts_come_back_as_they_were(store: Roll) -> None:
    rows = table_of([{"text": text, "long_text": text} for text in _TEXTS])

    assert there_and_back(store, rows).to_pylist() == rows.to_pylist()


def test_moments_come_back_to_the_microsecond(store: Roll) -> None:
    rows = table_of([{"at": moment} for moment in _MOMENTS])

    assert there_and_back(store, rows).to_pylist() == rows.to_pylist()


def test_moments_written_in_bulk_are_those_that_sql_reads(store: Roll) -> None:
    there_and_back(store, table_of([{"at": moment} for moment in _MOMENTS]))

    with reading(store.engine) as connection:
        query = select(contact_values.c.at).order_by(contact_values.c.contact_id)
        assert list(connection.execute(query).scalars()) == _MOMENTS


def test_numbers_come_back_as_they_were(store: Roll) -> None:
    numbers = [None, 0.0, -1.5, 0.1, 1e300, 5e-324, 12345678901234567.0, 1 / 3]
    rows = table_of([{"number": number} for number in numbers])

    assert there_and_back(store, rows).to_pylist() == rows.to_pylist()


def test_no_rows_are_no_error(store: Roll) -> None:
    assert there_and_back(store, table_of([])).to_pylist() == []


def test_more_rows_than_one_block_come_back(store: Roll) -> None:
    rows = table_of([{"text": f"row {number}" if number % 3 else None} for number in range(40_000)])

    assert there_and_back(store, rows).equals(rows)


@pytest.mark.parametrize("count", [1, 199, 200, 201, 400, 16_384, 16_385])
def test_any_number_of_rows_comes_back(store: Roll, count: int) -> None:
    rows = table_of([{"text": f"{number}", "number": float(number)} for number in range(count)])

    assert there_and_back(store, rows).equals(rows)


def test_a_column_that_has_a_default_keeps_its_nulls_out_of_it(store: Roll) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    rows = pa.table({"id": [1, 2], "email": pa.nulls(2, pa.string()), "created_at": [now, now]})
    with transaction(store.engine) as connection:
        bulk.insert_rows(connection, contacts, rows)

    assert store.rows("SELECT id, email, status, sent, version FROM contacts ORDER BY id") == [
        (1, None, "active", 0, 1),
        (2, None, "active", 0, 1),
    ]


def test_rows_are_deleted_by_their_whole_key(store: Roll) -> None:
    rows = table_of([{"text": str(number)} for number in range(500)])
    there_and_back(store, rows)
    keys = pa.table({"contact_id": [3, 4, 999], "field_id": pa.array([1, 2, 1], pa.int64())})
    with transaction(store.engine) as connection:
        bulk.delete_rows(connection, contact_values, keys)
        bulk.delete_rows(connection, contact_values, keys.slice(0, 0))

    left = [contact for (contact,) in store.rows("SELECT contact_id FROM contact_values ORDER BY contact_id")]
    assert left == [number for number in range(500) if number != 3]


@pytest.mark.parametrize("count", [0, 1, 30_000])
def test_rows_come_in_the_order_that_was_asked_for(store: Roll, count: int) -> None:
    there_and_back(store, table_of([{"text": "x"}] * count))
    schema = pa.schema([("contact_id", pa.int64()), ("field_id", pa.int64())])
    query = bulk.select_columns(contact_values, schema.names).order_by(contact_values.c.contact_id.desc())
    with reading(store.engine) as connection:
        found = bulk.fetch_rows(connection, query, schema)

    assert found.schema == schema
    assert found["contact_id"].to_pylist() == list(range(count))[::-1]


def test_rows_take_the_place_of_those_with_their_key(store: Roll) -> None:
    there_and_back(store, table_of([{"text": "a"}, {"text": "b", "number": 1.5}, {"text": "c"}]))
    new = table_of([{}, {"number": 2.5}, {}, {"text": "d"}]).take([1, 3])
    with transaction(store.engine) as connection:
        bulk.replace_rows(connection, contact_values, new)
        bulk.replace_rows(connection, contact_values, new.slice(0, 0))

    rows = store.rows("SELECT contact_id, text, number FROM contact_values ORDER BY contact_id")
    assert rows == [(0, "a", None), (1, None, 2.5), (2, "c", None), (3, "d", None)]


def test_a_column_of_nulls_comes_back(store: Roll) -> None:
    rows = table_of([{}] * 5)

    assert there_and_back(store, rows).to_pylist() == rows.to_pylist()


_CELLS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(_TEXTS),
)
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": _CELLS,
            "long_text": _CELLS,
            "number": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            "at": st.one_of(
                st.none(), st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))
            ),
        }
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS)
def test_any_rows_come_back_as_they_were(store: Roll, rows: list[dict[str, Any]]) -> None:
    table = table_of(rows)

    assert there_and_back(store, table).to_pylist() == table.to_pylist()


def test_an_update_in_bulk_changes_the_named_rows_only(store: Roll) -> None:
    with transaction(store.engine) as connection:
        bulk.insert_rows(
            connection,
            tags,
            pa.table({"id": [1, 2, 3], "form": ["a", "b", "c"], "name": ["A", "B", "C"]}),
        )
        bulk.update_rows(connection, tags, pa.table({"name": ["new\nA", "", "C,c"], "id": [1, 2, 9]}), "id")
        bulk.update_rows(connection, tags, pa.table({"id": [2], "form": ['b"b']}), "id")

    assert store.rows("SELECT id, form, name FROM tags ORDER BY id") == [
        (1, "a", "new\nA"),
        (2, 'b"b', ""),
        (3, "c", "C"),
    ]


def test_an_update_in_bulk_can_set_null_and_moments(store: Roll) -> None:
    moment = datetime(2026, 11, 22, 12, 30, 0, 1, tzinfo=UTC)
    stamps = pa.array([moment, moment], bulk.STAMP)
    with transaction(store.engine) as connection:
        bulk.insert_rows(
            connection,
            contacts,
            pa.table({"id": [1, 2], "first_name": ["a", "b"], "created_at": stamps, "last_interaction_at": stamps}),
        )
        changes = {"id": [1], "first_name": pa.array([None], pa.string())}
        bulk.update_rows(
            connection, contacts, pa.table({**changes, "last_interaction_at": pa.array([None], bulk.STAMP)}), "id"
        )

    with reading(store.engine) as connection:
        query = select(contacts.c.first_name, contacts.c.last_interaction_at).order_by(contacts.c.id)
        assert [tuple(row) for row in connection.execute(query)] == [(None, None), ("b", moment)]


def test_ids_are_never_handed_out_twice(store: Roll) -> None:
    with transaction(store.engine) as connection:
        firsts = [bulk.take_ids(connection, "contacts", count) for count in (3, 1, 5)]

    assert [later - firsts[0] for later in firsts] == [0, 3, 4]


def test_ids_that_a_rehearsal_takes_leave_the_store_as_it_was(store: Roll) -> None:
    with transaction(store.engine) as connection:
        first = bulk.take_ids(connection, "contacts", 1)
    with rehearsing(store.engine) as rehearsal, transaction(rehearsal) as connection:
        bulk.take_ids(connection, "contacts", 100)

    with transaction(store.engine) as connection:
        assert bulk.take_ids(connection, "contacts", 1) == first + 1


def test_a_failed_bulk_write_leaves_nothing(store: Roll) -> None:
    rows = pa.table({"id": [1, 1], "form": ["a", "b"], "name": ["A", "B"]})

    with pytest.raises(Exception, match="(?i)unique|duplicate"), transaction(store.engine) as connection:
        bulk.insert_rows(connection, tags, rows)

    with reading(store.engine) as connection:
        assert connection.execute(select(func.count()).select_from(tags)).scalar() == 0
