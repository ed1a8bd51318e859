"""Taking one import back. What nobody touched since goes back as it was; later edits stay and are listed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine

from pipelines.belongings import CONSENT_GIVEN, slot_of
from pipelines.imports import Clock
from pipelines.keys import key_form
from pipelines.texts import search_text
from pipelines.undo_tags import TagsBack
from schemas.errors import InputError
from schemas.fields import CUSTOM, FieldType
from schemas.reports import STATES, UndoReport
from warehouse import audit, batches, bulk, jobs, roll, undo
from warehouse.audit import Asked
from warehouse.batches import Batch
from warehouse.engines import reading, transaction

_CHUNK = 500
_TIMES = ("created_at", "last_interaction_at")
_PROTECTS = {"consent": "out", "status": "blocked"}
"""What of a field keeps a person from being written to."""
_GATHERED = ("tags", "note")
"""What several imports add to; each takes its own away."""
_CONSENT = "consent."
_SEARCHED = ("display_name", "phone", "email")
_FORMS = {"phone": "phone_match", "email": "email_match"}


def check_can_be_undone(batch: Batch) -> None:
    """Raise where there is nothing to take back: a finished import, or one that was given up or cancelled midway."""
    if batch.kind == batches.ACTIVITY:
        raise InputError(
            f"Batch {batch.id} brought interactions: what happened is not taken back.",
            f"El lote {batch.id} trajo interacciones: lo ocurrido no se deshace.",
        )
    if batch.kind == batches.EDIT and '"action": "delete"' in (batch.profile_text or ""):
        raise InputError(
            f"Batch {batch.id} deleted contacts for good: that cannot be taken back.",
            f"El lote {batch.id} eliminó contactos para siempre: eso no se deshace.",
        )
    if batch.state in ("done", "undoing", "editing") or (batch.state in ("rejected", "retried") and batch.rows_done):
        return
    raise InputError(
        f"Batch {batch.id} is {STATES[batch.state][0]}: only an import whose rows were taken can be taken back.",
        f"El lote {batch.id} está {STATES[batch.state][1]}: solo se deshace una importación cuyas filas se tomaron.",
    )


def check_is_not_edited(connection: Connection, number: int) -> None:
    """Raise where an edit of many contacts still goes on."""
    if jobs.open_job(connection, batches.EDIT, f"batch:{number}") is not None:
        raise InputError(
            f"The edit of batch {number} is not finished. Wait for it, or stop its job first.",
            f"La edición del lote {number} no ha terminado. Espere, o detenga antes su trabajo.",
        )


def undo_batch(
    engine: Engine,
    number: int,
    actor: str,
    clock: Clock,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> UndoReport:
    """Take a finished batch back, a few hundred contacts at a time; right when called again after a crash.

    `progress` is told of the changes taken back and of all; what it raises stops the work between two transactions.
    """
    with reading(engine) as connection:
        batch, total = batches.get_batch(connection, number), undo.count_changes(connection, number)
    check_can_be_undone(batch)
    with transaction(engine) as connection:
        bulk.lock_keys(connection)  # whoever converts a field holds them
        fields = undo.custom_fields_by_key(connection)
        batches.set_batch(connection, number, {"state": "undoing"})
    others, tags = _Others(batch), TagsBack(batch)
    report, after, done = UndoReport(number), 0, 0
    while True:
        progress(done, total)
        with transaction(engine) as connection:
            bulk.lock_keys(connection)
            others.look(connection)
            if taken := tags.take_back(connection, after, actor, clock, others.contacts):
                report, after = replace(report, restored=report.restored + taken.restored), taken.last
                done += taken.changes
                continue
            changes = _of_different_contacts(undo.changes_of(connection, number, after, _CHUNK))
            if not changes:
                break
            report = _undo(connection, changes, report, _Undo(number, actor, clock(), fields, others.contacts))
            after, done = changes[-1].id, done + len(changes)
    report = _remove_kept(engine, report, _Undo(number, actor, clock(), fields, others.contacts), others)
    return replace(report, kept=tuple(sorted(set(report.kept))))


def undo_by_hand(engine: Engine, number: int, asked: Asked, clock: Clock) -> UndoReport:
    """Take a batch back at once, as somebody asks for it; the audit tells who."""
    with transaction(engine) as connection:
        check_can_be_undone(batches.get_batch(connection, number))
        check_is_not_edited(connection, number)
        audit.add_entry(connection, asked, "batches:undo", f"batch:{number}")
    return undo_batch(engine, number, asked.actor, clock)


def _of_different_contacts(changes: list[Any]) -> list[Any]:
    """The changes up to the one whose contact another before it changed too: it must see what became of that."""
    seen: set[int] = set()
    for at, (_, contact_id, *_) in enumerate(changes):
        if contact_id in seen:
            return changes[:at]
        seen.add(contact_id)
    return changes


class _Others:
    """The contacts that rows of later imports went to, or of those that ran beside this one; looked at again and again.

    They may have said the same again without changing anything, which no history shows.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._seen: dict[int, int] = {}
        self.contacts: set[int] = set()

    def look(self, connection: Connection) -> None:
        """Add what was applied since the last look."""
        rows = undo.rows_of_others(connection, self._batch)
        new = [number for number in rows if number not in self._seen]
        for start in range(0, len(new), _CHUNK):
            self.contacts |= undo.contacts_of(connection, new[start : start + _CHUNK])
        for number, done in rows.items():
            if done > self._seen.get(number, done):
                self.contacts |= undo.contacts_of(connection, [number], self._seen[number])
        self._seen = rows


