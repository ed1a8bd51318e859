"""The row report: the original columns of every row that something is said of, and what is said.

It is a CSV file that can be mended and dropped again: the extra columns begin with `_` and are ignored on import.
"""

import csv
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from schemas.codes import CODES
from schemas.frames import REPORT_COLUMNS, ROW, as_read


class RowReport:
    """Writes a report beside the file; there is no file until a row is added."""

    def __init__(self, path: Path, header: Sequence[str], *, delimiter: str, language: str) -> None:
        self.path, self.header, self.language = path, tuple(header), language
        self.delimiter = delimiter if len(delimiter) == 1 and delimiter != "\x1f" else ","
        self.rows = 0
        self._sink: pa.OSFile | None = None

    def add(self, raw: pa.Table, notes: pa.Table, rejected: npt.NDArray[np.int64]) -> None:
        """Add the rows of `raw` that have notes (row, code, field, value)."""
        if not notes.num_rows:
            return
        said = _one_line_each(notes)
        rows = raw.filter(pc.is_in(raw[ROW], said["row"].combine_chunks()))
        at = pc.index_in(rows[ROW], said["row"].combine_chunks())
        said = said.take(at)
        self._write(rows, said, rejected)
        self.rows += rows.num_rows

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None

    def _write(self, rows: pa.Table, said: pa.Table, rejected: npt.NDArray[np.int64]) -> None:
        is_rejected = pc.is_in(said["row"], pa.array(rejected))
        codes = said["code"].combine_chunks().dictionary_encode()
        columns = [as_read(rows[f"c{index}"]) for index in range(len(self.header))]
        columns += [
            said["row"],
            pc.if_else(is_rejected, "rejected", "warning"),
            said["code"],
            said["field"],
            said["value"],
            self._texts(codes, suggestion=False),
            self._texts(codes, suggestion=True),
        ]
        names = [*self.header, *REPORT_COLUMNS]
        options = arrow_csv.WriteOptions(
            include_header=self._sink is None, delimiter=self.delimiter, quoting_style="needed", quoting_header="needed"
        )
        arrow_csv.write_csv(pa.Table.from_arrays(columns, names=names), self._open(), options)

    def _open(self) -> pa.OSFile:
        if self._sink is None:
            self._sink = pa.OSFile(str(self.path), "wb")
            self._sink.write(b"\xef\xbb\xbf")
        return self._sink

    def _texts(self, codes: pa.DictionaryArray, *, suggestion: bool) -> pa.Array:
        texts = []
        for said in codes.dictionary.to_pylist():
            found = [CODES[code] for code in dict.fromkeys(said.split("; "))]
            texts.append(
                " ".join(
                    code.suggestion(self.language) if suggestion else code.message(self.language) for code in found
                )
            )
        return pa.array(texts, pa.string()).take(codes.indices)


def _one_line_each(notes: pa.Table) -> pa.Table:
    """Several notes on one row stand in one line, joined by `; `."""
    if pc.count_distinct(notes["row"]).as_py() == notes.num_rows:
        return notes
    names = ["code", "field", "value"]
    grouped = notes.group_by("row", use_threads=False).aggregate([(name, "list") for name in names])
    joined = [pc.binary_join(grouped[f"{name}_list"], "; ").combine_chunks() for name in names]
    texts = [pc.replace_substring_regex(column, "(; )+$", "") for column in joined]
    return pa.Table.from_arrays([grouped["row"].combine_chunks(), *texts], names=["row", *names])


def first_lines(path: Path, count: int) -> list[dict[str, str]]:
    """The first lines of a report, by column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        between = re.search(r'_row"?(.)"?_status', file.readline())
        delimiter = between.group(1) if between else ","
        file.seek(0)
        return list(itertools.islice(csv.DictReader(file, delimiter=delimiter), count))
