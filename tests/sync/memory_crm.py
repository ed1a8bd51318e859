"""A CRM in memory that does what real ones do: it loses answers, lags, merges, hides fields, and rewrites values."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from schemas.crm import Answer, Capabilities, CrmAway, NewRecord, Page, Patch, Record, RemoteField, Throttled

FIELDS = ("firstname", "lastname", "email", "phone", "city", "tags", "optout")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Fault = Literal["before", "after", "throttled"]


@dataclass
class Stored:
    """A record as the CRM keeps it."""

    values: dict[str, Any]
    version: int
    at: int
    token: str | None = None
    archived: bool = False
    merged_into: str | None = None


@dataclass
class Server:
    """The CRM's own state, and what people do there."""

    records: dict[str, Stored] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    tick: int = 1_000
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    made_by_people: int = 0
    writes: int = 0

    @property
    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.tick)

    def living(self) -> list[str]:
        return [id_ for id_, one in self.records.items() if not one.archived]

    def add(self, values: dict[str, Any], token: str | None = None) -> str:
        id_ = f"r{next(self.ids)}"
        self.tick += 1
        self.records[id_] = Stored(_kept(values), 1, self.tick, token)
        return id_

    def change(self, id_: str, values: dict[str, Any]) -> None:
        one = self.records[id_]
        self.tick += 1
        one.values.update(_kept(values))
        one.version, one.at = one.version + 1, self.tick

    def archive(self, id_: str) -> None:
        one = self.records[id_]
        self.tick += 1
        one.archived, one.version, one.at = True, one.version + 1, self.tick

    def unarchive(self, id_: str) -> None:
        one = self.records[id_]
        self.tick += 1
        one.archived, one.version, one.at = False, one.version + 1, self.tick

    def purge(self, id_: str) -> None:
        """Delete a record without a trace."""
        self.tick += 1
        del self.records[id_]
        self.purged.add(id_)

    def merge(self, winner: str, loser: str) -> None:
        """One record of two: what the winner lacks comes from the loser."""
        lost = self.records.pop(loser)
        self.change(
            winner, {name: value for name, value in lost.values.items() if not self.records[winner].values.get(name)}
        )
        self.merged[loser] = winner

    def survivor(self, id_: str) -> str:
        while id_ in self.merged:
            id_ = self.merged[id_]
        return id_


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    """Values as this CRM writes them: phones with spaces, last names with a capital, which cannot be told from an edit."""
    found = dict(values)
    if isinstance(found.get("lastname"), str):
        found["lastname"] = found["lastname"][:1].upper() + found["lastname"][1:]
    phone = found.get("phone")
    if isinstance(phone, str) and phone.startswith("+57") and " " not in phone:
        found["phone"] = f"+57 {phone[3:6]} {phone[6:]}"
    return found


@dataclass
class MemoryCrm:
    """A client of the server, with faults that come when they are told to."""

    server: Server
    can: Capabilities = Capabilities(
        create="token",
        conditional=True,
        stable_pages=False,
        batch_read=50,
        batch_update=3,
        batch_create=3,
        batch_archive=3,
    )
    faults: list[Fault | None] = field(default_factory=list)
    redirects: bool = True
    page_size: int = 3
    calls: int = 0
    before_write: Callable[[], None] = lambda: None
    before_list: Callable[[], None] = lambda: None
    named: Callable[[str], list[str]] = str.split

    @property
    def capabilities(self) -> Capabilities:
        return self.can

    def _call(self) -> Fault | None:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault == "before":
            raise CrmAway("away", "away")
        if fault == "throttled":
            raise Throttled(1, "slowly", "despacio")
        return fault

    def _end(self, fault: Fault | None) -> None:
        if fault == "after":
            raise CrmAway("lost", "lost")

    def _record(self, id_: str) -> Record:
        one = self.server.records[id_]
        values = {name: one.values.get(name) for name in FIELDS if name not in self.server.hidden}
        return Record(id_, values, f"v{one.version}", EPOCH + timedelta(seconds=one.at), one.archived, one.token)

    def list_changed(self, since: datetime | None, page: str | None) -> Page:
        self._end(self._call())
        self.before_list()
        start = int(page or 0)
        ids = [
            id_
            for id_, one in sorted(self.server.records.items(), key=lambda item: (item[1].at, item[0]))
            if since is None or EPOCH + timedelta(seconds=one.at) >= since
        ]
        part = ids[start : start + self.page_size]
        following = str(start + self.page_size) if start + self.page_size < len(ids) else None
        return Page([self._record(id_) for id_ in part], following, server_at=self.server.now)

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        self._end(self._call())
        found = {}
        for id_ in ids:
            there = self.server.survivor(id_) if self.redirects else id_
            if there in self.server.records:
                found[id_] = self._record(there)
        return found

    def find_tokens(self, tokens: Sequence[str]) -> dict[str, Record]:
        self._end(self._call())
        return {
            one.token: self._record(id_)
            for id_, one in self.server.records.items()
            if one.token in tokens and one.token
        }

    def create(self, records: Sequence[NewRecord]) -> list[Answer]:
        fault = self._call()
        self.before_write()
        found = []
        for new in records:
            known = [id_ for id_, one in self.server.records.items() if one.token == new.token]
            if not known or self.can.create != "token":
                self.server.writes += 1
                known = [self.server.add(dict(new.values), new.token)]
            found.append(Answer("done", self._record(known[0])))
        self._end(fault)
        return found

    def update(self, patches: Sequence[Patch]) -> list[Answer]:
        fault = self._call()
        self.before_write()
        found = []
        for patch in patches:
            id_ = patch.record.id
            if id_ not in self.server.records:
                found.append(Answer("gone"))
            elif self.can.conditional and f"v{self.server.records[id_].version}" != patch.record.version:
                found.append(Answer("stale"))
            elif "refused" in str(patch.values.get("city")):
                found.append(Answer("refused", said="INVALID_CITY"))
            else:
                self.server.writes += 1
                self.server.change(id_, dict(patch.values))
                found.append(Answer("done", self._record(id_)))
        self._end(fault)
        return found

    def archive(self, ids: Sequence[str]) -> list[Answer]:
        fault = self._call()
        self.before_write()
        found = []
        for id_ in ids:
            if id_ in self.server.records and not self.server.records[id_].archived:
                self.server.writes += 1
                self.server.archive(id_)
                found.append(Answer("done"))
            else:
                found.append(Answer("gone"))
        self._end(fault)
        return found

    def erase(self, id_: str) -> Answer:
        fault = self._call()
        if id_ in self.server.records:
            self.server.writes += 1
            self.server.purge(id_)
        self._end(fault)
        return Answer("done")

    def describe(self) -> list[RemoteField]:
        self._end(self._call())
        return [RemoteField(name) for name in FIELDS if name not in self.server.hidden]

    def hints(self, body: str) -> list[str]:
        if body == "nonsense":
            raise ValueError("nonsense")
        return self.named(body)


def with_(crm: MemoryCrm, **changes: Any) -> MemoryCrm:
    crm.can = replace(crm.can, **changes)
    return crm
