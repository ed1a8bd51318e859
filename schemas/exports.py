"""What an export of contacts can have as columns, and what each is called; an import knows every one of them."""

from collections.abc import Iterable, Mapping

from schemas.errors import InputError
from schemas.fields import BY_KEY, CUSTOM, FIELDS, OPT_INS, OPT_OUTS, FieldType

FORMATS = ("csv", "xlsx", "parquet")
OWN_FIELD = "Field: "
"""Before the key of a custom field."""
ID = "id"
"""The contact's number: the first column of every export, by which an import knows whose file it is."""
FIRST_HEADER = "Padrón id"
STATISTICS = ("sent", "received", "replied", "last_sent_at", "last_received_at")
TAG_SEPARATOR = "; "
"""Between tags, options and ids; as an own layout says so, `a;b` is one tag."""
IN_A_TAG = ";\u00a0"
"""What stands for the separator within one of them: the same to a reader, and to an import."""
_HEADERS = {
    ID: (FIRST_HEADER, FIRST_HEADER),
    "other_phones": ("Other phone", "Otro teléfono"),
    "other_emails": ("Secondary email", "Correo secundario"),
    "external_ids": ("External ids", "Ids externos"),
    "sent": ("Messages sent", "Mensajes enviados"),
    "received": ("Messages received", "Mensajes recibidos"),
    "replied": ("Messages replied to", "Mensajes respondidos"),
    "last_sent_at": ("Last message sent", "Último mensaje enviado"),
    "last_received_at": ("Last message received", "Último mensaje recibido"),
}
_CHANNEL_NAMES = {"phone": ("calls", "llamadas"), "webchat": ("web chat", "chat web"), "all": ("", "")}
_AFTER = {"phone": ("other_phones",), "email": ("other_emails", "external_ids")}
NOT_TAKEN_BACK = (ID, *STATISTICS)
"""Columns that say what only Padrón counts."""


class NoSuchColumn(InputError):
    """An export cannot have this column."""


def every_column(custom: Iterable[str]) -> tuple[str, ...]:
    """All that an export can have, in order."""
    own = [name for field in FIELDS if field.stored for name in (field.key, *_AFTER.get(field.key, ()))]
    return (ID, *own, "tags", *(f"{CUSTOM}{key}" for key in custom), *OPT_INS, *OPT_OUTS, *STATISTICS)


def usual_columns(custom: Iterable[str], in_use: Iterable[str]) -> tuple[str, ...]:
    """What an export has unless somebody chooses: all that an import takes; some only where they are in use."""
    said = set(in_use)
    left_out = {*STATISTICS, *(name for name in ("external_ids", *OPT_INS, *OPT_OUTS) if name not in said)}
    return tuple(name for name in every_column(custom) if name not in left_out)


def chosen_columns(wanted: Iterable[str], custom: Iterable[str]) -> tuple[str, ...]:
    """These columns after the number, each once; raises NoSuchColumn."""
    known = every_column(custom)
    chosen = dict.fromkeys((ID, *wanted))
    for name in chosen:
        if name not in known:
            listed = ", ".join(known)
            raise NoSuchColumn(
                f"An export has no column «{name}». It can have: {listed}.",
                f"Una exportación no tiene la columna «{name}». Puede tener: {listed}.",
            )
    return tuple(chosen)


def column_header(name: str, language: str) -> str:
    """What a column is called in Spanish (`es`) or English.

    >>> column_header("opt_out.email", "es"), column_header("custom.plan", "en"), column_header("phone", "es")
    ('Baja de email', 'Field: plan', 'Teléfono')
    """
    place = 1 if language == "es" else 0
    if name in _HEADERS:
        return _HEADERS[name][place]
    if name.startswith(CUSTOM):
        return f"{OWN_FIELD}{name.removeprefix(CUSTOM)}"
    kind, _, channel = name.partition(".")
    if channel:
        said = _CHANNEL_NAMES.get(channel, (channel, channel))[place]
        words = {"opt_out": ("Opt-out {}", "Baja de {}"), "opt_in": ("Opt-in {}", "Acepta {}")}[kind][place]
        plain = {"opt_out": ("Opt-out", "Baja"), "opt_in": ("Opt-in", "Acepta publicidad")}[kind][place]
        return words.format(said) if said else plain
    return BY_KEY[name].label(language)


def column_type(name: str, custom: Mapping[str, FieldType]) -> str:
    """`text`, `number`, `whole`, `boolean`, `date`, `datetime` or `tags`."""
    if name.startswith(CUSTOM):
        kind = custom[name.removeprefix(CUSTOM)]
        return str(kind) if kind in ("number", "boolean", "date", "datetime") else "text"
    if name in (ID, "sent", "received", "replied"):
        return "whole"
    if name.endswith("_at") or name in (*OPT_INS, *OPT_OUTS):
        return "datetime"
    return "tags" if name == "tags" else "text"
