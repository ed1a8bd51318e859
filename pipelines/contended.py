"""Keys that several people of one file have: the earliest of them owns each."""

from collections.abc import Container

import numpy as np
import pyarrow as pa

from pipelines.columns import Flags, Longs, chunked, is_among
from pipelines.keys import Hashes, key_hashes, keys_of
from schemas.frames import ROW, CleanFrame


class Contended:
    """`row[i]` has the key whose hash is `key[i]`, and the earlier row `owner[i]` owns it; rows stand for groups.

    In a first load nobody is asked who owns a key: the owners' contacts are kept here.
    """

    def __init__(self, row: Longs | None = None, key: Hashes | None = None, owner: Longs | None = None) -> None:
        if row is None or key is None or owner is None:
            row, key, owner = np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int64)
        order = np.lexsort((key, row))
        self.row, self.owner = row[order], owner[order]
        self._key = key[order]
        self._owners, self._keys = np.unique(owner), np.unique(key)
        by_key = np.lexsort((row, key))
        self._rows_by_key, self._ends = row[by_key], np.searchsorted(key[by_key], self._keys, side="right")
        self._contacts = np.zeros(len(self._keys), np.int64)

    def of(self, frame: CleanFrame, source: str, passed_over: Container[int]) -> dict[int, dict[str, int]]:
        """For each of these rows that has such keys: the keys as `kind:value`, with the earlier row that owns each.

        Of the rows that have a key the first owns it that was not passed over.
        """
        found: dict[int, dict[str, int]] = {}
        mine = is_among(chunked(frame[ROW]).to_numpy(), self.row)
        if not mine.any():
            return found
        keys = keys_of(frame.filter(pa.array(mine)), source)
        hashes = key_hashes(keys)
        low, high = np.searchsorted(self.row, [keys["row"].to_numpy().min(), keys["row"].to_numpy().max() + 1])
        parts = (self.row[low:high].tolist(), self._key[low:high].tolist(), self.owner[low:high].tolist())
        owner_of = {(row, key): owner for row, key, owner in zip(*parts, strict=True)}
        columns = (keys[name].to_pylist() for name in keys.column_names)
        for row, kind, value, number in zip(*columns, hashes.tolist(), strict=True):
            owner = owner_of.get((row, number))
            if owner in passed_over:
                owner = self._next_owner(number, row, passed_over)
            if owner is not None:
                found.setdefault(row, {})[f"{kind}:{value}"] = owner
        return found

    def _next_owner(self, key: int, row: int, passed_over: Container[int]) -> int | None:
        at = int(np.searchsorted(self._keys, np.uint64(key)))
        start = self._ends[at - 1] if at else 0
        others = self._rows_by_key[start : self._ends[at]].tolist()
        return next((other for other in others if other < row and other not in passed_over), None)

    def concerns(self, rows: Longs) -> Flags:
        """Which of the rows have or own such keys."""
        return is_among(rows, self.row) | is_among(rows, self._owners)

    def remember(self, keys: pa.Table, contacts: Longs) -> None:
        """Note the contact that owns each of these keys (KEYS), unless it is known already."""
        at, known = self._positions(keys)
        for position, contact in zip(at[known].tolist(), contacts[known].tolist(), strict=True):
            self._contacts[position] = self._contacts[position] or contact

    def contacts_of(self, keys: pa.Table) -> Longs:
        """The contact that was noted as the owner of each of these keys (KEYS), 0 where there is none."""
        at, known = self._positions(keys)
        return np.where(known, self._contacts[at], 0)

    def _positions(self, keys: pa.Table) -> tuple[Longs, Flags]:
        hashes = key_hashes(keys)
        at = np.minimum(np.searchsorted(self._keys, hashes), len(self._keys) - 1)
        return at, self._keys[at] == hashes
