"""The text and the JSON of filters: the public examples of the standard, what is refused, and where."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from schemas.cql2 import as_text, parse
from schemas.filters import Literal, Node, Op, Property, Several, WrongFilter, as_json, of_json

_PAIRS = json.loads(Path(__file__).with_name("cql2_examples.json").read_text("utf-8"))["pairs"]


@pytest.mark.parametrize("pair", _PAIRS, ids=lambda pair: pair["name"])
def test_the_examples_of_the_standard_mean_the_same_as_text_and_as_json(pair: dict[str, Any]) -> None:
    node = parse(pair["text"])

    assert of_json(pair["json"]) == node
    assert parse(as_text(node)) == node
    assert of_json(json.loads(json.dumps(as_json(node)))) == node


def test_there_are_sixty_examples_of_the_standard() -> None:
    assert len(_PAIRS) >= 60


_NAMES = some.sampled_from(["city", "custom.plan", "and", "a b", "Ñandú", "_x", "TRUE", "x:y"])
_TEXTS = some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
_NUMBERS = some.integers(-(2**53), 2**53) | some.floats(-1e9, 1e9)
_VALUES = some.builds(Literal, _TEXTS | _NUMBERS | some.booleans())
_FIELDS = some.builds(Property, _NAMES)
_SIGNS = some.sampled_from(["=", "<>", "<", ">", "<=", ">="])
_LISTS = some.lists(_VALUES, min_size=1, max_size=3).map(lambda items: Several(tuple(items)))


def _op(name: str, *parts: some.SearchStrategy[Any]) -> some.SearchStrategy[Op]:
    return some.tuples(*parts).map(lambda args: Op(name, args))


_LEAVES = (
    some.builds(lambda sign, one, other: Op(sign, (one, other)), _SIGNS, _FIELDS, _VALUES)
    | _op("like", _FIELDS, some.builds(Literal, _TEXTS))
    | _op("between", _FIELDS, _VALUES, _VALUES)
    | _op("in", _FIELDS, _LISTS)
    | _op("isNull", _FIELDS)
    | _op("tagged", some.builds(Literal, _TEXTS))
    | _op("a_contains", _FIELDS, _LISTS)
)
_TREES = some.recursive(
    _LEAVES,
    lambda inner: _op("not", inner) | _op("and", inner, inner) | _op("or", inner, inner, inner),
    max_leaves=12,
)


@given(_TREES)
def test_any_tree_is_the_same_after_its_text_and_its_json(tree: Node) -> None:
    assert parse(as_text(tree)) == tree
    assert of_json(json.loads(json.dumps(as_json(tree)))) == tree


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("city = ", 7, "ends too early"),
        ("city == 'Lima'", 6, "«=» makes no sense here"),
        ("city = ‘Lima’", 7, "two single quotes"),
        ("city = 'Lima", 7, "two single quotes"),
        ("(city = 'Lima'", 14, "Expected: )"),
        ("city = 'Lima' plan = 'oro'", 14, "«plan» makes no sense here"),
        ("NOT NOT city = 'Lima'", 4, "«NOT» makes no sense here"),
        ("city IN ()", 9, "«)» makes no sense here"),
        ("", 0, "ends too early"),
        ("created_at > DATE('2026-13-01')", 13, "«2026-13-01» is no date"),
        ("created_at > TIMESTAMP('2026-01-01T10:00:00')", 13, "is no time such as"),
        ("sent > 99999999999999999999", 7, "too large a number"),
        ("city = 'a\0b'", 7, "holds no text"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(text: str, at: int, said: str) -> None:
    with pytest.raises(WrongFilter, match="character") as refused:
        parse(text)

    assert refused.value.at == at
    assert said in str(refused.value)
    assert refused.value.said("es") != str(refused.value)


@pytest.mark.parametrize(
    ("found", "path"),
    [
        ({"op": "and", "args": [{"op": "=", "args": [{"property": "city"}]}, True]}, "/args/0"),
        ({"op": "=", "args": [{"property": "city"}, {"x": 1}]}, "/args/1"),
        ({"op": "in", "args": [{"property": "city"}, "Lima"]}, "/args/1"),
        ({"op": "=", "args": [{"property": "created_at"}, {"date": "soon"}]}, "/args/1"),
        ({"op": "=", "args": [{"property": 'a"b'}, 1]}, "/args/0"),
        ({"op": "=", "args": [{"property": "sent"}, 1e400]}, "/args/1"),
        ({"op": "=", "args": [{"property": "sent"}, float("nan")]}, "/args/1"),
        ({"op": "drop table", "args": []}, ""),
        (None, ""),
    ],
)
def test_what_is_no_filter_in_json_is_refused_with_its_path(found: Any, path: str) -> None:
    with pytest.raises(WrongFilter) as refused:
        of_json(found)

    assert refused.value.path == path


@pytest.mark.parametrize(
    "text",
    [
        " AND ".join(["sent > 1"] * 3_000),
        "NOT (" * 60 + "sent > 1" + ")" * 60,
        "city = '" + "x" * 60_000 + "'",
        "city IN (" + ", ".join(["'x'"] * 3_000) + ")",
    ],
    ids=["wide", "deep", "long", "list"],
)
def test_monsters_are_refused(text: str) -> None:
    with pytest.raises(WrongFilter):
        parse(text)


def test_a_tree_of_json_that_is_far_too_deep_is_refused() -> None:
    found: Any = True
    for _ in range(900):
        found = {"op": "not", "args": [found]}

    with pytest.raises(WrongFilter):
        of_json(found)
