"""How a contact is reached: the phones and e-mails of a block, from several columns and cells of several values."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from phonenumbers import PhoneNumberType
from phonenumbers import country_code_for_region as country_code

from pipelines.aliases import match_form
from pipelines.cells import Block, first, note_cells, put_first
from pipelines.columns import SEPARATOR, Longs, Normalised, chunked, holds
from pipelines.countries import region_named
from pipelines.emails import normalise_emails
from pipelines.phones import normalise_phones
from schemas.frames import text_bytes

_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_LOCAL = r"^['=(\s]*(?:\+|tel:)"
_NUMBER = r"(?:\d[^\d,;|/\n]{0,3}){7,}"
_SEVEN = r"\D{0,20}(?:\d\D{0,3}){7,}"
_MOBILE = r"(?i)mobile|m[oó]vil|cell|celular|handy|whatsapp|iphone"
_EXTENSION = r"(?i)\d\W*(?:ext(?:ensi[oó]n)?|x|anexo|int|#)\W{0,3}\d{1,7}\W*$"
_WHATSAPP_ID = r"(?i)(^|[^\w.])\+?(\d{8,15})(?::\d+)?@(?:c\.us|s\.whatsapp\.net)($|[^\w.])"
"""As exports of chats have it: the number in full."""
_WORDS_BEHIND = r"^(\s*\+?[0-9(][0-9 ().-]{6,}[0-9])\s*(?:[-–:,]\s*)?(?:\s\p{L}[^0-9@;/|+]*)$"
"""A number, and what somebody noted behind it: a name, an office, when to call."""
_NOT_TO_USE = r"(?i)\([^()]*\b(?:no|not|n[aã]o|equivocad\p{L}*|err[oó]ne\p{L}*|wrong|old|viej\p{L}*|invalid\p{L}*)\b"
_MOBILES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_SHORTEST_TWO = 15
"""As long as the shortest cell that holds two phones or e-mails with nothing but a space between them."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of key is read: its targets, one column of it, and cells that hold several."""

    key: str
    more: str
    read: Callable[[Block, pa.Array], Normalised]
    marks: tuple[bytes, ...]
    packed: str
    undress: Callable[[pa.Array], pa.Array]
    split: re.Pattern[str]
    is_one: re.Pattern[str]


def read_phones(block: Block) -> None:
    _read(block, _PHONES)
    for at in block.mapping.columns_of("phone"):
        _note_extensions(block, at)


def _note_extensions(block: Block, at: int) -> None:
    """Say where a phone was taken without its extension."""
    raw = chunked(block.raw[f"c{at}"])
    if holds(text_bytes(raw), b"x", b"X", b"#", b"nexo", b"int"):
        hit = pc.and_(pc.match_substring_regex(raw, _EXTENSION), pc.is_valid(block.columns["phone"]))
        note_cells(block, pc.if_else(hit.fill_null(False), "phone_extension", _NULL), raw, block.mapping.header[at])


def _plain_phones(raw: pa.Array) -> pa.Array:
    """Without what is written around phones: ids of WhatsApp, whose they are, when to call."""
    text = text_bytes(raw)
    if holds(text, b"@"):
        raw = pc.replace_substring_regex(raw, _WHATSAPP_ID, r"\1+\2\3")
    if holds(text, b"("):
        raw = _without_remarks(raw, r"\([^()0-9]*\p{L}[^()0-9]*\)")
    return pc.replace_substring_regex(raw, _WORDS_BEHIND, r"\1")


def _without_remarks(raw: pa.Array, remark: str) -> pa.Array:
    """Without what stands in parentheses, unless that says not to use it."""
    plain = pc.replace_substring_regex(raw, remark, "")
    return pc.if_else(pc.match_substring_regex(raw, _NOT_TO_USE), raw, plain)


