"""What an operator, a licence and a state of agents may be: their values, checked, without any store."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from zxcvbn import zxcvbn

from schemas.errors import InputError

Kind = Literal["agent", "admin"]
Holding = Literal["floating", "named"]
KINDS: dict[Kind, tuple[str, str]] = {
    "agent": ("agent: takes conversations", "agente: atiende conversaciones"),
    "admin": ("admin: takes no conversations", "administración: no atiende conversaciones"),
}
HOLDINGS: dict[Holding, tuple[str, str]] = {
    "floating": ("whoever signs in", "quien inicie sesión"),
    "named": ("one operator for good", "un operador fijo"),
}
OFFLINE = "offline"
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 128
_LEAST_SCORE = 2
_MOST_CONVERSATIONS = 1_000
_COMMON_IN_SPANISH = (
    "contraseña contrasena contraseñas administrador administradora administracion usuario usuaria bienvenido "
    "bienvenida secreto secreta clave claves acceso prueba pruebas empresa padron padrón hola amor amores teamo "
    "tequiero familia micontraseña micontrasena miclave colombia mexico méxico argentina peru perú chile españa "
    "espana ecuador bogota bogotá lima quito madrid barcelona realmadrid futbol fútbol estrella princesa mariposa "
    "angel ángel jesus jesús maria maría jose josé carlos juan cliente clientes ventas soporte agente agentes "
    "atencion atención supervisor "
)
"""Words that passwords are made of, and that the library's lists, which are English, do not have."""


class WrongField(InputError):
    """A value of a form is not taken; `field` names it, `code` is stable."""

    def __init__(self, field: str, code: str, english: str, spanish: str) -> None:
        super().__init__(english, spanish)
        self.field, self.code = field, code


_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_BLANK = "\u034f\u115f\u1160\u2800\u3164\uffa0"
"""Letters and marks that show as nothing."""


def plain_name(field: str, text: str) -> str:
    """A name as it is kept: composed, without spaces around it; raises WrongField for signs that nobody sees."""
    if any(unicodedata.category(char) in _UNSEEN or char in _BLANK for char in text):
        raise WrongField(
            field,
            "invalid",
            "A name has no line breaks or signs that are not shown.",
            "Un nombre no lleva saltos de línea ni signos que no se ven.",
        )
    return unicodedata.normalize("NFKC", text).strip()


@dataclass(frozen=True, slots=True)
class OperatorForm:
    """What is set of an operator beside the password."""

    email: str
    first_name: str
    last_name: str
    is_agent: bool = False
    licence_id: int | None = None
    max_conversations: int = 5
    may_leave_open: bool = False
    sees_queued: bool = False
    is_active: bool = True
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("first_name", "last_name"):
            if not getattr(self, name).strip():
                raise WrongField(name, "required", "Fill in first and last name.", "Escriba nombre y apellidos.")
        if not 0 <= self.max_conversations <= _MOST_CONVERSATIONS:
            raise WrongField(
                "max_conversations",
                "out_of_range",
                f"The maximum of simultaneous conversations is between 0 and {_MOST_CONVERSATIONS}.",
                f"El máximo de conversaciones simultáneas está entre 0 y {_MOST_CONVERSATIONS}.",
            )


def check_password(password: str, confirmation: str, known: Mapping[str, str]) -> None:
    """Raise WrongField unless the password may be used; `known` are words about its owner, such as the e-mail."""
    if password != confirmation:
        raise WrongField(
            "confirmation",
            "differs",
            "The password and its confirmation differ.",
            "La contraseña y su confirmación no coinciden.",
        )
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WrongField(
            "password",
            "length",
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters.",
            f"Una contraseña tiene de {SHORTEST_PASSWORD} a {LONGEST_PASSWORD} caracteres.",
        )
    words = [part for value in known.values() for part in (value, *value.replace("@", " ").replace(".", " ").split())]
    words += [*(word.rstrip("0123456789") for word in words), *_COMMON_IN_SPANISH.split()]
    if zxcvbn(password[:72], user_inputs=words)["score"] < _LEAST_SCORE:
        raise WrongField(
            "password",
            "too_common",
            "This password is easily guessed: it is common, or made of the name. Use several words that do not belong "
            "together.",
            "Esta contraseña se adivina fácilmente: es común o sale del nombre. Use varias palabras que no tengan que "
            "ver entre sí.",
        )
