"""Numbers and yes or no: what could be two numbers is a problem, never a guess."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.numbers import normalise_booleans, normalise_flags, normalise_numbers


def _number(text: str, decimal: str | None = None) -> tuple[float | None, str | None]:
    found = normalise_numbers(pa.array([text]), decimal)
    return found.value[0].as_py(), found.problem[0].as_py()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1234", 1234.0),
        ("-12.5", -12.5),
        ("0.125", 0.125),
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("1,234.56", 1234.56),
        ("1.234,56", 1234.56),
        ("1.234.567", 1234567.0),
        ("$ 1,234.50", 1234.5),
        ("12,5 %", 12.5),
        ("1 234 567", 1234567.0),
        ("R$ 10,90", 10.9),
        ("1.2345", 1.2345),
    ],
)
def test_a_number_that_reads_one_way_is_read(text: str, number: float) -> None:
    assert _number(text) == (number, None)


@pytest.mark.parametrize("text", ["1,234", "1.234", "-12.500"])
def test_a_mark_that_could_be_either_is_not_guessed(text: str) -> None:
    assert _number(text) == (None, "number_ambiguous")


def test_the_profile_says_which_mark_separates_decimals() -> None:
    assert _number("1.234", ".") == (1.234, None)
    assert _number("1.234", ",") == (1234.0, None)
    assert _number("1,234", ",") == (1.234, None)
    assert _number("12", ",") == (12.0, None)


@pytest.mark.parametrize("text", ["abc", "1-2", "12.34.5", "1,23,45.6", "--1", "9" * 40, "1e999", "1e400", "."])
def test_what_is_no_number_is_said_to_be_none(text: str) -> None:
    assert _number(text) == (None, "number_invalid")


@given(st.lists(st.integers(-(10**12), 10**12) | st.decimals(-1000, 1000, places=2), min_size=1))
def test_plain_numbers_are_read_as_they_are(numbers: list[object]) -> None:
    texts = pa.array([str(number) for number in numbers])

    found = normalise_numbers(texts, None)

    assert found.value.to_pylist() == [float(str(number)) for number in numbers]


def test_a_number_does_not_depend_on_the_cells_around_it() -> None:
    texts = ["12", "1.5", "1.234", "abc", "1,5", "", "$5"]

    together = normalise_numbers(pa.array(texts), None)

    assert together.value.to_pylist() == [12, 1.5, None, None, 1.5, None, 5]
    assert together.problem.to_pylist() == [None, None, "number_ambiguous", "number_invalid", None, None, None]


def test_yes_and_no_are_read_in_the_languages_of_the_headers() -> None:
    found = normalise_booleans(pa.array(["Sí", "YES", "sim", "1", "no", "Não", "falso", "0", "", "quizás"]))

    assert found.value.to_pylist() == [True] * 4 + [False] * 4 + [None, None]
    assert found.problem.to_pylist() == [None] * 9 + ["boolean_invalid"]


def test_a_flag_also_takes_the_words_for_blocked() -> None:
    found = normalise_flags(pa.array(["Bloqueado", "blacklisted", "si", "no", "hm"]))

    assert found.value.to_pylist() == [True, True, True, False, None]
    assert found.problem.to_pylist() == [None, None, None, None, "boolean_invalid"]
