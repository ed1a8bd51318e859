"""Licences by JSON: seats that were bought, who has them, and what an invoice goes by."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of
from admin.api.etags import MADE, VERSIONED, IfMatch, wanted_version, with_etag
from admin.api.models import DayModel, LicenceBody, LicenceChanges, LicenceModel, SeatsModel
from admin.api.pages import Number
from admin.api.problems import problems
from pipelines import licences
from pipelines.access import Caller
from pipelines.licences import LicenceForm
from pipelines.once import create_once

router = APIRouter(prefix="/api/licences", tags=["licences"])
Reader = Annotated[Caller, Depends(May("licences:read"))]
Writer = Annotated[Caller, Depends(May("licences:write"))]


def _day(value: object) -> object:
    """A day as ISO 8601 writes it, and nothing else: pydantic would take a bare number too."""
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("date_parsing", "no day") from error


Day = Annotated[date | None, BeforeValidator(_day)]


@router.get("", responses=problems(401, 403))
def find(caller: Reader, desk: AtDesk) -> list[SeatsModel]:
    """Every licence as it stands: bought, taken, by whom and since when, and whether it expires soon."""
    return [SeatsModel.of(view) for view in licences.seat_views(desk.store, desk.clock())]


@router.post("", status_code=201, responses=MADE | problems(401, 403))
def create(
    body: LicenceBody,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    key: IdempotencyKey = None,
) -> LicenceModel:
    """Add seats that were bought."""
    said = body.model_dump()
    made = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: licences.create_licence(desk.store, LicenceForm(**said), asked),
        lambda number: licences.find_licence(desk.store, number),
    )
    with_etag(response, made.version)
    response.headers["Location"] = f"/api/licences/{made.id}"
    return LicenceModel.of(made)


@router.get("/{number}", responses=VERSIONED | problems(401, 403, 404))
def show(number: Number, caller: Reader, response: Response, desk: AtDesk) -> LicenceModel:
    """One licence."""
    found = licences.find_licence(desk.store, number)
    with_etag(response, found.version)
    return LicenceModel.of(found)


@router.patch("/{number}", responses=VERSIONED | problems(401, 403, 404, 412))
def edit(
    number: Number,
    body: LicenceChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> LicenceModel:
    """Change what is named. Fewer seats throw nobody out; they refuse who comes next."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    dates = ("valid_from", "valid_until")
    changes = {name: value for name, value in changes.items() if value is not None or name in dates}
    asked = asked_by(request, caller)
    changed = licences.edit_licence(desk.store, number, changes, asked, version=wanted_version(if_match))
    with_etag(response, changed.version)
    return LicenceModel.of(changed)


@router.get("/{number}/days", responses=problems(401, 403, 404))
def days(
    number: Number,
    caller: Reader,
    desk: AtDesk,
    first: Annotated[Day, Query(description="The first day; else 29 days before the last.")] = None,
    last: Annotated[Day, Query(description="The last day; else today.")] = None,
) -> list[DayModel]:
    """The most seats that were taken at one moment of each day (UTC): what an invoice goes by."""
    now = desk.clock()
    end = last or now.date()
    start = first or max(end, date.min + timedelta(days=29)) - timedelta(days=29)
    licences.find_licence(desk.store, number)
    found = licences.daily_peaks(desk.store, number, start, end, now)
    return [DayModel(day=day.isoformat(), taken=most) for day, most in found.items()]
