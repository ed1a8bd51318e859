"""Phones to E.164, with libphonenumber's answer.

A column is decided in bulk where the answer follows from the country's metadata (digits, lengths and patterns, run
over the whole column); what is left goes to the library one by one. Both give the same answer: the tests hold them
against each other for every country.

Policy beside the library's: a number is taken when it is possible for its country and has the country's general
form (`valid` asks for an assigned range too, which refuses numbers set aside for films and tests); a bare
international number without + is understood where it is surely one (decision 13); Mexico's old mobile 1 is dropped.
"""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberType, ValidationResult
from phonenumbers.phonenumberutil import (
    COUNTRY_CODE_TO_REGION_CODE,
    country_code_for_region,
    region_code_for_country_code,
    region_codes_for_country_code,
)

from pipelines.columns import Normalised, chunked, holds, trimmed, without_blanks, without_bytes
from schemas.frames import text_bytes

_PUNCTUATION = b" \t().-"
_HARD_SPACE = "\u00a0".encode()
_DIGITS = r"^\+?[0-9]{7,17}$"
_SCIENTIFIC = re.compile(r"\d[.,]?\d*[eE]\+?\d+")
_FLOAT = re.compile(r"\+?\d{7,15}\.0")
_PREFIXES = re.compile(r"^(?:['=\s]+|tel:|whatsapp:|wa:|phone:|\"|p:)+", re.IGNORECASE)
_SEVERAL = re.compile(r"\s*(?:[;,|\n]|:::|\s/\s|\s+(?:y|o|and|or|e)\s+)\s*")
_LETTERS = re.compile(r"[A-Za-z]{3}")
_AREA = re.compile(r"\s*\(\s*\d")
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_BARE_LENGTH, _LONGEST = 11, 32
_RANGES = ("mobile", "fixed_line", "toll_free", "shared_cost", "premium_rate", "voip", "personal_number", "uan")
_TEXT = pa.string()
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


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
    compact = _compact(texts)
    plain = pc.match_substring_regex(compact, _DIGITS)
    if holds(text_bytes(texts), b".0"):
        plain = pc.and_(plain, pc.invert(pc.ends_with(texts, ".0")))
    answers = _Answers(len(texts))
    if not region and holds(text_bytes(texts), b"("):
        national = _flags(pc.match_substring_regex(texts, r"^\s*\(\s*[0-9]").fill_null(False))
        answers.verdict[national] = _NO_COUNTRY
        plain = pc.and_(plain, pa.array(~national))
    easy = np.flatnonzero(plain.fill_null(False).to_numpy(zero_copy_only=False))
    _bulk(compact.take(pa.array(easy)), easy, region, answers)
    left = np.flatnonzero((answers.verdict == _OPEN) & pc.is_valid(texts).to_numpy(zero_copy_only=False))
    rest = texts.take(pa.array(left)).dictionary_encode()
    found = [normalise_phone(text, region) for text in rest.dictionary.to_pylist()]
    numbers = pa.array([number for number, _ in found], _TEXT).take(rest.indices)
    answers.give(left[pc.is_valid(numbers).to_numpy(zero_copy_only=False)], numbers.drop_null())
    told = answers.problems()
    told = _put(told, left, pa.array([code for _, code in found], _TEXT).take(rest.indices))
    result = Normalised(pc.coalesce(answers.numbers(), texts), told)
    return _only_valid(result, texts) if valid_only else result


def _compact(texts: pa.Array) -> pa.Array:
    """Without the punctuation that phones are written with."""
    if holds(text_bytes(texts), _HARD_SPACE):
        texts = pc.replace_substring(texts, _HARD_SPACE.decode(), "")
    return without_bytes(texts, _PUNCTUATION)


def _put(column: pa.Array, where: Longs, values: pa.Array) -> pa.Array:
    """The column with other values at some positions, which are in order."""
    if not len(where):
        return column
    mask = np.zeros(len(column), bool)
    mask[where] = True
    return pc.replace_with_mask(column, pa.array(mask), values)


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
    number = _parsed(first, region) or _bare(first, region)
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


def _bare(text: str, region: str | None) -> str | None:
    """An international number written without +, or with 00 where no country says what 00 means.

    One with an area code in parentheses is national. Where a country is known, one with a digit too many is no
    foreign number, and a foreign one is a mobile.
    """
    digits = re.sub(r"[\s().\-]", "", text)
    abroad = digits.startswith("00")
    digits = digits[2:] if abroad else digits
    if not digits.isascii() or not digits.isdigit() or len(digits) < _BARE_LENGTH or digits.startswith("0"):
        return None
    number = _parsed(f"+{digits}", None)
    if abroad or number is None:
        return number
    found = phonenumbers.parse(number)
    is_sure = phonenumbers.is_valid_number(found) and not _AREA.match(text)
    if is_sure and region and found.country_code != country_code_for_region(region):
        is_sure = phonenumbers.number_type(found) in _MOBILE and not _has_one_too_many(digits, region)
    return number if is_sure else None


