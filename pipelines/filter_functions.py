"""The functions of filters: tags, segments, imports, consent, and what happened with a contact."""

from collections.abc import Callable, Mapping

from pipelines.filter_values import as_edges, as_number, as_text
from pipelines.words import tag_form
from schemas.conditions import CameWith, Condition, Edge, Happened, InSegment, OptedIn, OptedOut, Tagged
from schemas.fields import CHANNELS
from schemas.filters import Literal, Node, Op, refuse

_COUNTED = {"sent": "sent", "received": "received", "replied": "replied"}
_SIGNATURES = {
    "tagged": "tagged('vip')",
    "in_segment": "in_segment('clientes')",
    "in_batch": "in_batch(3)",
    "from_source": "from_source('crm')",
    "opted_out": "opted_out('whatsapp')",
    "opted_in": "opted_in('email')",
    "sent": "sent(ago('30d')) > 3",
    "received": "received(ago('30d')) = 0",
    "replied": "replied(ago('30d')) >= 1",
    "clicked": "clicked('spring', ago('7d'))",
    "happened": "happened('clicked', 'spring', ago('7d'), now())",
}
_ALL = "all"


def function_names() -> list[str]:
    """How each function is written."""
    return list(_SIGNATURES.values())


def _wrong(node: Op) -> Exception:
    shown = _SIGNATURES.get(node.name.lower(), node.name)
    return refuse(node.place, f"Write it as {shown}.", f"Escríbalo como {shown}.")


def _tagged(node: Op) -> Condition:
    forms = tuple(dict.fromkeys(tag_form(as_text(one)) for one in node.args))
    if not all(forms):
        raise _wrong(node)
    return Tagged(forms)


def _one_text(node: Op) -> str:
    if len(node.args) != 1:
        raise _wrong(node)
    return as_text(node.args[0])


def _channel(node: Op) -> str:
    channel = _one_text(node) if node.args else _ALL
    if channel not in (*CHANNELS, _ALL):
        listed = ", ".join((*CHANNELS, _ALL))
        raise refuse(node.args[0].place, f"A channel is one of {listed}.", f"Un canal es uno de {listed}.")
    return channel


def _batch(node: Op) -> Condition:
    number = as_number(node.args[0]) if len(node.args) == 1 else 0
    if number < 1 or number != int(number):
        raise _wrong(node)
    return CameWith(batch=int(number))


def count_of(node: Op) -> Happened:
    """What a function counts: its kind, reference and time; raises WrongFilter for one that counts nothing."""
    name, args = node.name.lower(), list(node.args)
    kind, ref = _COUNTED.get(name), None
    if name == "happened" and args:
        kind = as_text(args.pop(0))
    elif name == "clicked":
        kind = "clicked"
    if kind is None:
        listed = ", ".join(_SIGNATURES[one] for one in (*_COUNTED, "clicked", "happened"))
        raise refuse(
            node.place,
            f"«{node.name}» cannot be compared with a number. What can: {listed}.",
            f"«{node.name}» no se compara con un número. Lo que sí: {listed}.",
        )
    if args and name not in _COUNTED and _is_text(args[0]):
        ref = as_text(args.pop(0))
    if len(args) > 2:
        raise _wrong(node)
    start, end = _time(args[0], 0) if args else None, _time(args[1], 1) if len(args) > 1 else None
    return Happened(kind, ref, start, end)


def _time(node: Node, side: int) -> Edge:
    return as_edges(node)[side]


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)


FUNCTIONS: Mapping[str, Callable[[Op], Condition]] = {
    "tagged": _tagged,
    "in_segment": lambda node: InSegment(tag_form(_one_text(node))),
    "in_batch": _batch,
    "from_source": lambda node: CameWith(source=_one_text(node)),
    "opted_out": lambda node: OptedOut(_channel(node)),
    "opted_in": lambda node: OptedIn(_channel(node)),
    **dict.fromkeys((*_COUNTED, "clicked", "happened"), count_of),
}
"""Functions that are true or false; those that count are true where it happened at least once."""
