"""What the API takes and gives of contacts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from admin.api.models import NO_NUL, Body, Moment, Name, Number, Text, among, whole
from pipelines.bulk_edits import ACTIONS, DELETE, BulkForm, text_of
from pipelines.consents import STATES, ConsentForm
from pipelines.edits import ContactForm
from schemas.consents import MARKETING
from warehouse.contact_details import Change, Detail, Happening
from warehouse.contact_lists import Listed

_OWN: tuple[str, ...] = (
    *("id", "display_name", "first_name", "last_name", "phone", "email", "company", "address", "city", "country"),
    *("photo_url", "channel", "status", "language", "created_at", "last_interaction_at"),
)
LongText = Annotated[str, Field(max_length=100_000, pattern=NO_NUL)]
Value = (
    LongText | bool | Annotated[float, Field(allow_inf_nan=False)] | Annotated[list[Name], Field(max_length=100)] | None
)


class ContactModel(BaseModel):
    """A contact as a list shows it."""

    id: int
    display_name: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    email: str | None
    company: str | None
    address: str | None
    city: str | None
    country: str | None
    photo_url: str | None
    channel: str | None
    status: str
    language: str | None
    created_at: datetime
    last_interaction_at: datetime | None
    tags: list[str]
    custom: dict[str, Any]

    @classmethod
    def of(cls, listed: Listed) -> "ContactModel":
        own = {name: listed.contact[name] for name in _OWN}
        return cls(**own, tags=listed.tags, custom=listed.custom)


class KeyModel(BaseModel):
    """A further key of a contact: a second phone, a shared one, an external id."""

    kind: str
    value: str
    written: str | None
    role: str


class NoteModel(BaseModel):
    """A note by the team, or from a file."""

    id: int
    text: str
    actor: str
    at: datetime


class ConsentModel(BaseModel):
    """What the contact said to being written to."""

    channel: str
    purpose: str
    state: str
    at: datetime
    source: str


class SegmentOfContact(BaseModel):
    """A segment that the contact is in."""

    id: int
    name: str
    since: datetime


class ChangeModel(BaseModel):
    """A change: who or what made it, from which file and row, and what changed, each as [before, after]."""

    id: int
    at: datetime
    actor: str
    operation: str
    batch_id: int | None
    row: int | None
    file: str | None
    source: str | None
    diff: dict[str, Any] | None

    @classmethod
    def of(cls, change: Change) -> "ChangeModel":
        said = {name: getattr(change, name) for name in cls.model_fields if name != "diff"}
        return cls(**said, diff=dict(change.diff) if change.diff is not None else None)


class OriginModel(BaseModel):
    """Where a value came from."""

    change: int
    at: datetime
    actor: str
    file: str | None
    row: int | None

    @classmethod
    def of(cls, change: Change) -> "OriginModel":
        return cls(change=change.id, at=change.at, actor=change.actor, file=change.file, row=change.row)


class StatisticsModel(BaseModel):
    """How much was written, and answered; the rate is replies for each message sent."""

    sent: int
    received: int
    replied: int
    response_rate: float | None
    first_sent_at: datetime | None
    first_received_at: datetime | None
    last_sent_at: datetime | None
    last_received_at: datetime | None


class DetailModel(ContactModel):
    """Everything about one contact but its history and interactions, which come in pages."""

    version: int
    blocked_at: datetime | None
    blocked_reason: str | None
    keys: list[KeyModel]
    notes: list[NoteModel]
    consents: list[ConsentModel]
    opted_out: list[str]
    segments: list[SegmentOfContact]
    statistics: StatisticsModel
    origins: dict[str, OriginModel]

    @classmethod
    def whole(cls, detail: Detail) -> "DetailModel":
        contact = detail.contact
        sent, replied = contact["sent"], contact["replied"]
        statistics = StatisticsModel(
            sent=sent,
            received=contact["received"],
            replied=replied,
            response_rate=round(replied / sent, 4) if sent else None,
            first_sent_at=detail.first_sent_at,
            first_received_at=detail.first_received_at,
            last_sent_at=contact["last_sent_at"],
            last_received_at=contact["last_received_at"],
        )
        shown = (*_OWN, "blocked_at", "blocked_reason")
        fields = {*_OWN, *(f"custom.{key}" for key in detail.custom)}
        return cls(
            **{name: contact[name] for name in shown},
            version=detail.version,
            tags=detail.tags,
            custom=detail.custom,
            keys=[KeyModel(**one) for one in detail.keys],
            notes=[NoteModel(**one) for one in detail.notes],
            consents=[ConsentModel(**one) for one in detail.consents],
            opted_out=detail.opted_out,
            segments=[SegmentOfContact(**one) for one in detail.segments],
            statistics=statistics,
            origins={name: OriginModel.of(one) for name, one in detail.origins.items() if name in fields},
        )


class InteractionModel(BaseModel):
    """Something that happened with the contact."""

    id: int
    kind: str
    ref: str | None
    at: datetime
    channel: str | None
    source: str
    external_id: str
    actor: str | None
    text: str | None

    @classmethod
    def of(cls, found: Happening) -> "InteractionModel":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class CountModel(BaseModel):
    """How many contacts; `exact` is false where counting stopped."""

    count: int
    exact: bool


def _keys(given: dict[str, Any]) -> dict[str, Any]:
    """Half a surrogate pair is no text, though JSON can write one."""
    for key in given:
        key.encode()
    return given


class ContactChanges(Body):
    """What is to change of a contact; null empties a field. `tags` are all that it is to have."""

    first_name: Text | None = None
    last_name: Text | None = None
    display_name: Text | None = None
    phone: Text | None = None
    email: Text | None = None
    company: Text | None = None
    address: LongText | None = None
    city: Text | None = None
    country: Text | None = None
    photo_url: LongText | None = None
    channel: Text | None = None
    status: Text | None = None
    language: Text | None = None
    custom: Annotated[dict[str, Value], Field(max_length=500), AfterValidator(_keys)] = {}
    tags: Annotated[list[Name], Field(max_length=200)] | None = None

    def form(self) -> ContactForm:
        """What the body says; dates and times of custom fields are texts."""
        given: Mapping[str, Any] = self.model_dump(exclude_unset=True)
        fields = {name: value for name, value in given.items() if name not in ("custom", "tags")}
        return ContactForm(fields, self.custom, self.tags)


_ACTIONS = ("", *ACTIONS, DELETE)


class BulkBody(Body):
    """Whom to change, by a filter (CQL2 text or JSON) or by numbers, and what; null empties a field."""

    filter: Annotated[str, Field(max_length=8_000, pattern=NO_NUL)] | dict[str, Any] = ""
    ids: Annotated[list[Number], Field(max_length=10_000)] = []
    fields: Annotated[dict[Text, LongText | None], Field(max_length=20)] = {}
    custom: Annotated[dict[str, Value], Field(max_length=500), AfterValidator(_keys)] = {}
    add_tags: Annotated[list[Name], Field(max_length=200)] = []
    remove_tags: Annotated[list[Name], Field(max_length=200)] = []
    action: Annotated[str, among(*_ACTIONS), WithJsonSchema({"type": "string", "enum": list(_ACTIONS)})] = ""
    reason: Name | None = None
    expected: Annotated[int, Field(ge=0, le=1_000_000_000), BeforeValidator(whole)] | None = None

    def form(self) -> BulkForm:
        given = self.model_dump(exclude={"filter"})
        return BulkForm(filter_text=text_of(self.filter) if self.filter else "", **given)


class ConsentBody(Body):
    """What a person said: `in` or `out`, where, and when if not just now; for marketing unless another is named."""

    state: Annotated[str, among(*STATES), WithJsonSchema({"type": "string", "enum": list(STATES)})]
    source: Name
    purpose: Text = MARKETING
    at: Moment | None = None

    def form(self, channel: str) -> ConsentForm:
        return ConsentForm(channel, **self.model_dump())


class NoteBody(Body):
    """What a note says."""

    text: LongText


class BlockBody(Body):
    """Why a contact is blocked."""

    reason: Name


class FilterBody(Body):
    """A filter in CQL2 JSON, an order, and how many contacts at most."""

    filter: dict[str, Any] | bool = True
    search: Annotated[str, Field(max_length=200, pattern=NO_NUL)] = ""
    sort: Text = "-id"
    cursor: Annotated[str, Field(max_length=2_000)] | None = None
    limit: Annotated[int, Field(ge=1, le=200), BeforeValidator(whole)] = 50
