"""Work that a schedule asks for: once for each of its moments, whoever sweeps."""

from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

from warehouse import jobs
from warehouse.engines import Store, reading, transaction

_SCHEDULE = "schedule"


def last_moment(schedule: str, zone: str, now: datetime, *, before: int = 0) -> datetime:
    """The last moment of a schedule (cron) that has come, or one so many before it."""
    moments = CronSim(schedule, now.astimezone(ZoneInfo(zone)), reverse=True)
    for _ in range(before):
        next(moments)
    return next(moments)


def ask_once(store: Store, kind: str, object_: str, now: datetime) -> None:
    """A job for this moment of this, unless there is or was one."""
    with reading(store) as connection:
        if jobs.list_jobs(connection, 1, object_=object_):
            return
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        if not jobs.list_jobs(connection, 1, object_=object_):
            jobs.add_job(connection, {"kind": kind, "object": object_, "actor": _SCHEDULE, "created_at": now})
