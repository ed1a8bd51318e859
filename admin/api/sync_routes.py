"""Sync by JSON: plans, runs and what became of records; conflicts, and deciding them by hand."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from admin.api.callers import AtDesk, May, asked_by
from admin.api.connection_routes import Name
from admin.api.etags import WATCHED
from admin.api.import_models import JobModel
from admin.api.models import Page
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import problems
from admin.api.sync_models import (
    ConflictModel,
    ConflictState,
    OutcomeModel,
    OutcomeName,
    PairModel,
    PlanItemModel,
    PlanModel,
    RestoreBody,
    RunModel,
    StandingModel,
)
from admin.api.watched import to_be_watched
from pipelines import connections, sync_jobs, sync_plans, sync_reports
from pipelines.access import Caller
from pipelines.connections import crm_factory

router = APIRouter(prefix="/api", tags=["sync"])
Reader = Annotated[Caller, Depends(May("connections:read"))]
Runner = Annotated[Caller, Depends(May("sync:run"))]
Decider = Annotated[Caller, Depends(May("contacts:write"))]
ContactReader = Annotated[Caller, Depends(May("contacts:read"))]


@router.get("/connections/{name}/standing", responses=problems(401, 403, 404))
def standing(name: Name, caller: Reader, desk: AtDesk) -> StandingModel:
    """How a connection stands: its pairs, what is due, what waits for a person, and its last run."""
    return StandingModel.of(sync_reports.find_standing(desk.store, name))


@router.post("/connections/{name}/plan", status_code=202, responses=WATCHED | problems(401, 403, 404))
def plan(name: Name, caller: Runner, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """See what a run would do, by reading both sides: a job, after which the plan can be read."""
    work = sync_jobs.ask_for_sync(desk.store, name, sync_jobs.PLAN, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.get("/connections/{name}/plan", responses=problems(401, 403, 404, 409))
def show_plan(name: Name, caller: Reader, desk: AtDesk) -> PlanModel:
    """The newest plan."""
    return PlanModel.of(sync_plans.find_plan(desk.store, name, 0)[0])


@router.get("/connections/{name}/plan/items", responses=problems(401, 403, 404, 409))
def plan_items(
    name: Name, caller: ContactReader, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50
) -> Page[PlanItemModel]:
    """The pairs of the newest plan, with what would be done with each."""
    _, found = sync_plans.find_plan(desk.store, name, limit + 1, after(cursor))
    return page(found, limit, lambda one: one.number, PlanItemModel.of)


@router.post("/connections/{name}/apply", status_code=202, responses=WATCHED | problems(401, 403, 404))
def apply(name: Name, caller: Runner, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """Do what the newest plan says, but for what has moved since: a job."""
    work = sync_jobs.ask_for_sync(desk.store, name, sync_jobs.APPLY, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post("/connections/{name}/run", status_code=202, responses=WATCHED | problems(401, 403, 404))
def run(name: Name, caller: Runner, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """Sync now: a job."""
    work = sync_jobs.ask_for_sync(desk.store, name, sync_jobs.RUN, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post("/connections/{name}/approve", status_code=204, responses=problems(401, 403, 404))
def approve(name: Name, caller: Runner, request: Request, desk: AtDesk) -> Response:
    """Let the deletions through that a run held back."""
    connections.approve(desk.store, name, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/connections/{name}/pause", status_code=204, responses=problems(401, 403, 404))
def pause(name: Name, caller: Runner, request: Request, desk: AtDesk) -> Response:
    """Let no run begin."""
    connections.pause(desk.store, name, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/connections/{name}/resume", status_code=204, responses=problems(401, 403, 404))
def resume(name: Name, caller: Runner, request: Request, desk: AtDesk) -> Response:
    """Let runs begin again."""
    connections.resume(desk.store, name, asked_by(request, caller))
    return Response(status_code=204)


@router.get("/connections/{name}/runs", responses=problems(401, 403, 404))
def runs(name: Name, caller: Reader, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50) -> Page[RunModel]:
    """The runs of a connection, the newest first."""
    found = sync_reports.find_runs(desk.store, name, limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, RunModel.of)


@router.get("/sync-runs/{number}/outcomes", responses=problems(401, 403))
def outcomes(
    number: Number,
    caller: Reader,
    desk: AtDesk,
    outcome: Annotated[OutcomeName | None, Query(description="Only those with this outcome.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[OutcomeModel]:
    """What became of each record that a run looked at."""
    found = sync_reports.find_outcomes(desk.store, number, limit + 1, outcome or "", after(cursor) or None)
    return page(found, limit, lambda one: one.id, OutcomeModel.of)


@router.get("/conflicts", responses=problems(401, 403))
def conflicts(
    caller: ContactReader,
    desk: AtDesk,
    state: Annotated[ConflictState | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ConflictModel]:
    """Values that stood against each other, the newest first."""
    found = sync_reports.find_conflicts(desk.store, limit + 1, None, state or "", after(cursor) or None)
    return page(found, limit, lambda one: one.id, ConflictModel.of)


@router.post("/conflicts/{number}/restore", responses=problems(401, 403, 404, 409))
def restore(number: Number, body: RestoreBody, caller: Decider, request: Request, desk: AtDesk) -> ConflictModel:
    """Let the value of one side stand, here and with the next run there."""
    asked = asked_by(request, caller)
    found = sync_reports.restore_conflict(desk.store, desk.settings, number, body.side, asked)
    return ConflictModel.of(found)


@router.get("/contacts/{number}/pairs", responses=problems(401, 403, 409, 503))
def explain(number: Number, caller: ContactReader, desk: AtDesk) -> list[PairModel]:
    """How a contact stands in each CRM, as both sides are now; nothing is changed."""
    crm_of = crm_factory(desk.store, desk.settings)
    return [PairModel.of(one) for one in sync_reports.explain(desk.store, desk.settings, number, crm_of)]
