"""How a delimited file is written: delimiter, quotes, and where its header stands, told from its head."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.headers import Known, find_header
from schemas.exports import FIRST_HEADER

DELIMITERS = (",", ";", "\t", "|", "^", "\x1f", "||")
_BACKSLASHED = re.compile(r'[^\\]\\"[^,;|\t\r\n]')
_DOUBLED = re.compile(r'[^,;|\t\r\n"]""[^,;|\t\r\n"]')
_SAMPLED = 60
_SIGNS = set("~^;:|#*@&%$!/\\")
csv.field_size_limit(1 << 30)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What it takes to split a file into cells."""

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    spaces_before_quotes: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the fast reader splits it too."""
        return len(self.delimiter) == 1 and self.quote == '"' and not self.escape and not self.spaces_before_quotes

    def reader(self, lines: Iterator[str], *, strict: bool) -> Iterator[list[str]]:
        mark, delimiter = self.delimiter, self.delimiter
        if len(mark) > 1:
            lines, delimiter = (line.replace(mark, "\x1e") for line in lines), "\x1e"
        records = csv.reader(
            lines,
            delimiter=delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            skipinitialspace=self.spaces_before_quotes,
            strict=strict,
        )
        return records if len(mark) == 1 else ([cell.replace("\x1e", mark) for cell in row] for row in records)


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a file told: its dialect, its header, and how many records stand above the data."""

    dialect: Dialect
    header: tuple[str, ...]
    skipped: int
    lines_skipped: int


def read_head(text: str, *, delimiter: str | None, header_row: int | None, known: Known) -> Head | None:
    """The head of a file from its first text; None where no header is found."""
    skipped_lines, body, said = _separator_line(text)
    candidates = [delimiter or said] if delimiter or said else list(DELIMITERS)
    heads = [
        head for item in candidates if item and (head := _try(body, item, header_row, known, skipped_lines)) is not None
    ]
    best = max(heads, key=lambda pair: pair[0], default=(0, None))[1]
    longer = _longer_delimiter(best) if best and not (delimiter or said) else None
    if longer is None:
        return best
    again = _try(body, longer, header_row, known, skipped_lines)
    return again[1] if again else best


def _longer_delimiter(head: Head) -> str | None:
    """The delimiter with the signs that stand at every one of it, such as `~|~`."""
    cells = [cell for cell in head.header if cell]
    if len(cells) < 2 or head.dialect.delimiter == "\x1f":
        return None
    before = {cell[-1] for cell in cells[:-1]}
    after = {cell[0] for cell in cells[1:]}
    left = before.pop() if len(before) == 1 and before <= _SIGNS else ""
    right = after.pop() if len(after) == 1 and after <= _SIGNS else ""
    return f"{left}{head.dialect.delimiter}{right}" if left or right else None


def _separator_line(text: str) -> tuple[int, str, str | None]:
    """Excel's `sep=;` line, if there is one."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:
        return 1, rest, first.strip()[4]
    return 0, text, None


def _try(
    text: str, delimiter: str, header_row: int | None, known: Known, lines_skipped: int
) -> tuple[tuple[float, ...], Head] | None:
    dialect = _dialect(text, delimiter)
    records, lines = sample_records(text, dialect, max(_SAMPLED, header_row or 0))
    if header_row is None:
        index = find_header(records, known)
    else:
        index = lines.index(header_row - lines_skipped) if header_row - lines_skipped in lines else None
    if index is None:
        return None
    header, body = records[index], records[index + 1 :]
    widths = Counter(len(record) for record in body)
    header = _widened(header, body)
    named = sum(map(known, filter(str.strip, header)))
    agree = widths[len(header)] / max(len(body), 1)
    nameless = sum(not cell.strip() for cell in header)
    score = (named, -nameless, agree if len(header) > 1 else 0.0, len(header) if agree > 0.5 else 0)
    return score, Head(dialect, tuple(header), index, lines_skipped)


def _widened(header: list[str], body: Sequence[list[str]]) -> list[str]:
    """The header with as many nameless columns at its end as the rows have empty cells there."""
    if body and all(len(row) > len(header) and not any(row[len(header) :]) for row in body):
        return header + [""] * (min(map(len, body)) - len(header))
    longest = max(map(len, body), default=len(header))
    if longest < len(header) and not any(cell.strip() for cell in header[longest:]):
        return header[:longest]
    return header


def _dialect(text: str, delimiter: str) -> Dialect:
    if text.removeprefix('"').startswith(FIRST_HEADER):  # an export of ours, which has one way of quoting
        return Dialect(delimiter)
    spaced = text.count(f'{delimiter} "') > max(text.count(f'{delimiter}"'), 0)
    doubles = text.count(f'{delimiter}"') + text.count(f'"{delimiter}')
    if not doubles and _is_quoted_by_apostrophes(text, delimiter):
        return Dialect(delimiter, quote="'")
    escaped = bool(_BACKSLASHED.search(text)) and not _DOUBLED.search(text)
    return Dialect(delimiter, escape="\\" if escaped else None, spaces_before_quotes=spaced)


def _is_quoted_by_apostrophes(text: str, delimiter: str) -> bool:
    """Whether cells stand in apostrophes: with the delimiter inside, or in half of the lines."""
    mark = re.escape(delimiter)
    cells = re.findall(rf"(?:^|{mark})'([^'\r\n]*)'(?={mark}|\r?$)", text, re.MULTILINE)
    return len(cells) >= 2 and (any(delimiter in cell for cell in cells) or len(cells) * 2 > text.count("\n"))


def sample_records(text: str, dialect: Dialect, most_lines: int = _SAMPLED) -> tuple[list[list[str]], list[int]]:
    """The first records of the text without blank ones, and the line on which each begins; a broken tail is left."""
    records: list[list[str]] = []
    lines: list[int] = []
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for line in io.StringIO(text, newline=""):
            read += 1
            yield line

    line = 1
    for record in dialect.reader(counted(), strict=False):
        if any(cell.strip() for cell in record):
            records.append(record)
            lines.append(line)
        line = read + 1
        if len(records) >= _SAMPLED and line > most_lines:
            return records, lines
    if len(records) > 1 and len(text) >= 65_536:
        return records[:-1], lines[:-1]
    return records, lines
