"""Where CRMs call: anybody may, and what does not prove itself is not kept."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from admin.api.callers import AtDesk, Desk, address_of
from admin.api.problems import problems
from connectors.signatures import Call
from pipelines.hooks import take_hook
from warehouse.audit import Asked

router = APIRouter(prefix="/hooks", tags=["hooks"])
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="The connection's name.")]
Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,200}$", description="The secret, for CRMs that sign nothing.")]
_ANSWERS = problems(401, 404, 503)


@router.post("/{name}", status_code=202, responses=_ANSWERS)
async def take(name: Name, request: Request, desk: AtDesk) -> Response:
    """Keep what a CRM says happened; it is looked at a moment later."""
    return await _take(name, "", request, desk)


@router.post("/{name}/{key}", status_code=202, responses=_ANSWERS)
async def take_secretly(name: Name, key: Key, request: Request, desk: AtDesk) -> Response:
    """The same, where the address itself is the secret."""
    return await _take(name, key, request, desk)


async def _take(name: str, key: str, request: Request, desk: Desk) -> Response:
    public = desk.settings.public_url
    url = f"{public}{request.url.path}" if public else str(request.url).partition("?")[0]
    url += f"?{request.url.query}" if request.url.query else ""
    headers = {header.lower(): value for header, value in request.headers.items()}
    call = Call(request.method, url, headers, await request.body(), key)
    asked = Asked(f"hook:{name}", desk.clock(), address_of(request))
    await run_in_threadpool(take_hook, desk.store, desk.settings, name, call, asked)
    return Response(status_code=202)
