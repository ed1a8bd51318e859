"""When something is done again and again: every so often, each day at a time, or as cron has it."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from schemas.operators import WrongField

_EVERY = re.compile(r"(\d{1,4})\s*(min|h|d|w|sem)")
_AT = re.compile(r"(?:at|a las)\s+(\d{1,2}):(\d{2})")
_CRON = re.compile(r"(?:cron\s+)?([\w*/,#-]+(?:\s+[\w*/,#-]+){4})", re.ASCII)
_UNITS = {"min": 1, "h": 60, "d": 1_440, "w": 10_080, "sem": 10_080}
_LEAST_MINUTES, _MOST_MINUTES = 1, 60 * 24 * 366
_ANY_DAY = datetime(2026, 1, 1)


def read_schedule(text: str) -> timedelta | tuple[int, int] | str:
    """The time between, the hour and minute of each day, or the five fields of cron; raises WrongField.

    >>> read_schedule("15min"), read_schedule("at 06:30"), read_schedule("cron 0 7 * * MON-FRI")
    (datetime.timedelta(seconds=900), (6, 30), '0 7 * * MON-FRI')
    """
    form = text.strip().lower()
    if match := _EVERY.fullmatch(form):
        minutes = int(match.group(1)) * _UNITS[match.group(2)]
        if _LEAST_MINUTES <= minutes <= _MOST_MINUTES:
            return timedelta(minutes=minutes)
    if (match := _AT.fullmatch(form)) and int(match.group(1)) < 24 and int(match.group(2)) < 60:
        return int(match.group(1)), int(match.group(2))
    if (match := _CRON.fullmatch(form)) and comes(fields := match.group(1).upper()):
        return fields
    raise WrongField(
        "schedule",
        "invalid",
        f"«{text}» is no schedule such as 15min, 2h, 1d, at 06:30, or cron 0 7 * * MON-FRI.",
        f"«{text}» no es un horario como 15min, 2h, 1d, a las 06:30, o cron 0 7 * * MON-FRI.",
    )


def comes(fields: str) -> bool:
    """Whether these are fields of cron that some day fulfils."""
    try:
        next(CronSim(fields, _ANY_DAY))
    except (CronSimError, StopIteration):
        return False
    return True


def next_time(schedule: str, after: datetime, zone: str) -> datetime:
    """When it is done next; what an hour that is left out in spring had, is done right behind it.

    >>> from datetime import UTC
    >>> next_time("at 06:30", datetime(2026, 11, 1, 12, tzinfo=UTC), "America/Bogota").isoformat()
    '2026-11-02T11:30:00+00:00'
    >>> next_time("0 7 * * MON", datetime(2026, 11, 1, 12, tzinfo=UTC), "America/Bogota").isoformat()
    '2026-11-02T12:00:00+00:00'
    """
    found = read_schedule(schedule)
    if isinstance(found, timedelta):
        return after + found
    local = after.astimezone(ZoneInfo(zone))
    if isinstance(found, str):
        return next(CronSim(found, local)).astimezone(after.tzinfo)
    at = local.replace(hour=found[0], minute=found[1], second=0, microsecond=0)
    later = at if at > local else (at + timedelta(days=1))
    return later.astimezone(after.tzinfo)
