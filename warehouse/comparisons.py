"""What a filter asks of one column or value, as SQL."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, and_, func, literal, true

from schemas.conditions import Between

Where = ColumnElement[bool]


def one_of(value: ColumnElement[Any], values: Iterable[Any], how: str) -> Where:
    return (_folded(value) if how == "folded" else value).in_([_typed(one) for one in values])


def _typed(value: Any) -> Any:
    """A number as wide as it may be: PostgreSQL would take the type of the column for it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return literal(value, BigInteger() if isinstance(value, int) else Double())


def like(value: ColumnElement[Any], pattern: str) -> Where:
    return _folded(value).like(pattern, escape="\\")


def _folded(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The text as `schemas.folding.folded` makes it; the function stands in both databases."""
    return func.padron_fold(value)


def between(number: ColumnElement[Any], limits: Between) -> Where:
    parts: list[Where] = []
    if limits.low is not None:
        low = _typed(limits.low)
        parts.append(number > low if limits.low_open else number >= low)
    if limits.high is not None:
        high = _typed(limits.high)
        parts.append(number < high if limits.high_open else number <= high)
    return and_(true(), *parts)
