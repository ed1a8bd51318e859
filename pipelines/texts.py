"""Free text and names: one Unicode form, single spaces, no control characters; names not in capitals."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import chunked, trimmed

_PARTICLES = ("De", "Del", "La", "Las", "Los", "Y", "Da", "Das", "Do", "Dos", "E", "Van", "Von", "Der")
_CONTROLS = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
_SPACES = r"[\s\x{00A0}\x{2000}-\x{200A}\x{202F}\x{3000}]+"


def normalise_texts(column: pa.Array) -> pa.Array:
    """Text with single spaces inside lines, null where empty."""
    texts = _composed(trimmed(chunked(column)), "NFC")
    return _null_if_empty(texts)


def normalise_names(column: pa.Array) -> pa.Array:
    """A person's name: compatibility forms folded, single spaces; written as it was unless all in capitals."""
    names = _composed(trimmed(chunked(column)), "NFKC")
    if pc.any(pc.match_substring_regex(names, r"\s\s|[^ \S]|[\x{00A0}]")).as_py():
        names = pc.utf8_trim_whitespace(pc.replace_substring_regex(names, _SPACES, " "))
    return _null_if_empty(_without_capitals(names))


def fold(column: pa.Array) -> pa.Array:
    """The form in which texts are compared and searched: lower case, no accents."""
    lower = pc.utf8_lower(column)
    if pc.all(pc.string_is_ascii(lower)).as_py():
        return lower
    return pc.replace_substring_regex(pc.utf8_normalize(lower, "NFKD"), r"\pM", "")


def _composed(column: pa.Array, form: str) -> pa.Array:
    if pc.any(pc.match_substring_regex(column, _CONTROLS)).as_py():
        column = pc.replace_substring_regex(column, _CONTROLS, "")
    return column if pc.all(pc.string_is_ascii(column)).as_py() else pc.utf8_normalize(column, form)


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
