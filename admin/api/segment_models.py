"""What the API takes and gives of segments."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema

from admin.api.contact_models import ContactModel
from admin.api.models import NO_NUL, Body, Name, Number, Text, among
from pipelines.segments import KINDS, SegmentForm
from warehouse.segments import Event, Run, Segment

FilterText = Annotated[str, Field(max_length=8_000, pattern=NO_NUL)]
SegmentKind = Annotated[Name, among(*KINDS), WithJsonSchema({"type": "string", "enum": list(KINDS)})]
Contacts = Annotated[list[Number], Field(max_length=100_000)]


class SegmentBody(Body):
    """A new segment: a filter (dynamic, or a snapshot of now) or a list of contacts (static)."""

    name: Name
    kind: SegmentKind = "dynamic"
    filter: FilterText | None = None
    schedule: Text | None = None
    description: Text | None = None
    contacts: Contacts = []

    def form(self) -> SegmentForm:
        return SegmentForm(self.name, self.kind, self.filter, self.schedule, self.description, tuple(self.contacts))


class SegmentChanges(Body):
    """What is to change of a segment; what is not named stays, and null takes a schedule or description away."""

    name: Name | None = None
    filter: FilterText | None = None
    schedule: Text | None = None
    description: Text | None = None

    def changes(self) -> dict[str, Any]:
        given = self.model_dump(exclude_unset=True)
        kept = {
            name: value for name, value in given.items() if value is not None or name in ("schedule", "description")
        }
        return {"filter_text" if name == "filter" else name: value for name, value in kept.items()}


class MembersBody(Body):
    """All the contacts of a static segment."""

    contacts: Contacts


class PinBody(Body):
    """Whether a contact is always in or never; null: as the filter says."""

    is_in: bool | None


class PreviewBody(Body):
    """A filter to be tried."""

    filter: FilterText


class SegmentModel(BaseModel):
    """A segment: who is meant, how many are in it as of when, and what went wrong last."""

    id: int
    name: str
    kind: str
    description: str | None
    filter: str | None
    schedule: str | None
    next_at: datetime | None
    as_of: datetime | None
    size: int
    took_ms: int | None
    failures: int
    error: str | None
    created_by: str
    created_at: datetime
    version: int

    @classmethod
    def of(cls, segment: Segment, language: str) -> "SegmentModel":
        own = {name: getattr(segment, name) for name in cls.model_fields if name not in ("filter", "error")}
        error = segment.error_es if language == "es" else segment.error_en
        return cls(**own, filter=segment.filter_text, error=error or None)


class RunModel(BaseModel):
    """A refresh: who joined and left, and whether all contacts were looked at (`full`) or only `candidates`."""

    id: int
    at: datetime
    took_ms: int
    how: str
    candidates: int | None
    joined: int
    left: int
    size: int
    error: str | None

    @classmethod
    def of(cls, run: Run, language: str) -> "RunModel":
        own = {name: getattr(run, name) for name in cls.model_fields if name != "error"}
        return cls(**own, error=(run.error_es if language == "es" else run.error_en) or None)


class EventModel(BaseModel):
    """A contact joined or left."""

    id: int
    contact_id: int
    joined: bool
    at: datetime
    run_id: int | None

    @classmethod
    def of(cls, event: Event) -> "EventModel":
        return cls(**{name: getattr(event, name) for name in cls.model_fields})


class MembersModel(BaseModel):
    """Part of the members as they were when the first part was asked for."""

    items: list[int]
    next: str | None


class PreviewModel(BaseModel):
    """How many contacts a filter means, and a few of them."""

    count: int
    exact: bool
    sample: list[ContactModel]


class WhyModel(BaseModel):
    """Part of a filter, and whether it holds of the contact."""

    part: str
    holds: bool
