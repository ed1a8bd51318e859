"""What is too old goes: interactions, files with their reports, contacts with whom nothing happens any more.

The settings say how old. Once a day it is a job; a rehearsal counts what would go.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from connectors.folders import remove_words
from pipelines.imports import Clock
from schemas.settings import Settings
from warehouse import audit, batches, bulk, jobs, removals, retention
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.jobs import Progress, Work

RETENTION, RETENTION_REHEARSAL = "retention", "retention_rehearsal"
_SCHEDULE = "schedule"
_CONTACTS, _INTERACTIONS = 2_000, 20_000
"""So many go in one transaction."""
_RULES = ("keep_interactions_days", "keep_files_days", "keep_inactive_days")


def ask_for_retention(store: Store, asked: Asked, *, is_rehearsal: bool = False) -> Work:
    """A job that lets go what is too old, or counts it; the one that stands, if there is one."""
    kind = RETENTION_REHEARSAL if is_rehearsal else RETENTION
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        standing = jobs.open_job(connection, kind, "all")
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, "retention:run", "all", None, {"rehearsal": is_rehearsal})
        return jobs.ask(connection, kind, "all", asked)


def retain_daily(store: Store, settings: Settings, now: datetime) -> int | None:
    """Today's job, where a rule is set and it was not asked for yet; its number."""
    if not any(getattr(settings, rule) for rule in _RULES):
        return None
    day = f"day:{now.astimezone(ZoneInfo(settings.time_zone)):%Y-%m-%d}"
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        if jobs.list_jobs(connection, 1, object_=day):
            return None
        values = {"kind": RETENTION, "object": day, "actor": _SCHEDULE, "created_at": now}
        return jobs.add_job(connection, values).id


def run_retention(
    engine: Engine, actor: str, settings: Settings, clock: Clock, progress: Progress, *, is_rehearsal: bool
) -> dict[str, Any]:
    """Let go what is too old, a part at a time; how much there was of it. A rule that is not set counts nothing."""
    now = clock()

    def before(rule: str) -> datetime | None:
        days = getattr(settings, rule)
        return now - timedelta(days=days) if days else None

    interactions, files, inactive = (before(rule) for rule in _RULES)
    with reading(engine) as connection:
        counts = {
            "interactions": retention.count_interactions(connection, interactions) if interactions else 0,
            "files": len(batches.files_before(connection, files)) if files else 0,
            "contacts": retention.count_inactive(connection, inactive) if inactive else 0,
        }
    total = sum(counts.values())
    if is_rehearsal:
        progress(total, total)
        return counts
    done = 0
    for count in _drop_inactive(engine, inactive, actor, clock):
        progress(done := done + count, max(total, done))
    for count in _drop_interactions(engine, interactions):
        progress(done := done + count, max(total, done))
    for count in _drop_files(engine, files, now):
        progress(done := done + count, max(total, done))
    return counts


def _drop_inactive(engine: Engine, before: datetime | None, actor: str, clock: Clock) -> Iterator[int]:
    after = 0
    while before is not None:
        with transaction(engine) as connection:
            bulk.lock_keys(connection)
            found = retention.inactive(connection, before, after, _CONTACTS)
            removals.keep_opt_outs(connection, found, clock())
            removals.remove(connection, found, actor, clock())
        if not found:
            return
        after = found[-1]
        yield len(found)


def _drop_interactions(engine: Engine, before: datetime | None) -> Iterator[int]:
    """Every segment looks at everybody again, once some of it is gone."""
    while before is not None:
        with transaction(engine) as connection:
            bulk.lock_keys(connection)
            count = retention.drop_interactions(connection, before, _INTERACTIONS)
            if count:
                retention.refresh_fully(connection)
        if not count:
            return
        yield count


def _drop_files(engine: Engine, before: datetime | None, now: datetime) -> Iterator[int]:
    """Files that stand where Padrón put them, with what was said beside them; the batch stays, and its rows."""
    if before is None:
        return
    with reading(engine) as connection:
        found = batches.files_before(connection, before)
    for batch in found:
        if batch.folder is not None:
            Path(batch.path).unlink(missing_ok=True)
            remove_words(Path(batch.path))
        if batch.reject_file is not None:
            Path(batch.reject_file).unlink(missing_ok=True)
        with transaction(engine) as connection:
            batches.set_batch(connection, batch.id, {"reject_file": None, "dropped_at": now})
        yield 1
