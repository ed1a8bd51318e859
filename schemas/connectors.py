"""Connector files: a CRM's REST API as one TOML file says it. What is not said here, a CRM is not asked.

A request's `path`, `params`, `headers` and `body` may name in braces what is known when it is made: `{id}`, `{ids}`,
`{values}`, `{token}`, `{since}`, `{page}`, `{fields}`, `{items}`, `{version}`, `{session}`, `{config.NAME}` and
`{secret.NAME}`. A text that is one such name alone becomes what it stands for, whatever its type; a parameter or key
that stands for nothing is left out. After a `|` stands how it is written: `join`, `rfc3339`, `plain`, `ms`, `s`,
`http`, `int`, `ints`, `as_ids`, `quoted`, `json` or `base64`. What a key `...` stands for is put among the others.

A file that `extends` one that comes with Padrón has all of that one but the tables that it has itself.
"""

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from schemas.crm import Capabilities
from schemas.mappings import WrongMapping, told


class WrongConnector(WrongMapping):
    """A connector file does not say what it should; the message says where."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RequestSpec(_Table):
    """One request: what is asked, and where the answer has what was asked for."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: str
    params: Mapping[str, Any] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    body: Any = None
    form: bool = False
    result: str = ""


class Paging(_Table):
    """How the next page is found: its mark or address in the answer, or by counting."""

    by: Literal["mark", "url", "number", "offset", "last_id", "none"] = "none"
    at: str = ""
    size: int = Field(100, ge=1, le=10_000)
    first: int = 1


class ListSpec(RequestSpec):
    """A listing: `items` are the records, `gone` the ids of those that are not there any more.

    `most` is how many tokens are asked for in one call, where that is not `batch_read`.
    """

    items: str = ""
    page: Paging = Paging()
    most: int = Field(0, ge=0)
    gone: str = ""


class WriteSpec(RequestSpec):
    """A write. `returns` says whether the answer has the record, only its id, or neither.

    For many at once, `item` is what each of `{items}` looks like; the answers are in the order of what was sent, or
    each names its record by `id` or `token`. `ok`, `error` and `code` are where each answer says whether it was taken,
    and why not.
    """

    returns: Literal["record", "id", "nothing"] = "record"
    id: str = ""
    item: Any = None
    results: str = ""
    order: Literal["sent", "id", "token"] = "sent"
    ok: str = ""
    ok_is: tuple[str, ...] = ()
    error: str = ""
    code: str = ""
    errors: str = ""
    errors_id: str = ""


class Shape(_Table):
    """A field that is a list of values, of which contacts have one: the primary, or else the first."""

    value: str = "value"
    primary: str = "primary"
    label: Mapping[str, Any] = Field(default_factory=dict)


class DescribeSpec(RequestSpec):
    """The CRM's own list of fields; `{}` of fields by name where `by_name` is set."""

    items: str = ""
    by_name: bool = False
    name: str = "name"
    label: str = "label"
    type: str = "type"
    types: Mapping[str, str] = Field(default_factory=dict)
    options: str = ""
    option_id: str = "value"
    option_label: str = "label"
    read_only: str = ""
    writable: str = ""


class ContactSpec(_Table):
    """The contact there: where its parts are, and the requests that read and write it.

    `values` is where its fields stand; those under the key `nested` are named `nested.field`. `version` is a path, or
    `hash`, or a path and `+hash` where times are too coarse. `empties` are what stands for nothing, and `clear` what is
    written for it (null unless said); where `absent` is `empty`, a field that is not there is empty too.
    """

    id: str = "id"
    values: str = ""
    nested: str = ""
    modified: str = ""
    time: Literal["rfc3339", "plain", "ms", "s"] = "rfc3339"
    zone: str = "UTC"
    version: str = ""
    archived: str = ""
    archived_is: tuple[str, ...] = ("true",)
    merged_into: str = ""
    token: str = ""
    empties: tuple[Any, ...] = ("",)
    clear: Any = None
    absent: Literal["missing", "empty"] = "missing"
    shapes: Mapping[str, Shape] = Field(default_factory=dict)
    always: tuple[str, ...] = ()
    merges: Literal["redirect", "named", "vanish"] = "vanish"
    list: ListSpec
    list_all: ListSpec | None = None
    read: RequestSpec | None = None
    read_many: ListSpec | None = None
    by_token: ListSpec | None = None
    create: WriteSpec
    create_many: WriteSpec | None = None
    update: WriteSpec
    update_many: WriteSpec | None = None
    archive: WriteSpec | None = None
    archive_many: WriteSpec | None = None
    erase: WriteSpec | None = None
    describe: DescribeSpec | None = None


class Auth(_Table):
    """How requests prove who asks."""

    type: Literal["none", "basic", "bearer", "header", "query", "oauth2", "login"] = "none"
    user: str = ""
    password: str = ""
    token: str = ""
    name: str = ""
    value: str = ""
    token_url: str = ""
    client_auth: Literal["basic", "body"] = "body"
    grant: Literal["refresh_token", "client_credentials"] = "refresh_token"
    scheme: str = "Bearer"
    login: RequestSpec | None = None
    session: str = ""
    headers: Mapping[str, str] = Field(default_factory=dict)


