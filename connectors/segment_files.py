"""Segments under version control: one TOML file each in the home folder's `segments/`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InputError

_KEYS = ("name", "filter", "schedule", "description")


class SegmentFileError(InputError):
    """A file that describes no segment; says which, and what is wrong."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A dynamic segment as its file has it."""

    path: Path
    name: str
    filter: str
    schedule: str | None
    description: str | None


def read_segment_files(home: Path) -> list[SegmentFile]:
    """Every segment that has a file, by the file's name; raises SegmentFileError."""
    folder = home / "segments"
    if not folder.is_dir():
        raise SegmentFileError(
            f"There is no folder {folder}. Make it, and write a file such as lima.toml in it.",
            f"No existe la carpeta {folder}. Créela, y escriba en ella un archivo como lima.toml.",
        )
    return [_read(path) for path in sorted(folder.glob("*.toml"))]


def _read(path: Path) -> SegmentFile:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SegmentFileError(f"{path} is not valid TOML: {error}.", f"{path} no es TOML válido: {error}.") from error
    known = ", ".join(_KEYS)
    unknown = sorted(document.keys() - set(_KEYS))
    if unknown:
        raise SegmentFileError(
            f"{path}: {unknown[0]!r} means nothing there. Known: {known}.",
            f"{path}: {unknown[0]!r} no significa nada ahí. Hay: {known}.",
        )
    wrong = [key for key in _KEYS if not isinstance(document.get(key, ""), str)]
    missing = [key for key in ("name", "filter") if not str(document.get(key, "")).strip()]
    for key in (*wrong, *missing):
        raise SegmentFileError(
            f'{path}: write {key} as {key} = "…".',
            f'{path}: escriba {key} como {key} = "…".',
        )
    return SegmentFile(
        path, document["name"], document["filter"], document.get("schedule"), document.get("description")
    )
