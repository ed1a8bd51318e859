"""A raw block to clean rows: normalise column by column, let pandera judge, and say what was not taken and why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from pipelines.aliases import match_form
from pipelines.cells import NOTES, Block, read_cells
from pipelines.columns import Longs, chunked, holds
from pipelines.mapping import ColumnMap
from pipelines.reach import promote, read_emails, read_phones
from schemas.codes import DAMAGED
from schemas.contacts import KEYS, MULTIPLE, contact_schema
from schemas.fields import CUSTOM, FIELDS, FieldType
from schemas.frames import (
    CELL_ERROR,
    CELL_ERRORS,
    LIVE_TEXT,
    NO_TEXT,
    OWN_NUMBER,
    PROBLEM,
    REPORT_COLUMNS,
    ROW,
    CleanFrame,
    RawFrame,
    as_read,
    text_bytes,
)
from schemas.profiles import Profile
from schemas.settings import Settings

_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_LONGEST_ROW_TEXT = 20_000
_ERRORS = pa.array(CELL_ERRORS)
_GUARDED = f"^'{LIVE_TEXT[1:]}"
"""What stands behind the apostrophe that an export puts before it."""
_PERHAPS_GUARDED = r"(?s)^'([=+\-@\t\r].*[^'])$"
"""What stands behind the apostrophe that others put before it; 'quoted' words end in one too."""
_FOREIGN = re.compile("[^\x00-\x7f]+")
_TWICE = re.compile("[ÂÃ][\x80-\xbf\u0152-\u0192\u02c6\u02dc\u2013-\u2122]")
"""A character of two bytes in UTF-8 whose bytes were each read as one of Windows-1252."""


@dataclass(slots=True)
class Cleaned:
    """The rows taken, the rows rejected (numbers in order), and a note for every cell or row with something to say."""

    frame: CleanFrame
    rejected: Longs
    notes: pa.Table


def clean_block(raw: RawFrame, mapping: ColumnMap, profile: Profile, *, is_spreadsheet: bool = False) -> Cleaned:
    """Clean a block; every row of it is either in the frame or rejected.

    In what spreadsheets write, an apostrophe may stand before what would be a formula, and is no part of the text.
    """
    is_ours = mapping.layout is not None and mapping.layout.is_ours
    if is_ours:  # it says everything in one way only
        profile = replace(profile, decimal=None, date_order=None, tag_separator=None, clear_marker=None)
    broken, notes = _broken_rows(raw, mapping)
    block = Block(raw.filter(pc.invert(broken)) if pc.any(broken).as_py() else raw, mapping, profile)
    error_notes = [_without_cell_errors(block, is_spreadsheet=is_spreadsheet)]
    if is_spreadsheet:
        _take_guards_off(block, _GUARDED if is_ours else _PERHAPS_GUARDED)
    if not is_ours:
        error_notes.append(_without_double_encoding(block))
    read_cells(block)
    read_phones(block)
    read_emails(block)
    filled = {name: column for name, column in block.columns.items() if column.null_count < len(column)}
    frame = pa.table({ROW: chunked(block.raw[ROW]), **filled})
    frame, cell_notes = _judge(frame, block)
    cell_notes = pa.concat_tables([*error_notes, *block.notes, cell_notes])
    rejected = [notes["row"].to_numpy()]
    if profile.invalid_cells == "reject":
        rejected.append(np.unique(cell_notes["row"].to_numpy()))
        frame = frame.filter(pa.array(np.isin(frame[ROW].to_numpy(), rejected[-1], invert=True)))
    has = _have_key(frame)
    if not has.all():
        rejected.append(frame[ROW].to_numpy()[~has])
        cell_notes = pa.concat_tables([cell_notes, _notes(rejected[-1], "no_key", "", "")])
        frame = frame.filter(pa.array(has))
    return Cleaned(
        _finished(frame, mapping), np.unique(np.concatenate(rejected)), pa.concat_tables([notes, cell_notes])
    )


def _broken_rows(raw: RawFrame, mapping: ColumnMap) -> tuple[pa.Array, pa.Table]:
    """Rows that the reader found damaged, and lines that repeat the header."""
    problem = chunked(raw[PROBLEM])
    keys = [index for index, target in enumerate(mapping.targets) if target in ("phone", "email", "external_id")]
    for index in keys[:1]:
        repeats = pc.equal(pc.utf8_trim_whitespace(chunked(raw[f"c{index}"])), mapping.header[index].strip())
        problem = pc.if_else(pc.and_(repeats, pc.is_null(problem)), "repeated_header", problem)
    problem = _unmended(problem, raw, mapping)
    problem = _with_marks(problem, raw, mapping)
    broken = pc.is_valid(problem)
    rows = raw.filter(broken)
    text = _NULL if not rows.num_rows else _row_text(_own_cells(rows, mapping))
    count = rows.num_rows
    notes = pa.table(
        {
            "row": chunked(rows[ROW]),
            "code": problem.filter(broken),
            "field": pa.array([""] * count, _TEXT),
            "value": text if count else pa.array([], _TEXT),
        },
        NOTES,
    )
    return broken, notes


def _unmended(problem: pa.Array, raw: RawFrame, mapping: ColumnMap) -> pa.Array:
    """Rows of a row report that still stand as they were refused, damaged as a whole: no cell is trusted.

    A short row has all its cells in the report, and a line that an open quote had swallowed may have none of its own.
    """
    if not mapping.is_report:
        return problem
    names = [name.strip() for name in mapping.header]
    code, said = (chunked(raw[f"c{names.index(name)}"]) for name in ("_code", "_value"))
    own = _own_cells(raw, mapping)
    text = _row_text(own)
    innocent = pc.and_(pc.equal(code, "quote_unclosed"), pc.invert(pc.match_substring(text, '"')))
    whole = pc.and_(pc.equal(code, "column_count"), pc.equal(own[-1], ""))
    same = pc.and_not(pc.and_not(pc.equal(text, said), innocent), whole)
    hit = pc.and_(pc.and_(pc.is_in(code, pa.array(DAMAGED)), same), pc.is_null(problem))
    return pc.if_else(hit, code, problem)


def _with_marks(problem: pa.Array, raw: RawFrame, mapping: ColumnMap) -> pa.Array:
    """Rows with bytes that are no text (U+FFFD in a row report), or with NUL, in a cell that is taken."""
    marks = [("bad_encoding", NO_TEXT), ("control_character", "\0")]
    if mapping.is_report:
        marks.append(("bad_encoding", "\ufffd"))
    for index, target in enumerate(mapping.targets):
        column = chunked(raw[f"c{index}"])
        text = text_bytes(column) if target else b""
        for code, mark in marks:
            if mark.encode() in text:
                hit = pc.and_(pc.match_substring(column, mark), pc.is_null(problem)).fill_null(False)
                problem = pc.if_else(hit, code, problem)
    return problem


def _without_cell_errors(block: Block, *, is_spreadsheet: bool) -> pa.Table:
    """Empty the cells of a workbook, or of what a spreadsheet wrote as text, that hold an error; a note for each."""
    notes = [NOTES.empty_table()]
    for index, target in enumerate(block.mapping.targets):
        column = chunked(block.raw[f"c{index}"])
        if target is None or not holds(text_bytes(column), CELL_ERROR.encode(), b"#" if is_spreadsheet else b"\xff"):
            continue
        hit = pc.starts_with(column, CELL_ERROR)
        if is_spreadsheet:
            hit = pc.or_(hit, pc.is_in(pc.utf8_trim_whitespace(column), _ERRORS))
        count = pc.sum(hit).as_py() or 0
        text = pc.utf8_ltrim(column.filter(hit), CELL_ERROR)
        columns = {
            "row": chunked(block.raw[ROW]).filter(hit),
            "code": ["cell_error"] * count,
            "field": [block.mapping.header[index]] * count,
            "value": text,
        }
        notes.append(pa.table(columns, NOTES))
        block.raw = block.raw.set_column(index + 1, f"c{index}", pc.if_else(hit, "", column))
    return pa.concat_tables(notes)


def _take_guards_off(block: Block, guard: str) -> None:
    for index, target in enumerate(block.mapping.targets):
        column = chunked(block.raw[f"c{index}"])
        if target is not None and holds(text_bytes(column), b"'"):
            bare = pc.replace_substring_regex(column, guard, r"\1")
            block.raw = block.raw.set_column(index + 1, f"c{index}", bare)


def _without_double_encoding(block: Block) -> pa.Table:
    """Read cells such as `JosÃ©` as what they were before somebody encoded them twice, with a note for each."""
    notes = [NOTES.empty_table()]
    for index, target in enumerate(block.mapping.targets):
        column = chunked(block.raw[f"c{index}"])
        if target is None or not holds(text_bytes(column), "Ã".encode(), "Â".encode()):
            continue
        plain = pa.array([as_meant(text) for text in column.to_pylist()], _TEXT)
        hit = pc.not_equal(plain, column)
        count = pc.sum(hit).as_py() or 0
        columns = {
            "row": chunked(block.raw[ROW]).filter(hit),
            "code": ["double_encoded"] * count,
            "field": [block.mapping.header[index]] * count,
            "value": pc.utf8_slice_codeunits(column.filter(hit), 0, 200),
        }
        notes.append(pa.table(columns, NOTES))
        block.raw = block.raw.set_column(index + 1, f"c{index}", plain)
    return pa.concat_tables(notes)


def as_meant(text: str) -> str:
    """A text that is UTF-8 read as Windows-1252 as it was meant; any other as it is.

    >>> as_meant("JosÃ© “x”"), as_meant("JoÃO"), as_meant("Ángel"), as_meant("JosÃƒÂ©")
    ('José “x”', 'JoÃO', 'Ángel', 'José')
    """
    while _TWICE.search(text):
        plain = _FOREIGN.sub(lambda found: _decoded(found[0]), text)
        if plain == text:
            break
        text = plain
    return text


def _decoded(text: str) -> str:
    try:
        return b"".join(_byte_of(char) for char in text).decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def _byte_of(char: str) -> bytes:
    """The byte that was read as this character: Windows-1252 leaves five of them to Latin-1."""
    return char.encode("latin-1" if char < "\xa0" else "cp1252")


def _own_cells(rows: RawFrame, mapping: ColumnMap) -> list[pa.Array]:
    """The cells of the file's own columns, without those that a row report adds."""
    own = [f"c{at}" for at, name in enumerate(mapping.header) if name.strip() not in REPORT_COLUMNS]
    return [as_read(rows[name]) for name in own]


