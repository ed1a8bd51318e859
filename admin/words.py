"""What the command line says, in each language."""

from typer._click.exceptions import BadParameter, MissingParameter, NoSuchOption, UsageError

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "rows": "Rows",
        "created": "Created",
        "updated": "Updated",
        "unchanged": "Unchanged",
        "merged": "Merged into another row",
        "rejected": "Rejected",
        "warnings": "Rows with a warning",
        "report": "Row report",
        "refused": "Refused",
        "needs_mapping": "Needs a mapping",
        "imported": "Imported",
        "dry_run": "Dry run: nothing was written",
        "first": "The first contacts as they would be stored",
        "reading": "Reading",
        "proposal": "Proposed mapping",
        "column": "Column",
        "field": "Field",
        "why": "Because",
        "example": "Example",
        "saved": "Profile saved",
        "up": "Padrón is running. Drop contact files into:",
        "stop": "Stop with Ctrl-C.",
        "stopped": "Stopped.",
        "undone": "Batch {id} taken back: {removed} contacts removed, {restored} restored.",
        "kept": "{count} contacts were edited since and keep those edits: {ids}",
        "template": "Template written to",
        "retried": "Sent again as batch",
        "seconds": "Seconds",
    },
    "es": {
        "rows": "Filas",
        "created": "Creados",
        "updated": "Actualizados",
        "unchanged": "Sin cambios",
        "merged": "Unidos a otra fila",
        "rejected": "Rechazadas",
        "warnings": "Filas con aviso",
        "report": "Informe de filas",
        "refused": "Rechazado",
        "needs_mapping": "Falta indicar las columnas",
        "imported": "Importado",
        "dry_run": "Ensayo: no se escribió nada",
        "first": "Los primeros contactos, como quedarían",
        "reading": "Leyendo",
        "proposal": "Correspondencia propuesta",
        "column": "Columna",
        "field": "Campo",
        "why": "Porque",
        "example": "Ejemplo",
        "saved": "Perfil guardado",
        "up": "Padrón está en marcha. Deje archivos de contactos en:",
        "stop": "Se detiene con Ctrl-C.",
        "stopped": "Detenido.",
        "undone": "Lote {id} deshecho: {removed} contactos retirados, {restored} restaurados.",
        "kept": "{count} contactos se editaron después y conservan esos cambios: {ids}",
        "template": "Plantilla escrita en",
        "retried": "Enviado de nuevo como lote",
        "seconds": "Segundos",
    },
}


def say(language: str, key: str, **values: object) -> str:
    """The words for this key.

    >>> say("es", "rows")
    'Filas'
    """
    return _WORDS[language][key].format(**values) if values else _WORDS[language][key]


def wrong_use(error: UsageError, language: str | None) -> str:
    """What was typed wrongly, in this language."""
    spanish = language == "es"
    match error:
        case NoSuchOption():
            near = ", ".join(error.possibilities or ())
            said = f"no existe la opción {error.option_name}" if spanish else f"there is no option {error.option_name}"
            return f"{said} ({near}?)." if near else f"{said}."
        case MissingParameter():
            name = (error.param.name or "").upper() if error.param else ""
            return f"falta {name}." if spanish else f"{name} is missing."
        case BadParameter():
            name = error.param.opts[0] if error.param and error.param.opts else ""
            name = name if name.startswith("-") else name.upper()
            if "integer" in error.message:
                return f"{name} debe ser un número entero." if spanish else f"{name} must be a whole number."
            return f"{name} no vale: {error.message}" if spanish else f"{name} is wrong: {error.message}"
        case _ if spanish and error.message.startswith("No such command"):
            return error.message.replace("No such command", "no existe la orden")
        case _ if spanish and error.message.startswith("Got unexpected extra argument"):
            return f"sobra algo: {error.message.partition('(')[2].rstrip(')')}."
        case _:
            return f"uso equivocado: {error.message}" if spanish else error.message
