"""Dates: read where they can mean one day only, else a code."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.dates import normalise_dates
from tests.conftest import Roll


def _read(text: str | None, order: str | None = None, zone: str = "UTC") -> tuple[datetime | None, str | None]:
    found = normalise_dates(pa.array([text], pa.string()), order, zone)
    return found.value[0].as_py(), found.problem[0].as_py()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-04-03", datetime(2026, 4, 3, tzinfo=UTC)),
        ("2026-04-03 14:30", datetime(2026, 4, 3, 14, 30, tzinfo=UTC)),
        ("2026-04-03T14:30:15.5", datetime(2026, 4, 3, 14, 30, 15, 500_000, tzinfo=UTC)),
        ("2026-04-03T14:30:00Z", datetime(2026, 4, 3, 14, 30, tzinfo=UTC)),
        ("2026-04-03T14:30:00-05:00", datetime(2026, 4, 3, 19, 30, tzinfo=UTC)),
        ("2026/4/3", datetime(2026, 4, 3, tzinfo=UTC)),
        ("25/04/2026", datetime(2026, 4, 25, tzinfo=UTC)),
        ("04/25/2026", datetime(2026, 4, 25, tzinfo=UTC)),
        ("25.4.26", datetime(2026, 4, 25, tzinfo=UTC)),
        ("04/04/2026", datetime(2026, 4, 4, tzinfo=UTC)),
        ("25/04/2026 2:30 p. m.", datetime(2026, 4, 25, 14, 30, tzinfo=UTC)),
        ("25/04/2026 12:05 AM", datetime(2026, 4, 25, 0, 5, tzinfo=UTC)),
        ("25/04/75", datetime(1975, 4, 25, tzinfo=UTC)),
    ],
)
def test_a_date_that_can_mean_one_day_is_read(text: str, moment: datetime) -> None:
    assert _read(text) == (moment, None)


@pytest.mark.parametrize("text", ["03/04/2026", "1-2-26", "03.04.2026 10:00"])
def test_day_and_month_that_cannot_be_told_apart_are_not_guessed(text: str) -> None:
    assert _read(text) == (None, "date_ambiguous")


def test_the_profile_says_how_dates_are_written() -> None:
    assert _read("03/04/2026", "dmy")[0] == datetime(2026, 4, 3, tzinfo=UTC)
    assert _read("03/04/2026", "mdy")[0] == datetime(2026, 3, 4, tzinfo=UTC)
    assert _read("26/04/03", "ymd")[0] == datetime(2026, 4, 3, tzinfo=UTC)
    assert _read("2026-04-03", "mdy")[0] == datetime(2026, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "2026-13-01", "tomorrow", "32/01/2026", "2026-04-03 25:00", "20260403", "1/2/026", "0000-00-00"],
)
def test_what_is_no_date_is_said_to_be_none(text: str) -> None:
    assert _read(text) == (None, "date_invalid")


def test_the_year_zero_is_no_date() -> None:
    assert _read("0000-01-01") == (None, "date_invalid")


def test_a_contact_with_the_year_zero_can_still_be_imported_again(roll: Roll) -> None:
    roll.import_text("email,última interacción\na@x.co,0000-01-01\n")

    assert roll.import_text("email,última interacción\na@x.co,2020-01-01\n").updated == 1


def test_blank_cells_are_null_and_no_problem() -> None:
    assert [_read(text) for text in ("", "N/A", None)] == [(None, None)] * 3


def test_a_date_without_a_zone_is_in_the_profiles_zone() -> None:
    assert _read("2026-04-03 10:00", zone="America/Bogota")[0] == datetime(2026, 4, 3, 15, tzinfo=UTC)
    assert _read("25/04/2026 10:00", zone="America/Bogota")[0] == datetime(2026, 4, 25, 15, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-03-29 02:30", "2026-10-25 02:30"])
def test_an_hour_that_the_clock_skips_or_repeats_is_read_the_same_alone_and_among_other_dates(text: str) -> None:
    alone = normalise_dates(pa.array([text]), None, "Europe/Madrid")
    among = normalise_dates(pa.array([text, "25/04/2026"]), None, "Europe/Madrid")

    assert abs(alone.value[0].as_py() - among.value[0].as_py()) <= timedelta(hours=1)
    assert (alone.problem[0].as_py(), among.problem[0].as_py()) == (None, None)


@given(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1)))
def test_every_moment_written_as_iso_text_is_read_back(moment: datetime) -> None:
    bulk = _read(moment.isoformat(" "))
    single = normalise_dates(pa.array([f"{moment:%Y-%m-%dT%H:%M:%S}", "25/04/2026"]), None, "UTC")

    assert bulk == (moment.replace(tzinfo=UTC), None)
    assert single.value[0].as_py() == moment.replace(tzinfo=UTC, microsecond=0)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("12 de marzo de 2022", "2022-03-12"),
        ("12 de Marzo del 2022", "2022-03-12"),
        ("1-ene-2023", "2023-01-01"),
        ("01/Dic/23", "2023-12-01"),
        ("5 de março de 2020", "2020-03-05"),
        ("31 dez. 2019", "2019-12-31"),
        ("March 12, 2022", "2022-03-12"),
        ("Sept 3 2021 10:30", "2021-09-03 10:30"),
        ("3 sep 2021, 4:15 pm", "2021-09-03 16:15"),
        ("31 de febrero de 2022", None),
        ("12 de nada de 2022", None),
        ("marzo de 2022", None),
    ],
)
def test_months_in_words_are_read(text: str, stamp: str | None) -> None:
    found = normalise_dates(pa.array([text]), None, "UTC")

    expected = datetime.fromisoformat(stamp).replace(tzinfo=UTC) if stamp else None
    assert (found.value[0].as_py(), found.problem[0].as_py()) == (expected, None if stamp else "date_invalid")
