"""Taking a person out of a file that is kept: their rows stay, so that others keep their numbers, without a cell.

A file in which nobody is found is not touched. One that changes is written anew, as text; what was a workbook or packed
has `.csv` behind its name from then on.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from connectors.sources import Opened, open_source
from connectors.workbooks import Limits
from schemas.frames import REPORT_COLUMNS, ROW, RawFrame, as_read
from schemas.profiles import Profile

_TAIL = 8
"""So many digits at a phone's end are in every spelling of it."""
_NO_DIGIT = r"[^0-9]"
_KEPT = frozenset(REPORT_COLUMNS) - {"_value"}
_PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Traces:
    """What tells a cell of a person: e-mails in small letters, the last digits of phones."""

    emails: frozenset[str]
    phones: frozenset[str]

    @classmethod
    def of(cls, emails: Collection[str], phones: Collection[str]) -> "Traces":
        """The traces of e-mails and of phones in any spelling."""
        digits = {re.sub(_NO_DIGIT, "", phone)[-_TAIL:] for phone in phones}
        return cls(frozenset(text.strip().lower() for text in emails if text.strip()), frozenset(filter(None, digits)))

    def marks(self, cells: pa.Array) -> pa.Array:
        """Which of these cells are of the person."""
        found = pa.array([False] * len(cells))
        if self.emails:
            found = _any(found, pc.utf8_lower(cells), self.emails)
        if self.phones:
            found = _any(found, pc.replace_substring_regex(cells, _NO_DIGIT, ""), self.phones)
        return found

    def are_in(self, path: Path) -> bool:
        """Whether the bytes of a file that no reader opens hold an e-mail, or a phone without spaces."""
        wanted = [text.encode() for text in (*self.emails, *self.phones)]
        with path.open("rb") as file:
            before = b""
            while part := file.read(_PART):
                whole = before + part.lower()
                if any(text in whole for text in wanted):
                    return True
                before = whole[-256:]
        return False


NO_TRACES = Traces(frozenset(), frozenset())


def _any(found: pa.Array, cells: pa.Array, texts: Collection[str]) -> pa.Array:
    for text in texts:
        found = pc.or_(found, pc.match_substring(cells, text).fill_null(False))
    return found


def scrub(
    path: Path, profile: Profile, name: str, rows: Collection[int], traces: Traces, limits: Limits
) -> tuple[Path, int]:
    """Blank these rows of a file, and those that hold a trace; where the file stands then, and how many rows it was.

    Raises UnreadableFile or NeedsAnswer, as opening the file does.
    """
    part = path.with_name(f".{path.name}.scrubbed")
    try:
        with open_source(path, profile, name=name, limits=limits) as opened:
            count = _write(opened, part, rows, traces)
            is_text = opened.kind == "csv" and path.suffix.lower() not in (".gz", ".zip")
        if not count:
            return path, 0
        target = path if is_text else path.with_name(f"{path.name}.csv")
        part.replace(target)
        if target != path:
            path.unlink()
        return target, count
    finally:
        part.unlink(missing_ok=True)


def _write(opened: Opened, part: Path, rows: Collection[int], traces: Traces) -> int:
    is_report = set(REPORT_COLUMNS) <= {name.strip() for name in opened.header}
    kept = {at for at, name in enumerate(opened.header) if is_report and name.strip() in _KEPT}
    place = next((at for at, name in enumerate(opened.header) if is_report and name.strip() == REPORT_COLUMNS[0]), None)
    wanted, count = pa.array(sorted(rows), pa.int64()), 0
    delimiter = opened.delimiter if len(opened.delimiter) == 1 and opened.delimiter != "\x1f" else ","
    names = list(opened.header)
    with pa.OSFile(str(part), "wb") as sink:
        sink.write(b"\xef\xbb\xbf")
        for at, block in enumerate(_texts(opened)):
            number = block[ROW] if place is None else _as_numbers(block[f"c{place}"])
            cells = [block[f"c{index}"].combine_chunks() for index in range(len(opened.header))]
            hit = pc.is_in(number, wanted).combine_chunks()
            for index, column in enumerate(cells):
                hit = hit if index in kept else pc.or_(hit, traces.marks(column))
            count += pc.sum(hit).as_py() or 0
            blanked = [
                column if index in kept else pc.if_else(hit, pa.scalar("", column.type), column)
                for index, column in enumerate(cells)
            ]
            options = arrow_csv.WriteOptions(
                include_header=at == 0, delimiter=delimiter, quoting_style="needed", quoting_header="needed"
            )
            arrow_csv.write_csv(pa.Table.from_arrays(blanked, names=names), sink, options)
    return count


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The row numbers of a report; one that somebody damaged is nobody's."""
    plain = pc.match_substring_regex(column, r"^[0-9]{1,18}$")
    return pc.if_else(plain, column, None).cast(pa.int64())


def _texts(opened: Opened) -> Iterator[RawFrame]:
    for block in opened.source.blocks():
        columns = {name: as_read(block[name]) for name in block.column_names if name != ROW}
        yield RawFrame(pa.table({ROW: block[ROW], **columns}))
