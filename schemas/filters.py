"""A filter as a tree, which CQL2 text and CQL2 JSON spell (OGC 21-065r2).

The tree knows nothing of contacts: `schemas.conditions` says what its names mean.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from schemas.errors import InputError

MOST_NODES, DEEPEST, LONGEST = 2_000, 50, 50_000
"""What a filter may have: nodes, levels, and characters of text."""
_LARGEST_INTEGER = 2**53
_QUOTABLE = re.compile(r'[^"\x00-\x1f\ud800-\udfff]{1,200}')
_CALLABLE = re.compile(r"[<>=]{1,2}|[^\W\d][\w.:]{0,60}")


class WrongFilter(InputError):
    """A filter that cannot be read or makes no sense; `at` is the place in its text, `path` that in its JSON."""

    def __init__(self, english: str, spanish: str, at: int | None = None, path: str | None = None) -> None:
        super().__init__(english, spanish)
        self.at, self.path = at, path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: characters into the text, or a JSON pointer."""

    at: int | None = None
    path: str | None = None


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, yes/no, day or moment."""

    value: str | int | float | bool | date | datetime
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Property:
    """The name of a field."""

    name: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Several:
    """A list."""

    items: tuple["Node", ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Op:
    """An operator or a function with its arguments, named as in CQL2 JSON (`and`, `=`, `isNull`, `ago` …)."""

    name: str
    args: tuple["Node", ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


Node = Literal | Property | Several | Op

COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")
ARRAYS = {
    "a_equals": "a_equals",
    "a_contains": "a_contains",
    "a_containedby": "a_containedBy",
    "a_overlaps": "a_overlaps",
}
"""Predicates on lists, from small letters to the spelling of the standard."""


def refuse(place: Place, english: str, spanish: str) -> WrongFilter:
    """The error, with its place in front."""
    if place.at is not None:
        return WrongFilter(
            f"{english} (at character {place.at + 1})", f"{spanish} (en el carácter {place.at + 1})", place.at
        )
    if place.path is not None:
        return WrongFilter(
            f"{english} (at {place.path or '/'})", f"{spanish} (en {place.path or '/'})", None, place.path
        )
    return WrongFilter(english, spanish)


def check_size(node: Node) -> None:
    """Raise for monsters."""
    count, level = 0, [node]
    for depth in range(1, DEEPEST + 2):
        count += len(level)
        if count > MOST_NODES:
            raise refuse(
                node.place,
                f"This filter has more than {MOST_NODES:,} parts: use a list of contacts as a segment instead.",
                f"Este filtro tiene más de {MOST_NODES:,} partes: use una lista de contactos como segmento.",
            )
        level = [child for parent in level for child in children(parent)]
        if not level:
            return
        if depth > DEEPEST:
            raise refuse(
                node.place,
                f"This filter is nested deeper than {DEEPEST} levels.",
                f"Este filtro se anida a más de {DEEPEST} niveles.",
            )


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Op():
            return node.args
        case Several():
            return node.items
        case _:
            return ()


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_json(node: Node) -> Any:
    """The tree as CQL2 JSON."""
    match node:
        case Literal(value=datetime() as moment):
            return {"timestamp": timestamp_text(moment)}
        case Literal(value=date() as day):
            return {"date": day.isoformat()}
        case Literal():
            return node.value
        case Property():
            return {"property": node.name}
        case Several():
            return [as_json(item) for item in node.items]
        case Op():
            return {"op": node.name, "args": [as_json(item) for item in node.args]}


def timestamp_text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def of_json(found: Any) -> Node:
    """The tree that CQL2 JSON spells; raises WrongFilter with a JSON pointer."""
    node = _of_json(found, "", 0)
    check_size(node)
    return node


def _of_json(found: Any, path: str, depth: int) -> Node:
    place = Place(path=path)
    if depth > 2 * DEEPEST:
        raise refuse(place, "This filter is nested too deeply.", "Este filtro se anida demasiado.")
    match found:
        case str() | bool() | int() | float():
            return literal(found, place)
        case list():
            return Several(tuple(_each(found, path, depth)), place)
        case {"op": str(name), "args": list(args), **rest} if not rest and _CALLABLE.fullmatch(name):
            return _operation(name, tuple(_each(args, f"{path}/args", depth)), place)
        case {"property": str(name), **rest} if not rest and _QUOTABLE.fullmatch(name):
            return Property(name, place)
        case {"date": str(text), **rest} if not rest and literal(text, place):
            return Literal(read_date(text, place), place)
        case {"timestamp": str(text), **rest} if not rest and literal(text, place):
            return Literal(read_timestamp(text, place), place)
        case _:
            raise refuse(
                place,
                'Here stands no part of a filter: write {"op": …, "args": […]}, {"property": …}, {"date": …}, '
                '{"timestamp": …}, a text, a number, true or false.',
                'Aquí no hay una parte de un filtro: escriba {"op": …, "args": […]}, {"property": …}, {"date": …}, '
                '{"timestamp": …}, un texto, un número, true o false.',
            )


def _each(found: list[Any], path: str, depth: int) -> Iterable[Node]:
    return (_of_json(item, f"{path}/{number}", depth + 1) for number, item in enumerate(found))


def _operation(name: str, args: tuple[Node, ...], place: Place) -> Op:
    wanted = {"not": 1, "isNull": 1, "like": 2, "in": 2, "between": 3, **dict.fromkeys(COMPARISONS, 2)}.get(name)
    if wanted is not None and len(args) != wanted:
        raise refuse(place, f"{name} takes {wanted} arguments.", f"{name} lleva {wanted} argumentos.")
    if name in ("and", "or") and len(args) < 2:
        raise refuse(place, f"{name} takes two arguments or more.", f"{name} lleva dos argumentos o más.")
    if name == "in" and not isinstance(args[1], Several):
        raise refuse(args[1].place, "in takes a list.", "in lleva una lista.")
    return Op(ARRAYS.get(name.lower(), name), args, place)


def literal(value: str | bool | float, place: Place) -> Literal:
    """A text, number or yes/no that every database can take."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise refuse(place, "A text here holds no text.", "Un texto de aquí no es texto.")
    elif not isinstance(value, bool) and not abs(value) <= _LARGEST_INTEGER:
        raise refuse(place, f"{value} is too large a number.", f"{value} es un número demasiado grande.")
    return Literal(value, place)


def read_date(text: str, place: Place) -> date:
    try:
        if len(text) != len("2026-11-30"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise refuse(
            place, f"«{text}» is no date such as 2026-11-30.", f"«{text}» no es una fecha como 2026-11-30."
        ) from error


def read_timestamp(text: str, place: Place) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or "T" not in text:
            raise ValueError
        return moment
    except ValueError as error:
        raise refuse(
            place,
            f"«{text}» is no time such as 2026-11-30T10:00:00Z.",
            f"«{text}» no es una hora como 2026-11-30T10:00:00Z.",
        ) from error