def _plain_emails(raw: pa.Array) -> pa.Array:
    """Without what is written around addresses: `(trabajo)`, `Correo:`, a full stop."""
    text = text_bytes(raw)
    if holds(text, b"("):
        raw = _without_remarks(raw, r"\s*\([^()@]*\)")
    if holds(text, b":"):
        raw = pc.replace_substring_regex(raw, r"(?i)(^|[;,])\s*(?:smtp|e-?mail|correo|mail)\s*:\s*", r"\1")
    return pc.utf8_rtrim(raw, " .")


def read_emails(block: Block) -> None:
    _read(block, _EMAILS)


def _phone_column(block: Block, raw: pa.Array) -> Normalised:
    """A column of phones; one that is no number by itself may be one behind the area code of the row."""
    found = _in_its_country(block, raw, valid_only=block.profile.phones == "valid")
    areas = block.cells("phone_area")
    if not areas:
        return found
    hit = pc.and_(_is_local(raw), pc.match_substring_regex(areas[0], r"\d"))
    alone = _in_its_country(block, raw, valid_only=True)
    hit = pc.and_(hit, pc.invert(_is_good(alone))).fill_null(False)
    whole = pc.binary_join_element_wise(areas[0].filter(hit), raw.filter(hit), " ")
    part = Block(block.raw.filter(hit), block.mapping, block.profile)
    again = _in_its_country(part, whole, valid_only=True)
    return _better(found, hit, Normalised(_of_country(again.value, _countries(part)), again.problem))


def _countries(block: Block) -> pa.Array:
    """The country of each row's local numbers: that of its own column, else the contact's, else the profile's."""
    named = [_regions(cells) for target in ("phone_country", "country") for cells in block.cells(target)[:1]]
    return pc.coalesce(*named, pa.scalar(block.profile.default_country, _TEXT), pa.nulls(block.count, _TEXT))


def _of_country(numbers: pa.Array, regions: pa.Array) -> pa.Array:
    """The numbers that begin with the calling code of their country; null for the others."""
    kept = pa.nulls(len(numbers), _TEXT)
    for region in pc.unique(regions).to_pylist():
        if region:
            mine = pc.and_(pc.equal(regions, region), pc.starts_with(numbers, f"+{country_code(region)}"))
            kept = pc.if_else(mine.fill_null(False), numbers, kept)
    return kept


def _in_its_country(block: Block, raw: pa.Array, *, valid_only: bool) -> Normalised:
    """In the country that a column names; else in the contact's, where it surely is one; else in the profile's."""
    result = normalise_phones(raw, block.profile.default_country, valid_only=valid_only)
    result = _own_prefix(block, raw, result)
    for cells in block.cells("country")[:1]:
        result = _in_the_contacts(block.profile.default_country, raw, _regions(cells), result, valid_only)
    for cells in block.cells("phone_country")[:1]:
        for where, again in _in_regions(raw, _regions(cells), valid_only):
            result = _with(result, where, again)
    return result


def _is_local(raw: pa.Array) -> pa.Array:
    """Numbers that do not say their country."""
    return pc.invert(pc.match_substring_regex(pc.utf8_trim_whitespace(raw), _LOCAL))


def _better(one: Normalised, where: pa.Array, other: Normalised) -> Normalised:
    """The column with the marked cells as the other has them, where they are good there."""
    good, mine = _is_good(other), Normalised(one.value.filter(where), one.problem.filter(where))
    kept = (pc.if_else(good, new, old) for old, new in ((mine.value, other.value), (mine.problem, other.problem)))
    return _with(one, where, Normalised(*kept))


def _is_good(column: Normalised) -> pa.Array:
    return pc.and_(pc.is_valid(column.value), pc.is_null(column.problem))


