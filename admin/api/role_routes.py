"""Roles and the audit by JSON."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.responses import StreamingResponse

from admin.api.callers import AtDesk, May, asked_by
from admin.api.etags import VERSIONED, IfMatch, wanted_digest, with_etag
from admin.api.models import NO_NUL, EntryModel, Page, RoleBody, RoleModel
from admin.api.pages import Cursor, Limit, Search, Since, Until, after, page
from admin.api.problems import problems
from pipelines import audit, roles
from pipelines.access import Caller
from pipelines.audit import Span
from pipelines.versions import version_of
from schemas.operators import plain_name
from schemas.permissions import ROLES

router = APIRouter(prefix="/api")
RoleName = Annotated[str, Path(min_length=1, max_length=60, pattern=NO_NUL)]


def _role(name: str, permissions: frozenset[str]) -> RoleModel:
    may = sorted(permissions)
    return RoleModel(name=name, permissions=may, is_built_in=name in ROLES, version=version_of(may))


@router.get("/roles", tags=["roles"], responses=problems(401, 403))
def find_roles(caller: Annotated[Caller, Depends(May("roles:read"))], desk: AtDesk) -> list[RoleModel]:
    """Every role, the built-in ones first."""
    return [_role(name, permissions) for name, permissions in roles.all_roles(desk.store).items()]


@router.put("/roles/{name}", tags=["roles"], responses=VERSIONED | problems(401, 403, 412))
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
    asked, version, name = asked_by(request, caller), wanted_digest(if_match), plain_name("name", name)
    role = _role(name, roles.put_role(desk.store, name, body.permissions, asked, version=version))
    with_etag(response, role.version)
    return role


@router.delete("/roles/{name}", tags=["roles"], status_code=204, responses=problems(401, 403, 404, 409))
def delete_role(
    name: RoleName, caller: Annotated[Caller, Depends(May("roles:write"))], request: Request, desk: AtDesk
) -> Response:
    """Remove a role that nobody has."""
    roles.drop_role(desk.store, plain_name("name", name), asked_by(request, caller))
    return Response(status_code=204)


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
    span = Span(since, until)
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
    lines = audit.audit_lines(desk.store, search, Span(since, until))
    return StreamingResponse(lines, media_type="application/x-ndjson")
