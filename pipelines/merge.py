"""What an incoming row makes of the contact it matched. Pure: frames in, new values and their history out.

Nothing here lowers consent: blocked stays blocked whatever the row says, and the later last interaction wins.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import SEPARATOR, chunked, joined
from pipelines.countries import is_same_country
from pipelines.fold import is_same
from pipelines.names import is_fuller
from pipelines.texts import fold, search_text
from schemas.profiles import Duplicates

PLAIN = ("first_name", "last_name", "company", "address", "city", "country", "photo_url", "channel", "language")
HISTORY = (*PLAIN, "display_name", "phone", "email", "status", "created_at", "last_interaction_at")
_NOTHING = pa.scalar(None, pa.string())
Diffs = dict[int, dict[str, list[Any]]]


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged contacts (columns as in `contacts`), and each change as {field: [old, new]}.

    `lost` are keys that stopped being a contact's own phone or e-mail: (position, kind, match form, written form).
    """

    columns: dict[str, pa.Array]
    diffs: Diffs
    stays_blocked: np.ndarray[Any, np.dtype[np.bool_]]
    lost: list[tuple[int, str, str, str]]


def merge_contacts(
    existing: pa.Table, incoming: pa.Table, policy: Duplicates, *, keep_phone: pa.Array, keep_email: pa.Array
) -> Merged:
    """Merge row by row; both tables stand in the same order.

    `keep_phone` and `keep_email` mark rows whose own phone or e-mail must not take the contact's place.
    """
    cleared = incoming["clear"].fill_null("")
    new = {name: pick(existing[name], incoming[name], clears(cleared, name), policy) for name in PLAIN}
    new["country"] = _kept(existing["country"], new["country"], is_same_country)
    if policy != "overwrite":
        new |= {name: _kept(existing[name], new[name], is_fuller) for name in ("first_name", "last_name")}
    new["display_name"] = _display_name(existing, incoming, new, clears(cleared, "display_name"), policy)
    new |= _parts_of_another_name(existing, new)
    new |= _own_key(existing, incoming, ("phone", "phone_match"), "phone_match", policy, keep_phone)
    new |= _own_key(existing, incoming, ("email", "email_match"), "email_match", policy, keep_email)
    new["status"], stays_blocked = _status(existing["status"], incoming["status"], policy)
    new["last_interaction_at"] = _later(existing["last_interaction_at"], incoming["last_interaction_at"])
    new["created_at"] = _earlier(existing["created_at"], incoming["created_at"], policy)
    diffs: Diffs = {}
    for name in HISTORY:
        _note_changes(diffs, name, existing[name], new[name])
    new["search_text"] = search_text(*(chunked(new[name]) for name in ("display_name", "phone", "email")))
    return Merged(new, diffs, stays_blocked.to_numpy(zero_copy_only=False), _lost(existing, new))


def _later(one: pa.Array, other: pa.Array) -> pa.Array:
    return pc.if_else(pc.greater(other, one).fill_null(False), other, pc.coalesce(one, other))


def _earlier(old: pa.Array, new: pa.Array, policy: Duplicates) -> pa.Array:
    """Nobody is a contact from later than any file says; what a load without a date noted was the time of loading."""
    return pc.if_else(pc.less(new, old).fill_null(False), new, old) if policy != "skip" else old


def pick(old: pa.Array, new: pa.Array, emptied: pa.Array, policy: Duplicates) -> pa.Array:
    """The value that the policy leaves: `skip` none of the row's, `merge` only in gaps, else a filled cell wins."""
    if policy == "skip":
        return old
    if policy == "merge":
        return pc.coalesce(old, new)
    return pc.if_else(emptied, pa.scalar(None, old.type), pc.coalesce(new, old))


def clears(cleared: pa.Array, name: str) -> pa.Array:
    """Where the `clear` column of a clean frame names this field."""
    wrapped = pc.binary_join_element_wise("", cleared.fill_null(""), "", SEPARATOR)
    return pc.match_substring(wrapped, f"{SEPARATOR}{name}{SEPARATOR}")


def _display_name(
    existing: pa.Table, incoming: pa.Table, new: dict[str, pa.Array], emptied: pa.Array, policy: Duplicates
) -> pa.Array:
    """A name of the row's own is picked like any field; one put together from parts follows the merged parts.

    A contact known only by its whole name keeps it until both parts are known.
    """
    old, count = existing["display_name"], existing.num_rows
    derived = is_same(incoming["display_name"], _whole(incoming, count))
    picked = pick(old, incoming["display_name"], emptied, policy)
    parts_same = pc.and_(*(is_same(existing[name], new[name]) for name in ("first_name", "last_name")))
    had_part = pc.or_(*(pc.is_valid(existing[name]) for name in ("first_name", "last_name")))
    has_both = pc.and_(*(pc.is_valid(new[name]) for name in ("first_name", "last_name")))
    followed = pc.if_else(pc.or_(had_part, has_both), _whole(new, count), pc.coalesce(old, _whole(new, count)))
    from_parts = pc.if_else(parts_same, pc.coalesce(old, _whole(new, count)), followed)
    name = pc.if_else(derived, pc.if_else(emptied, picked, from_parts), picked)
    return name if policy == "overwrite" else _kept(old, name, is_fuller)


