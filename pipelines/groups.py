"""Rows of one file that are one person: those that share keys and whose names agree, transitively.

Only keys that stand in more than one row are looked at, so the cost follows the duplicates, not the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.columns import Flags, Longs, distinct_of, is_among
from pipelines.contended import Contended
from pipelines.keys import KINDS, Hashes
from pipelines.names import RECORD, names_agree

Codes = npt.NDArray[np.int32]
NAMES = pa.schema([("row", pa.int64()), ("name", pa.dictionary(pa.int32(), pa.string()))])
_MOST_NAMES_COMPARED = 50
_ID = KINDS.index("external_id")


def _none() -> Longs:
    return np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Keys of rows, in any order: `row` has a key of the kind `KINDS[kind]` whose hash is `key`.

    `names` has every row once, in order, with its name (NAMES), which is "" where it has none.
    """

    row: Longs
    key: Hashes
    kind: npt.NDArray[np.int8]
    names: pa.Table


@dataclass(frozen=True, slots=True)
class Repeated:
    """Keys that stand in more than one row, in order of keys and rows: the row `rows[at]` has it.

    `rows` are distinct and in order; `name` is the number of each one's name in `texts`.
    """

    at: Codes
    key: Hashes
    kind: npt.NDArray[np.int8]
    rows: Longs
    name: Codes
    texts: pa.Array


@dataclass(frozen=True, slots=True)
class Groups:
    """`member[i]` belongs to the group whose first row is `leader[i]`, sorted by leader.

    `shared` are the keys that first rows have and an earlier group of the file owns; `renamed` the members that share
    an external id with their first row, and not its name.
    """

    member: Longs = field(default_factory=_none)
    leader: Longs = field(default_factory=_none)
    shared: Contended = field(default_factory=Contended)
    renamed: frozenset[int] = frozenset()


def repeated_keys(found: Occurrences) -> Repeated:
    """The occurrences whose key stands in more than one row."""
    names = found.names["name"].combine_chunks()
    order = np.lexsort((found.row, found.key))
    starts, ends = _runs(found.key[order])
    several = found.row[order[starts]] != found.row[order[ends - 1]]
    order = order[np.repeat(several, ends - starts)]
    rows = found.row[order]
    distinct = distinct_of(np.sort(rows))
    at = np.searchsorted(distinct, rows).astype(np.int32)
    name = names.indices.to_numpy()[is_among(found.names["row"].to_numpy(), distinct)]
    return Repeated(at, found.key[order], found.kind[order], distinct, name, names.dictionary)


def group_rows(found: Repeated, kinds: Sequence[str], *, names_matter: bool) -> Groups:
    """Group rows by their repeated keys of these kinds.

    Keys of other kinds make no groups, but the earliest group that has one owns it. An external id needs no names.
    """
    if not len(found.rows):
        return Groups()
    starts, ends = _runs(found.key)
    name_of = found.name if names_matter else np.zeros_like(found.name)
    names = name_of[found.at]
    by_id = found.kind == _ID
    counts = np.isin(found.kind, [KINDS.index(kind) for kind in kinds])
    cluster = _clusters(starts, ends, np.where(by_id, 0, names), found.texts)
    cluster = np.where(counts, cluster, np.arange(len(cluster), dtype=np.int32))
    first = _components(found.at, len(found.rows), cluster)
    if names_matter:
        mixed = np.flatnonzero(counts & _several_names(first, found.at, counts, names)[first[found.at]])
        texts = found.texts.take(pa.array(names[mixed]))
        parts = (found.at[mixed], found.key[mixed], texts, by_id[mixed])
        first = _parted(first, list(zip(*(part.tolist() for part in parts), strict=True)))
    shared = _shared(starts, ends, found, first)
    return Groups(*_members(found.rows, first), shared, _renamed(found.rows, first, name_of, found.texts))


def _runs(ordered: npt.NDArray[np.generic]) -> tuple[Longs, Longs]:
    """Where each run of one value begins, and where it ends."""
    if not len(ordered):
        return _none(), _none()
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return starts, np.r_[starts[1:], len(ordered)]


_Occurrence = tuple[int, int, str | None, bool]
"""Row (its place among all), key, name, and whether the key is an external id."""


def _several_names(first: Codes, at: Codes, counts: Flags, names: Codes) -> Flags:
    """For each row, whether the keys that count give several names to the group that begins with it."""
    leaders, names = first[at[counts]], names[counts]
    lowest, highest = np.full(len(first), np.iinfo(np.int32).max, np.int32), np.full(len(first), -1, np.int32)
    np.minimum.at(lowest, leaders, names)
    np.maximum.at(highest, leaders, names)
    return lowest < highest


def _parted(first: Codes, occurrences: list[_Occurrence]) -> Codes:
    """First rows, once groups whose names do not all agree are parted: a row without a name joins no two people."""
    groups: dict[int, list[_Occurrence]] = {}
    for item in occurrences:
        groups.setdefault(int(first[item[0]]), []).append(item)
    parted = first.copy()
    for group in groups.values():
        for row, leader in _by_agreement(group).items():
            parted[row] = leader
    return parted


