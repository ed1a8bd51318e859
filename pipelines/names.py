"""Whether two names can be one person's. A shared phone proves nothing when the names disagree."""

import unicodedata
from functools import lru_cache

from rapidfuzz.distance import JaroWinkler

_PARTICLES = frozenset(
    [
        "de",
        "del",
        "la",
        "las",
        "los",
        "y",
        "e",
        "da",
        "das",
        "do",
        "dos",
        "di",
        "van",
        "von",
        "der",
        "den",
        "el",
        "al",
        "bin",
        "ibn",
        "mr",
        "mrs",
        "ms",
        "sr",
        "sra",
        "srta",
        "dr",
        "dra",
        "don",
        "dona",
    ]
)
_CLOSE = 0.93
RECORD, IS_RECORD = "\x1d", "\x1e"
"""What stands before the number of a record without a name, and behind the name of another record of the same file."""
_ENDINGS = "aeo"
"""What tells Daniel from Daniela and Luis from Luisa, who are two people."""


@lru_cache(maxsize=10_000)
def _tokens(form: str) -> tuple[str, ...]:
    words = "".join(char if char.isalnum() else " " for char in form).split()
    return tuple(word for word in words if word not in _PARTICLES) or tuple(words)


def is_fuller(one: str | None, other: str | None) -> bool:
    """Whether the first name says all that the second says: titles, particles and initials count for nothing.

    >>> is_fuller("Julio César Ramírez", "Julio R."), is_fuller("J. Ramírez", "Julio Ramírez")
    (True, False)
    >>> is_fuller("Juan Pérez Gil", "Sr. Juan Perez"), is_fuller("Ana", "Ana María"), is_fuller("Jose", "José")
    (True, False, False)

    Of two that each say more than the other, the one that has a whole word where the other has its initial:

    >>> is_fuller("Juan", "J. Pérez"), is_fuller("J. Pérez", "Juan")
    (True, False)
    """
    if not one or not other:
        return bool(one)
    before, after = (_tokens(folded(name)) for name in (one, other))
    if set(after) != set(before):
        return set(after) < set(before) or _shortens(after, before) or _has_initial_of(after, before)
    return len(other.split()) != len(one.split()) or len(other.encode()) <= len(one.encode())


def _shortens(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """Whether each word stands among the other's, some as an initial only."""
    left = [word for word in long if word not in short]
    for word in short:
        if word in long:
            continue
        whole = next((other for other in left if len(word) == 1 and other.startswith(word)), None)
        if whole is None:
            return False
        left.remove(whole)
    return True


def _has_initial_of(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a word of the other stands in the first as an initial only."""
    whole = [word for word in other if len(word) > 1 and word not in one]
    return any(len(word) == 1 and word not in other and any(w.startswith(word) for w in whole) for word in one)


def folded(name: str) -> str:
    """One name without case and accents."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def names_agree(one: str | None, other: str | None) -> bool:
    """Whether two folded names can be the same person's; a missing name contradicts nothing.

    >>> names_agree("ana maria perez lopez", "ana perez"), names_agree("ana perez", "luis perez")
    (True, False)
    """
    if not one or not other or one == other:
        return True
    if RECORD in (one[0], other[0]):
        return not {one[0], one[-1], other[0], other[-1]} >= {RECORD, IS_RECORD} and one[0] != other[0]
    shorter, longer = sorted((_tokens(one), _tokens(other)), key=len)
    if not shorter:
        return True
    left = list(longer)
    for word in shorter:
        partner = next((candidate for candidate in left if _same_word(word, candidate)), None)
        if partner is None:
            return False
        left.remove(partner)
    return True


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    if len(one) == 1 or len(other) == 1:
        return one[0] == other[0]
    if one.rstrip(_ENDINGS) == other.rstrip(_ENDINGS):
        return False
    return min(len(one), len(other)) >= 4 and JaroWinkler.similarity(one, other) >= _CLOSE
