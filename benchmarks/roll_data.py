"""A roll of any size with a history: contacts, three tags and ten custom values each, interactions of two years.

Few are busy and most are quiet (Pareto); the same for the same seed. Secondary indexes are built at the end.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine, Table, insert, text

from benchmarks.people import FIRST, LAST
from pipelines.texts import search_text
from warehouse import bulk, indexes, search
from warehouse.engines import sorting, transaction
from warehouse.interactions import LAST_AT
from warehouse.segment_tables import interactions
from warehouse.tables import contact_changes, contact_tags, contact_values, contacts, custom_fields, tags

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CITIES = ("Lima", "Bogotá", "Quito", "Cali", "Medellín", "Cusco", "Montevideo", "Salta", "Rosario", "Tarija", "Loja")
PLANS = ("free", "pro", "gold", "gold plus", "trial")
FIELDS = {
    "plan": "text",
    "code": "text",
    "ext_id": "text",
    "level": "text",
    "score": "number",
    "ltv": "number",
    "points": "number",
    "newsletter": "boolean",
    "renewal": "date",
    "signup": "datetime",
}
KINDS = ("received", "sent", "read", "clicked")
_TAGS, _PART = 200, 200_000
_DAY = 86_400_000_000


def fill(engine: Engine, people: int, happenings: int) -> None:
    """Fill an empty store."""
    random = np.random.default_rng(7)
    with transaction(engine) as connection:
        indexes.drop_for_first_load(connection)
        for index in interactions.indexes:
            index.drop(connection)
        bulk.take_ids(connection, "contacts", people)
        bulk.take_ids(connection, "contact_changes", people)
        bulk.take_ids(connection, "interactions", happenings)
        bulk.take_ids(connection, "tags", _TAGS)
        bulk.take_ids(connection, "custom_fields", len(FIELDS))
        connection.execute(insert(tags), [{"id": n, "form": f"tag{n}", "name": f"Tag{n}"} for n in range(1, _TAGS + 1)])
        rows = [{"id": n, "key": key, "label": key, "type": kind} for n, (key, kind) in enumerate(FIELDS.items(), 1)]
        connection.execute(insert(custom_fields), [{**row, "created_at": NOW} for row in rows])
    last = {kind: np.zeros(people + 1, np.int64) for kind in LAST_AT}
    for first in range(1, happenings + 1, _PART):
        rows_ = _happenings(random, np.arange(first, min(first + _PART, happenings + 1)), people)
        _write(engine, interactions, rows_)
        _keep_last(last, rows_)
    for first in range(1, people + 1, _PART):
        ids = np.arange(first, min(first + _PART, people + 1))
        _write(engine, contacts, _contacts(random, ids) | {LAST_AT[kind]: _times(at[ids]) for kind, at in last.items()})
        changes = {"id": ids, "contact_id": ids, "actor": ["bench"] * len(ids), "at": _ago(random, len(ids), 700)}
        _write(engine, contact_changes, {**changes, "operation": ["create"] * len(ids)})
        _write(engine, contact_tags, _tags(random, ids))
        for rows_ in _values(random, ids):
            _write(engine, contact_values, rows_)
    for index in sorted(interactions.indexes, key=lambda index: str(index.name)):
        with transaction(engine) as connection, sorting(connection):
            index.create(connection)
    indexes.build_missing(engine)
    search.catch_up(engine)
    with transaction(engine) as connection:
        bulk.refresh_statistics(
            connection, [contacts, contact_changes, contact_tags, contact_values, interactions, tags]
        )
    _settle(engine)


def _settle(engine: Engine) -> None:
    """What PostgreSQL's autovacuum does within minutes: indexes answer alone for pages that all can see."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))


def _write(engine: Engine, table: Table, columns: dict[str, object]) -> None:
    schema = bulk.schema_of(table, list(columns))
    rows = pa.table({name: pa.array(values).cast(schema.field(name).type) for name, values in columns.items()})
    with transaction(engine) as connection:
        bulk.insert_rows(connection, table, rows)


def _ago(random: np.random.Generator, count: int, days: int) -> pa.Array:
    """Times, the more the nearer they are to now."""
    back = (random.random(count) ** 1.5 * days * _DAY).astype(np.int64)
    now = int(NOW.timestamp() * 1_000_000)
    return pa.array(now - back).cast(pa.timestamp("us", "UTC"))


