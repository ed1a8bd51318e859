"""Dropped files as batches: claim them, import them, put them where they belong. Right when run twice."""

import os
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from connectors import folders
from connectors.folders import Watch
from connectors.profiles import DropFolder, parse_profile, read_profile, render_profile
from connectors.scrub import is_scrubbed, nothing, scrub, scrubbed_name
from connectors.workbooks import Limits
from pipelines.clean import with_defaults
from pipelines.events import emit
from pipelines.imports import Clock, Job, Lease, import_batch, report_so_far
from pipelines.interaction_files import kind_of, take_of
from pipelines.suppression import ERASED, suppressed_in
from schemas.errors import InputError
from schemas.profiles import Profile
from schemas.refusals import refusal
from schemas.reports import OUTCOMES, STATES, ImportReport
from schemas.sentences import NOTHING, Sentence
from schemas.settings import Settings
from warehouse import audit, batches, bulk
from warehouse.audit import Asked
from warehouse.batches import FILING, Batch, LeaseLost
from warehouse.engines import UNREACHABLE, Store, reading, transaction

_PAUSE_SECONDS = 10.0


def claim_ready(engine: Engine, watch: Watch, settings: Settings, clock: Clock, now: float) -> list[int]:
    """Claim what lies ready in a drop folder, and adopt what a dead claimer left; the numbers of the new batches."""
    for path in folders.ready_files(watch, now):
        with suppress(PermissionError):
            folders.claim_file(watch.folder, path)
    working = sorted(folders.claimed_files(watch.folder), key=lambda item: item.name)
    with reading(engine) as connection:
        known = batches.known_claims(connection, [item.path.name for item in working])
    added = [
        _add(engine, watch.folder, item.path, item.name, settings, clock)
        for item in working
        if item.path.name not in known
    ]
    return [number for number in added if number is not None]


def _add(engine: Engine, folder: DropFolder, path: Path, name: str, settings: Settings, clock: Clock) -> int | None:
    text, problem = _profile_text(folder, settings)
    profile = _with_source(parse_profile(text, folder.profile), folder.path)
    text = render_profile(profile)
    with transaction(engine) as connection:
        number = batches.add_batch(
            connection,
            {
                "kind": kind_of(profile),
                "source": profile.source_name,
                "profile": folder.profile,
                "profile_text": text,
                "folder": str(folder.path),
                "file": name,
                "path": str(path),
                "claim": path.name,
                "actor": f"folder {folder.path.name}",
                **batches.said(problem),
            },
            clock(),
        )
    return number


def _with_source(profile: Profile, folder: Path) -> Profile:
    """Interactions of a profile that names no source come from the folder: two platforms may number theirs alike."""
    is_open = profile.takes == "interactions" and not profile.source
    return replace(profile, source=folder.name) if is_open else profile


def _profile_text(folder: DropFolder, settings: Settings) -> tuple[str, Sentence]:
    """The profile as it is now, kept with the batch; a broken one parks its files instead of stopping the watcher."""
    try:
        profile = read_profile(settings.home, folder.profile)
        return render_profile(with_defaults(profile, settings)), NOTHING
    except InputError as error:
        return render_profile(Profile(name=folder.profile)), error.sentence


def import_drop(engine: Engine, number: int, settings: Settings, clock: Clock) -> ImportReport | None:
    """Import one dropped file if nobody else does; None where there was nothing to do."""
    lease = Lease(uuid.uuid4().hex, settings.lease_seconds, clock)
    with transaction(engine) as connection:
        batch = batches.claim_batch(connection, number, lease.token, clock(), timedelta(seconds=settings.lease_seconds))
    if batch is None:
        return None
    try:
        with heartbeat(engine, lease.seconds, lambda connection: lease.hold(connection, batch.id)):
            report = _outcome(engine, batch, settings, lease)
            _file(engine, batch, report, settings, lease)
            return report
    except LeaseLost:
        return None
    except (OSError, *UNREACHABLE):
        _postpone(engine, batch, lease)
        raise