def _has_one_too_many(digits: str, region: str) -> bool:
    """Whether all but the last digit are a number of the country."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits[:-1], region))
    except NumberParseException:
        return False


# ── in bulk ──────────────────────────────────────────────────────────────────────────────────────────────────────

_OPEN, _GOOD, _UNLIKELY, _NO_COUNTRY = range(4)
_CODES = pa.array([None, None, "phone_unlikely", "phone_no_country"], _TEXT)


class _Answers:
    """What was found for each cell of a column: its verdict, and its number where there is one."""

    def __init__(self, count: int) -> None:
        self.verdict = np.full(count, _OPEN, np.int8)
        self._where: list[Longs] = []
        self._numbers: list[pa.Array] = []

    def give(self, where: Longs, numbers: pa.Array) -> None:
        self.verdict[where] = _GOOD
        self._where.append(where)
        self._numbers.append(numbers)

    def numbers(self) -> pa.Array:
        at = np.full(len(self.verdict), -1, np.int64)
        where = np.concatenate(self._where)
        at[where] = np.arange(len(where))
        return pa.concat_arrays(self._numbers).take(pa.array(at, mask=at < 0))

    def problems(self) -> pa.Array:
        return _CODES.take(pa.array(self.verdict))


def _bulk(compact: pa.Array, where: Longs, region: str | None, answers: _Answers) -> None:
    """Answer what is sure for cells of digits only; what stays open is left to the library."""
    plus = _flags(pc.starts_with(compact, "+"))
    _international(_from(compact.filter(pa.array(plus)), 1), where[plus], answers)
    rest = compact.filter(pa.array(~plus))
    if region and (plan := _plan_of_region(region)):
        _national(rest, where[~plus], plan, answers)
    elif not region:
        _bare_column(rest, where[~plus], answers)


def _international(
    digits: pa.Array, where: Longs, answers: _Answers, *, bad: int = _UNLIKELY, assigned: bool = False
) -> None:
    """Cells that began with +, by calling code; `assigned` asks for a range that the country uses."""
    if not len(digits):
        return
    calling = _calling_codes(digits)
    for code in np.unique(calling):
        plan = _plan_of_code(int(code))
        if plan is None:
            continue
        at = np.flatnonzero(calling == code)
        national = _without_prefix(_from(digits.take(pa.array(at)), len(str(code))), plan)
        formed = _formed(national, plan)
        if assigned:
            formed &= _matches(national, f"^(?:{_assigned(plan.code)})$")
        _give(answers, where[at][formed], national.filter(pa.array(formed)), plan)
        wrong = ~formed
        if plan.code == 52:
            wrong &= _lengths(national) != 11
        answers.verdict[where[at][wrong]] = bad


def _give(answers: _Answers, where: Longs, national: pa.Array, plan: _Plan) -> None:
    answers.give(where, pc.binary_join_element_wise(f"+{plan.code}", national, ""))


def _formed(national: pa.Array, plan: _Plan) -> Flags:
    """Where the national number has a possible length and the general form of its country."""
    return np.isin(_lengths(national), list(plan.lengths)) & _matches(national, f"^(?:{plan.general})$")


def _national(digits: pa.Array, where: Longs, plan: _Plan, answers: _Answers) -> None:
    """Cells without +, in a country: those that are surely national numbers of possible length."""
    if not len(digits):
        return
    code = str(plan.code)
    free = ~_matches(digits, f"^(?:{plan.idd})") if plan.idd else np.ones(len(digits), bool)
    if plan.idd == "00" and not free.all():
        abroad = _matches(digits, "^00[1-9]")
        _international(_from(digits.filter(pa.array(abroad)), 2), where[abroad], answers)
        free |= abroad
        digits, where, free = digits.filter(pa.array(~abroad)), where[~abroad], free[~abroad]
    begins = _flags(pc.starts_with(digits, code))
    lengths = _lengths(digits)
    rest = _from(digits, len(code))
    carries = begins & (
        (_matches(rest, f"^(?:{plan.general})$") & ~_matches(digits, f"^(?:{plan.general})$"))
        | (lengths > plan.longest)
    )
    settled = free & ~(begins & _prefixed(rest, plan))
    stripped = _without_prefix(pc.if_else(pa.array(carries), rest, digits), plan)
    settled &= _formed(stripped, _plan_of_code(plan.code) or plan)
    _give(answers, where[settled], stripped.filter(pa.array(settled)), plan)
    zero, zeros = (_flags(pc.starts_with(digits, text)) for text in ("0", "00"))
    hopeless = ~settled & ~begins & free & ~zeros & (zero | (lengths < _BARE_LENGTH))
    answers.verdict[where[hopeless]] = _UNLIKELY


def _without_prefix(national: pa.Array, plan: _Plan) -> pa.Array:
    """National numbers without their trunk or carrier prefix, as the library strips it."""
    prefixed = _prefixed(national, plan)
    at = np.flatnonzero(prefixed)
    if not len(at):
        return national
    return _put(national, at, _stripped(national.filter(pa.array(prefixed)), plan))


def _stripped(national: pa.Array, plan: _Plan) -> pa.Array:
    pattern = f"^(?:{plan.prefix})"
    stripped = pc.replace_substring_regex(national, pattern, "", max_replacements=1)
    if plan.transform and plan.last_group:
        captured = pc.replace_substring_regex(national, pattern, rf"\{plan.last_group}", max_replacements=1)
        transformed = pc.replace_substring_regex(national, pattern, plan.transform, max_replacements=1)
        stripped = pc.if_else(pc.equal(captured, stripped), stripped, transformed)
    viable = _matches(national, f"^(?:{plan.general})$") & ~_matches(stripped, f"^(?:{plan.general})$")
    lengths = _lengths(stripped)
    keep = viable | ~(np.isin(lengths, list(plan.lengths)) | (lengths > plan.longest))
    return pc.if_else(pa.array(keep), national, stripped)


def _bare_column(digits: pa.Array, where: Longs, answers: _Answers) -> None:
    """Cells without + and without a country: international if long enough and of the country's general form."""
    zeros = pc.starts_with(digits, "00")
    if pc.any(zeros).as_py():
        digits = pc.if_else(zeros, _from(digits, 2), digits)
    long, zero = _lengths(digits) >= _BARE_LENGTH, _flags(pc.starts_with(digits, "0"))
    answers.verdict[where[~long & ~zero]] = _NO_COUNTRY
    abroad = _flags(zeros)
    for sure, assigned in ((long & ~zero & abroad, False), (long & ~zero & ~abroad, True)):
        part = digits.filter(pa.array(sure))
        _international(part, where[sure], answers, bad=_NO_COUNTRY, assigned=assigned)


