"""What a filter means: its names looked up, its values made to fit, its mistakes told with their place."""

import re
from collections.abc import Callable
from difflib import get_close_matches

from pipelines.emails import normalise_email
from pipelines.filter_catalogue import TAGS, Catalogue
from pipelines.filter_functions import FUNCTIONS, count_of, function_names
from pipelines.filter_lists import of_list, option_of
from pipelines.filter_values import as_edges, as_number, as_text, value_of
from pipelines.spellings import phone_form
from schemas.conditions import (
    Asked,
    Between,
    Both,
    Condition,
    During,
    Either,
    Everybody,
    Happened,
    Known,
    Matches,
    Neither,
    OneOf,
    Tagged,
)
from schemas.fields import CHANNELS, CUSTOM, STATUSES, options_of
from schemas.filters import COMPARISONS, Literal, Node, Op, Property, Several, WrongFilter, refuse
from schemas.folding import folded

_CHOICES = {"channel": CHANNELS, "status": STATUSES}
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_FOLDING = ("casei", "accenti")
_SIGNS = ("%", "_", "\\")
_LONGEST_PATTERN = 1_000
_TextMaker = Callable[[str], str | None]


def understand(node: Node, catalogue: Catalogue) -> Condition:
    """The condition that a filter's tree asks; raises WrongFilter with the place and what is known there."""
    match node:
        case Op(name="and"):
            return Both(tuple(understand(part, catalogue) for part in node.args))
        case Op(name="or"):
            return Either(tuple(understand(part, catalogue) for part in node.args))
        case Op(name="not"):
            return Neither(understand(node.args[0], catalogue))
        case Literal(value=bool() as yes):
            return Everybody() if yes else Neither(Everybody())
        case Property():
            return _alone(node, catalogue)
        case Op(name="isNull"):
            return _absent(node.args[0], catalogue)
        case Op(name="like"):
            return _like(node, catalogue)
        case Op(name="in"):
            return _within(node, catalogue)
        case Op(name="between"):
            return _between(node, catalogue)
        case Op(name="a_equals" | "a_contains" | "a_containedBy" | "a_overlaps"):
            return of_list(node, catalogue)
        case Op() if node.name in COMPARISONS:
            return _comparison(node, catalogue)
        case Op():
            return _call(node)
        case _:
            raise refuse(
                node.place,
                "A value alone asks nothing: compare a field with it, as in city = 'Lima'.",
                "Un valor solo no pregunta nada: compárelo con un campo, como en city = 'Lima'.",
            )


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _field(node: Node, catalogue: Catalogue) -> tuple[Asked, bool]:
    """The field that is asked, and whether its text is to be folded."""
    if isinstance(node, Op) and node.name in _FOLDING and len(node.args) == 1:
        return _field(node.args[0], catalogue)[0], True
    if not isinstance(node, Property):
        raise refuse(
            node.place,
            "Here stands no field. Fields: " + ", ".join(catalogue.names()) + ".",
            "Aquí no hay un campo. Campos: " + ", ".join(catalogue.names()) + ".",
        )
    found = catalogue.find(node.name)
    if found is None:
        raise _unknown(node, catalogue)
    return found, False


def _unknown(node: Property, catalogue: Catalogue) -> WrongFilter:
    if node.name == TAGS:
        return refuse(
            node.place,
            "tags is a list: ask tagged('vip'), A_CONTAINS(tags, ('a', 'b')), or tags IS NULL.",
            "tags es una lista: pregunte tagged('vip'), A_CONTAINS(tags, ('a', 'b')) o tags IS NULL.",
        )
    if catalogue.several(node.name):
        asked = f"A_CONTAINS({node.name}, ('a', 'b'))"
        return refuse(
            node.place,
            f"{node.name} is a list: ask {asked}, A_OVERLAPS, or {node.name} IS NULL.",
            f"{node.name} es una lista: pregunte {asked}, A_OVERLAPS o {node.name} IS NULL.",
        )
    names = catalogue.names()
    plain = {folded(name).removeprefix(CUSTOM): name for name in reversed(names)}
    near = [plain[form] for form in get_close_matches(folded(node.name).removeprefix(CUSTOM), plain, n=3, cutoff=0.7)]
    if near:
        listed = ", ".join(near)
        return refuse(
            node.place,
            f"There is no field «{node.name}». Did you mean {listed}? A text stands in single quotes.",
            f"No hay un campo «{node.name}». ¿Quiso decir {listed}? Un texto va entre comillas simples.",
        )
    listed = ", ".join(names)
    return refuse(
        node.place,
        f"There is no field «{node.name}» (a text stands in single quotes). Fields: {listed}.",
        f"No hay un campo «{node.name}» (un texto va entre comillas simples). Campos: {listed}.",
    )


