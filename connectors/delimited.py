"""Delimited text (CSV, TSV and kin) to raw frames.

Two readers give the same rows: a fast one (pyarrow, block by block) and a patient one (the csv module) that says
of each damaged record what is wrong with it. A block that the fast one cannot take goes to the patient one.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from connectors.dialects import Dialect, Head, read_head
from connectors.encodings import as_utf8
from connectors.headers import Known
from schemas.frames import NO_TEXT, PROBLEM, ROW, RawFrame, text_bytes
from schemas.refusals import NeedsAnswer, UnreadableFile

_CHUNK = 5 << 20
_HEAD = 262_144
_PATIENT_ROWS = 50_000
_LONGEST_LINE = 8 << 20
_LONGEST_RECORD_LINES = 2_000
_NEVER_CLOSED = "unexpected end"
_JSON = re.compile(r'\s*(\[\s*)?\{\s*"|\s*\[\s*[\["]')


class Delimited:
    """An open delimited file: its header, how it is written, and its rows in blocks."""

    def __init__(self, path: Path, head: Head, name: str) -> None:
        self.path, self.head, self.name = path, head, name

    def blocks(self) -> Iterator[RawFrame]:
        """The data rows, numbered from 1; blank rows are left out and not counted."""
        tables = self._fast() if self._is_regular() else self._patient(self._text())
        first = 1
        for table in tables:
            table = _without_blank_rows(table)
            if table.num_rows:
                yield _numbered(table, first)
                first += table.num_rows

    def _is_regular(self) -> bool:
        """Whether every quotation mark stands where RFC 4180 wants it, so that blocks can be cut at line ends."""
        if not self.head.dialect.is_plain:
            return False
        beside = np.frombuffer(b'\r\n"' + self.head.dialect.delimiter.encode(), np.uint8)
        quotes, lines, last = 0, 0, b"\n"
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                lines += chunk.count(b"\n")
                if b'"' in chunk:
                    following = file.peek(1)[:1] or b"\n"
                    if not _quotes_stand_right(last + chunk + following, quotes, beside):
                        return False
                    quotes += chunk.count(b'"')
                last = chunk[-1:]
        return lines > 0 and quotes % 2 == 0

    def _text(self) -> Iterator[str]:
        with self.path.open(encoding="utf-8", newline="") as file:
            lines = _lines(file, self.name)
            _skip_header(lines, self.head)
            yield from lines

    def _fast(self) -> Iterator[pa.Table]:
        with self.path.open("rb") as file:
            file.seek(_data_offset(self.path, self.head, self.name))
            rest = b""
            while chunk := file.read(_CHUNK):
                chunk = rest + chunk
                cut = _record_end(chunk)
                whole, rest = chunk[:cut], chunk[cut:]
                if len(rest) > _LONGEST_LINE:
                    raise UnreadableFile("line_long", name=self.name)
                if whole:
                    yield from self._block(whole)
            if rest:
                yield from self._block(rest)

    def _block(self, data: bytes) -> Iterator[pa.Table]:
        table = _read_fast(data, self.head)
        if table is None:
            yield from self._patient(iter(io.StringIO(data.decode(), newline="")))
        else:
            yield table

    def _patient(self, lines: Iterator[str]) -> Iterator[pa.Table]:
        records = _records(lines, self.head.dialect, len(self.head.header))
        while batch := list(itertools.islice(records, _PATIENT_ROWS)):
            yield _table(batch, len(self.head.header), self.head.dialect.delimiter)


def open_delimited(
    path: Path,
    scratch: Path,
    *,
    name: str,
    known: Known,
    encoding: str | None = None,
    delimiter: str | None = None,
    header_row: int | None = None,
) -> Delimited:
    """Open a delimited file; raises UnreadableFile or NeedsAnswer with what to do."""
    text_path, _ = as_utf8(path, scratch, encoding, name)
    with text_path.open(encoding="utf-8", newline="") as file:
        text = file.read(_HEAD)
    if not text.strip():
        raise UnreadableFile("empty", name=name)
    if _JSON.match(text) or text.lstrip().startswith(("BEGIN:VCARD", "<", "{\\rtf")):
        raise UnreadableFile("not_delimited", name=name)
    head = read_head(text, delimiter=delimiter, header_row=header_row, known=known)
    if head is None and header_row:
        raise NeedsAnswer("no_header_row", name=name, row=header_row)
    if head is None:
        raise NeedsAnswer("no_header", name=name)
    return Delimited(text_path, head, name)


def _quotes_stand_right(data: bytes, before: int, beside: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Whether each quotation mark opens behind, or closes before, a delimiter, a line end or another mark.

    The first and the last byte of the data are not its own; `before` marks stood earlier in the file.
    """
    text = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(text[1:-1] == ord('"')) + 1
    closes = (np.arange(len(at)) + before) % 2 == 1
    return bool(np.isin(text[np.where(closes, at + 1, at - 1)], beside).all())


