"""Imports by JSON: upload, look at the mapping, confirm, watch, and read the report of rows not taken."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from admin.api.callers import AtDesk, Desk, May, asked_by
from admin.api.etags import WATCHED
from admin.api.import_models import BatchModel, ConfirmBody, KeptModel, MappingBody, RetryBody, UploadModel, UploadQuery
from admin.api.models import NO_NUL, Page
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import Refusal, language_of, problems
from connectors.profiles import read_profile
from pipelines import uploads
from pipelines.access import Caller
from pipelines.clean import with_defaults
from pipelines.drops import retry_batch
from schemas.reports import BatchState
from warehouse import batches
from warehouse.engines import reading

router = APIRouter(prefix="/api", tags=["imports"])
Reader = Annotated[Caller, Depends(May("batches:read"))]
Importer = Annotated[Caller, Depends(May("batches:import"))]
_PART_BYTES = 1 << 16
_CSV: dict[str, Any] = {
    "content": {"text/csv": {"schema": {"type": "string"}}},
    "headers": {"Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}}},
}
_BINARY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/uploads", status_code=201, responses=problems(401, 403, 413), openapi_extra=_BINARY)
async def upload(
    caller: Importer, request: Request, desk: AtDesk, query: Annotated[UploadQuery, Query()]
) -> UploadModel:
    """Send a file as the body; the answer shows what each column would become, and the token that confirms it."""
    path = await run_in_threadpool(uploads.place_for, desk.settings)
    await _write(request, path, desk)
    asked, options = asked_by(request, caller), uploads.Options(**query.model_dump(exclude={"name"}))
    shown = await run_in_threadpool(uploads.keep_upload, desk.store, desk.settings, path, query.name, options, asked)
    return UploadModel.of(shown)


@router.get("/uploads", responses=problems(401, 403))
def find_uploads(caller: Importer, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50) -> Page[KeptModel]:
    """Files that were sent and not confirmed, the newest first."""
    found = uploads.find_uploads(desk.store, limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, KeptModel.of)


@router.delete("/uploads/{number}", status_code=204, responses=problems(401, 403, 404))
def drop_upload(number: Number, caller: Importer, request: Request, desk: AtDesk) -> Response:
    """Delete a file that was sent and not confirmed."""
    uploads.drop_upload(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


async def _write(request: Request, path: Path, desk: Desk) -> None:
    """The body to disk, as it comes; refused, and deleted, once it is larger than an upload may be."""
    most, taken = desk.settings.max_upload_bytes, 0
    try:
        with path.open("wb") as file:
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > most:
                    raise Refusal(
                        413,
                        "too_large",
                        f"An upload has at most {most:,} bytes (PADRON_MAX_UPLOAD_BYTES). Drop larger files.",
                        f"Una subida tiene hasta {most:,} bytes (PADRON_MAX_UPLOAD_BYTES). Deje los mayores en una "
                        "carpeta.",
                    )
                await run_in_threadpool(file.write, chunk)
    except BaseException:  # a caller that hangs up cancels, which is no Exception; nothing half sent stays
        path.unlink(missing_ok=True)
        raise


@router.put("/uploads/{number}/mapping", responses=problems(401, 403, 404))
def change_mapping(number: Number, body: MappingBody, caller: Importer, request: Request, desk: AtDesk) -> UploadModel:
    """Map columns otherwise; the answer has a new token, and the one before confirms nothing more."""
    asked = asked_by(request, caller)
    return UploadModel.of(uploads.change_mapping(desk.store, desk.settings, number, body.columns, asked))


@router.post("/uploads/{number}/confirm", status_code=202, responses=WATCHED | problems(401, 403, 404))
def confirm(
    number: Number, body: ConfirmBody, caller: Importer, request: Request, response: Response, desk: AtDesk
) -> BatchModel:
    """Import an upload as it was shown: answers at once with the batch, which is to be watched."""
    token = body.token.get_secret_value()
    batch = uploads.confirm_upload(desk.store, desk.settings, number, token, asked_by(request, caller))
    desk.wake(batch)
    response.headers["Location"] = f"/api/batches/{batch}"
    return show_batch(batch, caller, request, desk)


@router.get("/batches", responses=problems(401, 403))
def find_batches(
    caller: Reader,
    request: Request,
    desk: AtDesk,
    state: Annotated[BatchState | None, Query(description="Only those in this state.")] = None,
    file: Annotated[str, Query(max_length=200, pattern=NO_NUL, description="Only of files named like this.")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[BatchModel]:
    """Imports, the newest first."""
    begin = after(cursor) or None
    with reading(desk.store) as connection:
        found = batches.list_batches(connection, limit + 1, begin, state=state or "", file=file)
    return page(found, limit, lambda one: one.id, lambda one: BatchModel.of(one, language_of(request)))


@router.get("/batches/{number}", responses=problems(401, 403, 404))
def show_batch(number: Number, caller: Reader, request: Request, desk: AtDesk) -> BatchModel:
    """One import: its state, how far it is, and what became of the rows."""
    with reading(desk.store) as connection:
        return BatchModel.of(batches.get_batch(connection, number), language_of(request))


@router.post("/batches/{number}/retry", status_code=202, responses=WATCHED | problems(401, 403, 404))
def retry(
    number: Number, body: RetryBody, caller: Importer, request: Request, response: Response, desk: AtDesk
) -> BatchModel:
    """Send a rejected or parked file again, under a profile; answers with the new batch, which is to be watched."""
    with reading(desk.store) as connection:
        name = body.profile or batches.get_batch(connection, number).profile
    profile = with_defaults(read_profile(desk.settings.home, name), desk.settings)
    batch = retry_batch(desk.store, number, profile, asked_by(request, caller))
    desk.wake(batch)
    response.headers["Location"] = f"/api/batches/{batch}"
    return show_batch(batch, caller, request, desk)


@router.get(
    "/batches/{number}/report",
    response_class=Response,
    responses={200: _CSV, **problems(401, 403, 404)},
)
def report(number: Number, caller: Reader, desk: AtDesk) -> Response:
    """The report of the rows that something is said of, as CSV that can be mended and sent again."""
    with reading(desk.store) as connection:
        batch = batches.get_batch(connection, number)
    if batch.reject_file is None or not Path(batch.reject_file).exists():
        raise Refusal(
            404,
            "no_report",
            f"Batch {number} has no report: it is not done yet, or nothing is said of its rows.",
            f"El lote {number} no tiene informe: no ha terminado, o no hay nada que decir de sus filas.",
        )
    name = f'attachment; filename="batch-{number}.report.csv"'
    whole = _read(Path(batch.reject_file).open("rb"))  # noqa: SIM115 (its reader closes it)
    return StreamingResponse(whole, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def _read(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while part := file.read(_PART_BYTES):
            yield part
