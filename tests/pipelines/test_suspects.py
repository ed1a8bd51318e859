"""Finding the keys that stand more than once, by small numbers that stand for them."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.keys import key_numbers
from pipelines.suspects import are_among, repeated

_PARTS = st.lists(st.lists(st.integers(0, 12), max_size=8), min_size=1, max_size=4)


@given(_PARTS)
def test_repeated_values_are_those_that_stand_twice(parts: list[list[int]]) -> None:
    every = [value for part in parts for value in part]

    found = repeated(*(np.array(part, np.uint32) for part in parts))

    assert found.tolist() == sorted({value for value in every if value and every.count(value) > 1})


@given(st.lists(st.integers(0, 2**32 - 1)), st.lists(st.integers(1, 2**32 - 1), min_size=1))
def test_values_are_found_among_others(values: list[int], among: list[int]) -> None:
    values += among[:2]
    ordered = np.unique(np.array(among, np.uint32))

    assert are_among(np.array(values, np.uint32), ordered).tolist() == [value in among for value in values]


def test_a_key_has_a_number_and_no_key_has_none() -> None:
    texts = [f"+57300{number:07d}" for number in range(20_000)]
    numbers = key_numbers(pa.array([*texts, None, *texts, ""]))

    assert numbers[20_000] == 0
    assert (numbers[:20_000] == numbers[20_001:40_001]).all()
    assert (np.delete(numbers, 20_000) != 0).all()
    assert len(np.unique(numbers[:20_000])) > 19_990