def _skip_header(lines: Iterator[str], head: Head) -> None:
    """Consume the lines up to and with the header, which may itself span lines."""
    for _ in range(head.lines_skipped):
        next(lines)
    reader = head.dialect.reader(lines, strict=False)
    seen = -1
    while seen < head.skipped:
        if any(cell.strip() for cell in next(reader)):
            seen += 1


class _Counted:
    """Lines, with how many were given out."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines, self.size_bytes = lines, 0

    def __iter__(self) -> "_Counted":
        return self

    def __next__(self) -> str:
        line = next(self.lines)
        self.size_bytes += len(line.encode())
        return line


def _lines(file: TextIO, name: str) -> Iterator[str]:
    """The lines of a file; one without end is refused before it fills the memory."""
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE and not line.endswith("\n"):
            raise UnreadableFile("line_long", name=name)
        yield line


def _data_offset(path: Path, head: Head, name: str) -> int:
    """Bytes before the first data record."""
    with path.open(encoding="utf-8", newline="") as file:
        counted = _Counted(_lines(file, name))
        _skip_header(counted, head)
        return counted.size_bytes


def _record_end(chunk: bytes) -> int:
    """Where the last whole record ends: after the last line end that is not inside quotes; 0 if there is none."""
    end, open_quotes = len(chunk), chunk.count(b'"') % 2
    while (cut := chunk.rfind(b"\n", 0, end)) >= 0:
        open_quotes = (open_quotes + chunk.count(b'"', cut, end)) % 2
        if not open_quotes:
            return cut + 1
        end = cut
    return 0


def _read_fast(data: bytes, head: Head) -> pa.Table | None:
    """The block as a table, or None where some record has another number of cells than the header."""
    ragged: list[object] = []

    def note(row: object) -> str:
        ragged.append(row)
        return "skip"

    names = [f"c{index}" for index in range(len(head.header))]
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(data),
            arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 16),
            arrow_csv.ParseOptions(
                delimiter=head.dialect.delimiter, newlines_in_values=b'"' in data, invalid_row_handler=note
            ),
            arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if ragged:
        return None
    return table.append_column(PROBLEM, pa.nulls(table.num_rows, pa.string()))


def _records(lines: Iterator[str], dialect: Dialect, width: int) -> Iterator[tuple[list[str], str | None]]:
    """Each record with its problem.

    Lines that a never closed quote swallowed are given one by one, all with the problem: where the quote should
    have closed is not known. Where it meets another mark, the lines between that are whole records by themselves are
    taken.
    """
    while True:
        kept = _Kept(lines)
        reader = dialect.reader(kept, strict=True)
        try:
            for record in reader:
                kept.lines.clear()
                yield record, None
            return
        except csv.Error as error:
            closed = not str(error).startswith(_NEVER_CLOSED)
            code = "quote_inside" if closed and len(kept.lines) == 1 else "quote_unclosed"
            for place, line in enumerate(kept.lines):
                whole = _whole_record(line, dialect, width) if place and closed else None
                yield (whole, None) if whole else (line.rstrip("\r\n").split(dialect.delimiter), code)


def _whole_record(line: str, dialect: Dialect, width: int) -> list[str] | None:
    """The one record of a line, if it is one with as many cells as the header."""
    try:
        record = next(dialect.reader(iter([line]), strict=True), [])
    except csv.Error:
        return None
    return record if len(record) == width > 1 else None


class _Kept:
    """Lines that remembers those given out since the last whole record."""

    def __init__(self, source: Iterator[str]) -> None:
        self.source = source
        self.lines: list[str] = []

    def __iter__(self) -> "_Kept":
        return self

    def __next__(self) -> str:
        if len(self.lines) >= _LONGEST_RECORD_LINES:
            raise csv.Error(f"{_NEVER_CLOSED} of record")
        line = next(self.source)
        self.lines.append(line)
        return line


def _table(batch: list[tuple[list[str], str | None]], width: int, delimiter: str) -> pa.Table:
    """Records as a table of `width` columns; the last cell of a damaged one keeps what does not fit, with its code."""
    rows, problems = [], []
    for record, problem in batch:
        if not problem and len(record) != width and any(cell.strip() for cell in record):
            problem = "column_count"
        if len(record) > width and not any(record[width:]) and problem == "column_count":
            problem = None
        elif len(record) > width and problem:
            record = [*record[: width - 1], delimiter.join(record[width - 1 :])]
        rows.append((record + [""] * width)[:width])
        problems.append(problem)
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    arrays = [pa.array(column, pa.string()) for column in columns]
    names = [f"c{index}" for index in range(width)]
    return pa.Table.from_arrays([*arrays, pa.array(problems, pa.string())], names=[*names, PROBLEM])


def _without_blank_rows(table: pa.Table) -> pa.Table:
    filled = pc.is_valid(table[PROBLEM])
    for name in table.column_names[:-1]:
        column = table[name]
        filled = pc.or_(filled, pc.greater(pc.binary_length(column), 0))
        if pc.all(filled).as_py():
            break
    else:
        table = table.filter(filled)
    return _without_space_rows(table)


def _without_space_rows(table: pa.Table) -> pa.Table:
    """Drop rows whose only text is spaces: looked for where the first column is blank."""
    first = pc.utf8_trim_whitespace(table[table.column_names[0]])
    suspects = pc.equal(pc.binary_length(first), 0)
    if not pc.any(suspects).as_py():
        return table
    filled = pc.or_(pc.invert(suspects), pc.is_valid(table[PROBLEM]))
    for name in table.column_names[1:-1]:
        filled = pc.or_(filled, pc.greater(pc.binary_length(pc.utf8_trim_whitespace(table[name])), 0))
    return table if pc.all(filled).as_py() else table.filter(filled)


def _numbered(table: pa.Table, first: int) -> RawFrame:
    table = table.add_column(0, ROW, pa.array(np.arange(first, first + table.num_rows)))
    return RawFrame(_marked_bad(table))


def _marked_bad(table: pa.Table) -> pa.Table:
    """Rows with undecodable bytes or NUL get their code."""
    bad: dict[str, pa.ChunkedArray] = {}
    for name in table.column_names[1:-1]:
        for code, mark in (("bad_encoding", NO_TEXT), ("control_character", "\0")):
            if any(mark.encode() in text_bytes(chunk) for chunk in table[name].chunks):
                hit = pc.match_substring(table[name], mark)
                bad[code] = pc.or_(bad[code], hit) if code in bad else hit
    problem = table[PROBLEM]
    for code, hit in bad.items():
        problem = pc.if_else(pc.and_(hit, pc.is_null(problem)), code, problem)
    return table.set_column(table.num_columns - 1, PROBLEM, problem)
