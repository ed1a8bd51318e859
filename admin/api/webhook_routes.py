"""Webhooks by JSON: who is told of what, what was told, and telling again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of, told_once
from admin.api.etags import MADE, VERSIONED, IfMatch, wanted_version, with_etag
from admin.api.models import Page
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import problems
from admin.api.webhook_models import (
    DeliveryModel,
    DeliveryState,
    NewWebhookModel,
    ReplayModel,
    SecretModel,
    WebhookBody,
    WebhookChanges,
    WebhookModel,
)
from pipelines import webhooks
from pipelines.access import Caller
from pipelines.once import create_once
from pipelines.webhooks import WebhookForm

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])
Reader = Annotated[Caller, Depends(May("webhooks:read"))]
Writer = Annotated[Caller, Depends(May("webhooks:write"))]


@router.get("", responses=problems(401, 403))
def find(caller: Reader, desk: AtDesk) -> list[WebhookModel]:
    """Every webhook, without the secrets."""
    return [WebhookModel.of(one) for one in webhooks.find_webhooks(desk.store)]


@router.post("", status_code=201, responses=MADE | problems(401, 403))
def create(
    body: WebhookBody, caller: Writer, request: Request, response: Response, desk: AtDesk, key: IdempotencyKey = None
) -> NewWebhookModel:
    """Tell an address of events, signed as Standard Webhooks has it; the secret is told this once."""
    form = WebhookForm(body.url, tuple(body.events), body.description)
    secret, made = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: webhooks.create_webhook(desk.store, desk.settings, form, asked),
        told_once,
    )
    with_etag(response, made.version)
    response.headers["Location"] = f"/api/webhooks/{made.id}"
    return NewWebhookModel(secret=secret, webhook=WebhookModel.of(made))


@router.get("/{number}", responses=VERSIONED | problems(401, 403, 404))
def show(number: Number, caller: Reader, response: Response, desk: AtDesk) -> WebhookModel:
    """One webhook."""
    found = webhooks.find_webhook(desk.store, number)
    with_etag(response, found.version)
    return WebhookModel.of(found)


@router.patch("/{number}", responses=VERSIONED | problems(401, 403, 404, 412))
def edit(
    number: Number,
    body: WebhookChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> WebhookModel:
    """Change what is named. One that is made active again is told of what happens from then on."""
    changes: dict[str, Any] = {
        name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None
    }
    if "events" in changes:
        changes["events"] = tuple(changes["events"])
    asked, version = asked_by(request, caller), wanted_version(if_match)
    changed = webhooks.edit_webhook(desk.store, desk.settings, number, changes, asked, version)
    with_etag(response, changed.version)
    return WebhookModel.of(changed)


@router.delete("/{number}", status_code=204, responses=problems(401, 403, 404))
def delete(number: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Remove a webhook with its deliveries."""
    webhooks.drop_webhook(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/{number}/secret", status_code=201, responses=problems(401, 403, 404))
def new_secret(number: Number, caller: Writer, request: Request, desk: AtDesk) -> SecretModel:
    """Another secret; for a day everything is signed with the old one too."""
    return SecretModel(secret=webhooks.new_secret(desk.store, desk.settings, number, asked_by(request, caller)))


@router.post("/{number}/test", status_code=202, responses=problems(401, 403, 404))
def send_test(number: Number, caller: Writer, request: Request, desk: AtDesk) -> dict[str, str]:
    """Send an event that says nothing, to see whether it is heard: look at the deliveries."""
    webhooks.send_test(desk.store, number, asked_by(request, caller))
    return {"deliveries": f"/api/webhooks/{number}/deliveries"}


@router.get("/{number}/deliveries", responses=problems(401, 403, 404))
def deliveries(
    number: Number,
    caller: Reader,
    desk: AtDesk,
    state: Annotated[DeliveryState | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DeliveryModel]:
    """What was told, or is to be, the newest first; those given up are `dead`."""
    found = webhooks.find_deliveries(desk.store, number, limit + 1, state=state or "", before=after(cursor) or None)
    return page(found, limit, lambda one: one.id, DeliveryModel.of)


@router.post("/{number}/replay", status_code=202, responses=problems(401, 403, 404))
def replay_all(number: Number, caller: Writer, request: Request, desk: AtDesk) -> ReplayModel:
    """Send every dead delivery again."""
    return ReplayModel(deliveries=webhooks.replay(desk.store, number, asked_by(request, caller)))


@router.post("/{number}/deliveries/{delivery}/replay", status_code=202, responses=problems(401, 403, 404))
def replay(number: Number, delivery: Number, caller: Writer, request: Request, desk: AtDesk) -> ReplayModel:
    """Send one dead delivery again."""
    return ReplayModel(deliveries=webhooks.replay(desk.store, number, asked_by(request, caller), delivery))