def _row_text(cells: list[pa.Array]) -> pa.Array:
    """All cells of each row as one text, as the row report shows them."""
    text = pc.replace_substring_regex(pc.binary_join_element_wise(*cells, " | "), r"( \| )+$", "")
    return pc.utf8_slice_codeunits(text, 0, _LONGEST_ROW_TEXT)


# ── judging ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _judge(frame: pa.Table, block: Block) -> tuple[pa.Table, pa.Table]:
    """Validate with pandera; cells that fail are emptied and noted."""
    checked = frame.drop_columns([ROW]).to_pandas(types_mapper=pd.ArrowDtype)
    found = _failures(checked, block.mapping.custom)
    for name, problem in block.problems.items():
        if problem.null_count < len(problem):
            where = np.flatnonzero(pc.is_valid(problem).to_numpy(zero_copy_only=False))
            found.setdefault(name, {}).update(dict.fromkeys(where.tolist(), ""))
    rows = chunked(frame[ROW])
    notes = []
    for name, failed in found.items():
        at = np.fromiter(failed, np.int64, len(failed))
        notes.append(_cell_notes(block, name, at, list(failed.values()), rows))
        mask = np.zeros(frame.num_rows, bool)
        mask[at] = True
        if name in frame.column_names:
            column = pc.if_else(pa.array(mask), pa.scalar(None, frame[name].type), frame[name])
            frame = frame.set_column(frame.column_names.index(name), name, column)
    return frame, pa.concat_tables(notes) if notes else NOTES.empty_table()


