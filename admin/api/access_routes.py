"""Signing in and out, and what concerns oneself."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from admin.api.callers import COOKIE, AtDesk, May, address_of, asked_by, check_origin
from admin.api.etags import SIGNED_IN, SIGNED_OUT
from admin.api.models import MeModel, OperatorModel, OwnPasswordBody, ResetBody, SessionModel, SignedInModel, SignInBody
from admin.api.pages import Number
from admin.api.problems import Refusal, problems
from admin.api.state_models import ConversationsBody, StateBody
from pipelines import access, new_passwords, operators, states
from pipelines.access import Caller
from warehouse.audit import Asked

router = APIRouter(prefix="/api", tags=["sessions"])
SignedIn = Annotated[Caller, Depends(May(also_with_temporary_password=True))]
Settled = Annotated[Caller, Depends(May())]


@router.post("/sessions", status_code=201, responses=SIGNED_IN | problems(401, 403, 409, 429))
def sign_in(body: SignInBody, request: Request, response: Response, desk: AtDesk) -> SignedInModel:
    """Sign in: claims a seat of the operator's licence, and gives the secret of a session."""
    if body.by_cookie:
        check_origin(request)
    asked = Asked("anonymous", desk.clock(), address_of(request))
    agent = request.headers.get("user-agent")
    password = body.password.get_secret_value()
    done = access.sign_in(desk.store, body.email, password, asked, user_agent=agent, lasting=desk.lasting)
    may = access.permissions_in(desk.store, done.operator)
    session, operator = SessionModel.of(done.session), OperatorModel.of(done.operator)
    if body.by_cookie:
        response.set_cookie(COOKIE, done.secret, path="/", secure=True, httponly=True, samesite="strict")
    secret = None if body.by_cookie else done.secret
    return SignedInModel(secret=secret, session=session, operator=operator, permissions=sorted(may))


@router.delete("/sessions/current", status_code=204, responses=SIGNED_OUT | problems(401, 403, 409))
def sign_out(caller: SignedIn, request: Request, desk: AtDesk) -> Response:
    """Sign out: the seat is free with one's last session."""
    operator, session = _in_session(caller)
    access.sign_out(desk.store, operator, session, asked_by(request, caller))
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response


@router.get("/me", responses=problems(401, 403))
def me(caller: SignedIn) -> MeModel:
    """Who asks, and what they may do. Asking keeps the session and the seat."""
    operator = OperatorModel.of(caller.operator) if caller.operator else None
    session = SessionModel.of(caller.session) if caller.session else None
    return MeModel(actor=caller.actor, permissions=sorted(caller.permissions), operator=operator, session=session)


@router.post("/me/password", status_code=204, responses=problems(401, 403, 429))
def change_password(body: OwnPasswordBody, caller: SignedIn, request: Request, desk: AtDesk) -> Response:
    """Change one's own password; the other sessions end."""
    operator, session = _in_session(caller)
    old, typed = body.old.get_secret_value(), body.typed()
    new_passwords.change_own_password(desk.store, operator, old, typed, asked_by(request, caller), keep=session)
    return Response(status_code=204)


@router.put("/me/state", responses=problems(401, 403))
def set_state(body: StateBody, caller: Settled, request: Request, desk: AtDesk) -> OperatorModel:
    """Set one's state as an agent, such as online or away."""
    operator, _ = _in_session(caller)
    return OperatorModel.of(states.set_agent_state(desk.store, operator, body.state, asked_by(request, caller)))


@router.post("/password-resets", status_code=204, responses=problems())
def reset_password(body: ResetBody, request: Request, desk: AtDesk) -> Response:
    """Set a new password by the secret of a reset link, once."""
    asked = Asked("anonymous", desk.clock(), address_of(request))
    new_passwords.use_reset_link(desk.store, body.secret.get_secret_value(), body.typed(), asked)
    return Response(status_code=204)


@router.put("/operators/{number}/conversations", status_code=204, responses=problems(401, 403, 404))
def report_conversations(
    number: Number,
    body: ConversationsBody,
    caller: Annotated[Caller, Depends(May("conversations:report"))],
    desk: AtDesk,
) -> Response:
    """How many conversations an operator has open: the chat platform says so."""
    operators.report_conversations(desk.store, number, body.open)
    return Response(status_code=204)


def _in_session(caller: Caller) -> tuple[int, int]:
    """The operator and the session of who asks; a token has neither."""
    if caller.operator is None or caller.session is None:
        raise Refusal(
            403,
            "not_an_operator",
            "A token of a machine cannot do this; an operator's session can.",
            "Esto no se hace con una clave de máquina, sino con la sesión de un operador.",
        )
    return caller.operator.id, caller.session.id
