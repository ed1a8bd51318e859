"""The template: a file that imports without a complaint once it is filled in."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from pipelines.template import template_rows, write_template
from schemas.fields import FIELDS, FieldType
from schemas.headers import header_target
from tests.conftest import Roll

CUSTOM: dict[str, FieldType] = {
    "plan": "text",
    "largo": "long_text",
    "edad": "number",
    "socio": "boolean",
    "desde": "date",
    "visto": "datetime",
}


def fill_in(path: Path, row: list[str]) -> None:
    """What a person does with a template."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            [header] = csv.reader(file, delimiter=";" if ";" in path.read_text("utf-8") else ",")
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, row])
        return
    frame = pd.read_excel(path, dtype=str, engine="calamine")
    assert len(frame) == 0
    frame.loc[0] = row
    frame.to_excel(path, index=False, engine="xlsxwriter")


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_the_template_imports_without_a_complaint(roll: Roll, tmp_path: Path, language: str, suffix: str) -> None:
    path = tmp_path / f"template.{suffix}"
    write_template(path, CUSTOM, language)
    fill_in(path, template_rows(CUSTOM, language)[1])

    report = roll.import_path(path, custom_fields=CUSTOM)

    assert (report.status, report.created, report.rejected, report.warnings) == ("imported", 1, 0, 0), report.message
    assert roll.living("display_name, phone, email, company, city, channel, status") == [
        ("Ana María Pérez López", "+573001112233", "ana@example.com", "Acme", "Bogotá", "whatsapp", "active")
    ]
    assert roll.rows("SELECT key, type FROM custom_fields ORDER BY key") == sorted(CUSTOM.items())
    assert roll.one("SELECT count(*) FROM contact_values") == len(CUSTOM)
    assert roll.one("SELECT count(*) FROM contact_tags") == 2


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_header_has_every_field_of_the_template_and_every_custom_one(language: str) -> None:
    header, example = template_rows(CUSTOM, language)

    assert header[: -len(CUSTOM) - 1] == [field.label(language) for field in FIELDS if field.template]
    assert header_target(header[-len(CUSTOM) - 1]) == "opt_out.all"
    assert header[-len(CUSTOM) :] == [f"Field: {key}" for key in sorted(CUSTOM)]
    assert all(example)
