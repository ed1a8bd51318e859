"""Errors as RFC 9457 problems: a stable code, and a sentence in the caller's language."""

import re
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from connectors.mail import NotSent
from pipelines.access import MayNotComeIn, NoSeatFree, OpenConversations, SignInRefused
from pipelines.backups import NoSuchBackup
from pipelines.byhand import WrongOption
from pipelines.candidates import NoSuchPair
from pipelines.drops import NotRetried
from pipelines.hooks import NotGenuine
from pipelines.licences import WrongDays
from pipelines.new_passwords import LinkUsed, WrongPassword
from pipelines.notes import NoSuchNote
from pipelines.once import KeyReused
from pipelines.operators import EmailTaken, LastAdministrator, NotYours
from pipelines.roles import RoleInUse
from pipelines.segments import SegmentInUse
from pipelines.states import StateInUse
from pipelines.tags import TagInUse
from pipelines.tries import TooManyTries
from pipelines.uploads import NoKeys, NotAsShown
from pipelines.versions import VersionDiffers
from scheduler.logs import reason_of
from schemas.errors import InputError, PadronError, TransientError
from schemas.filters import WrongFilter
from schemas.operators import WrongField
from schemas.refusals import Refused
from warehouse.batches import NoSuchBatch
from warehouse.connections import NoSuchConnection
from warehouse.contact_details import NoSuchContact
from warehouse.engines import UNREACHABLE
from warehouse.export_files import NoSuchExport
from warehouse.fields import NoSuchField, NoSuchTag
from warehouse.jobs import NoSuchJob
from warehouse.licences import NoSuchLicence
from warehouse.operators import NoSuchOperator, NoSuchRole
from warehouse.segments import NoSuchSegment
from warehouse.sessions import NoSuchToken
from warehouse.states import NoSuchState
from warehouse.sync_runs import NoSuchConflict
from warehouse.uploads import NoSuchUpload
from warehouse.webhooks import NoSuchDelivery, NoSuchWebhook

log = structlog.get_logger("padron")
_WEIGHT = re.compile(r"q\s*=\s*([01](?:\.\d{0,3})?)", re.IGNORECASE)
PROBLEM_JSON = "application/problem+json"
_KINDS: tuple[tuple[type[PadronError], int, str], ...] = (
    (EmailTaken, 409, "email_taken"),
    (WrongField, 409, "wrong_field"),
    (NoSuchContact, 404, "no_such_contact"),
    (NoSuchNote, 404, "no_such_note"),
    (NoSuchPair, 404, "no_such_pair"),
    (NoSuchField, 404, "no_such_field"),
    (NoSuchTag, 404, "no_such_tag"),
    (TagInUse, 409, "tag_in_use"),
    (NoSuchSegment, 404, "no_such_segment"),
    (SegmentInUse, 409, "segment_in_use"),
    (WrongFilter, 409, "wrong_filter"),
    (NoSuchOperator, 404, "no_such_operator"),
    (NoSuchLicence, 404, "no_such_licence"),
    (NoSuchRole, 404, "no_such_role"),
    (NoSuchToken, 404, "no_such_token"),
    (NoSuchBatch, 404, "no_such_batch"),
    (NoSuchExport, 404, "no_such_export"),
    (NoSuchBackup, 404, "no_such_backup"),
    (NoSuchUpload, 404, "no_such_upload"),
    (NoSuchJob, 404, "no_such_job"),
    (NoSuchState, 404, "no_such_state"),
    (NoSuchWebhook, 404, "no_such_webhook"),
    (NoSuchDelivery, 404, "no_such_delivery"),
    (NoSuchConnection, 404, "no_such_connection"),
    (NoSuchConflict, 404, "no_such_conflict"),
    (NotGenuine, 401, "not_genuine"),
    (StateInUse, 409, "state_in_use"),
    (KeyReused, 409, "key_reused"),
    (NotAsShown, 409, "not_as_shown"),
    (NoKeys, 409, "no_keys"),
    (WrongDays, 409, "wrong_days"),
    (WrongOption, 409, "wrong_option"),
    (NotRetried, 409, "not_retried"),
    (Refused, 409, "file_refused"),
    (VersionDiffers, 412, "version_differs"),
    (LastAdministrator, 409, "last_administrator"),
    (NotYours, 403, "not_allowed"),
    (RoleInUse, 409, "role_in_use"),
    (OpenConversations, 409, "open_conversations"),
    (NoSeatFree, 409, "no_seat"),
    (SignInRefused, 401, "sign_in_refused"),
    (TooManyTries, 429, "too_many_tries"),
    (WrongPassword, 403, "wrong_password"),
    (NotSent, 503, "mail_not_sent"),
    (LinkUsed, 409, "link_used"),
    (TransientError, 503, "try_again"),
    (InputError, 409, "wrong_input"),
)
"""What fits the schema and is refused by a rule is a conflict (409); 422 is for what does not fit."""
_HTTP: dict[int, tuple[str, str, str]] = {
    400: ("bad_request", "The request cannot be read.", "No se entiende la petición."),
    404: ("not_found", "There is nothing at this address.", "No hay nada en esta dirección."),
    405: ("method_not_allowed", "This address does not take that method.", "Esta dirección no admite ese método."),
    413: ("too_large", "The body is too large.", "El cuerpo es demasiado grande."),
}


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    code: str
    message: str


