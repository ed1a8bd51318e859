"""Versions of what has no counter of its own: a digest of what it says, so that two edits do not pass each other by."""

import hashlib
import json
from typing import Any

from schemas.errors import InputError


class VersionDiffers(InputError):
    """Somebody else changed it since it was read."""


def version_of(content: Any) -> str:
    """The version of something that JSON can write; the same content has the same.

    >>> version_of(["a"]) == version_of(["a"]), version_of(["a"]) == version_of(["b"])
    (True, False)
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def require_version(is_same: bool, english: str, spanish: str) -> None:
    """Raise VersionDiffers where something is no longer as it was read; it is named in both languages."""
    if not is_same:
        raise VersionDiffers(
            f"Somebody else changed {english} since you read it. Read it again.",
            f"Otra persona cambió {spanish} mientras tanto. Vuelva a leer antes de guardar.",
        )


def check_version(content: Any, expected: str | None, name: str) -> None:
    """Raise VersionDiffers where the content is no longer as it was read, or is not there; None where any will do."""
    same = expected is None or (content is not None and version_of(content) == expected)
    require_version(same, repr(name), repr(name))
