"""Exports by JSON: asked for, watched as a job, and fetched while they last."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import FileResponse

from admin.api.callers import AtDesk, May, asked_by
from admin.api.etags import WATCHED
from admin.api.import_models import JobModel
from admin.api.models import NO_NUL, Body, Page, Text
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import language_of, problems
from admin.api.watched import to_be_watched
from pipelines import export_jobs
from pipelines.access import Caller
from pipelines.bulk_edits import text_of
from pipelines.export_jobs import ExportWish
from schemas.exports import FORMATS
from warehouse import export_files
from warehouse.engines import reading
from warehouse.export_files import Export

router = APIRouter(prefix="/api", tags=["exports"])
Exporter = Annotated[Caller, Depends(May("contacts:export"))]
Format = Literal["csv", "xlsx", "parquet"]
_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {kind.split(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA.values()},
        "headers": {"Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}}},
    }
}
assert set(_MEDIA) == set(FORMATS)


class ExportBody(Body):
    """Whom to export, by a filter (CQL2 text or JSON) and a search; without columns all that an import takes."""

    filter: Annotated[str, Field(max_length=8_000, pattern=NO_NUL)] | dict[str, Any] = ""
    search: Annotated[str, Field(max_length=200, pattern=NO_NUL)] = ""
    columns: Annotated[list[Text], Field(max_length=1_000)] = []
    format: Format = "csv"
    language: Literal["es", "en"] | None = None


class ExportModel(BaseModel):
    """An export; `rows`, `as_of` and `size_bytes` are known once its file is there."""

    id: int
    format: str
    filter: str | None
    search: str | None
    columns: list[str] | None
    language: str
    actor: str
    created_at: datetime
    expires_at: datetime
    as_of: datetime | None
    rows: int | None
    size_bytes: int | None

    @classmethod
    def of(cls, export: Export) -> "ExportModel":
        said = {name: getattr(export, name) for name in cls.model_fields if name != "filter"}
        return cls(**said, filter=export.filter_text)


@router.post("/exports", status_code=202, responses=WATCHED | problems(401, 403))
def ask(body: ExportBody, caller: Exporter, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """Write contacts to a file: a job, whose result says where the file is fetched, for a day."""
    filter_text = text_of(body.filter) if body.filter else ""
    wish = ExportWish(filter_text, body.search, body.columns, body.format, body.language or language_of(request))
    work = export_jobs.ask_for_export(desk.store, desk.settings, wish, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.get("/exports", responses=problems(401, 403))
def find(caller: Exporter, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50) -> Page[ExportModel]:
    """Exports that have not expired, the newest first."""
    with reading(desk.store) as connection:
        found = export_files.list_exports(connection, desk.clock(), limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, ExportModel.of)


@router.get("/exports/{number}/file", response_class=Response, responses=_FILE | problems(401, 403, 404))
def fetch(number: Number, caller: Exporter, desk: AtDesk) -> FileResponse:
    """The file of an export."""
    export, path = export_jobs.find_file(desk.store, desk.settings, number, desk.clock())
    name = f"{'contactos' if export.language == 'es' else 'contacts'}-{number}.{export.format}"
    return FileResponse(path, media_type=_MEDIA[export.format], filename=name)


@router.delete("/exports/{number}", status_code=204, responses=problems(401, 403, 404))
def drop(number: Number, caller: Exporter, desk: AtDesk) -> Response:
    """Let an export go before it expires."""
    export_jobs.drop_export(desk.store, desk.settings, number)
    return Response(status_code=204)
