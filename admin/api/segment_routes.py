"""Segments by JSON: defined, refreshed, tried out; who is in them, who joined and left, and why."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import WithJsonSchema
from starlette.responses import JSONResponse

from admin import charts
from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of
from admin.api.contact_models import ContactModel
from admin.api.etags import MADE, VERSIONED, WATCHED, IfMatch, wanted_version, with_etag
from admin.api.models import Page, among
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import Refusal, language_of, problems
from admin.api.segment_models import (
    EventModel,
    MembersBody,
    MembersModel,
    PinBody,
    PreviewBody,
    PreviewModel,
    RunModel,
    SegmentBody,
    SegmentChanges,
    SegmentModel,
    WhyModel,
)
from pipelines import contacts, refreshes, segments
from pipelines.access import Caller
from pipelines.once import create_once
from warehouse import segments as stored
from warehouse.contact_lists import MOST_COUNTED, Wanted
from warehouse.engines import reading

router = APIRouter(prefix="/api", tags=["segments"])
Reader = Annotated[Caller, Depends(May("segments:read"))]
Writer = Annotated[Caller, Depends(May("segments:write"))]
Previewer = Annotated[Caller, Depends(May("contacts:read"))]
_SAMPLE = 10
_FORMS = ("json", "svg")
_POINTS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"at": {"type": "string", "format": "date-time"}, "size": {"type": "integer"}},
        "required": ["at", "size"],
    },
}
_GROWTH: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The size after each day.",
        "content": {"application/json": {"schema": _POINTS}, "image/svg+xml": {"schema": {"type": "string"}}},
    }
}


@router.get("/segments", responses=problems(401, 403))
def find(
    caller: Reader, request: Request, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50
) -> Page[SegmentModel]:
    """Every segment, the oldest first."""
    begin = after(cursor)
    with reading(desk.store) as connection:
        found = [one for one in stored.all_segments(connection) if one.id > begin][: limit + 1]
    return page(found, limit, lambda one: one.id, lambda one: SegmentModel.of(one, language_of(request)))


@router.post("/segments", status_code=201, responses=MADE | problems(401, 403, 404))
def create(
    body: SegmentBody,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    key: IdempotencyKey = None,
) -> SegmentModel:
    """Make a segment; one with a filter is filled by a worker, as soon as one can."""
    number = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: segments.create_segment(desk.store, desk.settings, body.form(), asked),
        lambda number: number,
    )
    response.headers["Location"] = f"/api/segments/{number}"
    return show(number, caller, request, response, desk)


@router.post("/segment-preview", responses=problems(401, 403))
def preview(body: PreviewBody, caller: Previewer, desk: AtDesk) -> PreviewModel:
    """How many contacts a filter means, and the newest of them."""
    wanted = Wanted(contacts.read_filter(desk.store, desk.settings, body.filter))
    now = desk.clock()
    count = contacts.count_contacts(desk.store, desk.settings, wanted, now)
    sample = contacts.find_contacts(desk.store, desk.settings, wanted, _SAMPLE, now)
    exact = count < MOST_COUNTED
    return PreviewModel(
        count=count if exact else MOST_COUNTED - 1, exact=exact, sample=[ContactModel.of(one) for one in sample]
    )


@router.get("/segments/{number}", responses=VERSIONED | problems(401, 403, 404))
def show(number: Number, caller: Reader, request: Request, response: Response, desk: AtDesk) -> SegmentModel:
    """One segment."""
    with reading(desk.store) as connection:
        found = stored.get_segment(connection, number)
    with_etag(response, found.version)
    return SegmentModel.of(found, language_of(request))


@router.patch("/segments/{number}", responses=VERSIONED | problems(401, 403, 404, 412))
def edit(
    number: Number,
    body: SegmentChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> SegmentModel:
    """Change what is named; with another filter, everybody is looked at again."""
    asked, version = asked_by(request, caller), wanted_version(if_match)
    changed = segments.edit_segment(desk.store, desk.settings, number, body.changes(), asked, version)
    with_etag(response, changed.version)
    return SegmentModel.of(changed, language_of(request))


@router.delete("/segments/{number}", status_code=204, responses=problems(401, 403, 404))
def delete(number: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Take a segment away; its contacts stay."""
    segments.drop_segment(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/segments/{number}/refresh", status_code=202, responses=WATCHED | problems(401, 403, 404))
def refresh(
    number: Number,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    fully: Annotated[bool, Query(description="Look at every contact, not only at those that may have moved.")] = False,
) -> SegmentModel:
    """Let a worker refresh the segment as soon as one can; its `as_of` tells when it did."""
    found = segments.ask_for_refresh(desk.store, number, asked_by(request, caller), fully=fully)
    response.headers["Location"] = f"/api/segments/{number}"
    return SegmentModel.of(found, language_of(request))


@router.post("/segments/{number}/cancel", status_code=204, responses=problems(401, 403, 404))
def cancel(number: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Ask a refresh that is under way to stop; who moved by then has moved."""
    segments.cancel_refresh(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


@router.get("/segments/{number}/runs", responses=problems(401, 403, 404))
def runs(
    number: Number, caller: Reader, request: Request, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50
) -> Page[RunModel]:
    """The refreshes of a segment, the newest first: how it grew."""
    with reading(desk.store) as connection:
        stored.get_segment(connection, number)
        found = stored.runs_of(connection, number, limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, lambda one: RunModel.of(one, language_of(request)))


@router.get("/segments/{number}/growth", response_class=Response, responses=_GROWTH | problems(401, 403, 404))
def growth(
    number: Number,
    caller: Reader,
    request: Request,
    desk: AtDesk,
    form: Annotated[
        str,
        Query(alias="as", description="json, or svg: a chart."),
        among(*_FORMS),
        WithJsonSchema({"type": "string", "enum": list(_FORMS)}),
    ] = "json",
) -> Response:
    """How many were in a segment at the end of each day on which somebody joined or left."""
    name, points = refreshes.growth_of(desk.store, number, desk.settings)
    if form == "json":
        return JSONResponse([{"at": at.isoformat(), "size": size} for at, size in points])
    return Response(charts.line(points, name), media_type="image/svg+xml")


@router.get("/segments/{number}/events", responses=problems(401, 403, 404))
def events(number: Number, caller: Reader, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50) -> Page[EventModel]:
    """Who joined and left, the newest first."""
    with reading(desk.store) as connection:
        stored.get_segment(connection, number)
        found = stored.events_of(connection, number, limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, EventModel.of)


@router.get("/segments/{number}/members", responses=problems(401, 403, 404))
def members(
    number: Number,
    caller: Reader,
    desk: AtDesk,
    cursor: Annotated[str | None, Query(max_length=80, description="The `next` of the part before.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="How many at most.")] = 1_000,
) -> MembersModel:
    """The numbers of the members: later parts are of the moment of the first, whoever joins and leaves meanwhile."""
    with reading(desk.store) as connection:
        stored.get_segment(connection, number)
        event, begin = _place(cursor) if cursor is not None else (stored.last_ids(connection)[2], 0)
        found = stored.members_at(connection, number, event, begin, limit + 1)
    more = len(found) > limit
    text = base64.urlsafe_b64encode(f"{event}:{found[limit - 1]}".encode()).decode() if more else None
    return MembersModel(items=found[:limit], next=text)


def _place(cursor: str) -> tuple[int, int]:
    try:
        event, number = (int(part) for part in base64.urlsafe_b64decode(cursor.encode()).decode().split(":"))
        return min(max(event, 0), 2**62), min(max(number, 0), 2**62)
    except (ValueError, binascii.Error) as error:
        raise Refusal(
            409, "wrong_cursor", "The cursor is not one of ours.", "El cursor no es de los nuestros."
        ) from error


@router.put("/segments/{number}/members", responses=problems(401, 403, 404))
def put_members(
    number: Number, body: MembersBody, caller: Writer, request: Request, response: Response, desk: AtDesk
) -> SegmentModel:
    """Let a static segment have exactly these contacts."""
    segments.put_members(desk.store, number, body.contacts, asked_by(request, caller))
    return show(number, caller, request, response, desk)


@router.put("/segments/{number}/pins/{contact}", status_code=204, responses=problems(401, 403, 404))
def pin(number: Number, contact: Number, body: PinBody, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Let a contact be always in a segment or never, whatever its filter says."""
    segments.pin(desk.store, number, contact, asked_by(request, caller), is_in=body.is_in)
    return Response(status_code=204)


@router.get("/segments/{number}/why/{contact}", responses=problems(401, 403, 404))
def why(number: Number, contact: Number, caller: Reader, desk: AtDesk) -> list[WhyModel]:
    """Why a contact is in a segment or not: each part of the filter, and whether it holds now."""
    found = refreshes.explain(desk.store, number, contact, desk.settings, desk.clock())
    return [WhyModel(part=part, holds=holds) for part, holds in found]
