"""Numbers and yes/no. What could be two numbers is a problem, never a guess."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import Normalised, chunked, trimmed, without_blanks
from pipelines.texts import fold

_PLAIN = r"^-?[0-9]{1,15}(?:\.(?:[0-9]{1,2}|[0-9]{4,10}))?$"
_CURRENCY = re.compile(
    r"^(?:us\$|r\$|s/\.?|\$|€|£|usd|eur|cop|mxn|ars|pen|clp|brl)\s*|\s*(?:\$|€|£|%|usd|eur|cop|mxn)$", re.I
)
_YES = ("si", "yes", "y", "s", "true", "verdadero", "verdadeiro", "sim", "1", "on", "x", "v", "t", "vrai", "oui", "ja")
_NO = ("no", "n", "false", "falso", "nao", "0", "off", "f", "faux", "non", "nein")
_MARKED = ("blocked", "bloqueado", "bloqueada", "blacklisted", "blocklisted")
MOST = 9e15
"""Numbers are smaller: beyond, not every whole one has a float."""


def normalise_numbers(column: pa.Array, decimal: str | None) -> Normalised:
    """Numbers as float64; a cell that is none, or could be two, gets a code."""
    texts = without_blanks(trimmed(chunked(column)))
    plain = pc.match_substring_regex(texts, _PLAIN)
    if decimal != "," and pc.all(plain).as_py() in (True, None):
        return Normalised(pc.cast(texts, pa.float64()), pa.nulls(len(texts), pa.string()))
    encoded = pc.dictionary_encode(texts)
    answers = [_read(text, decimal) for text in encoded.dictionary.to_pylist()]
    values = pa.array([number for number, _ in answers], pa.float64()).take(encoded.indices)
    return Normalised(values, pa.array([code for _, code in answers], pa.string()).take(encoded.indices))


def _read(text: str | None, decimal: str | None) -> tuple[float | None, str | None]:
    if text is None:
        return None, None
    bare = _CURRENCY.sub("", text.strip()).replace("\u00a0", " ").replace("'", "")
    bare = re.sub(r"(?<=\d)[ _](?=\d{3}(?:\D|$))", "", bare)
    if not re.fullmatch(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?", bare):
        return None, "number_invalid"
    mark = decimal or _decimal_mark(bare)
    if mark is None:
        return None, "number_ambiguous"
    other = "," if mark == "." else "."
    whole, _, rest = bare.partition(mark)
    grouped = re.fullmatch(r"[-+]?\d{1,3}(?:" + re.escape(other) + r"\d{3})+", whole)
    if other in whole and not grouped or other in rest:
        return None, "number_invalid"
    try:
        number = float(whole.replace(other, "") + ("." + rest if rest else ""))
    except ValueError:
        return None, "number_invalid"
    return (number, None) if abs(number) < MOST else (None, "number_invalid")


def _decimal_mark(text: str) -> str | None:
    """Which mark separates decimals, or None where the text reads both ways."""
    points, commas = text.count("."), text.count(",")
    if points and commas:
        return "." if text.rfind(".") > text.rfind(",") else ","
    mark = "." if points else ","
    if max(points, commas) > 1:
        return "," if points else "."
    if max(points, commas) == 1 and re.fullmatch(r"[-+]?[1-9]\d{0,2}[.,]\d{3}", text):
        return None
    return mark


def normalise_booleans(column: pa.Array) -> Normalised:
    """Yes and no, in the languages of the headers; anything else gets a code."""
    texts = without_blanks(trimmed(chunked(column)))
    folded = fold(texts)
    yes, no = pc.is_in(folded, pa.array(_YES)), pc.is_in(folded, pa.array(_NO))
    known = pc.or_(yes, no)
    value = pc.if_else(known, yes, pa.scalar(None, pa.bool_()))
    wrong = pc.and_(pc.is_valid(texts), pc.invert(known))
    return Normalised(value, pc.if_else(wrong, "boolean_invalid", pa.scalar(None, pa.string())))


def yes_or_no(text: str) -> bool | None:
    """Yes or no in one folded text, None where it is neither."""
    return True if text in _YES else False if text in _NO else None


def normalise_flags(column: pa.Array) -> Normalised:
    """Yes and no, where the words for blocked also mean yes."""
    texts = without_blanks(trimmed(chunked(column)))
    folded = fold(texts)
    found = normalise_booleans(column)
    yes = pc.is_in(folded, pa.array(_MARKED))
    value = pc.if_else(yes, pa.scalar(True), found.value)
    return Normalised(value, pc.if_else(yes, pa.scalar(None, pa.string()), found.problem))
