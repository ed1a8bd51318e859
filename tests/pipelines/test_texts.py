"""Free text and names: one Unicode form, single spaces, no control characters."""

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
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
        ("\u00b4Ana", "\u0301Ana"),
        ("Ana \x01", "Ana"),
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


_ANY = st.one_of(
    st.text(st.characters(max_codepoint=0xFF), max_size=12),
    st.text(st.characters(max_codepoint=0x370, exclude_categories=["Cs"]), max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(
        ["Jose\u0301", "½ kg", "M.ª", "Nº 5", "ĳs", "Ａｎａ", "a\u00adb", "a\u200bb", "a\u2060", "x\x7fy", "x\ty"]
    ),
)


def _fold_one(text: str) -> str:
    lower = pc.utf8_lower(pa.scalar(text)).as_py()
    return "".join(char for char in unicodedata.normalize("NFKD", lower) if unicodedata.category(char)[0] != "M")


@given(st.lists(st.one_of(st.none(), _ANY), min_size=1), st.integers(0, 3))
def test_folding_a_column_is_folding_each_text(texts: list[str | None], start: int) -> None:
    column = pa.array(texts, pa.string()).slice(min(start, len(texts)))

    assert fold(column).to_pylist() == [None if text is None else _fold_one(text) for text in column.to_pylist()]


def test_every_character_of_latin_1_folds_as_the_library_says() -> None:
    for code in range(1, 256):
        assert fold(pa.array([f"a{chr(code)}b"]))[0].as_py() == _fold_one(f"a{chr(code)}b"), hex(code)


@given(st.lists(_ANY, min_size=1))
def test_a_text_does_not_depend_on_the_others_in_its_column(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())

    for normalise in (normalise_texts, normalise_names, fold):
        alone = [normalise(column.slice(place, 1))[0].as_py() for place in range(len(texts))]
        assert normalise(column).to_pylist() == alone, normalise.__name__


@given(st.lists(_ANY, min_size=1))
def test_texts_are_composed_as_unicode_says(texts: list[str]) -> None:
    for text in filter(None, normalise_texts(pa.array(texts, pa.string())).to_pylist()):
        assert unicodedata.is_normalized("NFC", text), ascii(text)
    for text in filter(None, normalise_names(pa.array(texts, pa.string())).to_pylist()):
        assert unicodedata.is_normalized("NFKC", text) or text.istitle(), ascii(text)