class Problem(BaseModel):
    """An error as RFC 9457 has it; `code` is stable."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] = Field(default_factory=list)


class Refusal(Exception):
    """An answer that is a problem; raised by the endpoint itself."""

    def __init__(
        self, status: int, code: str, english: str, spanish: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(english)
        self.status, self.code, self.said = status, code, {"en": english, "es": spanish}
        self.headers = dict(headers or {})


def language_of(request: Request) -> str:
    """Which of Spanish and English the caller wants most (RFC 9110, 12.5.4); else the installation's."""
    best, language = 0.0, str(request.app.state.desk.settings.language)
    for part in request.headers.get("accept-language", "").split(","):
        name, _, weight = part.partition(";")
        match = _WEIGHT.fullmatch(weight.strip())
        wanted = float(match.group(1)) if match else 0.0 if weight else 1.0
        named = name.strip().lower().partition("-")[0]
        if named in ("es", "en") and not wanted and language == named and not best:
            language = "en" if named == "es" else "es"
        elif named in ("es", "en") and wanted > best:
            best, language = wanted, named
    return language


def problem(
    status: int,
    code: str,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    found = Problem(title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, errors=errors or [])
    return JSONResponse(found.model_dump(), status, dict(headers or {}), media_type=PROBLEM_JSON)


def add_handlers(app: FastAPI) -> None:
    """Turn every error into a problem, and none into a trace."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(PadronError, _ours)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    for kind in UNREACHABLE:
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(Exception, _unforeseen)


_NOT_LET_IN = (SignInRefused, TooManyTries, MayNotComeIn, WrongPassword, NotYours)


def _note(request: Request, why: str) -> None:
    """A line in the log for whoever was not let in, or not let do something; without names and secrets."""
    route = getattr(request.scope.get("route"), "path", "")
    where = request.client.host if request.client else None
    log.warning("not let in", why=why, method=request.method, route=route, address=where)


def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    if error.code in ("not_allowed", "wrong_origin"):
        _note(request, error.code)
    return problem(error.status, error.code, error.said[language_of(request)], headers=error.headers)


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, PadronError)
    detail = error.said(language_of(request))
    if isinstance(error, _NOT_LET_IN):
        _note(request, type(error).__name__)
    if isinstance(error, MayNotComeIn) and not isinstance(error, NoSeatFree):
        return problem(403, error.code, detail)
    status, code = next(((status, code) for kind, status, code in _KINDS if isinstance(error, kind)), (500, "set_up"))
    errors = [FieldError(field=error.field, code=error.code, message=detail)] if isinstance(error, WrongField) else []
    headers = {}
    if isinstance(error, TooManyTries):
        headers["Retry-After"] = str(max(1, round(error.wait.total_seconds())))
    elif status == 503:
        headers["Retry-After"] = "5"
    elif status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status, code, detail, errors, headers)


_WHOLE = ("A whole number.", "Un número entero.")
_YES_OR_NO = ("true or false.", "true o false.")
_TIME = ("A time such as 2026-11-30T10:00:00Z.", "Una fecha y hora como 2026-11-30T10:00:00Z.")
_DAY = ("A day such as 2026-11-30.", "Un día como 2026-11-30.")
_WORDS = {
    "missing": ("This is missing.", "Falta este dato."),
    "extra_forbidden": ("There is no such field.", "No existe este campo."),
    "json_invalid": ("This is not JSON.", "Esto no es JSON."),
    "model_attributes_type": (
        "Send a JSON object, with the header Content-Type: application/json.",
        "Envíe un objeto JSON, con la cabecera Content-Type: application/json.",
    ),
    "dict_type": ("This has to be an object.", "Tiene que ser un objeto."),
    "list_type": ("This has to be a list.", "Tiene que ser una lista."),
    "string_type": ("This has to be a text.", "Tiene que ser un texto."),
    "string_too_short": ("Not shorter than {min_length}.", "Longitud mínima: {min_length}."),
    "string_too_long": ("Not longer than {max_length}.", "Longitud máxima: {max_length}."),
    "string_pattern_mismatch": ("This text is not of the form that is wanted.", "El texto no tiene la forma pedida."),
    "string_unicode": ("This is no text that can be written.", "No es un texto que se pueda escribir."),
    "too_long": ("At most {max_length}.", "Como mucho {max_length}."),
    "too_short": ("At least {min_length}.", "Al menos {min_length}."),
    "literal_error": ("One of {expected}.", "Uno de {expected}."),
    "enum": ("One of {expected}.", "Uno de {expected}."),
    "greater_than_equal": ("At least {ge}.", "Como mínimo {ge}."),
    "less_than_equal": ("At most {le}.", "Como máximo {le}."),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": _DAY,
}
_ANY_OTHER = ("This value cannot be taken.", "Este valor no vale.")


def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    language = language_of(request)
    errors = []
    for item in error.errors()[:20]:
        words = _WORDS.get(item["type"], _ANY_OTHER)
        message = words[language == "es"].format_map(_context(item, language))
        place = "body" if item["type"] == "json_invalid" else _place(item["loc"])
        errors.append(FieldError(field=place, code=str(item["type"]), message=message))
    fields = ", ".join(item.field for item in errors)
    detail = f"No se puede aceptar: {fields}." if language == "es" else f"This cannot be taken: {fields}."
    return problem(422, "not_valid", detail, errors)


def _context(item: Mapping[str, Any], language: str) -> dict[str, str]:
    """The bounds and values that are named in a sentence about a field."""
    found = {name: str(value) for name, value in (item.get("ctx") or {}).items()}
    return {name: text.replace(" or ", " o ") for name, text in found.items()} if language == "es" else found


def _place(parts: Sequence[object]) -> str:
    """Where in the request: the name of a field, without the part of the request that it stands in."""
    whole = ".".join(str(part) for part in parts[1:]) or str(parts[0])
    return whole.encode(errors="replace").decode()


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, english, spanish = _HTTP.get(error.status_code, ("refused", str(error.detail), str(error.detail)))
    detail = spanish if language_of(request) == "es" else english
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return problem(error.status_code, code, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """Every method that some route takes at this address."""
    routes = [route for router in request.app.state.routers for route in router.routes]
    path = request.scope["path"]
    return sorted({method for route in routes if route.path_regex.match(path) for method in route.methods})


def too_large(request: Request) -> Response:
    """The answer to a body that is larger than any that a route takes."""
    code, english, spanish = _HTTP[413]
    return problem(413, code, spanish if language_of(request) == "es" else english, headers={"Connection": "close"})


def _away(request: Request, error: Exception) -> Response:
    log.warning("database away", reason=reason_of(error))
    spanish = language_of(request) == "es"
    detail = (
        "La base de datos no responde. Inténtelo de nuevo." if spanish else "The database does not answer. Try again."
    )
    return problem(503, "database_away", detail, headers={"Retry-After": "5"})


def _unforeseen(request: Request, error: Exception) -> Response:
    """The error itself goes to the log, by its kind; whoever asks learns only that it is ours."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("unforeseen", reason=reason_of(error), file=where.filename, line=where.lineno)
    spanish = language_of(request) == "es"
    detail = "Algo falló en Padrón; quedó anotado." if spanish else "Something failed in Padrón; it is in the log."
    return problem(500, "unforeseen", detail)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI is told of the problems that a route may answer with."""
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in (400, *statuses, 409, 422, 500, 503)
    }