def _own_prefix(block: Block, raw: pa.Array, result: Normalised) -> Normalised:
    """00 and the country's own prefix mean that country, also where the library takes a part of it for a carrier.

    From Colombia 005 leads abroad by the carrier 5, so that it reads 0057300… as Russian +7300….
    """
    region = block.profile.default_country
    code = country_code(region) if region else 0
    if not code or b"00" not in text_bytes(raw):
        return result
    spelled = r"\W*".join(str(code))
    hit = pc.match_substring_regex(raw, rf"^\W*0\W*0\W*{spelled}").fill_null(False)
    hit = pc.and_not(hit, pc.starts_with(result.value, f"+{code}").fill_null(False))
    if not pc.any(hit).as_py():
        return result
    plain = pc.replace_substring_regex(raw.filter(hit), r"^\W*0\W*0", "+", max_replacements=1)
    again = normalise_phones(plain, region, valid_only=block.profile.phones == "valid")
    value = pc.replace_with_mask(result.value, hit, again.value)
    return Normalised(value, pc.replace_with_mask(result.problem, hit, again.problem))


def _in_the_contacts(
    default: str | None, raw: pa.Array, regions: pa.Array, result: Normalised, valid_only: bool
) -> Normalised:
    """Read in the contact's country where it is a number there. People keep their phones when they move: one that is a
    number in the profile's country too, and no mobile in the contact's, is of the profile's.
    """
    for where, again in _in_regions(raw, regions, valid_only or default is not None, but=default):
        if default is None:
            result = _with(result, where, again)
            continue
        good, here = _is_good(again), normalise_phones(raw.filter(where), default, valid_only=True)
        both = pc.and_(good, _is_good(here))
        if pc.any(both).as_py():
            mobile = [_kind_of_line(number) in _MOBILES for number in again.value.filter(both).to_pylist()]
            good = pc.replace_with_mask(good, both, pa.array(mobile, pa.bool_()))
        result = _better(result, where, Normalised(pc.if_else(good, again.value, _NULL), again.problem))
    return result


def _in_regions(
    raw: pa.Array, regions: pa.Array, valid_only: bool, but: str | None = None
) -> Iterator[tuple[pa.Array, Normalised]]:
    """Local numbers read in the country of their row: which cells, and what they are there."""
    local = pc.and_(_is_local(raw), pc.not_equal(regions, but or "")).fill_null(False)
    for region in pc.unique(regions.filter(local)).to_pylist():
        where = pc.and_(local, pc.equal(regions, region)).fill_null(False)
        yield where, normalise_phones(raw.filter(where), region, valid_only=valid_only)


def _regions(cells: pa.Array) -> pa.Array:
    encoded = pc.dictionary_encode(cells)
    return pa.array([_region(text) for text in encoded.dictionary.to_pylist()], _TEXT).take(encoded.indices)


def _with(one: Normalised, where: pa.Array, other: Normalised) -> Normalised:
    """The column with the marked cells as the other has them."""
    parts = ((one.value, other.value), (one.problem, other.problem))
    return Normalised(*(pc.replace_with_mask(old, where, new) for old, new in parts))


def _region(text: str) -> str | None:
    """The country of a calling code, of two letters or of a name."""
    code = text.strip().lstrip("+").lstrip("0")
    if code.isdigit() and len(code) <= 3:
        found = str(phonenumbers.region_code_for_country_code(int(code)))
        return found if found not in ("ZZ", "001") else None
    if code.upper() in phonenumbers.SUPPORTED_REGIONS:
        return code.upper()
    return region_named(text)


def _read(block: Block, kind: _Kind) -> None:
    """The first good cell is the row's own; further good ones stand in `more`; every bad one is noted."""
    columns = block.mapping.columns_of(kind.key)
    if not columns:
        block.columns[kind.key] = pa.nulls(block.count, _TEXT)
        return
    written = [_without_faxes(block, at) for at in columns]
    raws = [kind.undress(cells) for cells in written]
    found = [kind.read(block, raw) for raw in raws]
    packed = [_packed_cells(raw, kind) for raw in raws]
    if len(columns) == 1 and not len(packed[0]):
        block.put(kind.key, found[0], written[0])
        return
    extra: dict[int, list[str]] = {}
    for place, where in enumerate(packed):
        if len(where):
            header = block.mapping.header[columns[place]]
            found[place] = _unpack(block, found[place], raws[place], where, header, kind, extra)
    good = [pc.if_else(pc.is_null(column.problem), column.value, _NULL) for column in found]
    own = first([*_labelled_mobile(block, columns, good), *good], block.count)
    put_first(block, kind.key, own, list(zip(columns, found, written, strict=True)))
    block.columns[kind.more] = _further(own, good, extra, kind.key)