def _parts_of_another_name(existing: pa.Table, new: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """First and last names that stayed while the whole name became another's are emptied: history keeps them."""
    stayed = pc.and_(*(is_same(existing[name], new[name]) for name in ("first_name", "last_name")))
    differs = pc.and_(stayed, pc.invert(is_same(existing["display_name"], new["display_name"])))
    where = np.flatnonzero(differs.to_numpy(zero_copy_only=False))
    if not len(where):
        return {}
    at = pa.array(where)
    count = existing.num_rows
    parts = fold(chunked(_whole(new, count)).take(at)).to_pylist()
    wholes = fold(chunked(new["display_name"]).take(at)).to_pylist()
    stale = np.zeros(count, bool)
    stale[where] = [
        bool(part and whole) and not set(part.split()) <= set(whole.split())
        for part, whole in zip(parts, wholes, strict=True)
    ]
    mask = pa.array(stale)
    return {name: pc.if_else(mask, _NOTHING, chunked(new[name])) for name in ("first_name", "last_name")}


def _kept(old: pa.Array, new: pa.Array, stays: Callable[[str, str], bool]) -> pa.Array:
    """The new texts, but for the old ones that stay beside them."""
    differs = pc.not_equal(old, new).fill_null(False)
    if not pc.any(differs).as_py():
        return new
    mask = chunked(differs)
    before, after = (chunked(column).filter(mask) for column in (old, new))
    keep = [stays(one, other) for one, other in zip(before.to_pylist(), after.to_pylist(), strict=True)]
    return pc.replace_with_mask(chunked(new), mask, pc.if_else(pa.array(keep, pa.bool_()), before, after))


def _whole(names: pa.Table | dict[str, pa.Array], count: int) -> pa.Array:
    return joined([chunked(names["first_name"]), chunked(names["last_name"])], " ", count)


def _own_key(
    existing: pa.Table,
    incoming: pa.Table,
    names: tuple[str, ...],
    form: str,
    policy: Duplicates,
    keep: pa.Array,
) -> dict[str, pa.Array]:
    """The contact's own phone or e-mail: another spelling of the same one changes nothing; it is never emptied."""
    stays = pc.or_(keep, pc.is_null(incoming[form]))
    stays = pc.or_(stays, pc.equal(existing[form], incoming[form]).fill_null(False))
    if policy == "skip":
        return {name: existing[name] for name in names}
    if policy == "merge":
        stays = pc.or_(stays, pc.is_valid(existing[form]))
    return {name: pc.if_else(stays, existing[name], incoming[name]) for name in names}


def _status(old: pa.Array, new: pa.Array, policy: Duplicates) -> tuple[pa.Array, pa.Array]:
    blocked = pc.equal(old, "blocked")
    blocks = pc.equal(new, "blocked").fill_null(False)
    wanted = old if policy in ("merge", "skip") else pc.coalesce(new, old)
    status = pc.if_else(pc.or_(blocked, blocks), "blocked", wanted)
    return status, pc.and_(blocked, pc.not_equal(new, "blocked").fill_null(False))


def _note_changes(diffs: Diffs, name: str, old: pa.Array, new: pa.Array) -> None:
    where = np.flatnonzero(~is_same(old, new).to_numpy(zero_copy_only=False))
    if len(where):
        at = pa.array(where)
        before, after = as_json(old.take(at)), as_json(new.take(at))
        for position, one, other in zip(where.tolist(), before, after, strict=True):
            diffs.setdefault(position, {})[name] = [one, other]


def as_json(column: pa.Array) -> list[Any]:
    """The values as JSON has them; times as ISO text in UTC."""
    if pa.types.is_timestamp(column.type):
        return [None if value is None else value.isoformat() for value in column.to_pylist()]
    return list(column.to_pylist())


def _lost(existing: pa.Table, new: dict[str, pa.Array]) -> list[tuple[int, str, str, str]]:
    lost = []
    for kind, form, written in (("phone", "phone_match", "phone"), ("email", "email_match", "email")):
        gone = pc.and_(pc.is_valid(existing[form]), pc.invert(is_same(existing[form], new[form])))
        for position in np.flatnonzero(gone.to_numpy(zero_copy_only=False)).tolist():
            lost.append((position, kind, existing[form][position].as_py(), existing[written][position].as_py()))
    return lost
