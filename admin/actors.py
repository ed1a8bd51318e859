"""Who acts, as history and the audit name them, and as people read it."""

import os
import pwd

_BY_HAND = "command line:"
_SPANISH = {_BY_HAND: "línea de comandos:", "folder ": "carpeta ", "operator:": "operador:", "token:": "clave:"}


def by_hand() -> str:
    """Whoever types commands, by their name on this machine."""
    try:
        return f"{_BY_HAND}{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # in a container the number may have no name
        return f"{_BY_HAND}{os.getuid()}"


def shown(actor: str, language: str) -> str:
    """An actor in the language of the screen.

    >>> shown("folder general", "es"), shown("operator:7", "en")
    ('carpeta general', 'operator:7')
    """
    if language != "es":
        return actor
    known = next((start for start in _SPANISH if actor.startswith(start)), "")
    return _SPANISH.get(known, "") + actor.removeprefix(known)
