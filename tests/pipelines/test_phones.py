"""Phones: the bulk reader against libphonenumber, cell by cell, for every country; and the labelled ones."""

import csv
import json
import random
from pathlib import Path

import phonenumbers
import pyarrow as pa
import pytest

from pipelines.aliases import match_form
from pipelines.columns import trimmed
from pipelines.phones import normalise_phone, normalise_phones

REGIONS: list[str | None] = [None, *sorted(phonenumbers.SUPPORTED_REGIONS)]
ODD = [
    "+",
    "++573001112233",
    "(300) 111-2233",
    "300.111.2233",
    "300 111 2233 ext. 12",
    "300 111 2233 x12",
    "tel:+57-300-111-2233;ext=5",
    "'+573001112233",
    "=+573001112233",
    '"3001112233"',
    "whatsapp:+573001112233",
    "3001112233 / 3002223344",
    "3001112233;3002223344",
    "3001112233 y 3002223344",
    "1-800-FLOWERS",
    "1.2E+11",
    "5,73001E+11",
    "573001112233.0",
    "3001112233.0",
    "+573001112233.0",
    "٠٥٠١٢٣٤٥٦٧",
    "＋５７３００１１１２２３３",
    "+57\u00a0300\u00a0111\u00a02233",
    "+57\u200b3001112233",
    "\u202a+573001112233\u202c",
    "00573001112233",
    "011573001112233",
    "0573001112233",
    "000000000",
    "0" * 16,
    "9" * 17,
    "1" * 40,
    "12345",
    "112",
    "call me",
    "Ana 3001112233",
    "+1",
    "+999123456789",
    "+0123456789",
    "+ 57 300 111 2233",
    "+57 (0) 300 111 2233",
    "300–111–2233",
    "#3001112233",
    "*123#3001112233",
    "+57 300 111 22 33 44 55 66",
    "\t3001112233\t",
    "300\n1112233",
]


def _written(rng: random.Random, region: str | None) -> str:
    """An example number of this or another country, as somebody may have typed it."""
    place = region if region and rng.random() < 0.7 else rng.choice(sorted(phonenumbers.SUPPORTED_REGIONS))
    kind = rng.choice([0, 1, 2, 3, 4])
    example = phonenumbers.example_number_for_type(place, kind) or phonenumbers.example_number(place)
    text = phonenumbers.format_number(example, rng.choice([0, 1, 2])) if example else "123"
    return _spoilt(rng, text)


def _spoilt(rng: random.Random, text: str) -> str:
    chars, chance = list(text), rng.random()
    if chance < 0.3:
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(chars))
            if chars[at].isdigit():
                chars[at] = rng.choice("0123456789")
    elif chance < 0.5:
        chars.insert(rng.randrange(len(chars) + 1), rng.choice("0123456789"))
    elif chance < 0.6:
        chars.pop(rng.randrange(len(chars)))
    elif chance < 0.7:
        chars = [char for char in chars if char.isdigit()]
    elif chance < 0.75:
        chars = [*rng.choice(["00", "011", "0", "1", "15", "9"]), *filter(str.isdigit, chars)]
    elif chance < 0.85:
        chars = [rng.choice("0123456789") for _ in range(rng.randint(6, 15))]
    return "".join(chars)


def _differences(texts: list[str], region: str | None) -> list[tuple[object, ...]]:
    """Where the bulk answer is not the library's."""
    column = pa.array(texts, pa.string())
    found = normalise_phones(column, region)
    plain = trimmed(column).to_pylist()
    different: list[tuple[object, ...]] = []
    for text, value, code in zip(plain, found.value.to_pylist(), found.problem.to_pylist(), strict=True):
        if value is None and code is None:
            continue
        wanted = normalise_phone(text, region)
        got = (None if code else value, code)
        if got != wanted or (code and value != text):
            different.append((region, text, value, code, wanted))
    return different