@dataclass(frozen=True, slots=True)
class _Undo:
    """`later` are the contacts that rows of later imports went to, or of imports that ran beside this one.

    Those may have said the same again, so that such a contact, its keys, tags, block and opt-outs stay.
    """

    batch_id: int
    actor: str
    at: datetime
    fields: dict[str, tuple[int, FieldType]]
    later: set[int]
    values: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    """The custom values of the contacts at hand, as they stand."""
    tags: set[tuple[int, int]] = field(default_factory=set)
    """The tags that they have, as pairs."""
    writes: undo.Writes = field(default_factory=undo.Writes)

    def flush(self, connection: Connection) -> None:
        self.writes.flush(connection, {"batch_id": self.batch_id, "actor": self.actor, "at": self.at})


def _undo(connection: Connection, changes: list[Any], report: UndoReport, context: _Undo) -> UndoReport:
    """Take these changes back, each of another contact; the report with what was done."""
    creates: list[int] = []
    restored = lifted = 0
    kept: list[int] = []
    ids = [contact_id for _, contact_id, *_ in changes]
    contacts = undo.contacts_by_id(connection, ids)
    context.values.update(undo.values_of(connection, ids))
    context.tags.update(undo.tags_of(connection, ids))
    for number, contact_id, operation, diff, newer in changes:
        contact = contacts.get(contact_id)
        if not contact or contact["deleted_at"] is not None:
            continue
        if operation == "create":
            (kept if newer or contact_id in context.later else creates).append(contact_id)
            continue
        touched = undo.fields_changed_since(connection, contact_id, number, context.batch_id) if newer else set()
        back, standing = _restore(connection, contact, diff or {}, touched, context)
        if set(diff or {}) - set(back) - standing:
            kept.append(contact_id)
        if back:
            restored += 1
            lifted += sum(change[0] == _PROTECTS.get(name.partition(".")[0]) for name, change in back.items())
            context.writes.note(contact_id, back)
    lifted += _remove(connection, creates, context)
    return replace(
        report,
        removed=report.removed + len(creates),
        restored=report.restored + restored,
        lifted=report.lifted + lifted,
        kept=(*report.kept, *kept),
    )


