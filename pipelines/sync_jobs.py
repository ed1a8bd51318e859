"""Plans and runs of sync as jobs, for those who ask over HTTP."""

from typing import Any

from sqlalchemy import Engine

from pipelines.connections import crm_factory
from pipelines.imports import Clock
from pipelines.sync import Asking, Busy, SyncReport, run_sync
from pipelines.sync_plans import apply_plan, make_plan
from schemas.settings import Settings
from warehouse import audit, connections, jobs
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.jobs import Progress, Work

PLAN, APPLY, RUN = "sync_plan", "sync_apply", "sync_run"


def ask_for_sync(store: Store, name: str, kind: str, asked: Asked) -> Work:
    """A job that plans, applies or runs; the one that stands, if it was asked for already."""
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        crm = connections.find_connection(connection, name)
        standing = jobs.open_job(connection, kind, f"connection:{crm.id}")
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, f"sync:{kind.removeprefix('sync_')}", f"connection:{crm.id}")
        return jobs.ask(connection, kind, f"connection:{crm.id}", asked)


def do_sync(engine: Engine, work: Work, settings: Settings, clock: Clock, _: Progress) -> dict[str, Any]:
    """Do such a job; what its `result` says."""
    number = int(work.object.removeprefix("connection:"))
    with reading(engine) as connection:
        name = connections.get_connection(connection, number).name
    asked, crm_of = Asked(work.actor, clock(), work.address), crm_factory(engine, settings)
    if work.kind == PLAN:
        made = make_plan(engine, settings, name, crm_of, clock, asked)
        return {"plan": made.id, "counts": dict(made.counts), "calls": made.calls}
    if work.kind == APPLY:
        return _told(apply_plan(engine, settings, name, crm_of, clock, asked))
    report = run_sync(engine, settings, number, crm_of, clock, Asking(work.actor))
    if report is None:
        raise Busy(f"{name} is being synced already.", f"Ya se está sincronizando {name}.")
    return _told(report)


def _told(report: SyncReport) -> dict[str, Any]:
    english, spanish = report.sentence or (None, None)
    said = {"message_en": english, "message_es": spanish}
    return {"run": report.run, "state": report.state, "counts": dict(report.counts), "calls": report.calls, **said}
