"""Contacts by hand: created, edited, blocked, archived. Files fill what is empty later, and undo leaves edits alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection

from pipelines.belongings import slot_of
from pipelines.choices import marked, normalise_choices
from pipelines.dates import normalise_dates
from pipelines.emails import normalise_email
from pipelines.keys import key_form
from pipelines.numbers import MOST, normalise_booleans, normalise_numbers
from pipelines.phones import normalise_phone
from pipelines.suppression import Suppressed, read_suppressed, require_not_erased
from pipelines.texts import normalise_names, normalise_texts, search_text
from pipelines.versions import require_version
from pipelines.words import tags_by_form
from schemas.codes import CODES
from schemas.fields import (
    BY_KEY,
    CHANNELS,
    CUSTOM,
    LONG_TEXT_LIMIT,
    TEXT_LIMIT,
    FieldType,
    field_type,
    options_of,
)
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import audit, bulk, contact_details, contact_writes
from warehouse.audit import Asked
from warehouse.engines import Store, transaction

NAMES = ("first_name", "last_name", "display_name")
TEXTS = ("company", "address", "city", "country", "photo_url", "language")
KEYS = ("phone", "email")
FIELDS = (*NAMES, *KEYS, *TEXTS, "channel", "status")
"""What can be set of a contact by hand, beside custom fields and tags."""
_SEARCHED = ("display_name", "phone", "email")
NEED_A_PHONE = ("whatsapp", "sms", "phone")
_PUT_BY_HAND = ("active", "inactive")
Value = str | float | bool | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class ContactForm:
    """What is set of a contact by hand; what is not named stays. `tags` are all that it is to have."""

    fields: Mapping[str, str | None] = field(default_factory=dict)
    custom: Mapping[str, Value] = field(default_factory=dict)
    tags: Sequence[str] | None = None


def create_contact(store: Store, settings: Settings, form: ContactForm, asked: Asked) -> int:
    """Make a contact; its number. Raises WrongField, also for a phone or e-mail that another one has."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        values = kept_values(settings, form.fields)
        if not values.get("phone") and not values.get("email"):
            raise WrongField(
                "phone",
                "required",
                "A contact has a phone or an e-mail, so that it can be told from others.",
                "Un contacto tiene teléfono o correo, para distinguirlo de los demás.",
            )
        values |= {"status": values.get("status") or "active", "created_at": asked.at}
        values |= key_matches(connection, values, None, read_suppressed(connection, settings))
        check_channel(values)
        number = contact_writes.add_contact(connection, {**values, **composed({}, values)})
        set_custom(connection, settings.time_zone, number, form.custom, {})
        set_tags(connection, number, form.tags)
        contact_writes.add_change(connection, number, "create", None, asked)
        audit.add_entry(connection, asked, "contacts:create", f"contact:{number}")
    return number


def edit_contact(
    store: Store, settings: Settings, number: int, form: ContactForm, asked: Asked, *, version: int | None = None
) -> None:
    """Change what is named; raises VersionDiffers where somebody else changed the contact since it was read."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        detail = contact_details.detail_of(connection, number)
        contact = detail.contact
        is_same = version is None or detail.version == version
        require_version(is_same, f"contact {number}", f"el contacto {number}")
        values = kept_values(settings, form.fields)
        _check_status(contact, values)
        changed = {name: value for name, value in values.items() if contact[name] != value}
        changed |= key_matches(connection, changed, number, read_suppressed(connection, settings))
        if changed.keys() & {"channel", "phone"}:
            check_channel({**contact, **changed})
        if any(kind in changed for kind in KEYS):
            check_reachable({**contact, **changed}, detail.keys)
        changed |= composed(contact, changed)
        shown = changed.keys() & {*values, "display_name"}
        diff = {name: [contact[name], changed[name]] for name in sorted(shown) if contact[name] != changed[name]}
        diff |= set_custom(connection, settings.time_zone, number, form.custom, detail.custom)
        diff |= set_tags(connection, number, form.tags)
        if diff:
            contact_writes.set_contact(connection, number, changed)
            contact_writes.add_change(connection, number, "update", diff, asked)


def block_contact(store: Store, number: int, reason: str, asked: Asked) -> None:
    """Let no message reach a contact any more; no file and no CRM takes it back."""
    _set_status(store, number, "blocked", asked, "contacts:block", reason)


def unblock_contact(store: Store, number: int, asked: Asked) -> None:
    """Take a block back, which only a person can; opt-outs stay."""
    _set_status(store, number, "unblocked", asked, "contacts:unblock")


def archive_contact(store: Store, number: int, asked: Asked) -> None:
    """Put a contact away; it can be restored."""
    _set_status(store, number, "archived", asked, "contacts:archive")


def restore_contact(store: Store, number: int, asked: Asked) -> None:
    """Take a contact out of the archive."""
    _set_status(store, number, "active", asked, "contacts:restore")


_FROM = {"contacts:unblock": ("blocked",), "contacts:restore": ("archived",)}


def _set_status(store: Store, number: int, status: str, asked: Asked, action: str, reason: str | None = None) -> None:
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        contact = contact_details.living(connection, number)
        was = contact["status"]
        if status == "unblocked":
            status = contact_details.status_before_block(connection, number)
        if was == status:
            return
        allowed = _FROM.get(
            action, ("active", "inactive", "archived") if status == "blocked" else ("active", "inactive")
        )
        if was not in allowed:
            raise WrongField(
                "status",
                "wrong_status",
                f"Contact {number} is {was}: that cannot be done with it.",
                f"El contacto {number} está en estado {was}: no se puede hacer eso con él.",
            )
        values: dict[str, Any] = {"status": status}
        if "blocked" in (was, status):
            values |= {"blocked_at": asked.at, "blocked_reason": reason} if status == "blocked" else _NOT_BLOCKED
        contact_writes.set_contact(connection, number, values)
        contact_writes.add_change(connection, number, "update", {"status": [was, status]}, asked)
        audit.add_entry(connection, asked, action, f"contact:{number}", {"status": was}, {"status": status})


_NOT_BLOCKED: dict[str, Any] = {"blocked_at": None, "blocked_reason": None}


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def kept_values(settings: Settings, given: Mapping[str, str | None]) -> dict[str, Any]:
    """The fields as they are kept: in one form, or WrongField."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        if name == "status" and text is None:
            raise WrongField(name, "required", "A contact has a status.", "Un contacto tiene un estado.")
        found[name] = _value(settings, name, text) if text is not None else None
    return found