def _remove(connection: Connection, ids: list[int], context: _Undo) -> int:
    """Take contacts off the roll, and write what is gathered; how many opt-outs and blocks went with them."""
    for contact_id in ids:
        context.writes.note(contact_id, None)
    context.flush(connection)
    return undo.remove_contacts(connection, ids, context.at)


def _remove_kept(engine: Engine, report: UndoReport, context: _Undo, others: _Others) -> UndoReport:
    """Remove the contacts that earlier undone imports made, and that stayed for the sake of this one only."""
    ids: list[int] | None = None
    seen = removed = lifted = 0
    while True:
        with transaction(engine) as connection:
            bulk.lock_keys(connection)
            others.look(connection)
            if ids is None or roll.changed_by_others(connection, seen, context.batch_id):
                ids = undo.kept_for(connection, context.batch_id)
            part, ids = [one for one in ids[:_CHUNK] if one not in others.contacts], ids[_CHUNK:]
            lifted += _remove(connection, part, context)
            removed, seen = removed + len(part), roll.last_change(connection)
            if not ids:
                lifted += undo.drop_opted_out(connection, context.batch_id)
                undo.drop_pairs(connection, context.batch_id)
                batches.set_batch(connection, context.batch_id, {"state": "undone"})
                return replace(report, removed=report.removed + removed, lifted=report.lifted + lifted)


def _restore(
    connection: Connection, contact: dict[str, Any], diff: dict[str, list[Any]], touched: set[str], context: _Undo
) -> tuple[dict[str, list[Any]], set[str]]:
    """Put back every field that still is what the import made it; the changes made, and the fields already put back.

    What others `touched` since stays, also where they came back to the same value.
    """
    back: dict[str, list[Any]] = {}
    values: dict[str, Any] = {}
    standing: set[str] = set()
    for name, (old, new) in diff.items():
        if name.startswith(CONSENT_GIVEN):
            standing.add(name)
        if name == "keys" or name in standing or (name in touched and name not in _GATHERED):
            continue
        if name in contact:
            if _may_go_back(contact, name, (old, new), context):
                values |= _field(connection, contact, name, old, context)
                back[name] = [new, old]
            elif _as_json(contact[name]) == old:
                standing.add(name)
        elif name == "tags":
            moved = _restore_tags(contact["id"], (old, new), context, is_touched=name in touched)
            back |= moved
            if not moved and contact["id"] not in context.later:
                standing.add(name)
        elif _restore_other(connection, contact["id"], name, diff, context):
            back[name] = [new, old]
        elif _is_back(connection, contact["id"], name, old, context):
            standing.add(name)
    dropped = [] if contact["id"] in context.later else _dropped_keys(diff, back)
    if dropped:
        undo.drop_keys(connection, contact["id"], dropped)
        back["keys"] = [[f"{kind}:{value}" for kind, value in dropped], []]
    if back:
        if any(name in values for name in _SEARCHED):
            values["search_text"] = _search_text({**contact, **values})
        context.writes.set_contact(contact["id"], values)
    return back, standing


def _may_go_back(contact: dict[str, Any], name: str, change: tuple[Any, Any], context: _Undo) -> bool:
    """Whether a field still is what the import made it, and no later import may have said it again."""
    new = change[1]
    said_again = name in _FORMS or (name == "status" and new == "blocked")
    return bool(_as_json(contact[name]) == new) and not (said_again and contact["id"] in context.later)


def _dropped_keys(diff: dict[str, list[Any]], back: dict[str, list[Any]]) -> list[tuple[str, str]]:
    """The keys that the import brought; a phone or e-mail that gave way and cannot go back stays a further key."""
    brought = [tuple(key.split(":", 1)) for key in diff.get("keys", [[], []])[1]]
    for kind in _FORMS:
        old, new = diff.get(kind, (None, None))
        if kind in diff and kind not in back:
            brought = [key for key in brought if not old or key != (kind, key_form(kind, old))]
            brought += [(kind, key_form(kind, new))] if new else []
    return [(kind, value) for kind, value in brought]


