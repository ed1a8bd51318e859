"""What the API takes and gives. A body says every field that it takes; others are refused."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from pipelines.licences import SeatView
from pipelines.passwords import Password
from schemas.operators import Holding, Kind
from schemas.permissions import PERMISSIONS
from warehouse.audit import Entry
from warehouse.licences import Licence
from warehouse.operators import Operator
from warehouse.sessions import Session, Token

Item = TypeVar("Item")
NO_NUL = r"^[^\x00]*$"
"""PostgreSQL takes no text with a NUL in it."""
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Text = Annotated[str, Field(max_length=320, pattern=NO_NUL)]


def _text(value: SecretStr) -> SecretStr:
    """Half a surrogate pair is no text, though JSON can write one."""
    value.get_secret_value().encode()
    return value


Secret = Annotated[SecretStr, Field(max_length=1_000), AfterValidator(_text)]


def _moment(value: object) -> object:
    """A time as ISO 8601 writes it, in UTC where it names no zone; pydantic would take a bare number too."""
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise PydanticCustomError("datetime_parsing", "no time") from error
    at = at.replace(tzinfo=at.tzinfo or UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:  # the first or last day there is, in a zone whose clocks differ
        return (datetime.min if at.year == 1 else datetime.max).replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_moment)]


def digits(value: object) -> object:
    """A number in an address is written with digits alone; pydantic would take 1_0 for 10."""
    if isinstance(value, str) and not (value.isascii() and value.removeprefix("-").isdigit()):
        raise PydanticCustomError("int_parsing", "no whole number")
    return value


def among(*allowed: str) -> AfterValidator:
    """One of these texts, as the document says too."""

    def check(value: str) -> str:
        if value not in allowed:
            raise PydanticCustomError("literal_error", "none of these", {"expected": ", ".join(allowed)})
        return value

    return AfterValidator(check)


Permissions = Annotated[
    list[Annotated[Name, among(*PERMISSIONS), WithJsonSchema({"type": "string", "enum": list(PERMISSIONS)})]],
    Field(max_length=100),
]
Names = Annotated[list[Name], Field(max_length=100)]


def whole(value: object) -> object:
    """JSON knows one kind of number: 5.0 is 5."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Many = Annotated[int, Field(ge=0, le=1_000), BeforeValidator(whole)]
Seats = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(whole)]
Number = Annotated[int, Field(ge=1, le=2**53), BeforeValidator(whole)]


class Body(BaseModel):
    """A body of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Page(BaseModel, Generic[Item]):
    """Part of a list; `next` is the cursor of the part after it, null at the end."""

    items: Sequence[Item]
    next: str | None = None


class PasswordBody(Body):
    """A new password, typed twice."""

    password: Secret
    confirmation: Secret

    def typed(self, *, is_temporary: bool = False) -> Password:
        return Password(self.password.get_secret_value(), self.confirmation.get_secret_value(), is_temporary)


class OwnPasswordBody(PasswordBody):
    """One's own new password, with the old one."""

    old: Secret


class ResetBody(PasswordBody):
    """A new password, by the secret of a reset link."""

    secret: Secret


class SignInBody(Body):
    """The e-mail and password of an operator. A browser asks for a cookie, which no script can read."""

    email: Text
    password: Secret
    by_cookie: bool = False


class OperatorBody(Body):
    """A new operator. Without a password, one is set by a reset link."""

    email: Text
    first_name: Name
    last_name: Name
    password: Secret | None = None
    confirmation: Secret | None = None
    is_temporary: bool = False
    is_agent: bool = False
    licence_id: Number | None = None
    max_conversations: Many = 5
    may_leave_open: bool = False
    sees_queued: bool = False
    is_active: bool = True
    roles: Names = []


class OperatorChanges(Body):
    """What is to change of an operator; what is not named stays."""

    first_name: Name | None = None
    last_name: Name | None = None
    is_agent: bool | None = None
    licence_id: Number | None = None
    max_conversations: Many | None = None
    may_leave_open: bool | None = None
    sees_queued: bool | None = None
    is_active: bool | None = None
    roles: Names | None = None