def _without_faxes(block: Block, at: int) -> pa.Array:
    """The cells of a column, but for those that another column of the row calls a fax."""
    raw, label = chunked(block.raw[f"c{at}"]), block.mapping.label_of(at)
    if label is None or b"fax" not in text_bytes(chunked(block.raw[f"c{label}"])).lower():
        return raw
    fax = pc.match_substring(chunked(block.raw[f"c{label}"]), "fax", ignore_case=True)
    return pc.if_else(fax.fill_null(False), "", raw)


def _labelled_mobile(block: Block, columns: list[int], good: list[pa.Array]) -> list[pa.Array]:
    """The cells that another column of the row calls a mobile phone."""
    found = []
    for at, values in zip(columns, good, strict=True):
        label = block.mapping.label_of(at)
        if label is not None:
            mobile = pc.match_substring_regex(chunked(block.raw[f"c{label}"]), _MOBILE)
            found.append(pc.if_else(mobile.fill_null(False), values, _NULL))
    return found


# ── cells that hold several ──────────────────────────────────────────────────────────────────────────────────────


def _packed_cells(raw: pa.Array, kind: _Kind) -> Longs:
    """The positions of the cells that hold several values."""
    text = text_bytes(raw)
    if holds(text, *kind.marks):
        where = np.arange(len(raw))
    elif b" " in text:
        long = pc.greater_equal(pc.binary_length(raw), _SHORTEST_TWO)
        where = np.flatnonzero(long.to_numpy(zero_copy_only=False))
    else:
        return np.empty(0, np.int64)
    hits = pc.match_substring_regex(raw.take(pa.array(where)), kind.packed)
    return where[hits.to_numpy(zero_copy_only=False)]


def _unpack(
    block: Block, whole: Normalised, raw: pa.Array, where: Longs, header: str, kind: _Kind, extra: dict[int, list[str]]
) -> Normalised:
    """The column with the first good part where the whole cell is bad; good parts go to `extra`, others are noted."""
    split = [
        [part for part in kind.split.split(text) if part.strip()] for text in raw.take(pa.array(where)).to_pylist()
    ]
    owners = np.repeat(where, [len(parts) for parts in split])
    parts = pa.array([part for texts in split for part in texts], _TEXT)
    answers = kind.read(Block(block.raw.take(pa.array(owners)), block.mapping, block.profile), parts)
    good = pc.and_(pc.is_valid(answers.value), pc.is_null(answers.problem)).to_numpy(zero_copy_only=False)
    found: dict[int, list[str]] = {}
    for at, value in zip(owners[good].tolist(), answers.value.filter(pa.array(good)).to_pylist(), strict=True):
        found.setdefault(at, []).append(value)
        extra.setdefault(at, []).append(value)
    solved = np.isin(owners, owners[good])
    is_one = np.array([bool(kind.is_one.search(part)) for part in parts.to_pylist()], bool)
    bad = pa.array(solved & ~good & is_one)
    mine = Block(block.raw.take(pa.array(owners)), block.mapping, block.profile, notes=block.notes)
    note_cells(mine, pc.if_else(bad, answers.problem, _NULL), parts, header)
    bad_cells = pc.is_valid(whole.problem).to_numpy(zero_copy_only=False)
    best = {at: _best(values, kind.key) for at, values in found.items()}
    return _mended(whole, {at: best[at] for at, values in found.items() if bad_cells[at] or best[at] != values[0]})


