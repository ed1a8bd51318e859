"""History: a change for every create and update, and the pairs of contacts that a person should look at."""

import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.columns import Longs, chunked
from pipelines.context import Context
from pipelines.keys import KEYS
from pipelines.match import Decision
from schemas.frames import ROW, CleanFrame
from warehouse import bulk, matches, roll
from warehouse.tables import contact_changes

_TEXT = pa.string()
as_diff = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A change as it is stored."""
Objects = npt.NDArray[np.object_]


def insert_changes(
    connection: Connection, ids: Longs, frame: CleanFrame, operation: str, diffs: list[str] | None, context: Context
) -> None:
    count = len(ids)
    first = bulk.take_ids(connection, "contact_changes", count)
    rows = {
        "id": pa.array(np.arange(first, first + count)),
        "contact_id": pa.array(ids),
        "batch_id": pa.array(np.full(count, context.batch_id)),
        "row": chunked(frame[ROW]),
        "actor": pa.array([context.actor]).take(pa.array(np.zeros(count, np.int64))),
        "at": pa.array([context.at], pa.timestamp("us", "UTC")).take(pa.array(np.zeros(count, np.int64))),
        "operation": pa.array([operation]).take(pa.array(np.zeros(count, np.int64))),
    }
    if diffs is not None:
        rows["diff"] = pa.array(diffs, _TEXT)
    bulk.insert_rows(connection, contact_changes, pa.table(rows))


def review_pairs(
    connection: Connection,
    rows: Longs,
    contacts: Longs,
    outcome: Objects,
    code: Objects,
    decision: Decision,
    shared: dict[int, dict[str, int]],
    context: Context,
) -> None:
    """Note the pairs that a person should look at, and say so in the rows' codes."""
    pairs: list[dict[str, object]] = []
    for row, mine, other, reason in decision.pairs + _contended(connection, rows, decision, shared, context):
        at = int(np.searchsorted(rows, row))
        contact = mine or int(contacts[at])
        if outcome[at] == "rejected" or contact in (0, other):
            continue
        code[at] = code[at] or reason
        low, high = sorted((contact, other))
        pair = {"contact_a": low, "contact_b": high, "reason": reason, "batch_id": context.batch_id}
        pairs.append({**pair, "row": row, "at": context.at, "state": "open"})
    roll.add_pairs(connection, pairs)


def _contended(
    connection: Connection,
    rows: Longs,
    decision: Decision,
    shared: dict[int, dict[str, int]],
    context: Context,
) -> list[tuple[int, int, int, str]]:
    """Pairs with the owners of keys that earlier rows of the file own."""
    mine = set(rows.tolist()).intersection(shared) if shared else ()
    listed = [(row, *key.split(":", 1)) for row in sorted(mine) for key in sorted(shared[row])]
    if not listed:
        return []
    keys = pa.Table.from_arrays([pa.array(column) for column in zip(*listed, strict=True)], schema=KEYS)
    if context.fresh:
        found = list(zip(keys["row"].to_pylist(), context.shared.contacts_of(keys).tolist(), strict=True))
    else:
        table = matches.find_matches(connection, keys)
        owned = table.filter(pc.equal(table["role"], "owner"))
        found = list(zip(owned["row"].to_pylist(), owned["contact_id"].to_pylist(), strict=True))
    noted = {(row, other) for row, _, other, _ in decision.pairs}
    return [(row, 0, owner, "key_shared") for row, owner in found if owner and (row, owner) not in noted]
