"""Pairs of contacts that may be one person, by JSON."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from admin.api.callers import AtDesk, May, asked_by
from admin.api.models import Page
from admin.api.pages import Cursor, Limit, Number, after, cursor_of
from admin.api.problems import problems
from pipelines import candidates
from pipelines.access import Caller
from warehouse.candidates import Candidate, CandidatePair

router = APIRouter(prefix="/api", tags=["contacts"])


class CandidateModel(BaseModel):
    """One of a pair."""

    id: int
    display_name: str | None
    phone: str | None
    email: str | None

    @classmethod
    def of(cls, one: Candidate) -> "CandidateModel":
        return cls(id=one.id, display_name=one.display_name, phone=one.phone, email=one.email)


class CandidatePairModel(BaseModel):
    """Two contacts that may be one, and why (a code of the row report, or `merged_there`: the CRM made one of them)."""

    older: CandidateModel
    newer: CandidateModel
    reason: str
    batch: int | None
    at: datetime

    @classmethod
    def of(cls, pair: CandidatePair) -> "CandidatePairModel":
        older, newer = CandidateModel.of(pair.older), CandidateModel.of(pair.newer)
        return cls(older=older, newer=newer, reason=pair.reason, batch=pair.batch_id, at=pair.at)


@router.get("/candidate-pairs", responses=problems(401, 403, 409))
def find(
    caller: Annotated[Caller, Depends(May("contacts:read"))],
    desk: AtDesk,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CandidatePairModel]:
    """The pairs that nobody has decided about. A page has all of a contact's, so that it may be longer than `limit`."""
    found = candidates.pairs_to_review(desk.store, limit, after(cursor))
    following = cursor_of(found[-1].newer.id) if len(found) >= limit else None
    return Page(items=[CandidatePairModel.of(pair) for pair in found], next=following)


@router.put("/candidate-pairs/{number}/{contact}/apart", status_code=204, responses=problems(401, 403, 404))
def keep_apart(
    number: Number,
    contact: Number,
    caller: Annotated[Caller, Depends(May("contacts:write"))],
    request: Request,
    desk: AtDesk,
) -> Response:
    """They are two people: the pair is not shown again."""
    candidates.keep_apart(desk.store, number, contact, asked_by(request, caller))
    return Response(status_code=204)
