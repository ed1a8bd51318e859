"""Small moves on Arrow columns that every normaliser needs: trimming, blanks, and one value per distinct text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

BLANKS = pa.array(
    ["", "-", "--", "n/a", "na", "#n/a", "none", "(none)", "null", "(null)", "nil", "s/d", "n/d", "nd", "ninguno"]
    + ["ninguna", "sin dato", "sin datos", "no tiene", "sin correo", "sin telefono", "sin teléfono", "vacio", "vacío"]
    + ["não tem", "nenhum", "unknown", "desconocido"]
)
INVISIBLE = "[\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff\u00ad]"
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


def trimmed(column: pa.Array) -> pa.Array:
    """Without spaces and invisible characters at the ends, and without invisible ones inside."""
    if not pc.all(pc.string_is_ascii(column)).as_py():
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
