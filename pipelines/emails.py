"""E-mails to one form: lower case, domain in ASCII (IDNA), accents composed.

One pattern settles what is surely an address or surely none; email-validator judges the rest.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from email_validator import EmailNotValidError, validate_email

from pipelines.columns import Normalised, chunked, trimmed, without_blanks

_SURE = (
    r"^[a-z0-9_%+\-]+(?:\.[a-z0-9_%+\-]+)*@[a-z0-9](?:[a-z0-9]|-[a-z0-9])*"
    r"(?:\.[a-z0-9](?:[a-z0-9]|-[a-z0-9])*)*\.[a-z]{2,24}$"
)
_SURE_LENGTH = 64
_RESERVED = r"(?:^|[.@])(?:test|local|localhost|invalid|onion|arpa)$"
_HOPE = r":::|\s/\s|^[^@]+@[^@]+\.[^@]+$|[;,<>|\x{FF20}\x{FE6B}]|[^\x00-\x7F]|mailto:"
_NAMED = re.compile(r"[^<>]*<\s*([^<>]+?)\s*>")
_SEVERAL = re.compile(r"\s*(?:[;,|]|:::|\s/\s)\s*")
_INNER_SPACE = re.compile(r"[\s\x00-\x1f]")


def normalise_emails(column: pa.Array) -> Normalised:
    """The address in each cell; a cell that holds none keeps its text and gets a code; blank cells are null."""
    texts = without_blanks(trimmed(chunked(column)))
    lower = pc.utf8_lower(texts)
    sure = pc.and_(pc.match_substring_regex(lower, _SURE), pc.less_equal(pc.binary_length(lower), _SURE_LENGTH))
    sure = pc.and_not(sure, pc.match_substring_regex(lower, _RESERVED))
    hopeless = _hopeless(lower, sure)
    settled = pc.or_(sure, hopeless).fill_null(True)
    value = pc.if_else(sure, lower, texts)
    problem = pc.if_else(hopeless, "email_invalid", pa.scalar(None, pa.string()))
    left = np.flatnonzero(~settled.to_numpy(zero_copy_only=False))
    if not len(left):
        return Normalised(value, problem)
    answers = [normalise_email(text) for text in texts.take(pa.array(left)).to_pylist()]
    mask = pc.invert(settled)
    good = [answer or text for answer, text in zip(answers, texts.take(pa.array(left)).to_pylist(), strict=True)]
    codes = [None if answer else "email_invalid" for answer in answers]
    return Normalised(
        pc.replace_with_mask(value, mask, pa.array(good, pa.string())),
        pc.replace_with_mask(problem, mask, pa.array(codes, pa.string())),
    )


def _hopeless(lower: pa.Array, sure: pa.Array) -> pa.Array:
    """Cells that are not sure, and that even the library could make no address of."""
    unsure = pc.invert(sure).fill_null(False)
    nothing = pc.if_else(pc.is_valid(lower), False, pa.scalar(None, pa.bool_()))
    if not pc.any(unsure).as_py():
        return nothing
    none = pc.invert(pc.match_substring_regex(lower.filter(unsure), _HOPE))
    return pc.replace_with_mask(nothing, unsure, none)


def normalise_email(text: str) -> str | None:
    """One address by the library, or None where there is none; of several, the first.

    >>> normalise_email("Ana <mailto:ANA@Example.org>"), normalise_email("ana@localhost")
    ('ana@example.org', None)
    """
    if "\n" in text or "\r" in text:
        return None
    whole = text.strip()
    return _valid(whole) or _valid(_inner(whole))


def _inner(text: str) -> str:
    """The address inside a name, a mailto: or a list of several."""
    candidate = text.replace("\uff20", "@").strip("'").strip(",;")
    named = _NAMED.fullmatch(candidate)
    candidate = named.group(1) if named else next((part for part in _SEVERAL.split(candidate) if part), "")
    return candidate.removeprefix("mailto:").strip()


def _valid(candidate: str) -> str | None:
    if _INNER_SPACE.search(candidate):
        return None
    try:
        found = validate_email(candidate, check_deliverability=False)
    except EmailNotValidError:
        return None
    address = f"{found.local_part.lower()}@{found.ascii_domain.lower()}"
    return address if len(found.local_part.encode()) <= 64 and len(address) <= 254 else None
