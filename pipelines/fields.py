"""Custom fields as people define them: made, named, archived, and given another type once every value fits it.

A conversion is a job. It writes the converted values beside the old ones, some thousands at a time, and puts them in
their place in one short transaction, with those that were changed meanwhile; until then everybody sees the old ones.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Engine

from pipelines.belongings import slot_of
from pipelines.columns import Normalised
from pipelines.dates import normalise_dates
from pipelines.imports import Clock
from pipelines.numbers import normalise_booleans, normalise_numbers
from schemas.errors import InputError
from schemas.fields import CUSTOM_KEY_LIMIT, TEXT_LIMIT, FieldType
from schemas.operators import WrongField, plain_name
from schemas.settings import Settings
from warehouse import audit, bulk, fields, jobs, roll, segments
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.fields import CustomField
from warehouse.jobs import Work

CONVERSION = "convert"
TYPES: tuple[FieldType, ...] = get_args(FieldType)
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_LABEL, _AT_ONCE, _NAMED = 200, 10_000, 5
Progress = Callable[[int, int], None]


class DoesNotFit(InputError):
    """Values of the field cannot be of the other type."""


@dataclass(frozen=True, slots=True)
class FieldForm:
    """What is set of a custom field."""

    key: str
    type: str = "text"
    label: str = ""


def find_fields(store: Store) -> list[CustomField]:
    """Every custom field, archived ones too."""
    with reading(store) as connection:
        return fields.all_fields(connection)


def create_field(store: Store, form: FieldForm, asked: Asked) -> CustomField:
    """Define a field before any file brings it. Raises WrongField."""
    key, label = form.key.strip(), _label(form.label or form.key.replace("_", " "))
    if not _KEY.fullmatch(key) or len(key) > CUSTOM_KEY_LIMIT:
        raise WrongField(
            "key",
            "invalid",
            f"A key has 1 to {CUSTOM_KEY_LIMIT} small letters, digits and _, such as plan.",
            f"Una clave tiene de 1 a {CUSTOM_KEY_LIMIT} minúsculas, cifras y _, como plan.",
        )
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        if any(one.key == key for one in fields.all_fields(connection)):
            raise WrongField("key", "taken", f"There is a field «{key}» already.", f"Ya hay un campo «{key}».")
        values = {"key": key, "label": label, "type": require_type(form.type), "created_at": asked.at}
        fields.add_field(connection, values)
        audit.add_entry(connection, asked, "fields:create", f"field:{key}", None, {"label": label, "type": form.type})
        return fields.get_field(connection, key)


def edit_field(
    store: Store, key: str, asked: Asked, *, label: str | None = None, is_archived: bool | None = None
) -> CustomField:
    """Name a field otherwise, put it away with its values, or take it out again. Raises NoSuchField or WrongField."""
    with transaction(store) as connection:
        before = fields.get_field(connection, key)
        values: dict[str, Any] = {} if label is None else {"label": _label(label)}
        if is_archived is not None and is_archived != (before.archived_at is not None):
            if is_archived:
                _check_unused(segments.all_segments(connection), key)
            values["archived_at"] = asked.at if is_archived else None
        if values:
            fields.set_field(connection, before.id, values)
            said = {"label": before.label, "archived": before.archived_at is not None}
            after = {"label": values.get("label", before.label), "archived": is_archived}
            audit.add_entry(connection, asked, "fields:edit", f"field:{key}", said, after)
        return fields.get_field(connection, key)


def _label(text: str) -> str:
    label = plain_name("label", text)
    if not label or len(label) > _LONGEST_LABEL:
        raise WrongField(
            "label",
            "length",
            f"A label has 1 to {_LONGEST_LABEL} characters.",
            f"Un nombre tiene de 1 a {_LONGEST_LABEL} caracteres.",
        )
    return label


def require_type(text: str) -> FieldType:
    """The type with this name; raises WrongField."""
    found = next((one for one in TYPES if one == text), None)
    if found is None:
        listed = ", ".join(TYPES)
        raise WrongField("type", "unknown", f"type is one of {listed}.", f"type es uno de {listed}.")
    return found


def _check_unused(known: list[segments.Segment], key: str) -> None:
    """Raise where a segment asks for the field."""
    users = [one.name for one in known if re.search(rf"\b{re.escape(key)}\b", one.filter_text or "")]
    if users:
        listed = ", ".join(users)
        raise WrongField("key", "in_use", f"Segments ask for it: {listed}.", f"Lo usan segmentos: {listed}.")


# ── converting ───────────────────────────────────────────────────────────────────────────────────────────────────


def ask_for_conversion(store: Store, key: str, type_: str, asked: Asked) -> Work:
    """A job that gives a field another type; raises WrongField."""
    wanted = require_type(type_)
    with transaction(store) as connection:
        field = fields.get_field(connection, key)
        if field.type == wanted:
            raise WrongField("type", "same", f"«{key}» is {wanted} already.", f"«{key}» ya es {wanted}.")
        _check_unused(segments.all_segments(connection), key)
        jobs.lock_jobs(connection)
        if jobs.open_job(connection, CONVERSION, f"field:{key}:{wanted}") is not None:
            raise WrongField("type", "in_use", "It is being converted.", "Se está convirtiendo.")
        audit.add_entry(connection, asked, "fields:convert", f"field:{key}", {"type": field.type}, {"type": wanted})
        values = {"kind": CONVERSION, "object": f"field:{key}:{wanted}", "actor": asked.actor}
        return jobs.add_job(connection, {**values, "address": asked.address, "created_at": asked.at})


def run_conversion(
    engine: Engine, key: str, wanted: FieldType, settings: Settings, clock: Clock, progress: Progress
) -> dict[str, Any]:
    """Convert every value, or none and raise DoesNotFit with how many do not fit and whose they are."""
    with reading(engine) as connection:
        old, began = fields.get_field(connection, key), roll.last_change(connection)
    if old.type == wanted:
        return {"key": key, "type": wanted}  # done by an attempt that died before it could say so
    beside = _beside(engine, old, wanted, clock)
    after = done = 0
    wrong: list[int] = []
    while True:
        progress(done, done)
        with transaction(engine) as connection:
            found = fields.values_after(connection, old.id, slot_of(old.type), after, _AT_ONCE)
            if not found.num_rows:
                break
            ids, (values, fits) = found["contact_id"].combine_chunks(), _converted(found, old.type, wanted, settings)
            wrong += ids.filter(pc.invert(fits)).to_pylist()
            if not wrong:
                fields.put_values(connection, beside, slot_of(wanted), ids, values)
        after, done = ids[-1].as_py(), done + len(ids)
    if not wrong:
        wrong = _put_in_place(engine, old, beside, wanted, began, settings)
    if wrong:
        _drop(engine, beside)
        listed, count = ", ".join(map(str, wrong[:_NAMED])), len(wrong)
        raise DoesNotFit(
            f"{count} values of «{key}» are no {wanted}, such as those of the contacts {listed}. Nothing was changed.",
            f"{count} valores de «{key}» no son {wanted}, como los de los contactos {listed}. No se cambió nada.",
        )
    return {"key": key, "type": wanted, "values": done}


def _beside(engine: Engine, old: CustomField, wanted: FieldType, clock: Clock) -> int:
    """A field for the converted values, which nobody sees; that of an attempt that died goes."""
    key = f"{fields.HIDDEN}{old.key}"[:CUSTOM_KEY_LIMIT]
    with reading(engine) as connection:
        left = fields.field_with_key(connection, key)
    if left is not None:
        _drop(engine, left)
    with transaction(engine) as connection:
        values = {"key": key, "label": old.label, "type": wanted, "created_at": old.created_at}
        return fields.add_field(connection, {**values, "archived_at": clock()})


def _drop(engine: Engine, number: int) -> None:
    """Take a field away, some thousand values at a time, so that nobody waits."""
    count = 1
    while count:
        with transaction(engine) as connection:
            count = fields.drop_some_values(connection, number)
    with transaction(engine) as connection:
        fields.drop_field(connection, number)


def _put_in_place(
    engine: Engine, old: CustomField, beside: int, wanted: FieldType, began: int, settings: Settings
) -> list[int]:
    """Convert what changed meanwhile and let the converted values be the field's; whose values do not fit."""
    wrong: list[int] = []
    with transaction(engine) as connection:
        bulk.lock_keys(connection)
        changed = fields.changed_since(connection, began)
        for start in range(0, len(changed), _AT_ONCE):
            part = changed[start : start + _AT_ONCE]
            fields.drop_values(connection, beside, part)
            found = fields.values_among(connection, old.id, slot_of(old.type), part)
            ids, (values, fits) = found["contact_id"].combine_chunks(), _converted(found, old.type, wanted, settings)
            wrong += ids.filter(pc.invert(fits)).to_pylist()
            fields.put_values(connection, beside, slot_of(wanted), ids, pc.if_else(fits, values, None))
        if not wrong:
            fields.set_field(connection, old.id, {"key": f"{fields.HIDDEN}{old.id}", "archived_at": old.created_at})
            fields.set_field(connection, beside, {"key": old.key, "archived_at": old.archived_at})
    if not wrong:
        _drop(engine, old.id)
    return wrong


