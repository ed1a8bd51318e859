"""What all slices of one batch share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipelines.groups import Longs
from schemas.fields import FieldType
from schemas.profiles import Profile

Flags = npt.NDArray[np.bool_]


class Seen:
    """The contacts that rows of this batch went to already: a flag for each id."""

    def __init__(self) -> None:
        self._flags = np.zeros(1 << 16, bool)

    def add(self, ids: Longs) -> None:
        if len(ids) and ids.max() >= len(self._flags):
            grown = np.zeros(int(ids.max() * 1.5) + 1, bool)
            grown[: len(self._flags)] = self._flags
            self._flags = grown
        self._flags[ids] = True

    def has(self, ids: Longs) -> Flags:
        inside = ids < len(self._flags)
        return inside & self._flags[np.where(inside, ids, 0)] & (ids != 0)


@dataclass(slots=True)
class Context:
    """What all slices of one batch share."""

    batch_id: int
    source: str
    actor: str
    at: datetime
    profile: Profile
    version: str
    custom: Mapping[str, FieldType]
    field_ids: Mapping[str, int]
    shared: dict[int, set[str]]
    fresh: bool = False
    owners: dict[str, int] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    refused: dict[int, str] = field(default_factory=dict)
