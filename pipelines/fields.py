"""Custom fields as people define them: made, named, archived, and given another type once every value fits it.

A conversion is a job. It writes the converted values beside the old ones, some thousands at a time, and puts them in
their place in one short transaction, with those that were changed meanwhile; until then everybody sees the old ones.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Engine

from pipelines.belongings import slot_of
from pipelines.choices import normalise_choices
from pipelines.columns import Normalised
from pipelines.dates import normalise_dates
from pipelines.imports import Clock
from pipelines.numbers import normalise_booleans, normalise_numbers
from pipelines.segments import fields_asked_for
from pipelines.words import split_tags, tag_form
from schemas.errors import InputError, TransientError
from schemas.fields import (
    BETWEEN,
    CUSTOM,
    CUSTOM_KEY_LIMIT,
    LONG_TEXT_LIMIT,
    TEXT_LIMIT,
    WITH_OPTIONS,
    FieldType,
    field_type,
    options_of,
)
from schemas.operators import WrongField, plain_name
from schemas.settings import Settings
from warehouse import audit, batches, bulk, fields, jobs, roll, segments
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.fields import CustomField
from warehouse.jobs import Progress, Work

CONVERSION = "convert"
TYPES: tuple[FieldType, ...] = get_args(FieldType)
_IS_CODE = r"^\s*0[0-9]|[0-9]{16}"
"""A text of digits that is no number: one with zeros before it, or too long to be counted with."""
_KEY = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_LABEL, _AT_ONCE, _NAMED, _MOST_OPTIONS, _MOST_TEXTS = 200, 10_000, 5, 100, 5_000


class StillWritten(TransientError):
    """Somebody writes values, or converts the field; it is tried again."""


class DoesNotFit(InputError):
    """Values of the field cannot be of the other type."""


@dataclass(frozen=True, slots=True)
class FieldForm:
    """What is set of a custom field."""

    key: str
    type: str = "text"
    label: str = ""
    options: Sequence[str] = ()


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
        values["options"] = _options(form.type, form.options)
        fields.add_field(connection, values)
        audit.add_entry(connection, asked, "fields:create", f"field:{key}", None, {"label": label, "type": form.type})
        return fields.get_field(connection, key)


def edit_field(
    store: Store,
    key: str,
    asked: Asked,
    *,
    label: str | None = None,
    is_archived: bool | None = None,
    options: Sequence[str] | None = None,
) -> CustomField:
    """Name a field otherwise, put it away with its values or take it out again, give it other options.

    Raises NoSuchField or WrongField; an option that contacts have stays.
    """
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        before = fields.get_field(connection, key)
        values: dict[str, Any] = {} if label is None else {"label": _label(label)}
        if options is not None:
            values["options"] = _options(before.type, options)
            _check_options_unused(connection, before, values["options"])
        if is_archived is not None and is_archived != (before.archived_at is not None):
            if is_archived:
                _check_unused(segments.all_segments(connection), key)
            values["archived_at"] = asked.at if is_archived else None
        if values:
            fields.set_field(connection, before.id, values)
            said = {"label": before.label, "archived": before.archived_at is not None, "options": before.options}
            after = {**said, **{name: values[name] for name in said if name in values}}
            after["archived"] = said["archived"] if is_archived is None else is_archived
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


def _options(type_: str, options: Sequence[str]) -> list[str] | None:
    """The options as they are kept; raises WrongField where a field of this type cannot have these."""
    kept = [plain_name("options", option) for option in options]
    if type_ not in WITH_OPTIONS:
        if kept:
            raise WrongField("options", "invalid", "Only a choice has options.", "Solo una elección tiene opciones.")
        return None
    forms = [tag_form(option) for option in kept]
    if not kept or "" in forms or len(set(forms)) < len(forms) or any(BETWEEN in option for option in kept):
        raise WrongField(
            "options",
            "invalid",
            "Name the options, each once.",
            "Nombre las opciones, cada una una vez.",
        )
    if len(kept) > _MOST_OPTIONS or len(BETWEEN.join(kept)) + 2 > TEXT_LIMIT:
        raise WrongField(
            "options",
            "length",
            f"At most {_MOST_OPTIONS} options, of {TEXT_LIMIT} characters in all.",
            f"Como mucho {_MOST_OPTIONS} opciones, de {TEXT_LIMIT} caracteres en total.",
        )
    return kept


def _check_options_unused(connection: Connection, field: CustomField, wanted: Sequence[str] | None) -> None:
    """Raise where an option that is to go is some contact's, or segments ask for the field."""
    gone = [option for option in field.options or () if option not in (wanted or ())]
    used = next((option for option in gone if fields.has_option(connection, field.id, option)), None)
    if used is not None:
        raise WrongField(
            "options",
            "in_use",
            f"Contacts have the option «{used}»: change them first.",
            f"Hay contactos con la opción «{used}»: cámbielos antes.",
        )
    if gone:
        _check_unused(segments.all_segments(connection), field.key)


