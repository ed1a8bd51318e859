"""Where CRMs call: anybody may, and what does not prove itself is not kept."""

from asyncio import Future, Task, create_task, get_running_loop
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from admin.api.callers import AtDesk, Desk
from admin.api.problems import problems
from connectors.signatures import Call
from pipelines.hooks import Hook, take_hooks
from schemas.errors import InputError

router = APIRouter(prefix="/hooks", tags=["hooks"])
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="The connection's name.")]
Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,200}$", description="The secret, for CRMs that sign nothing.")]
_ANSWERS = problems(401, 404, 503)
_AT_ONCE = 200


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
    wrong = await request.app.state.intake.take(Hook(name, call, desk.clock()))
    if wrong is not None:
        raise wrong
    return Response(status_code=202)


@dataclass(slots=True)
class Intake:
    """Takes the calls that wait together, so that a commit is of many: one of each would be as slow as the disk."""

    desk: Desk
    _waiting: list[tuple[Hook, "Future[InputError | None]"]] = field(default_factory=list)
    _working: "Task[None] | None" = None

    async def take(self, hook: Hook) -> InputError | None:
        """What is wrong with a call, None once it is kept; raises what keeps all of them from being kept."""
        done: Future[InputError | None] = get_running_loop().create_future()
        self._waiting.append((hook, done))
        if self._working is None or self._working.done():
            self._working = create_task(self._work())
        return await done

    async def _work(self) -> None:
        while self._waiting:
            part, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            try:
                wrong = await run_in_threadpool(
                    take_hooks, self.desk.store, self.desk.settings, [hook for hook, _ in part]
                )
            except Exception as error:  # whatever it is, each of those who wait is answered with it
                _settle(part, [error] * len(part))
            else:
                _settle(part, wrong)


def _settle(part: Sequence[tuple[Hook, "Future[InputError | None]"]], found: Sequence[Exception | None]) -> None:
    for (_, done), one in zip(part, found, strict=True):
        if done.done():  # whoever called is gone
            continue
        if one is None or isinstance(one, InputError):
            done.set_result(one)
        else:
            done.set_exception(one)