class OperatorModel(BaseModel):
    """An operator."""

    id: int
    email: str
    first_name: str
    last_name: str
    is_agent: bool
    licence_id: int | None
    max_conversations: int
    may_leave_open: bool
    sees_queued: bool
    is_active: bool
    must_change_password: bool
    agent_state: str
    agent_state_at: datetime
    open_conversations: int
    created_at: datetime
    version: int
    roles: list[str]

    @classmethod
    def of(cls, operator: Operator) -> "OperatorModel":
        return cls.model_validate({name: getattr(operator, name) for name in cls.model_fields})


class SessionModel(BaseModel):
    """A session: how long it stands if nothing is heard of it, and at most."""

    id: int
    created_at: datetime
    seen_at: datetime
    lease_until: datetime
    absolute_until: datetime
    address: str | None
    user_agent: str | None

    @classmethod
    def of(cls, session: Session) -> "SessionModel":
        return cls.model_validate({name: getattr(session, name) for name in cls.model_fields})


class SignedInModel(BaseModel):
    """A new session; `secret` is shown this once, and goes into the header `Authorization: Bearer …`.

    It is null where the session is in a cookie.
    """

    secret: str | None
    session: SessionModel
    operator: OperatorModel
    permissions: list[str]


class MeModel(BaseModel):
    """Who asks, and what they may do."""

    actor: str
    permissions: list[str]
    operator: OperatorModel | None = None
    session: SessionModel | None = None


class LicenceBody(Body):
    """Seats that were bought."""

    name: Name
    kind: Kind = "agent"
    holding: Holding = "floating"
    seats: Seats
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class LicenceChanges(Body):
    """What is to change of a licence; what is not named stays."""

    name: Name | None = None
    kind: Kind | None = None
    seats: Seats | None = None
    valid_from: Moment | None = None
    valid_until: Moment | None = None


class LicenceModel(BaseModel):
    """A licence."""

    id: int
    name: str
    kind: Kind
    holding: Holding
    seats: int
    valid_from: datetime | None
    valid_until: datetime | None
    created_at: datetime
    version: int

    @classmethod
    def of(cls, licence: Licence) -> "LicenceModel":
        return cls.model_validate({name: getattr(licence, name) for name in cls.model_fields})


class HolderModel(BaseModel):
    """Who has a seat, since when, and when it is free if nothing is heard of them."""

    operator_id: int
    name: str
    since: datetime
    free_at: datetime | None


class SeatsModel(BaseModel):
    """A licence as it stands."""

    licence: LicenceModel
    taken: int
    free: int
    is_valid: bool
    expires_soon: bool
    holders: list[HolderModel]

    @classmethod
    def of(cls, view: SeatView) -> "SeatsModel":
        holders = [
            HolderModel(operator_id=one.operator_id, name=one.name, since=one.since, free_at=one.free_at)
            for one in view.holders
        ]
        return cls(
            licence=LicenceModel.of(view.licence),
            taken=len(holders),
            free=view.free,
            is_valid=view.is_valid,
            expires_soon=view.expires_soon,
            holders=holders,
        )


class DayModel(BaseModel):
    """The most seats that were taken at one moment of a day (UTC)."""

    day: str
    taken: int


class RoleBody(Body):
    """What a role may do."""

    permissions: Permissions


class RoleModel(BaseModel):
    """A role."""

    name: str
    permissions: list[str]
    is_built_in: bool
    version: str


class TokenBody(Body):
    """A new token: its permissions are among its maker's."""

    name: Name
    permissions: Permissions
    expires_at: Moment | None = None


class TokenModel(BaseModel):
    """A token of a machine, without the secret."""

    id: int
    name: str
    permissions: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, token: Token) -> "TokenModel":
        return cls.model_validate({name: getattr(token, name) for name in cls.model_fields})


class NewTokenModel(BaseModel):
    """A new token; `secret` is shown this once."""

    secret: str
    token: TokenModel


class LinkModel(BaseModel):
    """A reset link and its secret, which are shown this once; or the address that the link was mailed to."""

    secret: str | None = None
    link: str | None = None
    mailed_to: str | None = None


class EntryModel(BaseModel):
    """An entry of the audit."""

    id: int
    at: datetime
    actor: str
    address: str | None
    action: str
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> "EntryModel":
        return cls.model_validate({name: getattr(entry, name) for name in cls.model_fields})