def _by_agreement(occurrences: list[_Occurrence]) -> dict[int, int]:
    """The first row of each row's part: rows join by a key where all names of both sides agree, or by an id."""
    keys_of: dict[int, list[tuple[int, bool]]] = {}
    names: dict[int, set[str]] = {}
    earliest: dict[int, int] = {}
    for row, key, name, is_id in occurrences:
        keys_of.setdefault(row, []).append((key, is_id))
        earliest[key] = min(row, earliest.get(key, row))
        names[row] = {name} if name else set()
    first = {row: row for row in keys_of}
    holders: dict[int, list[int]] = {}

    def first_of(row: int) -> int:
        while first[row] != row:
            row = first[row]
        return row

    named = {row for row, said in names.items() if any(name[0] != RECORD for name in said)}
    for row in sorted(keys_of, key=lambda row: (row not in named, row)):
        for key, is_id in sorted(keys_of[row], key=lambda item: earliest[item[0]]):
            joined = False
            for other in holders.get(key, [])[:_MOST_NAMES_COMPARED]:
                one, two = sorted((first_of(row), first_of(other)))
                if one == two or is_id or all(names_agree(a, b) for a in names[one] for b in names[two]):
                    joined, first[two] = True, one
                    names[one] = _without_numbers(names[one] | names[two])
            if not joined:
                holders.setdefault(key, []).append(row)
    return {row: first_of(row) for row in keys_of}


def _without_numbers(names: set[str]) -> set[str]:
    """The names of one person; the number of a record says no more where there is a name."""
    return {name for name in names if name[0] != RECORD} or names


def _renamed(rows: Longs, first: Codes, name_of: Codes, texts: pa.Array) -> frozenset[int]:
    """The rows whose name does not agree with that of their group's first row."""
    theirs = name_of[first]
    return frozenset(
        int(rows[at])
        for at in np.flatnonzero(name_of != theirs).tolist()
        if not _are_of_one(texts[int(name_of[at])].as_py(), texts[int(theirs[at])].as_py())
    )


def _are_of_one(one: str, other: str) -> bool:
    """Whether two names can be one person's, where the numbers of their records are the same."""
    return names_agree(one, other) or one.startswith(RECORD) or other.startswith(RECORD)


def _clusters(starts: Longs, ends: Longs, names: Codes, texts: pa.Array) -> Codes:
    """For each occurrence, the first occurrence of its cluster: same key, names that agree."""
    cluster = np.repeat(starts.astype(np.int32), ends - starts)
    differs = np.r_[False, names[1:] != names[:-1]]
    differs[starts] = False
    mixed = np.logical_or.reduceat(differs, starts)
    for start, end in zip(starts[mixed].tolist(), ends[mixed].tolist(), strict=True):
        cluster[start:end] = _by_name(start, names[start:end], texts)
    return cluster


def _by_name(start: int, names: Codes, texts: pa.Array) -> Longs:
    """The rows that share one key, apart where their names disagree: each with the name that has most words of its own.

    A nameless row may be any's, which shows later.
    """
    first_of: dict[int, int] = {}
    parts: list[tuple[str, int]] = []
    found = np.empty(len(names), np.int64)
    for offset, name in enumerate(names.tolist()):
        if name not in first_of:
            text = texts[name].as_py()
            same = [one for one in parts[:_MOST_NAMES_COMPARED] if names_agree(one[0], text)]
            words = set(text.split())
            closest = max(same, key=lambda one: len(words.intersection(one[0].split())), default=("", start + offset))
            first_of[name] = closest[1]
            if first_of[name] == start + offset:
                parts.append((text, start + offset))
        found[offset] = first_of[name]
    if len(parts) > 1 and any(texts[name].as_py() == "" for name in first_of):
        found[:] = start
    return found


def _components(at: Codes, count: int, cluster: Codes) -> Codes:
    """For each of so many rows, the first row of its component."""
    graph = coo_array((np.ones(len(at), np.int8), (at[cluster], at)), shape=(count, count))
    components, labels = connected_components(graph, directed=False)
    first = np.full(components, count, np.int32)
    np.minimum.at(first, labels, np.arange(count, dtype=np.int32))
    return first[labels]


def _members(rows: Longs, first: Codes) -> tuple[Longs, Longs]:
    further = np.flatnonzero(first != np.arange(len(first)))
    further = further[np.argsort(first[further], kind="stable")]
    return rows[further], rows[first[further]]


def _shared(starts: Longs, ends: Longs, found: Repeated, first: Codes) -> Contended:
    """Keys that stand in several groups: for every group but the first, which group owns the key."""
    leaders = first[found.at]
    owner = np.repeat(np.minimum.reduceat(leaders, starts), ends - starts)
    later = owner != leaders
    return Contended(found.rows[leaders[later]], found.key[later], found.rows[owner[later]])
