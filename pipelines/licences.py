"""Licences: buying seats, who has them now, the most that were taken on each day, and what an invoice goes by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from pipelines.names import folded
from pipelines.operators import keeping_an_administrator
from pipelines.versions import require_version
from schemas.errors import InputError
from schemas.operators import HOLDINGS, KINDS, Holding, Kind, WrongField, plain_name
from warehouse import audit, licences, operators
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.licences import Holder, Licence, Seat

_MOST_SEATS = 100_000
_MOST_DAYS = 400
_WARN_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class LicenceForm:
    """What is set of a licence."""

    name: str
    kind: Kind = "agent"
    holding: Holding = "floating"
    seats: int = 1
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def __post_init__(self) -> None:
        if not plain_name("name", self.name):
            raise WrongField("name", "required", "Give the licence a name.", "Dé un nombre a la licencia.")
        if self.kind not in KINDS:
            raise _none_of("kind", self.kind, KINDS)
        if self.holding not in HOLDINGS:
            raise _none_of("holding", self.holding, HOLDINGS)
        if not 0 <= self.seats <= _MOST_SEATS:
            raise WrongField(
                "seats",
                "out_of_range",
                f"A licence has between 0 and {_MOST_SEATS:,} seats.",
                f"Una licencia tiene entre 0 y {_MOST_SEATS:,} puestos.",
            )
        if self.valid_from and self.valid_until and self.valid_until <= self.valid_from:
            raise WrongField(
                "valid_until",
                "before_start",
                "The licence ends before it begins.",
                "La licencia acaba antes de empezar.",
            )


def _none_of(field: str, value: str, known: Iterable[str]) -> WrongField:
    listed = ", ".join(known)
    return WrongField(
        field, "unknown", f"{value!r} is no {field}. Use one of {listed}.", f"{value!r} no vale. Use uno de {listed}."
    )


class WrongDays(InputError):
    """Not a span of days that can be looked at."""


@dataclass(frozen=True, slots=True)
class SeatView:
    """A licence as it stands: bought, taken, by whom, and what to watch."""

    licence: Licence
    holders: tuple[Holder, ...]
    is_valid: bool
    expires_soon: bool

    @property
    def free(self) -> int:
        return max(0, self.licence.seats - len(self.holders))


def create_licence(store: Store, form: LicenceForm, asked: Asked) -> Licence:
    match = folded(form.name.strip())
    with transaction(store) as connection:
        operators.lock_operators(connection)
        _check_name(connection, form.name, match)
        number = licences.add_licence(connection, {**_values(form), "name_match": match}, asked.at)
        audit.add_entry(connection, asked, "licences:create", f"licence:{number}", None, _told(form))
        return licences.get_licence(connection, number)


def edit_licence(
    store: Store, number: int, changes: Mapping[str, Any], asked: Asked, *, version: int | None = None
) -> Licence:
    """Change a licence. Fewer seats throw nobody out; they refuse who comes next."""
    with transaction(store) as connection:
        operators.lock_operators(connection)
        before = licences.lock_licence(connection, number)
        require_version(version in (None, before.version), f"licence {number}", f"la licencia {number}")
        old = LicenceForm(**{name: getattr(before, name) for name in LicenceForm.__slots__})
        form = replace(old, **changes)
        match = folded(form.name.strip())
        if match != folded(old.name):
            _check_name(connection, form.name, match)
        _check_kind(connection, number, form)
        with keeping_an_administrator(connection, asked):
            licences.set_licence(connection, number, {**_values(form), "name_match": match})
        differing = [name for name in asdict(form) if getattr(form, name) != getattr(old, name)]
        if differing:
            said = ({name: _told(one)[name] for name in differing} for one in (old, form))
            audit.add_entry(connection, asked, "licences:edit", f"licence:{number}", *said)
        return licences.get_licence(connection, number)


def find_licence(store: Store, number: int) -> Licence:
    """The licence with this number; raises NoSuchLicence."""
    with reading(store) as connection:
        return licences.get_licence(connection, number)


def first_admin_licence(store: Store, name: str, asked: Asked) -> Licence:
    """The first valid licence of kind admin with seats; one with a single seat is made where there is none."""
    with reading(store) as connection:
        fit = (one for one in licences.all_licences(connection) if one.kind == "admin" and one.seats)
        found = next((one for one in fit if one.is_valid(asked.at)), None)
    return found or create_licence(store, LicenceForm(name, "admin"), asked)


def _check_name(connection: Connection, name: str, match: str) -> None:
    if licences.is_name_taken(connection, match):
        raise WrongField(
            "name", "taken", f"There is a licence {name.strip()!r} already.", f"Ya hay una licencia {name.strip()!r}."
        )


def _check_kind(connection: Connection, number: int, form: LicenceForm) -> None:
    agents = operators.agents_with(connection, number) if form.kind == "admin" else 0
    if agents:
        raise WrongField(
            "kind",
            "has_agents",
            f"{agents} agents have this licence, and with one of kind admin nobody takes conversations.",
            f"{agents} agentes tienen esta licencia, y con una de tipo admin nadie atiende conversaciones.",
        )


def _values(form: LicenceForm) -> dict[str, Any]:
    return {**asdict(form), "name": plain_name("name", form.name)}


def _told(form: LicenceForm) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(form).items()}


# ── seats ────────────────────────────────────────────────────────────────────────────────────────────────────────


def seat_views(store: Store, now: datetime) -> list[SeatView]:
    """Every licence with who has its seats."""
    with reading(store) as connection:
        return [_view(connection, licence, now) for licence in licences.all_licences(connection)]


def _view(connection: Connection, licence: Licence, now: datetime) -> SeatView:
    soon = licence.valid_until is not None and now < licence.valid_until <= now + _WARN_BEFORE
    return SeatView(licence, tuple(licences.holders(connection, licence.id, now)), licence.is_valid(now), soon)


def daily_peaks(store: Store, licence_id: int, first: date, last: date, now: datetime) -> dict[date, int]:
    """The most seats that were taken at one moment of each day (UTC), from first to last: what an invoice goes by."""
    if not 0 <= (last - first).days < _MOST_DAYS or last.year > now.year + 1:
        raise WrongDays(
            f"Ask for 1 to {_MOST_DAYS} days, the first before the last, and none in the far future.",
            f"Pida de 1 a {_MOST_DAYS} días, el primero antes que el último, y ninguno en un futuro lejano.",
        )
    start = datetime.combine(first, datetime.min.time(), UTC)
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    with reading(store) as connection:
        found = licences.seats_between(connection, licence_id, start, end)
    spans = [(seat.claimed_at, _end_of(seat, now)) for seat in found]
    days = (last - first).days + 1
    most = peaks(spans, [start + timedelta(days=n) for n in range(days + 1)])
    return {first + timedelta(days=n): most[n] for n in range(days)}


def _end_of(seat: Seat, now: datetime) -> datetime:
    return seat.ended_at or (now if seat.lease_until is None else min(now, seat.lease_until))


def peaks(spans: Iterable[tuple[datetime, datetime]], bounds: Sequence[datetime]) -> list[int]:
    """The most spans that hold at a moment between each bound and the next; a span holds its beginning, not its end."""
    edges = sorted(
        (moment, step) for began, ended in spans if ended > began for moment, step in ((began, 1), (ended, -1))
    )
    most, running, at = [], 0, 0
    for start, end in pairwise(bounds):
        while at < len(edges) and edges[at] < (start, 1):  # who leaves at the start is gone
            running, at = running + edges[at][1], at + 1
        highest = running
        while at < len(edges) and edges[at][0] < end:
            running, at = running + edges[at][1], at + 1
            highest = max(highest, running)
        most.append(highest)
    return most
