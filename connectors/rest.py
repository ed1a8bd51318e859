"""A CRM behind a REST API, as a connector file describes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connectors.rest_calls import Api, Gone, NotUnderstood, Refused, Stale
from connectors.rest_fields import read_field, read_hints
from connectors.rest_records import read_record, write_values
from connectors.templates import at_path, fill, listed
from schemas.connectors import ContactSpec, ListSpec, Meaning, WriteSpec
from schemas.crm import (
    Answer,
    Capabilities,
    CrmAway,
    CrmSays,
    NewRecord,
    NotAllowed,
    Page,
    Patch,
    Record,
    RemoteField,
    State,
)

Item = TypeVar("Item")
_UNKNOWN = Answer("unknown")
_STATES: Mapping[Meaning, State] = {"gone": "gone", "stale": "stale", "away": "unknown", "throttled": "unknown"}


@dataclass(slots=True)
class RestCrm:
    """One connection's CRM; `fields` are those that the mapping names, `flags` those of them that hold yes or no."""

    api: Api
    fields: Sequence[str]
    flags: frozenset[str] = frozenset()

    @property
    def spec(self) -> ContactSpec:
        return self.api.connector.contact

    @property
    def capabilities(self) -> Capabilities:
        return self.api.connector.can

    @property
    def calls(self) -> int:
        return self.api.calls

    @property
    def _wanted(self) -> list[str]:
        """The names of the fields to ask for, nested ones without the key that they stand under."""
        names = [*self.spec.always, *self.fields, *([self.spec.token] if self.spec.token else [])]
        return list(dict.fromkeys(names))

    def check(self) -> None:
        """Sign in and ask for something small; raises what is wrong."""
        spec = self.api.connector.check
        try:
            if spec is not None:
                self.api.ask(spec, {}, "check")
            else:
                self.list_changed(None, None)
        except (Gone, Refused) as error:
            raise self._says(str(error) or "404") from error

    def _says(self, said: str) -> NotUnderstood:
        name = self.api.name
        return NotUnderstood(
            f"{name} does not understand the request: {said}. Check the connector's file and the mapping.",
            f"{name} no entiende la petición: {said}. Revise el archivo del conector y el mapeo.",
        )

    def _record(self, found: Any) -> Record:
        return read_record(self.spec, found, self.fields, self.flags, self.api.name)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def list_changed(self, since: datetime | None, page: str | None) -> Page:
        spec = self.spec.list_all if since is None and self.spec.list_all else self.spec.list
        local = since.astimezone(ZoneInfo(self.spec.zone)) if since else None
        document, server_at = self._page(spec, {"since": local}, page)
        items = listed(document, spec.items)
        records = [self._record(item) for item in items]
        gone: list[str] = [str(one) for one in at_path(document, spec.gone) or ()] if spec.gone else []
        following = self._following(spec, document, page, records)
        self._require_progress(page, following)
        return Page(records, following, gone, server_at)

    def _page(self, spec: ListSpec, known: Mapping[str, Any], page: str | None) -> tuple[Any, datetime | None]:
        named = {**known, "page": page, "size": spec.page.size, "fields": self._wanted}
        if spec.page.by in ("number", "offset", "last_id") and page is None:
            named["page"] = {"number": str(spec.page.first), "offset": "0", "last_id": "0"}[spec.page.by]
        try:
            if spec.page.by == "url" and page is not None:
                document = self.api.ask_url(page, "list")
            else:
                document = self.api.ask(spec, named, "list")
        except (Refused, Gone, Stale) as error:
            raise self._says(str(error) or "404") from error
        return document, _date(self.api.last_headers.get("Date"))

    def _following(self, spec: ListSpec, document: Any, page: str | None, records: Sequence[Record]) -> str | None:
        rule = spec.page
        match rule.by:
            case "mark" | "url":
                found = self._at(document, rule.at)
                return str(found) if found else None
            case "number" if len(records) >= rule.size:
                return str(int(page or rule.first) + 1)
            case "offset" if len(records) >= rule.size:
                return str(int(page or 0) + len(records))
            case "last_id" if len(records) >= rule.size:
                return records[-1].id
            case _:
                return None

    def _require_progress(self, page: str | None, following: str | None) -> None:
        """Raise where a listing leads to where it is."""
        if following is not None and following == page:
            raise self._says("its pages lead in a circle")

    def _at(self, document: Any, place: str) -> Any:
        """A mark in the body, or after `header:` in a header."""
        if place.startswith("header:"):
            return self.api.last_headers.get(place.removeprefix("header:"))
        return at_path(document, place)

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        spec, found = self.spec, dict[str, Record]()
        if spec.read_many is not None and len(ids) > 1:
            found = self._read_many(spec.read_many, ids)
            left = [id_ for id_ in ids if id_ not in found] if spec.read is not None else []  # asked for one by one
        else:
            left = list(ids)
        for id_ in left:
            if (record := self._read_one(id_)) is not None:
                found[id_] = record
        merged = {id_: one.merged_into for id_, one in found.items() if one.merged_into}
        for id_, winner in merged.items():
            found |= {id_: record} if (record := self._read_one(str(winner))) is not None else {}
        return found

    def _read_many(self, spec: ListSpec, ids: Sequence[str]) -> dict[str, Record]:
        """Together; where the whole is refused, in halves: an id that the CRM does not understand is nobody's."""
        try:
            records = self._listed(spec, {"ids": list(ids)})
        except NotUnderstood:
            if len(ids) == 1:
                return {}
            half = len(ids) // 2
            return self._read_many(spec, ids[:half]) | self._read_many(spec, ids[half:])
        return {record.id: record for record in records if record.id in ids}

    def _read_one(self, id_: str) -> Record | None:
        spec = self.spec
        if spec.read is None:
            assert spec.read_many is not None, "a connector has read or read_many"
            return self._read_many(spec.read_many, [id_]).get(id_)
        one = spec.read
        try:
            document = self._retried(lambda: self.api.ask(one, {"id": id_, "fields": self._wanted}, "read"))
        except Gone:
            return None
        except (Refused, Stale) as error:
            raise self._says(str(error)) from error
        items = listed(document, spec.read.result)
        if not items:
            return None
        record = self._record(items[0])
        if record.id != id_ and spec.merges != "redirect":
            raise CrmSays(
                f"{self.api.name} was asked for record {id_} and answers with {record.id}. Nothing was done with it.",
                f"Se pidió a {self.api.name} el registro {id_} y responde con {record.id}. No se hizo nada con él.",
            )
        return record

    def _listed(self, spec: ListSpec, known: Mapping[str, Any]) -> list[Record]:
        """All records of a listing, page after page."""
        found, page = list[Record](), None
        while True:
            document, _ = self._retried(partial(self._page, spec, known, page))
            records = [self._record(item) for item in listed(document, spec.items)]
            found += records
            following = self._following(spec, document, page, records)
            self._require_progress(page, following)
            page = following
            if page is None:
                return found

    def _retried(self, ask: Callable[[], Item]) -> Item:
        """Read once more where nothing came back; reading does no harm."""
        try:
            return ask()
        except CrmAway:
            self.api.sleep(0.5)
            return ask()

    def find_tokens(self, tokens: Sequence[str]) -> dict[str, Record]:
        spec = self.spec
        if self.capabilities.create == "chosen_id":
            return {id_: record for id_, record in self.read(tokens).items() if record.id == id_}
        if spec.by_token is None:
            return {}
        found: dict[str, Record] = {}
        size = spec.by_token.most or self.capabilities.batch_read
        if "{tokens" not in spec.by_token.model_dump_json():
            size = 1
        for start in range(0, len(tokens), size):
            part = list(tokens[start : start + size])
            for record in self._listed(spec.by_token, {"tokens": part, "token": part[0]}):
                key = record.token or (part[0] if len(part) == 1 else None)
                if key in part:
                    found[str(key)] = record
        return found

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, records: Sequence[NewRecord]) -> list[Answer]:
        return self._write(records, self.spec.create, self.spec.create_many, self._new, "create")

    def update(self, patches: Sequence[Patch]) -> list[Answer]:
        return self._write(patches, self.spec.update, self.spec.update_many, self._changed, "update")

    def archive(self, ids: Sequence[str]) -> list[Answer]:
        if self.spec.archive is None:
            return [Answer("refused", said="the connector has no archive") for _ in ids]
        return self._write(ids, self.spec.archive, self.spec.archive_many, lambda id_: {"id": id_}, "archive")

    def erase(self, id_: str) -> Answer:
        assert self.spec.erase is not None, "can_erase says so"
        return self._write([id_], self.spec.erase, None, lambda one: {"id": one}, "erase")[0]

    def _new(self, new: NewRecord) -> dict[str, Any]:
        values = write_values(self.spec, new.values, None, new.token)
        return {"values": values, "token": new.token, "fields": self._wanted}

    def _changed(self, patch: Patch) -> dict[str, Any]:
        record = patch.record
        version = (record.version or "").rpartition("+")[0] if self.spec.version.endswith("+hash") else record.version
        values = write_values(self.spec, patch.values, record, None)
        return {"id": record.id, "values": values, "version": version, "fields": self._wanted}

    def _write(
        self,
        listed_: Sequence[Item],
        one: WriteSpec,
        many: WriteSpec | None,
        known: Callable[[Item], dict[str, Any]],
        kind: str,
    ) -> list[Answer]:
        """Write all of them, together where the CRM can; what is not known of a record is not known of it alone."""
        named = [known(item) for item in listed_]
        if many is not None and len(named) > 1:
            answers = self._write_many(many, named, kind)
        else:
            answers = [self._write_one(one, each, kind) for each in named]
        return self._read_back(answers, kind)

    def _write_one(self, spec: WriteSpec, known: Mapping[str, Any], kind: str) -> Answer:
        try:
            document = self.api.ask(spec, known, kind)
        except Gone:
            return Answer("gone")
        except Stale:
            if kind == "create":  # made before, and nobody heard of it
                return self._made_before(str(known["token"]))
            return Answer("stale")
        except (Refused, NotAllowed) as error:  # this one is not allowed; if nothing is, listing says so
            return Answer("refused", said=str(error))
        except CrmAway as error:
            return self._not_known(error)
        return self._one_of(spec, document, known)

    def _made_before(self, token: str) -> Answer:
        found = self.find_tokens([token])
        return Answer("done", found[token]) if token in found else Answer("unknown")

    def _not_known(self, error: CrmAway) -> Answer:
        """Nobody heard what became of it; where nobody hears anything any more, nothing else is asked."""
        if self.api.is_down:
            raise error
        return Answer("unknown", said=error.said("en"))

    def _answer(self, spec: WriteSpec, found: Any, known: Mapping[str, Any]) -> Answer:
        """An answer with its record; only its id where the CRM tells no more, to be read back."""
        if spec.returns == "record" and isinstance(found, Mapping):
            return Answer("done", self._record(found))
        id_ = at_path(found, spec.id) if spec.returns == "id" else known.get("id")
        if id_ in (None, "", False):
            return _UNKNOWN if "token" in known else Answer("done")
        return Answer("done", Record(str(id_), {}))

    def _write_many(self, spec: WriteSpec, named: Sequence[Mapping[str, Any]], kind: str) -> list[Answer]:
        """Together; where the whole is refused, in halves, until the one that is to blame stands alone."""
        items = [fill(spec.item, {**self.api.known, **one}) for one in named]
        try:
            document = self.api.ask(spec, {"items": items, "fields": self._wanted, "ids": _ids(named)}, kind)
        except (Refused, Gone, Stale, NotAllowed) as error:  # nothing at the address is no word of a record
            if len(named) == 1 or isinstance(error, Gone):
                return [Answer("refused", said=str(error) or "HTTP 404")] * len(named)
            half = len(named) // 2
            return self._write_many(spec, named[:half], kind) + self._write_many(spec, named[half:], kind)
        except CrmAway as error:
            return [self._not_known(error)] * len(named)
        return self._each(spec, document, named)

    def _each(self, spec: WriteSpec, document: Any, named: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """The answer to each, by its place or by what it names; one that is not answered is not known."""
        if spec.returns == "nothing" and not spec.results:
            return [Answer("done")] * len(named)
        results = listed(document, spec.results)
        if spec.order == "sent":
            pairs = zip(named, [*results, *[None] * len(named)], strict=False)
            return [_UNKNOWN if one is None else self._one_of(spec, one, known) for known, one in pairs]
        refused = {
            str(id_): str(at_path(one, spec.error) or "refused")
            for one in listed(document, spec.errors)
            for id_ in listed(one, spec.errors_id)
        }
        by_key = {self._key(spec, one): one for one in results}
        found = []
        for known in named:
            key = str(known.get(spec.order))
            if key in by_key:
                found.append(self._one_of(spec, by_key[key], known))
            else:
                found.append(Answer("refused", said=refused[key]) if key in refused else _UNKNOWN)
        return found

    def _key(self, spec: WriteSpec, one: Any) -> str:
        if spec.order == "id":
            return str(at_path(one, spec.id or self.spec.id))
        return str(at_path(at_path(one, self.spec.values), self.spec.token))

    def _one_of(self, spec: WriteSpec, one: Any, known: Mapping[str, Any]) -> Answer:
        if spec.ok and not _is_ok(spec, one):
            meaning = self.api.connector.errors.codes.get(str(at_path(one, spec.code)), "refused")
            if meaning == "gone" and "token" in known:  # who is being made was not there
                meaning = "refused"
            return Answer(_STATES.get(meaning, "refused"), said=str(at_path(one, spec.error) or "refused"))
        return self._answer(spec, at_path(one, spec.result), known)

    def _read_back(self, answers: list[Answer], kind: str) -> list[Answer]:
        """What the CRM stored, where its answers did not tell."""
        if kind in ("archive", "erase"):
            return answers
        ids = [one.record.id for one in answers if one.record is not None and one.record.raw is None]
        found: dict[str, Record] = {}
        size = max(1, self.capabilities.batch_read)
        for start in range(0, len(ids), size):
            found |= self.read(ids[start : start + size])
        return [
            one if one.record is None or one.record.raw is not None else _stored(one, found.get(one.record.id))
            for one in answers
        ]

    # ── fields and webhooks ──────────────────────────────────────────────────────────────────────────────────────

    def describe(self) -> list[RemoteField]:
        spec = self.spec.describe
        if spec is None:
            return []
        try:
            document = self.api.ask(spec, {}, "describe")
        except (Refused, Gone) as error:
            raise self._says(str(error)) from error
        found = at_path(document, spec.items)
        if spec.by_name and isinstance(found, Mapping):
            found = [{**one, spec.name: name} for name, one in found.items() if isinstance(one, Mapping)]
        return [read_field(spec, one) for one in found or () if isinstance(one, Mapping)]

    def hints(self, body: str) -> list[str]:
        return read_hints(self.api.connector.webhook, body)


def _stored(answer: Answer, record: Record | None) -> Answer:
    return Answer("done", record) if record is not None else _UNKNOWN


def _ids(named: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(one["id"]) for one in named if "id" in one]


def _is_ok(spec: WriteSpec, one: Any) -> bool:
    said = at_path(one, spec.ok)
    return str(said) in spec.ok_is if spec.ok_is else bool(said)


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, TypeError):
        return None
