"""The state of the roll as a page: bars of what is missing, and a table by source."""

from collections.abc import Mapping
from html import escape

from admin import charts
from admin.pages import page
from pipelines.hygiene import NAMES, Hygiene
from warehouse.hygiene import BY_HAND

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "State of the roll",
        "said": "{contacts} contacts, as of {at} UTC",
        "missing": "What is missing",
        "consent": "Consent",
        "sources": "By source",
        "near": "Tags that may be one",
        "none": "None",
        "source": "Source",
        "contacts": "Contacts",
        "by_hand": "by hand",
        "pairs": "Pairs of contacts that may be one person and wait to be looked at: {count}",
        "no_phone": "Without a phone",
        "no_email": "Without an e-mail",
        "no_name": "Without a name",
        "unreachable": "Neither phone nor e-mail",
        "never_contacted": "Nobody ever wrote",
        "silent": "Silent for 180 days",
        "blocked": "Blocked",
        "archived": "Archived",
        "opted_out": "Not to be written to on some channel",
        "consented": "Said yes on some channel",
    },
    "es": {
        "title": "Estado del padrón",
        "said": "{contacts} contactos, a {at} UTC",
        "missing": "Lo que falta",
        "consent": "Consentimiento",
        "sources": "Por origen",
        "near": "Etiquetas que pueden ser una",
        "none": "Ninguna",
        "source": "Origen",
        "contacts": "Contactos",
        "by_hand": "a mano",
        "pairs": "Parejas de contactos que pueden ser una persona y esperan revisión: {count}",
        "no_phone": "Sin teléfono",
        "no_email": "Sin correo",
        "no_name": "Sin nombre",
        "unreachable": "Ni teléfono ni correo",
        "never_contacted": "Nunca se escribió con ellos",
        "silent": "Sin actividad en 180 días",
        "blocked": "Bloqueados",
        "archived": "Archivados",
        "opted_out": "No se les escribe por algún canal",
        "consented": "Dijeron que sí en algún canal",
    },
}


def hygiene_page(found: Hygiene, language: str) -> str:
    """The report as HTML in this language."""
    words = _WORDS[language]
    said = words["said"].format(contacts=f"{found.contacts:,}", at=f"{found.as_of:%Y-%m-%d %H:%M}")
    missing = [(words[name], found.totals[name]) for name in NAMES]
    consent = [(words["consented"], found.consented), (words["opted_out"], found.opted_out)]
    near = "".join(
        f"<p>{escape(' · '.join(f'{tag.name} ({tag.contacts:,})' for tag in group))}</p>" for group in found.near_tags
    )
    parts = (
        _part(words["missing"], charts.bars(missing, found.contacts, words["missing"])),
        _part(words["consent"], charts.bars(consent, found.contacts, words["consent"])),
        _part(words["sources"], _table(found, words)),
        _part(words["near"], near or f"<p>{words['none']}</p>"),
        f"<p>{escape(words['pairs'].format(count=f'{found.pairs:,}'))}</p>",
    )
    return page(words["title"], said, "".join(parts), language)


def _part(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _table(found: Hygiene, words: Mapping[str, str]) -> str:
    head = "".join(f"<th>{escape(words[name])}</th>" for name in ("source", "contacts", *NAMES))
    rows = []
    for one in found.sources:
        source = words["by_hand"] if one["source"] == BY_HAND else one["source"]
        numbers = "".join(f'<td class="number">{one[name]:,}</td>' for name in ("contacts", *NAMES))
        rows.append(f"<tr><td>{escape(source)}</td>{numbers}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
