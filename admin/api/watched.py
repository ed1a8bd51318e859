"""The answer to whoever asked for long work: the job, where it is watched, and a worker woken for it."""

from fastapi import Request, Response

from admin.api.callers import Desk
from admin.api.import_models import JobModel
from admin.api.problems import language_of
from warehouse.jobs import Work


def to_be_watched(work: Work, request: Request, response: Response, desk: Desk) -> JobModel:
    """The job as JSON, with its address in the headers."""
    desk.wake_for_job(work.id)
    response.headers["Location"] = f"/api/jobs/{work.id}"
    return JobModel.of(work, language_of(request))
