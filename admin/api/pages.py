"""Lists in parts: an opaque cursor says after which number the next part begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Path, Query
from pydantic import BeforeValidator

from admin.api.models import NO_NUL, Moment, Page, digits
from admin.api.problems import Refusal

Found = TypeVar("Found")
Shown = TypeVar("Shown")
Search = Annotated[str, Query(max_length=200, pattern=NO_NUL, description="What to look for.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=64, description="The `next` of the part before.")]
Number = Annotated[int, Path(ge=1, le=2**53, description="The number of what is meant."), BeforeValidator(digits)]
Since = Annotated[Moment | None, Query(description="From this time on; without a zone it is UTC.")]
Until = Annotated[Moment | None, Query(description="Until before this time.")]
_MARK = b"after:"


def after(cursor: str | None) -> int:
    """The number that a cursor stands for; 0 without one.

    >>> after(cursor_of(7)), after(None)
    (7, 0)
    """
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode())
        if not text.startswith(_MARK):
            raise ValueError(cursor)
        return min(max(int(text.removeprefix(_MARK)), 0), 2**62)
    except (ValueError, binascii.Error) as error:
        raise Refusal(
            409, "wrong_cursor", "The cursor is not one of ours.", "El cursor no es de los nuestros."
        ) from error


def cursor_of(number: int) -> str:
    return base64.urlsafe_b64encode(_MARK + str(number).encode()).decode()


def page(
    found: Sequence[Found], limit: int, number: Callable[[Found], int], shown: Callable[[Found], Shown]
) -> Page[Shown]:
    """A page of what was found, one more of which was asked for than is shown."""
    items = [shown(one) for one in found[:limit]]
    return Page(items=items, next=cursor_of(number(found[limit - 1])) if len(found) > limit else None)
