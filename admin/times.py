"""Times as the person at the command line reads them: in the installation's zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.settings import Settings


def shown_time(at: datetime | None, settings: Settings) -> str:
    """To the second; the zone is named where the installation has none of its own."""
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(settings.time_zone))
    return f"{local:%Y-%m-%d %H:%M:%S}{' UTC' if settings.time_zone == 'UTC' else ''}"