Meaning = Literal["gone", "stale", "throttled", "sign_in", "forbidden", "refused", "away"]
"""What an error is: `away` may go well later, as when a row is locked or the server fell over."""


class Errors(_Table):
    """What statuses mean, and what `codes` mean, which stand at `code` in answers of other statuses than 200.

    `body` is where an answer of 200 says that it is an error after all, with such a code; one that has something at
    `answered` is none in a write's answer of 400: it says of each record what became of it.
    """

    gone: tuple[int, ...] = (404, 410)
    stale: tuple[int, ...] = (412,)
    throttled: tuple[int, ...] = (429,)
    sign_in: tuple[int, ...] = (401,)
    forbidden: tuple[int, ...] = (403,)
    message: str = "message"
    body: str = ""
    answered: str = ""
    code: str = ""
    codes: Mapping[str, Meaning] = Field(default_factory=dict)
    throttled_by_page: bool = False
    """A 403 that is a web page means that too much was asked (Cloudflare in front of the API)."""


class Bucket(_Table):
    """How many calls, or tokens that calls cost, in how many seconds."""

    name: str
    calls: float = Field(gt=0)
    seconds: float = Field(gt=0)
    match: str = ""


class Limits(_Table):
    """What the CRM allows, shared by all workers; `reserve` is the part of a day's that is left to others.

    `wait` is how long nothing is asked (seconds) where the CRM wants fewer requests and does not say for how long.
    """

    buckets: tuple[Bucket, ...] = ()
    cost: Mapping[str, float] = Field(default_factory=dict)
    reserve: float = Field(0.0, ge=0, lt=1)
    retry_after: str = "Retry-After"
    wait: float = Field(10.0, gt=0)


class Verify(_Table):
    """How a webhook's call proves where it comes from."""

    type: Literal["hmac", "standard", "hubspot", "basic", "token", "path"] = "path"
    header: str = ""
    key: str = "{secret.hook}"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encode: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed_id: str = ""
    user: str = "{secret.hook_user}"
    password: str = "{secret.hook_password}"
    token: str = ""
    max_skew: float = 300.0


class WebhookSpec(_Table):
    """What a webhook's call says: which records it is about; `id_is` is how an id looks, as a regular expression."""

    verify: Verify = Verify()
    items: str = "."
    id: str
    more_ids: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    id_is: str = ""


class Connector(_Table):
    """A whole connector file."""

    title: str
    docs: str = ""
    base_url: str
    config: Mapping[str, str] = Field(default_factory=dict)
    secrets: Mapping[str, str] = Field(default_factory=dict)
    headers: Mapping[str, str] = Field(default_factory=dict)
    auth: Auth = Auth()
    check: RequestSpec | None = None
    errors: Errors = Errors()
    limits: Limits = Limits()
    capabilities: Mapping[str, Any] = Field(default_factory=dict)
    webhook: WebhookSpec | None = None
    mapping: Mapping[str, Any] | None = None
    contact: ContactSpec

    @property
    def can(self) -> Capabilities:
        """What the file declares, and what follows from the requests that it has."""
        contact = self.contact
        follows = {
            "can_archive": contact.archive is not None,
            "can_erase": contact.erase is not None,
            "stable_pages": contact.list.page.by not in ("number", "offset"),
        }
        return _CAN.validate_python({**follows, **self.capabilities})

    @model_validator(mode="after")
    def _can_do_it(self) -> "Connector":
        unknown = sorted(set(self.capabilities) - set(Capabilities.__slots__))
        if unknown:
            raise ValueError(f"there is no capability {unknown[0]!r} | no existe la capacidad {unknown[0]!r}")
        contact, create = self.contact, self.can.create
        if contact.read is None and contact.read_many is None:
            raise ValueError("contact has read or read_many | contact lleva read o read_many")
        if create in ("token", "probe") and (contact.by_token is None or not contact.token):
            english = f"create = {create!r} wants contact.token and contact.by_token"
            raise ValueError(f"{english} | create = {create!r} pide contact.token y contact.by_token")
        return self


_CAN: TypeAdapter[Capabilities] = TypeAdapter(Capabilities)


def parse_connector(text: str, place: str, read: Callable[[str], str | None] = lambda name: None) -> Connector:
    """A connector from TOML, and from what it extends, which is read by its name; raises WrongConnector."""
    try:
        found = tomllib.loads(text)
        if "extends" in found:
            name = str(found.pop("extends"))
            base = read(name)
            if base is None:
                raise WrongConnector(
                    f"{place} extends {name}, which does not come with Padrón.",
                    f"{place} amplía {name}, que no viene con Padrón.",
                )
            found = {**tomllib.loads(base), **found}
        return Connector.model_validate(found)
    except tomllib.TOMLDecodeError as error:
        raise WrongConnector(f"{place} is not valid TOML: {error}.", f"{place} no es TOML válido: {error}.") from error
    except ValidationError as error:
        raise WrongConnector(*(f"{place}: {said}." for said in told(error))) from error
