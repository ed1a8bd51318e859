"""`make demo`: the main job on sample files, and what became of every row."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from admin.batch_commands import batch_table
from admin.samples import write_samples
from connectors.profiles import read_folders
from scheduler.embedded import Embedded
from scheduler.logs import set_up_logs
from scheduler.tasks import Stores
from schemas.codes import CODES
from schemas.settings import Settings, asked_language
from warehouse import batches
from warehouse.batches import UNFINISHED, Batch
from warehouse.engines import reading
from warehouse.tables import batch_rows, contacts

console = Console(width=110)
_HOME = Path("demo-data")
_SECONDS = 100.0
_SAID: dict[str, dict[str, Any]] = {
    "en": {
        "start": "Starting watcher, worker and beat over SQLite, in this one process …",
        "dropped": "Dropped {count} files into {place}",
        "files": "What became of each file",
        "rows": "What became of every row",
        "outcomes": {
            "created": "created",
            "updated": "updated",
            "unchanged": "unchanged",
            "merged": "merged into row {row}",
            "rejected": "rejected",
        },
        "report": "Row report",
        "columns": ("file", "row", "outcome", "contact", "phone", "e-mail", "why"),
        "next": (
            ("What to try next",),
            ("Run it on your own files", "padron up", "then drop files into padron-data/drop/incoming"),
            ("Import one by hand", "padron import FILE --dry-run"),
            ("See an unknown layout", "padron import FILE --preview --save-profile mine"),
            ("Take an import back", "padron batches undo 1"),
            ("A template for your people", "padron template contacts.xlsx"),
        ),
    },
    "es": {
        "start": "Arrancan vigilante, trabajador y reloj sobre SQLite, en este único proceso …",
        "dropped": "{count} archivos dejados en {place}",
        "files": "Qué fue de cada archivo",
        "rows": "Qué fue de cada fila",
        "outcomes": {
            "created": "creado",
            "updated": "actualizado",
            "unchanged": "sin cambios",
            "merged": "unida a la fila {row}",
            "rejected": "rechazada",
        },
        "report": "Informe de filas",
        "columns": ("archivo", "fila", "resultado", "contacto", "teléfono", "correo", "por qué"),
        "next": (
            ("Qué probar ahora",),
            ("Con sus propios archivos", "padron up", "y deje archivos en padron-data/drop/incoming"),
            ("Importar uno a mano", "padron import ARCHIVO --dry-run"),
            ("Ver un formato desconocido", "padron import ARCHIVO --preview --save-profile mio"),
            ("Deshacer una importación", "padron batches undo 1"),
            ("Una plantilla para su gente", "padron template contactos.xlsx"),
        ),
    },
}


def main() -> int:
    """Run the embedded stack on the samples; 0 when every file found its place."""
    set_up_logs(verbose=False)
    if _HOME.exists():
        shutil.rmtree(_HOME)
    language = "es" if asked_language() == "es" else "en"
    settings = Settings(
        home=_HOME, default_country="CO", language=language, settle_seconds=0.3, scan_seconds=0.5, sweep_seconds=2
    )
    said = _SAID[language]
    stack = Embedded(settings)
    console.print(said["start"])
    stack.start()
    folder = read_folders(settings.home)[0].path
    names = write_samples(folder / "incoming")
    console.print(f"{said['dropped'].format(count=len(names), place=folder / 'incoming')}\n")
    found = _wait(settings, len(names))
    stack.stop()
    console.print(f"[bold]{said['files']}[/]", batch_table(found, language))
    for batch in found:
        if batch.sentence:
            console.print(f"  {batch.sentence.said(language)}", highlight=False, markup=False)
    _show_rows(settings, found, said)
    _show_report(folder, said)
    _show_next(said)
    return 0 if len(found) == len(names) else 1


def _wait(settings: Settings, count: int) -> list[Batch]:
    """The batches, once all files are finished."""
    engine, deadline = Stores(settings).engine(), time.monotonic() + _SECONDS
    while True:
        with reading(engine) as connection:
            found = sorted(batches.list_batches(connection, 100), key=lambda batch: batch.id)
        finished = [batch for batch in found if batch.state not in UNFINISHED]
        if len(finished) == count or time.monotonic() > deadline:
            return finished
        time.sleep(0.1)


def _show_rows(settings: Settings, found: list[Batch], said: dict[str, Any]) -> None:
    """Every row of every file, with its outcome."""
    names = {batch.id: batch.file for batch in found}
    query = (
        select(
            batch_rows.c.batch_id, batch_rows.c.row, batch_rows.c.outcome, batch_rows.c.into_row, batch_rows.c.code
        ).add_columns(contacts.c.display_name, contacts.c.phone, contacts.c.email)
    ).join_from(batch_rows, contacts, contacts.c.id == batch_rows.c.contact_id, isouter=True)
    table = Table(title=said["rows"])
    for name in said["columns"]:
        table.add_column(name)
    with reading(Stores(settings).engine()) as connection:
        for number, row, outcome, into, code, name, phone, email in connection.execute(
            query.order_by(batch_rows.c.batch_id, batch_rows.c.row)
        ):
            shown = said["outcomes"][outcome].format(row=into)
            cells = (names.get(number, "?"), str(row), shown, name, phone, email, _why(code, settings.language))
            table.add_row(*(cell or "" for cell in cells))
    console.print(table)


def _why(codes: str | None, language: str) -> str:
    return " ".join(CODES[code].message(language) for code in (codes or "").split("; ") if code in CODES)


def _show_report(folder: Path, said: dict[str, Any]) -> None:
    for report in sorted((folder / "done").glob("*.report.csv")):
        console.print(f"\n[bold]{said['report']}[/] {report}")
        for line in report.read_text(encoding="utf-8-sig").splitlines():
            console.print(f"  {line}", highlight=False, markup=False, overflow="ellipsis", no_wrap=True)


def _show_next(said: dict[str, Any]) -> None:
    (title,), *tries = said["next"]
    console.print(f"\n[bold]{title}[/]")
    for what, command, *more in tries:
        home = f"PADRON_HOME={_HOME} " if "undo" in command else ""
        shown = f"  {what:28} [cyan]{home}.venv/bin/{command}[/]  {' '.join(more)}"
        console.print(shown, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
