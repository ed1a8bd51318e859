"""A raw block to clean rows: normalise column by column, let pandera judge, and say what was not taken and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc
from pandera.errors import SchemaErrors

from pipelines import words
from pipelines.columns import SEPARATOR, Normalised, chunked, joined, no_problems
from pipelines.dates import normalise_dates
from pipelines.emails import normalise_emails
from pipelines.mapping import ColumnMap
from pipelines.numbers import normalise_booleans, normalise_numbers
from pipelines.phones import match_form, normalise_phones
from pipelines.texts import fold, normalise_names, normalise_texts
from schemas.contacts import KEYS, contact_schema
from schemas.fields import CUSTOM, FIELDS, OPT_INS, OPT_OUTS, FieldType
from schemas.frames import CELL_ERROR, PROBLEM, ROW, CleanFrame, RawFrame
from schemas.profiles import Profile

NOTES = pa.schema([("row", pa.int64()), ("code", pa.string()), ("field", pa.string()), ("value", pa.string())])
_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_NAMES = ("first_name", "middle_name", "last_name", "second_last_name", "display_name")
_ADDRESS = ("street", "address", "postal_code", "region")


@dataclass(slots=True)
class Cleaned:
    """The rows taken, the rows rejected (by number), and a note for every cell or row that something is said of."""

    frame: CleanFrame
    rejected: set[int]
    notes: pa.Table


@dataclass(slots=True)
class _Block:
    raw: pa.Table
    mapping: ColumnMap
    profile: Profile
    columns: dict[str, pa.Array] = field(default_factory=dict)
    problems: dict[str, pa.Array] = field(default_factory=dict)
    raw_of: dict[str, pa.Array] = field(default_factory=dict)

    def cells(self, target: str) -> list[pa.Array]:
        return [chunked(self.raw[f"c{index}"]) for index in self.mapping.columns_of(target)]

    def put(self, name: str, column: Normalised, raw: pa.Array) -> None:
        self.columns[name], self.problems[name], self.raw_of[name] = column.value, column.problem, raw


def clean_block(raw: RawFrame, mapping: ColumnMap, profile: Profile) -> Cleaned:
    """Clean a block; every row of it is either in the frame or rejected."""
    broken, notes = _broken_rows(raw, mapping)
    block = _Block(raw.filter(pc.invert(broken)) if pc.any(broken).as_py() else raw, mapping, profile)
    error_notes = _without_cell_errors(block)
    _normalise(block)
    frame = pa.table({ROW: chunked(block.raw[ROW]), **block.columns})
    frame, cell_notes = _judge(frame, block)
    cell_notes = pa.concat_tables([error_notes, cell_notes])
    rejected = set(notes.column("row").to_pylist())
    if profile.invalid_cells == "reject":
        rejected |= set(cell_notes.column("row").to_pylist())
        frame = frame.filter(pc.invert(pc.is_in(frame[ROW], pa.array(rejected, pa.int64()))))
    keyless = _without_key(frame)
    if len(keyless):
        key_notes = _notes(keyless, "no_key", "", "")
        cell_notes = pa.concat_tables([cell_notes, key_notes])
        frame = frame.filter(pc.invert(pc.is_in(frame[ROW], pa.array(keyless))))
        rejected |= set(keyless.tolist())
    return Cleaned(_finished(frame, mapping), rejected, pa.concat_tables([notes, cell_notes]))


def _broken_rows(raw: RawFrame, mapping: ColumnMap) -> tuple[pa.Array, pa.Table]:
    """Rows that the reader found damaged, and lines that repeat the header."""
    problem = chunked(raw[PROBLEM])
    keys = [index for index, target in enumerate(mapping.targets) if target in ("phone", "email", "external_id")]
    for index in keys[:1]:
        repeats = pc.equal(pc.utf8_trim_whitespace(chunked(raw[f"c{index}"])), mapping.header[index].strip())
        problem = pc.if_else(pc.and_(repeats, pc.is_null(problem)), "repeated_header", problem)
    broken = pc.is_valid(problem)
    rows = raw.filter(broken)
    text = _NULL if not rows.num_rows else _row_text(rows)
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


def _without_cell_errors(block: _Block) -> pa.Table:
    """Empty the spreadsheet cells that hold an error, with a note for each."""
    notes = [NOTES.empty_table()]
    for index, target in enumerate(block.mapping.targets):
        column = chunked(block.raw[f"c{index}"])
        hit = pc.starts_with(column, CELL_ERROR)
        if target is None or not pc.any(hit).as_py():
            continue
        count = pc.sum(hit).as_py()
        text = pc.utf8_slice_codeunits(column.filter(hit), 1)
        columns = {
            "row": chunked(block.raw[ROW]).filter(hit),
            "code": ["cell_error"] * count,
            "field": [block.mapping.header[index]] * count,
            "value": text,
        }
        notes.append(pa.table(columns, NOTES))
        block.raw = block.raw.set_column(index + 1, f"c{index}", pc.if_else(hit, "", column))
    return pa.concat_tables(notes)


def _row_text(rows: pa.Table) -> pa.Array:
    cells = [chunked(rows[name]).cast(_TEXT) for name in rows.column_names[1:-1]][:20]
    return pc.utf8_slice_codeunits(pc.binary_join_element_wise(*cells, " | "), 0, 200)


# ── normalising ──────────────────────────────────────────────────────────────────────────────────────────────────


def _normalise(block: _Block) -> None:
    count = block.raw.num_rows
    for key in ("company", "city", "country", "photo_url", "language", "external_id"):
        block.columns[key] = _first([normalise_texts(cells) for cells in block.cells(key)], count)
    block.columns["address"] = joined([normalise_texts(c) for key in _ADDRESS for c in block.cells(key)], ", ", count)
    block.columns["note"] = joined([normalise_texts(cells) for cells in block.cells("note")], "\n", count)
    _names(block, count)
    _phones(block, count)
    _emails(block, count)
    _words(block, count)
    for key in ("created_at", "last_interaction_at"):
        _dates(block, key, count)
    for key, kind in block.mapping.custom.items():
        _custom(block, key, kind)
    if block.profile.clear_marker or block.profile.blank == "clear" or block.profile.duplicates == "overwrite":
        block.columns["clear"] = _cleared(block, count)


def _first(columns: list[pa.Array], count: int) -> pa.Array:
    """The first filled cell of each row."""
    if not columns:
        return pa.nulls(count, _TEXT)
    return columns[0] if len(columns) == 1 else pc.coalesce(*columns)


def _names(block: _Block, count: int) -> None:
    names = {key: _first([normalise_names(cells) for cells in block.cells(key)], count) for key in _NAMES}
    first = joined([names[key] for key in ("first_name", "middle_name") if block.cells(key)], " ", count)
    last = joined([names[key] for key in ("last_name", "second_last_name") if block.cells(key)], " ", count)
    block.columns["first_name"], block.columns["last_name"] = first, last
    block.columns["display_name"] = pc.coalesce(names["display_name"], joined([first, last], " ", count))


def _phones(block: _Block, count: int) -> None:
    raws = block.cells("phone")
    columns = [_phone_column(block, raw) for raw in raws]
    if not columns:
        block.columns["phone"] = pa.nulls(count, _TEXT)
        return
    _several(block, "phone", "more_phones", columns, raws)


def _phone_column(block: _Block, raw: pa.Array) -> Normalised:
    """A column of phones: in the country its own column names, else the profile's, else the contact's country."""
    result = normalise_phones(raw, block.profile.default_country, valid_only=block.profile.phones == "valid")
    local = pc.invert(pc.match_substring_regex(pc.utf8_trim_whitespace(raw), r"^['=(\s]*(?:\+|tel:)"))
    result = _in_countries(block, raw, result, "phone_country", local)
    return _in_countries(block, raw, result, "country", pc.and_(local, pc.is_valid(result.problem)))


def _in_countries(block: _Block, raw: pa.Array, result: Normalised, target: str, where: pa.Array) -> Normalised:
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


def _emails(block: _Block, count: int) -> None:
    raws = block.cells("email")
    columns = [normalise_emails(raw) for raw in raws]
    if not columns:
        block.columns["email"] = pa.nulls(count, _TEXT)
        return
    _several(block, "email", "more_emails", columns, raws)


def _several(block: _Block, key: str, more: str, columns: list[Normalised], raws: list[pa.Array]) -> None:
    """The first good cell is the row's own; further good ones stand in `more`; a bad one shows only without any."""
    if len(columns) == 1 and not _has_several(raws[0]):
        block.put(key, columns[0], raws[0])
        return
    good = [pc.if_else(pc.is_null(column.problem), column.value, _NULL) for column in columns]
    own = _first(good, len(raws[0]))
    value, problem, raw = own, no_problems(len(own)), raws[0]
    for column, cells in zip(columns, raws, strict=True):
        bad = pc.and_(pc.and_(pc.is_null(value), pc.is_null(problem)), pc.is_valid(column.problem))
        value = pc.if_else(bad, column.value, value)
        problem, raw = pc.if_else(bad, column.problem, problem), pc.if_else(bad, cells, raw)
    block.put(key, Normalised(value, problem), raw)
    block.columns[more] = _further(own, good, raws, key, block.profile.default_country)


