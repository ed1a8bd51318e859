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


def check_version(content: Any, expected: str | None, name: str) -> None:
    """Raise VersionDiffers where the content is no longer as it was read; None where any will do."""
    if expected is not None and (content is None or version_of(content) != expected):
        raise VersionDiffers(
            f"{name!r} was changed by somebody else since you read it. Read it again.",
            f"Otra persona cambió {name!r} después de que usted lo leyó. Vuelva a leerlo.",
        )
