"""Operators by JSON: create, find, edit, passwords, forced sign-out."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of
from admin.api.etags import MADE, VERSIONED, IfMatch, wanted_version, with_etag
from admin.api.models import LinkModel, OperatorBody, OperatorChanges, OperatorModel, Page, PasswordBody
from admin.api.pages import Cursor, Limit, Number, Search, after, page
from admin.api.problems import problems
from pipelines import access, new_passwords, operators
from pipelines.access import Caller
from pipelines.once import create_once
from pipelines.passwords import Password
from schemas.operators import OperatorForm, WrongField

router = APIRouter(prefix="/api/operators", tags=["operators"])
Reader = Annotated[Caller, Depends(May("operators:read"))]
Writer = Annotated[Caller, Depends(May("operators:write"))]


@router.get("", responses=problems(401, 403))
def find(
    caller: Reader,
    desk: AtDesk,
    search: Search = "",
    email: Search = "",
    first_name: Search = "",
    last_name: Search = "",
    active: Annotated[bool | None, Query(description="Only those who may sign in, or not.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[OperatorModel]:
    """Operators by number: with this in their e-mail, first or last name, or (`search`) in any of them."""
    parts = {"text": search, "email": email, "first_name": first_name, "last_name": last_name}
    found = operators.search_operators(desk.store, **parts, is_active=active, after=after(cursor), limit=limit + 1)
    return page(found, limit, lambda one: one.id, OperatorModel.of)


@router.post("", status_code=201, responses=MADE | problems(401, 403, 404, 409))
def create(
    body: OperatorBody,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    key: IdempotencyKey = None,
) -> OperatorModel:
    """Create an operator; however many there are, licences limit who is in at a time."""
    said = body.model_dump(exclude={"password", "confirmation", "is_temporary"})
    form, password = OperatorForm(**{**said, "roles": tuple(body.roles)}), _password(body)
    made = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: operators.create_operator(desk.store, form, password, asked),
        lambda number: operators.find_operator(desk.store, number),
    )
    with_etag(response, made.version)
    response.headers["Location"] = f"/api/operators/{made.id}"
    return OperatorModel.of(made)


def _password(body: OperatorBody) -> Password | None:
    if body.password is None:
        if body.confirmation is not None:
            raise WrongField("password", "required", "Type the password too.", "Escriba también la contraseña.")
        return None
    confirmation = body.confirmation.get_secret_value() if body.confirmation else ""
    return Password(body.password.get_secret_value(), confirmation, body.is_temporary)


@router.get("/{number}", responses=VERSIONED | problems(401, 403, 404))
def show(number: Number, caller: Reader, response: Response, desk: AtDesk) -> OperatorModel:
    """One operator."""
    found = operators.find_operator(desk.store, number)
    with_etag(response, found.version)
    return OperatorModel.of(found)


@router.patch("/{number}", responses=VERSIONED | problems(401, 403, 404, 409, 412))
def edit(
    number: Number,
    body: OperatorChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> OperatorModel:
    """Change what is named; deactivating frees the seat and ends the sessions."""
    changes: dict[str, Any] = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in changes.items() if value is not None or name == "licence_id"}
    if "roles" in changes:
        changes["roles"] = tuple(changes["roles"])
    asked = asked_by(request, caller)
    changed = operators.edit_operator(desk.store, number, changes, asked, version=wanted_version(if_match))
    with_etag(response, changed.version)
    return OperatorModel.of(changed)


@router.put("/{number}/password", status_code=204, responses=problems(401, 403, 404))
def set_password(
    number: Number,
    body: PasswordBody,
    caller: Annotated[Caller, Depends(May("operators:password"))],
    request: Request,
    desk: AtDesk,
) -> Response:
    """Give an operator a temporary password, to be changed at the next sign-in; their sessions end."""
    new_passwords.set_password(desk.store, number, body.typed(is_temporary=True), asked_by(request, caller))
    return Response(status_code=204)


@router.post("/{number}/reset-link", status_code=201, responses=problems(401, 403, 404))
def reset_link(
    number: Number,
    caller: Annotated[Caller, Depends(May("operators:password"))],
    request: Request,
    desk: AtDesk,
    by_mail: Annotated[bool, Query(description="Send the link to the operator, instead of showing it.")] = False,
) -> LinkModel:
    """A link by which the operator sets a new password, once, within two hours."""
    asked = asked_by(request, caller)
    if by_mail:
        return LinkModel(mailed_to=new_passwords.mail_reset_link(desk.store, desk.settings, number, asked))
    secret = new_passwords.make_reset_link(desk.store, number, asked)
    return LinkModel(secret=secret, link=new_passwords.reset_address(desk.settings, secret))


@router.delete("/{number}/sessions", status_code=204, responses=problems(401, 403, 404))
def sign_out(
    number: Number, caller: Annotated[Caller, Depends(May("operators:sign_out"))], request: Request, desk: AtDesk
) -> Response:
    """End an operator's sessions and free the seat, whatever conversations are open."""
    access.force_sign_out(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)
