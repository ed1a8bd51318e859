"""One change to many contacts, who match a filter or were picked: a job, and a batch that can be undone.

Whom it cannot be done to is left as they are and counted: a blocked contact has no other status, and who is written to
by WhatsApp has a phone. Done again after a crash, it changes only those that it had not reached.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from pipelines.belongings import slot_of
from pipelines.contacts import clock_of, count_contacts, read_filter
from pipelines.edits import NEED_A_PHONE, Value, custom_value, kept_values, plain
from pipelines.history import as_diff
from pipelines.imports import Clock
from pipelines.words import tags_by_form
from schemas.cql2 import as_text
from schemas.fields import CUSTOM
from schemas.filters import of_json
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import audit, batches, bulk, bulk_edits, contact_writes, jobs, removals, roll, segments
from warehouse.audit import Asked
from warehouse.batches import EDIT
from warehouse.bulk_edits import Edits
from warehouse.contact_lists import Wanted
from warehouse.engines import Store, reading, transaction
from warehouse.filter_sql import look_up, matching
from warehouse.jobs import Progress, Work

FIELDS = ("company", "address", "city", "country", "language", "channel", "status")
"""What many contacts can be given at once, beside custom fields and tags."""
ACTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "block": ("blocked", ("active", "inactive", "archived")),
    "archive": ("archived", ("active", "inactive")),
    "restore": ("active", ("archived",)),
}
"""The status that each gives, and to whom."""
DELETE = "delete"
"""Takes contacts off the roll for good, which no undo brings back."""
_BY_HAND, _BLOCK = ("active", "inactive"), ("blocked_at", "blocked_reason")
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class BulkForm:
    """Whom to change (a filter, or numbers), and what; `expected` is how many somebody was shown."""

    filter_text: str = ""
    ids: Sequence[int] = ()
    fields: Mapping[str, str | None] = field(default_factory=dict)
    custom: Mapping[str, Value] = field(default_factory=dict)
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    action: str = ""
    reason: str | None = None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is done to each contact, with numbers instead of names."""

    fields: Mapping[str, Any]
    custom: Mapping[str, tuple[int, str, Any]]
    add: Sequence[int]
    remove: Sequence[int]
    action: str
    reason: str | None


def text_of(filter_: str | Mapping[str, Any]) -> str:
    """The filter as text, also of its JSON; raises WrongFilter."""
    return filter_ if isinstance(filter_, str) else as_text(of_json(dict(filter_)))


def ask_for_edit(store: Store, settings: Settings, form: BulkForm, asked: Asked) -> Work:
    """A job that edits many contacts; raises WrongField or WrongFilter for what cannot be done."""
    check(form)
    with reading(store) as connection:
        _plan(connection, settings, form, {})
    count = count_matching(store, settings, form, asked)
    if form.expected not in (None, count):
        raise WrongField(
            "expected",
            "differs",
            f"{count} contacts match by now, and not {form.expected}. Look again before you change them.",
            f"Ahora coinciden {count} contactos, y no {form.expected}. Mírelos antes de cambiarlos.",
        )
    if form.action == DELETE:  # who matches later was not seen
        form = replace(form, filter_text="", ids=_who(store, settings, form, asked))
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        said = {"source": "hand", "profile": "-", "profile_text": json.dumps(asdict(form), ensure_ascii=False)}
        values = {**said, "kind": EDIT, "state": "editing", "file": "", "path": "", "actor": asked.actor}
        number = batches.add_batch(connection, values, asked.at)
        audit.add_entry(connection, asked, "contacts:edit_many", f"batch:{number}", None, _told(form, count))
        return jobs.ask(connection, EDIT, f"batch:{number}", asked, total=count)


def count_matching(store: Store, settings: Settings, form: BulkForm, asked: Asked) -> int:
    """How many contacts an edit is about."""
    if form.filter_text:
        wanted = Wanted(read_filter(store, settings, form.filter_text))
        return count_contacts(store, settings, wanted, asked.at, exactly=True)
    with reading(store) as connection:
        return len(segments.living_among(connection, form.ids))


