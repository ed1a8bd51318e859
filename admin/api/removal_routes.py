"""People by JSON who go: deleted or erased; what is held on them; and what is too old."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from pydantic import WithJsonSchema
from starlette.responses import HTMLResponse, JSONResponse

from admin.api.callers import AtDesk, May, asked_by, require
from admin.api.etags import WATCHED
from admin.api.import_models import JobModel
from admin.api.models import Body, Text, among
from admin.api.pages import Number
from admin.api.problems import language_of, problems
from admin.api.watched import to_be_watched
from admin.pages import policy
from admin.subject_page import subject_page
from pipelines import edits, removals, retention
from pipelines.access import Caller
from pipelines.subjects import subject_of

router = APIRouter(prefix="/api", tags=["privacy"])
Writer = Annotated[Caller, Depends(May("contacts:write"))]
Eraser = Annotated[Caller, Depends(May("contacts:erase"))]
Exporter = Annotated[Caller, Depends(May("contacts:export"))]
_FORMS = ("json", "html")
_POLICY = policy()
_HELD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Everything that is held.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/html": {"schema": {"type": "string"}}},
    }
}


class ReadmitBody(Body):
    """A phone, an e-mail, or an id as `source:id`, of somebody erased who wants to come back."""

    key: Text


class RetentionBody(Body):
    """Whether what is too old goes, or is only counted."""

    rehearsal: bool = False


@router.delete("/contacts/{number}", tags=["contacts"], status_code=204, responses=problems(401, 403, 404))
def delete(
    number: Number,
    caller: Writer,
    request: Request,
    desk: AtDesk,
    permanently: Annotated[bool, Query(description="For good, which wants contacts:delete; else archived.")] = False,
) -> Response:
    """Archive a contact, or take it off the roll for good; who may not be written to stays so."""
    asked = asked_by(request, caller)
    if permanently:
        require(caller, "contacts:delete")
        removals.delete_contact(desk.store, number, asked)
    else:
        edits.archive_contact(desk.store, number, asked)
    return Response(status_code=204)


@router.post("/contacts/{number}/erase", status_code=202, responses=WATCHED | problems(401, 403, 404))
def erase(number: Number, caller: Eraser, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """Leave no trace of a person, in tables or in files; the job says what else is to be seen to."""
    work = removals.ask_for_erasure(desk.store, number, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post("/readmissions", status_code=204, responses=problems(401, 403))
def readmit(body: ReadmitBody, caller: Eraser, request: Request, desk: AtDesk) -> Response:
    """Let somebody come back who was erased, and asks to."""
    removals.readmit(desk.store, desk.settings, body.key, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/contacts/{number}/subject", response_class=Response, responses=_HELD | problems(401, 403, 404))
def subject(
    number: Number,
    caller: Exporter,
    request: Request,
    desk: AtDesk,
    form: Annotated[
        str,
        Query(alias="as", description="json, or html: a page that the person can read."),
        among(*_FORMS),
        WithJsonSchema({"type": "string", "enum": list(_FORMS)}),
    ] = "json",
) -> Response:
    """Everything that is held on one person, for the person; the audit tells who asked for it."""
    held = subject_of(desk.store, number, asked_by(request, caller))
    if form == "json":
        return JSONResponse(jsonable_encoder(held))
    page = subject_page(held, language_of(request))
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.post("/retention-runs", status_code=202, responses=WATCHED | problems(401, 403))
def retain(
    body: RetentionBody,
    caller: Annotated[Caller, Depends(May("retention:run"))],
    request: Request,
    response: Response,
    desk: AtDesk,
) -> JobModel:
    """Let go what the settings say is too old, or count it; each day this is done by itself."""
    work = retention.ask_for_retention(desk.store, asked_by(request, caller), is_rehearsal=body.rehearsal)
    return to_be_watched(work, request, response, desk)
