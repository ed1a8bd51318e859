"""The stages a file's rows pass through, told apart by type.

All are Arrow tables; every one has the column `row` (int64, the 1-based data row of the file).
"""

from typing import NewType

import pyarrow as pa

RawFrame = NewType("RawFrame", pa.Table)  # type: ignore[valid-newtype]  # pyarrow has no types
"""Text as it was read: `row`, `problem` (a code or null), and the file's columns as `c0`, `c1`, …"""

CleanFrame = NewType("CleanFrame", pa.Table)  # type: ignore[valid-newtype]
"""Normalised rows that were taken: `row` and the columns of `schemas.contacts.CLEAN`."""

ROW = "row"
PROBLEM = "problem"
CELL_ERROR = "\ufdd1"
"""Stands before the text of a spreadsheet cell that holds an error or a formula without a result."""
