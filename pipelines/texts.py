"""Free text and names: one Unicode form, single spaces, no control characters; names not in capitals."""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import changed_where, chunked, holds, joined, translated, trimmed
from schemas.frames import text_bytes

_PARTICLES = ("De", "Del", "La", "Las", "Los", "Y", "Da", "Das", "Do", "Dos", "E", "Van", "Von", "Der")
_CONTROLS = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
_SPACES = r"[\s\x{00A0}\x{2000}-\x{200A}\x{202F}\x{3000}]+"
_ODD_SPACES = r"\s\s|[^ \S]|[\x{00A0}]"
_UNSTABLE = {"NFC": r"[^\x{0000}-\x{02FF}]", "NFKC": r"[^\x{0000}-\x{007F}\x{00C0}-\x{00FF}]"}
"""What a text must hold for the form to change anything in it."""


def _folded(char: str) -> bytes:
    """The ASCII character that a character folds to; NUL where there is none."""
    plain = "".join(part for part in unicodedata.normalize("NFKD", char.lower()) if not unicodedata.combining(part))
    return plain.encode() if len(plain) == 1 and plain.isascii() else b"\0"


_FOLDED = b"".join(_folded(chr(code)) for code in range(256))


def normalise_texts(column: pa.Array) -> pa.Array:
    """Text with single spaces inside lines, null where empty."""
    texts = _composed(trimmed(chunked(column)), "NFC")
    return _null_if_empty(texts)


def normalise_names(column: pa.Array) -> pa.Array:
    """A person's name: compatibility forms folded, single spaces; written as it was unless all in capitals."""
    names = _composed(trimmed(chunked(column)), "NFKC")
    if holds(text_bytes(names), b"  ", b"\t", b"\n", b"\r", b"\f", b"\xc2\xa0"):
        hit = pc.match_substring_regex(names, _ODD_SPACES)
        names = changed_where(names, hit, lambda odd: pc.utf8_trim_whitespace(_single_spaced(odd)))
    return _null_if_empty(_without_capitals(names))


def fold(column: pa.Array) -> pa.Array:
    """The form in which texts are compared and searched: lower case, no accents."""
    plain = translated(column, _FOLDED)
    if plain is not None:
        return plain
    lower = pc.utf8_lower(column)
    return pc.replace_substring_regex(pc.utf8_normalize(lower, "NFKD"), r"\pM", "")


def search_text(name: pa.Array, phone: pa.Array, email: pa.Array) -> pa.Array:
    """What the search box looks through: folded name, phone digits, e-mail."""
    digits = pc.utf8_slice_codeunits(phone, 1)
    return joined([fold(name), digits, email], " ", len(name))


def _single_spaced(column: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(column, _SPACES, " ")


def _composed(column: pa.Array, form: str) -> pa.Array:
    """In one Unicode form, without control characters, and trimmed of the spaces that either leaves at the ends."""
    composed = _changed(column, form)
    return column if composed is column else pc.utf8_trim_whitespace(composed)


def _changed(column: pa.Array, form: str) -> pa.Array:
    text = text_bytes(column)
    seen = np.frombuffer(text, np.uint8)
    if seen.min(initial=32) < 32 or b"\x7f" in text:
        column = pc.replace_substring_regex(column, _CONTROLS, "")
    highest = seen.max(initial=0)
    if highest < 0x80 or (highest == 0xC3 and b"\xc2" not in text):
        return column
    return changed_where(
        column, pc.match_substring_regex(column, _UNSTABLE[form]), lambda part: pc.utf8_normalize(part, form)
    )


def _without_capitals(names: pa.Array) -> pa.Array:
    """Names of four letters and more that are all in capitals get title case."""
    capitals = pc.and_(pc.utf8_is_upper(names), pc.greater(pc.utf8_length(names), 3))
    if not pc.any(capitals).as_py():
        return names
    titled = pc.utf8_title(pc.if_else(capitals, names, ""))
    for particle in _PARTICLES:
        titled = pc.replace_substring(titled, f" {particle} ", f" {particle.lower()} ")
    return pc.if_else(capitals, titled, names)


def _null_if_empty(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(pc.binary_length(column), 0), pa.scalar(None, pa.string()), column)