def _value(settings: Settings, name: str, text: str) -> str | None:
    kept: str | None
    if name == "phone":
        kept, _ = normalise_phone(text, settings.default_country or None)
        if kept is None and text.strip():
            raise WrongField(name, "invalid", f"«{text}» is no phone.", f"«{text}» no es un teléfono.")
        return kept
    if name == "email":
        kept = normalise_email(text)
        if kept is None and text.strip():
            raise WrongField(name, "invalid", f"«{text}» is no e-mail.", f"«{text}» no es un correo.")
        return kept
    if name in ("channel", "status"):
        allowed = CHANNELS if name == "channel" else _PUT_BY_HAND
        if text not in allowed:
            listed = ", ".join(allowed)
            raise WrongField(name, "unknown", f"{name} is one of {listed}.", f"{name} es uno de {listed}.")
        return text
    normal = normalise_names if name in NAMES else normalise_texts
    return _no_longer(name, normal(pa.array([text]))[0].as_py(), BY_KEY[name].limit)


def composed(contact: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The full name, where its parts changed and it did not, and the text that searches look through.

    A contact known only by its whole name keeps it until both parts are known.
    """
    whole, found = {**contact, **changed}, dict[str, Any]()
    parts_changed = "first_name" in changed or "last_name" in changed
    follows = contact.get("display_name") in (None, _joined(contact)) or (whole["first_name"] and whole["last_name"])
    if "display_name" not in changed and parts_changed and follows:
        found["display_name"] = whole["display_name"] = _joined(whole)
    texts = (pa.array([whole.get(name)], pa.string()) for name in _SEARCHED)
    found["search_text"] = search_text(*texts)[0].as_py()
    return found


def _joined(contact: Mapping[str, Any]) -> str | None:
    parts = [contact.get("first_name"), contact.get("last_name")]
    whole = " ".join(part for part in parts if part)
    return whole[: BY_KEY["display_name"].limit].rstrip() or None


def key_matches(
    connection: Connection, values: Mapping[str, Any], number: int | None, suppressed: Suppressed
) -> dict[str, Any]:
    """The match forms of new phones and e-mails, which nobody else may own, nor have had who was erased."""
    found: dict[str, Any] = {}
    for kind in KEYS:
        if kind not in values:
            continue
        form = key_form(kind, values[kind]) if values[kind] else None
        if form:
            require_not_erased(suppressed, kind, form)
        owner = contact_writes.owner_of(connection, kind, form) if form else None
        if owner is not None and owner[0] != number:
            named = f"{owner[0]} ({owner[1]})" if owner[1] else str(owner[0])
            raise WrongField(kind, "taken", f"Contact {named} has it already.", f"Ya lo tiene el contacto {named}.")
        if form and number is not None:
            contact_writes.swap_key(connection, number, kind, form)
        found[f"{kind}_match"] = form
    return found


def _check_status(contact: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    status = values.get("status")
    if status is not None and contact["status"] not in (*_PUT_BY_HAND, status):
        raise WrongField(
            "status",
            "wrong_status",
            "A blocked or archived contact is unblocked or restored, not edited back.",
            "Un contacto bloqueado o archivado se desbloquea o se restaura, no se edita.",
        )


def check_channel(contact: Mapping[str, Any]) -> None:
    if contact.get("channel") in NEED_A_PHONE and not contact.get("phone"):
        raise WrongField(
            "phone",
            "required",
            f"Who is written to by {contact['channel']} has a phone.",
            f"Para escribir por {contact['channel']} hace falta un teléfono.",
        )


def check_reachable(contact: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> None:
    if not (contact["phone"] or contact["email"] or keys):
        raise WrongField(
            "phone",
            "required",
            "A contact keeps a phone, an e-mail or another key, so that it can be told from others.",
            "Un contacto conserva un teléfono, un correo u otra clave, para distinguirlo de los demás.",
        )


def set_custom(
    connection: Connection, zone: str, number: int, given: Mapping[str, Value], had: Mapping[str, Any]
) -> dict[str, list[Any]]:
    known = contact_writes.fields_by_key(connection) if given else {}
    diff: dict[str, list[Any]] = {}
    for key, value in given.items():
        if key not in known:
            listed = ", ".join(known) or "-"
            raise WrongField(
                f"{CUSTOM}{key}",
                "unknown",
                f"There is no custom field «{key}». There are: {listed}.",
                f"No hay un campo propio «{key}». Hay: {listed}.",
            )
        field_id, kind = known[key]
        kept = custom_value(key, kind, value, zone)
        if kept != _stored(had.get(key)):
            slot = slot_of(kind)
            stored = float(kept) if slot == "number" and kept is not None else kept
            contact_writes.set_value(connection, number, field_id, slot, stored)
            diff[f"{CUSTOM}{key}"] = [plain(_stored(had.get(key))), plain(stored)]
    return diff


def _stored(value: Any) -> Any:
    """A value that was told, as it is kept."""
    return marked(value) if isinstance(value, list) else value


def custom_value(key: str, kind: FieldType, value: Value, zone: str) -> Any:
    """A value as a field of this type keeps it, also from its text; raises WrongField."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str | bool | int | float):
        return _chosen(key, kind, value)
    if isinstance(value, str):
        return _of_text(key, kind, value, "UTC" if kind == "date" else zone)
    if isinstance(value, bool) != (kind == "boolean") or kind not in ("boolean", "number"):
        english, spanish = _TYPES[kind]
        raise WrongField(f"{CUSTOM}{key}", "wrong_type", f"«{key}» is {english}.", f"«{key}» es {spanish}.")
    if not abs(value) < MOST:
        raise WrongField(f"{CUSTOM}{key}", "number_invalid", "A number is below 9e15.", "Un número es menor que 9e15.")
    return value


_TYPES: dict[FieldType, tuple[str, str]] = {
    "text": ("a text", "un texto"),
    "long_text": ("a text", "un texto"),
    "number": ("a number", "un número"),
    "boolean": ("true or false", "true o false"),
    "date": ("a day, as text: 2026-11-30", "un día, como texto: 2026-11-30"),
    "choice": ("one of its options", "una de sus opciones"),
    "choices": ("a list of its options", "una lista de sus opciones"),
    "datetime": ("a time, as text: 2026-11-30T10:00:00Z", "una fecha y hora, como texto: 2026-11-30T10:00:00Z"),
}


def _chosen(key: str, kind: FieldType, values: Sequence[str]) -> Any:
    """Several options, as a list names them."""
    if kind != "choices":
        english, spanish = _TYPES[kind]
        raise WrongField(f"{CUSTOM}{key}", "wrong_type", f"«{key}» is {english}.", f"«{key}» es {spanish}.")
    each = [_of_text(key, field_type("choice", options_of(kind)), value, "UTC") for value in values]
    return marked(option for option in options_of(kind) if option in each)


def _of_text(key: str, kind: FieldType, text: str, zone: str) -> Any:
    column = pa.array([text])
    match kind:
        case "number":
            found = normalise_numbers(column, None)
        case "boolean":
            found = normalise_booleans(column)
        case "date" | "datetime":
            found = normalise_dates(column, "dmy", zone)
        case "choice" | "choices":
            found = normalise_choices(column, options_of(kind), several=kind == "choices")
        case _:
            limit = LONG_TEXT_LIMIT if kind == "long_text" else TEXT_LIMIT
            return _no_longer(f"{CUSTOM}{key}", normalise_texts(column)[0].as_py(), limit)
    if found.problem[0].is_valid:
        code = CODES[found.problem[0].as_py()]
        if options := ", ".join(options_of(kind)):
            english, spanish = f"{code.message('en')} Options: {options}.", f"{code.message('es')} Opciones: {options}."
            raise WrongField(f"{CUSTOM}{key}", code.name, english, spanish)
        raise WrongField(f"{CUSTOM}{key}", code.name, code.message("en"), code.message("es"))
    return found.value[0].as_py()


def _no_longer(name: str, text: str | None, limit: int) -> str | None:
    if text is not None and len(text) > limit:
        raise WrongField(name, "too_long", f"At most {limit} characters.", f"Como mucho {limit} caracteres.")
    return text


def set_tags(connection: Connection, number: int, wanted: Sequence[str] | None) -> dict[str, list[Any]]:
    if wanted is None:
        return {}
    forms = tags_by_form(wanted)
    if "" in forms:
        raise WrongField("tags", "invalid", "A tag has a name.", "Una etiqueta tiene un nombre.")
    gone, added = contact_writes.set_tags(connection, number, forms)
    return {"tags": [gone, added]} if gone or added else {}


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
