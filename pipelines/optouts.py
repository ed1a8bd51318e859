"""Opt-outs of rows that leave no contact to keep them: they are kept of the address (view `opted_out`)."""

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.belongings import consents_in
from pipelines.columns import Flags, chunked
from pipelines.context import Context
from pipelines.keys import keys_of
from schemas.consents import REACHED_BY
from schemas.frames import ROW, CleanFrame
from warehouse import bulk
from warehouse.tables import opted_out_addresses


def keep_of_addresses(connection: Connection, frame: CleanFrame, left_out: Flags, context: Context) -> None:
    """Keep the opt-outs of these rows, which are refused or skipped, of every phone and e-mail that they name."""
    part = frame.filter(pa.array(left_out & pc.is_valid(chunked(frame["consents"])).to_numpy(zero_copy_only=False)))
    if not part.num_rows:
        return
    consents = {row["row"]: consents_in(row["consents"]) for row in part.select([ROW, "consents"]).to_pylist()}
    said = {
        (key["kind"], key["value"], channel)
        for key in keys_of(part, context.source).to_pylist()
        for channel, state in consents[key["row"]].items()
        if key["kind"] in REACHED_BY and state.startswith("out")
    }
    names = [column.name for column in opted_out_addresses.columns]
    rows = [dict(zip(names, (*one, context.batch_id, context.at), strict=True)) for one in sorted(said)]
    if rows:
        bulk.replace_rows(
            connection, opted_out_addresses, pa.Table.from_pylist(rows, bulk.schema_of(opted_out_addresses, names))
        )
