"""What the command line says of what went wrong, in each language."""

import re

from typer._click.exceptions import BadParameter, MissingParameter, NoSuchOption, UsageError

_PLACES = {"FILE": "ARCHIVO", "NUMBER": "NÚMERO", "OUTPUT": "SALIDA"}
_WRONG_USE = (
    (r"No such command (\S+)\. Did you mean (.+)\?", "no existe la orden {0} (¿{1}?)"),
    (r"No such command (.+)", "no existe la orden {0}"),
    (r"Got unexpected extra argument\S* \((.+)\)", "sobra: {0}"),
    (r"Option (.+) requires an argument", "la opción {0} necesita un valor"),
    (r"Option (.+) does not take a value", "la opción {0} no lleva valor"),
    (r"Input should be a valid integer.*", "debe ser un número entero"),
    (r"(?:Value error, )?'(.*)' does not match the format.*", "«{0}» no es una fecha como 2026-11-30"),
    (r"Input should be a valid date.*", "debe ser una fecha como 2026-11-30"),
    (r"Input should be greater than or equal to (\S+)", "debe ser {0} o más"),
    (r"Input should be less than or equal to (\S+)", "debe ser {0} o menos"),
)
"""What the command line's library says, and the same in Spanish."""


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
            return f"falta {_PLACES.get(name, name)}." if spanish else f"{name} is missing."
    message = error.message.rstrip(".")
    if spanish:
        found = ((re.fullmatch(english, message, re.DOTALL), said) for english, said in _WRONG_USE)
        message = next((said.format(*match.groups()) for match, said in found if match), f"uso equivocado: {message}")
    if isinstance(error, BadParameter) and error.param and error.param.opts:
        name = error.param.opts[0]
        shown = name if name.startswith("-") else name.upper()
        message = f"{_PLACES.get(shown, shown) if spanish else shown}: {message}"
    return f"{message}."


def system_said(error: OSError, language: str | None) -> str:
    """What the system refused, where, and what to look at."""
    at = f"{error.filename}: " if error.filename else ""
    if isinstance(error, FileNotFoundError):
        return f"{at}no existe esa carpeta o archivo." if language == "es" else f"{at}there is no such folder or file."
    if language == "es":
        return f"{at}el sistema no lo permite ({error.strerror or error}). Revise los permisos y el espacio libre."
    return f"{at}the system does not allow it ({error.strerror or error}). Check permissions and free space."


def database_away(reason: str, language: str | None) -> str:
    """That the database did not take it, and what to do."""
    if language == "es":
        return f"la base de datos no responde, está ocupada o llena ({reason}). Revise PADRON_DATABASE_URL y repita."
    return f"the database does not answer, is busy or full ({reason}). Check PADRON_DATABASE_URL and try again."
