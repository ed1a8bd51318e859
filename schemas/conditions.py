"""What a filter asks of contacts: the tree after its names are known and its values fit.

Every condition is true or false of every contact; what a contact does not have is false of it, and `Neither` is the
complement. Times are edges that a clock settles, so that a stored filter moves with the time.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

TestKind = Literal["text", "choice", "number", "boolean", "moment", "phone", "email"]
Fold = Literal["exact", "folded"]


_TICK = timedelta(microseconds=1)
_COUNTED = ("sent", "received", "replied", "last_interaction_at")


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment for which a filter is asked, and the zone in which its days begin."""

    now: datetime
    zone: ZoneInfo

    def start_of(self, day: date, *, is_day: bool = False) -> datetime:
        """When a day begins in the zone, in UTC; where days are stored, they stand as their beginning in UTC."""
        return datetime(day.year, day.month, day.day, tzinfo=UTC if is_day else self.zone).astimezone(UTC)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Edge:
    """A moment: fixed, the beginning of a day, so long before or after now, or so many days from today's beginning."""

    at: datetime | None = None
    day: date | None = None
    shift: timedelta | None = None
    days: int | None = None
    is_end: bool = False

    @property
    def moves(self) -> bool:
        return self.shift is not None or self.days is not None

    def on(self, clock: Clock, *, is_day: bool = False) -> datetime:
        """The moment; `is_day` where it is compared with days instead of moments."""
        moment = self.at if self.at is not None else clock.now + self.shift if self.shift is not None else None
        if moment is not None and not is_day:
            return moment
        if moment is not None:  # the day of it, or the day after where it has ended
            day = (moment - _TICK * self.is_end).astimezone(clock.zone).date()
            return clock.start_of(day + timedelta(days=self.is_end), is_day=True)
        day = self.day if self.day is not None else clock.today + timedelta(days=self.days or 0)
        return clock.start_of(day, is_day=is_day)


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of the contact, or a custom field by its key."""

    key: str
    kind: TestKind
    custom: bool = False
    is_long: bool = False
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """The contact has a value there."""

    field: Asked


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of these; texts by their letters, or folded (small letters, no accents)."""

    field: Asked
    values: tuple[str | float | bool, ...]
    how: Fold = "exact"


@dataclass(frozen=True, slots=True)
class Matches:
    """The folded text fits a folded pattern: % is anything, _ one character, a backslash takes the next as it is."""

    field: Asked
    pattern: str


@dataclass(frozen=True, slots=True)
class Between:
    """The number is between these, the ends included unless they are open."""

    field: Asked
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class During:
    """The moment is at `start` or later, and before `end`."""

    field: Asked
    start: Edge | None = None
    end: Edge | None = None


@dataclass(frozen=True, slots=True)
class Tagged:
    """The contact has one of these tags, by their forms; of none named, any tag."""

    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggedOtherwise:
    """The contact has a tag that is none of these."""

    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InSegment:
    """The contact is a stored member of a segment."""

    name: str


@dataclass(frozen=True, slots=True)
class CameWith:
    """An import made or changed the contact: one batch, or any of a source."""

    batch: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class OptedOut:
    """The contact may not be written to by this channel, or by any."""

    channel: str


@dataclass(frozen=True, slots=True)
class OptedIn:
    """The contact said yes to this channel, or to any, and nobody took it back."""

    channel: str


@dataclass(frozen=True, slots=True)
class Happened:
    """So many interactions of a kind, of one reference or any, in a time: at least, and at most."""

    kind: str
    ref: str | None = None
    start: Edge | None = None
    end: Edge | None = None
    least: int = 1
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Everybody:
    """Every contact."""


@dataclass(frozen=True, slots=True)
class Both:
    """All of these hold."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of these holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Neither:
    """This does not hold."""

    part: "Condition"


Condition = (
    Known
    | OneOf
    | Matches
    | Between
    | During
    | Tagged
    | TaggedOtherwise
    | InSegment
    | CameWith
    | OptedOut
    | OptedIn
    | Happened
    | Everybody
    | Both
    | Either
    | Neither
)


def parts_of(condition: Condition) -> tuple[Condition, ...]:
    """The conditions that this one is made of."""
    match condition:
        case Both(parts) | Either(parts):
            return parts
        case Neither(part):
            return (part,)
        case _:
            return ()


def follows_interactions(condition: Condition) -> bool:
    """Whether what happens with a contact moves it: messages and clicks, or the counters that follow them."""
    asked = getattr(condition, "field", None)
    return isinstance(condition, Happened) or (asked is not None and not asked.custom and asked.key in _COUNTED)


def leaves(condition: Condition) -> list[Condition]:
    """The conditions that are made of no others."""
    found, waiting = [], [condition]
    while waiting:
        one = waiting.pop()
        inner = parts_of(one)
        waiting.extend(inner)
        if not inner:
            found.append(one)
    return found
