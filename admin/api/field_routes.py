"""Custom fields and tags by JSON: defined, named, converted, merged, kept tidy."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, Field, WithJsonSchema

from admin.api.callers import AtDesk, May, asked_by
from admin.api.etags import WATCHED
from admin.api.import_models import JobModel
from admin.api.models import NO_NUL, Body, Name, Text, among
from admin.api.models import Number as BodyNumber
from admin.api.pages import Number
from admin.api.problems import problems
from admin.api.watched import to_be_watched
from pipelines import fields, tags
from pipelines.access import Caller
from pipelines.fields import TYPES, FieldForm
from warehouse.fields import CustomField, Tag

router = APIRouter(prefix="/api", tags=["fields and tags"])
Reader = Annotated[Caller, Depends(May("fields:read"))]
Writer = Annotated[Caller, Depends(May("fields:write"))]
Merger = Annotated[Caller, Depends(May("contacts:edit_many"))]
Key = Annotated[str, Path(min_length=1, max_length=60, pattern=NO_NUL, description="The key of the field.")]
Options = Annotated[list[Name], Field(max_length=100)]
TypeName = Annotated[str, among(*TYPES), WithJsonSchema({"type": "string", "enum": list(TYPES)})]


class FieldModel(BaseModel):
    """A custom field."""

    key: str
    label: str
    type: str
    options: list[str]
    created_at: datetime
    is_archived: bool

    @classmethod
    def of(cls, found: CustomField) -> "FieldModel":
        said = {name: getattr(found, name) for name in ("key", "label", "type", "created_at")}
        return cls(**said, options=found.options or [], is_archived=found.archived_at is not None)


class FieldBody(Body):
    """A new field; without a label it has its key for one. A choice (one, or several) has options."""

    key: Text
    type: TypeName = "text"
    label: Text = ""
    options: Options = []


class FieldChanges(Body):
    """What is to change of a field."""

    label: Text | None = None
    is_archived: bool | None = None
    options: Options | None = None


class TypeBody(Body):
    """The type that a field is to have."""

    type: TypeName


class TagModel(BaseModel):
    """A tag, and how many contacts have it."""

    id: int
    name: str
    colour: str | None
    contacts: int

    @classmethod
    def of(cls, found: Tag) -> "TagModel":
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class TagChanges(Body):
    """What is to change of a tag; a colour is written as #1d4ed8, and an empty one takes it away."""

    name: Name | None = None
    colour: Text | None = None


class MergeBody(Body):
    """The tag that those have instead who have the other."""

    into: BodyNumber


@router.get("/fields", responses=problems(401, 403))
def find_fields(caller: Reader, desk: AtDesk) -> list[FieldModel]:
    """Every custom field, archived ones too."""
    return [FieldModel.of(one) for one in fields.find_fields(desk.store)]


@router.post("/fields", status_code=201, responses=problems(401, 403))
def create_field(body: FieldBody, caller: Writer, request: Request, desk: AtDesk) -> FieldModel:
    """Define a custom field before a file brings it."""
    return FieldModel.of(fields.create_field(desk.store, FieldForm(**body.model_dump()), asked_by(request, caller)))


@router.patch("/fields/{key}", responses=problems(401, 403, 404))
def edit_field(key: Key, body: FieldChanges, caller: Writer, request: Request, desk: AtDesk) -> FieldModel:
    """Name a field otherwise; put it away with its values, or take it out again; give a choice other options."""
    asked = asked_by(request, caller)
    changes = body.model_dump()
    return FieldModel.of(fields.edit_field(desk.store, key, asked, **changes))


@router.post("/fields/{key}/convert", status_code=202, responses=WATCHED | problems(401, 403, 404))
def convert_field(
    key: Key, body: TypeBody, caller: Writer, request: Request, response: Response, desk: AtDesk
) -> JobModel:
    """Give a field another type, if every value fits it: a job, which says how many do not."""
    work = fields.ask_for_conversion(desk.store, key, body.type, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.get("/tags", responses=problems(401, 403))
def find_tags(caller: Reader, desk: AtDesk) -> list[TagModel]:
    """Every tag, with how many contacts have it."""
    return [TagModel.of(one) for one in tags.find_tags(desk.store)]


@router.get("/near-tags", responses=problems(401, 403))
def near_tags(caller: Reader, desk: AtDesk) -> list[list[TagModel]]:
    """Groups of tags that may be one, such as VIP and Vips."""
    return [[TagModel.of(one) for one in group] for group in tags.near_tags(tags.find_tags(desk.store))]


@router.patch("/tags/{number}", responses=problems(401, 403, 404))
def edit_tag(number: Number, body: TagChanges, caller: Writer, request: Request, desk: AtDesk) -> TagModel:
    """Write a tag otherwise, or give it a colour."""
    asked = asked_by(request, caller)
    return TagModel.of(tags.edit_tag(desk.store, number, asked, name=body.name, colour=body.colour))


@router.delete("/tags/{number}", status_code=204, responses=problems(401, 403, 404))
def drop_tag(number: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Take a tag away that no contact has."""
    tags.drop_tag(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/tags/{number}/merge", status_code=202, responses=WATCHED | problems(401, 403, 404))
def merge_tags(
    number: Number, body: MergeBody, caller: Merger, request: Request, response: Response, desk: AtDesk
) -> JobModel:
    """Let whoever has this tag have another instead: an edit of many, which can be undone."""
    work = tags.merge_tags(desk.store, desk.settings, number, body.into, asked_by(request, caller))
    return to_be_watched(work, request, response, desk)
