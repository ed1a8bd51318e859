"""When something is done again and again: every so often, or each day at a time."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.operators import WrongField

_EVERY = re.compile(r"(\d{1,4})\s*(min|h|d|w|sem)")
_AT = re.compile(r"(?:at|a las)\s+(\d{1,2}):(\d{2})")
_UNITS = {"min": 1, "h": 60, "d": 1_440, "w": 10_080, "sem": 10_080}
_LEAST_MINUTES, _MOST_MINUTES = 1, 60 * 24 * 366


def read_schedule(text: str) -> timedelta | tuple[int, int]:
    """The time between, or the hour and minute of each day; raises WrongField.

    >>> read_schedule("15min"), read_schedule("at 06:30")
    (datetime.timedelta(seconds=900), (6, 30))
    """
    form = text.strip().lower()
    if match := _EVERY.fullmatch(form):
        minutes = int(match.group(1)) * _UNITS[match.group(2)]
        if _LEAST_MINUTES <= minutes <= _MOST_MINUTES:
            return timedelta(minutes=minutes)
    if (match := _AT.fullmatch(form)) and int(match.group(1)) < 24 and int(match.group(2)) < 60:
        return int(match.group(1)), int(match.group(2))
    raise WrongField(
        "schedule",
        "invalid",
        f"«{text}» is no schedule such as 15min, 2h, 1d or at 06:30.",
        f"«{text}» no es un horario como 15min, 2h, 1d o a las 06:30.",
    )


def next_time(schedule: str, after: datetime, zone: str) -> datetime:
    """When it is done next.

    >>> from datetime import UTC
    >>> next_time("at 06:30", datetime(2026, 11, 1, 12, tzinfo=UTC), "America/Bogota").isoformat()
    '2026-11-02T11:30:00+00:00'
    """
    found = read_schedule(schedule)
    if isinstance(found, timedelta):
        return after + found
    local = after.astimezone(ZoneInfo(zone))
    at = local.replace(hour=found[0], minute=found[1], second=0, microsecond=0)
    later = at if at > local else (at + timedelta(days=1))
    return later.astimezone(after.tzinfo)
