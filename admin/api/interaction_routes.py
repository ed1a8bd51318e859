"""What happened with contacts, told by chat platforms: one or many at a time, each taken once."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from admin.api.callers import AtDesk, May, asked_by
from admin.api.contact_models import LongText
from admin.api.models import Body, Moment, Name, Number, Text
from admin.api.problems import language_of, problems
from pipelines.access import Caller
from pipelines.interactions import Taken, Told, take_interactions

router = APIRouter(prefix="/api", tags=["contacts"])
Teller = Annotated[Caller, Depends(May("interactions:write"))]


class ToldModel(Body):
    """Something that happened; `id` is the source's own, and the contact is meant by one of its keys."""

    id: Name
    kind: Text
    at: Moment
    contact: Number | None = None
    phone: Text | None = None
    email: Text | None = None
    external_id: Name | None = None
    channel: Text | None = None
    ref: Name | None = None
    actor: Text | None = None
    text: LongText | None = None


class ToldBody(Body):
    """What a source tells, at most 1,000 at a time."""

    source: Name
    items: Annotated[list[ToldModel], Field(min_length=1, max_length=1_000)]


class RefusedModel(BaseModel):
    """What was not taken: its place among the items, and why."""

    index: int
    code: str
    message: str


class TakenModel(BaseModel):
    """How many were new, how many known already, and what was not taken."""

    taken: int
    known: int
    refused: list[RefusedModel]

    @classmethod
    def of(cls, found: Taken, language: str) -> "TakenModel":
        refused = [
            RefusedModel(index=one.index, code=one.code, message=one.sentence.said(language)) for one in found.refused
        ]
        return cls(taken=found.taken, known=found.known, refused=refused)


@router.post("/interactions", responses=problems(401, 403))
def take(body: ToldBody, caller: Teller, request: Request, desk: AtDesk) -> TakenModel:
    """Tell what happened with contacts. What was told before (by `source` and `id`) is known, and changes nothing."""
    told = [Told(**item.model_dump()) for item in body.items]
    found = take_interactions(desk.store, desk.settings, body.source, told, asked_by(request, caller))
    return TakenModel.of(found, language_of(request))
