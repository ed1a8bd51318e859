"""One contact as a backup has it: what would change, and the edit that makes it so. Consents and blocks stay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.scratch import scratch
from pipelines.backups import find_backup, parts_of_file, require_key
from pipelines.edits import KEYS, NAMES, TEXTS, ContactForm, Value, create_contact, edit_contact
from pipelines.erased import erased_people
from pipelines.exports import number_text
from pipelines.restores import Wish
from schemas.backups import Manifest
from schemas.fields import BETWEEN, FieldType
from schemas.settings import Settings
from warehouse import contact_details, removals, roll
from warehouse.audit import Asked
from warehouse.contact_details import NoSuchContact
from warehouse.engines import Store, reading

_FIELDS = (*NAMES, *KEYS, *TEXTS, "channel")


@dataclass(frozen=True, slots=True)
class PastContact:
    """A contact of a backup; `changes` are (now, then) of who is on the roll; `version` is None where nobody is."""

    number: int
    as_of: datetime
    form: ContactForm
    changes: Mapping[str, tuple[Any, Any]]
    version: int | None

    @property
    def is_gone(self) -> bool:
        return self.version is None


def find_past_contact(store: Store, settings: Settings, wish: Wish, number: int) -> PastContact:
    """Raises NoSuchContact where the backup has no such contact, or where the person was erased since."""
    manifest = find_backup(settings, wish.name)  # of another installation numbers are others'
    require_key(settings, manifest)
    with reading(store) as connection:
        types = roll.known_fields(connection)
        erased = removals.is_erased(connection, number)
    erased = erased or number in {one.contact_id for one in erased_people(settings)}
    form = None if erased else _form(settings, manifest, number, types)
    if form is None:
        raise NoSuchContact(
            f"Backup {manifest.name} has no contact {number}, or the person was erased since.",
            f"La copia {manifest.name} no tiene el contacto {number}, o la persona fue borrada desde entonces.",
        )
    with reading(store) as connection:
        try:
            now = contact_details.detail_of(connection, number)
        except NoSuchContact:
            return PastContact(number, manifest.as_of, form, {}, None)
    pairs: dict[str, tuple[Any, Any]] = {name: (now.contact[name], value) for name, value in form.fields.items()}
    pairs |= {key: (_shown(now.custom.get(key), types[key]), value) for key, value in form.custom.items()}
    pairs["tags"] = (sorted(now.tags), sorted(form.tags or ()))
    changes = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return PastContact(number, manifest.as_of, form, changes, now.version)


def _shown(value: Any, kind: FieldType) -> Value:
    """A value that the roll has, as the form says it."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if kind == "date" else value.isoformat()
    return list(value) if isinstance(value, list | tuple) else value


def restore_past_contact(store: Store, settings: Settings, past: PastContact, asked: Asked) -> int:
    """Make the contact so, as an edit that can be seen in its history; one who is gone is made anew. Its number."""
    if past.is_gone:
        filled = {name: value for name, value in past.form.fields.items() if value is not None}
        custom = {key: value for key, value in past.form.custom.items() if value is not None}
        return create_contact(store, settings, ContactForm(filled, custom, past.form.tags), asked)
    edit_contact(store, settings, past.number, past.form, asked, version=past.version)
    return past.number


def _form(settings: Settings, manifest: Manifest, number: int, types: Mapping[str, FieldType]) -> ContactForm | None:
    with scratch(settings.home) as folder:

        def rows(table: str, column: str, wanted: set[int]) -> Iterator[dict[str, Any]]:
            return _rows(settings, manifest, table, (column, wanted), folder)

        found = list(rows("contacts", "id", {number}))
        if not found or found[0]["deleted_at"] is not None:
            return None
        values = {row["field_id"]: row for row in rows("contact_values", "contact_id", {number})}
        tags = {row["tag_id"] for row in rows("contact_tags", "contact_id", {number})}
        names = [row["name"] for row in rows("tags", "id", tags) if row["dropped_at"] is None]
        fields = {row["key"]: row for row in _rows(settings, manifest, "custom_fields", None, folder)}
    known = {key: row for key, row in fields.items() if key in types}
    custom = {key: _value(values.get(row["id"]), row["type"], types[key]) for key, row in known.items()}
    return ContactForm({name: found[0][name] for name in _FIELDS}, custom, names)


def _rows(
    settings: Settings, manifest: Manifest, table: str, where: tuple[str, set[int]] | None, folder: Path
) -> Iterator[dict[str, Any]]:
    """Rows of a table of the backup, all of which is read, so that damage is seen."""
    for part in parts_of_file(settings, manifest, manifest.tables()[table], folder):
        if where is not None:
            part = part.filter(pc.is_in(part[where[0]], pa.array(sorted(where[1]), pa.int64())))
        yield from part.to_pylist()


def _value(row: Mapping[str, Any] | None, then: str, now: FieldType) -> Value:
    """A stored value as a form says it: as a text, where the field has another type since."""
    if row is None:
        return None
    value = _of_kind(row, then)
    if str(now).partition(":")[0] == then or isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool):
        return "sí" if value else "no"
    return number_text(value) if isinstance(value, float) else "; ".join(map(str, value))


def _of_kind(row: Mapping[str, Any], kind: str) -> str | float | bool | list[str] | None:
    match kind:
        case "number":
            return float(row["number"])
        case "boolean":
            return bool(row["number"])
        case "date" | "datetime":
            return f"{row['at']:%Y-%m-%d}" if kind == "date" else row["at"].isoformat()
        case "choices":
            return [one for one in str(row["text"]).split(BETWEEN) if one]
        case _:
            text = row["long_text"] if row["text"] is None else row["text"]
            return None if text is None else str(text)
