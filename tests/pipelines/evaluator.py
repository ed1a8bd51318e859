"""What a filter means, said once more and without SQL: for tests that hold the compiled filters against it."""

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from schemas.filters import Literal, Node, Op, Property, Several


@dataclass
class Person:
    """A contact as the evaluator sees it."""

    id: int
    own: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)
    batches: set[int] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    consents: dict[str, str] = field(default_factory=dict)
    happened: list[tuple[str, str | None, datetime]] = field(default_factory=list)


@dataclass
class Evaluator:
    """Filters of one moment, in a zone."""

    now: datetime
    zone: ZoneInfo
    days: frozenset[str] = frozenset()
    midnights: tzinfo | None = None

    def holds(self, node: Node, person: Person) -> bool:
        match node:
            case Literal(value=bool() as yes):
                return yes
            case Property(name):
                return self.value(name, person) is True
            case Op("and", args):
                return all(self.holds(part, person) for part in args)
            case Op("or", args):
                return any(self.holds(part, person) for part in args)
            case Op("not", (part,)):
                return not self.holds(part, person)
            case Op("isNull", (Property("tags"),)):
                return not person.tags
            case Op("isNull", (Property(name),)):
                return self.value(name, person) is None
            case Op("in", (asked, Several(items))):
                return any(self.holds(Op("=", (asked, item)), person) for item in items)
            case Op("between", (asked, low, high)):
                return self.holds(Op(">=", (asked, low)), person) and self.holds(Op("<=", (asked, high)), person)
            case Op("like", (asked, Literal(str() as pattern))):
                text = self.value(_name(asked), person)
                return text is not None and _fits(_plain(text), _plain(pattern))
            case Op("a_overlaps" | "a_contains" | "a_containedBy" | "a_equals" as how, (_, Several(items))):
                wanted = {str(item.value).lower() for item in items if isinstance(item, Literal)}
                return {
                    "a_overlaps": bool(person.tags & wanted),
                    "a_contains": person.tags >= wanted,
                    "a_containedBy": person.tags <= wanted,
                    "a_equals": person.tags == wanted,
                }[how]
            case Op("=" | "<>" | "<" | ">" | "<=" | ">=" as sign, (left, right)):
                return self.compares(left, sign, right, person)
            case Op(name, args):
                return self.call(name, args, person)
        raise AssertionError(node)

    def compares(self, left: Node, sign: str, right: Node, person: Person) -> bool:
        if isinstance(left, Op) and left.name not in ("casei", "accenti"):
            return _ordered(self.count(left.name, left.args, person), sign, right.value)  # type: ignore[union-attr]
        name = _name(left)
        value = self.value(name, person)
        if name in ("phone", "email"):
            known = {key for kind, key in person.keys if kind == name}
            return (right.value in known) == (sign == "=") and (sign == "=" or value is not None)  # type: ignore[union-attr]
        if value is None:
            return False
        if isinstance(value, datetime):
            days = Evaluator(self.now, self.zone, midnights=UTC) if name in self.days else self
            start, end = days.edges(right)
            if name in self.days and isinstance(right, Literal | Op) and _is_moment(right):
                day = start.astimezone(self.zone).date()
                start, end = days.midnight(day), days.midnight(day + timedelta(days=1))
            return {
                "=": start <= value < end,
                "<>": not start <= value < end,
                "<": value < start,
                "<=": value < end,
                ">": value >= end,
                ">=": value >= start,
            }[sign]
        other = _literal(right)
        if isinstance(value, str) and (_is_folding(left) or _is_folding(right)):
            value, other = _plain(value), _plain(other)
        return _ordered(value, sign, other)

    def call(self, name: str, args: tuple[Node, ...], person: Person) -> bool:
        first = args[0].value if args and isinstance(args[0], Literal) else None
        match name:
            case "tagged":
                return bool(person.tags & {str(one.value).lower() for one in args if isinstance(one, Literal)})
            case "in_segment":
                return first in person.segments
            case "in_batch":
                return first in person.batches
            case "from_source":
                return first in person.sources
            case "opted_in":
                return any(state == "in" and channel in (first, "all") for channel, state in person.consents.items())
            case "opted_out":
                return any(state == "out" and channel in (first, "all") for channel, state in person.consents.items())
            case _:
                return self.count(name, args, person) > 0

    def count(self, name: str, args: tuple[Node, ...], person: Person) -> int:
        rest = list(args)
        kind = str(rest.pop(0).value) if name == "happened" else name  # type: ignore[union-attr]
        ref = None
        if rest and isinstance(rest[0], Literal) and isinstance(rest[0].value, str):
            ref = rest.pop(0).value  # type: ignore[union-attr]
        start = self.edges(rest[0])[0] if rest else datetime.min.replace(tzinfo=UTC)
        end = self.edges(rest[1])[1] if len(rest) > 1 else datetime.max.replace(tzinfo=UTC)
        return sum(1 for what, to, at in person.happened if what == kind and ref in (None, to) and start <= at < end)

    def value(self, name: str, person: Person) -> Any:
        return person.custom.get(name[7:]) if name.startswith("custom.") else person.own.get(name)

    def edges(self, node: Node) -> tuple[datetime, datetime]:
        match node:
            case Literal(datetime() as at):
                return at, at + timedelta(microseconds=1)
            case Literal(date() as day):
                return self.midnight(day), self.midnight(day + timedelta(days=1))
            case Op("today", args):
                days = args[0].value if args else 0  # type: ignore[union-attr]
                day = self.now.astimezone(self.zone).date() + timedelta(days=days)  # type: ignore[arg-type]
                return self.midnight(day), self.midnight(day + timedelta(days=1))
            case Op("now"):
                return self.now, self.now + timedelta(microseconds=1)
            case Op("ago" | "ahead" as name, (Literal(str() as span),)):
                unit = {"d": 24, "h": 1}[span[-1]]
                shift = timedelta(hours=int(span[:-1]) * unit) * (-1 if name == "ago" else 1)
                return self.now + shift, self.now + shift + timedelta(microseconds=1)
        raise AssertionError(node)

    def midnight(self, day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=self.midnights or self.zone).astimezone(UTC)


def _is_moment(node: Literal | Op) -> bool:
    return node.name in ("ago", "ahead", "now") if isinstance(node, Op) else isinstance(node.value, datetime)


def _name(node: Node) -> str:
    while isinstance(node, Op):
        node = node.args[0]
    assert isinstance(node, Property)
    return node.name


def _literal(node: Node) -> Any:
    while isinstance(node, Op):
        node = node.args[0]
    assert isinstance(node, Literal)
    return node.value


def _is_folding(node: Node) -> bool:
    return isinstance(node, Op) and node.name in ("casei", "accenti")


def _plain(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.lower())
    return "".join(part for part in parts if not "\u0300" <= part <= "\u036f")


def _ordered(value: Any, sign: str, other: Any) -> bool:
    match sign:
        case "=":
            return bool(value == other)
        case "<>":
            return bool(value != other)
        case "<":
            return bool(value < other)
        case "<=":
            return bool(value <= other)
        case ">":
            return bool(value > other)
        case _:
            return bool(value >= other)


def _fits(text: str, pattern: str) -> bool:
    """Whether a pattern of % and _ fits the whole text; a backslash takes the next character as it is."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "%":
        return any(_fits(text[start:], rest) for start in range(len(text) + 1))
    if head == "\\" and rest:
        return text[:1] == rest[0] and _fits(text[1:], rest[1:])
    return bool(text) and head in ("_", text[0]) and _fits(text[1:], rest)
