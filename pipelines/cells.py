"""The cells of a block to columns of the contact's fields, in the block's own order; nothing is judged here."""

import re
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import words
from pipelines.choices import normalise_choices
from pipelines.columns import SEPARATOR, Normalised, chunked, joined, no_problems, without_blanks
from pipelines.dates import normalise_dates
from pipelines.external_ids import each_id, long_ids, own_numbers, plain_ids
from pipelines.mapping import ColumnMap, source_of
from pipelines.numbers import normalise_booleans, normalise_flags, normalise_numbers
from pipelines.texts import normalise_names, normalise_texts
from schemas.consents import DATA_CONSENT, EVERY_CHANNEL
from schemas.fields import CONSENTS, CUSTOM, OPT_OUTS, FieldType, options_of
from schemas.frames import OWN_NUMBER
from schemas.layouts import OURS
from schemas.profiles import Profile

NOTES = pa.schema([("row", pa.int64()), ("code", pa.string()), ("field", pa.string()), ("value", pa.string())])
"""What is said of a row or a cell."""

_TEXT = pa.string()
_NULL = pa.scalar(None, _TEXT)
_STAMP = pa.timestamp("us", "UTC")
_PLAIN = ("company", "city", "country", "photo_url", "language")
_ADDRESS = ("street", "address", "neighborhood", "postal_code", "region")
_GMT = re.compile(r"\((?:GMT|UTC)\s*([+\-\N{MINUS SIGN}]?\d{1,2})(?::00)?\)")
_MOST_HOURS = 12
_NAMES = ("first_name", "last_name", "display_name")
_NAME_PARTS = {"first_name": ("first_name", "middle_name"), "last_name": ("last_name", "second_last_name")}


@dataclass(slots=True)
class Block:
    """A block on its way: its raw cells, and the columns, problems and notes made of them so far."""

    raw: pa.Table
    mapping: ColumnMap
    profile: Profile
    columns: dict[str, pa.Array] = field(default_factory=dict)
    problems: dict[str, pa.Array] = field(default_factory=dict)
    raw_of: dict[str, pa.Array] = field(default_factory=dict)
    header_of: dict[str, pa.Array] = field(default_factory=dict)
    notes: list[pa.Table] = field(default_factory=list)

    @property
    def count(self) -> int:
        return int(self.raw.num_rows)

    def cells(self, *targets: str) -> list[pa.Array]:
        """The raw columns that are mapped to these targets."""
        return [chunked(self.raw[f"c{at}"]) for target in targets for at in self.mapping.columns_of(target)]

    def first_cells(self, *targets: str) -> pa.Array:
        """The first filled raw cell of each row among these targets; empty text where there is none."""
        cells = self.cells(*targets)
        if len(cells) == 1:
            return cells[0]
        filled = [pc.if_else(is_blank(column), _NULL, column) for column in cells]
        return pc.coalesce(*filled, "") if filled else pa.array([""] * self.count, _TEXT)

    def put(self, name: str, column: Normalised, raw: pa.Array) -> None:
        self.columns[name], self.problems[name], self.raw_of[name] = column.value, column.problem, raw


def put_first(block: Block, key: str, own: pa.Array, columns: list[tuple[int, Normalised, pa.Array]]) -> None:
    """Put the good cells `own`; a row without any shows its first bad one of the columns (place, found, raw cells).

    Every other bad cell is noted.
    """
    value, problem = own, no_problems(block.count)
    raw = columns[0][2] if columns else pa.array([""] * block.count, _TEXT)
    header = pa.array([block.mapping.header[columns[0][0]] if columns else key] * block.count, _TEXT)
    for at, found, cells in columns:
        shown = pc.and_(pc.and_(pc.is_null(value), pc.is_null(problem)), pc.is_valid(found.problem))
        value = pc.if_else(shown, found.value, value)
        problem, raw = pc.if_else(shown, found.problem, problem), pc.if_else(shown, cells, raw)
        header = pc.if_else(shown, block.mapping.header[at], header)
        note_cells(block, pc.if_else(shown, _NULL, found.problem), cells, block.mapping.header[at])
    block.put(key, Normalised(value, problem), raw)
    block.header_of[key] = header


