"""Contacts by JSON: found, read, created, edited, blocked, archived."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from admin.api.callers import AtDesk, Desk, IdempotencyKey, May, asked_by, once_of, require
from admin.api.contact_models import (
    BlockBody,
    BulkBody,
    ChangeModel,
    ConsentBody,
    ContactChanges,
    ContactModel,
    CountModel,
    DetailModel,
    FilterBody,
    InteractionModel,
    NoteBody,
)
from admin.api.etags import MADE, MADE_HERE, VERSIONED, WATCHED, IfMatch, wanted_version, with_etag
from admin.api.import_models import JobModel
from admin.api.models import NO_NUL, Page
from admin.api.pages import Cursor, Limit, Number, Search, after, page
from admin.api.problems import Refusal, problems
from admin.api.watched import to_be_watched
from pipelines import bulk_edits, consents, contacts, edits, notes
from pipelines.access import Caller
from pipelines.once import create_once
from warehouse.contact_lists import MOST_COUNTED, ORDERS, Listed, Wanted

router = APIRouter(prefix="/api", tags=["contacts"])
Reader = Annotated[Caller, Depends(May("contacts:read"))]
Writer = Annotated[Caller, Depends(May("contacts:write"))]
Many = Annotated[Caller, Depends(May("contacts:edit_many"))]
Blocker = Annotated[Caller, Depends(May("contacts:block"))]
Filter = Annotated[
    str, Query(max_length=8_000, pattern=NO_NUL, description="A filter in CQL2 text, such as city = 'Lima'.")
]
Sort = Annotated[
    str, Query(max_length=40, pattern=NO_NUL, description=f"One of {', '.join(ORDERS)}; with - before it, downwards.")
]
Channel = Annotated[str, Path(min_length=1, max_length=20, pattern=NO_NUL, description="A channel, or all.")]
ListCursor = Annotated[str | None, Query(max_length=2_000, description="The `next` of the part before.")]


def _wanted(desk: Desk, filter_: str | dict[str, Any] | bool, search: str, sort: str, cursor: str | None) -> Wanted:
    order = sort.removeprefix("-")
    if order not in ORDERS:
        listed = ", ".join(ORDERS)
        raise Refusal(
            409,
            "wrong_order",
            f"sort is one of {listed}, or one with - before it.",
            f"sort es uno de {listed}, o uno con - delante.",
        )
    asked = filter_ if isinstance(filter_, str | dict) else None
    condition = contacts.read_filter(desk.store, desk.settings, asked) if asked else None
    sought = contacts.read_search(search, desk.settings.default_country or None)
    return Wanted(condition, sought, order, sort.startswith("-"), _place_of(cursor, order))


def _place_of(cursor: str | None, order: str) -> tuple[Any, int] | None:
    """Where the page before ended, as its cursor says."""
    if cursor is None:
        return None
    try:
        found, value, number = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if value is not None and order.endswith("_at"):
            value = datetime.fromisoformat(value).astimezone(UTC)
        number_fits = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**62
        kind = datetime if order.endswith("_at") else int if order == "id" else str
        value_fits = value is None or isinstance(value, kind)
        if (
            found != order
            or not (number_fits and value_fits)
            or (order == "id" and value != number)
            or "\0" in str(value)
        ):
            raise ValueError(cursor)
        str(value).encode()
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise Refusal(
            409, "wrong_cursor", "The cursor is not one of this list's.", "El cursor no es de esta lista."
        ) from error
    return value, number


def _page(listed: list[Listed], limit: int, order: str) -> Page[ContactModel]:
    shown = [ContactModel.of(one) for one in listed[:limit]]
    if len(listed) <= limit:
        return Page(items=shown)
    value, number = listed[limit - 1].place
    value = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([order, value, number], ensure_ascii=False)
    return Page(items=shown, next=base64.urlsafe_b64encode(text.encode()).decode())


@router.get("/contacts", responses=problems(401, 403))
def find(
    caller: Reader,
    desk: AtDesk,
    filter_: Annotated[Filter, Query(alias="filter")] = "",
    search: Search = "",
    sort: Sort = "-id",
    cursor: ListCursor = None,
    limit: Limit = 50,
) -> Page[ContactModel]:
    """Contacts by filter, and by what is searched for: a name, an e-mail, a phone in any spelling."""
    wanted = _wanted(desk, filter_, search, sort, cursor)
    found = contacts.find_contacts(desk.store, desk.settings, wanted, limit + 1, desk.clock())
    return _page(list(found), limit, wanted.order)


@router.post("/contact-search", responses=problems(401, 403))
def find_by_json(body: FilterBody, caller: Reader, desk: AtDesk) -> Page[ContactModel]:
    """Contacts by a filter in CQL2 JSON."""
    wanted = _wanted(desk, body.filter, body.search, body.sort, body.cursor)
    found = contacts.find_contacts(desk.store, desk.settings, wanted, body.limit + 1, desk.clock())
    return _page(list(found), body.limit, wanted.order)


@router.get("/contact-count", responses=problems(401, 403))
def count(
    caller: Reader,
    desk: AtDesk,
    filter_: Annotated[Filter, Query(alias="filter")] = "",
    search: Search = "",
    exactly: Annotated[bool, Query(description="Count on beyond 10,000.")] = False,
) -> CountModel:
    """How many contacts a filter and a search find."""
    wanted = _wanted(desk, filter_, search, "-id", None)
    found = contacts.count_contacts(desk.store, desk.settings, wanted, desk.clock(), exactly=exactly)
    exact = exactly or found < MOST_COUNTED
    return CountModel(count=found if exact else MOST_COUNTED - 1, exact=exact)


@router.post("/contact-edits", status_code=202, responses=WATCHED | problems(401, 403))
def edit_many(body: BulkBody, caller: Many, request: Request, response: Response, desk: AtDesk) -> JobModel:
    """Change all who match a filter, or who were picked: a job, and a batch that is undone as an import is.

    What `GET /api/contact-count?exactly=true` says is sent as `expected`, so that nobody else is changed than was seen.
    """
    if body.action in ("block", "delete"):
        require(caller, f"contacts:{body.action}")
    work = bulk_edits.ask_for_edit(desk.store, desk.settings, body.form(), asked_by(request, caller))
    return to_be_watched(work, request, response, desk)


@router.post("/contacts", status_code=201, responses=MADE | problems(401, 403, 404))
def create(
    body: ContactChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    key: IdempotencyKey = None,
) -> DetailModel:
    """Make a contact by hand; a phone or e-mail that another one has is refused, and named."""
    number = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: edits.create_contact(desk.store, desk.settings, body.form(), asked),
        lambda number: number,
    )
    response.headers["Location"] = f"/api/contacts/{number}"
    return _shown(desk, number, response)


def _shown(desk: Desk, number: int, response: Response) -> DetailModel:
    detail = contacts.find_contact(desk.store, number)
    with_etag(response, detail.version)
    return DetailModel.whole(detail)


@router.get("/contacts/{number}", responses=VERSIONED | problems(401, 403, 404))
def show(number: Number, caller: Reader, response: Response, desk: AtDesk) -> DetailModel:
    """Everything about one contact, and where each value came from."""
    return _shown(desk, number, response)


@router.patch("/contacts/{number}", responses=VERSIONED | problems(401, 403, 404, 412))
def edit(
    number: Number,
    body: ContactChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> DetailModel:
    """Change what is named."""
    asked, version = asked_by(request, caller), wanted_version(if_match)
    edits.edit_contact(desk.store, desk.settings, number, body.form(), asked, version=version)
    return _shown(desk, number, response)


@router.get("/contacts/{number}/history", responses=problems(401, 403, 404))
def history(
    number: Number, caller: Reader, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50
) -> Page[ChangeModel]:
    """Who or what changed the contact, the newest first."""
    found = contacts.history_of(desk.store, number, limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, ChangeModel.of)


@router.get("/contacts/{number}/interactions", responses=problems(401, 403, 404))
def interactions(
    number: Number, caller: Reader, desk: AtDesk, cursor: Cursor = None, limit: Limit = 50
) -> Page[InteractionModel]:
    """What happened with the contact, the newest first."""
    found = contacts.interactions_of(desk.store, number, limit + 1, after(cursor) or None)
    return page(found, limit, lambda one: one.id, InteractionModel.of)


@router.put("/contacts/{number}/consents/{channel}", status_code=204, responses=problems(401, 403, 404))
def put_consent(
    number: Number, channel: Channel, body: ConsentBody, caller: Writer, request: Request, desk: AtDesk
) -> Response:
    """Keep what the person said to being written to, with where they said it; files and CRMs never lower it."""
    consents.set_consent(desk.store, number, body.form(channel), asked_by(request, caller))
    return Response(status_code=204)


@router.post("/contacts/{number}/notes", status_code=201, responses=MADE_HERE | problems(401, 403, 404))
def add_note(
    number: Number, body: NoteBody, caller: Writer, request: Request, response: Response, desk: AtDesk
) -> DetailModel:
    """Write a note on a contact."""
    notes.add_note(desk.store, number, body.text, asked_by(request, caller))
    return _shown(desk, number, response)


@router.delete("/contacts/{number}/notes/{note}", status_code=204, responses=problems(401, 403, 404))
def drop_note(number: Number, note: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Take a note away; the history keeps what it said."""
    notes.drop_note(desk.store, number, note, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/contacts/{number}/block", status_code=204, responses=problems(401, 403, 404))
def block(number: Number, body: BlockBody, caller: Blocker, request: Request, desk: AtDesk) -> Response:
    """Let no message reach a contact any more, whatever files and CRMs say."""
    edits.block_contact(desk.store, number, body.reason, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/contacts/{number}/unblock", status_code=204, responses=problems(401, 403, 404))
def unblock(number: Number, caller: Blocker, request: Request, desk: AtDesk) -> Response:
    """Take a block back."""
    edits.unblock_contact(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/contacts/{number}/archive", status_code=204, responses=problems(401, 403, 404))
def archive(number: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Put a contact away."""
    edits.archive_contact(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/contacts/{number}/restore", status_code=204, responses=problems(401, 403, 404))
def restore(number: Number, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Take a contact out of the archive."""
    edits.restore_contact(desk.store, number, asked_by(request, caller))
    return Response(status_code=204)