def _has_several(raw: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(raw, r"[;|]|:::|,.*[@+]")).as_py())


def _further(
    own: pa.Array, good: list[pa.Array], raws: list[pa.Array], key: str, region: str | None
) -> pa.Array:
    """Second values of each row, from further columns and from cells that hold several."""
    extra: dict[int, dict[str, None]] = {}
    owned = own.to_pylist()
    for column, raw in zip(good, raws, strict=True):
        differs = pc.and_(pc.is_valid(column), pc.not_equal(column, own)).fill_null(False)
        for index in np.flatnonzero(differs.to_numpy(zero_copy_only=False)):
            extra.setdefault(int(index), {})[column[int(index)].as_py()] = None
        packed = pc.match_substring_regex(raw, r"[;|]|:::|,.*[@+]")
        for index in np.flatnonzero(packed.to_numpy(zero_copy_only=False)):
            for value in _parts(raw[int(index)].as_py(), key, region):
                if value != owned[int(index)]:
                    extra.setdefault(int(index), {})[value] = None
    return pa.array([SEPARATOR.join(extra[i]) if i in extra else None for i in range(len(own))], _TEXT)


def _parts(text: str, key: str, region: str | None) -> list[str]:
    column = pa.array([part for part in text.replace(":::", ";").replace("|", ";").replace(",", ";").split(";")])
    found = normalise_emails(column) if key == "email" else normalise_phones(column, region)
    return [value for value, bad in zip(found.value.to_pylist(), found.problem.to_pylist(), strict=True) if value and not bad]


