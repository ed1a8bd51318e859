"""A digest is the same for the same rows, and another one for others."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.digests import Digest

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.text(max_size=12)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.floats(allow_nan=False)),
    ),
    min_size=1,
    max_size=30,
)
SCHEMA = pa.schema([("n", pa.int64()), ("t", pa.string()), ("b", pa.bool_()), ("f", pa.float64())])


def table(rows: list[tuple[object, ...]]) -> pa.Table:
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=SCHEMA)


def digest(*parts: pa.Table) -> tuple[int, str]:
    found = Digest()
    for part in parts:
        found.add(part)
    return found.rows, str(found)


@given(ROWS, st.randoms(use_true_random=False), st.integers(0, 30))
def test_order_and_parts_do_not_matter(rows: list[tuple[object, ...]], random: object, cut: int) -> None:
    whole = table(rows)
    shuffled = rows[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    other = table(shuffled)

    assert digest(other.slice(cut), other.slice(0, cut)) == digest(whole)


@given(ROWS, ROWS)
def test_other_rows_have_another_digest(rows: list[tuple[object, ...]], others: list[tuple[object, ...]]) -> None:
    mine, theirs = (sorted(repr(row) for row in table(some).to_pylist()) for some in (rows, others))
    same = [row.replace("-0.0}", "0.0}") for row in mine] == [row.replace("-0.0}", "0.0}") for row in theirs]

    assert (digest(table(rows)) == digest(table(others))) == same


def test_nothing_and_empty_are_not_the_same_nor_are_columns_that_change_places() -> None:
    texts = pa.table({"a": ["x", ""], "b": ["", "x"]})

    assert digest(texts) != digest(pa.table({"a": ["x", None], "b": ["", "x"]}))
    assert digest(texts) != digest(pa.table({"a": ["x", "x"], "b": ["", ""]}))
    assert digest(pa.table({"a": ["ab", "c"]})) != digest(pa.table({"a": ["a", "bc"]}))


def test_long_texts_and_many_are_hashed_in_parts() -> None:
    long = ["a" * 3_000_000, "", "b" * 1_100_000, "ñ" * 700_000, *(str(n) for n in range(200_000))]

    found = digest(pa.table({"t": long}))

    order = np.random.default_rng(1).permutation(len(long))
    assert digest(pa.table({"t": [long[n] for n in order]})) == found
    assert digest(pa.table({"t": ["a" * 2_999_999 + "b", *long[1:]]})) != found
