"""The catalogue of fields a contact has, and what a column of a file can be mapped to.

One row here is what validation, the template, the mapping and the store agree on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from schemas.consents import DATA_CONSENT

FieldType = Literal["text", "long_text", "number", "boolean", "date", "datetime", "choice", "choices"]
BETWEEN = "\x1f"
"""Stands before, between and behind the options that a value of `choices` has."""
WITH_OPTIONS = ("choice", "choices")
"""Types whose values are one, or some, of the field's options."""
Kind = Literal["text", "phone", "email", "datetime", "vocabulary", "tags", "key"]

TEXT_LIMIT = 1_000
LONG_TEXT_LIMIT = 100_000
CUSTOM_KEY_LIMIT = 60


class Optioned(str):
    """A type of `WITH_OPTIONS`, equal to its name, with the options of the field."""

    options: tuple[str, ...]

    def __new__(cls, name: str, options: Iterable[str]) -> "Optioned":
        found = super().__new__(cls, name)
        found.options = tuple(options)
        return found


def options_of(kind: str) -> tuple[str, ...]:
    """The options of a field of this type; a type that takes any value has none."""
    return kind.options if isinstance(kind, Optioned) else ()


def field_type(name: Any, options: Iterable[str] | None) -> FieldType:
    """The type of a field, with its options where it has any."""
    return cast(FieldType, Optioned(name, options) if options else name)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the contact: its key, how its text is read, and its name in each language."""

    key: str
    kind: Kind
    en: str
    es: str
    limit: int = TEXT_LIMIT
    stored: bool = True
    template: bool = False

    def label(self, language: str) -> str:
        return self.es if language == "es" else self.en


FIELDS: tuple[Field, ...] = (
    Field("external_id", "key", "External id", "Id externo", 300, stored=False, template=True),
    Field("first_name", "text", "First name", "Nombre", 200, template=True),
    Field("last_name", "text", "Last name", "Apellidos", 200, template=True),
    Field("display_name", "text", "Full name", "Nombre completo", 400),
    Field("phone", "phone", "Phone", "Teléfono", 32, template=True),
    Field("email", "email", "E-mail", "Correo electrónico", 254, template=True),
    Field("company", "text", "Company", "Empresa", 300, template=True),
    Field("address", "text", "Address", "Dirección", template=True),
    Field("city", "text", "City", "Ciudad", 200, template=True),
    Field("country", "text", "Country", "País", 100, template=True),
    Field("photo_url", "text", "Photo", "Foto"),
    Field("channel", "vocabulary", "Channel", "Canal", 32, template=True),
    Field("status", "vocabulary", "Status", "Estado", 32, template=True),
    Field("language", "text", "Language", "Idioma", 35),
    Field("created_at", "datetime", "Created", "Creado"),
    Field("last_interaction_at", "datetime", "Last interaction", "Última interacción"),
    Field("tags", "tags", "Tags", "Etiquetas", stored=False, template=True),
    Field("note", "text", "Notes", "Notas", LONG_TEXT_LIMIT, stored=False, template=True),
)
BY_KEY = {field.key: field for field in FIELDS}
TEXTS = tuple(field.key for field in FIELDS if field.kind == "text" and field.stored)

# What a column may be mapped to beside the fields themselves: parts that are put together into one field.
PARTS = {
    "middle_name": "first_name",
    "second_last_name": "last_name",
    "street": "address",
    "neighborhood": "address",
    "region": "address",
    "postal_code": "address",
    "phone_country": "phone",
    "phone_area": "phone",
    "blocked": "status",
}
CHANNELS = ("whatsapp", "instagram", "facebook", "telegram", "webchat", "sms", "email", "phone")
STATUSES = ("active", "inactive", "blocked", "archived")
OPT_OUTS = tuple(f"opt_out.{channel}" for channel in (*CHANNELS, "all"))
OPT_INS = tuple(f"opt_in.{channel}" for channel in (*CHANNELS, "all"))
CONSENTS = (*OPT_OUTS, *OPT_INS, DATA_CONSENT)
CUSTOM = "custom."
IGNORE = "ignore"


def is_target(target: str) -> bool:
    """Whether a column can be mapped to this name.

    >>> is_target("phone"), is_target("custom.plan"), is_target("fax")
    (True, True, False)
    """
    known = target in BY_KEY or target in PARTS or target in CONSENTS or target == IGNORE
    return known or (target.startswith(CUSTOM) and len(target) > len(CUSTOM))


def targets() -> tuple[str, ...]:
    """Every fixed name a column can be mapped to, for messages and docs (custom fields are `custom.<key>`)."""
    return (*BY_KEY, *PARTS, *CONSENTS, IGNORE)
