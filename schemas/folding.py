"""The form in which filters compare texts: small letters, no accents. SQL folds by the same rule."""

import unicodedata

FIRST_MARK, LAST_MARK = "\u0300", "\u036f"


def folded(text: str) -> str:
    """Small letters, compatibility forms taken apart, combining accents away.

    >>> folded("ÁNGEL Núñez"), folded("Straße ﬁn")
    ('angel nunez', 'straße fin')
    """
    lower = text.lower()
    if lower.isascii():
        return lower
    return "".join(char for char in unicodedata.normalize("NFKD", lower) if not FIRST_MARK <= char <= LAST_MARK)
