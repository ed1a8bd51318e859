"""Whether two names can be one person's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.names import names_agree

NAMES = st.text("abcn .de", max_size=12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana perez", "ana maria perez lopez"),
        ("ana perez", "perez ana"),
        ("a perez", "ana perez"),
        ("ana de la cruz", "ana cruz"),
        ("gonzales maria", "maria gonzalez"),
        ("dr. luis gil", "luis gil"),
        ("ana", "ana perez"),
        (None, "ana"),
        ("", "ana"),
    ],
)
def test_names_that_can_be_one_persons_agree(one: str | None, other: str | None) -> None:
    assert names_agree(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ana perez", "luis perez"),
        ("ana perez", "ana gomez"),
        ("ana", "luis"),
        ("ana ana", "ana perez"),
        ("eva", "ema"),
    ],
)
def test_names_of_two_people_disagree(one: str, other: str) -> None:
    assert not names_agree(one, other)


@given(NAMES, NAMES)
def test_agreeing_is_mutual_and_every_name_agrees_with_itself(one: str, other: str) -> None:
    assert names_agree(one, one)
    assert names_agree(one, other) == names_agree(other, one)
