"""Phones to E.164, with libphonenumber's answer.

A column is decided in bulk where the answer follows from the country's metadata (digits, lengths and patterns, run
over the whole column); what is left goes to the library one by one. Both give the same answer: the tests hold them
against each other for every country.

Policy beside the library's: a number is taken when it is possible for its country and has the country's general
form (`valid` asks for an assigned range too, which refuses numbers set aside for films and tests); a bare
international number without + is understood; Mexico's old mobile 1 is dropped.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import NumberParseException, PhoneMetadata, ValidationResult
from phonenumbers.phonenumberutil import (
    COUNTRY_CODE_TO_REGION_CODE,
    region_code_for_country_code,
)

from pipelines.columns import Normalised, chunked, trimmed, without_blanks

_PUNCTUATION = r"[ \t\x{00A0}().\-]+"
_DIGITS = r"^\+?[0-9]{7,17}$"
_SCIENTIFIC = re.compile(r"\d[.,]?\d*[eE]\+?\d+")
_FLOAT = re.compile(r"\+?\d{7,15}\.0")
_PREFIXES = re.compile(r"^(?:['=\s]+|tel:|whatsapp:|wa:|phone:|\"|p:)+", re.IGNORECASE)
_SEVERAL = re.compile(r"\s*(?:[;,|\n]|:::|\s/\s|\s+(?:y|o|and|or|e)\s+)\s*")
_LETTERS = re.compile(r"[A-Za-z]{3}")
_BARE_LENGTH = 11


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the metadata of one country (or calling code) says, in the form that columns are run through."""

    code: int
    lengths: frozenset[int]
    general: str
    prefix: str | None
    transform: str | None
    last_group: int
    idd: str | None

    @property
    def longest(self) -> int:
        return max(self.lengths)


def normalise_phones(column: pa.Array, region: str | None, *, valid_only: bool = False) -> Normalised:
    """E.164 for each cell; a cell that is no phone keeps its text and gets a code; blank cells are null."""
    texts = without_blanks(trimmed(chunked(column)))
    compact = pc.replace_substring_regex(texts, _PUNCTUATION, "")
    plain = pc.and_(pc.match_substring_regex(compact, _DIGITS), pc.invert(pc.ends_with(texts, ".0")))
    easy = plain.fill_null(False).to_numpy(zero_copy_only=False)
    present = pc.is_valid(texts).to_numpy(zero_copy_only=False)
    numbers, codes = _bulk(compact.filter(pa.array(easy)), region)
    value, problem = np.array(texts.to_numpy(zero_copy_only=False), dtype=object), np.full(len(texts), None, object)
    _settle(value, problem, np.flatnonzero(easy), numbers, codes)
    left = np.flatnonzero((present & ~easy) | (problem == "?"))
    for index in left:
        number, code = normalise_phone(texts[int(index)].as_py(), region)
        value[index], problem[index] = (number, None) if number else (value[index], code)
    result = Normalised(pa.array(value, pa.string()), pa.array(problem, pa.string()))
    return _only_valid(result, texts) if valid_only else result


def normalise_phone(text: str, region: str | None) -> tuple[str | None, str | None]:
    """One phone by the library: its E.164 form, or why there is none.

    >>> normalise_phone("300 111 2233", "CO"), normalise_phone("1.2E+11", "CO")
    (('+573001112233', None), (None, 'phone_digits_lost'))
    """
    cleaned = _PREFIXES.sub("", text.strip())
    if _SCIENTIFIC.fullmatch(cleaned):
        return None, "phone_digits_lost"
    if _FLOAT.fullmatch(cleaned):
        cleaned = cleaned[:-2]
    first = next((part for part in _SEVERAL.split(cleaned) if part), "")
    number = _parsed(first, region) or _bare(first)
    if number:
        return number, None
    digits = sum(char.isdigit() for char in first)
    if digits < 5 or _LETTERS.search(first):
        return None, "phone_invalid"
    return None, "phone_unlikely" if region or first.startswith("+") else "phone_no_country"


