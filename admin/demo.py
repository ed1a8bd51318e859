"""`make demo`: the main job on sample files, and what became of every row."""

import shutil
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from admin.samples import write_samples
from connectors.profiles import read_folders
from scheduler.embedded import Embedded
from scheduler.logs import set_up_logs
from scheduler.tasks import Stores
from schemas.settings import Settings
from warehouse import batches
from warehouse.batches import UNFINISHED, Batch
from warehouse.engines import reading
from warehouse.tables import batch_rows, contacts

console = Console(width=110)
_HOME = Path("demo-data")
_SECONDS = 100.0
_COUNTS = ("rows_read", "created", "updated", "unchanged", "merged", "rejected")
_NEXT = f"""
[bold]What to try next[/]
  Run it on your own files     [cyan].venv/bin/padron up[/]       then drop files into padron-data/drop/incoming
  Import one by hand           [cyan].venv/bin/padron import FILE --dry-run[/]
  See an unknown layout        [cyan].venv/bin/padron import FILE --preview --save-profile mine[/]
  Take an import back          [cyan]PADRON_HOME={_HOME} .venv/bin/padron batches undo 1[/]
  A template for your people   [cyan].venv/bin/padron template contactos.xlsx --language es[/]
"""


def main() -> int:
    """Run the embedded stack on the samples; 0 when every file found its place."""
    set_up_logs(verbose=False)
    if _HOME.exists():
        shutil.rmtree(_HOME)
    settings = Settings(home=_HOME, default_country="CO", settle_seconds=0.3, scan_seconds=0.5, sweep_seconds=2)
    stack = Embedded(settings)
    console.print("Starting watcher, worker and beat over SQLite, in this one process …")
    stack.start()
    folder = read_folders(settings.home)[0].path
    names = write_samples(folder / "incoming")
    console.print(f"Dropped {len(names)} files into {folder / 'incoming'}\n")
    found = _wait(settings, len(names))
    stack.stop()
    _show_batches(found)
    _show_rows(settings, found)
    _show_report(folder)
    console.print(_NEXT)
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


def _show_batches(found: list[Batch]) -> None:
    table = Table(title="What became of each file")
    for name in ("file", "state", *_COUNTS):
        table.add_column(name.replace("_", " "), justify="right" if name in _COUNTS else "left")
    for batch in found:
        table.add_row(batch.file, batch.state, *(str(getattr(batch, name)) for name in _COUNTS))
    console.print(table)
    for batch in found:
        if batch.message:
            console.print(f"  {batch.message}", highlight=False)


def _show_rows(settings: Settings, found: list[Batch]) -> None:
    """Every row of every file, with its outcome."""
    names = {batch.id: batch.file for batch in found}
    query = (
        select(
            batch_rows.c.batch_id, batch_rows.c.row, batch_rows.c.outcome, batch_rows.c.into_row, batch_rows.c.code
        ).add_columns(contacts.c.display_name, contacts.c.phone, contacts.c.email)
    ).join_from(batch_rows, contacts, contacts.c.id == batch_rows.c.contact_id, isouter=True)
    table = Table(title="What became of every row")
    for name in ("file", "row", "outcome", "contact", "phone", "e-mail", "why"):
        table.add_column(name)
    with reading(Stores(settings).engine()) as connection:
        for number, row, outcome, into, code, name, phone, email in connection.execute(
            query.order_by(batch_rows.c.batch_id, batch_rows.c.row)
        ):
            said = f"{outcome} into row {into}" if outcome == "merged" else outcome
            table.add_row(names.get(number, "?"), str(row), said, name or "", phone or "", email or "", code or "")
    console.print(table)


def _show_report(folder: Path) -> None:
    for report in sorted((folder / "done").glob("*.report.csv")):
        console.print(f"\n[bold]Row report[/] {report}")
        for line in report.read_text(encoding="utf-8-sig").splitlines():
            console.print(f"  {line}", highlight=False, markup=False, overflow="ellipsis", no_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
