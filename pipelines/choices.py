"""Values of fields that take some of their options: told in any spelling, kept as the options are written."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from pipelines.columns import Normalised, chunked
from pipelines.words import split_tags, tag_form
from schemas.exports import TAG_SEPARATOR
from schemas.fields import BETWEEN

NOT_AN_OPTION = "not_an_option"


def normalise_choices(column: pa.Array, options: Sequence[str], *, several: bool) -> Normalised:
    """One of the options, or several in their order with a mark around each (`\\x1fa\\x1fb\\x1f`); else a code.

    >>> normalise_choices(pa.array([" ORO", "bronce", "plata; oro"]), ["oro", "plata"], several=True).value.to_pylist()
    ['\\x1foro\\x1f', None, '\\x1foro\\x1fplata\\x1f']
    """
    known = {tag_form(option): option for option in options}
    encoded = chunked(column).dictionary_encode()
    answers = [_read(text, known, several=several) for text in encoded.dictionary.to_pylist()]
    values = pa.array([value for value, _ in answers], pa.string()).take(encoded.indices)
    return Normalised(values, pa.array([code for _, code in answers], pa.string()).take(encoded.indices))


def _read(text: str | None, known: dict[str, str], *, several: bool) -> tuple[str | None, str | None]:
    if text is None or not text.strip():
        return None, None
    whole = known.get(tag_form(text))
    if whole is not None and not (several and TAG_SEPARATOR in text):
        return (marked([whole]) if several else whole), None
    for separator in ("; ", ";", None) if several else ():  # an option may have a comma
        parts = [known.get(tag_form(part)) for part in split_tags(text, separator)]
        if parts and None not in parts:
            return marked(option for option in known.values() if option in parts), None
    return (None, NOT_AN_OPTION) if whole is None else (marked([whole]), None)


def marked(options: Iterable[str]) -> str | None:
    """Several options as they are stored; None where there is none."""
    listed = list(options)
    return f"{BETWEEN}{BETWEEN.join(listed)}{BETWEEN}" if listed else None
