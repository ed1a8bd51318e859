"""A profile: how a source's columns map to fields, and what to do with duplicates, blanks and bad cells.

A profile is a TOML file. Reading and writing files is `connectors/profiles.py`; here is its meaning.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args
from zoneinfo import available_timezones

import phonenumbers

from schemas.errors import InputError
from schemas.fields import BY_KEY, CUSTOM, CUSTOM_KEY_LIMIT, WITH_OPTIONS, FieldType, is_target, targets

Mode = Literal["create", "update", "upsert"]
Duplicates = Literal["skip", "update", "overwrite", "merge", "create"]
Blank = Literal["keep", "clear"]
Names = Literal["must_agree", "ignore"]
DateOrder = Literal["dmy", "mdy", "ymd"]
InvalidCells = Literal["report", "reject"]
Phones = Literal["possible", "valid"]
Takes = Literal["contacts", "interactions"]
MatchKey = Literal["external_id", "phone", "email"]

_OF_FILES = tuple(kind for kind in get_args(FieldType) if kind not in WITH_OPTIONS)
"""The types that a profile can give a field; one with options is defined first (`padron fields create`)."""
_CHOICES: dict[str, tuple[Any, ...]] = {
    "takes": get_args(Takes),
    "mode": get_args(Mode),
    "duplicates": get_args(Duplicates),
    "blank": get_args(Blank),
    "names": get_args(Names),
    "invalid_cells": get_args(InvalidCells),
    "phones": get_args(Phones),
    "date_order": (None, *get_args(DateOrder)),
    "decimal": (None, ".", ","),
    "unmapped": ("ignore", "custom"),
    "language": (None, "es", "en"),
}


_KINDS: dict[str, tuple[type, str]] = {
    "columns": (dict, '{ "Celular" = "phone" }'),
    "custom_fields": (dict, '{ plan = "text" }'),
    "tags": (tuple, '["VIP"]'),
    "match_on": (tuple, '["phone", "email"]'),
    "header_row": (int, "2"),
}
"""The type of each key that is not text, with an example."""


class ProfileError(InputError):
    """A profile that cannot be used: says which one, and each language's sentence about it."""

    def __init__(self, name: str, english: str, spanish: str) -> None:
        super().__init__(f"Profile {name!r}: {english}", f"Perfil {name!r}: {spanish}")


@dataclass(frozen=True, slots=True)
class Profile:
    """How files of one source are read; every attribute is a key of the TOML file."""

    name: str = "default"
    source: str = ""
    takes: Takes = "contacts"
    columns: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, FieldType] = field(default_factory=dict)
    unmapped: Literal["ignore", "custom"] = "ignore"
    tags: tuple[str, ...] = ()
    tag_separator: str | None = None
    default_country: str | None = None
    date_order: DateOrder | None = None
    decimal: str | None = None
    time_zone: str | None = None
    mode: Mode = "upsert"
    duplicates: Duplicates = "update"
    match_on: tuple[MatchKey, ...] = ("external_id", "phone", "email")
    blank: Blank = "keep"
    clear_marker: str | None = None
    names: Names = "must_agree"
    invalid_cells: InvalidCells = "report"
    phones: Phones = "possible"
    language: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None

    @property
    def source_name(self) -> str:
        return self.source or self.name

    @property
    def is_named(self) -> bool:
        """Whether somebody said where the files come from."""
        return bool(self.source) or self.name != "default"

    @property
    def version(self) -> str:
        """A short hash that changes whenever the profile's meaning changes."""
        text = json.dumps(asdict(self), sort_keys=True, default=list, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_columns(self, columns: Mapping[str, str]) -> "Profile":
        return replace(self, columns=dict(columns))


KEYS = tuple(item.name for item in fields(Profile))


def profile_from(document: Mapping[str, Any], name: str) -> Profile:
    """A checked profile; raises ProfileError that names the key, what it may be, and where."""
    unknown = sorted(set(document) - set(KEYS))
    if unknown:
        said, known = ", ".join(unknown), ", ".join(KEYS)
        raise ProfileError(
            name, f"it has unknown keys: {said}. Known: {known}.", f"tiene claves desconocidas: {said}. Hay: {known}."
        )
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
    }
    _check_types(name, values)
    profile = Profile(**{"name": name, **values})
    check_profile(profile)
    return profile


