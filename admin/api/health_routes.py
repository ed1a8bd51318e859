"""Whether Padrón lives and is ready, and its measurements."""

import os
import shutil
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel
from redis import Redis, RedisError

from admin.api.callers import AtDesk, Desk, May
from admin.api.problems import problems
from pipelines.access import Caller
from pipelines.backup_jobs import BackupState, is_late, state_of_backups
from schemas.settings import Settings
from warehouse import batches
from warehouse.engines import UNREACHABLE, reading
from warehouse.jobs import count_jobs
from warehouse.licences import count_taken
from warehouse.store import current_version, newest_version
from warehouse.webhooks import count_deliveries

router = APIRouter(tags=["health"])
_LEAST_FREE = 100 << 20


class HealthModel(BaseModel):
    """Each part, and whether it is as it should be."""

    ready: bool
    parts: dict[str, str]
    backups: str


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health", responses={503: {"model": HealthModel}})
def ready(desk: AtDesk, response: Response) -> HealthModel:
    """Whether work can be done: database, tables of this version, broker, and room in the home folder.

    How backups go is told beside it, as work can be done without them.
    """
    parts = {**_database(desk), "broker": _broker(desk.settings), "home": _home(desk.settings)}
    good = set(parts.values()) == {"ok"}
    response.status_code = 200 if good else 503
    return HealthModel(ready=good, parts=parts, backups=_backups(desk) if parts["tables"] == "ok" else "unknown")


def _database(desk: Desk) -> dict[str, str]:
    try:
        version = current_version(desk.store)
    except UNREACHABLE:
        return {"database": "does not answer", "tables": "unknown"}
    same = version == newest_version()
    return {"database": "ok", "tables": "ok" if same else f"version {version}; this program has {newest_version()}"}


def _backups(desk: Desk) -> str:
    with reading(desk.store) as connection:
        found = state_of_backups(connection)
    if found.problem is not None:
        return f"job {found.problem.id} failed"
    if found.last_at is None:
        return "none yet" if desk.settings.backup_schedule else "not scheduled"
    late = is_late(desk.settings, found.last_at, desk.clock())
    return f"{'late, ' if late else ''}last {found.last_at:%Y-%m-%dT%H:%MZ}"


def _broker(settings: Settings) -> str:
    """A broker in memory is the process itself."""
    if settings.broker_url.startswith("memory://"):
        return "ok"
    try:
        with Redis.from_url(settings.broker_url, socket_timeout=2, socket_connect_timeout=2) as broker:
            broker.ping()
    except RedisError:
        return "does not answer"
    return "ok"


def _home(settings: Settings) -> str:
    try:
        free = shutil.disk_usage(settings.home).free
    except OSError:
        return "not there"
    if not os.access(settings.home, os.W_OK):
        return "cannot be written to"
    return "ok" if free > _LEAST_FREE else f"only {free >> 20} MB free"


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(401, 403)},
)
def metrics(caller: Annotated[Caller, Depends(May("metrics:read"))], desk: AtDesk) -> Response:
    """Measurements as Prometheus reads them."""
    registry = CollectorRegistry()
    found = Gauge("padron_batches", "Imports by state", ["state"], registry=registry)
    with reading(desk.store) as connection:
        for state, count in batches.count_states(connection).items():
            found.labels(state).set(count)
    with reading(desk.store) as connection:
        for kind, counts in (("jobs", count_jobs(connection)), ("deliveries", count_deliveries(connection))):
            gauge = Gauge(f"padron_{kind}", f"{kind.title()} by state", ["state"], registry=registry)
            for state, count in counts.items():
                gauge.labels(state).set(count)
    bought = Gauge("padron_seats", "Seats bought", ["licence"], registry=registry)
    taken = Gauge("padron_seats_taken", "Seats taken", ["licence"], registry=registry)
    with reading(desk.store) as connection:
        for name, (seats, seats_taken) in count_taken(connection, desk.clock()).items():
            bought.labels(name).set(seats)
            taken.labels(name).set(seats_taken)
    with reading(desk.store) as connection:
        _measure_backups(registry, state_of_backups(connection))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _measure_backups(registry: CollectorRegistry, found: BackupState) -> None:
    said = {
        "padron_backup_timestamp_seconds": ("When the last good backup was begun", found.last_at),
        "padron_backup_verified_timestamp_seconds": ("When a backup was verified last", found.verified_at),
    }
    for name, (meaning, at) in said.items():
        Gauge(name, meaning, registry=registry).set(at.timestamp() if at else 0)
    Gauge("padron_backup_bytes", "Size of the last good backup", registry=registry).set(found.size_bytes)
    failed = Gauge("padron_backup_failed", "1 if the last backup or verification failed", registry=registry)
    failed.set(found.problem is not None)
