"""What became of each row: outcomes for the store, and what matching and merging had to say for the row report."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from connectors.rowreports import RowReport
from connectors.sources import Opened
from pipelines.apply import Applied
from pipelines.cells import NOTES
from pipelines.columns import chunked
from pipelines.context import Context
from pipelines.stage import Staged, rejected_between
from schemas.frames import ROW
from warehouse import batches
from warehouse.batches import Batch
from warehouse.engines import Store, reading

_MERGE_CODES = ("already_exists", "not_found", "key_shared", "keys_disagree", "names_disagree", "stays_blocked")
_AT_A_TIME = 500_000


def write_outcomes(
    connection: Connection, staged: Staged, applied: Applied, bounds: tuple[int, int], context: Context
) -> dict[str, int]:
    """Write an outcome for every row of a range: applied, rejected before, or merged away; how many of each."""
    outcomes = _outcomes(applied, context.batch_id)
    bad, codes = rejected_between(staged, *bounds)
    count = len(bad)
    rejected = {"row": bad, "outcome": ["rejected"] * count, "code": codes}
    merged = _members_between(staged, *bounds, context.refused)
    parts = [outcomes, _outcome_table(rejected, context.batch_id), _outcome_table(merged, context.batch_id)]
    table = pa.concat_tables(parts).sort_by("row")
    batches.insert_outcomes(connection, table)
    counts = pc.value_counts(chunked(table["outcome"]))
    return dict(zip(*(counts.field(at).to_pylist() for at in (0, 1)), strict=True))


def _outcomes(applied: Applied, batch_id: int) -> pa.Table:
    columns = {
        "row": applied.rows,
        "contact_id": pa.array(applied.contact, mask=applied.contact == 0),
        "outcome": applied.outcome,
        "code": applied.code,
    }
    return _outcome_table(columns, batch_id)


def _outcome_table(columns: Mapping[str, object], batch_id: int) -> pa.Table:
    count = len(columns["row"])  # type: ignore[arg-type]
    filled: dict[str, object] = {"batch_id": np.full(count, batch_id), **columns}
    arrays = [
        pa.nulls(count, item.type) if item.name not in filled else _array(filled[item.name], item.type)
        for item in batches.OUTCOMES
    ]
    return pa.Table.from_arrays(arrays, schema=batches.OUTCOMES)


def _array(values: object, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _members_between(staged: Staged, first: int, last: int, refused: Mapping[int, str]) -> dict[str, object]:
    """The rows of the range that were merged into another row of the file, and share its fate if it was refused."""
    groups = staged.groups
    inside = (groups.member >= first) & (groups.member <= last)
    member, leader = groups.member[inside], groups.leader[inside]
    refusals = [refused.get(row) for row in leader.tolist()] if refused else [None] * len(member)
    renamed = ["names_disagree" if row in groups.renamed else None for row in member.tolist()]
    return {
        "row": member,
        "outcome": ["rejected" if code else "merged" for code in refusals],
        "into_row": leader,
        "code": [refusal or code for refusal, code in zip(refusals, renamed, strict=True)],
    }


# ── what merging had to say ──────────────────────────────────────────────────────────────────────────────────────


def merge_notes(store: Store, batch: Batch, rows: int) -> pa.Table:
    """The rows that matching had something to say about, as numbers: a file can have many millions of them."""
    starts = range(1, max(rows, 1) + 1, _AT_A_TIME)
    with reading(store) as connection:
        return pa.concat_tables(
            batches.outcome_rows(connection, batch.id, _MERGE_CODES, (start, start + _AT_A_TIME - 1))
            for start in starts
        )


def report_merge_notes(opened: Opened, noted: pa.Table, report: RowReport) -> None:
    """Add these rows to the report; the file is read again only if there are any."""
    if not noted.num_rows:
        return
    numbers, codes = (chunked(noted[name]).to_numpy() for name in ("row", "code"))
    refused = chunked(noted["rejected"]).to_numpy().astype(bool)
    names = pa.array(_MERGE_CODES)
    for raw in opened.source.blocks():
        rows = chunked(raw[ROW]).to_numpy()
        part = slice(*np.searchsorted(numbers, [rows[0], rows[-1] + 1])) if len(rows) else slice(0)
        found = numbers[part]
        nothing = pa.repeat("", len(found))
        notes = pa.Table.from_arrays([found, names.take(pa.array(codes[part])), nothing, nothing], schema=NOTES)
        report.again.add(raw, notes, found[refused[part]])
