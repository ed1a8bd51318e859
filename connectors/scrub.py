"""Taking a person out of a file that is kept: their rows stay, so that others keep their numbers, without their cells.

A file in which nobody is found is not touched. One that changes is written anew as delimited text, under a name that
says so and is nobody else's; a row report keeps its name. A row that could not be read stays one that cannot.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from connectors.sources import Opened, open_source
from connectors.workbooks import Limits
from schemas.frames import PROBLEM, REPORT_COLUMNS, ROW, RawFrame, as_read
from schemas.profiles import Profile

BLANKED = "—"
"""Stands in the first cell of a row whose cells are gone: a line without anything would not count as a row."""
_ENDING = ".scrubbed.csv"
_KEPT = frozenset(REPORT_COLUMNS) - {"_value"}
Marks = Callable[[pa.Array], pa.Array]
"""Which cells of a column tell of the person."""


def nothing(cells: pa.Array) -> pa.Array:
    """Marks for rows that are known by their numbers alone."""
    return pa.array([False] * len(cells))


def scrub(
    path: Path,
    number: int,
    profile: Profile,
    rows: Collection[int],
    marks: Marks,
    limits: Limits,
    *,
    is_report: bool = False,
) -> tuple[Path, int]:
    """Blank these rows of a batch's file, and those with a marked cell; where it stands then, and how many they were.

    `is_report` says that the file is the batch's row report, and no raw file, which may be an earlier report.
    Raises UnreadableFile or NeedsAnswer, as opening the file does.
    """
    anew = is_scrubbed(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with open_source(path, Profile() if anew else profile, name=path.name, limits=limits) as opened:
            count = _write(opened, part, rows, marks, is_report=is_report)
        if not count:
            return path, 0
        target = path if anew or is_report else path.with_name(f"{path.name}.{number}{_ENDING}")
        part.replace(target)
        if target != path:
            path.unlink()
        return target, count
    finally:
        part.unlink(missing_ok=True)


def is_scrubbed(path: Path) -> bool:
    return path.name.endswith(_ENDING)


def scrubbed_name(path: Path, number: int) -> Path:
    """Where a batch's file stands once it was scrubbed."""
    return path if is_scrubbed(path) else path.with_name(f"{path.name}.{number}{_ENDING}")


def _write(opened: Opened, part: Path, rows: Collection[int], marks: Marks, *, is_report: bool) -> int:
    names = [name.strip() for name in opened.header]
    kept = {at for at, name in enumerate(names) if is_report and name in _KEPT}
    place = names.index(REPORT_COLUMNS[0]) if is_report else None
    wanted, count = pa.array(sorted(rows), pa.int64()), 0
    delimiter = opened.delimiter if len(opened.delimiter) == 1 and opened.delimiter != "\x1f" else ","
    with pa.OSFile(str(part), "wb") as sink:
        sink.write(b"\xef\xbb\xbf")
        for at, block in enumerate(_texts(opened)):
            cells = [block[f"c{index}"].combine_chunks() for index in range(len(names))]
            number = block[ROW] if place is None else _as_numbers(cells[place])
            hit = pc.is_in(number, wanted)
            hit = hit.combine_chunks() if isinstance(hit, pa.ChunkedArray) else hit
            for index, column in enumerate(cells):
                hit = hit if index in kept else pc.or_(hit, marks(column))
            count += pc.sum(hit).as_py() or 0
            if place is None:
                cells = _still_unread(cells, _broken(block), delimiter)
            blanked = [
                column if index in kept else pc.if_else(hit, BLANKED if index == 0 and place is None else "", column)
                for index, column in enumerate(cells)
            ]
            options = arrow_csv.WriteOptions(
                include_header=at == 0, delimiter=delimiter, quoting_style="needed", quoting_header="needed"
            )
            arrow_csv.write_csv(pa.Table.from_arrays(blanked, names=list(opened.header)), sink, options)
    return count


def _still_unread(cells: list[pa.Array], broken: pa.Array, delimiter: str) -> list[pa.Array]:
    """The cells of rows that could not be read as one text in the first cell, which nobody takes for a contact."""
    if len(cells) < 2 or not pc.any(broken).as_py():
        return cells
    whole = pc.binary_join_element_wise(*cells, delimiter)
    return [pc.if_else(broken, whole if at == 0 else "", column) for at, column in enumerate(cells)]


def _broken(block: RawFrame) -> pa.Array:
    """Which rows could not be read."""
    return pc.is_valid(block[PROBLEM]).combine_chunks()


def _as_numbers(column: pa.Array) -> pa.Array:
    """The row numbers of a report; one that somebody damaged is nobody's."""
    plain = pc.match_substring_regex(column, r"^[0-9]{1,18}$")
    return pc.if_else(plain, column, None).cast(pa.int64())


def _texts(opened: Opened) -> Iterator[RawFrame]:
    for block in opened.source.blocks():
        columns = {name: as_read(block[name]) for name in block.column_names if name.startswith("c")}
        yield RawFrame(pa.table({ROW: block[ROW], **columns, PROBLEM: block[PROBLEM]}))
