"""Rows that may share a key with another row of their file, told by small numbers kept on disk while it is read."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipelines.aliases import match_form
from pipelines.columns import Flags, distinct_of
from pipelines.keys import FURTHER, OWN, Numbers, key_numbers, split_further

_FURTHER_NUMBER = np.dtype([("position", np.int64), ("number", np.uint32)])
_AT_ONCE = 1 << 18


class Suspects:
    """Takes in a file's clean rows, block by block, and then says which may share a key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows = 0

    def add(self, rows: pa.RecordBatch) -> None:
        for kind, column in OWN:
            self._write(f"{kind}.own", key_numbers(rows.column(column)))
        for kind, column in FURTHER:
            values = rows.column(column)
            if values.null_count < len(values):
                at, texts = split_further(values)
                further = np.empty(len(at), _FURTHER_NUMBER)
                further["position"] = at.to_numpy() + self._rows
                further["number"] = key_numbers(match_form(texts) if kind == "phone" else texts)
                self._write(f"{kind}.further", further)
        self._rows += rows.num_rows

    def _write(self, name: str, numbers: np.ndarray) -> None:
        with (self._folder / name).open("ab") as file:
            numbers.tofile(file)

    def find(self) -> Flags:
        """Whether each row, in the order in which they came, may share a key with another one."""
        suspect = np.zeros(self._rows, bool)
        for kind, _ in OWN if self._rows else ():
            own = np.fromfile(self._folder / f"{kind}.own", np.uint32)
            path = self._folder / f"{kind}.further"
            further = np.fromfile(path, _FURTHER_NUMBER) if path.exists() else np.empty(0, _FURTHER_NUMBER)
            found = repeated(own, further["number"])
            for start in range(0, len(own), _AT_ONCE):
                suspect[start : start + _AT_ONCE] |= are_among(own[start : start + _AT_ONCE], found)
            suspect[further["position"][are_among(further["number"], found)]] = True
        return suspect


def repeated(*parts: Numbers) -> Numbers:
    """The values, other than 0, that stand more than once in all the parts, in order."""
    ordered = np.concatenate(parts)
    ordered.sort()
    found = distinct_of(ordered[1:][ordered[1:] == ordered[:-1]])
    return found[found != 0]


def are_among(values: Numbers, ordered: Numbers) -> Flags:
    """Which values stand among these, which are in order."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    low_bits = np.zeros(1 << 22, bool)
    low_bits[ordered & (len(low_bits) - 1)] = True
    found = low_bits[values & (len(low_bits) - 1)]
    likely = values[found]
    found[found] = ordered[np.minimum(np.searchsorted(ordered, likely), len(ordered) - 1)] == likely
    return found
