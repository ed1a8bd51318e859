"""From headers to fields: what a profile says, what a known layout means, what headers are called, what cells hold."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipelines.emails import normalise_emails
from pipelines.phones import normalise_phones
from schemas.fields import CUSTOM, IGNORE, FieldType
from schemas.frames import RawFrame
from schemas.headers import custom_key, header_form, header_target
from schemas.layouts import Layout, recognise
from schemas.profiles import Profile
from schemas.refusals import NeedsAnswer

KEY_TARGETS = ("phone", "email", "external_id")
REPORT_COLUMNS = ("_row", "_status", "_code", "_field", "_value", "_message", "_suggestion")
_SPANISH = frozenset(
    [
        "nombre",
        "nombres",
        "apellido",
        "apellidos",
        "telefono",
        "celular",
        "movil",
        "correo",
        "empresa",
        "ciudad",
        "pais",
        "direccion",
        "estado",
        "canal",
        "notas",
        "etiquetas",
        "idioma",
        "cliente",
        "contacto",
        "observaciones",
        "creado",
        "fecha",
    ]
)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A file's columns mapped: one target for each column (None where it is not taken), and how that was found."""

    header: tuple[str, ...]
    targets: tuple[str | None, ...]
    layout: Layout | None
    custom: Mapping[str, FieldType]

    def columns_of(self, target: str) -> list[int]:
        return [index for index, found in enumerate(self.targets) if found == target]

    def header_of(self, target: str) -> str:
        found = self.columns_of(target)
        return self.header[found[0]] if found else target

    @property
    def ignored(self) -> list[str]:
        return [name for name, target in zip(self.header, self.targets, strict=True) if target is None and name.strip()]

    @property
    def language(self) -> str:
        words = {word for name in self.header for word in header_form(name).split()}
        return "es" if words & _SPANISH else "en"


def map_columns(header: Sequence[str], profile: Profile, known: Mapping[str, FieldType]) -> ColumnMap:
    """Map every column that the profile, a known layout or its own name gives a meaning.

    `known` are the custom fields that exist already, with their types.
    """
    layout = recognise(header)
    targets = [_target(name, profile, layout, known) for name in header]
    chosen = {target.removeprefix(CUSTOM) for target in targets if target and target.startswith(CUSTOM)}
    custom: dict[str, FieldType] = {key: known.get(key) or profile.custom_fields.get(key, "text") for key in chosen}
    return ColumnMap(tuple(header), tuple(targets), layout, custom)


def require_keys(mapping: ColumnMap, name: str) -> None:
    """Ask for a mapping where no column says who a contact is."""
    if not any(target in KEY_TARGETS for target in mapping.targets):
        shown = ", ".join(repr(column) for column in mapping.header[:12] if column.strip())
        raise NeedsAnswer("no_keys", name=name, columns=shown)


def _target(name: str, profile: Profile, layout: Layout | None, known: Mapping[str, FieldType]) -> str | None:
    stripped = name.strip()
    if not stripped or stripped in REPORT_COLUMNS:
        return None
    said = profile.columns.get(name) or profile.columns.get(stripped) or _by_form(stripped, profile.columns)
    said = said or (layout.columns.get(header_form(name)) if layout else None) or header_target(name)
    if said is None:
        key = custom_key(name)
        if key in known or key in profile.custom_fields or profile.unmapped == "custom":
            said = f"{CUSTOM}{key}"
    return None if said == IGNORE else said


def _by_form(name: str, columns: Mapping[str, str]) -> str | None:
    form = header_form(name)
    return next((target for header, target in columns.items() if header_form(header) == form), None)


# ── proposals ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a column could mean, and why."""

    column: str
    target: str
    reason: str
    example: str


def propose(
    header: Sequence[str], sample: RawFrame, profile: Profile, known: Mapping[str, FieldType]
) -> list[Proposal]:
    """A mapping for every column, from its name or, where the name says nothing, from its cells."""
    mapping = map_columns(header, profile, known)
    found = []
    for index, (name, target) in enumerate(zip(header, mapping.targets, strict=True)):
        cells = [cell for cell in sample[f"c{index}"].to_pylist() if cell and cell.strip()]
        example = cells[0][:60] if cells else ""
        if target is not None:
            found.append(Proposal(name, target, "header", example))
        else:
            guess, reason = _by_content(name, cells, profile)
            found.append(Proposal(name, guess, reason, example))
    return found


def _by_content(name: str, cells: list[str], profile: Profile) -> tuple[str, str]:
    if not cells:
        return IGNORE, "empty"
    column = pa.array(cells[:500])
    emails = normalise_emails(column)
    if _share(emails.problem) > 0.7:
        return "email", "cells are e-mails"
    phones = normalise_phones(column, profile.default_country)
    if _share(phones.problem) > 0.7 and sum(len(re.sub(r"\D", "", cell)) >= 8 for cell in cells) > len(cells) * 0.7:
        return "phone", "cells are phones"
    words = [cell for cell in cells if re.fullmatch(r"[^\d@_/\\]{2,80}", cell)]
    distinct = len(set(cells)) / len(cells)
    if len(words) > len(cells) * 0.9 and distinct > 0.6 and sum(" " in cell for cell in words) > len(cells) * 0.5:
        return "display_name", "cells look like full names"
    return f"{CUSTOM}{custom_key(name)}", "other"


def _share(problem: pa.Array) -> float:
    return problem.null_count / max(len(problem), 1)