def _search_text(contact: dict[str, Any]) -> str | None:
    texts = (pa.array([contact[name]], pa.string()) for name in _SEARCHED)
    text: str | None = search_text(*texts)[0].as_py()
    return text


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _field(connection: Connection, contact: dict[str, Any], name: str, old: Any, context: _Undo) -> dict[str, Any]:
    """The columns that put a field back; a phone or e-mail is the contact's own key only if it is free by now."""
    if name in _TIMES:
        return {name: datetime.fromisoformat(old) if old else None}
    if name == "status" and contact["status"] == "blocked":
        return {name: old, "blocked_at": None, "blocked_reason": None}
    if name in _FORMS:
        form = key_form(name, old) if old else None
        context.flush(connection)  # who owns it is asked of the store
        free = form is not None and undo.is_free(connection, contact["id"], name, _FORMS[name], form)
        return {name: old, _FORMS[name]: form if free else None}
    return {name: old}


def _restore_other(
    connection: Connection, contact_id: int, name: str, diff: dict[str, list[Any]], context: _Undo
) -> bool:
    """Put back what belongs to a contact beside its own row; whether there was something to put back."""
    old, new = diff[name]
    if name == "note":
        return undo.drop_note(connection, contact_id, context.batch_id)
    if name.startswith(_CONSENT):
        channel = name.removeprefix(_CONSENT)
        said_again = new == "out" and contact_id in context.later
        return not said_again and undo.set_consent(connection, contact_id, channel, (old, new), _given(diff, channel))
    return _restore_value(contact_id, name.removeprefix(CUSTOM), (old, new), context)


def _restore_tags(
    contact_id: int, change: tuple[list[int], list[int]], context: _Undo, *, is_touched: bool
) -> dict[str, list[Any]]:
    """Take away the tags that came, and put back those that went where nobody changed the contact's tags since."""
    old, new = change
    gone = [] if contact_id in context.later else [tag for tag in new if (contact_id, tag) in context.tags]
    back = [] if is_touched else [tag for tag in old if (contact_id, tag) not in context.tags]
    context.writes.set_tags(contact_id, gone, back)
    return {"tags": [gone, back]} if gone or back else {}


def _given(diff: dict[str, list[Any]], channel: str) -> dict[str, Any]:
    """When, where and by which batch a consent was given that gave way."""
    at, source, batch = diff.get(f"{CONSENT_GIVEN}{channel}", [[None] * 3])[0]
    return {"at": datetime.fromisoformat(at), "source": source, "batch_id": batch} if at else {}


def _is_back(connection: Connection, contact_id: int, name: str, old: Any, context: _Undo) -> bool:
    """Whether an undo that was cut off has put it back already."""
    if name in _GATHERED:
        return name == "note" or contact_id not in context.later
    if name.startswith(_CONSENT):
        return undo.consent_of(connection, contact_id, name.removeprefix(_CONSENT)) == old
    field_id, kind = context.fields[name.removeprefix(CUSTOM)]
    return bool(_as_json(context.values.get((contact_id, field_id), {}).get(slot_of(kind))) == old)


def _fits(slot: str, old: Any) -> bool:
    """Whether a value of the history is of the type that the field has by now."""
    if old is None:
        return True
    if slot == "at":
        try:
            return datetime.fromisoformat(old).tzinfo is not None
        except (TypeError, ValueError):
            return False
    return isinstance(old, str) == (slot in ("text", "long_text"))


def _restore_value(contact_id: int, key: str, change: tuple[Any, Any], context: _Undo) -> bool:
    old, new = change
    field_id, kind = context.fields[key]
    slot = slot_of(kind)
    if _as_json(context.values.get((contact_id, field_id), {}).get(slot)) != new or not _fits(slot, old):
        return False
    stored = datetime.fromisoformat(old) if slot == "at" and old else old
    context.writes.set_value(contact_id, field_id, slot, stored)
    return True
