"""What connector files leave open in braces, filled in; and dotted paths into what a CRM answers."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from schemas.errors import InputError

_NAME = re.compile(r"\{([a-z_]+(?:\.[A-Za-z0-9_]+)?)(?:\|([a-z0-9_]+))?\}")
_BEFORE = re.compile(r"[\\']")
"""What wants a backslash before it in a text of SOQL or COQL."""
_LEFT_OUT: Any = object()


class NotKnown(InputError):
    """A connector names something that the connection does not have."""


def _plain(value: Any) -> str:
    """A time without a zone, in the one that it is given in."""
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)


_AS: Mapping[str, Callable[[Any], Any]] = {
    "join": lambda value: ",".join(map(str, value)),
    "rfc3339": lambda value: value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "plain": _plain,
    "ms": lambda value: str(int(value.timestamp() * 1000)),
    "s": lambda value: str(int(value.timestamp())),
    "http": lambda value: format_datetime(value.astimezone(UTC), usegmt=True),
    "int": int,
    "ints": lambda value: [int(one) for one in value],
    "quoted": lambda value: ",".join("'" + _BEFORE.sub(r"\\\g<0>", str(one)) + "'" for one in value),
    "as_ids": lambda value: [{"id": one} for one in value],
    "json": json.dumps,
    "base64": lambda value: base64.b64encode(str(value).encode()).decode(),
}


def fill(template: Any, known: Mapping[str, Any]) -> Any:
    """A template with its names filled in, at any depth; a text that names nothing is left out. Raises NotKnown.

    >>> fill({"a": "{id|int}", "b": ["x-{id}", "{none}"]}, {"id": "7", "none": None})
    {'a': 7, 'b': ['x-7']}
    >>> fill({"type": "Contact", "...": "{values}", "in": "{ids|quoted}"}, {"values": {"a": 1}, "ids": ["x", "o'y"]})
    {'a': 1, 'type': 'Contact', 'in': "'x','o\\\\'y'"}
    """
    found = _filled(template, known)
    return None if found is _LEFT_OUT else found


def _filled(template: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        whole = _NAME.fullmatch(template)
        if whole:
            return _value(whole, known)
        values = [_value(part, known) for part in _NAME.finditer(template)]
        if any(value is _LEFT_OUT for value in values):
            return _LEFT_OUT
        shown = iter(values)
        return _NAME.sub(lambda part: str(next(shown)), template)
    if isinstance(template, Mapping):
        pairs = ((key, _filled(value, known)) for key, value in template.items())
        found = {key: value for key, value in pairs if value is not _LEFT_OUT}
        return {**found.pop("..."), **found} if isinstance(found.get("..."), Mapping) else found
    if isinstance(template, Sequence):
        return [value for value in (_filled(one, known) for one in template) if value is not _LEFT_OUT]
    return template


def fill_path(template: str, known: Mapping[str, Any]) -> str:
    """A path, in which what is filled in cannot lead elsewhere."""
    return _NAME.sub(lambda part: quote(_in_path(_value(part, known)), safe=""), template)


def _in_path(value: Any) -> str:
    return "" if value is _LEFT_OUT else str(value)


def _value(part: re.Match[str], known: Mapping[str, Any]) -> Any:
    name, how = part.groups()
    found: Any = known
    for step in name.split("."):
        if not isinstance(found, Mapping) or step not in found:
            raise NotKnown(
                f"The connector needs {name}. Give it with --set {name.rpartition('.')[2]}=….",
                f"El conector necesita {name}. Indíquelo con --set {name.rpartition('.')[2]}=….",
            )
        found = found[step]
    if found is None:
        return _LEFT_OUT
    return _AS[how](found) if how else found


def at_path(document: Any, path: str) -> Any:
    """What stands at a dotted path; None where nothing does. `[]` goes into each of a list, `*` into each value.

    >>> at_path({"a": {"b": [{"c": 1}, {"c": 2}]}}, "a.b[].c"), at_path({"x.y": 3}, "x.y"), at_path([5], "0")
    ([1, 2], 3, 5)
    """
    if path in ("", "."):
        return document
    if isinstance(document, Mapping) and path in document:
        return document[path]
    step, _, rest = path.partition(".")
    each = step.endswith("[]")
    found: Any = None
    if step == "*" and isinstance(document, Mapping):
        found, each = list(document.values()), True
    elif isinstance(document, Mapping):
        found = document.get(step.removesuffix("[]")) if step != "[]" else None
    elif isinstance(document, list):
        found = document if step == "[]" else _numbered(document, step)
    if each:
        return [at_path(one, rest) for one in found] if isinstance(found, list) else []
    return at_path(found, rest) if rest and found is not None else found


def _numbered(document: Sequence[Any], step: str) -> Any:
    place = int(step) if step.lstrip("-").isdigit() else len(document)
    return document[place] if -len(document) <= place < len(document) else None


def listed(document: Any, path: str) -> list[Any]:
    """The list at a path; one object alone is a list of itself."""
    found = at_path(document, path)
    return found if isinstance(found, list) else [] if found is None else [found]