def _words(block: _Block, count: int) -> None:
    for key, normalise in (("status", words.normalise_statuses), ("channel", words.normalise_channels)):
        cells = block.cells(key)
        if cells:
            block.put(key, normalise(cells[0]), cells[0])
        else:
            block.columns[key] = pa.nulls(count, _TEXT)
    for cells in block.cells("blocked"):
        blocked = normalise_booleans(cells)
        block.columns["status"] = pc.if_else(blocked.value.fill_null(False), "blocked", block.columns["status"])
    separator = block.profile.tag_separator or (block.mapping.layout.tag_separator if block.mapping.layout else None)
    tags = [words.normalise_tags(cells, separator) for cells in block.cells("tags")]
    if block.profile.tags:
        tags.append(pa.array([SEPARATOR.join(block.profile.tags)] * count, _TEXT))
    block.columns["tags"] = joined(tags, SEPARATOR, count)
    consents = [_consent(block, target, state) for target, state in _consent_targets(block)]
    if consents:
        block.columns["consents"] = joined(consents, SEPARATOR, count)


def _consent_targets(block: _Block) -> list[tuple[str, str]]:
    found = [(target, "out") for target in OPT_OUTS] + [(target, "in") for target in OPT_INS]
    return [(target, state) for target, state in found if block.cells(target)]


def _consent(block: _Block, target: str, state: str) -> pa.Array:
    """`channel:in` or `channel:out` where the cell says yes, and for opt-in columns also where it says no."""
    said = normalise_booleans(block.cells(target)[0]).value
    channel, other = target.partition(".")[2], _NULL if state == "out" else pa.scalar("out")
    no = _NULL if state == "out" else pa.scalar(f"{channel}:{other.as_py()}")
    return pc.if_else(said, pa.scalar(f"{channel}:{state}"), no)


def _dates(block: _Block, key: str, count: int) -> None:
    cells = block.cells(key)
    if not cells:
        block.columns[key] = pa.nulls(count, pa.timestamp("us", "UTC"))
        return
    block.put(key, normalise_dates(cells[0], _date_order(block), block.profile.time_zone), cells[0])


def _date_order(block: _Block) -> str | None:
    return block.profile.date_order or (block.mapping.layout.date_order if block.mapping.layout else None)


def _custom(block: _Block, key: str, kind: FieldType) -> None:
    name = f"{CUSTOM}{key}"
    raw = _first(block.cells(name), block.raw.num_rows)
    match kind:
        case "number":
            block.put(name, normalise_numbers(raw, block.profile.decimal), raw)
        case "boolean":
            block.put(name, normalise_booleans(raw), raw)
        case "date" | "datetime":
            zone = "UTC" if kind == "date" else block.profile.time_zone
            block.put(name, normalise_dates(raw, _date_order(block), zone), raw)
        case "text" | "long_text":
            block.columns[name] = normalise_texts(raw)


def _cleared(block: _Block, count: int) -> pa.Array:
    """The fields that the row empties: by the clear marker, or by blanks where the profile says so."""
    blanks = block.profile.blank == "clear" or block.profile.duplicates == "overwrite"
    parts = []
    for target in dict.fromkeys(target for target in block.mapping.targets if target):
        name = "display_name" if target in _NAMES and target not in block.columns else target
        if name not in block.columns or name in ("tags", "external_id", "note", "status"):
            continue
        raw = _first(block.cells(target), count)
        hit = pc.equal(raw, block.profile.clear_marker or "")
        if blanks:
            hit = pc.or_(hit, pc.equal(pc.binary_length(pc.utf8_trim_whitespace(raw)), 0))
        elif not block.profile.clear_marker:
            continue
        block.columns[name] = pc.if_else(hit, pa.scalar(None, block.columns[name].type), block.columns[name])
        if name in block.problems:
            block.problems[name] = pc.if_else(hit, _NULL, block.problems[name])
        parts.append(pc.if_else(hit, pa.scalar(name), _NULL))
    return joined(parts, SEPARATOR, count)


