"""The row report: the original columns of every row that something is said of, and what is said.

It is a CSV file that can be mended and dropped again: the extra columns begin with `_` and are ignored on import.
"""

import csv
import heapq
import itertools
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from schemas.codes import CODES
from schemas.frames import REPORT_COLUMNS, ROW, as_read

_HEADER_BYTES = 1 << 18


def is_row_report(path: Path) -> bool:
    """Whether a text file is such a report, as its header says."""
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    return all(name.encode() in start for name in REPORT_COLUMNS)


class RowReport:
    """Writes a report beside the file; there is no file until a row is added.

    Rows come in order, and may come in order once more (`again`): a row has one line all the same.
    """

    def __init__(self, path: Path, header: Sequence[str], *, delimiter: str, language: str) -> None:
        self.path, self.language, self._header = path, language, tuple(header)
        self._columns = {index: name for index, name in enumerate(header) if name.strip() not in REPORT_COLUMNS}
        self.delimiter = delimiter if len(delimiter) == 1 and delimiter != "\x1f" else ","
        self.rows = 0
        self._sink: pa.OSFile | None = None
        self._again: RowReport | None = None

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

    @property
    def again(self) -> "RowReport":
        """Where rows are added that are looked at a second time."""
        if self._again is None:
            self._again = RowReport(
                self._beside("again"), self._header, delimiter=self.delimiter, language=self.language
            )
        return self._again

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None
        again, self._again = self._again, None
        if again is not None:
            again.close()
            if again.rows and self.rows:
                self.rows = self._joined_with(again.path)
            elif again.rows:
                again.path.replace(self.path)
                self.rows = again.rows

    def _joined_with(self, other: Path) -> int:
        """Make one report of this one and the other; how many lines it has."""
        whole = self._beside("whole")
        row = -len(REPORT_COLUMNS)
        with ExitStack() as stack:
            files = [stack.enter_context(path.open(encoding="utf-8-sig", newline="")) for path in (self.path, other)]
            readers = [csv.reader(file, delimiter=self.delimiter) for file in files]
            target = stack.enter_context(whole.open("w", encoding="utf-8-sig", newline=""))
            writer = csv.writer(target, delimiter=self.delimiter, lineterminator="\n")
            writer.writerow([next(reader) for reader in readers][0])
            in_order = heapq.merge(*readers, key=lambda line: int(line[row]))
            lines = 0
            for _, same in itertools.groupby(in_order, lambda line: line[row]):
                writer.writerow(_one_line(*same))
                lines += 1
        whole.replace(self.path)
        other.unlink()
        return lines

    def _beside(self, what: str) -> Path:
        """A passing file; its name begins with a dot, so that nobody takes it for a contact file."""
        return self.path.with_name(f".{self.path.name}.{what}")

    def _write(self, rows: pa.Table, said: pa.Table, rejected: npt.NDArray[np.int64]) -> None:
        is_rejected = pc.is_in(said["row"], pa.array(rejected))
        codes = said["code"].combine_chunks().dictionary_encode()
        columns = [as_read(rows[f"c{index}"]) for index in self._columns]
        columns += [
            said["row"],
            pc.if_else(is_rejected, "rejected", "warning"),
            said["code"],
            said["field"],
            as_read(said["value"]),
            self._texts(codes, suggestion=False),
            self._texts(codes, suggestion=True),
        ]
        names = [*self._columns.values(), *REPORT_COLUMNS]
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


def _one_line(first: list[str], second: list[str] | None = None) -> list[str]:
    """What the lines say of one row: rejected if either says so."""
    if second is None:
        return first
    start = -len(REPORT_COLUMNS) + 1
    status = max(first[start], second[start], key=lambda said: said == "rejected")
    pairs = list(zip(first[start + 1 :], second[start + 1 :], strict=True))
    codes = ["; ".join(filter(None, pair)) for pair in pairs[:3]]
    return [*first[:start], status, *codes, *(" ".join(filter(None, pair)) for pair in pairs[3:])]


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
