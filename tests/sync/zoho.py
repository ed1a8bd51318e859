"""Zoho CRM as far as contacts go: times of another zone, 304 and 204, an answer for each record, tokens that end."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.sync.vendors import Answer, Vendor

_BASE = "/crm/v8/Contacts"
_FIELDS = ("First_Name", "Last_Name", "Email", "Phone", "Mailing_City", "Mailing_Country", "Padron_Key")
_ZONE = timezone(timedelta(hours=-5))


@dataclass
class Zoho(Vendor):
    """`most` is how many records a page has."""

    most: int = 200
    granted: list[dict[str, str]] = field(default_factory=list)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, **values: Any) -> str:
        id_ = f"58776460000{next(self.ids):06d}"
        self.records[id_] = {"id": id_, **dict.fromkeys(_FIELDS)}
        self.change(id_, **values)
        return id_

    def change(self, id_: str, **values: Any) -> None:
        self.records[id_] |= {**values, "Modified_Time": self.tick()}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        if path == "/oauth/v2/token":
            return 200, self.grant(body)
        if headers.get("Authorization") != f"Zoho-oauthtoken access-{len(self.granted)}":
            return 401, {"code": "INVALID_TOKEN", "details": {}, "message": "invalid oauth token", "status": "error"}
        if path == "/crm/v8/coql":
            return self.coql(body["select_query"])
        if path == "/crm/v8/settings/fields":
            fields = (*_FIELDS, "Modified_Time")
            return 200, {"fields": [{"api_name": one, "field_label": one, "data_type": "text", "read_only": one not in _FIELDS} for one in fields]}  # fmt: skip
        if method == "GET":
            id_ = path.removeprefix(_BASE).strip("/")
            return self.listed(query, headers.get("If-Modified-Since"), [id_] if id_ else None)
        records = query["ids"].split(",") if method == "DELETE" else body["data"]
        if len(records) > 100 or (body is not None and body["trigger"] != []):
            return 400, {"code": "INVALID_DATA", "message": "at most 100, and no workflows", "status": "error"}
        write = {"DELETE": self.delete, "POST": self.insert, "PUT": self.update}[method]
        results = [write(one) for one in records]
        good = sum(one["status"] == "success" for one in results)
        return (207 if 0 < good < len(results) else 400 if not good else 200), {"data": results}

    def grant(self, form: dict[str, str]) -> dict[str, Any]:
        known = ("code-1",) if form["grant_type"] == "authorization_code" else ("refresh-1",)
        if form.get("code", form.get("refresh_token")) not in known or (self.granted and "code" in form):
            return {"error": "invalid_code"}
        self.granted.append(form)
        found = {"access_token": f"access-{len(self.granted)}", "expires_in": 3600, "token_type": "Bearer"}
        return {**found, "refresh_token": "refresh-1"} if "code" in form else found

    def shown(self, row: dict[str, Any], names: list[str]) -> dict[str, Any]:
        at = row["Modified_Time"].astimezone(_ZONE).isoformat(timespec="seconds")
        return {"id": row["id"], **{name: at if name == "Modified_Time" else row[name] for name in names}}

    def listed(self, query: dict[str, str], since: str | None, only: list[str] | None) -> Answer:
        wanted = only or (query["ids"].split(",") if "ids" in query else None)
        size = min(int(query.get("per_page", 200)), self.most)
        names = [name for name in query.get("fields", "").split(",") if name != "id"]
        if "fields" not in query or size > 200 or len(wanted or ()) > 100:
            return 400, {"code": "REQUIRED_PARAM_MISSING", "message": "One of the expected parameter is missing"}
        rows = sorted(self.records.values(), key=lambda row: (row["Modified_Time"], row["id"]))
        rows = [row for row in rows if wanted is None or row["id"] in wanted]
        if since is not None:
            rows = [row for row in rows if row["Modified_Time"] >= datetime.fromisoformat(since)]
            if not rows:
                return 304, None
        if not rows:
            return 204, None
        start = int(query.get("page_token", "0"))
        more = len(rows) > start + size
        info = {"more_records": more, "next_page_token": str(start + size) if more else None}
        return 200, {"data": [self.shown(row, names) for row in rows[start : start + size]], "info": info}

    def coql(self, text: str) -> Answer:
        asked = re.fullmatch(r"select (\S+) from Contacts where Padron_Key in \((.+)\)", text)
        assert asked, text
        tokens = [one.strip("'") for one in asked[2].split(",")]
        if len(tokens) > 50:
            return 400, {"code": "LIMIT_EXCEEDED", "message": "at most 50 values", "status": "error"}
        names = [name for name in asked[1].split(",") if name != "id"]
        rows = [self.shown(row, names) for row in self.records.values() if row["Padron_Key"] in tokens]
        return (200, {"data": rows, "info": {"count": len(rows), "more_records": False}}) if rows else (204, None)

    def insert(self, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("Last_Name"):
            return _said("MANDATORY_NOT_FOUND", "required field not found", api_name="Last_Name")
        for name in ("Padron_Key", "Email"):
            if values.get(name) and any(row[name] == values[name] for row in self.records.values()):
                return _said("DUPLICATE_DATA", f"duplicate data: {name}", api_name=name)
        return _said("SUCCESS", "record added", id=self.add(**values))

    def update(self, values: dict[str, Any]) -> dict[str, Any]:
        id_ = values.pop("id")
        if id_ not in self.records:
            return _said("INVALID_DATA", "the id given seems to be invalid", api_name="id")
        self.change(id_, **values)
        return _said("SUCCESS", "record updated", id=id_)

    def delete(self, id_: str) -> dict[str, Any]:
        if self.records.pop(id_, None) is None:
            return _said("INVALID_DATA", "record not deleted", api_name="id")
        return _said("SUCCESS", "record deleted", id=id_)


def _said(code: str, message: str, **details: str) -> dict[str, Any]:
    status = "success" if code == "SUCCESS" else "error"
    return {"code": code, "details": details, "message": message, "status": status}
