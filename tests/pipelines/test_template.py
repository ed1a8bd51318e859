"""The template: a file that imports without a complaint as it is."""

from pathlib import Path

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


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_the_template_imports_without_a_complaint(roll: Roll, tmp_path: Path, language: str, suffix: str) -> None:
    path = tmp_path / f"template.{suffix}"
    write_template(path, CUSTOM, language)

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
