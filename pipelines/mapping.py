"""From headers to fields: what a profile says, what a known layout means, what headers are called, what cells hold."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from pipelines.emails import normalise_emails
from pipelines.phones import normalise_phones
from schemas.errors import TransientError
from schemas.exports import OWN_FIELD
from schemas.fields import CUSTOM, IGNORE, FieldType, options_of
from schemas.frames import REPORT_COLUMNS, RawFrame
from schemas.headers import custom_key, header_form, header_target, phone_rank
from schemas.layouts import OURS, Layout, recognise
from schemas.profiles import Profile
from schemas.refusals import NeedsAnswer

_NUMBERED = re.compile(
    r"\b(dni|cui[tl]|ru[tcn]|nit|cpf|cnpj|cedula|curp|rfc|nif|nie|cif|documento|document|pasaporte|passport|tax|vat|fax"
    r"|identificacion|id|order|pedido|orden|factura|invoice|total|monto|importe|precio|price|amount|valor|saldo|codigo|code"
    r"|sku|serie|cuenta|account|folio|ticket|referencia|reference)\b"
)
"""Columns of numbers that look like phones and are none."""
_DESCRIBES = re.compile(r".+ \d+ (label|type)")
"""Columns that say of what kind the value beside them is."""
KEY_TARGETS = ("phone", "email", "external_id")
_CUSTOMER = ("cliente", "customer", "nombre cliente", "nombre del cliente", "customer name", "account name")
_OF_PEOPLE = ("display_name", "first_name", "last_name")
_WHOLE_OR_FIRST = ("nombre", "nome", "nombre s")
_ONE_EACH = ("display_name", "first_name", "last_name", "company", "city", "country", "language", "channel")
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
    """A file's columns mapped: one target for each column (None where it is not taken), and how that was found.

    `unknown` are the columns that nobody said anything about, or that a layout leaves out.
    """

    header: tuple[str, ...]
    targets: tuple[str | None, ...]
    layout: Layout | None
    custom: Mapping[str, FieldType]
    unknown: frozenset[int] = frozenset()

    def columns_of(self, target: str) -> list[int]:
        """The columns mapped to this target, in the order in which their cells count; mobiles before landlines."""
        found = [index for index, name in enumerate(self.targets) if name == target]
        return sorted(found, key=lambda index: phone_rank(self.header[index])) if target == "phone" else found

    @property
    def is_report(self) -> bool:
        """Whether the file is a row report that came back."""
        return set(REPORT_COLUMNS) <= {name.strip() for name in self.header}

    @property
    def doubles(self) -> dict[int, list[int]]:
        """Columns whose cells count only where those of earlier columns are blank, with these columns."""
        return {
            at: found[:place]
            for target in (*_ONE_EACH, *(f"{CUSTOM}{key}" for key in self.custom))
            for found in [self.columns_of(target)]
            for place, at in enumerate(found)
            if place
        }

    def header_of(self, target: str) -> str:
        found = self.columns_of(target)
        return self.header[found[0]] if found else target

    def label_of(self, at: int) -> int | None:
        """The column that says what kind of phone or e-mail this one holds: `Phone 1 - Label` of `Phone 1 - Value`."""
        stem = header_form(self.header[at]).removesuffix(" value")
        forms = [header_form(name) for name in self.header]
        return next((forms.index(name) for name in (f"{stem} label", f"{stem} type") if name in forms), None)

    def may_be_region(self, at: int) -> bool:
        """Whether a column `Estado` of statuses stands among the parts of an address, and may name a state there."""
        beside = {self.targets[place] for place in (at - 1, at + 1) if 0 <= place < len(self.targets)}
        return header_form(self.header[at]) == "estado" and not beside.isdisjoint(("city", "street", "postal_code"))

    @property
    def language(self) -> str:
        words = {word for name in self.header for word in header_form(name).split()}
        return "es" if words & _SPANISH else "en"


class FieldsChanged(TransientError):
    """A custom field has another type than when the file was mapped: the import begins again."""


def require_types(mapped: Mapping[str, FieldType], known: Mapping[str, FieldType]) -> None:
    """Raise where custom fields have other types, or options, by now; under the lock of whoever converts them."""
    for key, kind in mapped.items():
        now = known.get(key, kind)
        if (now, options_of(now)) != (kind, options_of(kind)):
            raise FieldsChanged(f"The field «{key}» was changed just now.", f"Acaban de cambiar el campo «{key}».")


def map_columns(header: Sequence[str], profile: Profile, known: Mapping[str, FieldType]) -> ColumnMap:
    """Map every column that the profile, a known layout or its own name gives a meaning.

    `known` are the custom fields that exist already, with their types.
    """
    layout = recognise(header)
    by_form = {header_form(name): target for name, target in profile.columns.items()}
    said = [profile.columns.get(name) or by_form.get(header_form(name)) for name in header]
    targets = [_target(name, own, profile, layout, known) for name, own in zip(header, said, strict=True)]
    targets = _with_companies(header, _with_whole_names(header, targets, said, layout), said)
    targets = _without_repeats(header, targets, said)
    chosen = {target.removeprefix(CUSTOM) for target in targets if target and target.startswith(CUSTOM)}
    custom: dict[str, FieldType] = {key: known.get(key) or profile.custom_fields.get(key, "text") for key in chosen}
    unknown = frozenset(
        at
        for at, (name, target, own) in enumerate(zip(header, targets, said, strict=True))
        if target is None
        and name.strip() not in REPORT_COLUMNS
        and not own
        and not (layout and layout.is_ours and layout.target_of(name))
        and not _DESCRIBES.fullmatch(header_form(name))
    )
    return ColumnMap(tuple(header), tuple(targets), layout, custom, unknown)


def _with_whole_names(
    header: Sequence[str], targets: Sequence[str | None], said: Sequence[str | None], layout: Layout | None
) -> list[str | None]:
    """`Nombre` is the whole name in a file that has no column for last names, unless somebody said otherwise."""
    if layout or not {"last_name", "display_name"}.isdisjoint(targets):
        return list(targets)
    return [
        "display_name" if target == "first_name" and not own and header_form(name) in _WHOLE_OR_FIRST else target
        for name, target, own in zip(header, targets, said, strict=True)
    ]


def _with_companies(
    header: Sequence[str], targets: Sequence[str | None], said: Sequence[str | None]
) -> list[str | None]:
    """`Cliente` beside columns of a person's name is the company whose contact this is, unless somebody said otherwise.

    Where the company has a column of its own, it is nothing that is known.
    """
    forms = [header_form(name) for name in header]
    is_customer = [
        target == "display_name" and form in _CUSTOMER and not own
        for form, target, own in zip(forms, targets, said, strict=True)
    ]
    people = [t for t, customer in zip(targets, is_customer, strict=True) if t in _OF_PEOPLE and not customer]
    meant = None if "company" in targets else "company"
    return [meant if customer and people else t for t, customer in zip(targets, is_customer, strict=True)]


def _without_repeats(
    header: Sequence[str], targets: Sequence[str | None], said: Sequence[str | None]
) -> list[str | None]:
    """The second of two columns of one name is not taken where a contact has one of it; then nobody thinks it was."""
    seen: set[tuple[str, str]] = set()
    kept: list[str | None] = []
    for name, target, own in zip(header, targets, said, strict=True):
        here = (target or "", header_form(name))
        repeated = target in _ONE_EACH and not own and here in seen
        seen.add(here)
        kept.append(None if repeated else target)
    return kept


def source_of(mapping: ColumnMap, profile: Profile) -> str:
    """Whose record numbers the file's external ids are: the profile's source, else the product that wrote the file."""
    if mapping.layout is not None and mapping.layout.is_ours:
        return OURS
    if profile.is_named or mapping.layout is None:
        return profile.source_name
    return mapping.layout.source


def require_keys(mapping: ColumnMap, name: str, path: str) -> None:
    """Ask for a mapping where no column says who a contact is; `path` is where a person finds the file."""
    if not any(target in KEY_TARGETS for target in mapping.targets):
        shown = ", ".join(repr(column) for column in mapping.header[:12] if column.strip())
        raise NeedsAnswer("no_keys", name=name, path=path, columns=shown)


def _target(
    name: str, said: str | None, profile: Profile, layout: Layout | None, known: Mapping[str, FieldType]
) -> str | None:
    if not name.strip() or name.strip() in REPORT_COLUMNS:
        return None
    key = name.removeprefix(OWN_FIELD) if name.startswith(OWN_FIELD) else ""
    target = said or (layout.target_of(name) if layout else None)
    target = target or (f"{CUSTOM}{key}" if key in known else header_target(name))
    if target is None:
        key = custom_key(name)
        if key in known or key in profile.custom_fields or profile.unmapped == "custom":
            target = f"{CUSTOM}{key}"
    return None if target == IGNORE else target


# ── proposals ────────────────────────────────────────────────────────────────────────────────────────────────────


Reason = Literal["known", "ignored", "empty", "emails", "phones", "names", "other"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a column could mean, and why; `taken` where an import takes it without being told."""

    column: str
    target: str
    reason: Reason
    example: str
    taken: bool