def is_blank(column: pa.Array) -> pa.Array:
    """Where a cell has nothing but spaces."""
    return pc.equal(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)


def read_cells(block: Block) -> None:
    """Fill in the block's columns, but for phones and e-mails (`pipelines/reach.py`)."""
    _clear(block)
    for key in _PLAIN:
        block.columns[key] = first([normalise_texts(cells) for cells in block.cells(key)], block.count)
    ids = [plain_ids(without_blanks(normalise_texts(cells))) for cells in block.cells("external_id")]
    source = source_of(block.mapping, block.profile)
    if source == OURS:
        ids = [part for column in ids for part in each_id(column)]
        block.columns[OWN_NUMBER] = own_numbers(block.raw, block.mapping.header)
    if source == "salesforce":
        ids = [long_ids(column) for column in ids]
    block.columns["external_id"] = first(ids, block.count)
    if len(ids) > 1:
        own = block.columns["external_id"]
        further = [pc.if_else(pc.equal(column, own), _NULL, column) for column in ids[1:]]
        block.columns["more_ids"] = joined(further, SEPARATOR, block.count)
    block.columns["address"] = _address(block)
    block.columns["note"] = joined([normalise_texts(cells) for cells in block.cells("note")], "\n", block.count)
    _names(block)
    _words(block)
    for key in ("created_at", "last_interaction_at"):
        _dates(block, key)
    for key, kind in block.mapping.custom.items():
        _custom(block, key, kind)


def _address(block: Block) -> pa.Array:
    """The parts of an address put together, without those that the whole address says already."""
    whole = first([normalise_texts(cells) for cells in block.cells("address")], block.count)
    parts = []
    for target in _ADDRESS:
        if target == "address":
            parts.append(whole)
            continue
        for cells in [*block.cells(target), *(_regions(block) if target == "region" else [])]:
            part = normalise_texts(cells)
            both = pc.and_(pc.is_valid(whole), pc.is_valid(part))
            said = pc.replace_with_mask(both, both, _within(part.filter(both), whole.filter(both)))
            parts.append(pc.if_else(said, _NULL, part))
    return joined(parts, ", ", block.count)


def _regions(block: Block) -> list[pa.Array]:
    """Cells of statuses that are none and stand where an address names its state."""
    columns = [
        chunked(block.raw[f"c{at}"]) for at in block.mapping.columns_of("status") if block.mapping.may_be_region(at)
    ]
    return [pc.if_else(_no_status(words.normalise_statuses(cells)), cells, "") for cells in columns]


def _no_status(found: Normalised) -> pa.Array:
    return pc.and_not(pc.is_valid(found.problem), _says_out(found))


def _within(parts: pa.Array, wholes: pa.Array) -> pa.Array:
    return pa.array(
        [part in whole for part, whole in zip(parts.to_pylist(), wholes.to_pylist(), strict=True)], pa.bool_()
    )


def first(columns: list[pa.Array], count: int) -> pa.Array:
    """The first filled cell of each row."""
    if not columns:
        return pa.nulls(count, _TEXT)
    return columns[0] if len(columns) == 1 else pc.coalesce(*columns)


def _names(block: Block) -> None:
    for name, parts in _NAME_PARTS.items():
        columns = [first([normalise_names(c) for c in block.cells(part)], block.count) for part in parts]
        block.columns[name] = joined(columns, " ", block.count)
    whole = first([normalise_names(cells) for cells in block.cells("display_name")], block.count)
    both = joined([block.columns["first_name"], block.columns["last_name"]], " ", block.count)
    block.columns["display_name"] = pc.coalesce(whole, both)


# ── words and consent ────────────────────────────────────────────────────────────────────────────────────────────


