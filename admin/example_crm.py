"""The example CRM: a small one of its own process, to try sync with before any real account is connected.

It has a JSON API (described by connectors/crm/example.toml), a page on which people edit contacts, and keeps what it
has in a file.
"""

import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from scheduler.tasks import utc_now

FIELDS = {
    "first_name": ("First name", "text"),
    "last_name": ("Last name", "text"),
    "email": ("E-mail", "email"),
    "phone": ("Phone", "phone"),
    "city": ("City", "text"),
    "labels": ("Labels", "list"),
    "do_not_contact": ("Do not contact", "boolean"),
}
_SHOWN = ("first_name", "last_name", "email", "phone", "city")
_MOST = 500


@dataclass
class Records:
    """The contacts of the example CRM, in a file."""

    path: Path
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def open(cls, path: Path) -> "Records":
        if not path.exists():
            found = cls(path)
            for row in _SAMPLES:
                found.add(row)
            return found
        document = json.loads(path.read_text("utf-8"))
        return cls(path, document["token"], document["rows"])

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_name(f".{self.path.name}.part")
        part.write_text(json.dumps({"token": self.token, "rows": self.rows}, ensure_ascii=False), "utf-8")
        part.replace(self.path)

    def add(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A new contact; the one there is, if it carries the same sync key."""
        key = values.get("sync_key")
        known = next((row for row in self.rows.values() if key and row.get("sync_key") == key), None)
        if known is not None:
            return known
        row: dict[str, Any] = dict.fromkeys(FIELDS) | {"id": f"c{len(self.rows) + 1}", "version": 0}
        self.rows[row["id"]] = row | {"deleted": False, "sync_key": key}
        return self.change(row["id"], {name: value for name, value in values.items() if name in FIELDS})

    def change(self, id_: str, values: Mapping[str, Any]) -> dict[str, Any]:
        row = self.rows[id_]
        row |= {**values, "version": row["version"] + 1, "updated_at": utc_now().isoformat()}
        self.save()
        return row


_SAMPLES = (
    {"first_name": "Lucía", "last_name": "Rojas", "email": "lucia.rojas@example.com", "phone": "+57 300 555 0101"},
    {"first_name": "Mateo", "last_name": "Gil", "email": "mateo.gil@example.com", "city": "Cali"},
    {"first_name": "Inés", "last_name": "Vega", "email": "ines.vega@example.com", "labels": ["vip"]},
)


def _records(request: Request) -> Records:
    found: Records = request.app.state.records
    return found


Kept = Annotated[Records, Depends(_records)]


def _signed_in(request: Request, records: Kept) -> None:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), records.token.encode()):
        raise HTTPException(401, "the token is wrong")


api = APIRouter(dependencies=[Depends(_signed_in)])
pages = APIRouter()


def build_example(records: Records) -> FastAPI:
    """The API and the page over these contacts."""
    app = FastAPI(title="Example CRM", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.records = records
    app.include_router(api)
    app.include_router(pages)
    app.add_exception_handler(HTTPException, _wrong)
    return app


def _wrong(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


@api.get("/me")
def me() -> dict[str, str]:
    return {"name": "Example CRM"}


@api.get("/fields")
def fields() -> dict[str, Any]:
    return {"fields": [{"name": name, "label": label, "type": kind} for name, (label, kind) in FIELDS.items()]}


@api.get("/contacts")
def find(
    records: Kept, changed_since: str = "", after: str = "", limit: int = 100, ids: str = "", sync_keys: str = ""
) -> dict[str, Any]:
    """Contacts by their ids, from one on; those that are deleted too."""
    with records.lock:
        rows = sorted(records.rows.values(), key=_place)
    since = datetime.fromisoformat(changed_since) if changed_since else None
    wanted, keys = set(ids.split(",")) - {""}, set(sync_keys.split(",")) - {""}
    found = [
        row
        for row in rows
        if (since is None or datetime.fromisoformat(row["updated_at"]) >= since)
        and (not wanted or row["id"] in wanted)
        and (not keys or row["sync_key"] in keys)
        and (not after or _place(row) > int(after[1:]))
    ]
    most = min(limit, _MOST)
    return {"contacts": found[:most], "next": found[most - 1]["id"] if len(found) > most else None}


def _place(row: Mapping[str, Any]) -> int:
    return int(row["id"][1:])


@api.get("/contacts/{id_}")
def read(id_: str, records: Kept) -> dict[str, Any]:
    return _row(records, id_)


@api.post("/contacts", status_code=201)
def create(values: dict[str, Any], records: Kept) -> dict[str, Any]:
    with records.lock:
        _check(values)
        return records.add(values)


@api.patch("/contacts/{id_}")
def edit(id_: str, values: dict[str, Any], request: Request, records: Kept) -> dict[str, Any]:
    with records.lock:
        row = _row(records, id_)
        if request.headers.get("If-Match", str(row["version"])) != str(row["version"]):
            raise HTTPException(412, "somebody changed it meanwhile")
        _check(values)
        return records.change(id_, {name: value for name, value in values.items() if name in FIELDS})


@api.delete("/contacts/{id_}", status_code=204)
def delete(id_: str, records: Kept) -> Response:
    with records.lock:
        _row(records, id_)
        records.change(id_, {"deleted": True})
    return Response(status_code=204)


@pages.get("/", response_class=HTMLResponse)
def page(records: Kept) -> str:
    with records.lock:
        return _page([row for row in records.rows.values() if not row["deleted"]])


@pages.post("/page/{id_}")
async def save(id_: str, request: Request, records: Kept) -> RedirectResponse:
    form = await request.form()
    values = {name: str(form.get(name, "")).strip() or None for name in _SHOWN}
    with records.lock:
        if id_ == "new":
            records.add(values)
        else:
            _row(records, id_)
            records.change(id_, {"deleted": True} if form.get("action") == "delete" else values)
    return RedirectResponse("/", 303)


def _row(records: Records, id_: str) -> dict[str, Any]:
    if id_ not in records.rows:
        raise HTTPException(404, f"there is no contact {id_}")
    return records.rows[id_]


def _check(values: Mapping[str, Any]) -> None:
    unknown = sorted(set(values) - {*FIELDS, "sync_key"})
    if unknown:
        raise HTTPException(422, f"there is no field {unknown[0]}")


def _page(rows: list[dict[str, Any]]) -> str:
    """The contacts as forms, one a row, in both languages."""
    heads = "".join(f"<th>{label}</th>" for label in ("Nombre", "Apellidos", "Correo", "Teléfono", "Ciudad", ""))
    return (
        "<!doctype html><html lang=es><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>CRM de ejemplo · Example CRM</title><style>body{font:16px system-ui;margin:2rem;max-width:70rem}"
        "input{font:inherit;width:100%;box-sizing:border-box;padding:.3rem}table{width:100%;border-collapse:collapse}"
        "td,th{padding:.2rem;text-align:left}button{font:inherit;padding:.3rem .6rem}</style>"
        f"<h1>CRM de ejemplo · Example CRM</h1><p>{len(rows)} contactos · contacts</p><table><tr>{heads}</tr>"
        + "".join(_form(row) for row in rows)
        + _form({"id": "new"})
        + "</table></html>"
    )


def _form(row: Mapping[str, Any]) -> str:
    id_ = escape(str(row["id"]))
    cells = "".join(
        f"<td><input form='f{id_}' name='{name}' aria-label='{FIELDS[name][0]}' "
        f"value='{escape(str(row.get(name) or ''))}'>"
        for name in _SHOWN
    )
    new = row["id"] == "new"
    gone = "" if new else f" <button form='f{id_}' name=action value=delete>Borrar · Delete</button>"
    verb = "Añadir · Add" if new else "Guardar · Save"
    return (
        f"<tr>{cells}<td><form id='f{id_}' method=post action='/page/{id_}'></form>"
        f"<button form='f{id_}' name=action value=save>{verb}</button>{gone}"
    )


def serve_example(path: Path, port: int) -> None:
    """Answer at this port of this machine until it is stopped."""
    records = Records.open(path)
    records.save()
    uvicorn.run(build_example(records), host="127.0.0.1", port=port, log_level="warning")
