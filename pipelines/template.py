"""The import template: a file with the headers of the fields as they are now; in a workbook each has an example."""

import csv
from collections.abc import Mapping
from pathlib import Path

import xlsxwriter

from schemas.fields import FIELDS, FieldType, options_of

_EXAMPLE = {
    "external_id": "C-1001",
    "first_name": "Ana María",
    "last_name": "Pérez López",
    "phone": "+57 300 111 2233",
    "email": "ana@example.com",
    "company": "Acme",
    "address": "Calle 10 # 5-20",
    "city": "Bogotá",
    "country": "CO",
    "channel": "whatsapp",
    "tags": "VIP; cliente",
}
_WORDS = {
    "es": {"status": "activo", "note": "Prefiere la tarde", "boolean": "sí", "text": "texto"},
    "en": {"status": "active", "note": "Prefers afternoons", "boolean": "yes", "text": "text"},
}
_FOR_EXAMPLE = {"es": "Por ejemplo:", "en": "For example:"}
_OPT_OUT = {"es": "No contactar", "en": "Do not contact"}
_CUSTOM = {
    "number": "12.5",
    "date": "2026-04-03",
    "datetime": "2026-04-03 14:30",
}


def template_rows(custom: Mapping[str, FieldType], language: str) -> tuple[list[str], list[str]]:
    """The header, and an example for each of its columns."""
    shown = [field for field in FIELDS if field.template]
    words = _WORDS[language]
    header = [*(field.label(language) for field in shown), _OPT_OUT[language]]
    header += [f"Field: {key}" for key in sorted(custom)]
    example = [_EXAMPLE.get(field.key) or words.get(field.key, "") for field in shown] + ["no"]
    example += [_example(custom[key], words) for key in sorted(custom)]
    return header, example


def _example(kind: FieldType, words: Mapping[str, str]) -> str:
    options = options_of(kind)
    if options:
        return "; ".join(options[:2]) if kind == "choices" else options[0]
    return _CUSTOM.get(kind) or words[kind.removeprefix("long_")]


def write_template(path: Path, custom: Mapping[str, FieldType], language: str) -> None:
    """Write it as CSV or, by the name's ending, as an Excel workbook whose cells are all text; raises OSError.

    The examples are comments of the header's cells, and no row, which would be imported as a person.
    """
    header, example = template_rows(custom, language)
    if path.suffix.lower() == ".xlsx":
        with path.open("wb"):
            pass
        workbook = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_numbers": False})
        text = workbook.add_format({"num_format": "@"})
        sheet = workbook.add_worksheet("Contactos" if language == "es" else "Contacts")
        sheet.set_column(0, len(header), 22, text)
        for position, (name, shown) in enumerate(zip(header, example, strict=True)):
            sheet.write_string(0, position, name, text)
            sheet.write_comment(0, position, f"{_FOR_EXAMPLE[language]} {shown}")
        workbook.close()
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";" if language == "es" else ",").writerow(header)