def _best(values: list[str], key: str) -> str:
    """The first of several, but a mobile before a landline."""
    if key == "email" or _kind_of_line(values[0]) != PhoneNumberType.FIXED_LINE:
        return values[0]
    return next((value for value in values if _kind_of_line(value) == PhoneNumberType.MOBILE), values[0])


def _kind_of_line(phone: str) -> int:
    return int(phonenumbers.number_type(phonenumbers.parse(phone)))


def _mended(whole: Normalised, values: dict[int, str]) -> Normalised:
    """The column with these values at these positions."""
    mask = np.zeros(len(whole.value), bool)
    mask[list(values)] = True
    kept, hit = pa.array([values[at] for at in sorted(values)], _TEXT), pa.array(mask)
    return Normalised(pc.replace_with_mask(whole.value, hit, kept), pc.if_else(hit, _NULL, whole.problem))


def _further(own: pa.Array, good: list[pa.Array], extra: dict[int, list[str]], key: str) -> pa.Array:
    """Second values of each row, from further columns and from cells that hold several; none that is the own one."""
    for column in good:
        differs = pc.and_(pc.is_valid(column), pc.not_equal(column, own)).fill_null(False)
        for index in np.flatnonzero(differs.to_numpy(zero_copy_only=False)).tolist():
            extra.setdefault(index, []).append(column[index].as_py())
    texts: list[str | None] = [None] * len(own)
    for index, values in extra.items():
        texts[index] = _distinct(own[index].as_py(), values, key)
    return pa.array(texts, _TEXT)


def _distinct(own: str | None, values: list[str], key: str) -> str | None:
    """The values, each once by its match form, without the own one."""
    forms = match_form(pa.array([own or "", *values])).to_pylist() if key == "phone" else [own or "", *values]
    kept = dict(zip(reversed(forms[1:]), reversed(values), strict=True))
    return SEPARATOR.join(value for form, value in reversed(kept.items()) if form != forms[0]) or None


def promote(own: pa.Array, more: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Where only further values are good, the first of them becomes the row's own."""
    needed = pc.and_(pc.is_null(own), pc.is_valid(more))
    if not pc.any(needed).as_py():
        return own, more
    parts = pc.split_pattern(more.fill_null(""), SEPARATOR, max_splits=1)
    head = pc.list_element(parts, 0)
    rest = pc.if_else(pc.equal(pc.binary_length(head), pc.binary_length(more)), _NULL, more)
    rest = pc.replace_substring_regex(rest, f"^[^{SEPARATOR}]*{SEPARATOR}", "", max_replacements=1)
    return pc.if_else(needed, head, own), pc.if_else(needed, rest, more)


_PHONES = _Kind(
    "phone",
    "more_phones",
    _phone_column,
    (b";", b"|", b":::", b"/", b",", b"\n"),
    rf"[;|]|:::|{_NUMBER}\W{{0,3}}(?:[,/\n]|\s(?:-|y|o|or|and|e|ou)\s){_SEVEN}|\d{{8,}}\s+\+?\d{{8,}}",
    _plain_phones,
    re.compile(r"[;|,/\n]|:::|\s-\s|\s(?:y|o|or|and|e|ou)\s|(?<=\d{8})\s+(?=\+?\d{8})"),
    re.compile(r"^(?!\W*(?:ext|x|int|anexo)\b).*\d"),
)
_EMAILS = _Kind(
    "email",
    "more_emails",
    lambda block, raw: normalise_emails(raw),
    (b";", b"|", b":::", b"/", b",", b"\n"),
    r"[;|]|:::|\s/\s|[,\n].*@|@\S+\s*,|@\S+\s+(?:(?:y|e|and|o|or)\s+)?[^\s@<>]+@",
    _plain_emails,
    re.compile(r"[;|,\n]|:::|\s/\s|\s(?:y|e|and|o|or)\s|(?<=\S)\s+(?=[^\s@<>]+@)"),
    re.compile(r"\w\w"),
)
