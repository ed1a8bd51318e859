"""Salesforce as far as contacts go: SOQL in pages, collections of 200, sessions that end, duplicate rules, locked rows."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.sync.vendors import Answer, Vendor

_DATA = "/services/data/v62.0"
_FIELDS = ("FirstName", "LastName", "Email", "Phone", "MailingCity", "MailingCountry", "Padron_Key__c")
_OWN = ("Id", "SystemModstamp", "IsDeleted", "MasterRecordId")
_QUERY = re.compile(r"SELECT (\S+) FROM Contact(?: WHERE (.+?))?(?: ORDER BY .+)?")


@dataclass
class Salesforce(Vendor):
    """`most` is how many records a page has; `locked` rows cannot be written; `blocked` e-mails are duplicates to a rule."""

    most: int = 2000
    session: int = 1
    logins: int = 0
    locked: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    cursors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, **values: Any) -> str:
        id_ = f"003{next(self.ids):012d}AAA"
        self.records[id_] = {"Id": id_, **dict.fromkeys(_FIELDS), "IsDeleted": False, "MasterRecordId": None}
        self.change(id_, **values)
        return id_

    def change(self, id_: str, **values: Any) -> None:
        self.records[id_] |= {**values, "SystemModstamp": self.tick()}

    def living(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(one[name] for name in names) for one in self.records.values() if not one["IsDeleted"]]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        if path == "/services/oauth2/token":
            if body != {"grant_type": "client_credentials", "client_id": "us", "client_secret": "s"}:
                return 400, {"error": "invalid_client_id"}
            self.logins += 1
            return 200, {"access_token": f"session-{self.session}", "instance_url": self.url, "token_type": "Bearer"}
        if headers.get("Authorization") != f"Bearer session-{self.session}":
            return 401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
        what = path.removeprefix(_DATA)
        if what.startswith(("/queryAll", "/query")):
            return self.query(what, query.get("q", ""))
        if what == "/composite/sobjects":
            return self.collection(method, query, body)
        if what == "/sobjects/Contact/describe":
            names = (*_FIELDS, *_OWN)
            return 200, {"fields": [{"name": one, "label": one, "type": "string", "updateable": one in _FIELDS} for one in names]}  # fmt: skip
        if method == "DELETE":
            found = self.delete(what.rpartition("/")[2])
            return (204, None) if found["success"] else (404, found["errors"])
        return 200, {"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}

    def query(self, what: str, text: str) -> Answer:
        cursor = what.rpartition("/")[2]
        if cursor in self.cursors:
            return 200, self.page(self.cursors[cursor])
        asked = _QUERY.fullmatch(text)
        if asked is None:
            return 400, [{"message": f"unexpected token: {text}", "errorCode": "MALFORMED_QUERY"}]
        names = asked[1].split(",")
        if any(not re.fullmatch("003[A-Za-z0-9]{15}", id_) for id_ in _ids(asked[2])):
            return 400, [{"message": "invalid ID field", "errorCode": "INVALID_QUERY_FILTER_OPERATOR"}]
        if wrong := set(names) - {*_FIELDS, *_OWN}:
            return 400, [{"message": f"No such column '{min(wrong)}'", "errorCode": "INVALID_FIELD"}]
        rows = sorted(self.records.values(), key=lambda one: (one["SystemModstamp"], one["Id"]))
        rows = [one for one in rows if self.holds(one, asked[2]) and (what == "/queryAll" or not one["IsDeleted"])]
        return 200, self.page([{"attributes": {"type": "Contact"}, **{name: _shown(one[name]) for name in names}} for one in rows])  # fmt: skip

    def holds(self, row: dict[str, Any], where: str | None) -> bool:
        if where is None:
            return True
        if since := re.fullmatch(r"SystemModstamp >= (\S+)", where):
            return bool(row["SystemModstamp"] >= datetime.fromisoformat(since[1]))
        among = re.fullmatch(r"(Id|Padron_Key__c) IN \((.+)\)", where)
        assert among, where
        return f"'{row[among[1]]}'" in among[2].split(",")

    def page(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The next page is told as a path, and is of the moment of the first."""
        found: dict[str, Any] = {"totalSize": len(rows), "done": len(rows) <= self.most, "records": rows[: self.most]}
        if len(rows) > self.most:
            cursor = f"01g{len(self.cursors)}-{self.most}"
            self.cursors[cursor] = rows[self.most :]
            found["nextRecordsUrl"] = f"{_DATA}/query/{cursor}"
        return found

    def collection(self, method: str, query: dict[str, str], body: Any) -> Answer:
        records = query["ids"].split(",") if method == "DELETE" else body["records"]
        if len(records) > 200:
            return 400, [{"message": "at most 200", "errorCode": "EXCEEDED_ID_LIMIT"}]
        if method == "DELETE":
            return 200, [self.delete(one) for one in records]
        assert all(one.pop("attributes") == {"type": "Contact"} for one in records)
        return 200, [self.create(one) if method == "POST" else self.update(one) for one in records]

    def create(self, values: dict[str, Any]) -> dict[str, Any]:
        keys = {one["Padron_Key__c"] for one in self.records.values()}
        if not values.get("LastName"):
            return _error("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]")
        if values.get("Padron_Key__c") in keys:
            return _error("DUPLICATE_VALUE", "duplicate value found: Padron_Key__c")
        if values.get("Email") in self.blocked:
            return _error("DUPLICATES_DETECTED", "Use one of these records?")
        return {"id": self.add(**values), "success": True, "errors": []}

    def update(self, values: dict[str, Any]) -> dict[str, Any]:
        id_ = values.pop("id")
        if id_ in self.locked:
            return _error("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        if self.records[id_]["IsDeleted"]:
            return _error("ENTITY_IS_DELETED", "entity is deleted")
        self.change(id_, **values)
        return {"id": id_, "success": True, "errors": []}

    def delete(self, id_: str) -> dict[str, Any]:
        if self.records[id_]["IsDeleted"]:
            return _error("ENTITY_IS_DELETED", "entity is deleted")
        self.change(id_, IsDeleted=True)
        return {"id": id_, "success": True, "errors": []}


def _ids(where: str | None) -> list[str]:
    """The ids that a query asks for."""
    among = re.fullmatch(r"Id IN \((.+)\)", where or "")
    return [one.strip("'") for one in among[1].split(",")] if among else []


def _shown(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.") + "000+0000" if isinstance(value, datetime) else value


def _error(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "errorCode": code, "fields": []}]}