# ── judging ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _judge(frame: pa.Table, block: _Block) -> tuple[pa.Table, pa.Table]:
    """Validate with pandera; cells that fail are emptied and noted."""
    checked = frame.drop_columns([ROW]).to_pandas(types_mapper=pd.ArrowDtype)
    found = _failures(checked, block.mapping.custom)
    for name, problem in block.problems.items():
        if problem.null_count < len(problem):
            failed = np.flatnonzero(pc.is_valid(problem).to_numpy(zero_copy_only=False))
            found.setdefault(name, {}).update(dict.fromkeys(failed.tolist(), ""))
    rows = chunked(frame[ROW])
    notes = []
    for name, failed in found.items():
        where = np.fromiter(failed, np.int64, len(failed))
        notes.append(_cell_notes(block, name, where, list(failed.values()), rows))
        mask = np.zeros(frame.num_rows, bool)
        mask[where] = True
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


def _cell_notes(block: _Block, name: str, where: np.ndarray, codes: list[str], rows: pa.Array) -> pa.Table:
    """A note for each failed cell, with its normaliser's code where there is one, and its text as it was."""
    at = pa.array(where)
    code = pa.array(codes, _TEXT)
    if name in block.problems:
        code = pc.coalesce(block.problems[name].take(at), code)
    raw = block.raw_of.get(name)
    value = raw if raw is not None else block.columns[name]
    text = pc.utf8_slice_codeunits(value.take(at).cast(_TEXT).fill_null(""), 0, 200)
    header = pa.array([block.mapping.header_of(name)] * len(at), _TEXT)
    return pa.table({"row": rows.take(at), "code": code, "field": header, "value": text}, NOTES)


def _without_key(frame: pa.Table) -> np.ndarray:
    """The rows from which nobody can be told, by the pandera schema of keys."""
    has = pc.is_valid(frame["phone"])
    for name in ("email", "external_id", "more_phones", "more_emails"):
        if name in frame.column_names:
            has = pc.or_(has, pc.is_valid(frame[name]))
    checked = pa.table({"has_key": has}).to_pandas(types_mapper=pd.ArrowDtype)
    try:
        KEYS.validate(checked, lazy=True)
        return np.empty(0, np.int64)
    except SchemaErrors as errors:
        where = errors.failure_cases["index"].astype("int64").to_numpy()
        return chunked(frame[ROW]).to_numpy()[where]


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
    several = [(name, _TEXT) for name in ("more_phones", "more_emails", "consents", "clear")]
    return pa.schema([(ROW, pa.int64()), *fixed, ("phone_match", _TEXT), ("search_text", _TEXT), *several, *extra])


def _finished(frame: pa.Table, mapping: ColumnMap) -> CleanFrame:
    """With its match forms and search text, and every column of the clean schema."""
    count = frame.num_rows
    own = {name: chunked(frame[name]) for name in frame.column_names}
    for key, more in (("phone", "more_phones"), ("email", "more_emails")):
        if more in own:
            own[key], own[more] = _promoted(own[key], own[more])
    own["phone_match"] = match_form(own["phone"])
    own["search_text"] = search_text(own["display_name"], own["phone"], own["email"])
    schema = clean_schema(mapping.custom)
    return CleanFrame(
        pa.Table.from_arrays(
            [own[item.name].cast(item.type) if item.name in own else pa.nulls(count, item.type) for item in schema],
            schema=schema,
        )
    )


def _promoted(own: pa.Array, more: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Where only further values are good, the first of them becomes the row's own."""
    needed = pc.and_(pc.is_null(own), pc.is_valid(more))
    if not pc.any(needed).as_py():
        return own, more
    first = pc.list_element(pc.split_pattern(more.fill_null(""), SEPARATOR), 0)
    return pc.if_else(needed, first, own), more


def search_text(name: pa.Array, phone: pa.Array, email: pa.Array) -> pa.Array:
    """What the search box looks through: folded name, phone digits, e-mail."""
    digits = pc.utf8_slice_codeunits(phone, 1)
    return joined([fold(name), digits, email], " ", len(name))


def with_default_country(profile: Profile, country: str) -> Profile:
    """The installation's country where the profile names none."""
    return replace(profile, default_country=country) if country and not profile.default_country else profile
