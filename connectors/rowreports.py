"""The row report: the original columns of every row that something is said of, and what is said.

It is a CSV file that can be mended and dropped again: the extra columns begin with `_` and are ignored on import.
"""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from schemas.codes import CODES
from schemas.frames import REPORT_COLUMNS, ROW, as_read

_HEADER_BYTES, _BLOCK_BYTES = 1 << 18, (1 << 20, 64 << 20, (1 << 31) - 1)
_ROW_AT = -len(REPORT_COLUMNS)


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
        for size in _BLOCK_BYTES:
            whole = RowReport(self._beside("whole"), self._header, delimiter=self.delimiter, language=self.language)
            try:
                for lines in _in_order(self._lines(self.path, size), self._lines(other, size)):
                    whole._write_lines(_together(lines))
                    pa.default_memory_pool().release_unused()
                break
            except pa.ArrowInvalid:  # a line that is longer than a block
                if size == _BLOCK_BYTES[-1]:
                    raise
            finally:
                whole.close()
        whole.path.replace(self.path)
        other.unlink()
        return whole.rows

    def _lines(self, path: Path, block_bytes: int) -> Iterator[pa.Table]:
        """The lines of a report, a block at a time; every column is text."""
        names = [str(place) for place in range(len(self._columns) + len(REPORT_COLUMNS))]
        with arrow_csv.open_csv(
            path,
            arrow_csv.ReadOptions(
                column_names=names, skip_rows_after_names=1, block_size=block_bytes, use_threads=False
            ),
            arrow_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        ) as reader:
            for batch in reader:
                if batch.num_rows:
                    yield pa.Table.from_batches([batch])

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
        self._write_lines(pa.Table.from_arrays(columns, names=[str(place) for place in range(len(columns))]))

    def _write_lines(self, lines: pa.Table) -> None:
        options = arrow_csv.WriteOptions(
            include_header=self._sink is None, delimiter=self.delimiter, quoting_style="needed", quoting_header="needed"
        )
        whole = lines.combine_chunks()  # of an empty chunk pyarrow 26 writes what happens to be in memory
        arrow_csv.write_csv(whole.rename_columns([*self._columns.values(), *REPORT_COLUMNS]), self._open(), options)
        self.rows += lines.num_rows

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


def _row_numbers(lines: pa.Table) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = lines.column(_ROW_AT).cast(pa.int64()).to_numpy()
    return numbers


def _in_order(one: Iterator[pa.Table], other: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The lines of two reports, both in order of rows: each block of the first with those of the other up to it."""
    waiting = next(other, None)
    for block in one:
        last = _row_numbers(block)[-1]
        while waiting is not None and _row_numbers(waiting)[-1] <= last and (more := next(other, None)) is not None:
            waiting = pa.concat_tables([waiting, more])
        if waiting is not None:
            count = int(np.searchsorted(_row_numbers(waiting), last, "right"))
            block = pa.concat_tables([block, waiting.slice(0, count)])
            waiting = waiting.slice(count) if count < waiting.num_rows else next(other, None)
        yield block
    while waiting is not None:
        yield waiting
        waiting = next(other, None)


def _together(lines: pa.Table) -> pa.Table:
    """The lines in order, one for each row."""
    rows = _row_numbers(lines)
    order = np.argsort(rows, kind="stable")
    again = np.flatnonzero(rows[order][1:] == rows[order][:-1])
    if not len(again):
        return lines.take(pa.array(order)) if (np.diff(order) < 0).any() else lines
    first, second = (lines.take(pa.array(order[again + step])).to_pylist() for step in (0, 1))
    united = [_one_line(list(a.values()), list(b.values())) for a, b in zip(first, second, strict=True)]
    alone = np.delete(order, np.r_[again, again + 1])
    columns = [pa.array(column, pa.string()) for column in zip(*united, strict=True)]
    return _together(pa.concat_tables([lines.take(pa.array(alone)), pa.Table.from_arrays(columns, lines.column_names)]))


def _one_line(first: list[str | None], second: list[str | None]) -> list[str | None]:
    """What two lines say of one row: rejected if either says so."""
    start = -len(REPORT_COLUMNS) + 1
    status = "rejected" if "rejected" in (first[start], second[start]) else first[start]
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
