"""Backups as jobs: asked for or on schedule, made, verified, too old ones let go; and how the last ones went."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from pipelines.backup_retention import prune
from pipelines.backups import (
    BACKUP,
    NEWEST,
    VERIFICATION,
    Beat,
    DamagedBackup,
    create_backup,
    find_backup,
    place_of,
    signing_keys,
)
from pipelines.restores import RestoreDiffers, verify
from pipelines.schedules import ask_once, last_moment
from schemas.backups import LEVELS, VERIFIED, Manifest, Verified, backup_name, parse_verified, render_verified
from schemas.settings import Settings
from warehouse import audit, jobs, roll
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.jobs import Progress, Work

_ALL = "backups"
Clock = Callable[[], datetime]


def ask_for_backup(store: Store, asked: Asked) -> Work:
    """A job that makes a backup; the one that stands, if it was asked for already."""
    return _ask(store, BACKUP, _ALL, asked)


def ask_for_verification(store: Store, settings: Settings, name: str, level: int, asked: Asked) -> Work:
    """A job that verifies a backup, or the newest; raises NoSuchBackup."""
    found = find_backup(settings, name).name
    return _ask(store, VERIFICATION, f"backup:{found}:{level}", asked)


def _ask(store: Store, kind: str, object_: str, asked: Asked) -> Work:
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        standing = jobs.open_job(connection, kind, object_)
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, f"backups:{kind}", object_)
        return jobs.ask(connection, kind, object_, asked)


def on_schedule(store: Store, settings: Settings, now: datetime) -> None:
    """Ask for what the last moment of each schedule wants, where nobody did; of an older store than that moment."""
    for kind, schedule in ((BACKUP, settings.backup_schedule), (VERIFICATION, settings.backup_verify_schedule)):
        if schedule:
            moment = last_moment(schedule, settings.time_zone, now)
            with reading(store) as connection:
                first = roll.first_change_at(connection)
            if first is not None and first <= moment:
                ask_once(store, kind, f"{kind}:{moment:%Y-%m-%dT%H:%M%z}", now)


def is_late(settings: Settings, last_at: datetime, now: datetime) -> bool:
    """Whether the schedule has had two moments since the last good backup."""
    schedule = settings.backup_schedule
    return bool(schedule) and last_at < last_moment(schedule, settings.time_zone, now, before=1)


def run_backup(engine: Engine, work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    """Make a backup, and let go those that are too many; what the job says of it."""
    name = backup_name(clock(), work.id, work.attempts)
    made = create_backup(engine, settings, name, clock, progress)
    pruned = prune(engine, settings, clock())
    said = {"backup": name, "as_of": made.as_of.isoformat(), "rows": made.rows, "size_bytes": made.size_bytes}
    return {**said, "let_go": list(pruned.backups), "interrupted": list(pruned.interrupted)}


def run_verification(work: Work, settings: Settings, clock: Clock, progress: Progress) -> dict[str, Any]:
    """Verify a backup and note how far beside it; raises what is wrong with it."""
    name, _, level = work.object.removeprefix("backup:").rpartition(":")
    is_asked = work.object.startswith("backup:")
    manifest = find_backup(settings, name if is_asked else NEWEST)
    wanted = int(level) if is_asked else max(LEVELS)
    note(settings, manifest, wanted, clock, Beat(progress, len(manifest.files) * (1 if wanted == 1 else 2)))
    return {"backup": manifest.name, "level": wanted, "rows": manifest.rows}


def note(settings: Settings, manifest: Manifest, level: int, clock: Clock, beat: Beat) -> None:
    """Verify, and write down how far, unless it was verified further before; of a bad one nothing stays written."""
    place, keys = place_of(settings), signing_keys(settings)
    try:
        verify(settings, manifest, level, beat)
    except (DamagedBackup, RestoreDiffers):
        place.drop(f"{manifest.name}/{VERIFIED}")
        raise
    before = parse_verified(place.get(f"{manifest.name}/{VERIFIED}"), manifest, keys)
    if before is None or before.level <= level:
        verified = render_verified(Verified(level, clock()), manifest, keys[0])
        place.put(f"{manifest.name}/{VERIFIED}", verified)


@dataclass(frozen=True, slots=True)
class BackupState:
    """How backups go: when the last good one was begun, and one last restored and compared; and what failed since."""

    last_at: datetime | None
    verified_at: datetime | None
    size_bytes: int
    problem: Work | None


def _is_proof(work: Work) -> bool:
    return bool((work.result or {}).get("level") == max(LEVELS))


def state_of_backups(connection: Connection) -> BackupState:
    good = jobs.newest_job(connection, BACKUP, "done")
    proofs = (one for one in jobs.newest_jobs(connection, VERIFICATION, 50, "done") if _is_proof(one))
    verified = next(proofs, None)
    ended = [jobs.newest_job(connection, kind) for kind in (BACKUP, VERIFICATION)]
    problem = next((work for work in ended if work and work.state == "failed"), None)
    return BackupState(
        good.started_at if good else None,
        verified.finished_at if verified else None,
        int((good.result or {}).get("size_bytes", 0)) if good else 0,
        problem,
    )
