"""Frozen results: what pipeline functions tell their doors."""

from dataclasses import asdict, dataclass
from typing import Literal

FileStatus = Literal["imported", "rejected", "needs_mapping"]
Outcome = Literal["created", "updated", "unchanged", "merged", "rejected"]
OUTCOMES: tuple[Outcome, ...] = ("created", "updated", "unchanged", "merged", "rejected")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file: the five outcomes add up to `rows`."""

    file: str
    status: FileStatus
    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    merged: int = 0
    rejected: int = 0
    warnings: int = 0
    row_errors: tuple[int, ...] = ()
    message: str = ""
    seconds: float = 0.0
    reject_file: str | None = None
    batch_id: int | None = None

    @property
    def rows_ok(self) -> int:
        return self.rows - self.rejected

    def as_json(self) -> dict[str, object]:
        document = asdict(self)
        document["rows_ok"] = self.rows_ok
        document["row_errors"] = list(self.row_errors)
        document["seconds"] = round(self.seconds, 3)
        return document


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What taking a batch back did; `kept` are contacts that somebody edited since."""

    batch_id: int
    removed: int = 0
    restored: int = 0
    kept: tuple[int, ...] = ()
