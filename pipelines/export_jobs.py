"""Exports that a worker makes: asked for, fetched for a day, and gone when they expire or when somebody is erased."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from pipelines.contacts import read_filter, read_search
from pipelines.exports import ExportForm, export_contacts
from schemas.errors import InputError
from schemas.exports import chosen_columns
from schemas.settings import Settings
from warehouse import export_files, jobs
from warehouse.audit import Asked
from warehouse.contact_lists import Wanted
from warehouse.engines import Store, reading, transaction
from warehouse.export_files import Export, NoSuchExport
from warehouse.exports import custom_columns
from warehouse.jobs import Progress, Work

EXPORT = "export"
_LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ExportWish:
    """Whom and what somebody wants as a file; without columns all that an import takes."""

    filter_text: str = ""
    search: str = ""
    columns: Sequence[str] = ()
    format: str = "csv"
    language: str = "en"


def ask_for_export(store: Store, settings: Settings, wish: ExportWish, asked: Asked) -> Work:
    """A job that writes the file; raises WrongFilter or NoSuchColumn."""
    _wanted(store, settings, wish.filter_text, wish.search)
    with transaction(store) as connection:
        if wish.columns:
            chosen_columns(wish.columns, custom_columns(connection))
        values = {
            "format": wish.format,
            "filter_text": wish.filter_text or None,
            "search": wish.search or None,
            "columns": list(wish.columns) or None,
            "language": wish.language,
            "actor": asked.actor,
            "created_at": asked.at,
            "expires_at": asked.at + _LASTS,
        }
        export = export_files.add_export(connection, values)
        return jobs.ask(connection, EXPORT, f"export:{export.id}", asked)


def _wanted(store: Store, settings: Settings, filter_text: str | None, search: str | None) -> Wanted:
    condition = read_filter(store, settings, filter_text) if filter_text else None
    return Wanted(condition, read_search(search or "", settings.default_country or None), "id")


def run_export(
    engine: Engine, number: int, asked: Asked, settings: Settings, clock: Callable[[], datetime], progress: Progress
) -> dict[str, Any]:
    """Write the file of an export; what the job says of it."""
    try:
        with reading(engine) as connection:
            export = export_files.get_export(connection, number)
        if export.rows is not None:
            return said_of(export)  # done by an attempt that died before it could say so
        wanted = _wanted(engine, settings, export.filter_text, export.search)
        form = ExportForm(wanted, export.format, tuple(export.columns or ()), export.language)
        path = file_of(settings, export)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = export_contacts(engine, settings, form, path, asked, progress)
        values = {"as_of": found.as_of, "rows": found.rows, "size_bytes": path.stat().st_size}
        values["expires_at"] = clock() + _LASTS
        with transaction(engine) as connection:
            is_there = export_files.finish_export(connection, number, values)
            if is_there:
                return said_of(export_files.get_export(connection, number))
        path.unlink(missing_ok=True)
    except (NoSuchExport, FileNotFoundError):  # with its file, under the one who wrote it
        pass
    raise InputError(
        "The export was dropped meanwhile, as one is when somebody is erased. Ask for it again.",
        "La exportación se descartó entretanto, como ocurre al borrar a alguien. Pídala de nuevo.",
    )


def said_of(export: Export) -> dict[str, Any]:
    said = {"export": export.id, "rows": export.rows, "file": f"/api/exports/{export.id}/file"}
    times = {name: at.isoformat() for name in ("as_of", "expires_at") if (at := getattr(export, name))}
    return {**said, **times}


def file_of(settings: Settings, export: Export) -> Path:
    return settings.home / "exports" / export.file


def find_file(store: Store, settings: Settings, number: int, now: datetime) -> tuple[Export, Path]:
    """An export with its file; raises NoSuchExport also for one that is not there yet, or expired."""
    with reading(store) as connection:
        export = export_files.get_export(connection, number)
    path = file_of(settings, export)
    if export.rows is None or export.expires_at < now or not path.exists():
        raise NoSuchExport(
            f"There is no file of export {number}: it is not ready, or it expired.",
            f"No hay archivo de la exportación {number}: no está lista, o expiró.",
        )
    return export, path


def drop_export(store: Store, settings: Settings, number: int) -> None:
    """Let an export go, with its file; raises NoSuchExport."""
    with transaction(store) as connection:
        export = export_files.get_export(connection, number)
        export_files.drop_exports(connection, number=number)
    file_of(settings, export).unlink(missing_ok=True)


def drop_expired(engine: Engine, settings: Settings, now: datetime) -> None:
    """Let exports go that expired, with their files."""
    with transaction(engine) as connection:
        export_files.drop_exports(connection, before=now)
    sweep_files(engine, settings)


def sweep_files(engine: Engine, settings: Settings) -> None:
    """Delete the files that belong to no export, also those of a process that died."""
    folder = settings.home / "exports"
    paths = list(folder.iterdir()) if folder.exists() else []  # before the names: of what comes now no name is missed
    if not paths:
        return
    with reading(engine) as connection:
        known = export_files.names_of(connection)
    for path in paths:
        name = path.name.removeprefix(".").rsplit(".", 2)[0] if path.name.endswith(".part") else path.name
        if name not in known:
            path.unlink(missing_ok=True)
