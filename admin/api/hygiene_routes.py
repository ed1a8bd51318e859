"""The state of the roll by JSON, and as a page."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from pydantic import WithJsonSchema
from starlette.responses import HTMLResponse, JSONResponse

from admin.api.callers import AtDesk, May
from admin.api.models import among
from admin.api.problems import language_of, problems
from admin.hygiene_page import hygiene_page
from admin.pages import policy
from pipelines import hygiene
from pipelines.access import Caller

router = APIRouter(prefix="/api", tags=["contacts"])
Reader = Annotated[Caller, Depends(May("contacts:read"))]
_FORMS = ("json", "html")
_HYGIENE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The state of the roll.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/html": {"schema": {"type": "string"}}},
    }
}


@router.get("/hygiene", response_class=Response, responses=_HYGIENE | problems(401, 403))
def state_of_the_roll(
    caller: Reader,
    request: Request,
    desk: AtDesk,
    form: Annotated[
        str,
        Query(alias="as", description="json, or html: a page with charts."),
        among(*_FORMS),
        WithJsonSchema({"type": "string", "enum": list(_FORMS)}),
    ] = "json",
) -> Response:
    """What contacts lack, who cannot be reached, tags that are nearly the same: of all, and by source."""
    found = hygiene.look(desk.store, desk.clock())
    if form == "json":
        return JSONResponse(jsonable_encoder(asdict(found)))
    page = hygiene_page(found, language_of(request))
    return HTMLResponse(page, headers={"Content-Security-Policy": policy()})
