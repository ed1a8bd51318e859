"""Segments under version control: one TOML file each in the home folder's `segments/`."""

from dataclasses import dataclass
from pathlib import Path

from connectors.toml_files import TomlFileError, read_keys

_KEYS = ("name", "filter", "schedule", "description")


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A dynamic segment as its file has it."""

    path: Path
    name: str
    filter: str
    schedule: str | None
    description: str | None


def read_segment_files(home: Path) -> list[SegmentFile]:
    """Every segment that has a file, by the file's name; raises TomlFileError."""
    folder = home / "segments"
    if not folder.is_dir():
        raise TomlFileError(
            f"There is no folder {folder}. Make it, and write a file such as lima.toml in it.",
            f"No existe la carpeta {folder}. Créela, y escriba en ella un archivo como lima.toml.",
        )
    return [_read(path) for path in sorted(folder.glob("*.toml"))]


def _read(path: Path) -> SegmentFile:
    document = read_keys(path, dict.fromkeys(_KEYS, str), ("name", "filter"))
    return SegmentFile(
        path, document["name"], document["filter"], document.get("schedule"), document.get("description")
    )
