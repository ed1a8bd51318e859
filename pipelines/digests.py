"""What a table's rows add up to, whatever their order, their division into parts, and the database they come from.

Each row becomes 64 bits, which are added up: two tables with the same digest have the same rows. It tells of damage
and of what a restore left out; who wants to deceive is kept off by the manifest's signature.
"""

import hashlib
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Words = npt.NDArray[np.uint64]
_PRIME = 0x100000001B3
_NOTHING = 0x9E3779B97F4A7C15
"""Stands for null."""
_AT_ONCE = 1 << 20
"""So many bytes of text are hashed at a time."""


class Digest:
    """Grows by parts of a table, all with the same columns."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = self._mixed = 0

    def add(self, part: pa.Table) -> None:
        if not part.num_rows:
            return
        found = np.zeros(part.num_rows, np.uint64)
        for name, column in zip(part.column_names, part.columns, strict=True):
            for at, chunk in _placed(column):
                found[at : at + len(chunk)] += _scattered(_words(chunk) + _number_of(name))
        found = _scattered(found)
        self.rows += part.num_rows
        self._sum = (self._sum + int(found.sum(dtype=np.uint64))) % 2**64
        self._mixed ^= int(np.bitwise_xor.reduce(_scattered(found + np.uint64(_NOTHING))))

    def __str__(self) -> str:
        return f"{self._sum:016x}{self._mixed:016x}"


def _placed(column: pa.ChunkedArray) -> list[tuple[int, pa.Array]]:
    places, at = [], 0
    for chunk in column.chunks:
        places.append((at, chunk))
        at += len(chunk)
    return places


@cache
def _number_of(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))


def _scattered(words: Words) -> Words:
    """Each word so mixed that all its bits depend on all of what it was (splitmix64)."""
    mixed = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _words(values: pa.Array) -> Words:
    """64 bits for each value."""
    found = _of_texts(values) if pa.types.is_string(values.type) else _of_numbers(values)
    if values.null_count:
        found[pc.is_null(values).to_numpy(zero_copy_only=False)] = _NOTHING
    return found


def _of_numbers(values: pa.Array) -> Words:
    if pa.types.is_floating(values.type):
        plain = values.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0  # there is one zero only
        return plain.view(np.uint64).copy()
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    whole = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return whole.view(np.uint64).copy()


def _of_texts(texts: pa.Array) -> Words:
    """A polynomial of each text's bytes: sums that run over all the texts, cut where each begins and ends."""
    _, places, content = texts.buffers()
    offsets = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    content = np.frombuffer(content, np.uint8) if content is not None else np.empty(0, np.uint8)
    found = np.empty(len(texts), np.uint64)
    first = 0
    while first < len(texts):
        last = int(np.searchsorted(offsets, offsets[first] + _AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), len(texts))
        cuts = offsets[first : last + 1] - offsets[first]
        powers, inverses = _powers(int(cuts[-1]) + 1)
        sums = np.zeros(int(cuts[-1]) + 1, np.uint64)
        part = content[offsets[first] : offsets[last]].astype(np.uint64)
        np.cumsum((part + np.uint64(1)) * powers[: len(part)], out=sums[1:])
        lengths = (cuts[1:] - cuts[:-1]).astype(np.uint64)
        found[first:last] = (sums[cuts[1:]] - sums[cuts[:-1]]) * inverses[cuts[:-1]] + lengths
        first = last
    return found


_kept: list[tuple[Words, Words]] = []


def _powers(count: int) -> tuple[Words, Words]:
    """The powers of a prime modulo 2^64, and of its inverse."""
    if not _kept or len(_kept[0][0]) < count:
        size = max(count, _AT_ONCE + 1)
        pairs = [np.full(size, base, np.uint64) for base in (_PRIME, pow(_PRIME, -1, 2**64))]
        for powers in pairs:
            powers[0] = 1
            np.multiply.accumulate(powers, out=powers)
        _kept[:] = [(pairs[0], pairs[1])]
    return _kept[0]
