"""CQL2 text to a filter's tree and back (OGC 21-065r2: basic, advanced comparison, casei, accenti, lists, functions).

`AND` binds tighter than `OR`. The standard's spatial operators, intervals and arithmetic are not supported, and a
quote inside a text is written twice (`''`), never with a backslash.
"""

import re
from datetime import date, datetime
from functools import cache

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from schemas.filters import (
    ARRAYS,
    COMPARISONS,
    LONGEST,
    NOWHERE,
    Literal,
    Node,
    Op,
    Place,
    Property,
    Several,
    WrongFilter,
    check_size,
    literal,
    read_date,
    read_timestamp,
    refuse,
    timestamp_text,
)

_GRAMMAR = r"""
?start: either
either: both ("OR"i both)*                              -> disjunction
both: factor ("AND"i factor)*                           -> conjunction
?factor: "NOT"i primary                                 -> negation
       | primary
?primary: value
        | value COMPARISON value                        -> comparison
        | value "LIKE"i value                           -> like
        | value "NOT"i "LIKE"i value                    -> not_like
        | value "BETWEEN"i value "AND"i value           -> between
        | value "NOT"i "BETWEEN"i value "AND"i value    -> not_between
        | value "IN"i list                              -> within
        | value "NOT"i "IN"i list                       -> not_within
        | value "IS"i "NULL"i                           -> absent
        | value "IS"i "NOT"i "NULL"i                    -> present
        | "(" either ")"
?value: TEXT                                            -> text
      | NUMBER                                          -> number
      | YES                                             -> yes
      | NO                                              -> no
      | NAME                                            -> property
      | QUOTED                                          -> quoted
      | NAME "(" [argument ("," argument)*] ")"         -> call
?argument: either
         | "(" ")"                                      -> several
         | "(" argument ("," argument)+ ")"             -> several
list: "(" value ("," value)* ")"                        -> several
YES: "TRUE"i
NO: "FALSE"i
COMPARISON: "<>" | "<=" | ">=" | "=" | "<" | ">"
TEXT: /'(?:''|[^'])*'/
NUMBER: /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/
QUOTED: /"[^"\x00-\x1f]+"/
NAME: /[^\W\d][\w.:]*/i
%ignore /\s+/
"""
_NAME = re.compile(r"[^\W\d][\w.:]*")
_WORDS = frozenset({"and", "or", "not", "like", "between", "in", "is", "null", "true", "false"})
_FOLDING = ("casei", "accenti")
_LONGEST_WHOLE = 20
_EXPECTED = {
    "NAME": ("a field", "un campo"),
    "TEXT": ("a text in single quotes", "un texto entre comillas simples"),
    "NUMBER": ("a number", "un número"),
    "COMPARISON": ("= <> < > <= >=", "= <> < > <= >="),
    "LPAR": ("(", "("),
    "RPAR": (")", ")"),
    "COMMA": ("a comma", "una coma"),
    "$END": ("the end", "el final"),
}
"""How the parser's marks are called where one of them is missing; words such as AND are called as they are."""


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """Makes the tree while the text is read."""

    def disjunction(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else Op("or", parts, parts[0].place)

    def conjunction(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else Op("and", parts, parts[0].place)

    def negation(self, part: Node) -> Node:
        return Op("not", (part,), part.place)

    def comparison(self, left: Node, sign: Token, right: Node) -> Node:
        return Op(str(sign), (left, right), left.place)

    def like(self, value: Node, pattern: Node) -> Node:
        return Op("like", (value, pattern), value.place)

    def between(self, value: Node, low: Node, high: Node) -> Node:
        return Op("between", (value, low, high), value.place)

    def within(self, value: Node, items: Node) -> Node:
        return Op("in", (value, items), value.place)

    def absent(self, value: Node) -> Node:
        return Op("isNull", (value,), value.place)

    def not_like(self, value: Node, pattern: Node) -> Node:
        return self.negation(self.like(value, pattern))

    def not_between(self, value: Node, low: Node, high: Node) -> Node:
        return self.negation(self.between(value, low, high))

    def not_within(self, value: Node, items: Node) -> Node:
        return self.negation(self.within(value, items))

    def present(self, value: Node) -> Node:
        return self.negation(self.absent(value))

    def text(self, token: Token) -> Node:
        return literal(token[1:-1].replace("''", "'"), _place(token))

    def number(self, token: Token) -> Node:
        is_whole = token.lstrip("+-").isdecimal() and len(token) < _LONGEST_WHOLE
        return literal(int(token) if is_whole else float(token), _place(token))

    def yes(self, token: Token) -> Node:
        return Literal(True, _place(token))

    def no(self, token: Token) -> Node:
        return Literal(False, _place(token))

    def property(self, token: Token) -> Node:
        return Property(str(token), _place(token))

    def quoted(self, token: Token) -> Node:
        return Property(token[1:-1], _place(token))

    def several(self, *items: Node) -> Node:
        return Several(items, items[0].place if items else NOWHERE)

    def call(self, name: Token, *args: Node | None) -> Node:
        place, known = _place(name), name.lower()
        given = tuple(one for one in args if one is not None)
        if known in ("date", "timestamp"):
            text = given[0].value if len(given) == 1 and isinstance(given[0], Literal) else None
            if not isinstance(text, str):
                raise refuse(place, f"{name} takes one text.", f"{name} lleva un texto.")
            return Literal(read_date(text, place) if known == "date" else read_timestamp(text, place), place)
        if known in ARRAYS:
            given = tuple(one if isinstance(one, Several | Property) else Several((one,), one.place) for one in given)
        return Op(known if known in _FOLDING else ARRAYS.get(known, str(name)), given, place)


def _place(token: Token) -> Place:
    return Place(token.start_pos or 0)


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder())


def parse(text: str) -> Node:
    """The tree of a filter's text; raises WrongFilter, which says where.

    >>> parse("city = 'Lima' OR sent > 3 AND NOT tagged('vip')").name
    'or'
    """
    if len(text) > LONGEST:
        raise refuse(
            NOWHERE,
            f"This filter is longer than {LONGEST:,} characters.",
            f"Este filtro tiene más de {LONGEST:,} caracteres.",
        )
    try:
        node: Node = _parser().parse(text)  # type: ignore[assignment]  # the transformer makes our tree
    except VisitError as error:
        if isinstance(error.orig_exc, WrongFilter):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _unexpected(text, error) from error
    check_size(node)
    return node


def _unexpected(text: str, error: UnexpectedInput) -> WrongFilter:
    """What stands where the text makes no sense, and what could stand there."""
    is_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    at = len(text) if is_end or error.pos_in_stream is None else error.pos_in_stream
    rest = text[at:].lstrip()
    if not rest:
        found = ("The filter ends too early", "El filtro termina antes de tiempo")
    elif isinstance(error, UnexpectedCharacters) and rest[0] in "'\"‘’“”":
        return refuse(
            Place(at),
            "A text stands in two single quotes: 'Lima'.",
            "Un texto va entre dos comillas simples: 'Lima'.",
        )
    else:
        word = re.match(r"[\w.:]+|.", rest)
        shown = word.group(0)[:40] if word else rest[0]
        found = (f"«{shown}» makes no sense here", f"«{shown}» no tiene sentido aquí")
    names = getattr(error, "allowed", None) or getattr(error, "expected", None) or ()
    known = sorted({_EXPECTED.get(name, (name, name)) for name in names if name not in ("QUOTED", "YES", "NO")})
    english, spanish = (", ".join(pair[side] for pair in known) for side in (0, 1))
    return refuse(Place(at), f"{found[0]}. Expected: {english}.", f"{found[1]}. Se espera: {spanish}.")


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def as_text(node: Node) -> str:
    """The tree as CQL2 text, which parses to the same tree.

    >>> as_text(parse("not (a=1 or b='x') and c like '%é%'"))
    "NOT (a = 1 OR b = 'x') AND c LIKE '%é%'"
    """
    match node:
        case Literal(value=datetime() as moment):
            return f"TIMESTAMP('{timestamp_text(moment)}')"
        case Literal(value=date() as day):
            return f"DATE('{day.isoformat()}')"
        case Literal(value=bool() as yes):
            return "TRUE" if yes else "FALSE"
        case Literal(value=str() as text):
            return f"'{text.replace(chr(39), chr(39) * 2)}'"
        case Literal():
            return repr(node.value)
        case Property():
            is_plain = _NAME.fullmatch(node.name) and node.name.lower() not in _WORDS
            return node.name if is_plain else f'"{node.name}"'
        case Several():
            return f"({', '.join(as_text(item) for item in node.items)})"
        case Op(name="and" | "or" as name):
            return f" {name.upper()} ".join(_inner(part, name) for part in node.args)
        case Op(name="not", args=(Op(name="like" | "between" | "in" | "isNull") as part,)):
            return _predicate(part, "NOT ")
        case Op(name="not", args=(part,)):
            return f"NOT {_inner(part, 'not')}"
        case Op(name="like" | "between" | "in" | "isNull"):
            return _predicate(node, "")
        case Op(name=name, args=(left, right)) if name in COMPARISONS:
            return f"{as_text(left)} {name} {as_text(right)}"
        case Op():
            shown = node.name.upper() if node.name in _FOLDING or node.name.lower() in ARRAYS else node.name
            return f"{shown}({', '.join(as_text(item) for item in node.args)})"


def _inner(part: Node, outer: str) -> str:
    """A part in parentheses where it would bind otherwise."""
    loose = isinstance(part, Op) and (part.name == "or" or part.name == outer or (part.name, outer) == ("and", "not"))
    return f"({as_text(part)})" if loose else as_text(part)


def _predicate(node: Op, negation: str) -> str:
    value, *rest = (as_text(item) for item in node.args)
    match node.name:
        case "like":
            return f"{value} {negation}LIKE {rest[0]}"
        case "between":
            return f"{value} {negation}BETWEEN {rest[0]} AND {rest[1]}"
        case "in":
            return f"{value} {negation}IN {rest[0]}"
        case _:
            return f"{value} IS {negation}NULL"