def require_type(text: str) -> FieldType:
    """The type with this name; raises WrongField."""
    found = next((one for one in TYPES if one == text), None)
    if found is None:
        listed = ", ".join(TYPES)
        raise WrongField("type", "unknown", f"type is one of {listed}.", f"type es uno de {listed}.")
    return found


def _check_unused(known: list[segments.Segment], key: str) -> None:
    """Raise where a segment asks for the field."""
    users = [one.name for one in known if f"{CUSTOM}{key}" in fields_asked_for(one)]
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
        if any(jobs.open_job(connection, CONVERSION, f"field:{key}:{one}") for one in TYPES):
            raise WrongField("type", "in_use", "It is being converted.", "Se está convirtiendo.")
        audit.add_entry(connection, asked, "fields:convert", f"field:{key}", {"type": field.type}, {"type": wanted})
        return jobs.ask(connection, CONVERSION, f"field:{key}:{wanted}", asked)


def run_conversion(
    engine: Engine, key: str, wanted: FieldType, settings: Settings, clock: Clock, progress: Progress
) -> dict[str, Any]:
    """Convert every value, or none and raise DoesNotFit with how many do not fit and whose they are.

    Whoever writes values knows their types from when they began, so that the field changes between such works only.
    """
    _drop_left(engine, key)
    with reading(engine) as connection:
        old, began = fields.get_field(connection, key), roll.last_change(connection)
        _require_quiet(connection, clock)
    if old.type == wanted:
        return {"key": key, "type": wanted}  # done by an attempt that died before it could say so
    wanted = _with_options(engine, old, wanted)
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
        wrong = _put_in_place(engine, old, beside, wanted, began, settings, clock)
    if wrong:
        _drop(engine, beside, slot_of(wanted))
        listed, count = ", ".join(map(str, wrong[:_NAMED])), len(wrong)
        raise DoesNotFit(
            f"{count} values of «{key}» are no {wanted}, such as those of the contacts {listed}. Nothing was changed.",
            f"{count} valores de «{key}» no son {wanted}, como los de los contactos {listed}. No se cambió nada.",
        )
    return {"key": key, "type": wanted, "values": done}


def _require_quiet(connection: Connection, clock: Clock) -> None:
    """Raise where an import, an edit of many or an undo is under way: the job waits for it."""
    writes = (batches.EDIT, "undo")
    if batches.count_running(connection, clock()) or jobs.any_running(connection, writes):
        raise StillWritten("Values are being written. It goes on in a moment.", "Se están escribiendo valores.")


def _hidden(key: str) -> str:
    """The key under which the converted values of a field stand until they are the field's."""
    return f"{fields.HIDDEN}{key}"[:CUSTOM_KEY_LIMIT]


def _drop_left(engine: Engine, key: str) -> None:
    """Take away what earlier conversions of this field left that were cut off or stopped, and fields that gave way."""
    with reading(engine) as connection:
        left = fields.hidden_fields(connection)
    for number, hidden, slot in left:
        if hidden == _hidden(key) or hidden.removeprefix(fields.HIDDEN).isdigit():
            _drop(engine, number, slot)


def _with_options(engine: Engine, old: CustomField, wanted: FieldType) -> FieldType:
    """The type, with the options that the values there are make; raises DoesNotFit where they are too many."""
    if wanted not in WITH_OPTIONS or old.options:
        return field_type(wanted, old.options) if wanted in WITH_OPTIONS else wanted
    if old.type != "text":
        raise DoesNotFit(
            f"Only a text becomes a choice: «{old.key}» is {old.type}.",
            f"Solo un texto pasa a ser una elección: «{old.key}» es {old.type}.",
        )
    with reading(engine) as connection:
        texts = fields.texts_among(connection, old.id, _MOST_TEXTS)
    parts = [part for text in texts for part in (split_tags(text) if wanted == "choices" else [text])]
    options = sorted({tag_form(part): part.strip() for part in reversed(parts)}.values(), key=tag_form)
    try:
        return field_type(wanted, _options(wanted, options))
    except WrongField as error:
        raise DoesNotFit(error.said("en"), error.said("es")) from error