def _from(digits: pa.Array, start: int) -> pa.Array:
    """ASCII texts from a position on."""
    return pc.binary_slice(digits.view(pa.binary()), start, _LONGEST).view(_TEXT)


def _lengths(digits: pa.Array) -> Longs:
    return pc.binary_length(digits).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _flags(column: pa.Array) -> Flags:
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _calling_codes(digits: pa.Array) -> Longs:
    """The calling code each number begins with; 0 where none does."""
    first = pc.cast(pc.binary_slice(digits.view(pa.binary()), 0, 3).view(_TEXT), pa.int64()).to_numpy()
    return _code_table()[first]


@cache
def _code_table() -> Longs:
    table = np.zeros(1000, np.int64)
    for code in COUNTRY_CODE_TO_REGION_CODE:
        width = 10 ** (3 - len(str(code)))
        table[code * width : (code + 1) * width] = code
    return table


def _prefixed(national: pa.Array, plan: _Plan) -> Flags:
    """Where the national number begins with something that the library may take for a trunk or carrier prefix."""
    if not plan.prefix or not len(national):
        return np.zeros(len(national), bool)
    hit = _matches(national, f"^(?:{plan.prefix})")
    if hit.any() and re.fullmatch(plan.prefix, ""):
        stripped = pc.replace_substring_regex(national, f"^(?:{plan.prefix})", "", max_replacements=1)
        hit &= _lengths(stripped) != _lengths(national)
    return hit


def _matches(column: pa.Array, pattern: str) -> Flags:
    return _flags(pc.match_substring_regex(column, pattern))


@cache
def _plan_of_code(code: int) -> _Plan | None:
    region = region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    return _plan(metadata, code) if metadata else None


@cache
def _plan_of_region(region: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(region, None)
    return _plan(metadata, metadata.country_code or 0) if metadata else None


@cache
def _assigned(code: int) -> str:
    """A pattern of the ranges that the countries of a calling code use."""
    regions = region_codes_for_country_code(code)
    found = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
    kinds = [getattr(one, kind) for one in found if one for kind in _RANGES]
    return "|".join(f"(?:{kind.national_number_pattern})" for kind in kinds if kind and kind.national_number_pattern)


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
