"""Tokens of machines by JSON."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of, told_once
from admin.api.models import NewTokenModel, Page, TokenBody, TokenModel
from admin.api.pages import Cursor, Limit, Number, after, page
from admin.api.problems import problems
from pipelines import tokens
from pipelines.access import Caller
from pipelines.once import create_once
from warehouse import sessions
from warehouse.engines import reading

router = APIRouter(prefix="/api/tokens", tags=["tokens"])


@router.get("", responses=problems(401, 403))
def find_tokens(
    caller: Annotated[Caller, Depends(May("tokens:read"))], desk: AtDesk, cursor: Cursor = None, limit: Limit = 50
) -> Page[TokenModel]:
    """The tokens of machines by number, without the secrets."""
    with reading(desk.store) as connection:
        found = sessions.find_tokens(connection, after(cursor), limit + 1)
    return page(found, limit, lambda one: one.id, TokenModel.of)


@router.post("", status_code=201, responses=problems(401, 403))
def create_token(
    body: TokenBody,
    caller: Annotated[Caller, Depends(May("tokens:write"))],
    request: Request,
    desk: AtDesk,
    key: IdempotencyKey = None,
) -> NewTokenModel:
    """Make a token for a machine, with permissions that one has oneself."""
    secret, token = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: tokens.create_token(desk.store, body.name, body.permissions, body.expires_at, asked),
        told_once,
    )
    return NewTokenModel(secret=secret, token=TokenModel.of(token))


@router.delete("/{number}", responses=problems(401, 403, 404))
def revoke_token(
    number: Number, caller: Annotated[Caller, Depends(May("tokens:write"))], request: Request, desk: AtDesk
) -> TokenModel:
    """End a token at once."""
    return TokenModel.of(tokens.revoke_token(desk.store, number, asked_by(request, caller)))
