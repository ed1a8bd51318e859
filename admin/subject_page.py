"""What is held on one person as a page that the person can read: no script, nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from admin.pages import page
from schemas.fields import BY_KEY

_WORDS = {
    "en": {
        "title": "What we hold about you",
        "taken": "As of",
        "contact": "Your data",
        "custom": "Further data",
        "keys": "Further phones, e-mails and ids",
        "tags": "Tags",
        "notes": "Notes",
        "consents": "What you said to being written to",
        "opted_out": "Not to be written to by",
        "segments": "Groups you are in",
        "segment_moves": "Groups you joined and left",
        "interactions": "What happened",
        "history": "Who changed what",
        "file_rows": "Files that brought your data",
        "nothing": "Nothing",
    },
    "es": {
        "title": "Lo que guardamos sobre usted",
        "taken": "A fecha de",
        "contact": "Sus datos",
        "custom": "Otros datos",
        "keys": "Otros teléfonos, correos e ids",
        "tags": "Etiquetas",
        "notes": "Notas",
        "consents": "Lo que dijo sobre recibir mensajes",
        "opted_out": "No se le escribe por",
        "segments": "Grupos en los que está",
        "segment_moves": "Grupos en los que entró y de los que salió",
        "interactions": "Lo que ocurrió",
        "history": "Quién cambió qué",
        "file_rows": "Archivos que trajeron sus datos",
        "nothing": "Nada",
    },
}
_TITLES = {
    "en": {
        "kind": "Kind",
        "value": "Value",
        "written": "As written",
        "role": "Role",
        "text": "Text",
        "at": "When",
        "actor": "Who",
        "channel": "Channel",
        "purpose": "Purpose",
        "state": "Said",
        "source": "Source",
        "name": "Name",
        "since": "Since",
        "joined": "Joined",
        "ref": "About",
        "external_id": "Id there",
        "operation": "What",
        "file": "File",
        "row": "Row",
        "diff": "Change",
        "outcome": "Outcome",
        "batch_id": "Import",
        "id": "No.",
        "blocked_at": "Blocked",
        "blocked_reason": "Why blocked",
        "sent": "Messages to you",
        "received": "Messages from you",
        "replied": "Your replies",
        "last_sent_at": "Last message to you",
        "last_received_at": "Last message from you",
    },
    "es": {
        "kind": "Tipo",
        "value": "Valor",
        "written": "Como se escribió",
        "role": "Papel",
        "text": "Texto",
        "at": "Cuándo",
        "actor": "Quién",
        "channel": "Canal",
        "purpose": "Para qué",
        "state": "Dijo",
        "source": "Origen",
        "name": "Nombre",
        "since": "Desde",
        "joined": "Entró",
        "ref": "Sobre",
        "external_id": "Id allí",
        "operation": "Qué",
        "file": "Archivo",
        "row": "Fila",
        "diff": "Cambio",
        "outcome": "Resultado",
        "batch_id": "Importación",
        "id": "N.º",
        "blocked_at": "Bloqueado",
        "blocked_reason": "Motivo del bloqueo",
        "sent": "Mensajes a usted",
        "received": "Mensajes suyos",
        "replied": "Sus respuestas",
        "last_sent_at": "Último mensaje a usted",
        "last_received_at": "Último mensaje suyo",
    },
}


_CODED = frozenset(
    ("operation", "outcome", "state", "role", "kind", "source", "purpose", "status", "channel", "actor", "opted_out")
)
"""What is told in words of Padrón's own."""
_IN_SPANISH = {
    "create": "creado",
    "update": "cambiado",
    "undo": "deshecho",
    "created": "creada",
    "updated": "cambiada",
    "unchanged": "igual",
    "merged": "unida a otra",
    "rejected": "rechazada",
    "active": "activo",
    "hand": "a mano",
    "inactive": "inactivo",
    "blocked": "bloqueado",
    "archived": "archivado",
    "in": "sí",
    "out": "no",
    "owner": "propio",
    "shared": "compartido",
    "phone": "teléfono",
    "email": "correo",
    "external_id": "id externo",
    "received": "recibido",
    "sent": "enviado",
    "replied": "respondido",
    "clicked": "clic",
    "read": "leído",
    "marketing": "publicidad",
    "all": "todos",
}


def subject_page(document: Mapping[str, Any], language: str) -> str:
    """The document of `subject_of` as HTML in this language."""
    words = _WORDS[language]
    parts = "".join(_part(name, document[name], words, language) for name in document if name != "taken_at")
    return page(words["title"], f"{words['taken']} {_cell(document['taken_at'])}", parts, language)


def _part(name: str, held: Any, words: Mapping[str, str], language: str) -> str:
    return f"<section><h2>{escape(words[name])}</h2>{_held(held, words, language)}</section>"


def _held(held: Any, words: Mapping[str, str], language: str) -> str:
    if not held:
        return f"<p>{words['nothing']}</p>"
    if isinstance(held, Mapping):
        told = {name: _told(name, held[name], language) for name in held}
        rows = (f"<tr><th>{escape(_title(name, language))}</th><td>{_cell(told[name])}</td></tr>" for name in held)
        return f"<table>{''.join(rows)}</table>"
    if isinstance(held[0], Mapping):
        return _table(held, language)
    return f"<p>{', '.join(_cell(one) for one in held)}</p>"


def _table(rows: Sequence[Mapping[str, Any]], language: str) -> str:
    """Columns that are empty in every row are left out."""
    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    head = "".join(f"<th>{escape(_title(name, language))}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(_told(name, row[name], language))}</td>' for name in names)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _told(name: str, value: Any, language: str) -> Any:
    """A value of Padrón's own words in the language of the page."""
    is_word = language == "es" and name in _CODED and isinstance(value, str)
    return _IN_SPANISH.get(value, value) if is_word else value


def _title(name: str, language: str) -> str:
    if name in _TITLES[language]:
        return _TITLES[language][name]
    return BY_KEY[name].label(language) if name in BY_KEY else name


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, Mapping):
        return escape("; ".join(f"{name}: {_plain(old)} → {_plain(new)}" for name, (old, new) in value.items()))
    return escape("" if value is None else str(value))


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)