def _alone(node: Property, catalogue: Catalogue) -> Condition:
    field, _ = _field(node, catalogue)
    if field.kind != "boolean":
        raise refuse(
            node.place,
            f"{node.name} alone is neither true nor false: compare it, or ask {node.name} IS NOT NULL.",
            f"{node.name} solo no es verdadero ni falso: compárelo, o pregunte {node.name} IS NOT NULL.",
        )
    return OneOf(field, (True,))


def _absent(node: Node, catalogue: Catalogue) -> Condition:
    if isinstance(node, Property) and node.name == TAGS:
        return Neither(Tagged())
    if isinstance(node, Property) and (listed := catalogue.several(node.name)):
        return Neither(Known(listed[0]))
    return Neither(Known(_field(node, catalogue)[0]))


def _call(node: Op) -> Condition:
    function = FUNCTIONS.get(node.name.lower())
    if function is None:
        listed = ", ".join(function_names())
        raise refuse(
            node.place,
            f"There is no function «{node.name}» that is true or false. Functions: {listed}.",
            f"No hay una función «{node.name}» que sea verdadera o falsa. Funciones: {listed}.",
        )
    return function(node)


# ── comparing ────────────────────────────────────────────────────────────────────────────────────────────────────


def _comparison(node: Op, catalogue: Catalogue) -> Condition:
    left, right = node.args
    sign = node.name
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, sign = right, left, _FLIPPED.get(sign, sign)
    if isinstance(left, Op) and left.name not in _FOLDING:
        return _counted(left, sign, right)
    field, is_folded = _field(left, catalogue)
    if isinstance(right, Property):
        raise refuse(
            right.place,
            f"Two fields cannot be compared. If «{right.name}» is a text, write '{right.name}' in single quotes.",
            f"No se pueden comparar dos campos. Si «{right.name}» es un texto, escríbalo como '{right.name}'.",
        )
    if sign == "=":
        return _is(field, [right], catalogue, is_folded)
    if sign == "<>":
        return Both((Known(field), Neither(_is(field, [right], catalogue, is_folded))))
    if field.kind == "number":
        return _ordered(field, sign, as_number(right))
    if field.kind == "moment":
        start, end = as_edges(right)
        return {
            "<": During(field, end=start),
            "<=": During(field, end=end),
            ">": During(field, start=end),
            ">=": During(field, start=start),
        }[sign]
    raise refuse(
        node.place,
        f"{field.key} has no order: use =, <>, IN or LIKE.",
        f"{field.key} no tiene orden: use =, <>, IN o LIKE.",
    )


def _ordered(field: Asked, sign: str, number: float) -> Condition:
    if sign in ("<", "<="):
        return Between(field, high=number, high_open=sign == "<")
    return Between(field, low=number, low_open=sign == ">")


def _counted(call: Op, sign: str, right: Node) -> Condition:
    """How often something happened, compared with a number."""
    happened = count_of(call)
    number = as_number(right)
    if number != int(number) or number < 0:
        raise refuse(right.place, "Compare with a whole number.", "Compare con un número entero.")
    return happened_so_often(happened, sign, int(number))


def happened_so_often(happened: Happened, sign: str, number: int) -> Condition:
    """The condition that the count stands so to the number."""

    def at_least(least: int, most: int | None = None) -> Condition:
        kind, ref, start, end = happened.kind, happened.ref, happened.start, happened.end
        return Happened(kind, ref, start, end, least, most)

    match sign:
        case ">=":
            return at_least(number) if number else Everybody()
        case ">":
            return at_least(number + 1)
        case "<":
            return Neither(at_least(number)) if number else Neither(Everybody())
        case "<=":
            return Neither(at_least(number + 1))
        case "=":
            return at_least(number, number) if number else Neither(at_least(1))
        case _:
            return Neither(at_least(number, number)) if number else at_least(1)


