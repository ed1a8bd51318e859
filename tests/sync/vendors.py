"""HubSpot, Odoo and Pipedrive as far as contacts go, each with the traps that its documentation and its servers have."""

import itertools
import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]


@dataclass
class Vendor(ABC):
    """The state of one CRM, and what its people do. `fails` answers before the CRM does, `loses` hangs up after it did."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(101))
    now: datetime = datetime(2026, 11, 1, tzinfo=UTC)
    seen: list[tuple[str, str]] = field(default_factory=list)
    fails: Callable[[str, str], Answer | None] = lambda method, path: None
    loses: Callable[[str, str], bool] = lambda method, path: False
    url: str = ""

    def tick(self) -> datetime:
        self.now += timedelta(milliseconds=350)
        return self.now

    @abstractmethod
    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        """What the CRM answers."""

    def count(self, part: str) -> int:
        return sum(part in path for _, path in self.seen)


@contextmanager
def serving(vendor: Vendor) -> Iterator[Vendor]:
    """The CRM on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            vendor.seen.append((self.command, parts.path))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            is_form = "form" in self.headers.get("Content-Type", "")
            document = {name: values[0] for name, values in parse_qs(body.decode()).items()} if is_form else None
            document = json.loads(body) if body and not is_form else document
            status, said = vendor.fails(self.command, parts.path) or vendor.answer(
                self.command, parts.path, query, document, self.headers
            )
            if vendor.loses(self.command, parts.path):
                self.close_connection = True
                return
            is_page = isinstance(said, str)
            text = said.encode() if is_page else b"" if said is None else json.dumps(said).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "text/html" if is_page else "application/json")
            self.send_header("Date", vendor.now.strftime("%a, %d %b %Y %H:%M:%S GMT"))
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vendor.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()


# ── HubSpot ──────────────────────────────────────────────────────────────────────────────────────────────────────

_BASE = "/crm/v3/objects/contacts"


@dataclass
class HubSpot(Vendor):
    """Values are all text; an e-mail is taken once; a search lags, and shows 10,000 at most; a batch may be half taken."""

    lag: timedelta = timedelta(0)
    merged: dict[int, int] = field(default_factory=dict)
    most: int = 10_000

    def add(self, **values: str) -> int:
        number = next(self.ids)
        self.rows[number] = {"properties": values, "at": self.tick()}
        return number

    def change(self, number: int, **values: str) -> None:
        self.rows[number]["properties"].update(values)
        self.rows[number]["at"] = self.tick()

    def shown(self, number: int, names: list[str] | None) -> dict[str, Any]:
        row = self.rows[number]
        wanted = row["properties"] if names is None else {name: row["properties"].get(name) or None for name in names}
        return {"id": str(number), "properties": wanted, "updatedAt": row["at"].isoformat(), "archived": False}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        if headers.get("Authorization") != "Bearer pat-1":
            return 401, {"message": "Authentication credentials not found"}
        if path == "/crm/v3/properties/contacts":
            names = ("firstname", "lastname", "email", "phone", "company", "city", "country", "padron_key")
            return 200, {"results": [{"name": name, "label": name, "type": "string", "options": []} for name in names]}
        tail = path.removeprefix(_BASE).strip("/")
        if tail == "search":
            return self.search(body)
        if tail.startswith("batch/"):
            return self.batch(tail.removeprefix("batch/"), body)
        if tail == "gdpr-delete":
            self.rows.pop(int(body["objectId"]), None)
            return 204, None
        if not tail:
            return self.create(body) if method == "POST" else self.page(query)
        return self.one(method, self.merged.get(int(tail), int(tail)), query, body)

    def page(self, query: dict[str, str]) -> Answer:
        after, limit = int(query.get("after") or 0), int(query.get("limit", 10))
        ids = [number for number in sorted(self.rows) if number > after]
        names = query.get("properties", "").split(",")
        found: dict[str, Any] = {"results": [self.shown(number, names) for number in ids[:limit]]}
        if len(ids) > limit:
            found["paging"] = {"next": {"after": str(ids[limit - 1])}}
        return 200, found

    def search(self, body: Any) -> Answer:
        filters = body["filterGroups"][0]["filters"]
        since = datetime.fromtimestamp(int(filters[0]["value"]) / 1000, UTC)
        last = int(filters[1]["value"])
        if body["limit"] > 200:
            return 400, {"message": "limit"}
        ids = [n for n in sorted(self.rows) if n > last and since <= self.rows[n]["at"] <= self.now - self.lag]
        found = [self.shown(number, body["properties"]) for number in ids[: min(body["limit"], self.most)]]
        return 200, {"total": len(ids), "results": found}

    def batch(self, what: str, body: Any) -> Answer:
        inputs = body["inputs"]
        if len(inputs) > 100:
            return 400, {"message": "at most 100"}
        if what == "read":
            return self.batch_read(body)
        if what == "archive":
            for one in inputs:
                self.rows.pop(int(one["id"]), None)
            return 204, None
        results, errors = [], []
        emails = [one["properties"].get("email") for one in inputs if one["properties"].get("email")]
        if what == "create" and (len(set(emails)) < len(emails) or any(self.taken(email) for email in emails)):
            return 409, {"message": "Contact already exists"}
        for one in inputs:
            wrong = one["properties"].get("city") == "refused"
            if wrong or (what == "update" and int(one["id"]) not in self.rows):
                context = {"objectWriteTraceId": [one["objectWriteTraceId"]]}
                errors.append({"message": "Property values were not valid", "context": context})
                continue
            number = self.add() if what == "create" else int(one["id"])
            self.change(number, **one["properties"])
            results.append(self.shown(number, list(one["properties"])))
        return (207 if errors else 200), {"status": "COMPLETE", "results": results, "errors": errors}

    def taken(self, email: str) -> bool:
        return any(row["properties"].get("email") == email for row in self.rows.values())

    def batch_read(self, body: Any) -> Answer:
        by, found = body.get("idProperty"), []
        for one in body["inputs"]:
            ids = [n for n, row in self.rows.items() if (row["properties"].get(by) if by else str(n)) == one["id"]]
            found += [self.shown(number, body["properties"]) for number in ids]
        return 200, {"results": found}

    def create(self, body: Any) -> Answer:
        values = body["properties"]
        if values.get("email") and self.taken(values["email"]):
            return 409, {"message": "Contact already exists. Existing ID: 101"}
        return 201, self.shown(self.add(**values), list(values))

    def one(self, method: str, number: int, query: dict[str, str], body: Any) -> Answer:
        if number not in self.rows:
            return 404, {"message": "resource not found"}
        if method == "GET":
            return 200, self.shown(number, query.get("properties", "").split(","))
        if method == "DELETE":
            self.rows.pop(number)
            return 204, None
        self.change(number, **body["properties"])
        return 200, self.shown(number, list(body["properties"]))


