"""Who asks, and whether they may: a bearer token of a session or of a machine, and one permission for each route."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, NoReturn
from urllib.parse import urlsplit

from fastapi import Depends, Header, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import Engine

from admin.api.problems import Refusal
from pipelines.access import Caller, Lasting, caller_of_session
from pipelines.once import once_for
from pipelines.tokens import caller_of_token
from schemas.settings import Settings
from warehouse.audit import Asked
from warehouse.idempotency import Once

COOKIE = "__Host-padron"
"""The cookie of a browser's session; the prefix keeps other hosts and plain http from setting it."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="cookie", description="The session of a browser.")
_bearer = HTTPBearer(auto_error=False, scheme_name="secret", description="The secret of a session or of an API token.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
Cookie = Annotated[str | None, Security(_cookie)]


@dataclass(frozen=True, slots=True)
class Desk:
    """What every route needs: the settings, the store, the clock, and how to wake a worker."""

    settings: Settings
    store: Engine
    clock: Callable[[], datetime]
    wake: Callable[[int], None]
    wake_for_job: Callable[[int], None]

    @property
    def lasting(self) -> Lasting:
        hours, minutes = self.settings.session_hours, self.settings.session_idle_minutes
        return Lasting(timedelta(minutes=minutes), timedelta(hours=hours))


def desk_of(request: Request) -> Desk:
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


AtDesk = Annotated[Desk, Depends(desk_of)]


def address_of(request: Request) -> str | None:
    return request.client.host if request.client else None


def asked_by(request: Request, caller: Caller) -> Asked:
    return Asked(caller.actor, desk_of(request).clock(), address_of(request), caller.permissions)


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="A text that the caller chooses: the same request with it again makes nothing more.",
    ),
]


def once_of(key: str | None, request: Request, body: BaseModel) -> Once | None:
    """The key of this request; secrets in the body do not count."""
    return None if key is None else once_for(key, f"{request.url.path} {body.model_dump_json()}")


def check_origin(request: Request) -> None:
    """Raise where a browser says that a page of another site sent this; the cookie alone would not tell."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    try:
        same = urlsplit(origin).netloc == request.headers.get("host") if origin else site == "same-origin"
    except ValueError:  # no address at all
        same = False
    if not same:
        raise Refusal(
            403,
            "wrong_origin",
            "This was sent by a page of another site, so it is not done.",
            "Esto lo envió una página de otro sitio, así que no se hace.",
        )


def require(caller: Caller, permission: str) -> None:
    """Raise where the caller does not have this permission."""
    if permission not in caller.permissions:
        raise Refusal(
            403,
            "not_allowed",
            f"You may not do this: it needs the permission {permission}.",
            f"No puede hacer esto: hace falta el permiso {permission}.",
        )


@dataclass(frozen=True)
class May:
    """A route's permission; None for one that everybody who is signed in may call."""

    permission: str | None = None
    also_with_temporary_password: bool = False

    def __call__(self, request: Request, credentials: Credentials, cookie: Cookie) -> Caller:
        if credentials is None and cookie and request.method not in _SAFE:
            check_origin(request)
        caller = self._caller(desk_of(request), credentials.credentials if credentials else cookie or "")
        operator = caller.operator
        if operator is not None and operator.must_change_password and not self.also_with_temporary_password:
            raise Refusal(
                403,
                "password_to_change",
                "Your password is temporary. Change it first (POST /api/me/password).",
                "Su contraseña es temporal. Cámbiela primero (POST /api/me/password).",
            )
        if self.permission is not None:
            require(caller, self.permission)
        return caller

    def _caller(self, desk: Desk, secret: str) -> Caller:
        if secret.startswith("padron_"):
            found = caller_of_token(desk.store, secret, desk.clock())
        else:
            found = caller_of_session(desk.store, secret, desk.clock(), desk.lasting) if secret else None
        if found is None:
            raise Refusal(
                401,
                "sign_in",
                "Sign in first (POST /api/sessions), and send the secret as a bearer token.",
                "Inicie sesión (POST /api/sessions) y envíe la clave como bearer token.",
                {"WWW-Authenticate": "Bearer"},
            )
        return found


def told_once(number: int) -> NoReturn:
    """The answer to a create that was made already, and whose secret is told once."""
    raise Refusal(
        409,
        "made_already",
        f"This request made number {number} already, and its secret is told once. Make another one, and drop that.",
        f"Esta petición ya creó el número {number}, cuyo secreto se muestra una sola vez. Cree otro y quite ese.",
    )