def _compare_everywhere(seed: int, per_region: int) -> tuple[int, list[tuple[object, ...]]]:
    rng, compared, different = random.Random(seed), 0, []
    for region in REGIONS:
        texts = [_written(rng, region) for _ in range(per_region)]
        compared += len(texts)
        different += _differences(texts, region)
    return compared, different


def test_bulk_and_library_agree_for_every_country() -> None:
    compared, different = _compare_everywhere(seed=20260403, per_region=20)

    assert different[:10] == []
    assert compared > 4_000


@pytest.mark.slow
def test_bulk_and_library_agree_for_every_country_on_many_numbers() -> None:
    compared, different = _compare_everywhere(seed=7, per_region=815)

    assert different[:10] == []
    assert compared > 200_000


@pytest.mark.parametrize("region", [None, "CO", "MX", "AR", "BR", "US", "GB", "IT", "DE", "ES", "SM", "RU"])
def test_bulk_and_library_agree_on_odd_texts(region: str | None) -> None:
    assert _differences(ODD, region) == []


def test_an_answer_does_not_depend_on_the_cells_around_it() -> None:
    rng = random.Random(5)
    texts = [*ODD, *(_written(rng, "CO") for _ in range(300))]

    together = normalise_phones(pa.array(texts), "CO")
    alone = [normalise_phones(pa.array([text]), "CO") for text in texts]

    assert together.value.to_pylist() == [item.value[0].as_py() for item in alone]
    assert together.problem.to_pylist() == [item.problem[0].as_py() for item in alone]


def test_a_column_in_several_chunks_is_one_column() -> None:
    chunks = pa.chunked_array([["3001112233"], ["nope", None], ["+34 612 34 56 78"]])

    found = normalise_phones(chunks, "CO")

    assert found.value.to_pylist() == ["+573001112233", "nope", None, "+34612345678"]
    assert found.problem.to_pylist() == [None, "phone_invalid", None, None]


def test_blank_cells_are_null_and_no_problem() -> None:
    found = normalise_phones(pa.array(["", "  ", "N/A", "-", "sin teléfono", None]), "CO")

    assert found.value.null_count == found.problem.null_count == 6


@pytest.mark.parametrize(
    ("text", "region", "code"),
    [
        ("call me", "CO", "phone_invalid"),
        ("12", "CO", "phone_invalid"),
        ("1.2E+11", "CO", "phone_digits_lost"),
        ("3001112", None, "phone_no_country"),
        ("300111", "CO", "phone_unlikely"),
        ("+57300111", None, "phone_unlikely"),
    ],
)
def test_a_cell_that_is_no_phone_keeps_its_text_and_says_why(text: str, region: str | None, code: str) -> None:
    found = normalise_phones(pa.array([text]), region)

    assert (found.value[0].as_py(), found.problem[0].as_py()) == (text, code)


def test_a_set_aside_number_is_taken_unless_the_profile_wants_assigned_ones() -> None:
    texts = pa.array(["+447700900201", "+447911123456"])

    assert normalise_phones(texts, None).problem.to_pylist() == [None, None]
    assert normalise_phones(texts, None, valid_only=True).problem.to_pylist() == ["phone_not_assigned", None]


def test_a_number_that_is_not_assigned_keeps_its_text() -> None:
    found = normalise_phones(pa.array(["07700 900201"]), "GB", valid_only=True)

    assert found.value.to_pylist() == ["07700 900201"]


def test_every_labelled_phone_is_judged_as_labelled(corpus: Path) -> None:
    labels = json.loads((corpus / "labels/phones_dirty.json").read_text(encoding="utf-8"))

    wrong = [(label["raw"], label["policy"]) for label in labels if not _as_labelled(label)]

    assert (len(labels), wrong) == (47, [])