def _converted(found: pa.Table, old: FieldType, wanted: FieldType, settings: Settings) -> tuple[pa.Array, pa.Array]:
    """The values as the other type keeps them, and which of them fit."""
    texts = _as_texts(found.column(1).combine_chunks(), old, wanted)
    if wanted in ("text", "long_text"):
        fits = pc.less_equal(pc.utf8_length(texts), TEXT_LIMIT) if wanted == "text" else pa.array([True] * len(texts))
        return texts, fits
    zone = "UTC" if "date" in (old, wanted) else settings.time_zone
    normal: Normalised
    match wanted:
        case "number":
            normal = normalise_numbers(texts, None)
        case "boolean":
            normal = normalise_booleans(texts)
        case _:
            normal = normalise_dates(texts, "dmy", zone)
    value = normal.value
    if wanted == "boolean":
        value = value.cast(pa.int8()).cast(pa.float64())
    if wanted == "date":
        value = pc.floor_temporal(value, unit="day")
    return value, pc.and_(pc.is_null(normal.problem), pc.is_valid(value))


def _as_texts(values: pa.Array, old: FieldType, wanted: FieldType) -> pa.Array:
    match old:
        case "boolean":
            words = ("1", "0") if wanted == "number" else ("true", "false")
            return pc.if_else(pc.equal(values, 1.0), *words)
        case "number":
            return pa.array([f"{one:.15g}" for one in values.to_pylist()], pa.string())
        case "date":
            return pc.strftime(values, "%Y-%m-%d")
        case "datetime":
            return pc.strftime(values.cast(pa.timestamp("s", "UTC"), safe=False), "%Y-%m-%d %H:%M:%SZ")
        case _:
            return values
