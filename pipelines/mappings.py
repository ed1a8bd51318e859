"""Mappings ready for use: each pair with its lens and policies, checked against the fields there are on both sides."""

from collections.abc import Mapping as Map
from collections.abc import Sequence

from pipelines.field_merge import Rule
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.lenses import lens_of
from pipelines.pairs import Merging
from schemas.cql2 import parse
from schemas.crm import RemoteField
from schemas.fields import FieldType
from schemas.mappings import (
    FieldPair,
    Mapping,
    WrongMapping,
    default_first_link,
    default_policy,
)
from schemas.settings import Settings

_READ_BY = {
    "number": ("number", "text", "name"),
    "boolean": ("boolean", "text", "enum"),
    "date": ("date", "datetime", "text"),
    "datetime": ("datetime", "date", "text"),
}
"""The lenses that read what a CRM holds in a field of this type; any other type is read as text."""


def merging_of(
    mapping: Mapping,
    types: Map[str, FieldType],
    settings: Settings,
    source: str,
    remote: Sequence[RemoteField] = (),
) -> Merging:
    """A mapping as runs use it; pairs whose field is gone from the CRM are left out. Raises WrongMapping."""
    names = {field.name for field in remote}
    rules = [_rule(pair, mapping, types, settings) for pair in mapping.fields]
    kept = [rule for rule in rules if not names or names.issuperset(rule.remote)]
    _check_scope(mapping, types, settings)
    return Merging(tuple(kept), mapping, source, is_adrift=len(kept) < len(rules))


def _rule(pair: FieldPair, mapping: Mapping, types: Map[str, FieldType], settings: Settings) -> Rule:
    lens = lens_of(pair, types, settings.default_country or None, settings.time_zone)
    return Rule(
        pair.name,
        pair.local,
        pair.remote,
        lens,
        "out" if pair.on_create else pair.direction,
        default_policy(pair, mapping, is_set=lens.is_set),
        default_first_link(pair, mapping, is_set=lens.is_set),
        pair.then,
        pair.order,
        reasserts=pair.drift == "reassert",
        ignores_nulls=pair.nulls == "ignore",
        on_create=pair.on_create,
        pair=pair,
    )


def _check_scope(mapping: Mapping, types: Map[str, FieldType], settings: Settings) -> None:
    if mapping.scope.local:
        understand(parse(mapping.scope.local), Catalogue(types, settings.default_country or None))


def check_against(mapping: Mapping, remote: Sequence[RemoteField]) -> None:
    """Raise WrongMapping where the CRM's own metadata says that a pair cannot work."""
    if not remote:
        return
    known = {field.name: field for field in remote}
    for at, pair in enumerate(mapping.fields, 1):
        for name in pair.remote:
            if name not in known:
                raise WrongMapping(
                    f"fields[{at}]: the CRM has no field {name!r}. It has: {', '.join(sorted(known))}.",
                    f"fields[{at}]: el CRM no tiene el campo {name!r}. Tiene: {', '.join(sorted(known))}.",
                )
            _check_field(at, pair, known[name])


def _check_field(at: int, pair: FieldPair, field: RemoteField) -> None:
    if field.read_only and pair.direction != "in":
        raise WrongMapping(
            f"fields[{at}]: {field.name!r} can only be read in the CRM. Write direction = 'in'.",
            f"fields[{at}]: {field.name!r} solo se puede leer en el CRM. Ponga direction = 'in'.",
        )
    allowed = _READ_BY.get(field.type)
    if allowed and pair.lens and pair.lens not in allowed:
        raise WrongMapping(
            f"fields[{at}]: {field.name!r} is a {field.type} in the CRM, which the lens {pair.lens} does not read. Use "
            f"{', '.join(allowed)}.",
            f"fields[{at}]: {field.name!r} es {field.type} en el CRM, y la lente {pair.lens} no lo lee. Use "
            f"{', '.join(allowed)}.",
        )
    unknown = sorted(set(pair.values.values()) - set(field.options)) if field.options and pair.lens == "enum" else []
    if unknown:
        raise WrongMapping(
            f"fields[{at}]: {field.name!r} has no option {unknown[0]!r}. It has: {', '.join(field.options)}.",
            f"fields[{at}]: {field.name!r} no tiene la opción {unknown[0]!r}. Tiene: {', '.join(field.options)}.",
        )


_NAMED = {
    "first_name": "firstname first_name given_name givenname nombre",
    "last_name": "lastname last_name family_name surname apellidos apellido",
    "display_name": "name full_name fullname display_name displayname nombre_completo",
    "email": "email email_address e_mail mail correo emails",
    "phone": "phone mobile mobilephone phone_number telefono celular phones",
    "company": "company company_name organization organisation account_name empresa org_name",
    "address": "address street mailingstreet direccion",
    "city": "city mailingcity ciudad",
    "country": "country mailingcountry pais",
    "language": "language lang hs_language idioma",
    "tags": "tags tag labels etiquetas",
    "opt_out.email": "emailoptout email_opt_out hasoptedoutofemail email_optout",
    "opt_out.all": "opted_out opt_out do_not_contact unsubscribed donotcontact",
}
_FIELD_OF = {name: local for local, names in _NAMED.items() for name in names.split()}


def propose_mapping(remote: Sequence[RemoteField], custom: Map[str, FieldType]) -> Mapping:
    """A mapping by the CRM's own metadata: fields that are called alike; raises WrongMapping where there is none."""
    pairs: dict[str, FieldPair] = {}
    for field in remote:
        form = field.name.lower().removesuffix("__c").replace(" ", "_")
        label = field.label.lower().replace(" ", "_")
        local = _FIELD_OF.get(form) or _FIELD_OF.get(form.replace("_", "")) or _FIELD_OF.get(label)
        local = local or next((f"custom.{key}" for key in custom if key in (form, label)), None)
        if local and local not in pairs:
            direction = "in" if field.read_only else "both"
            pairs[local] = FieldPair.model_validate({"local": local, "remote": field.name, "direction": direction})
    if "display_name" in pairs and "first_name" in pairs and "last_name" in pairs:
        del pairs["display_name"]
    if not pairs:
        raise WrongMapping(
            "No field of the CRM is called as one here is. Write the mapping by hand: docs/how-to/sync.md.",
            "Ningún campo del CRM se llama como uno de aquí. Escriba el mapeo a mano: docs/how-to/sync.md.",
        )
    return Mapping(fields=tuple(pairs.values()))
