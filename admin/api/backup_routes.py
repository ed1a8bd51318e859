"""Backups by JSON: what there is, made and verified as jobs. Restoring is the command line's, over an empty store."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, BeforeValidator, Field

from admin.api.callers import AtDesk, May, asked_by
from admin.api.etags import WATCHED
from admin.api.import_models import JobModel
from admin.api.models import Body, whole
from admin.api.problems import problems
from admin.api.watched import to_be_watched
from pipelines import backup_jobs
from pipelines.access import Caller
from pipelines.backups import Backup, list_backups

router = APIRouter(prefix="/api", tags=["backups"])
Reader = Annotated[Caller, Depends(May("backups:read"))]
Writer = Annotated[Caller, Depends(May("backups:write"))]
Name = Annotated[str, Path(pattern=r"^(newest|\d{8}T\d{6}Z-\d{1,18}(-\d{1,9})?)$")]


class BackupModel(BaseModel):
    """A backup: of which moment it is, and how far it was verified (1 files, 2 pages, 3 restored)."""

    name: str
    as_of: datetime
    schema_version: str
    database: str
    encrypted: bool
    rows: int
    size_bytes: int
    verified_level: int | None
    verified_at: datetime | None

    @classmethod
    def of(cls, backup: Backup) -> "BackupModel":
        found, verified = backup.manifest, backup.verified
        return cls(
            name=found.name,
            as_of=found.as_of,
            schema_version=found.schema_version,
            database=found.database,
            encrypted=found.sealed_with is not None,
            rows=found.rows,
            size_bytes=found.size_bytes,
            verified_level=verified.level if verified else None,
            verified_at=verified.at if verified else None,
        )


class VerifyBody(Body):
    """How far to verify: 1 the files are whole, 2 every page too, 3 restored into a scratch database and compared."""

    level: Annotated[int, Field(ge=1, le=3), BeforeValidator(whole)] = 2


@router.get("/backups", responses=problems(401, 403, 409))
def find(caller: Reader, desk: AtDesk) -> list[BackupModel]:
    """The backups of this installation, the oldest first."""
    return [BackupModel.of(one) for one in list_backups(desk.settings)]


@router.post("/backups", status_code=202, responses=WATCHED | problems(401, 403))
def make(caller: Writer, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """Write every table to a backup: a job, whose result has its name."""
    work = backup_jobs.ask_for_backup(desk.store, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post("/backups/{name}/verify", status_code=202, responses=WATCHED | problems(401, 403, 404, 409))
def verify(
    name: Name, body: VerifyBody, caller: Writer, request: Request, response: Response, desk: AtDesk
) -> JobModel:
    """See whether a backup (or the newest) is whole: a job, which fails with what is wrong with it."""
    asked = asked_by(request, caller)
    work = backup_jobs.ask_for_verification(desk.store, desk.settings, name, body.level, asked)
    return to_be_watched(work, request, response, desk)
