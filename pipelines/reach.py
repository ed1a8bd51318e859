"""How a contact is reached: the phones and e-mails of a block, from several columns and cells of several values."""

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.cells import Block, first
from pipelines.columns import SEPARATOR, Normalised, holds, no_problems
from pipelines.emails import normalise_emails
from pipelines.phones import match_form, normalise_phones
from schemas.frames import text_bytes

_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_PACKED = r"[;|]|:::|\s/\s|,.*[@+]"
_PACKING = (b";", b"|", b":::", b"/", b",")
_LOCAL = r"^['=(\s]*(?:\+|tel:)"


def read_phones(block: Block) -> None:
    raws = block.cells("phone")
    _several(block, "phone", "more_phones", [_phone_column(block, raw) for raw in raws], raws)


def read_emails(block: Block) -> None:
    raws = block.cells("email")
    _several(block, "email", "more_emails", [normalise_emails(raw) for raw in raws], raws)


def _phone_column(block: Block, raw: pa.Array) -> Normalised:
    """A column of phones: in the country its own column names, else the profile's, else the contact's country."""
    result = normalise_phones(raw, block.profile.default_country, valid_only=block.profile.phones == "valid")
    if not block.cells("phone_country", "country"):
        return result
    local = pc.invert(pc.match_substring_regex(pc.utf8_trim_whitespace(raw), _LOCAL))
    result = _in_countries(block, raw, result, "phone_country", local)
    return _in_countries(block, raw, result, "country", pc.and_(local, pc.is_valid(result.problem)))


def _in_countries(block: Block, raw: pa.Array, result: Normalised, target: str, where: pa.Array) -> Normalised:
    """Read the marked cells again in the country that another column of the row names."""
    cells = block.cells(target)
    if not cells or not pc.any(where).as_py():
        return result
    encoded = pc.dictionary_encode(cells[0])
    regions = pa.array([_region(text) for text in encoded.dictionary.to_pylist()], _TEXT).take(encoded.indices)
    value, problem = result.value, result.problem
    for region in pc.unique(regions.filter(where)).to_pylist():
        if region:
            mask = pc.and_(where, pc.equal(regions, region)).fill_null(False)
            part = normalise_phones(raw.filter(mask), region, valid_only=block.profile.phones == "valid")
            value = pc.replace_with_mask(value, mask, part.value)
            problem = pc.replace_with_mask(problem, mask, part.problem)
    return Normalised(value, problem)


def _region(text: str) -> str | None:
    code = text.strip().lstrip("+").lstrip("0")
    if code.isdigit() and len(code) <= 3:
        found = str(phonenumbers.region_code_for_country_code(int(code)))
        return found if found not in ("ZZ", "001") else None
    return code.upper() if code.upper() in phonenumbers.SUPPORTED_REGIONS else None


def _several(block: Block, key: str, more: str, columns: list[Normalised], raws: list[pa.Array]) -> None:
    """The first good cell is the row's own; further good ones stand in `more`; a bad one shows only without any."""
    if not columns:
        block.columns[key] = pa.nulls(block.count, _TEXT)
        return
    if len(columns) == 1 and not _has_several(raws[0]):
        block.put(key, columns[0], raws[0])
        return
    good = [pc.if_else(pc.is_null(column.problem), column.value, _NULL) for column in columns]
    own = first(good, len(raws[0]))
    value, problem, raw = own, no_problems(len(own)), raws[0]
    for column, cells in zip(columns, raws, strict=True):
        bad = pc.and_(pc.and_(pc.is_null(value), pc.is_null(problem)), pc.is_valid(column.problem))
        value = pc.if_else(bad, column.value, value)
        problem, raw = pc.if_else(bad, column.problem, problem), pc.if_else(bad, cells, raw)
    block.put(key, Normalised(value, problem), raw)
    block.columns[more] = _further(own, good, raws, key, block.profile.default_country)


def _has_several(raw: pa.Array) -> bool:
    return holds(text_bytes(raw), *_PACKING) and bool(pc.any(pc.match_substring_regex(raw, _PACKED)).as_py())


def _further(own: pa.Array, good: list[pa.Array], raws: list[pa.Array], key: str, region: str | None) -> pa.Array:
    """Second values of each row, from further columns and from cells that hold several; none that is the own one."""
    extra: dict[int, list[str]] = {}
    for column, raw in zip(good, raws, strict=True):
        differs = pc.and_(pc.is_valid(column), pc.not_equal(column, own)).fill_null(False)
        for index in np.flatnonzero(differs.to_numpy(zero_copy_only=False)).tolist():
            extra.setdefault(index, []).append(column[index].as_py())
        packed = pc.match_substring_regex(raw, _PACKED)
        for index in np.flatnonzero(packed.to_numpy(zero_copy_only=False)).tolist():
            extra.setdefault(index, []).extend(_parts(raw[index].as_py(), key, region))
    texts: list[str | None] = [None] * len(own)
    for index, values in extra.items():
        texts[index] = _distinct(own[index].as_py(), values, key)
    return pa.array(texts, _TEXT)


def _distinct(own: str | None, values: list[str], key: str) -> str | None:
    """The values, each once by its match form, without the own one."""
    forms = match_form(pa.array([own or "", *values])).to_pylist() if key == "phone" else [own or "", *values]
    kept = dict(zip(reversed(forms[1:]), reversed(values), strict=True))
    return SEPARATOR.join(value for form, value in reversed(kept.items()) if form != forms[0]) or None


def _parts(text: str, key: str, region: str | None) -> list[str]:
    for mark in (":::", "|", ",", " / "):
        text = text.replace(mark, ";")
    column = pa.array(text.split(";"))
    found = normalise_emails(column) if key == "email" else normalise_phones(column, region)
    pairs = zip(found.value.to_pylist(), found.problem.to_pylist(), strict=True)
    return [value for value, bad in pairs if value and not bad]


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