def _postpone(engine: Engine, batch: Batch, lease: Lease) -> None:
    """A full disk or a database that is away is not the file's fault: try again soon, and do not count it."""
    with suppress(OSError, LeaseLost, *UNREACHABLE), transaction(engine) as connection:
        lease.hold(connection, batch.id)
        until = lease.clock() + timedelta(seconds=min(_PAUSE_SECONDS, lease.seconds))
        values = {"lease_until": until, "lease_token": None, "attempts": max(batch.attempts - 1, 0)}
        batches.set_batch(connection, batch.id, values)


def _outcome(engine: Engine, batch: Batch, settings: Settings, lease: Lease) -> ImportReport:
    path = _working(batch)
    language = settings.language if "language" in settings.model_fields_set else None
    if batch.state in FILING:
        return report_so_far(engine, batch.id, FILING[batch.state], batch.sentence, language)
    if batch.cancelled_by:
        values = {"name": batch.file, "by": batch.cancelled_by, "rows": batch.rows_done, "batch": batch.id}
        said = refusal("cancelled", **values) + refusal("again", batch=batch.id)
        return report_so_far(engine, batch.id, "rejected", said, language)
    if not path.exists():
        said = refusal("gone", name=batch.file, path=path.parent)
        return report_so_far(engine, batch.id, "rejected", said, language)
    if batch.sentence and batch.rows_done == 0:
        said = batch.sentence
        return ImportReport(batch.file, "needs_mapping", sentence=said, language=settings.language, batch_id=batch.id)
    if batch.attempts > settings.max_attempts:
        values = {"name": batch.file, "attempts": settings.max_attempts, "batch": batch.id}
        return report_so_far(engine, batch.id, "rejected", refusal("given_up", **values), language)
    job = _job(engine, batch, path, settings, language)
    with transaction(engine) as connection:
        lease.hold(connection, batch.id)
        batches.set_batch(
            connection, batch.id, {"sha256": folders.file_sha256(path), "size_bytes": path.stat().st_size}
        )
    report = import_batch(engine, batch, job, lease, take_of(job.profile))[0]
    with reading(engine) as connection:
        stopped = batches.get_batch(connection, batch.id).cancelled_by is not None
    if report.status == "rejected" and stopped:
        return replace(report, sentence=report.sentence + refusal("again", batch=batch.id))
    if report.status != "needs_mapping":
        return report
    return replace(report, sentence=report.sentence + refusal("parked", batch=batch.id))


def _job(engine: Engine, batch: Batch, path: Path, settings: Settings, language: str | None) -> Job:
    return Job(
        path,
        batch.file,
        parse_profile(batch.profile_text or "", batch.profile),
        folders.report_of(path),
        language=language,
        shown_path=str(Path(batch.folder or ".") / "rejected" / batch.file),
        limits=Limits(settings.excel_memory_bytes, settings.excel_seconds),
        most_bytes=settings.max_file_bytes,
        suppressed=suppressed_in(engine, settings),
    )


def _working(batch: Batch) -> Path:
    """Where the claimed file stands while it is worked on."""
    return Path(batch.folder or ".") / "working" / str(batch.claim)


def _file(engine: Engine, batch: Batch, report: ImportReport, settings: Settings, lease: Lease) -> None:
    """Say in the store where the file will go, move it with its report, then close the batch."""
    working, target = _working(batch), Path(batch.path)
    place = Path(batch.folder or ".") / ("done" if report.status == "imported" else "rejected")
    intent = next(state for state, status in FILING.items() if status == report.status)
    with transaction(engine) as connection:
        bulk.lock_keys(connection)
        lease.hold(connection, batch.id)
        if target == working:
            names = folders.names_for(place, batch.file, batch.id)
            target = next(path for path in names if not batches.is_going_to(connection, str(path)))
        has_report = folders.report_of(working).exists() or folders.report_of(target).exists()
        values = {
            **batches.said(report.sentence),
            "path": str(target),
            "reject_file": str(folders.report_of(target)) if has_report else None,
        }
        batches.set_batch(connection, batch.id, {"state": intent, **values})
    folders.finish_file(working, target, report.as_json())
    target = _without_erased(engine, batch, target, settings)
    state = "done" if report.status == "imported" else report.status
    with transaction(engine) as connection:
        lease.hold(connection, batch.id)
        end_batch(connection, batch.id, state, lease.clock(), {"path": str(target)})


