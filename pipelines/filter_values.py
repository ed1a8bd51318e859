"""The values of a filter: texts, numbers and moments, with the mistakes people make told at their place."""

import re
from datetime import date, datetime, timedelta

from schemas.conditions import Edge
from schemas.filters import Literal, Node, Op, Property, refuse

_TICK = timedelta(microseconds=1)
_SPAN = re.compile(r"(\d{1,6})\s*(min|h|d|w|sem)")
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "sem": timedelta(weeks=1),
}
_LONGEST_DAYS = 36_500
_FIRST_YEAR, _LAST_YEAR = 1800, 2999
MOMENTS = ("ago('30d')", "ahead('30d')", "today()", "today(-1)", "now()")
"""How a moment that moves with the time is written."""
_FOLDING = ("casei", "accenti")


def value_of(node: Node) -> str | float | bool | date | datetime:
    """What a literal says, in CASEI or ACCENTI or bare."""
    if isinstance(node, Op) and node.name in _FOLDING and len(node.args) == 1:
        return value_of(node.args[0])
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Property):
        raise refuse(
            node.place,
            f"«{node.name}» is read as a field. If it is a text, write '{node.name}' in single quotes.",
            f"«{node.name}» se lee como un campo. Si es un texto, escríbalo entre comillas simples.",
        )
    raise refuse(node.place, "Here a value is wanted.", "Aquí se espera un valor.")


def as_text(node: Node) -> str:
    value = value_of(node)
    if not isinstance(value, str):
        raise refuse(
            node.place, "Here a text in single quotes is wanted.", "Aquí se espera un texto entre comillas simples."
        )
    return value


def as_number(node: Node) -> float:
    value = value_of(node)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refuse(node.place, "Here a number is wanted, without quotes.", "Aquí se espera un número, sin comillas.")
    return value


def as_edges(node: Node) -> tuple[Edge, Edge]:
    """Where the moment that a value names begins, and where it has ended: a day lasts a day, a time a microsecond."""
    if isinstance(node, Op) and node.name not in _FOLDING:
        return _moving(node)
    value = value_of(node)
    if isinstance(value, str):
        value = _of_text(value) or value
    if isinstance(value, date) and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise refuse(
            node.place,
            f"Times here are of the years {_FIRST_YEAR} to {_LAST_YEAR}.",
            f"Las fechas de aquí son de los años {_FIRST_YEAR} a {_LAST_YEAR}.",
        )
    if isinstance(value, datetime):
        return Edge(at=value), Edge(at=value + _TICK, is_end=True)
    if isinstance(value, date):
        return Edge(day=value), Edge(day=value + timedelta(days=1))
    listed = ", ".join(MOMENTS)
    raise refuse(
        node.place,
        f"Here a time is wanted: DATE('2026-11-30'), TIMESTAMP('2026-11-30T10:00:00Z'), {listed}.",
        f"Aquí se espera una fecha: DATE('2026-11-30'), TIMESTAMP('2026-11-30T10:00:00Z'), {listed}.",
    )


def _of_text(text: str) -> date | datetime | None:
    """A day or a time with its zone, written as a text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == len("2026-11-30"):
        return found.date()
    return found if found.tzinfo else None


def _moving(node: Op) -> tuple[Edge, Edge]:
    name = node.name.lower()
    if name == "now" and not node.args:
        return Edge(shift=timedelta(0)), Edge(shift=_TICK, is_end=True)
    if name == "today" and len(node.args) <= 1:
        days = as_number(node.args[0]) if node.args else 0
        if days != int(days) or abs(days) > _LONGEST_DAYS:
            raise refuse(node.place, "today takes a number of days.", "today lleva un número de días.")
        return Edge(days=int(days)), Edge(days=int(days) + 1)
    if name in ("ago", "ahead") and len(node.args) == 1:
        span = _span(node.args[0])
        shift = -span if name == "ago" else span
        return Edge(shift=shift), Edge(shift=shift + _TICK, is_end=True)
    listed = ", ".join(MOMENTS)
    raise refuse(
        node.place,
        f"«{node.name}» is no time. Times that move: {listed}.",
        f"«{node.name}» no es una fecha. Fechas que se mueven: {listed}.",
    )


def _span(node: Node) -> timedelta:
    text = as_text(node)
    match = _SPAN.fullmatch(text.strip().lower())
    span = _UNITS[match.group(2)] * int(match.group(1)) if match else None
    if span is None or span.days > _LONGEST_DAYS:
        raise refuse(
            node.place,
            f"«{text}» is no span of time such as '30d', '12h', '2w' or '15min'.",
            f"«{text}» no es un tiempo como '30d', '12h', '2sem' o '15min'.",
        )
    return span