def _beside(engine: Engine, old: CustomField, wanted: FieldType, clock: Clock) -> int:
    """A field for the converted values, which nobody sees."""
    with transaction(engine) as connection:
        values = {"key": _hidden(old.key), "label": old.label, "type": str(wanted), "created_at": old.created_at}
        values["options"] = list(options_of(wanted)) or None
        return fields.add_field(connection, {**values, "archived_at": clock()})


def _drop(engine: Engine, number: int, slot: str) -> None:
    """Take a field away, some thousand values at a time, so that nobody waits."""
    after: int | None = 0
    while after is not None:
        with transaction(engine) as connection:
            after = fields.drop_some_values(connection, number, slot, after)
    with transaction(engine) as connection:
        fields.drop_field(connection, number)


def _put_in_place(
    engine: Engine, old: CustomField, beside: int, wanted: FieldType, began: int, settings: Settings, clock: Clock
) -> list[int]:
    """Convert what changed meanwhile and let the converted values be the field's; whose values do not fit."""
    wrong: list[int] = []
    with transaction(engine) as connection:
        bulk.lock_keys(connection)
        _require_quiet(connection, clock)
        now = fields.get_field(connection, old.key)
        _check_unused(segments.all_segments(connection), old.key)
        if (now.id, now.options) != (old.id, old.options) or not fields.is_there(connection, beside):
            raise StillWritten("Another conversion came first.", "Otra conversión llegó antes.")
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
            fields.set_field(connection, beside, {"key": old.key, "label": now.label, "archived_at": now.archived_at})
    if not wrong:
        _drop(engine, old.id, slot_of(old.type))
    return wrong


def _converted(found: pa.Table, old: FieldType, wanted: FieldType, settings: Settings) -> tuple[pa.Array, pa.Array]:
    """The values as the other type keeps them, and which of them fit."""
    texts = _as_texts(found.column(1).combine_chunks(), old, wanted, settings.time_zone)
    if wanted in ("text", "long_text"):
        fits = pc.less_equal(pc.utf8_length(texts), TEXT_LIMIT if wanted == "text" else LONG_TEXT_LIMIT)
        return texts, fits
    zone = "UTC" if "date" in (old, wanted) else settings.time_zone
    normal: Normalised
    match wanted:
        case "number":
            normal = normalise_numbers(texts, None)
        case "boolean":
            normal = normalise_booleans(texts)
        case "choice" | "choices":
            normal = normalise_choices(texts, options_of(wanted), several=wanted == "choices")
        case _:
            normal = normalise_dates(texts, "dmy", zone)
    value, fits = normal.value, pc.and_(pc.is_null(normal.problem), pc.is_valid(normal.value))
    if wanted == "boolean":
        value = value.cast(pa.int8()).cast(pa.float64())
    if wanted == "number" and old in ("text", "long_text"):
        fits = pc.and_(fits, pc.invert(pc.match_substring_regex(texts, _IS_CODE)))
    if wanted == "date":
        fits = pc.and_(fits, pc.equal(value, pc.floor_temporal(value, unit="day")))
    return value, fits


def _as_texts(values: pa.Array, old: FieldType, wanted: FieldType, zone: str) -> pa.Array:
    match old:
        case "boolean":
            words = ("1", "0") if wanted == "number" else ("true", "false")
            return pc.if_else(pc.equal(values, 1.0), *words)
        case "number":
            numbers = values.to_pylist()
            return pa.array([str(int(one)) if one == int(one) else repr(one) for one in numbers], pa.string())
        case "choices":
            return pc.replace_substring(pc.utf8_trim(values, BETWEEN), BETWEEN, "; ")
        case "date":
            return pc.strftime(values, "%Y-%m-%d")
        case "datetime" if wanted == "date":
            return pc.strftime(pc.local_timestamp(pc.cast(values, pa.timestamp("us", zone))), "%Y-%m-%d %H:%M:%S")
        case "datetime":
            return pc.strftime(values.cast(pa.timestamp("s", "UTC"), safe=False), "%Y-%m-%d %H:%M:%SZ")
        case _:
            return values
