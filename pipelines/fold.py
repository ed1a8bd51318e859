"""Several rows of one person folded into one, in file order, by the profile's rule for duplicates."""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.aliases import match_form
from pipelines.columns import SEPARATOR, Longs, chunked
from pipelines.keys import key_form
from pipelines.names import is_fuller
from pipelines.words import tag_form
from schemas.frames import ROW, CleanFrame
from schemas.profiles import Profile

_UNITED = ("consents", "tags", "more_phones", "more_emails", "more_ids", "clear")
_KEYS = (("phone", "more_phones"), ("email", "more_emails"), ("external_id", "more_ids"))
_NAMES = ("first_name", "last_name", "display_name")
_Pick = Callable[[Longs, pa.Array], pa.Array]


def fold_rows(frame: CleanFrame, leaders: Longs, profile: Profile) -> CleanFrame:
    """One row for each leader, sorted by leader; `leaders` stands in the order of the frame's rows.

    `update` lets later cells win, `merge` and `skip` earlier ones, `overwrite` the last row; of names the fullest wins.
    Tags and further keys are united; a phone or e-mail that does not win is kept as a further one; blocked stays.
    """
    order = np.lexsort((chunked(frame[ROW]).to_numpy(), leaders))
    rows = frame.take(pa.array(order)).combine_chunks()
    ordered = leaders[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    pick = _picker(profile, len(ordered))
    columns = {name: pick(starts, chunked(rows[name])) for name in rows.column_names}
    columns |= _fullest_names(starts, rows)
    for name in _UNITED:
        columns[name] = _united(starts, chunked(rows[name]))
    columns["note"] = _joined(starts, chunked(rows["note"]))
    for key, more in _KEYS:
        if profile.duplicates == "overwrite":
            columns[key] = _last_filled(starts, chunked(rows[key]))
        if key == "phone":
            columns[key] = _first_alike(starts, chunked(rows[key]), columns[key])
        columns[more] = _with_losers(starts, chunked(rows[key]), columns[key], columns[more])
    columns["clear"] = _still_empty(columns)
    columns["status"] = _status(starts, chunked(rows["status"]), columns["status"])
    columns["last_interaction_at"] = _latest(starts, chunked(rows["last_interaction_at"]))
    columns["created_at"] = _earliest(starts, chunked(rows["created_at"]))
    columns[ROW] = pa.array(ordered[starts])
    columns["phone_match"] = match_form(columns["phone"])
    return CleanFrame(pa.Table.from_arrays([columns[item.name] for item in frame.schema], schema=frame.schema))


def _picker(profile: Profile, count: int) -> _Pick:
    """How a group's cell is chosen: the last or first filled one, or the last row's."""
    match profile.duplicates:
        case "overwrite":
            return lambda starts, column: column.take(pa.array(np.r_[starts[1:], count] - 1))
        case "skip" | "merge":
            return _first_filled
        case _:
            return _last_filled


def _first_filled(starts: Longs, column: pa.Array) -> pa.Array:
    positions = np.arange(len(column))
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    at = np.minimum.reduceat(np.where(valid, positions, len(column)), starts)
    return column.take(pa.array(at, mask=at == len(column)))


def _last_filled(starts: Longs, column: pa.Array) -> pa.Array:
    valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
    at = np.maximum.reduceat(np.where(valid, np.arange(len(column)), -1), starts)
    return column.take(pa.array(at, mask=at < 0))


def _several(starts: Longs, column: pa.Array) -> tuple[pa.Array, Longs]:
    """The one value of each group, and the groups (by position) that have more than one."""
    codes = column.dictionary_encode().indices
    filled = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    high = np.maximum.reduceat(filled, starts)
    low = np.minimum.reduceat(np.where(filled < 0, np.iinfo(np.int64).max, filled), starts)
    return _first_filled(starts, column), np.flatnonzero((high >= 0) & (low != high))


def _combined(starts: Longs, column: pa.Array, join: Callable[[list[str]], str | None]) -> pa.Array:
    """The one value of each group, or what `join` makes of several."""
    single, mixed = _several(starts, column)
    if not len(mixed):
        return single
    ends = np.r_[starts[1:], len(column)]
    texts = [join(column[int(starts[at]) : int(ends[at])].drop_null().to_pylist()) for at in mixed.tolist()]
    mask = np.zeros(len(starts), bool)
    mask[mixed] = True
    return pc.replace_with_mask(single, pa.array(mask), pa.array(texts, pa.string()))


def _fullest_names(starts: Longs, rows: pa.Table) -> dict[str, pa.Array]:
    """The names of each group: later ones win, but for those that only leave words out of an earlier one."""
    wholes = chunked(rows["display_name"])
    _, mixed = _several(starts, wholes)
    found = {name: _last_filled(starts, chunked(rows[name])) for name in _NAMES}
    if not len(mixed):
        return found
    ends = np.r_[starts[1:], len(wholes)]
    chosen = [_fullest(wholes, int(starts[at]), int(ends[at])) for at in mixed.tolist()]
    mask = np.zeros(len(starts), bool)
    mask[mixed] = True
    for name in _NAMES:
        column = chunked(rows[name])
        own = column.take(pa.array(chosen))
        kept = pc.coalesce(own, found[name].filter(pa.array(mask))) if name == "display_name" else own
        found[name] = pc.replace_with_mask(found[name], pa.array(mask), kept)
    return found


def _fullest(wholes: pa.Array, start: int, end: int) -> int:
    """The position of the name that counts among those of a group."""
    best = start
    for at in range(start + 1, end):
        if wholes[at].is_valid and not is_fuller(wholes[best].as_py(), wholes[at].as_py()):
            best = at
    return best


def _united(starts: Longs, column: pa.Array) -> pa.Array:
    def unite(texts: list[str]) -> str | None:
        parts: dict[str, str] = {}
        for text in texts:
            for part in text.split(SEPARATOR):
                parts.setdefault(tag_form(part), part)
        return SEPARATOR.join(parts.values()) or None

    return _combined(starts, column, unite)


def _joined(starts: Longs, column: pa.Array) -> pa.Array:
    return _combined(starts, column, lambda texts: "\n".join(dict.fromkeys(texts)) or None)


def _first_alike(starts: Longs, phones: pa.Array, winner: pa.Array) -> pa.Array:
    """The winner in the first of its spellings that are one number: with the Brazilian 9 and without."""
    _, mixed = _several(starts, phones)
    if not len(mixed):
        return winner
    ends = np.r_[starts[1:], len(phones)]
    texts = []
    for at in mixed.tolist():
        mine = winner[at].as_py() or ""
        written = phones[int(starts[at]) : int(ends[at])].drop_null().to_pylist()
        texts.append(next((one for one in written if _forms([one]) == _forms([mine])), mine) or None)
    mask = np.zeros(len(starts), bool)
    mask[mixed] = True
    return pc.replace_with_mask(winner, pa.array(mask), pa.array(texts, pa.string()))


def _with_losers(starts: Longs, column: pa.Array, winner: pa.Array, further: pa.Array) -> pa.Array:
    """The further values, with the group's own values that did not win, and without the winner."""
    every = _combined(starts, column, lambda texts: SEPARATOR.join(dict.fromkeys(texts)))
    odd = pc.or_(pc.and_(pc.is_valid(every), pc.invert(is_same(every, winner))), pc.is_valid(further))
    where = np.flatnonzero(odd.to_numpy(zero_copy_only=False))
    if not len(where):
        return further
    texts = []
    for at in where.tolist():
        parts = [*_parts(every[at].as_py()), *_parts(further[at].as_py())]
        kept = dict(zip(_forms(reversed(parts)), reversed(parts), strict=True))
        mine = _forms([winner[at].as_py() or ""])[0]
        texts.append(SEPARATOR.join(part for form, part in reversed(kept.items()) if form != mine) or None)
    return pc.replace_with_mask(further, odd, pa.array(texts, pa.string()))


def _forms(parts: Iterable[str]) -> list[str]:
    """The match forms of phones; any other key is its own."""
    return [key_form("phone", part) if part.startswith("+") else part for part in parts]


def _still_empty(columns: dict[str, pa.Array]) -> pa.Array:
    """The fields to empty, without those that some row of the group filled."""
    cleared = columns["clear"]
    if cleared.null_count == len(cleared):
        return cleared
    texts = [
        SEPARATOR.join(name for name in _parts(text) if not columns[name][at].is_valid) or None
        for at, text in enumerate(cleared.to_pylist())
    ]
    return pa.array(texts, pa.string())


def _parts(text: str | None) -> list[str]:
    return text.split(SEPARATOR) if text else []


def _status(starts: Longs, column: pa.Array, picked: pa.Array) -> pa.Array:
    blocked = pc.equal(column, "blocked").fill_null(False).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(np.logical_or.reduceat(blocked, starts)), "blocked", picked)


def _latest(starts: Longs, column: pa.Array) -> pa.Array:
    stamps = column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False)
    latest = np.maximum.reduceat(stamps, starts)
    return pa.array(latest, mask=latest == np.iinfo(np.int64).min).cast(column.type)


def _earliest(starts: Longs, column: pa.Array) -> pa.Array:
    stamps = column.cast(pa.int64()).fill_null(np.iinfo(np.int64).max).to_numpy(zero_copy_only=False)
    earliest = np.minimum.reduceat(stamps, starts)
    return pa.array(earliest, mask=earliest == np.iinfo(np.int64).max).cast(column.type)


def is_same(one: pa.Array, other: pa.Array) -> pa.Array:
    """Whether the values are the same, null being the same as null."""
    return pc.or_kleene(pc.equal(one, other), pc.and_(pc.is_null(one), pc.is_null(other))).fill_null(False)
