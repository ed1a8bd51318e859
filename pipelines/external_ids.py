"""External ids as cells have them: of spreadsheets, of Salesforce, and several in a cell of our own exports."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import chunked, holds
from schemas.exports import FIRST_HEADER, IN_A_TAG, TAG_SEPARATOR
from schemas.frames import text_bytes
from schemas.headers import header_form

_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_TOTAL = r"(?i)^(sub ?-?|grand )?total(es)?( general(es)?| geral)?(: ?\d+)?\W*$"


def plain_ids(column: pa.Array) -> pa.Array:
    """Without the apostrophe that keeps a number a text in a spreadsheet; `TOTAL` below a column is nobody's."""
    if holds(text_bytes(column), b"'"):
        column = pc.replace_substring_regex(column, r"^'(\d)", r"\1")
    if not holds(text_bytes(column), b"otal", b"OTAL"):
        return column
    return pc.if_else(pc.match_substring_regex(column, _TOTAL).fill_null(False), _NULL, column)


def each_id(column: pa.Array) -> list[pa.Array]:
    """The first ids of all cells, the second ones, and so on."""
    split = pc.split_pattern(column, TAG_SEPARATOR)
    most = pc.max(pc.list_value_length(split)).as_py() or 1
    parts = (pc.list_slice(split, at, at + 1, return_fixed_size_list=True) for at in range(most))
    return [pc.replace_substring(pc.list_element(part, 0), IN_A_TAG, TAG_SEPARATOR) for part in parts]


def own_numbers(raw: pa.Table, header: Sequence[str]) -> pa.Array:
    """The numbers that contacts had in the store that wrote the file."""
    forms = [header_form(name) for name in header]
    cells = chunked(raw[f"c{forms.index(header_form(FIRST_HEADER))}"])
    is_number = pc.match_substring_regex(cells, r"^[0-9]{1,15}$")
    return pc.if_else(is_number, cells, _NULL).cast(pa.int64())


def long_ids(column: pa.Array) -> pa.Array:
    """Salesforce's ids in their long form: reports show 15 characters, where case counts, the API 18."""
    short = pc.match_substring_regex(column, r"^[A-Za-z0-9]{15}$").fill_null(False)
    if not pc.any(short).as_py():
        return column
    texts = [long_id(text) for text in column.filter(short).to_pylist()]
    return pc.replace_with_mask(column, short, pa.array(texts, _TEXT))


def long_id(short: str) -> str:
    """A 15-character id of Salesforce with the three that say which letters are capitals.

    >>> long_id("0015000000VaCdE")
    '0015000000VaCdEAAV'
    """
    parts = (short[start : start + 5] for start in (0, 5, 10))
    numbers = (sum(1 << at for at, char in enumerate(part) if "A" <= char <= "Z") for part in parts)
    return short + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number] for number in numbers)