def _failures(checked: pd.DataFrame, custom: Mapping[str, FieldType]) -> dict[str, dict[int, str]]:
    """Column → position → the code of the check that failed."""
    try:
        contact_schema(custom).validate(checked, lazy=True)
        return {}
    except SchemaErrors as errors:
        cases = errors.failure_cases
    found: dict[str, dict[int, str]] = {}
    for (column, check), part in cases.groupby(["column", "check"], sort=False):
        positions = part["index"].astype("int64").tolist()
        found.setdefault(str(column), {}).update(dict.fromkeys(positions, str(check)))
    return found


def _cell_notes(block: Block, name: str, where: np.ndarray, codes: list[str], rows: pa.Array) -> pa.Table:
    """A note for each failed cell, with its normaliser's code where there is one, and its text as it was."""
    at = pa.array(where)
    code = pa.array(codes, _TEXT)
    if name in block.problems:
        code = pc.coalesce(block.problems[name].take(at), code)
    raw = block.raw_of.get(name)
    value = raw if raw is not None else block.columns[name]
    text = pc.utf8_slice_codeunits(value.take(at).cast(_TEXT).fill_null(""), 0, 200)
    header = block.header_of.get(name)
    field_ = header.take(at) if header is not None else pa.array([block.mapping.header_of(name)] * len(at), _TEXT)
    return pa.table({"row": rows.take(at), "code": code, "field": field_, "value": text}, NOTES)