def _words(block: Block) -> None:
    raw = block.first_cells("channel")
    block.put("channel", words.normalise_channels(raw), raw)
    opted_out = _statuses(block)
    for at in block.mapping.columns_of("blocked"):
        _block_where(block, _flags(block, at))
    separator = block.profile.tag_separator or (block.mapping.layout.tag_separator if block.mapping.layout else None)
    tags = [words.normalise_tags(cells, separator) for cells in block.cells("tags")]
    own = words.join_tags([tag.strip() for tag in block.profile.tags if tag.strip()])
    if own:
        tags.append(pa.array([own] * block.count, _TEXT))
    block.columns["tags"] = joined(tags, SEPARATOR, block.count)
    said = [_consent(block, at, target) for target in CONSENTS for at in block.mapping.columns_of(target)]
    block.columns["consents"] = joined([*said, opted_out], SEPARATOR, block.count)


def _block_where(block: Block, blocked: pa.Array) -> None:
    """Any column that says blocked wins over any that does not."""
    hit = blocked.fill_null(False)
    block.columns["status"] = pc.if_else(hit, "blocked", block.columns["status"])
    block.problems["status"] = pc.if_else(hit, _NULL, block.problems["status"])


def _consent(block: Block, at: int, target: str) -> pa.Array:
    """`channel:in` or `channel:out` for each cell of a column, `channel:out@…` where it says when (µs since 1970).

    There is a note for every cell that cannot be told.
    """
    cells = chunked(block.raw[f"c{at}"])
    channel = target.partition(".")[2] or EVERY_CHANNEL
    said = words.normalise_consents(cells, "opt_out" if target in OPT_OUTS else "opt_in")
    note_cells(block, said.problem, cells, block.mapping.header[at])
    state = said.value
    if target == DATA_CONSENT:
        state = pc.if_else(pc.equal(state, "out"), state, _NULL)
    times = normalise_dates(cells, _date_order(block), block.profile.time_zone or "UTC")
    when = pc.if_else(pc.is_null(times.problem), times.value, pa.scalar(None, _STAMP)).cast(pa.int64()).cast(_TEXT)
    plain = pc.binary_join_element_wise(channel, state, ":")
    return pc.coalesce(pc.binary_join_element_wise(plain, when, "@"), plain)


def _statuses(block: Block) -> pa.Array:
    """The first status of each row that is known, blocked before any other; gives the opt-outs that statuses say.

    A status of unsubscribed is an opt-out of every channel, and no problem.
    """
    columns = block.mapping.columns_of("status")
    raws = [chunked(block.raw[f"c{at}"]) for at in columns]
    found = [words.normalise_statuses(raw) for raw in raws]
    for place, at in enumerate(columns):
        if block.mapping.may_be_region(at):
            none = _no_status(found[place])
            found[place] = Normalised(
                *(pc.if_else(none, _NULL, part) for part in (found[place].value, found[place].problem))
            )
    outs = [_says_out(column) for column in found]
    found = [
        Normalised(pc.if_else(out, _NULL, column.value), pc.if_else(out, _NULL, column.problem))
        for column, out in zip(found, outs, strict=True)
    ]
    good = [pc.if_else(pc.is_null(column.problem), column.value, _NULL) for column in found]
    put_first(block, "status", first(good, block.count), list(zip(columns, found, raws, strict=True)))
    for column in good[1:]:
        _block_where(block, pc.equal(column, "blocked"))
    opted_out = pa.nulls(block.count, _TEXT)
    for out in outs:
        opted_out = pc.if_else(out, f"{EVERY_CHANNEL}:out", opted_out)
    return opted_out


def _says_out(column: Normalised) -> pa.Array:
    unknown = pc.is_valid(column.problem)
    return pc.and_(unknown, words.says_out(column.value)) if pc.any(unknown).as_py() else unknown


def _flags(block: Block, at: int) -> pa.Array:
    """Yes and no, with a note for every cell that says neither."""
    cells = chunked(block.raw[f"c{at}"])
    found = normalise_flags(cells)
    note_cells(block, found.problem, cells, block.mapping.header[at])
    return found.value


def note_cells(block: Block, problem: pa.Array, cells: pa.Array, header: str) -> None:
    """A note for each cell with a problem."""
    wrong = pc.is_valid(problem)
    count = pc.sum(wrong).as_py() or 0
    if count:
        columns = {
            "row": chunked(block.raw["row"]).filter(wrong),
            "code": problem.filter(wrong),
            "field": [header] * count,
            "value": pc.utf8_slice_codeunits(cells.filter(wrong), 0, 200),
        }
        block.notes.append(pa.table(columns, NOTES))


