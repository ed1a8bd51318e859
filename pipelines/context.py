"""What all slices of one batch share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from pipelines.columns import Flags, Longs
from pipelines.contended import Contended
from schemas.fields import FieldType
from schemas.profiles import Profile

_FAR = 1 << 40


class Seen:
    """The contacts that rows of this batch went to already: a flag for each id (ids of rehearsals are far away)."""

    def __init__(self) -> None:
        self._flags = np.zeros(1 << 16, bool)
        self._far: set[int] = set()

    def add(self, ids: Longs) -> None:
        near = ids[ids < _FAR]
        self._far.update(ids[ids >= _FAR].tolist())
        if len(near) and near.max() >= len(self._flags):
            grown = np.zeros(int(near.max() * 1.5) + 1, bool)
            grown[: len(self._flags)] = self._flags
            self._flags = grown
        self._flags[near] = True

    def has(self, ids: Longs) -> Flags:
        inside = ids < len(self._flags)
        found = inside & self._flags[np.where(inside, ids, 0)] & (ids != 0)
        return found | np.isin(ids, list(self._far)) if self._far else found


@dataclass(frozen=True, slots=True)
class Standing:
    """The contacts that stood as a row left them after the change `since`, by that row's hash, in order."""

    hashes: Longs
    contacts: Longs
    since: int

    @classmethod
    def of(cls, hashes: Longs, contacts: Longs, since: int) -> "Standing":
        """Rows that several contacts took in tell nothing, and are left out."""
        hashes, first, counts = np.unique(hashes, return_index=True, return_counts=True)
        return cls(hashes[counts == 1], contacts[first[counts == 1]], since)

    def contacts_of(self, hashes: Longs) -> Longs:
        """The contact that took in each row, 0 where there is none."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.int64)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, self.contacts[at], 0)


@dataclass(slots=True)
class Context:
    """What all slices of one batch share: `seen` are the contacts that its rows went to, `made` those it created.

    `awaited` are the rows, in order, whose fate decides that of later rows; of these `refused` tells the codes of those
    that were, and `passed_over` has those too that were skipped: neither owns a key by what it says.
    """

    batch_id: int
    source: str
    actor: str
    at: datetime
    profile: Profile
    version: str
    custom: Mapping[str, FieldType]
    field_ids: Mapping[str, int]
    shared: Contended
    awaited: Longs
    fresh: bool = False
    standing: Standing | None = None
    seen: Seen = field(default_factory=Seen)
    made: Seen = field(default_factory=Seen)
    refused: dict[int, str] = field(default_factory=dict)
    passed_over: set[int] = field(default_factory=set)
