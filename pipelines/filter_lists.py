"""What filters ask of lists: of tags, and of fields that take several of their options."""

import re
from collections.abc import Sequence

from pipelines.filter_catalogue import TAGS, Catalogue
from pipelines.filter_values import as_text
from pipelines.words import tag_form
from schemas.conditions import (
    Asked,
    Both,
    Condition,
    Either,
    Everybody,
    Known,
    Matches,
    Neither,
    Tagged,
    TaggedOtherwise,
)
from schemas.fields import BETWEEN
from schemas.filters import Node, Op, Property, Several, refuse
from schemas.folding import folded


def of_list(node: Op, catalogue: Catalogue) -> Condition:
    """What is asked of a list: the tags, or the options that a field has."""
    one, other = node.args if len(node.args) == 2 else (None, None)
    if isinstance(other, Property) and isinstance(one, Several):
        one, other = other, one
        name = {"a_contains": "a_containedBy", "a_containedBy": "a_contains"}.get(node.name, node.name)
    else:
        name = node.name
    listed = catalogue.several(one.name) if isinstance(one, Property) else None
    if not (isinstance(one, Property) and (one.name == TAGS or listed) and isinstance(other, Several)):
        raise refuse(
            node.place,
            "Write it as A_CONTAINS(tags, ('one', 'two')): tags and fields of several options are lists.",
            "Escríbalo como A_CONTAINS(tags, ('una', 'otra')): tags y los campos de varias opciones son listas.",
        )
    if listed is not None:
        return _of_options(name, *listed, other)
    forms = tuple(dict.fromkeys(_tag(item) for item in other.items))
    each = tuple(Tagged((form,)) for form in forms)
    others = Neither(TaggedOtherwise(forms))
    match name:
        case "a_overlaps":
            return Tagged(forms) if forms else Neither(Everybody())
        case "a_contains":
            return Both(each) if each else Everybody()
        case "a_containedBy":
            return others
        case _:
            return Both((*each, others))


def _of_options(name: str, field: Asked, options: Sequence[str], listed: Several) -> Condition:
    """What is asked of a field that takes several options; who has none has no list."""
    meant = [option_of(field.key, item, options) for item in listed.items]
    each = tuple(_has(field, option) for option in dict.fromkeys(meant))
    rest = tuple(_has(field, option) for option in options if option not in meant)
    others = Both((Known(field), Neither(Either(rest)))) if rest else Known(field)
    match name:
        case "a_overlaps":
            return Either(each) if each else Neither(Everybody())
        case "a_contains":
            return Both(each) if each else Known(field)
        case "a_containedBy":
            return others
        case _:
            return Both((*each, others))


def _has(field: Asked, option: str) -> Condition:
    """The option stands among those of the value, each of which has a mark around it."""
    escaped = re.sub(r"([%_\\])", r"\\\1", folded(option))
    return Matches(field, f"%{BETWEEN}{escaped}{BETWEEN}%")


def _tag(node: Node) -> str:
    form = tag_form(as_text(node))
    if not form:
        raise refuse(node.place, "A tag has a name.", "Una etiqueta tiene un nombre.")
    return form


def option_of(key: str, node: Node, options: Sequence[str]) -> str:
    """The option that is meant, in any spelling."""
    form = tag_form(as_text(node))
    found = next((option for option in options if tag_form(option) == form), None)
    if found is None:
        listed = ", ".join(options)
        raise refuse(node.place, f"{key} is one of {listed}.", f"{key} es uno de {listed}.")
    return found
