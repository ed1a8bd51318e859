"""The form under which the spellings of one phone are the same: Brazilian, Argentine and Mexican numbers have two."""

from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import changed_where

_ALIASES = (
    ("+55", r"^\+55([1-9][0-9])9([0-9]{8})$", r"+55\1\2"),
    ("+54", r"^\+549([0-9]{10})$", r"+54\1"),
    ("+52", r"^\+521([0-9]{10})$", r"+52\1"),
)


def match_form(phones: pa.Array) -> pa.Array:
    """The form under which phones are the same person's: Brazil without the ninth digit, Argentina without the 9."""
    for prefix, pattern, replacement in _ALIASES:
        hit = pc.starts_with(phones, prefix)
        phones = changed_where(
            phones, hit, partial(pc.replace_substring_regex, pattern=pattern, replacement=replacement)
        )
    return phones
