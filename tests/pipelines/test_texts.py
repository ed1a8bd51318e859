"""Free text and names: one Unicode form, single spaces, no control characters."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.texts import fold, normalise_names, normalise_texts


def _name(text: str) -> str | None:
    return str(found) if (found := normalise_names(pa.array([text]))[0].as_py()) is not None else None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ana   María ", "Ana María"),
        ("ANA MARÍA DE LA CRUZ", "Ana María de la Cruz"),
        ("ANA", "ANA"),
        ("McDonald", "McDonald"),
        ("ana", "ana"),
        ("Jose\u0301", "José"),
        ("Ａｎａ", "Ana"),
        ("Ana\u00a0María\u200b", "Ana María"),
        ("An\x07a", "Ana"),
        ("   ", None),
    ],
)
def test_a_name_is_written_as_a_person_would(text: str, name: str | None) -> None:
    assert _name(text) == name


def test_text_keeps_its_lines_and_capitals() -> None:
    texts = pa.array(["ACME S.A.\nBogotá", " x ", "", "a\0b", None], pa.string())

    assert normalise_texts(texts).to_pylist() == ["ACME S.A.\nBogotá", "x", None, "ab", None]


@given(st.lists(st.text(max_size=12)))
def test_normalising_twice_is_normalising_once(texts: list[str]) -> None:
    names = normalise_names(pa.array(texts, pa.string()))
    plain = normalise_texts(pa.array(texts, pa.string()))

    assert normalise_texts(plain).equals(plain)
    assert all(name is None or name == unicodedata.normalize("NFC", name) for name in plain.to_pylist())
    assert "" not in names.to_pylist()


def test_accents_and_case_do_not_tell_texts_apart() -> None:
    assert fold(pa.array(["JOSÉ Núñez", "jose nunez", "Åsa"])).to_pylist() == ["jose nunez", "jose nunez", "asa"]
