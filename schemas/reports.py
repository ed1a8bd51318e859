"""Frozen results: what pipeline functions tell their doors."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from schemas.consents import may_be_consent
from schemas.headers import header_form
from schemas.sentences import NOTHING, Sentence

FileStatus = Literal["imported", "rejected", "needs_mapping"]
Outcome = Literal["created", "updated", "unchanged", "merged", "rejected"]
OUTCOMES: tuple[Outcome, ...] = ("created", "updated", "unchanged", "merged", "rejected")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file: the five outcomes add up to `rows`; `language` is that of the file."""

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
    row_errors: Sequence[int] = ()
    sentence: Sentence = NOTHING
    language: str | None = None
    seconds: float = 0.0
    reject_file: str | None = None
    batch_id: int | None = None

    @property
    def rows_ok(self) -> int:
        return self.rows - self.rejected

    @property
    def message(self) -> str:
        return self.sentence.said(self.language)

    def as_json(self) -> dict[str, object]:
        document = asdict(self)
        del document["sentence"], document["language"]
        document["message"] = self.message
        document["rows_ok"] = self.rows_ok
        document["row_errors"] = list(self.row_errors)
        document["columns_not_taken"] = list(self.columns_not_taken)
        document["seconds"] = round(self.seconds, 3)
        return document


BatchState = Literal[
    "waiting",
    "running",
    "editing",
    "applied",
    "refused",
    "parked",
    "done",
    "rejected",
    "needs_mapping",
    "retried",
    "undoing",
    "undone",
]
STATES: dict[str, tuple[str, str]] = {
    "waiting": ("waiting", "en espera"),
    "running": ("running", "en curso"),
    "editing": ("being edited", "editándose"),
    "applied": ("applied, its file is still to be moved", "aplicado, falta mover su archivo"),
    "refused": ("refused, its file is still to be moved", "rechazado, falta mover su archivo"),
    "parked": ("without a mapping, its file is still to be moved", "sin correspondencia, falta mover su archivo"),
    "done": ("done", "terminado"),
    "rejected": ("rejected", "rechazado"),
    "needs_mapping": ("without a mapping", "falta indicar las columnas"),
    "retried": ("sent again", "enviado de nuevo"),
    "undoing": ("being taken back", "deshaciéndose"),
    "undone": ("taken back", "deshecho"),
}
"""What the states of a batch are called, in English and Spanish."""
_NAMED = 20


def say_not_taken(columns: Sequence[str]) -> Sentence:
    """The columns of a file that went nowhere, in a sentence; empty where there are none.

    >>> say_not_taken(["Cargo"]).es
    'Columnas no tomadas: «Cargo». Llévelas a campos con: padron import ARCHIVO --preview --save-profile NOMBRE'
    """
    if not columns:
        return NOTHING
    shown = ", ".join(f"«{name}»" for name in columns[:_NAMED])
    left = len(columns) - _NAMED
    more, otros = (f" and {left} more", f" y {left} más") if left > 0 else ("", "")
    about_consent = ", ".join(f"«{name}»" for name in columns if may_be_consent(header_form(name)))
    warning = f" See whether {about_consent} says who opted out: it was not read." if about_consent else ""
    aviso = f" Mire si {about_consent} dice quién se dio de baja: no se leyó." if about_consent else ""
    return Sentence(
        f"Columns not taken: {shown}{more}.{warning} "
        "Map them to fields with: padron import FILE --preview --save-profile NAME",
        f"Columnas no tomadas: {shown}{otros}.{aviso} "
        "Llévelas a campos con: padron import ARCHIVO --preview --save-profile NOMBRE",
    )


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What taking a batch back did; `kept` are contacts that somebody edited since.

    `lifted` counts the opt-outs and blocks that went with it.
    """

    batch_id: int
    removed: int = 0
    restored: int = 0
    lifted: int = 0
    kept: tuple[int, ...] = ()
