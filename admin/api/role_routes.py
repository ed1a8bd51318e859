"""Roles, tokens and the audit by JSON."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.responses import StreamingResponse

from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of, told_once
from admin.api.models import NO_NUL, EntryModel, NewTokenModel, Page, RoleBody, RoleModel, TokenBody, TokenModel
from admin.api.operator_routes import IfMatch, digest_of, with_etag
from admin.api.pages import Cursor, Limit, Number, Search, Since, Until, after, as_utc, page
from admin.api.problems import problems
from pipelines import access, audit, roles
from pipelines.access import Caller
from pipelines.audit import Span
from pipelines.once import create_once
from pipelines.versions import version_of
from schemas.permissions import ROLES
from warehouse import sessions
from warehouse.engines import reading

router = APIRouter(prefix="/api")
RoleName = Annotated[str, Path(min_length=1, max_length=60, pattern=NO_NUL)]


def _role(name: str, permissions: frozenset[str]) -> RoleModel:
    may = sorted(permissions)
    return RoleModel(name=name, permissions=may, is_built_in=name in ROLES, version=version_of(may))


@router.get("/roles", tags=["roles"], responses=problems(401, 403))
def find_roles(caller: Annotated[Caller, Depends(May("roles:read"))], desk: AtDesk) -> list[RoleModel]:
    """Every role, the built-in ones first."""
    return [_role(name, permissions) for name, permissions in roles.all_roles(desk.store).items()]


@router.put("/roles/{name}", tags=["roles"], responses=problems(401, 403, 412))
def put_role(
    name: RoleName,
    body: RoleBody,
    caller: Annotated[Caller, Depends(May("roles:write"))],
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> RoleModel:
    """Make a role of one's own, or say anew what it may do; its `version` is the ETag."""
    asked, version = asked_by(request, caller), digest_of(if_match)
    role = _role(name.strip(), roles.put_role(desk.store, name, body.permissions, asked, version=version))
    with_etag(response, role.version)
    return role


@router.delete("/roles/{name}", tags=["roles"], status_code=204, responses=problems(401, 403, 404, 409))
def delete_role(
    name: RoleName, caller: Annotated[Caller, Depends(May("roles:write"))], request: Request, desk: AtDesk
) -> Response:
    """Remove a role that nobody has."""
    roles.drop_role(desk.store, name, asked_by(request, caller))
    return Response(status_code=204)


@router.get("/tokens", tags=["tokens"], responses=problems(401, 403))
def find_tokens(caller: Annotated[Caller, Depends(May("tokens:read"))], desk: AtDesk) -> list[TokenModel]:
    """Every token of a machine, without the secrets."""
    with reading(desk.store) as connection:
        return [TokenModel.of(token) for token in sessions.all_tokens(connection)]


@router.post("/tokens", tags=["tokens"], status_code=201, responses=problems(401, 403))
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
        lambda asked: access.create_token(desk.store, body.name, body.permissions, body.expires_at, asked),
        told_once,
    )
    return NewTokenModel(secret=secret, token=TokenModel.of(token))


@router.delete("/tokens/{number}", tags=["tokens"], responses=problems(401, 403, 404))
def revoke_token(
    number: Number, caller: Annotated[Caller, Depends(May("tokens:write"))], request: Request, desk: AtDesk
) -> TokenModel:
    """End a token at once."""
    return TokenModel.of(access.revoke_token(desk.store, number, asked_by(request, caller)))


@router.get("/audit", tags=["audit"], responses=problems(401, 403))
def find_audit(
    caller: Annotated[Caller, Depends(May("audit:read"))],
    desk: AtDesk,
    search: Search = "",
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[EntryModel]:
    """What was done, by whom, when and from where, the newest first: of this actor, action or object."""
    span = Span(as_utc(since), as_utc(until))
    begin = after(cursor) or None
    found = audit.audit_entries(desk.store, search, limit + 1, newest_first=True, before=begin, span=span)
    return page(found, limit, lambda one: one.id, EntryModel.of)


@router.get(
    "/audit/export",
    tags=["audit"],
    response_class=Response,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}, **problems(401, 403)},
)
def export_audit(
    caller: Annotated[Caller, Depends(May("audit:read"))],
    desk: AtDesk,
    search: Search = "",
    since: Since = None,
    until: Until = None,
) -> Response:
    """Every entry with its hashes, a JSON object a line, the oldest first."""
    lines = audit.audit_lines(desk.store, search, Span(as_utc(since), as_utc(until)))
    return StreamingResponse(lines, media_type="application/x-ndjson")