def _is(field: Asked, nodes: list[Node], catalogue: Catalogue, is_folded: bool) -> Condition:
    """The field is one of these values."""
    if field.kind == "moment":
        parts = tuple(During(field, *as_edges(node)) for node in nodes)
        return parts[0] if len(parts) == 1 else Either(parts)
    is_folded = is_folded or any(isinstance(node, Op) and node.name in _FOLDING for node in nodes)
    values = tuple(dict.fromkeys(_fitting(field, node, catalogue, is_folded) for node in nodes))
    return OneOf(field, values, "folded" if is_folded and field.kind == "text" else "exact")


def _fitting(field: Asked, node: Node, catalogue: Catalogue, is_folded: bool) -> str | float | bool:
    """The value as the store has it."""
    match field.kind:
        case "number":
            return as_number(node)
        case "boolean":
            value = value_of(node)
            if not isinstance(value, bool):
                raise refuse(node.place, f"{field.key} is TRUE or FALSE.", f"{field.key} es TRUE o FALSE.")
            return value
        case "choice":
            return _choice(field, node, catalogue)
        case "phone":
            return _key(node, "phone", lambda text: phone_form(text, catalogue.country))
        case "email":
            return _key(node, "e-mail", normalise_email)
        case _:
            return folded(as_text(node)) if is_folded else as_text(node)


def _choice(field: Asked, node: Node, catalogue: Catalogue) -> str:
    options = options_of(catalogue.custom[field.key]) if field.custom else _CHOICES[field.key]
    return option_of(field.key, node, options)


def _key(node: Node, what: str, make: _TextMaker) -> str:
    text = as_text(node)
    form = make(text)
    if form is None:
        spanish = {"phone": "teléfono", "e-mail": "correo"}[what]
        raise refuse(
            node.place,
            f"«{text}» is no {what}. To search by a part of it, use LIKE.",
            f"«{text}» no es un {spanish}. Para buscar por una parte, use LIKE.",
        )
    return form


def _within(node: Op, catalogue: Catalogue) -> Condition:
    field, is_folded = _field(node.args[0], catalogue)
    items = node.args[1].items if isinstance(node.args[1], Several) else ()
    if not items:
        return Neither(Everybody())
    return _is(field, list(items), catalogue, is_folded)


def _between(node: Op, catalogue: Catalogue) -> Condition:
    value, low, high = node.args
    if isinstance(value, Op) and value.name not in _FOLDING:
        return Both((_counted(value, ">=", low), _counted(value, "<=", high)))
    field, _ = _field(value, catalogue)
    if field.kind == "number":
        return Between(field, as_number(low), as_number(high))
    if field.kind == "moment":
        return During(field, as_edges(low)[0], as_edges(high)[1])
    raise refuse(node.place, "BETWEEN asks for a number or a time.", "BETWEEN pregunta por un número o una fecha.")


def _like(node: Op, catalogue: Catalogue) -> Condition:
    field, _ = _field(node.args[0], catalogue)
    if field.kind not in ("text", "phone", "email"):
        raise refuse(node.place, "LIKE asks for a text.", "LIKE pregunta por un texto.")
    pattern = as_text(node.args[1])
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise refuse(
            node.args[1].place,
            "A pattern does not end in a single backslash.",
            "Un patrón no termina en una sola barra invertida.",
        )
    if len(pattern) > _LONGEST_PATTERN:
        raise refuse(
            node.args[1].place,
            f"A pattern has at most {_LONGEST_PATTERN:,} characters.",
            f"Un patrón tiene como mucho {_LONGEST_PATTERN:,} caracteres.",
        )
    return Matches(field, _folded_pattern(pattern))


def _folded_pattern(pattern: str) -> str:
    """The pattern folded, without making signs of it that were none, such as a full-width %."""
    parts = re.split(r"([%_\\])", pattern)
    return "".join(part if part in _SIGNS else re.sub(r"([%_\\])", r"\\\1", folded(part)) for part in parts)