def _who(store: Store, settings: Settings, form: BulkForm, asked: Asked) -> list[int]:
    """The contacts that an edit is about."""
    if not form.filter_text:
        return list(form.ids)
    condition = read_filter(store, settings, form.filter_text)
    with reading(store) as connection:
        query = matching(condition, clock_of(settings, asked.at), look_up(connection, condition))
        return list(segments.ids_in(connection, query).tolist())


def run_edit(engine: Engine, number: int, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    """Edit those that match by now, some thousands at a time; what `progress` raises stops it between two parts."""
    with transaction(engine) as connection:
        bulk.lock_keys(connection)  # whoever converts a field holds them, and tags are made here
        batch = batches.get_batch(connection, number)
        form = BulkForm(**json.loads(batch.profile_text or "{}"))
        tags = roll.tag_ids(connection, tags_by_form((*form.remove_tags, *form.add_tags)))
        plan = _plan(connection, settings, form, tags)
    with reading(engine) as connection:
        if form.ids:
            ids = sorted(segments.living_among(connection, form.ids))
        else:
            condition = read_filter(engine, settings, form.filter_text)
            query = matching(condition, clock_of(settings, clock()), look_up(connection, condition))
            ids = segments.ids_in(connection, query).tolist()
    skipped = 0
    for start in range(0, len(ids), _AT_ONCE):
        progress(start, len(ids))
        with transaction(engine) as connection:
            bulk.lock_keys(connection)
            part = ids[start : start + _AT_ONCE]
            if plan.action == DELETE:
                _delete(connection, part, number, batch.actor, clock())
                continue
            edits, left = _edit(connection, plan, part, clock())
            edits.write(connection, number, batch.actor, clock())
            bulk_edits.count_changed(connection, number, len(edits.diffs))
        skipped += left
    progress(len(ids), len(ids))
    with transaction(engine) as connection:
        counts = {"rows_read": max(len(ids), batch.rows_read), "rejected": skipped}
        batches.set_batch(connection, number, {**counts, "state": "done", "finished_at": clock()})
        changed = batches.get_batch(connection, number).updated
    return {"batch_id": number, "matched": len(ids), "changed": changed, "skipped": skipped}


def _delete(connection: Connection, ids: Sequence[int], number: int, actor: str, now: datetime) -> None:
    living = sorted(segments.living_among(connection, ids))
    removals.keep_opt_outs(connection, living, now)
    removals.remove(connection, living, actor, now, batch=number)
    bulk_edits.count_changed(connection, number, len(living))


def _edit(connection: Connection, plan: _Plan, ids: Sequence[int], now: Any) -> tuple[Edits, int]:
    """What becomes of a part of the contacts, and how many of them are left as they are."""
    edits, skipped = Edits(), 0
    more = (*(("phone",) if "channel" in plan.fields else ()), *(_BLOCK if plan.action == "block" else ()))
    had = bulk_edits.tags_now(connection, ids, [*plan.add, *plan.remove])
    values = bulk_edits.values_now(connection, ids, [one for one, _, _ in plan.custom.values()])
    for contact in bulk_edits.contacts_now(connection, ids, [*plan.fields, *more]):
        if not _is_possible(plan, contact):
            skipped += 1
            continue
        number, diff = contact["id"], _fields(plan, contact)
        gone = [tag for tag in plan.remove if (number, tag) in had]
        new = [tag for tag in plan.add if (number, tag) not in had]
        if gone or new:
            diff["tags"] = [gone, new]
        edits.tags_gone += [(number, tag) for tag in gone]
        edits.tags_new += [(number, tag) for tag in new]
        for key, (field_id, slot, value) in plan.custom.items():
            old = values.get((number, field_id))
            if old != value:
                diff[f"{CUSTOM}{key}"] = [plain(old), plain(value)]
                edits.values_gone += [(number, field_id)] if old is not None else []
                if value is not None:
                    edits.values_new.setdefault(slot, []).append((number, field_id, value))
        if diff:
            edits.diffs.append((number, as_diff(diff)))
            if gone or diff.keys() != {"tags"}:  # a row that was applied stands as it was where a tag comes
                edits.contacts.append(
                    {"id": number, "version": contact["version"] + 1, "applied": None, **_set(plan, contact, now)}
                )
    return edits, skipped


def _is_possible(plan: _Plan, contact: Mapping[str, Any]) -> bool:
    if plan.action:
        status, allowed = ACTIONS[plan.action]
        return contact["status"] in (*allowed, status)
    if "status" in plan.fields and contact["status"] not in _BY_HAND:
        return False
    return plan.fields.get("channel") not in NEED_A_PHONE or bool(contact["phone"])


def _fields(plan: _Plan, contact: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {**plan.fields, **({"status": ACTIONS[plan.action][0]} if plan.action else {})}
    return {name: [contact[name], value] for name, value in wanted.items() if contact[name] != value}


def _set(plan: _Plan, contact: Mapping[str, Any], now: Any) -> dict[str, Any]:
    """The columns of one who changes; who is blocked already keeps when and why."""
    found = dict(plan.fields)
    if plan.action:
        found["status"] = ACTIONS[plan.action][0]
    if plan.action == "block":
        new = {"blocked_at": now, "blocked_reason": plan.reason}
        found |= {name: contact[name] for name in _BLOCK} if contact["status"] == "blocked" else new
    return found


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────────


def check(form: BulkForm) -> None:
    """Raise WrongField for what nobody can mean."""
    if bool(form.filter_text) == bool(form.ids):
        raise WrongField(
            "filter",
            "required",
            "Say whom to change: by a filter, or by their numbers.",
            "Diga a quién cambiar: con un filtro, o por sus números.",
        )
    if not (form.fields or form.custom or form.add_tags or form.remove_tags or form.action):
        raise WrongField("fields", "required", "Say what to change.", "Diga qué cambiar.")
    if form.action == "block" and not (form.reason or "").strip():
        raise WrongField("reason", "required", "A block has a reason.", "Un bloqueo tiene un motivo.")
    if form.action and form.action not in (*ACTIONS, DELETE):
        raise _unknown("action", form.action, (*ACTIONS, DELETE))
    if form.action == DELETE and (form.fields or form.custom or form.add_tags or form.remove_tags):
        raise WrongField("action", "invalid", "Who is deleted is not edited.", "A quien se elimina no se le edita.")
    for name in form.fields:
        if name not in FIELDS:
            raise _unknown(name, name, FIELDS)
    if form.action and "status" in form.fields:
        raise WrongField("status", "invalid", "One status at a time.", "Un solo estado a la vez.")
    forms = [set(tags_by_form(tags)) for tags in (form.add_tags, form.remove_tags)]
    if "" in forms[0] | forms[1] or forms[0] & forms[1]:
        raise WrongField(
            "add_tags",
            "invalid",
            "Tags have names, and none is both added and removed.",
            "Las etiquetas tienen nombre, y ninguna se pone y se quita a la vez.",
        )


def _unknown(name: str, said: str, known: Sequence[str]) -> WrongField:
    listed = ", ".join(known)
    return WrongField(name, "unknown", f"«{said}» is none of {listed}.", f"«{said}» no es ninguno de {listed}.")


def _plan(connection: Connection, settings: Settings, form: BulkForm, tags: Mapping[str, int]) -> _Plan:
    known = contact_writes.fields_by_key(connection) if form.custom else {}
    custom: dict[str, tuple[int, str, Any]] = {}
    for key, value in form.custom.items():
        if key not in known:
            raise _unknown(f"{CUSTOM}{key}", key, tuple(known) or ("-",))
        field_id, kind = known[key]
        kept, slot = custom_value(key, kind, value, settings.time_zone), slot_of(kind)
        custom[key] = (field_id, slot, float(kept) if slot == "number" and kept is not None else kept)
    add = [tags[one] for one in tags_by_form(form.add_tags)] if tags else []
    remove = [tags[one] for one in tags_by_form(form.remove_tags)] if tags else []
    fields = kept_values(settings, form.fields)
    return _Plan(fields, custom, sorted(set(add)), sorted(set(remove)), form.action, form.reason)


def _told(form: BulkForm, count: int) -> dict[str, Any]:
    """What the audit says of an edit: what and of how many; the batch keeps whom, and forgets it with who is erased."""
    whom = {} if form.filter_text else {"picked": len(form.ids)}
    what = {name: getattr(form, name) for name in ("fields", "custom", "add_tags", "remove_tags", "action", "reason")}
    return {**whom, **{name: value for name, value in what.items() if value}, "count": count}
