"""States of agents by JSON: which there are, defining them, and who was in which when."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from admin.api.callers import AtDesk, May, asked_by
from admin.api.etags import VERSIONED, IfMatch, wanted_digest, with_etag
from admin.api.models import NO_NUL, Page
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import problems
from admin.api.state_models import AgentStateBody, AgentStateModel, StateChangeModel
from pipelines import states
from pipelines.access import Caller
from warehouse.states import AgentState

router = APIRouter(prefix="/api", tags=["states"])
Writer = Annotated[Caller, Depends(May("states:write"))]
StateName = Annotated[str, Path(min_length=1, max_length=40, pattern=NO_NUL)]


@router.get("/agent-states", responses=problems(401, 403))
def find(caller: Annotated[Caller, Depends(May())], desk: AtDesk) -> list[AgentStateModel]:
    """The states that an agent may set."""
    return [AgentStateModel.of(state) for state in states.known_states(desk.store)]


@router.put("/agent-states/{name}", responses=VERSIONED | problems(401, 403, 412))
def put(
    name: StateName,
    body: AgentStateBody,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> AgentStateModel:
    """Define a state, or say anew what it is; its `version` is the ETag."""
    asked, version = asked_by(request, caller), wanted_digest(if_match)
    state = AgentState(name, body.en, body.es, body.takes_conversations, body.place)
    shown = AgentStateModel.of(states.put_state(desk.store, state, asked, version=version))
    with_etag(response, shown.version)
    return shown


@router.delete("/agent-states/{name}", status_code=204, responses=problems(401, 403, 404))
def delete(name: StateName, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Remove a state that nobody is in."""
    states.drop_state(desk.store, name, asked_by(request, caller))
    return Response(status_code=204)


@router.get("/operators/{number}/states", tags=["operators"], responses=problems(401, 403, 404))
def history(
    number: Number,
    caller: Annotated[Caller, Depends(May("operators:read"))],
    desk: AtDesk,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[StateChangeModel]:
    """The states that an operator was in as an agent, the newest first."""
    found = states.changes_of(desk.store, number, limit + 1, before=after(cursor) or None)
    return page(found, limit, lambda one: one.id, StateChangeModel.of)