def _as_labelled(label: dict[str, str]) -> bool:
    found = normalise_phones(pa.array([label["raw"]]), label["region"])
    value, code, policy = found.value[0].as_py(), found.problem[0].as_py(), label["policy"]
    if policy == "empty":
        return value is None and code is None
    if policy == "reject":
        return code is not None
    if policy == "empty_or_reject":
        return code is not None or value is None
    if policy.startswith("reject_or_"):
        return code is not None or value == policy.removeprefix("reject_or_")
    return bool(value == policy and code is None)


def _valid_examples(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "labels/phones_libphonenumber_examples.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["valid"] == "True"]


@pytest.mark.parametrize("form", ["e164", "international", "national", "rfc3966"])
def test_every_valid_example_comes_out_as_its_e164_from_any_format(corpus: Path, form: str) -> None:
    examples = [row for row in _valid_examples(corpus) if form != "national" or row["region"].isalpha()]
    assert len(examples) > 900

    wrong = []
    for region in sorted({row["region"] for row in examples}):
        rows = [row for row in examples if row["region"] == region]
        texts = pa.array([row[form] for row in rows])
        found = normalise_phones(texts, region if region.isalpha() else None, valid_only=True)
        answers = zip(rows, found.value.to_pylist(), found.problem.to_pylist(), strict=True)
        wrong += [
            (region, row[form], value, code) for row, value, code in answers if (value, code) != (row["e164"], None)
        ]

    assert wrong == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5511961234567", "+551161234567"),
        ("+5491123456789", "+541123456789"),
        ("+5215512345678", "+525512345678"),
    ],
)
def test_two_spellings_of_one_line_have_one_match_form(one: str, other: str) -> None:
    forms = match_form(pa.array([one, other])).to_pylist()

    assert forms == [other, other]


@pytest.mark.parametrize("phone", ["+573001112233", "+551133334444", "+541143214321", "+525512345678", "+5599912345"])
def test_the_match_form_of_any_other_phone_is_the_phone(phone: str) -> None:
    assert match_form(pa.array([phone])).to_pylist() == [phone]


def test_a_match_form_is_its_own_match_form() -> None:
    rng = random.Random(3)
    codes = ["+55", "+549", "+54", "+521", "+52", "+57"]
    phones = pa.array([rng.choice(codes) + str(rng.randrange(10**9, 10**11)) for _ in range(2_000)])

    once = match_form(phones)

    assert match_form(once).equals(once)


def test_null_has_no_match_form() -> None:
    assert match_form(pa.array([None, "+5511961234567"], pa.string())).to_pylist() == [None, "+551161234567"]


def test_mexicos_old_mobile_one_is_dropped() -> None:
    texts = pa.array(["+52 1 55 1234 5678", "+525512345678", "55 1234 5678", "044 55 1234 5678"])

    found = normalise_phones(texts, "MX")

    assert found.value.to_pylist()[:3] == ["+525512345678"] * 3


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("(51) 99123-4567", None, "phone_no_country"),
        ("(34) 99123-4567", None, "phone_no_country"),
        ("34991234567", None, "phone_no_country"),
        ("51991234567", None, "+51991234567"),
        ("(31) 99999-0000", "CO", "phone_unlikely"),
        ("320 555 12 345", "CO", "phone_unlikely"),
        ("60155512345", "CO", "phone_unlikely"),
        ("61234567890", "ES", "phone_unlikely"),
        ("81123456789", "MX", "phone_unlikely"),
        ("5215512345678", "CO", "+525512345678"),
        ("51999888777", "CO", "+51999888777"),
        ("0051999888777", "CO", "+51999888777"),
        ("573001112233", "CO", "+573001112233"),
        ("(57) 300 111 2233", "CO", "+573001112233"),
    ],
)
def test_a_bare_number_is_another_country_s_only_where_it_surely_is(
    text: str, region: str | None, expected: str
) -> None:
    number, problem = normalise_phone(text, region)
    bulk = normalise_phones(pa.array([text]), region)

    assert (number or problem) == expected
    assert (bulk.problem[0].as_py() or bulk.value[0].as_py()) == expected