def _parsed(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if _LETTERS.search(text.split("ext")[0].split(";")[0]) and not phonenumbers.is_valid_number(number):
        return None
    national = phonenumbers.national_significant_number(number)
    if number.country_code == 52 and len(national) == 11 and national.startswith("1"):
        national = national[1:]
    elif phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    plan = _plan_of_code(number.country_code or 0)
    return f"+{number.country_code}{national}" if plan and re.fullmatch(plan.general, national) else None


def _bare(text: str) -> str | None:
    """An international number written without +, or with 00 where no country says what 00 means."""
    digits = re.sub(r"[\s().\-]", "", text)
    if digits.startswith("00"):
        digits = digits[2:]
    if not digits.isascii() or not digits.isdigit() or len(digits) < _BARE_LENGTH or digits.startswith("0"):
        return None
    return _parsed(f"+{digits}", None)


# ── in bulk ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _bulk(compact: pa.Array, region: str | None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Numbers and codes for cells of digits only; the code '?' leaves a cell to the library."""
    numbers = np.full(len(compact), None, object)
    codes = np.full(len(compact), "?", object)
    plus = pc.starts_with(compact, "+").to_numpy(zero_copy_only=False)
    _international(pc.utf8_slice_codeunits(compact.filter(pa.array(plus)), 1), np.flatnonzero(plus), numbers, codes)
    if region and (plan := _plan_of_region(region)):
        _national(compact.filter(pa.array(~plus)), np.flatnonzero(~plus), plan, numbers, codes)
    elif not region:
        _bare_column(compact.filter(pa.array(~plus)), np.flatnonzero(~plus), numbers, codes)
    return numbers, codes


def _international(
    digits: pa.Array, where: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any], codes: np.ndarray[Any, Any]
) -> None:
    """Cells that began with +, by calling code."""
    if not len(digits):
        return
    calling = _calling_codes(digits)
    for code in np.unique(calling):
        plan = _plan_of_code(int(code))
        if plan is None:
            continue
        at = np.flatnonzero(calling == code)
        group = digits.take(pa.array(at))
        national = pc.utf8_slice_codeunits(group, len(str(code)))
        _write(_without_prefix(national, plan), plan, where[at], numbers, codes)


def _write(
    national: pa.Array,
    plan: _Plan,
    where: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    codes: np.ndarray[Any, Any],
) -> None:
    formed = _formed(national, plan)
    full = np.array(pc.binary_join_element_wise(f"+{plan.code}", national, "").to_numpy(zero_copy_only=False), object)
    good, bad = formed, ~formed
    if plan.code == 52:
        bad &= pc.binary_length(national).to_numpy(zero_copy_only=False) != 11
    numbers[where[good]], codes[where[good]] = full[good], None
    codes[where[bad]] = "phone_unlikely"


def _formed(national: pa.Array, plan: _Plan) -> np.ndarray[Any, Any]:
    """Where the national number has a possible length and the general form of its country."""
    lengths = pc.binary_length(national).to_numpy(zero_copy_only=False)
    return np.isin(lengths, list(plan.lengths)) & _matches(national, f"^(?:{plan.general})$")


def _national(
    digits: pa.Array,
    where: np.ndarray[Any, Any],
    plan: _Plan,
    numbers: np.ndarray[Any, Any],
    codes: np.ndarray[Any, Any],
) -> None:
    """Cells without +, in a country: those that are surely national numbers of possible length."""
    if not len(digits):
        return
    code = str(plan.code)
    free = ~_matches(digits, f"^(?:{plan.idd})") if plan.idd else np.ones(len(digits), bool)
    if plan.idd == "00" and not free.all():
        abroad = _matches(digits, "^00[1-9]")
        _international(pc.utf8_slice_codeunits(digits.filter(pa.array(abroad)), 2), where[abroad], numbers, codes)
        free |= abroad
        digits, where = digits.filter(pa.array(~abroad)), where[~abroad]
        free = free[~abroad]
    begins = pc.starts_with(digits, code).to_numpy(zero_copy_only=False)
    lengths = pc.binary_length(digits).to_numpy(zero_copy_only=False)
    rest = pc.utf8_slice_codeunits(digits, len(code))
    carries = begins & (
        (_matches(rest, f"^(?:{plan.general})$") & ~_matches(digits, f"^(?:{plan.general})$"))
        | (lengths > plan.longest)
    )
    settled = free & ~(begins & _prefixed(rest, plan))
    national = pc.if_else(pa.array(carries), rest, digits)
    stripped = _without_prefix(national, plan)
    main = _plan_of_code(plan.code) or plan
    settled &= _formed(stripped, main)
    full = np.array(pc.binary_join_element_wise("+" + code, stripped, "").to_numpy(zero_copy_only=False), object)
    numbers[where[settled]], codes[where[settled]] = full[settled], None
    zero, zeros = (pc.starts_with(digits, text).to_numpy(zero_copy_only=False) for text in ("0", "00"))
    hopeless = ~settled & ~begins & free & ~zeros & (zero | (lengths < _BARE_LENGTH))
    codes[where[hopeless]] = "phone_unlikely"


def _without_prefix(national: pa.Array, plan: _Plan) -> pa.Array:
    """National numbers without their trunk or carrier prefix, as the library strips it."""
    if not _prefixed(national, plan).any():
        return national
    pattern = f"^(?:{plan.prefix})"
    stripped = pc.replace_substring_regex(national, pattern, "", max_replacements=1)
    if plan.transform and plan.last_group:
        captured = pc.replace_substring_regex(national, pattern, rf"\{plan.last_group}", max_replacements=1)
        transformed = pc.replace_substring_regex(national, pattern, plan.transform, max_replacements=1)
        stripped = pc.if_else(pc.equal(captured, stripped), stripped, transformed)
    viable = _matches(national, f"^(?:{plan.general})$") & ~_matches(stripped, f"^(?:{plan.general})$")
    lengths = pc.binary_length(stripped).to_numpy(zero_copy_only=False)
    keep = viable | ~(np.isin(lengths, list(plan.lengths)) | (lengths > plan.longest))
    return pc.if_else(pa.array(keep), national, stripped)


