"""Small TOML files that people write: their keys, each of its kind, or a sentence that says what is wrong where."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import InputError

_SHOWN: dict[type, str] = {str: '"…"', list: '["…"]'}


class TomlFileError(InputError):
    """A file does not say what it should; says which file, and what is wrong."""


def read_keys(path: Path, kinds: Mapping[str, type], needed: Sequence[str]) -> dict[str, Any]:
    """What a file says of these keys (texts, or lists of texts); raises TomlFileError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TomlFileError(f"{path} is not valid TOML: {error}.", f"{path} no es TOML válido: {error}.") from error
    known = ", ".join(kinds)
    for key in sorted(document.keys() - kinds.keys()):
        raise TomlFileError(
            f"{path}: {key!r} means nothing there. Known: {known}.",
            f"{path}: {key!r} no significa nada ahí. Hay: {known}.",
        )
    wrong = [key for key, value in document.items() if not _is(value, kinds[key])]
    missing = [key for key in needed if not str(document.get(key, "")).strip()]
    for key in (*wrong, *missing):
        form = f"{key} = {_SHOWN[kinds[key]]}"
        raise TomlFileError(f"{path}: write {key} as {form}.", f"{path}: escriba {key} como {form}.")
    return document


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and (not isinstance(value, list) or all(isinstance(one, str) for one in value))
