"""Whether Padrón lives and is ready, and its measurements."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel

from admin.api.callers import AtDesk, May
from admin.api.problems import problems
from pipelines.access import Caller
from pipelines.licences import seat_views
from warehouse import batches
from warehouse.engines import UNREACHABLE, reading
from warehouse.store import current_version, newest_version

router = APIRouter(tags=["health"])


class HealthModel(BaseModel):
    """Each part, and whether it is as it should be."""

    ready: bool
    parts: dict[str, str]


@router.get("/health/live")
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/health", responses={503: {"model": HealthModel}})
def ready(desk: AtDesk, response: Response) -> HealthModel:
    """Whether work can be done: the database answers and has the tables of this version."""
    parts = {"database": "ok", "tables": "ok"}
    try:
        version = current_version(desk.store)
        if version != newest_version():
            parts["tables"] = f"version {version}; this program has {newest_version()}"
    except UNREACHABLE:
        parts = {"database": "does not answer", "tables": "unknown"}
    good = set(parts.values()) == {"ok"}
    response.status_code = 200 if good else 503
    return HealthModel(ready=good, parts=parts)


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
    bought = Gauge("padron_seats", "Seats bought", ["licence"], registry=registry)
    taken = Gauge("padron_seats_taken", "Seats taken", ["licence"], registry=registry)
    for view in seat_views(desk.store, desk.clock()):
        bought.labels(view.licence.name).set(view.licence.seats)
        taken.labels(view.licence.name).set(len(view.holders))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