def _without_erased(engine: Engine, batch: Batch, path: Path, settings: Settings) -> Path:
    """Take the rows of erased people out of a file that was imported; where it stands then."""
    with reading(engine) as connection:
        rows = batches.outcome_rows(connection, batch.id, (ERASED,))["row"].to_pylist()
    if not rows:
        return path
    profile = parse_profile(batch.profile_text or "", batch.profile)
    limits = Limits(settings.excel_memory_bytes, settings.excel_seconds)
    if not path.exists():  # by an attempt that died before it could say so
        return scrubbed_name(path, batch.id)
    return scrub(path, batch.id, profile, rows, nothing, limits)[0]


def end_batch(connection: Connection, number: int, state: str, now: datetime, values: Mapping[str, Any]) -> None:
    """Close a batch, and tell whoever wants to know."""
    batches.finish(connection, number, state, now, values)
    batch = batches.get_batch(connection, number)
    counts = {name: getattr(batch, name) for name in ("rows_read", *OUTCOMES, "warnings")}
    said = {"batch_id": number, "file": batch.file, "source": batch.source, "state": state, **counts}
    emit(connection, "batch.finished", said, now)


@contextmanager
def heartbeat(engine: Store, seconds: float, hold: Callable[[Connection], object]) -> Iterator[None]:
    """Renew a lease of so many seconds from a thread, for steps that write nothing for long."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(seconds / 3):
            try:
                with transaction(engine) as connection:
                    hold(connection)
            except LeaseLost:
                return
            except (OSError, *UNREACHABLE):
                continue

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class NotRetried(InputError):
    """This batch cannot be sent again."""


def retry_batch(store: Store, number: int, profile: Profile, asked: Asked) -> int:
    """Send a rejected or parked file again, under this profile; the number of the new batch."""
    with transaction(store) as connection:
        batch = batches.get_batch(connection, number)
        path = Path(batch.path)
        if not batches.take_for_retry(connection, number):
            raise NotRetried(
                f"Batch {number} is {STATES[batch.state][0]}: only rejected or parked files that were dropped or sent "
                "are retried.",
                f"El lote {number} está {STATES[batch.state][1]}: solo se reintentan archivos rechazados o aparcados "
                "que se dejaron en una carpeta o se enviaron.",
            )
        if not path.exists():
            raise NotRetried(
                f"The file of batch {number} is no longer at {path}. Drop it again.",
                f"El archivo del lote {number} ya no está en {path}. Déjelo otra vez en la carpeta.",
            )
        profile = _with_source(profile, Path(batch.folder or ""))
        file = path.name if is_scrubbed(path) else batch.file
        if is_scrubbed(path):  # which is as `scrub` writes, whatever the file was
            profile = replace(profile, encoding=None, delimiter=None, header_row=None, sheet=None)
        claim = f"{uuid.uuid4().hex}__{file}"
        working = Path(batch.folder or "") / "working" / claim
        values = {
            "kind": kind_of(profile),
            "source": profile.source_name,
            "profile": profile.name,
            "profile_text": render_profile(profile),
            "folder": batch.folder,
            "file": file,
            "path": str(working),
            "claim": claim,
            "actor": batch.actor,
        }
        new = batches.add_batch(connection, values, asked.at)
        assert new is not None, "the claim is new"
        audit.add_entry(connection, asked, "batches:retry", f"batch:{number}", None, {"batch": new})
        os.replace(path, working)
        folders.remove_words(path)
    return new
