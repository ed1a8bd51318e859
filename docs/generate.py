"""Writes `docs/reference/` from the code: `python -m docs.generate`, or with `--check` says what is out of date."""

import sys
from pathlib import Path

import typer
from sqlalchemy import Table

from admin.command import app
from schemas.codes import CODES
from schemas.fields import CONSENTS, FIELDS, PARTS
from schemas.layouts import LAYOUTS
from schemas.permissions import PERMISSIONS, ROLES
from schemas.settings import Settings
from warehouse import access_tables, job_tables, webhook_tables  # noqa: F401 (their tables belong to the metadata)
from warehouse.tables import metadata

_FOLDER = Path(__file__).parent / "reference"
_HEAD = "<!-- Written by docs/generate.py: edit the code, then run `make docs`. -->\n\n"


def settings_page() -> str:
    lines = ["# Settings", "", "Each is an environment variable. A wrong value is refused at start.", ""]
    lines += ["| variable | default | what it is |", "|---|---|---|"]
    for name, item in Settings.model_fields.items():
        default = "" if item.default == "" else f"`{item.default}`"
        lines.append(f"| `PADRON_{name.upper()}` | {default} | {item.description} |")
    return "\n".join(lines)


def codes_page() -> str:
    lines = ["# Codes of the row report", "", "Codes are stable: programs may depend on them.", ""]
    lines += ["| code | English | Español |", "|---|---|---|"]
    for code in CODES.values():
        english, spanish = f"{code.en} {code.en_suggestion}".strip(), f"{code.es} {code.es_suggestion}".strip()
        lines.append(f"| `{code.name}` | {english} | {spanish} |")
    return "\n".join(lines)


def fields_page() -> str:
    lines = ["# Fields", "", "What a column of a file can be mapped to.", ""]
    lines += ["| field | English | Español | read as | longest |", "|---|---|---|---|---|"]
    lines += [f"| `{item.key}` | {item.en} | {item.es} | {item.kind} | {item.limit:,} |" for item in FIELDS]
    lines += ["", "Put together into a field: " + ", ".join(f"`{part}` → `{whole}`" for part, whole in PARTS.items())]
    lines += ["", "Consent: " + ", ".join(f"`{name}`" for name in CONSENTS)]
    lines += [
        "",
        "Custom fields: `custom.<key>`, typed text, long_text, number, boolean, date or datetime.",
    ]
    lines += ["", "Not taken: `ignore`."]
    lines += ["", "Layouts known by themselves: " + ", ".join(f"`{layout.name}`" for layout in LAYOUTS)]
    return "\n".join(lines)


def permissions_page() -> str:
    lines = ["# Permissions and roles", "", "What is not named is not allowed.", ""]
    lines += ["| permission | English | Español | " + " | ".join(ROLES) + " |", "|---|---|---|" + "---|" * len(ROLES)]
    for name, (english, spanish) in PERMISSIONS.items():
        marks = " | ".join("✓" if name in permissions else "" for permissions in ROLES.values())
        lines.append(f"| `{name}` | {english} | {spanish} | {marks} |")
    return "\n".join(lines)


def commands_page() -> str:
    lines = ["# Commands", ""]
    _describe(typer.main.get_command(app), "padron", lines)
    return "\n".join(lines)


def _describe(command: object, name: str, lines: list[str]) -> None:
    commands = getattr(command, "commands", None)
    lines += [f"## `{name}`", "", str(getattr(command, "help", "") or ""), ""]
    if commands:
        for child, found in sorted(commands.items()):
            _describe(found, f"{name} {child}", lines)
        return
    for parameter in getattr(command, "params", []):
        names = ", ".join(parameter.opts)
        lines.append(f"- `{names}` {getattr(parameter, 'help', None) or ''}".rstrip())
    lines.append("")


def tables_page() -> str:
    lines = ["# Tables", ""]
    for table in metadata.sorted_tables:
        lines += _table(table)
    return "\n".join(lines)


def _table(table: Table) -> list[str]:
    rows = [f"- `{column.name}`{' (key)' if column.primary_key else ''}" for column in table.columns]
    return [f"## `{table.name}`", "", table.comment or "", "", *rows, ""]


PAGES = {
    "settings.md": settings_page,
    "codes.md": codes_page,
    "fields.md": fields_page,
    "permissions.md": permissions_page,
    "commands.md": commands_page,
    "tables.md": tables_page,
}


def main() -> int:
    """Write the pages, or check that they are as the code says."""
    stale = []
    for name, page in PAGES.items():
        text, path = _HEAD + page().rstrip() + "\n", _FOLDER / name
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
