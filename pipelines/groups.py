"""Rows of one file that are one person: those that share keys and whose names agree, transitively.

Only keys that stand in more than one row are looked at, so the cost follows the duplicates, not the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.names import names_agree

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]
OCCURRENCES = pa.schema([("row", pa.int64()), ("key", pa.string()), ("name", pa.string())])
_MOST_NAMES_COMPARED = 50
_EMPTY: Longs = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Groups:
    """`member[i]` belongs to the group whose first row is `leader[i]`, sorted by leader.

    `shared` holds, for the first rows of groups, the keys that an earlier group of the file owns, with its
    first row; `renamed` the
    members that share an external id with their first row, and not its name.
    """

    member: Longs
    leader: Longs
    shared: dict[int, dict[str, int]]
    renamed: frozenset[int] = frozenset()


def no_groups() -> Groups:
    return Groups(_EMPTY, _EMPTY, {})


def repeated(parts: Sequence[Numbers]) -> Numbers:
    """The values, other than 0, that stand more than once in all the parts, in order."""
    if not parts:
        return np.empty(0, np.uint32)
    ordered = np.concatenate(parts)
    ordered.sort()
    found = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return found[found != 0]


def in_several_rows(occurrences: pa.Table) -> Flags:
    """Which occurrences are of keys that stand in more than one row (OCCURRENCES, in any order)."""
    rows = occurrences["row"].to_numpy()
    hashes = np.concatenate(
        [
            pd.util.hash_array(part.to_numpy(zero_copy_only=False), categorize=False)
            for part in occurrences["key"].chunks
        ]
    )
    order = np.lexsort((rows, hashes))
    starts = np.flatnonzero(np.r_[True, np.diff(hashes[order]) != 0])
    ends = np.r_[starts[1:], len(order)]
    several = rows[order[starts]] != rows[order[ends - 1]]
    found = np.zeros(len(order), bool)
    found[order[np.repeat(several, ends - starts)]] = True
    return found


def is_among(values: Numbers, ordered: Numbers) -> npt.NDArray[np.bool_]:
    """Which values stand among these, which are in order and not none."""
    low_bits = np.zeros(1 << 22, bool)
    low_bits[ordered & (len(low_bits) - 1)] = True
    found = low_bits[values & (len(low_bits) - 1)]
    likely = values[found]
    found[found] = ordered[np.minimum(np.searchsorted(ordered, likely), len(ordered) - 1)] == likely
    return found


def group_rows(occurrences: pa.Table, kinds: Sequence[str], *, names_matter: bool) -> Groups:
    """Group rows by their repeated keys (OCCURRENCES, in any order) of these kinds.

    Keys of other kinds make no groups, but the earliest group that has one owns it. An external id needs no names.
    """
    if not occurrences.num_rows:
        return no_groups()
    rows, key_texts, texts = _sorted(occurrences)
    keys = key_texts.indices.to_numpy().astype(np.int64)
    names = texts.indices.to_numpy().astype(np.int64) if names_matter else np.zeros(len(rows), np.int64)
    kind_of = _kinds(key_texts.dictionary)[keys]
    by_id = kind_of == "external_id"
    counts = np.isin(kind_of, list(kinds))
    cluster = _clusters(keys, np.where(by_id, 0, names), texts)
    cluster = np.where(counts, cluster, np.arange(len(rows)))
    leader_of, all_rows = _components(rows, cluster)
    if names_matter and counts.any():
        at = np.flatnonzero(counts)
        mixed = at[_mixed(leader_of[np.searchsorted(all_rows, rows[at])], names[at])]
        parts = (rows[mixed], keys[mixed], texts.take(pa.array(mixed)), by_id[mixed])
        found = list(zip(*(part.tolist() for part in parts), strict=True))
        leader_of = _parted(leader_of, all_rows, found)
    leaders = leader_of[np.searchsorted(all_rows, rows)]
    member, leader = _members(all_rows, leader_of)
    renamed = _renamed(rows, leaders, names, texts)
    return Groups(member, leader, _shared(keys, leaders, key_texts), renamed)


_Occurrence = tuple[int, int, str | None, bool]
"""Row, key, name, and whether the key is an external id."""


def _mixed(leaders: Longs, names: Longs) -> Longs:
    """The positions of the occurrences whose group has several names."""
    order = np.lexsort((names, leaders))
    starts = np.flatnonzero(np.r_[True, np.diff(leaders[order]) != 0])
    ends = np.r_[starts[1:], len(order)]
    several = names[order[starts]] != names[order[ends - 1]]
    return np.sort(order[np.repeat(several, ends - starts)])


def _parted(leader_of: Longs, all_rows: Longs, occurrences: list[_Occurrence]) -> Longs:
    """Leaders, once groups whose names do not all agree are parted: a row without a name joins no two people."""
    groups: dict[int, list[_Occurrence]] = {}
    for item in occurrences:
        groups.setdefault(int(leader_of[np.searchsorted(all_rows, item[0])]), []).append(item)
    parted = leader_of.copy()
    for group in groups.values():
        for row, first in _by_agreement(group).items():
            parted[np.searchsorted(all_rows, row)] = first
    return parted


def _by_agreement(occurrences: list[_Occurrence]) -> dict[int, int]:
    """The first row of each row's part: rows join by a key where all names of both sides agree, or by an id."""
    keys_of: dict[int, list[tuple[int, bool]]] = {}
    names: dict[int, set[str]] = {}
    for row, key, name, is_id in occurrences:
        keys_of.setdefault(row, []).append((key, is_id))
        names[row] = {name} if name else set()
    first = {row: row for row in keys_of}
    holders: dict[int, list[int]] = {}

    def first_of(row: int) -> int:
        while first[row] != row:
            row = first[row]
        return row

    for row in sorted(keys_of, key=lambda row: (not names[row], row)):
        for key, is_id in keys_of[row]:
            joined = False
            for other in holders.get(key, [])[:_MOST_NAMES_COMPARED]:
                one, two = sorted((first_of(row), first_of(other)))
                if one == two or is_id or all(names_agree(a, b) for a in names[one] for b in names[two]):
                    joined, first[two] = True, one
                    names[one] = names[one] | names[two]
            if not joined:
                holders.setdefault(key, []).append(row)
    return {row: first_of(row) for row in keys_of}