def _zipf(random: np.random.Generator, many: int, count: int) -> np.ndarray:
    weights = 1 / np.arange(1, many + 1)
    return random.choice(many, count, p=weights / weights.sum())


def _contacts(random: np.random.Generator, ids: np.ndarray) -> dict[str, object]:
    count = len(ids)
    first, last = np.array(FIRST)[_zipf(random, len(FIRST), count)], np.array(LAST)[_zipf(random, len(LAST), count)]
    whole = np.char.add(np.char.add(first, " "), last)
    phones = pa.array([f"+57{3_000_000_000 + int(n) * 700_000_001 % 1_000_000_000}" for n in ids])
    emails = pa.array([f"{n}.{'gmail' if n % 5 < 2 else 'correo'}@example{n % 90}.org" for n in ids])
    return {
        "id": ids,
        "first_name": first,
        "last_name": last,
        "display_name": whole,
        "phone": phones,
        "phone_match": phones,
        "email": emails,
        "email_match": emails,
        "city": np.array(CITIES)[_zipf(random, len(CITIES), count)],
        "channel": np.array(["whatsapp", "instagram", "facebook", "webchat"])[_zipf(random, 4, count)],
        "status": np.where(random.random(count) < 0.9, "active", "inactive"),
        "created_at": _ago(random, count, 730),
        "last_interaction_at": pc.if_else(pa.array(random.random(count) < 0.8), _ago(random, count, 730), None),
        "search_text": search_text(pa.array(whole), phones, emails),
        "version": np.ones(count, np.int64),
    }


def _tags(random: np.random.Generator, ids: np.ndarray) -> dict[str, object]:
    pairs = np.stack([np.repeat(ids, 3), _zipf(random, _TAGS, 3 * len(ids)) + 1])
    pairs = np.unique(pairs, axis=1)
    return {"contact_id": pairs[0], "tag_id": pairs[1]}


def _values(random: np.random.Generator, ids: np.ndarray) -> Iterator[dict[str, object]]:
    count = len(ids)
    texts = {
        "plan": np.array(PLANS)[_zipf(random, len(PLANS), count)],
        "code": np.array([f"C{n}" for n in range(300)])[_zipf(random, 300, count)],
        "ext_id": np.array([f"X{n}" for n in ids]),
        "level": np.array(["oro", "plata", "bronce"])[random.integers(0, 3, count)],
    }
    numbers = {
        "score": random.integers(0, 101, count),
        "ltv": np.round(random.pareto(1.5, count) * 50, 2),
        "points": random.integers(0, 10_000, count),
        "newsletter": random.integers(0, 2, count),
    }
    today = int(datetime(NOW.year, NOW.month, NOW.day, tzinfo=UTC).timestamp() * 1_000_000)
    days = pa.array(today + random.integers(-180, 365, count) * _DAY).cast(pa.timestamp("us", "UTC"))
    fields = {key: number for number, key in enumerate(FIELDS, 1)}
    filled = {"text": texts, "number": numbers, "at": {"renewal": days, "signup": _ago(random, count, 900)}}
    for slot, columns in filled.items():
        for key, values in columns.items():
            yield {"contact_id": ids, "field_id": np.full(count, fields[key]), slot: values}


def _happenings(random: np.random.Generator, ids: np.ndarray, people: int) -> dict[str, object]:
    count = len(ids)
    who = (random.random(count) ** 3 * people).astype(np.int64) + 1
    kinds = np.array(KINDS)[random.choice(len(KINDS), count, p=[0.3, 0.5, 0.15, 0.05])]
    refs = pc.if_else(pa.array(kinds == "clicked"), pa.array([f"c{n % 100}" for n in ids]), None)
    return {
        "id": ids,
        "contact_id": who,
        "kind": kinds,
        "ref": refs,
        "at": _ago(random, count, 730),
        "channel": ["whatsapp"] * count,
        "source": ["bench"] * count,
        "external_id": [f"e{n}" for n in ids],
    }


def _keep_last(last: dict[str, np.ndarray], rows: dict[str, Any]) -> None:
    at = rows["at"].cast(pa.int64()).to_numpy()
    for kind, times in last.items():
        mine = rows["kind"] == kind
        np.maximum.at(times, rows["contact_id"][mine], at[mine])


def _times(at: np.ndarray) -> pa.Array:
    return pa.array(at, mask=at == 0).cast(pa.timestamp("us", "UTC"))


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)