def propose(
    header: Sequence[str], sample: RawFrame, profile: Profile, known: Mapping[str, FieldType]
) -> list[Proposal]:
    """A mapping for every column, from its name or, where the name says nothing, from its cells."""
    mapping = map_columns(header, profile, known)
    has_names = not {"display_name", "first_name", "last_name"}.isdisjoint(mapping.targets)
    found = []
    for index, (name, target) in enumerate(zip(header, mapping.targets, strict=True)):
        cells = [cell for cell in sample[f"c{index}"].to_pylist() if cell and cell.strip()]
        example = cells[0][:60] if cells else ""
        if target is not None:
            found.append(Proposal(name, target, "known", example, taken=True))
        elif index not in mapping.unknown or (mapping.layout and mapping.layout.target_of(name)):
            found.append(Proposal(name, IGNORE, "ignored", example, taken=False))
        else:
            guess, reason = _by_content(name, cells, profile)
            if guess == "display_name" and has_names:
                guess, reason = f"{CUSTOM}{custom_key(name)}", "other"
            has_names = has_names or guess == "display_name"
            found.append(Proposal(name, guess, reason, example, taken=False))
    return found


def _by_content(name: str, cells: list[str], profile: Profile) -> tuple[str, Reason]:
    if not cells:
        return IGNORE, "empty"
    if _NUMBERED.search(header_form(name)):
        return f"{CUSTOM}{custom_key(name)}", "other"
    column = pa.array(cells[:500])
    emails = normalise_emails(column)
    if _share(emails.problem) > 0.7:
        return "email", "emails"
    phones = normalise_phones(column, profile.default_country)
    if _share(phones.problem) > 0.7 and sum(len(re.sub(r"\D", "", cell)) >= 8 for cell in cells) > len(cells) * 0.7:
        return "phone", "phones"
    words = [cell for cell in cells if re.fullmatch(r"[^\d@_/\\]{2,80}", cell)]
    distinct = len(set(cells)) / len(cells)
    if len(words) > len(cells) * 0.9 and distinct > 0.6 and sum(" " in cell for cell in words) > len(cells) * 0.5:
        return "display_name", "names"
    return f"{CUSTOM}{custom_key(name)}", "other"


def _share(problem: pa.Array) -> float:
    return problem.null_count / max(len(problem), 1)