def _renamed(rows: Longs, leaders: Longs, names: Longs, texts: pa.Array) -> frozenset[int]:
    """The rows whose name does not agree with that of their group's first row."""
    distinct, first = np.unique(rows, return_index=True)
    at_leader = first[np.searchsorted(distinct, leaders)]
    differs = np.flatnonzero(names != names[at_leader])
    return frozenset(
        int(rows[at])
        for at in differs.tolist()
        if not names_agree(texts[at].as_py(), texts[int(at_leader[at])].as_py())
    )


def _sorted(occurrences: pa.Table) -> tuple[Longs, pa.DictionaryArray, pa.DictionaryArray]:
    """Rows, keys and names (empty where there is none) in the order of keys and rows; each text stands once."""
    rows = occurrences["row"].to_numpy()
    keys = occurrences["key"].combine_chunks().dictionary_encode()
    names = occurrences["name"].combine_chunks().fill_null("").dictionary_encode()
    order = np.lexsort((rows, keys.indices.to_numpy()))
    at = pa.array(order)
    return (
        rows[order],
        pa.DictionaryArray.from_arrays(keys.indices.take(at), keys.dictionary),
        pa.DictionaryArray.from_arrays(names.indices.take(at), names.dictionary),
    )


def _kinds(keys: pa.Array) -> npt.NDArray[np.str_]:
    """`phone`, `email` or `external_id` for each key."""
    encoded = pc.replace_substring_regex(keys, ":(?s:.*)$", "").dictionary_encode()
    return np.array(encoded.dictionary.to_pylist(), str)[encoded.indices.to_numpy()]


def _clusters(keys: Longs, names: Longs, texts: pa.Array) -> Longs:
    """For each occurrence, the first occurrence of its cluster: same key, names that agree."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    sizes = np.diff(np.r_[starts, len(keys)])
    cluster = np.repeat(starts, sizes)
    differs = np.r_[False, (names[1:] != names[:-1]) & (keys[1:] == keys[:-1])]
    mixed = np.unique(keys[differs])
    for start, size in zip(starts[np.isin(keys[starts], mixed)], sizes[np.isin(keys[starts], mixed)], strict=True):
        cluster[start : start + size] = _by_name(int(start), names[start : start + size], texts)
    return cluster


def _by_name(start: int, names: Longs, texts: pa.Array) -> Longs:
    """The rows that share one key, apart where their names disagree."""
    first_of: dict[int, int] = {}
    parts: list[tuple[str | None, int]] = []
    found = np.empty(len(names), np.int64)
    for offset, name in enumerate(names.tolist()):
        if name not in first_of:
            text = texts[start + offset].as_py()
            same = (first for known, first in parts[:_MOST_NAMES_COMPARED] if names_agree(known, text))
            first_of[name] = next(same, start + offset)
            if first_of[name] == start + offset:
                parts.append((text, start + offset))
        found[offset] = first_of[name]
    return found


def _components(rows: Longs, cluster: Longs) -> tuple[Longs, Longs]:
    """For each distinct row (second array), the first row of its component (first array)."""
    distinct, positions = np.unique(rows, return_inverse=True)
    ends = positions[cluster]
    graph = coo_array((np.ones(len(rows), np.int8), (ends, positions)), shape=(len(distinct), len(distinct)))
    count, labels = connected_components(graph, directed=False)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, labels, distinct)
    return first[labels], distinct


def _members(rows: Longs, leaders: Longs) -> tuple[Longs, Longs]:
    further = rows != leaders
    member, leader = rows[further], leaders[further]
    order = np.lexsort((member, leader))
    return member[order], leader[order]


def _shared(keys: Longs, leaders: Longs, texts: pa.DictionaryArray) -> dict[int, dict[str, int]]:
    """Keys that stand in several groups: for every group but the first, which group owns the key."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    owner = np.repeat(np.minimum.reduceat(leaders, starts), np.diff(np.r_[starts, len(keys)]))
    shared: dict[int, dict[str, int]] = {}
    for index in np.flatnonzero(owner != leaders):
        shared.setdefault(int(leaders[index]), {})[texts[int(index)].as_py()] = int(owner[index])
    return shared


def key_numbers(column: pa.Array) -> Numbers:
    """A 32-bit hash of each text, 0 where it is null: only to find candidates, which are then compared in full."""
    texts = column.fill_null("").to_numpy(zero_copy_only=False)
    wide = pd.util.hash_array(texts, categorize=False)
    narrow = np.maximum((wide ^ (wide >> np.uint64(32))).astype(np.uint32), 1)
    narrow[pc.is_null(column).to_numpy(zero_copy_only=False)] = 0
    return narrow
