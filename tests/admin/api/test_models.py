"""What the API takes, before any route sees it."""

import pytest
from pydantic import TypeAdapter, ValidationError

from admin.api.models import Moment


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2026-11-30T10:00:00-05:00", "2026-11-30T15:00:00+00:00"),
        ("2026-11-30T10:00:00", "2026-11-30T10:00:00+00:00"),
        ("0001-01-01T00:00:00+08:31", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_every_time_that_can_be_written_is_taken_in_utc(text: str, taken: str) -> None:
    assert TypeAdapter(Moment).validate_python(text).isoformat() == taken


@pytest.mark.parametrize("wrong", ["ayer", "2026-13-01T00:00:00Z", 20_261_130])
def test_what_is_no_time_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Moment).validate_python(wrong, strict=True)
