"""The endpoint as a whole: its routes, its errors, and how large a body may be."""

from contextlib import suppress
from typing import Any

from fastapi import FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from admin.api import (
    access_routes,
    backup_routes,
    batch_routes,
    candidate_routes,
    connection_routes,
    contact_routes,
    docs_page,
    export_routes,
    field_routes,
    health_routes,
    hook_routes,
    hygiene_routes,
    interaction_routes,
    job_routes,
    licence_routes,
    operator_routes,
    removal_routes,
    reset_page,
    role_routes,
    segment_routes,
    state_routes,
    sync_routes,
    token_routes,
    webhook_routes,
)
from admin.api.callers import Desk
from admin.api.problems import Problem, add_handlers, problems, too_large

ROUTERS = tuple(
    routes.router
    for routes in (
        hook_routes,  # looked for first, as they are asked for most
        access_routes,
        operator_routes,
        state_routes,
        licence_routes,
        role_routes,
        token_routes,
        contact_routes,
        interaction_routes,
        candidate_routes,
        hygiene_routes,
        removal_routes,
        backup_routes,
        export_routes,
        field_routes,
        segment_routes,
        batch_routes,
        job_routes,
        webhook_routes,
        connection_routes,
        sync_routes,
        health_routes,
        reset_page,
        docs_page,
    )
)
_TAGS = dict.fromkeys(str(tag) for router in (*ROUTERS[1:], ROUTERS[0]) for tag in router.tags)
"""In the order in which the page of the API shows them."""
_LARGEST_BODY = 1_000_000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
_UPLOAD = ("POST", "/api/uploads")
"""The one route that takes more; it has a limit of its own."""


class _TooLarge(Exception):
    """Ends the reading of a body, so that no route takes the beginning of one for the whole."""


class BoundedBody:
    """Refuses bodies that are larger than any that a route takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) == _UPLOAD:
            await self._app(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > _LARGEST_BODY:
                raise _TooLarge
            return message

        async def answer(message: Message) -> None:
            if taken <= _LARGEST_BODY:
                await send(message)

        with suppress(_TooLarge):
            await self._app(scope, bounded, answer)
        if taken > _LARGEST_BODY:
            await too_large(Request(scope))(scope, receive, send)


class SafeHeaders:
    """Adds to every answer what keeps browsers from doing what no page of ours asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception:  # it was answered, and logged without what it says of people
            if not answered:
                raise


class Endpoint(FastAPI):
    """FastAPI whose every answer has the safe headers, also those to errors that nobody foresaw."""

    def build_middleware_stack(self) -> ASGIApp:
        return SafeHeaders(super().build_middleware_stack())


def build_app(desk: Desk) -> FastAPI:
    """The endpoint over this desk's store."""
    app = Endpoint(
        title="Padrón",
        version="0.1.0",
        description="One clean roll of contacts: operators, licences, imports.",
        openapi_url="/api/openapi.json",
        openapi_tags=[{"name": tag} for tag in _TAGS],
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.desk, app.state.routers, app.state.intake = desk, ROUTERS, hook_routes.Intake(desk)
    for router in ROUTERS:
        app.include_router(router)
    add_handlers(app)
    app.add_middleware(BoundedBody)
    _describe_problem(app)
    return app


_ANSWERED_WITH = {
    "401": ("WWW-Authenticate", "`Bearer`."),
    "429": ("Retry-After", "How many seconds to wait."),
    "503": ("Retry-After", "How many seconds to wait."),
}


def _describe_answers(operation: dict[str, Any]) -> None:
    """The headers of answers, and the answer to a body that is too large."""
    answers = operation["responses"]
    if "requestBody" in operation:
        answers.update({str(status): said for status, said in problems(413).items() if str(status) not in answers})
    for status in _ANSWERED_WITH.keys() & answers.keys():
        name, text = _ANSWERED_WITH[status]
        answers[status].setdefault("headers", {})[name] = {"description": text, "schema": {"type": "string"}}


def _describe_problem(app: FastAPI) -> None:
    """Let OpenAPI know what a problem is; every route refers to it."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        schema = made()
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        for name, found in Problem.model_json_schema(ref_template="#/components/schemas/{model}").pop("$defs").items():
            schemas[name] = found
        own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas["Problem"] = {key: value for key, value in own.items() if key != "$defs"}
        for operation in (found for item in schema["paths"].values() for found in item.values()):
            _describe_answers(operation)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to add to the document
