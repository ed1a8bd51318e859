"""Long work: asked for, done by a worker, watched, cancelled and listed. Right when run twice."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from pipelines.backup_jobs import run_backup, run_verification
from pipelines.backups import BACKUP, VERIFICATION
from pipelines.bulk_edits import run_edit
from pipelines.drops import heartbeat
from pipelines.events import emit
from pipelines.export_jobs import EXPORT, run_export
from pipelines.fields import CONVERSION, require_type, run_conversion
from pipelines.imports import Clock
from pipelines.removals import ERASURE, run_erasure
from pipelines.retention import RETENTION, RETENTION_REHEARSAL, run_retention
from pipelines.scheduled_exports import SCHEDULED, run_scheduled
from pipelines.sync_jobs import APPLY, PLAN, RUN, do_sync
from pipelines.undo import check_can_be_undone, check_is_not_edited, undo_batch
from pipelines.uploads import REHEARSAL, rehearse_upload
from schemas.errors import InputError
from schemas.refusals import refusal
from schemas.settings import Settings
from warehouse import audit, batches, jobs
from warehouse.audit import Asked
from warehouse.batches import EDIT, Batch, LeaseLost
from warehouse.engines import UNREACHABLE, Store, reading, transaction
from warehouse.jobs import Progress, Work

UNDO = "undo"
_MOST_KEPT = 1_000
_PAUSE = timedelta(seconds=5)


class _Cancelled(Exception):
    """Somebody asked the job to stop."""


def ask_for_undo(store: Store, number: int, asked: Asked) -> Work:
    """A job that takes an import back; the one that stands, if it was asked for already."""
    with transaction(store) as connection:
        batch = batches.get_batch(connection, number)
        check_can_be_undone(batch)
        jobs.lock_jobs(connection)
        check_is_not_edited(connection, number)
        standing = jobs.open_job(connection, UNDO, f"batch:{number}")
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, "batches:undo", f"batch:{number}")
        return jobs.ask(connection, UNDO, f"batch:{number}", asked)


def find_job(store: Store, number: int) -> Work:
    """The job with this number; raises NoSuchJob."""
    with reading(store) as connection:
        return jobs.get_job(connection, number)


def find_jobs(
    store: Store, object_: str, limit: int, *, is_open: bool | None = None, before: int | None = None
) -> list[Work]:
    """The newest jobs first: of an object such as `batch:3`, or of all; finished or not, or both."""
    with reading(store) as connection:
        return jobs.list_jobs(connection, limit, object_=object_, is_open=is_open, before=before)


def cancel_job(store: Store, number: int, asked: Asked) -> Work:
    """Ask a job to stop; what it did stays, and a job for the same goes on from there."""
    with transaction(store) as connection:
        if jobs.get_job(connection, number).state not in jobs.OPEN:
            raise InputError(
                f"Job {number} is finished: there is nothing to stop.",
                f"El trabajo {number} ya terminó: no hay nada que detener.",
            )
        audit.add_entry(connection, asked, "jobs:cancel", f"job:{number}")
        return jobs.cancel_job(connection, number, asked.actor, asked.at)


def cancel_import(store: Store, number: int, asked: Asked) -> Batch:
    """Ask an import to stop before its next slice; the rows that were taken stay, and can be taken back."""
    with transaction(store) as connection:
        batch = batches.get_batch(connection, number)
        if not batches.cancel_batch(connection, number, asked.actor):
            raise InputError(
                f"Batch {number} takes no more rows: there is nothing to stop.",
                f"El lote {number} ya no toma filas: no hay nada que detener.",
            )
        audit.add_entry(connection, asked, "batches:cancel", f"batch:{number}")
        values = {"name": batch.file, "by": asked.actor, "rows": batch.rows_done, "batch": number}
        batches.end_abandoned(connection, number, asked.at, refusal("cancelled", **values))
        return batches.get_batch(connection, number)


def run_job(
    engine: Engine, number: int, settings: Settings, clock: Clock, told: Progress = lambda done, total: None
) -> Work | None:
    """Do a job if nobody else does; None where there was nothing to do. `told` is told how far it is."""
    token, lasts = uuid.uuid4().hex, timedelta(seconds=settings.lease_seconds)
    with transaction(engine) as connection:
        work = jobs.claim_job(connection, number, token, clock(), lasts)
    if work is None:
        return None
    far = (work.done, work.total)

    def advance(done: int, total: int) -> None:
        nonlocal far
        far, until = (done, total), clock() + lasts
        told(done, total)
        with transaction(engine) as connection:
            if jobs.advance(connection, number, token, until, done, total):
                raise _Cancelled

    def hold(connection: Any) -> None:
        jobs.advance(connection, number, token, clock() + lasts, *far)

    try:
        with heartbeat(engine, settings.lease_seconds, hold):
            ending = _ending(engine, work, settings, clock, advance)
    except LeaseLost:
        return None
    except (OSError, *UNREACHABLE):
        with transaction(engine) as connection:
            jobs.release_job(connection, number, token, clock() + _PAUSE)
        raise
    with transaction(engine) as connection:
        now = clock()
        if jobs.finish_job(connection, number, token, {**ending, "finished_at": now}):
            said = {"job_id": number, "kind": work.kind, "object": work.object, "state": ending["state"]}
            emit(connection, "job.finished", said, now)
    with reading(engine) as connection:
        return jobs.get_job(connection, number)


def _ending(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    """The columns that say how a job ended."""
    if work.attempts > settings.max_attempts:
        return _failed(
            f"Given up after {settings.max_attempts} attempts. Look at the worker's log.",
            f"Abandonado tras {settings.max_attempts} intentos. Mire el registro del proceso.",
        )
    try:
        return {"state": "done", "result": _DO[work.kind](engine, work, settings, clock, progress)}
    except _Cancelled:
        return {"state": "cancelled"}
    except InputError as error:
        return _failed(error.said("en"), error.said("es"))


def _failed(english: str, spanish: str) -> dict[str, Any]:
    return {"state": "failed", "message_en": english, "message_es": spanish}


def _undo(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    number = int(work.object.removeprefix("batch:"))
    with reading(engine) as connection:
        batch = batches.get_batch(connection, number)
    if work.attempts > 1 and batch.state == "undone":
        return {"batch_id": number}  # done by an attempt that died before it could say so
    report = asdict(undo_batch(engine, number, work.actor, clock, progress))
    kept = report.pop("kept")
    return {**report, "kept": len(kept), "kept_contacts": list(kept[:_MOST_KEPT])}


def _rehearse(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    found = rehearse_upload(engine, settings, work.object, work.actor, clock, lambda rows, _: progress(rows, 0))
    progress(found["rows"], found["rows"])
    return found


def _edit(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    return run_edit(engine, int(work.object.removeprefix("batch:")), settings, clock, progress)


def _erase(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    return run_erasure(engine, int(work.object.removeprefix("contact:")), work.actor, settings, clock, progress)


def _convert(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    key, _, wanted = work.object.removeprefix("field:").rpartition(":")
    return run_conversion(engine, key, require_type(wanted), settings, clock, progress)


def _retain(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    return run_retention(engine, work.actor, settings, clock, progress, is_rehearsal=work.kind == RETENTION_REHEARSAL)


def _export(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    asked = Asked(work.actor, clock(), work.address)
    return run_export(engine, int(work.object.removeprefix("export:")), asked, settings, clock, progress)


def _verify(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    return run_verification(work, settings, clock, progress)


_Do = Callable[[Engine, Work, Settings, Clock, Progress], dict[str, Any]]
_DO: Mapping[str, _Do] = {
    UNDO: _undo,
    REHEARSAL: _rehearse,
    EDIT: _edit,
    ERASURE: _erase,
    CONVERSION: _convert,
    EXPORT: _export,
    BACKUP: run_backup,
    SCHEDULED: run_scheduled,
    VERIFICATION: _verify,
    RETENTION: _retain,
    RETENTION_REHEARSAL: _retain,
    PLAN: do_sync,
    APPLY: do_sync,
    RUN: do_sync,
}
"""What each kind of job does; it tells how far it is, and gives what the job's `result` says."""
