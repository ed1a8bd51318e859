"""Long work by JSON: watched, listed, stopped; and what starts it: taking an import back, stopping one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from admin.api.callers import AtDesk, May, asked_by
from admin.api.etags import WATCHED
from admin.api.import_models import BatchModel, JobModel
from admin.api.models import NO_NUL, Page
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import language_of, problems
from admin.api.watched import to_be_watched
from pipelines import jobs, uploads
from pipelines.access import Caller

router = APIRouter(prefix="/api", tags=["jobs"])
Reader = Annotated[Caller, Depends(May("jobs:read"))]
Stopper = Annotated[Caller, Depends(May("jobs:cancel"))]


@router.get("/jobs", responses=problems(401, 403))
def find(
    caller: Reader,
    request: Request,
    desk: AtDesk,
    object_: Annotated[
        str, Query(alias="object", max_length=60, pattern=NO_NUL, description="Only of this, such as batch:3.")
    ] = "",
    is_open: Annotated[bool | None, Query(alias="open", description="Only those not finished, or finished.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[JobModel]:
    """Long work, the newest first."""
    found = jobs.find_jobs(desk.store, object_, limit + 1, is_open=is_open, before=after(cursor) or None)
    return page(found, limit, lambda one: one.id, lambda one: JobModel.of(one, language_of(request)))


@router.get("/jobs/{number}", responses=problems(401, 403, 404))
def show(number: Number, caller: Reader, request: Request, desk: AtDesk) -> JobModel:
    """One job: how far it is, and how it ended."""
    return JobModel.of(jobs.find_job(desk.store, number), language_of(request))


@router.post("/jobs/{number}/cancel", status_code=202, responses=problems(401, 403, 404))
def cancel(number: Number, caller: Stopper, request: Request, desk: AtDesk) -> JobModel:
    """Ask a job to stop; what it did stays, and asking for the same again goes on from there."""
    return JobModel.of(jobs.cancel_job(desk.store, number, asked_by(request, caller)), language_of(request))


@router.post("/batches/{number}/undo", tags=["imports"], status_code=202, responses=WATCHED | problems(401, 403, 404))
def undo(
    number: Number,
    caller: Annotated[Caller, Depends(May("batches:undo"))],
    request: Request,
    response: Response,
    desk: AtDesk,
) -> JobModel:
    """Take an import back: answers at once with the job that does it. Later edits survive, and are counted."""
    work = jobs.ask_for_undo(desk.store, number, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post(
    "/uploads/{number}/rehearse", tags=["imports"], status_code=202, responses=WATCHED | problems(401, 403, 404)
)
def rehearse(
    number: Number,
    caller: Annotated[Caller, Depends(May("batches:import"))],
    request: Request,
    response: Response,
    desk: AtDesk,
) -> JobModel:
    """Do the whole import and keep nothing: answers at once with the job, whose result has the true counts."""
    work = uploads.ask_for_rehearsal(desk.store, number, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post("/batches/{number}/cancel", tags=["imports"], status_code=202, responses=problems(401, 403, 404))
def cancel_import(number: Number, caller: Stopper, request: Request, desk: AtDesk) -> BatchModel:
    """Ask an import to stop. The rows that were taken stay, and can be taken back."""
    return BatchModel.of(jobs.cancel_import(desk.store, number, asked_by(request, caller)), language_of(request))
