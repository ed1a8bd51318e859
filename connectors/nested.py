"""Values inside values, as JSON and Parquet have them, to flat columns of the text that a person would type."""

import json
from collections.abc import Mapping
from typing import Any

_DEPTH = 4
_TELLING = ("value", "number", "phone", "phone_number", "email", "handle", "name")
"""Which key of an object in a list is what the list is about, such as `value` in `{"type": "work", "value": …}`."""
_KINDS = ("type", "kind", "label", "id", "primary", "default")
"""Keys of an object in a list that only say of what kind it is."""


def flat(item: Mapping[str, Any], prefix: str = "", depth: int = _DEPTH) -> dict[str, Any]:
    """The object without objects inside: `{"address": {"city": …}}` has the column `address.city`.

    >>> flat({"name": "Ana", "address": {"city": "Cali"}})
    {'name': 'Ana', 'address.city': 'Cali'}
    """
    found: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, Mapping) and value and depth > 1:
            found |= flat(value, f"{prefix}{key}.", depth - 1)
        else:
            found[f"{prefix}{key}"] = value
    return found


def text_of(value: Any) -> str:
    """The text of one value; the items of a list stand one after the other, divided by semicolons.

    >>> text_of([{"type": "work", "value": "+573001112233"}, "+573104445566", None])
    '+573001112233; +573104445566'
    """
    match value:
        case None:
            return ""
        case str():
            return sound(value)
        case bool():
            return "TRUE" if value else "FALSE"
        case list():
            return "; ".join(text for text in map(_item_text, value) if text)
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case Mapping():
            return sound(json.dumps(value, ensure_ascii=False, default=str)) if value else ""
        case _:
            return str(value)


def _item_text(item: Any) -> str:
    if isinstance(item, Mapping):
        telling = (item[key] for key in _TELLING if isinstance(item.get(key), str | int | float))
        plain = (text_of(value) for key, value in flat(item).items() if key not in _KINDS)
        return next(map(text_of, telling), None) or ", ".join(text for text in plain if text)
    return sound(json.dumps(item, ensure_ascii=False, default=str)) if isinstance(item, list) else text_of(item)


def sound(text: str) -> str:
    """Text without half characters (lone surrogates), which no encoding can hold."""
    return text if text.isascii() else text.encode("utf-8", "padron_bad").decode()
