"""Exports on schedule: one TOML file each in the home folder's `export-plans/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.toml_files import TomlFileError, read_keys
from schemas.spans import comes

_KINDS = {
    "schedule": str,
    "to": str,
    "file": str,
    "filter": str,
    "segment": str,
    "columns": list,
    "language": str,
}


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """Whom to export when (cron), and where to: `file` is a pattern of `strftime`, its ending the format."""

    name: str
    path: Path
    schedule: str
    to: str
    file: str
    filter: str
    segment: str
    columns: Sequence[str]
    language: str


def plan_paths(home: Path) -> list[Path]:
    """The files of all plans, by name."""
    return sorted((home / "export-plans").glob("*.toml"))


def read_export_plan(path: Path) -> ExportPlan:
    """Raises TomlFileError."""
    said = read_keys(path, _KINDS, ("schedule", "to", "file"))
    for problem in _problems(said):
        raise TomlFileError(f"{path}: {problem[0]}", f"{path}: {problem[1]}")
    texts = {key: said.get(key, "") for key in ("schedule", "to", "file", "filter", "segment", "language")}
    return ExportPlan(path.stem, path, columns=tuple(said.get("columns", ())), **texts)


def _problems(said: dict[str, str]) -> list[tuple[str, str]]:
    found = []
    if not comes(said["schedule"]):
        found.append(
            (
                "schedule wants five fields of cron, such as 15 6 * * MON.",
                "schedule lleva cinco campos de cron, como 15 6 * * MON.",
            )
        )
    if "/" in said["file"]:
        found.append(("file is a name without folders; say them in to.", "file es un nombre sin carpetas; van en to."))
    if said.get("filter") and said.get("segment"):
        found.append(("say filter or segment, not both.", "ponga filter o segment, no los dos."))
    if said.get("language", "") not in ("", "es", "en"):
        found.append(("language is es or en.", "language es es o en."))
    return found
