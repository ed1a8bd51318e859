"""What a slice wants to know of the store, asked while the slice before it is written.

The answers stand unless somebody else changed a contact since. What this file itself changed since is told by the
contacts its rows went to: no later row can meet them by a key that the file's own groups did not foretell.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from pipelines.columns import Flags, Longs, chunked, is_among
from pipelines.context import Context, Standing
from pipelines.keys import first_keys, keys_of
from schemas.frames import ROW, CleanFrame
from warehouse import matches, roll
from warehouse.engines import Store, reading

_SCAN_SHARE, _MOST_SCANNED, _SCANNED_AT_ONCE = 8, 2_500_000, 500_000


def read_standing(store: Store, rows: int, context: Context) -> Standing | None:
    """Every contact that stands as a row left it, where so many rows come that asking for each would take longer."""
    if context.fresh:
        return None
    with reading(store) as connection:
        since, highest = roll.last_change(connection), roll.highest_id(connection)
        if not 0 < highest <= min(rows * _SCAN_SHARE, _MOST_SCANNED):
            return None
        found = pa.concat_tables(
            roll.standing_between(connection, first, first + _SCANNED_AT_ONCE - 1)
            for first in range(1, highest + 1, _SCANNED_AT_ONCE)
        )
    return Standing.of(found["applied"].to_numpy(), found["contact_id"].to_numpy(), since)


@dataclass(frozen=True, slots=True)
class Answers:
    """As the store was after the change `since`.

    `applied` holds for each row the contact that it was applied to and that nobody changed since, 0 where there is
    none; `matches` the contacts that hold keys of those other rows.
    """

    applied: Longs
    matches: pa.Table
    since: int


def ask(connection: Connection, rows: CleanFrame, context: Context) -> Answers:
    since = roll.last_change(connection)
    applied: Longs = np.zeros(rows.num_rows, np.int64)
    if context.fresh or not rows.num_rows:
        return Answers(applied, matches.MATCHES.empty_table(), since)
    standing = context.standing
    if standing is not None:
        since = standing.since
        applied = standing.contacts_of(chunked(rows["applied"]).to_numpy())
    else:
        found = matches.find_applied(connection, first_keys(rows, rows["applied"], context.source))
        applied[_positions(rows, found)] = found["contact_id"].to_numpy()
    return Answers(applied, _matches(connection, rows, applied == 0, context), since)


def matches_now(
    connection: Connection, rows: CleanFrame, found: pa.Table, unasked: Flags, context: Context
) -> pa.Table:
    """The matches of these rows: those found before, where they still hold; the others are asked for."""
    if context.fresh or not rows.num_rows:
        return matches.MATCHES.empty_table()
    unasked = unasked.copy()
    numbers = chunked(rows[ROW]).to_numpy()
    unasked |= is_among(numbers, context.shared.row)
    found = found.filter(pa.array(np.isin(found["row"].to_numpy(), numbers)))
    position = _positions(rows, found)
    unasked[position[context.seen.has(found["contact_id"].to_numpy())]] = True
    if not unasked.any():
        return found
    kept = found.filter(pa.array(~unasked[position]))
    return pa.concat_tables([kept, _matches(connection, rows, unasked, context)])


def _matches(connection: Connection, rows: CleanFrame, wanted: Flags, context: Context) -> pa.Table:
    if not wanted.any():
        return matches.MATCHES.empty_table()
    asked = rows if wanted.all() else CleanFrame(rows.filter(pa.array(wanted)))
    return matches.find_matches(connection, keys_of(asked, context.source))


def _positions(rows: CleanFrame, found: pa.Table) -> Longs:
    """Where the rows of a result stand in the slice."""
    return np.searchsorted(chunked(rows[ROW]).to_numpy(), found["row"].to_numpy())
