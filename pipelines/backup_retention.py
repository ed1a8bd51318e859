"""Which backups stay: so many of the last days, weeks and months that have any, and the newest that was verified."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.backups import Backup, drop_backup, list_backups, names_in, place_of
from schemas.backups import MANIFEST, said_by_name
from schemas.settings import Settings
from warehouse import jobs
from warehouse.engines import Store, reading

_ABANDONED = _RECENT = timedelta(days=1)
_PERIODS: tuple[Callable[[datetime], object], ...] = (
    lambda at: at.date(),
    lambda at: at.isocalendar()[:2],
    lambda at: (at.year, at.month),
)


@dataclass(frozen=True, slots=True)
class Pruned:
    """Backups that are let go, and the leftovers of some that were never finished."""

    backups: tuple[str, ...]
    interrupted: tuple[str, ...]


def too_many(backups: Sequence[Backup], keep: Sequence[int], zone: str, now: datetime) -> list[str]:
    """The names of those that go; `keep` is how many days, weeks and months keep their newest. A day old stays all."""
    newest_first = sorted(backups, key=lambda one: (one.manifest.as_of, one.manifest.name), reverse=True)
    verified = [one for one in newest_first if one.verified]
    best = max((one.verified.level for one in verified if one.verified), default=0)
    stays = (
        {next(one.manifest.name for one in verified if one.verified and one.verified.level == best)} if best else set()
    )
    stays |= {one.manifest.name for one in newest_first[:1]}
    stays |= {one.manifest.name for one in newest_first if now - one.manifest.as_of < _RECENT}
    for period, count in zip(_PERIODS, keep, strict=True):
        newest: dict[object, str] = {}
        for one in newest_first:
            newest.setdefault(period(one.manifest.as_of.astimezone(ZoneInfo(zone))), one.manifest.name)
        stays |= set(list(newest.values())[:count])
    return [one.manifest.name for one in reversed(newest_first) if one.manifest.name not in stays]


def prune(store: Store, settings: Settings, now: datetime, *, is_rehearsal: bool = False) -> Pruned:
    """Let go what is too many, and what was left unfinished more than a day ago by nobody who is still at it."""
    place = place_of(settings)
    keep = [int(part) for part in settings.backup_keep.split()]
    gone = too_many(list_backups(settings), keep, settings.time_zone, now)
    left = [
        name for name in names_in(place) if _is_abandoned(store, name, now) and place.get(f"{name}/{MANIFEST}") is None
    ]
    if not is_rehearsal:
        for name in (*gone, *left):
            drop_backup(place, name)
    return Pruned(tuple(gone), tuple(left))


def _is_abandoned(store: Store, name: str, now: datetime) -> bool:
    said = said_by_name(name)
    if said is None or now - said[0] < _ABANDONED:
        return False
    with reading(store) as connection:
        try:
            return jobs.get_job(connection, said[1]).state not in jobs.OPEN
        except jobs.NoSuchJob:
            return True