def _have_key(frame: pa.Table) -> npt.NDArray[np.bool_]:
    """The rows from which somebody can be told, by the pandera schema of keys."""
    has = np.zeros(frame.num_rows, bool)
    for name in {"phone", "email", "external_id", "more_phones", "more_emails"} & set(frame.column_names):
        has |= pc.is_valid(chunked(frame[name])).to_numpy(zero_copy_only=False)
    try:
        KEYS.validate(pa.table({"has_key": has}).to_pandas(types_mapper=pd.ArrowDtype), lazy=True)
    except SchemaErrors as errors:
        has[errors.failure_cases["index"].astype("int64").to_numpy()] = False
    return has


def _notes(rows: np.ndarray, code: str, field_: str, value: str) -> pa.Table:
    count = len(rows)
    columns = {"row": pa.array(rows), "code": [code] * count, "field": [field_] * count, "value": [value] * count}
    return pa.table(columns, NOTES)


# ── finishing ────────────────────────────────────────────────────────────────────────────────────────────────────


def clean_schema(custom: Mapping[str, FieldType]) -> pa.Schema:
    """The columns of a clean frame."""
    stamp = pa.timestamp("us", "UTC")
    fixed = [(item.key, stamp if item.kind == "datetime" else _TEXT) for item in FIELDS]
    kinds = {"number": pa.float64(), "boolean": pa.bool_(), "date": stamp, "datetime": stamp}
    extra = [(f"{CUSTOM}{key}", kinds.get(kind, _TEXT)) for key, kind in sorted(custom.items())]
    several = [(name, _TEXT) for name in MULTIPLE]
    return pa.schema([(ROW, pa.int64()), *fixed, ("phone_match", _TEXT), (OWN_NUMBER, pa.int64()), *several, *extra])


def _finished(frame: pa.Table, mapping: ColumnMap) -> CleanFrame:
    """With its match forms, and every column of the clean schema."""
    count = frame.num_rows
    own = {name: chunked(frame[name]) for name in frame.column_names}
    own = {"phone": pa.nulls(count, _TEXT), "email": pa.nulls(count, _TEXT), **own}
    for key, more in (("phone", "more_phones"), ("email", "more_emails")):
        if more in own:
            own[key], own[more] = promote(own[key], own[more])
    own["phone_match"] = match_form(own["phone"])
    schema = clean_schema(mapping.custom)
    return CleanFrame(
        pa.Table.from_arrays(
            [own[item.name].cast(item.type) if item.name in own else pa.nulls(count, item.type) for item in schema],
            schema=schema,
        )
    )


def with_defaults(profile: Profile, settings: Settings) -> Profile:
    """The installation's country and time zone where the profile names none."""
    country = profile.default_country or settings.default_country or None
    zone = profile.time_zone or (settings.time_zone if settings.time_zone != "UTC" else None)
    return replace(profile, default_country=country, time_zone=zone)
