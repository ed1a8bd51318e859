"""Frozen results: what pipeline functions tell their doors."""

from collections.abc import Sequence
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
    columns_not_taken: tuple[str, ...] = ()
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
        document["columns_not_taken"] = list(self.columns_not_taken)
        document["seconds"] = round(self.seconds, 3)
        return document


_NAMED = 20


def say_not_taken(columns: Sequence[str], language: str) -> str:
    """The columns of a file that went nowhere, in a sentence; empty where there are none.

    >>> say_not_taken(["Cargo"], "es")
    'Columnas no tomadas: «Cargo». Llévelas a un campo en un perfil, o use unmapped = "custom".'
    """
    if not columns:
        return ""
    spanish = language == "es"
    shown = ", ".join(f"«{name}»" for name in columns[:_NAMED])
    if len(columns) > _NAMED:
        shown += f" {'y' if spanish else 'and'} {len(columns) - _NAMED} {'más' if spanish else 'more'}"
    if spanish:
        return f'Columnas no tomadas: {shown}. Llévelas a un campo en un perfil, o use unmapped = "custom".'
    return f'Columns not taken: {shown}. Map them to a field in a profile, or set unmapped = "custom".'


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What taking a batch back did; `kept` are contacts that somebody edited since."""

    batch_id: int
    removed: int = 0
    restored: int = 0
    kept: tuple[int, ...] = ()