# ── dates and custom fields ──────────────────────────────────────────────────────────────────────────────────────


def _dates(block: Block, key: str) -> None:
    if not block.cells(key):
        block.columns[key] = pa.nulls(block.count, _STAMP)
        return
    raw = block.first_cells(key)
    block.put(key, normalise_dates(raw, _date_order(block), _zone(block, key)), raw)


def _zone(block: Block, key: str) -> str:
    """The zone that the header names, as HubSpot's do: `Create Date (GMT-5)`; else the profile's."""
    said = _GMT.search(block.mapping.header_of(key))
    hours = int(said.group(1).replace("\N{MINUS SIGN}", "-")) if said else 0
    if said is None or abs(hours) > _MOST_HOURS:
        return block.profile.time_zone or "UTC"
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"


def _date_order(block: Block) -> str | None:
    return block.profile.date_order or (block.mapping.layout.date_order if block.mapping.layout else None)


def _custom(block: Block, key: str, kind: FieldType) -> None:
    name = f"{CUSTOM}{key}"
    raw = block.first_cells(name)
    match kind:
        case "number":
            block.put(name, normalise_numbers(raw, block.profile.decimal), raw)
        case "boolean":
            block.put(name, normalise_booleans(raw), raw)
        case "date" | "datetime":
            zone = "UTC" if kind == "date" else block.profile.time_zone or "UTC"
            block.put(name, normalise_dates(raw, _date_order(block), zone), raw)
        case "choice" | "choices":
            block.put(name, normalise_choices(raw, options_of(kind), several=kind == "choices"), raw)
        case "text" | "long_text":
            block.columns[name] = normalise_texts(raw)


# ── clearing ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _clear(block: Block) -> None:
    """Note which fields each row empties, and take the clear marker out of the cells.

    A field is emptied where all its columns are blank and one of them held the marker, or the profile says that
    blanks clear; names only by the marker, as they tell whose a shared phone is. Phones, e-mails, ids, tags, notes and
    statuses are never emptied by a file.
    """
    marker = block.profile.clear_marker
    blanks = block.profile.blank == "clear" or block.profile.duplicates == "overwrite"
    if not (marker or blanks):
        return
    parts = []
    for name, targets in _clearable(block):
        columns = block.cells(*targets)
        marked = [pc.equal(pc.utf8_trim_whitespace(column), marker or "\0") for column in columns]
        blank = [pc.or_(is_blank(column), mark) for column, mark in zip(columns, marked, strict=True)]
        hit = blank[0]
        any_mark = marked[0]
        for one, other in zip(blank[1:], marked[1:], strict=True):
            hit, any_mark = pc.and_(hit, one), pc.or_(any_mark, other)
        hit = hit if blanks and name not in _NAMES else pc.and_(hit, any_mark)
        parts.append(pc.if_else(hit, pa.scalar(name), _NULL))
    block.columns["clear"] = joined(parts, SEPARATOR, block.count)
    if marker:
        _without_marker(block, marker)


def _clearable(block: Block) -> list[tuple[str, tuple[str, ...]]]:
    """The fields that files can empty, with the targets that fill them."""
    fields: list[tuple[str, tuple[str, ...]]] = [
        (name, (name,)) for name in (*_PLAIN, "display_name", "channel", "last_interaction_at")
    ]
    fields += [*_NAME_PARTS.items(), ("address", _ADDRESS)]
    fields += [(f"{CUSTOM}{key}", (f"{CUSTOM}{key}",)) for key in block.mapping.custom]
    return [(name, targets) for name, targets in fields if block.cells(*targets)]


def _without_marker(block: Block, marker: str) -> None:
    for at, target in enumerate(block.mapping.targets):
        if target is not None:
            column = chunked(block.raw[f"c{at}"])
            hit = pc.equal(pc.utf8_trim_whitespace(column), marker)
            block.raw = block.raw.set_column(at + 1, f"c{at}", pc.if_else(hit, "", column))