def _bare_column(
    digits: pa.Array, where: np.ndarray[Any, Any], numbers: np.ndarray[Any, Any], codes: np.ndarray[Any, Any]
) -> None:
    """Cells without + and without a country: international if long enough and of the country's general form."""
    digits = pc.replace_substring_regex(digits, "^00", "", max_replacements=1)
    lengths = pc.binary_length(digits).to_numpy(zero_copy_only=False)
    zero = pc.starts_with(digits, "0").to_numpy(zero_copy_only=False)
    codes[where[(lengths < _BARE_LENGTH) & ~zero]] = "phone_no_country"
    at = np.flatnonzero((lengths >= _BARE_LENGTH) & ~zero)
    found, found_codes = np.full(len(at), None, object), np.full(len(at), "?", object)
    group = digits.take(pa.array(at))
    _international(group, np.arange(len(at)), found, found_codes)
    found_codes[found_codes == "phone_unlikely"] = "phone_no_country"
    numbers[where[at]], codes[where[at]] = found, found_codes


def _settle(
    value: np.ndarray[Any, Any],
    problem: np.ndarray[Any, Any],
    where: np.ndarray[Any, Any],
    numbers: np.ndarray[Any, Any],
    codes: np.ndarray[Any, Any],
) -> None:
    good = codes == None  # noqa: E711 (element by element)
    value[where[good]] = numbers[good]
    problem[where[~good]] = codes[~good]


def _calling_codes(digits: pa.Array) -> np.ndarray[Any, Any]:
    """The calling code each number begins with; 0 where none does."""
    first = pc.cast(pc.utf8_slice_codeunits(digits, 0, 3), pa.int64()).to_numpy(zero_copy_only=False)
    return _code_table()[first]


@cache
def _code_table() -> np.ndarray[Any, Any]:
    table = np.zeros(1000, np.int64)
    for code in COUNTRY_CODE_TO_REGION_CODE:
        width = 10 ** (3 - len(str(code)))
        table[code * width : (code + 1) * width] = code
    return table


def _prefixed(national: pa.Array, plan: _Plan) -> np.ndarray[Any, Any]:
    """Where the national number begins with something that the library may take for a trunk or carrier prefix."""
    if not plan.prefix or not len(national):
        return np.zeros(len(national), bool)
    stripped = pc.replace_substring_regex(national, f"^(?:{plan.prefix})", "", max_replacements=1)
    return pc.not_equal(pc.binary_length(stripped), pc.binary_length(national)).to_numpy(zero_copy_only=False)


def _matches(column: pa.Array, pattern: str) -> np.ndarray[Any, Any]:
    return pc.match_substring_regex(column, pattern).to_numpy(zero_copy_only=False)


@cache
def _plan_of_code(code: int) -> _Plan | None:
    region = region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    return _plan(metadata, code) if metadata else None


@cache
def _plan_of_region(region: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(region, None)
    return _plan(metadata, metadata.country_code or 0) if metadata else None


def _plan(metadata: PhoneMetadata, code: int) -> _Plan | None:
    general = metadata.general_desc
    if general is None or general.national_number_pattern is None:
        return None
    return _Plan(
        code,
        frozenset(length for length in general.possible_length if length > 0),
        general.national_number_pattern,
        metadata.national_prefix_for_parsing,
        re.sub(r"\$(\d)", r"\\\1", metadata.national_prefix_transform_rule or "") or None,
        re.compile(metadata.national_prefix_for_parsing or "").groups,
        metadata.international_prefix,
    )


# ── assigned ranges ──────────────────────────────────────────────────────────────────────────────────────────────


def _only_valid(phones: Normalised, texts: pa.Array) -> Normalised:
    """Give a code to the numbers that are in no range their country uses."""
    taken = pc.and_(pc.is_valid(phones.value), pc.is_null(phones.problem))
    assigned = [
        not wanted or phonenumbers.is_valid_number(phonenumbers.parse(number))
        for number, wanted in zip(phones.value.to_pylist(), taken.to_pylist(), strict=True)
    ]
    keep = pa.array(assigned)
    return Normalised(
        pc.if_else(keep, phones.value, texts), pc.if_else(keep, phones.problem, pa.scalar("phone_not_assigned"))
    )


# ── match form ───────────────────────────────────────────────────────────────────────────────────────────────────

_ALIASES = (
    ("+55", r"^\+55([1-9][0-9])9([0-9]{8})$", r"+55\1\2"),
    ("+54", r"^\+549([0-9]{10})$", r"+54\1"),
    ("+52", r"^\+521([0-9]{10})$", r"+52\1"),
)


def match_form(phones: pa.Array) -> pa.Array:
    """The form under which phones are the same person's: Brazil without the ninth digit, Argentina without the 9."""
    for prefix, pattern, replacement in _ALIASES:
        if pc.any(pc.starts_with(phones, prefix)).as_py():
            phones = pc.replace_substring_regex(phones, pattern, replacement)
    return phones