# ── Odoo ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Odoo(Vendor):
    """Errors come under 200; times are shown in seconds and kept finer; nothing is unique; nothing tells of a deletion."""

    def add(self, **values: Any) -> int:
        number = next(self.ids)
        empty = {"name": False, "email": False, "phone": False, "city": False, "ref": False, "active": True}
        self.rows[number] = {**empty, **values, "at": self.tick()}
        return number

    def change(self, number: int, **values: Any) -> None:
        self.rows[number] |= {**values, "at": self.tick()}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        if (method, path) != ("POST", "/jsonrpc"):
            return 404, "<html>404</html>"
        call, args = body["params"], body["params"]["args"]
        if call["service"] == "common":
            return 200, _result(2 if args == ["crm", "ana", "key-1"] else False)
        if args[:3] != ["crm", 2, "key-1"]:
            return 200, _error("odoo.exceptions.AccessDenied", "Access Denied")
        return 200, self.execute(args[4], args[5], args[6] if len(args) > 6 else {})

    def execute(self, method: str, args: list[Any], options: dict[str, Any]) -> Any:
        if method == "fields_get":
            kinds = {
                "name": "char",
                "email": "char",
                "phone": "char",
                "city": "char",
                "ref": "char",
                "active": "boolean",
            }
            return _result({name: {"string": name, "type": kind, "readonly": False} for name, kind in kinds.items()})
        if method == "search_read":
            return _result(self.found(args[0], options))
        if method == "create":
            wrong = set(args[0]) - {"name", "email", "phone", "city", "ref"}
            if wrong:
                return _error("builtins.ValueError", f"Invalid field {sorted(wrong)[0]!r} on model 'res.partner'")
            return _result(self.add(**args[0]))
        for number in args[0]:
            if number not in self.rows:
                return _error("odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
            self.change(number, **args[1])
        return _result(True)

    def found(self, domain: list[Any], options: dict[str, Any]) -> list[dict[str, Any]]:
        shows_archived = options.get("context", {}).get("active_test") is False
        rows = [
            {"id": number, **row}
            for number, row in sorted(self.rows.items())
            if (shows_archived or row["active"]) and all(self.holds(number, row, *one) for one in domain)
        ]
        return [
            {name: _shown(row, name) for name in ("id", *options["fields"]) if name in (*row, "write_date")}
            for row in rows[: options.get("limit")]
        ]

    def holds(self, number: int, row: dict[str, Any], name: str, how: str, value: Any) -> bool:
        if name == "write_date":
            return bool(row["at"] >= datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
        own = number if name == "id" else row[name]
        return {"in": lambda: own in value, ">": lambda: own > value, "=": lambda: own == value}[how]()


def _shown(row: dict[str, Any], name: str) -> Any:
    return row["at"].strftime("%Y-%m-%d %H:%M:%S") if name == "write_date" else row[name]


def _result(found: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "result": found}


def _error(name: str, message: str) -> dict[str, Any]:
    data = {"name": name, "message": message, "arguments": [message], "context": {}, "debug": "Traceback …"}
    return {"jsonrpc": "2.0", "id": None, "error": {"code": 200, "message": "Odoo Server Error", "data": data}}


class OdooJson2(Odoo):
    """The same over JSON-2: named arguments, plain results, and errors with statuses."""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        base, _, what = path.rpartition("/")
        if (method, base) != ("POST", "/json/2/res.partner"):
            return 404, "<html>404</html>"
        if (headers.get("Authorization"), headers.get("X-Odoo-Database")) != ("bearer key-1", "crm"):
            return 401, {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"}
        args = {"create": ["vals_list"], "write": ["ids", "vals"], "search_read": ["domain"], "fields_get": []}[what]
        given = [body[name][0] if name == "vals_list" else body[name] for name in args]
        found = self.execute(what, given, body)
        if "error" in found:
            data = found["error"]["data"]
            return (404 if "Missing" in data["name"] else 500), {"name": data["name"], "message": data["message"]}
        return 200, [found["result"]] if what == "create" else found["result"]


# ── Pipedrive ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Pipedrive(Vendor):
    """No upsert and nothing unique; e-mails and phones are lists; deletions are a flag; too much is a web page."""

    def add(self, name: str, email: str = "", **more: Any) -> int:
        number = next(self.ids)
        emails = [{"value": email, "primary": True, "label": "work"}] if email else []
        self.rows[number] = {"id": number, "name": name, "emails": emails, "phones": [], "is_deleted": False, **more}
        self.rows[number]["at"] = self.tick()
        return number

    def change(self, number: int, **values: Any) -> None:
        self.rows[number] |= {**values, "at": self.tick()}

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in row.items() if name != "at"}
        return {**kept, "update_time": row["at"].strftime("%Y-%m-%dT%H:%M:%SZ"), "custom_fields": {}}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        if headers.get("x-api-token") != "tok-1":
            return 401, {"success": False, "error": "unauthorized access"}
        if path == "/api/v1/users/me":
            return 200, {"success": True, "data": {"id": 1}}
        tail = path.removeprefix("/api/v2/persons").strip("/")
        if not tail:
            if method == "POST":
                number = self.add(body["name"])
                self.change(number, **body)
                return 201, {"success": True, "data": self.shown(self.rows[number])}
            return self.page(query)
        number = int(tail)
        if number not in self.rows or (method != "GET" and self.rows[number]["is_deleted"]):
            return 404, {"success": False, "error": "Person not found"}
        if method == "DELETE":
            self.change(number, is_deleted=True)
            return 200, {"success": True, "data": {"id": number}}
        if method == "PATCH":
            self.change(number, **body)
        return 200, {"success": True, "data": self.shown(self.rows[number])}

    def page(self, query: dict[str, str]) -> Answer:
        wanted = {int(one) for one in query.get("ids", "").split(",") if one}
        since = datetime.fromisoformat(query["updated_since"]) if "updated_since" in query else None
        start, limit = int(query.get("cursor") or 0), int(query.get("limit", 100))
        rows = sorted(self.rows.values(), key=lambda row: (row["at"], row["id"]))
        found = [
            self.shown(row)
            for row in rows
            if (not wanted or row["id"] in wanted) and (since is None or row["at"] >= since)
        ]
        more = {"next_cursor": str(start + limit) if len(found) > start + limit else None}
        return 200, {"success": True, "data": found[start : start + limit], "additional_data": more}
