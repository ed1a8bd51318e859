"""Exports that a schedule makes, to a folder or to object storage, as files in `export-plans/` say."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from connectors.export_plans import ExportPlan, plan_paths, read_export_plan
from connectors.places import open_place
from connectors.scratch import scratch
from pipelines.contacts import read_filter
from pipelines.exports import ExportForm, export_contacts, format_of
from pipelines.schedules import ask_once, last_moment
from pipelines.segments import segment_named
from schemas.errors import InputError
from schemas.settings import Settings
from warehouse import jobs
from warehouse.audit import Asked
from warehouse.contact_lists import Wanted
from warehouse.engines import Store, reading, transaction
from warehouse.jobs import Progress, Work

SCHEDULED = "scheduled_export"
_BY_HAND = "now"


class NoSuchPlan(InputError):
    """There is no file of this export."""


def find_plan(settings: Settings, name: str) -> ExportPlan:
    """The plan of a name; raises NoSuchPlan or TomlFileError."""
    known = {path.stem: path for path in plan_paths(settings.home)}
    if name not in known:
        listed, folder = ", ".join(known) or "—", settings.home / "export-plans"
        raise NoSuchPlan(
            f"There is no {name}.toml in {folder}. There are: {listed}.",
            f"No hay ningún {name}.toml en {folder}. Hay: {listed}.",
        )
    return read_export_plan(known[name])


def ask_for_scheduled(store: Store, settings: Settings, name: str, asked: Asked) -> Work:
    """A job that makes a scheduled export now."""
    plan = find_plan(settings, name)
    _check(store, settings, plan)
    with transaction(store) as connection:
        return jobs.ask(connection, SCHEDULED, f"plan:{name}:{_BY_HAND}", asked)


def export_on_schedule(store: Store, settings: Settings, now: datetime) -> None:
    """Ask for what the last moment of each plan wants; `padron export-plans list` tells of one that cannot be read."""
    for path in plan_paths(settings.home):
        try:
            plan = read_export_plan(path)
        except InputError:
            continue
        moment = last_moment(plan.schedule, settings.time_zone, now)
        if moment > datetime.fromtimestamp(path.stat().st_mtime, UTC):
            ask_once(store, SCHEDULED, f"plan:{plan.name}:{moment:%Y-%m-%dT%H:%M%z}", now)


def _check(store: Store, settings: Settings, plan: ExportPlan) -> tuple[str, datetime | None]:
    """The filter of a plan, and as of when its segment is; raises what is wrong with it."""
    format_of(Path(plan.file))
    if not plan.segment:
        if plan.filter:
            read_filter(store, settings, plan.filter)
        return plan.filter, None
    with reading(store) as connection:
        segment = segment_named(connection, plan.segment)
    name = plan.segment.replace("'", "''")
    return f"in_segment('{name}')", segment.as_of


def run_scheduled(
    engine: Engine, work: Work, settings: Settings, clock: Callable[[], datetime], progress: Progress
) -> dict[str, Any]:
    """Write the file and put it where the plan says; its name has the time as of which its contacts are."""
    plan = find_plan(settings, work.object.removeprefix("plan:").partition(":")[0])
    filter_text, segment_at = _check(engine, settings, plan)
    condition = read_filter(engine, settings, filter_text) if filter_text else None
    asked, place = Asked(work.actor, clock(), work.address), open_place(plan.to, f"«to» ({plan.path.name})")
    as_of = segment_at or asked.at
    name = as_of.astimezone(ZoneInfo(settings.time_zone)).strftime(plan.file)
    form = ExportForm(
        Wanted(condition, None, "id"), format_of(Path(name)), tuple(plan.columns), plan.language or settings.language
    )
    with scratch(settings.home) as folder:
        found = export_contacts(engine, settings, form, folder / name, asked, progress)
        place.put_file(name, folder / name)
    return {"file": name, "to": place.shown, "rows": found.rows, "as_of": as_of.isoformat()}