def _check_types(name: str, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        kind, example = _KINDS.get(key, (str, '"…"'))
        wrong = not isinstance(value, kind) or isinstance(value, bool)
        if wrong or (isinstance(value, tuple) and not all(map(_is_text, value))):
            raise ProfileError(name, f"write {key} as {key} = {example}.", f"escriba {key} como {key} = {example}.")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def check_profile(profile: Profile) -> None:
    for key, allowed in _CHOICES.items():
        value = getattr(profile, key)
        if value not in allowed:
            said = ", ".join("none" if item is None else str(item) for item in allowed)
            raise ProfileError(
                profile.name, f"{key} = {value!r} is not one of {said}.", f"{key} = {value!r} no es uno de {said}."
            )
    _check_columns(profile)
    _check_custom_fields(profile)
    wrong = [key for key in profile.match_on if key not in get_args(MatchKey)]
    if wrong or not profile.match_on:
        known = ", ".join(get_args(MatchKey))
        said = f"match_on = {list(profile.match_on)}"
        raise ProfileError(profile.name, f"{said}; use one or more of {known}.", f"{said}; use uno o más de {known}.")
    if profile.default_country and profile.default_country not in phonenumbers.SUPPORTED_REGIONS:
        raise ProfileError(
            profile.name,
            f"default_country = {profile.default_country!r} is not a country code. "
            "Use two capital letters, such as CO, MX or ES.",
            f"default_country = {profile.default_country!r} no es un código de país. "
            "Use dos mayúsculas, como CO, MX o ES.",
        )
    if profile.time_zone and profile.time_zone not in available_timezones():
        raise ProfileError(
            profile.name,
            f"time_zone = {profile.time_zone!r} is not a zone. Use a name such as America/Bogota.",
            f"time_zone = {profile.time_zone!r} no es una zona. Use un nombre como America/Bogota.",
        )
    if profile.header_row is not None and profile.header_row < 1:
        said = f"header_row = {profile.header_row}"
        raise ProfileError(profile.name, f"{said}; lines count from 1.", f"{said}; las líneas se cuentan desde 1.")
    if profile.delimiter is not None and not 1 <= len(profile.delimiter) <= 3:
        raise ProfileError(
            profile.name,
            "delimiter must be one to three characters.",
            "delimiter debe tener de uno a tres caracteres.",
        )


def _check_columns(profile: Profile) -> None:
    for header, target in profile.columns.items():
        if not isinstance(target, str) or not is_target(target):
            known = f"{', '.join(targets())}, {CUSTOM}…"
            raise ProfileError(
                profile.name,
                f"it maps column {header!r} to {target!r}, which is not a field. Known: {known}.",
                f"lleva la columna {header!r} a {target!r}, que no es un campo. Hay: {known}.",
            )
        if target.startswith(CUSTOM):
            _check_custom_key(profile, target.removeprefix(CUSTOM))


def _check_custom_key(profile: Profile, key: str) -> None:
    if len(key) > CUSTOM_KEY_LIMIT:
        raise ProfileError(
            profile.name,
            f"the custom field {key!r} has a name longer than {CUSTOM_KEY_LIMIT} characters. Shorten it.",
            f"el campo propio {key!r} tiene un nombre de más de {CUSTOM_KEY_LIMIT} caracteres. Acórtelo.",
        )


def _check_custom_fields(profile: Profile) -> None:
    for key, kind in profile.custom_fields.items():
        _check_custom_key(profile, key)
        if kind not in _OF_FILES:
            known = ", ".join(_OF_FILES)
            raise ProfileError(
                profile.name,
                f"custom field {key!r} has type {kind!r}. Types: {known}.",
                f"el campo propio {key!r} tiene el tipo {kind!r}. Tipos: {known}.",
            )
        if key in BY_KEY:
            raise ProfileError(
                profile.name,
                f"{key!r} is a field of every contact, not a custom field.",
                f"{key!r} es un campo de todo contacto, no un campo propio.",
            )
