"""The stages a file's rows pass through, told apart by type.

All are Arrow tables; every one has the column `row` (int64, the 1-based data row of the file).
"""

import re
from typing import NewType

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

RawFrame = NewType("RawFrame", pa.Table)  # type: ignore[valid-newtype]  # pyarrow has no types
"""Text as it was read: `row`, `problem` (a code or null), and the file's columns as `c0`, `c1`, …"""

CleanFrame = NewType("CleanFrame", pa.Table)  # type: ignore[valid-newtype]
"""Normalised rows that were taken: `row` and the columns of `pipelines.clean.clean_schema`."""

OWN_NUMBER = "padron_id"
"""The contact's number in a row of our own export: who a row is, among those whom its keys mean."""
ROW = "row"
PROBLEM = "problem"
REPORT_COLUMNS = ("_row", "_status", "_code", "_field", "_value", "_message", "_suggestion")
"""The columns that a row report has beside the file's own."""
NO_TEXT = "\ufdd0"
"""Stands for bytes that are no text in a file's encoding."""
CELL_ERROR = "\ufdd1"
"""Stands before the text of a spreadsheet cell that holds an error or a formula without a result."""
CELL_ERRORS = (
    *("#N/A", "#N/D", "#REF!", "#¡REF!", "#VALUE!", "#¡VALOR!", "#VALOR!", "#NAME?", "#¿NOMBRE?", "#NOME?"),
    *("#NUM!", "#¡NUM!", "#NULL!", "#¡NULO!", "#NULO!", "#DIV/0!", "#¡DIV/0!"),
)
"""What spreadsheets in English, Spanish and Portuguese write into a text file for a cell that holds an error."""
LIVE_TEXT = rf"^('*(?:[=+\-@\t\r]|(?:{'|'.join(map(re.escape, CELL_ERRORS))})$))"
"""Texts that a spreadsheet or an import takes for something else, and those behind the apostrophes that prevent it."""


def as_read(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The cells of a raw column without Padrón's own marks."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    text = text_bytes(column)
    for mark, shown in ((CELL_ERROR, ""), (NO_TEXT, "\ufffd")):
        if mark.encode() in text:
            column = pc.replace_substring(column, mark, shown)
    return column


def text_bytes(column: pa.Array) -> bytes:
    """The UTF-8 text of all cells of a string array, end to end: one look at it can spare a look at every cell."""
    data = column.buffers()[2]
    bounds = text_bounds(column)
    return b"" if data is None else data.slice(int(bounds[0]), int(bounds[-1] - bounds[0])).to_pybytes()


def text_bounds(column: pa.Array) -> npt.NDArray[np.int32]:
    """Where the text of each cell begins in the array's data, and where the last one ends."""
    if not len(column):
        return np.zeros(1, np.int32)
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
