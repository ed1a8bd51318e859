"""Small moves on Arrow columns that every normaliser needs: trimming, blanks, and one value per distinct text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.frames import text_bounds, text_bytes

BLANKS = pa.array(
    ["", "-", "--", "n/a", "na", "#n/a", "none", "(none)", "null", "(null)", "nil", "s/d", "n/d", "nd", "ninguno"]
    + ["ninguna", "sin dato", "sin datos", "no tiene", "sin correo", "sin telefono", "sin teléfono", "vacio", "vacío"]
    + ["não tem", "nenhum", "unknown", "desconocido"]
)
INVISIBLE = "[\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff\u00ad]"
_INVISIBLE_MARKS = tuple(mark.encode() for mark in ("\u00ad", "\u2060", "\ufeff")) + (b"\xe2\x80",)
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)
SEPARATOR = "\x1f"
"""Stands between several values of one cell (tags, further phones) inside a clean frame."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A column after its normaliser: the value (its raw text where there is a problem), and the problem's code."""

    value: pa.Array
    problem: pa.Array


def chunked(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def distinct_of(ordered: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Each of these values once, which are in order; `numpy.unique` would hash them all."""
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def is_among(values: Longs, ordered: Longs) -> Flags:
    """Which of the values stand among these, which are in order."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[at] == values)


def holds(text: bytes, *marks: bytes) -> bool:
    """Whether any of the marks stands in the text."""
    return any(mark[:1] in text and mark in text for mark in marks)


def without_bytes(column: pa.Array, unwanted: bytes) -> pa.Array:
    """The column without these ASCII characters."""
    text = text_bytes(column)
    kept = text.translate(None, unwanted)
    if len(kept) == len(text):
        return column
    keeps = np.isin(np.arange(256, dtype=np.uint8), np.frombuffer(unwanted, np.uint8), invert=True)
    return _with_text(column, kept, keeps[np.frombuffer(text, np.uint8)])


def translated(column: pa.Array, table: bytes) -> pa.Array | None:
    """Each character by the table, which gives an ASCII character or NUL for every one of Latin-1.

    None where the column has characters that the table does not translate.
    """
    text = text_bytes(column)
    try:
        latin = text.decode().encode("latin-1").translate(table)
    except UnicodeEncodeError:
        return None
    return None if b"\0" in latin else _with_text(column, latin, np.frombuffer(text, np.int8) >= -64)


def _with_text(column: pa.Array, text: bytes, keeps: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.Array:
    """The column with another text, that has one byte for each byte that is kept of its own."""
    bounds = text_bounds(column)
    counts = np.zeros(len(keeps) + 1, np.int32)
    np.cumsum(keeps, dtype=np.int32, out=counts[1:])
    offsets = pa.py_buffer(counts[bounds - bounds[0]])
    valid = pc.is_valid(column).buffers()[1] if column.null_count else None
    return pa.StringArray.from_buffers(len(column), offsets, pa.py_buffer(text), valid, column.null_count)


def changed_where(column: pa.Array, hit: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The column with the marked cells changed."""
    hit = hit.fill_null(False)
    return pc.replace_with_mask(column, hit, change(column.filter(hit))) if pc.any(hit).as_py() else column


def trimmed(column: pa.Array) -> pa.Array:
    """Without spaces and invisible characters at the ends, and without invisible ones inside."""
    if holds(text_bytes(column), *_INVISIBLE_MARKS):
        column = pc.replace_substring_regex(column, INVISIBLE, "")
    return pc.utf8_trim_whitespace(column)


def without_blanks(column: pa.Array) -> pa.Array:
    """Null where a cell is empty or only says that there is no value."""
    short = pc.less_equal(pc.binary_length(column), 14)
    blank = pc.and_(short, pc.is_in(pc.utf8_lower(pc.if_else(short, column, "")), BLANKS))
    return pc.if_else(blank, pa.scalar(None, pa.string()), column)


def per_distinct(column: pa.Array, function: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """The function's answer for each cell, asked once for each distinct text; null stays null."""
    encoded = pc.dictionary_encode(column)
    answers = pa.array([function(text) for text in encoded.dictionary.to_pylist()], kind)
    return answers.take(encoded.indices)


def no_problems(count: int) -> pa.Array:
    return pa.nulls(count, pa.string())


def joined(columns: Sequence[pa.Array], separator: str, count: int) -> pa.Array:
    """The filled cells of each row put together; null where there are none.

    Two at a time: the Arrow kernel's own way to skip nulls loses rows in which all are null.
    """
    whole = pa.nulls(count, pa.string())
    for column in columns:
        if column.null_count == len(column):
            continue
        if whole.null_count == count:
            whole = column
            continue
        both = pc.binary_join_element_wise(whole, column, separator)
        whole = pc.coalesce(both, whole, column)
    return whole
