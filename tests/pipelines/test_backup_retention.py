"""Which backups stay: of days, weeks and months, the newest verified one always; and what was never finished goes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.backup_jobs import note
from pipelines.backup_retention import prune, too_many
from pipelines.backups import Backup, create_backup, list_backups, place_of
from schemas.backups import Manifest, Verified, backup_name
from tests.backing import beat, settings_of
from tests.conftest import Roll, utc_now

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def backup(at: datetime, level: int = 0) -> Backup:
    manifest = Manifest(backup_name(at, 1, 1), at, "0015", "sqlite", None, ())
    return Backup(manifest, Verified(level, at) if level else None)


def stays(backups: Sequence[Backup], keep: tuple[int, int, int], zone: str = "UTC") -> list[str]:
    gone = too_many(backups, keep, zone, NOW)
    return [f"{one.manifest.as_of:%m-%d %H}" for one in backups if one.manifest.name not in gone]


def daily(count: int, hour: int = 3) -> list[Backup]:
    return [backup(datetime(2026, 11, 28, hour, tzinfo=UTC) - timedelta(days=days)) for days in range(count)][::-1]


def test_the_last_days_weeks_and_months_keep_their_newest() -> None:
    assert stays(daily(100), (3, 2, 3)) == ["09-30 03", "10-31 03", "11-22 03", "11-26 03", "11-27 03", "11-28 03"]


def test_days_without_a_backup_do_not_count() -> None:
    some = [backup(datetime(2026, month, 5, 3, tzinfo=UTC)) for month in (1, 3, 6, 9)]

    assert stays(some, (2, 0, 0)) == ["06-05 03", "09-05 03"]


def test_a_day_is_one_of_the_installation() -> None:
    late, early = (backup(datetime(2026, 11, 20, hour, tzinfo=UTC)) for hour in (2, 10))

    assert stays([late, early, *daily(2)], (3, 0, 0)) == ["11-20 10", "11-27 03", "11-28 03"]
    assert stays([late, early, *daily(2)], (4, 0, 0), "America/Bogota") == [
        "11-20 02",
        "11-20 10",
        "11-27 03",
        "11-28 03",
    ]


def test_all_of_the_last_24_hours_stay() -> None:
    assert len(stays([*daily(1, 3), *daily(1, 4), *daily(1, 5), *daily(1, 6)], (1, 0, 0))) == 4


def test_the_newest_that_was_verified_furthest_stays_however_old() -> None:
    old = [backup(datetime(2025, 1, day, tzinfo=UTC), level) for day, level in ((1, 3), (2, 3), (3, 2), (4, 0))]

    assert stays([*old, *daily(3)], (1, 0, 0)) == ["01-02 00", "11-28 03"]


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3)), min_size=1, max_size=40),
    st.tuples(*[st.integers(0, 5)] * 3),
)
def test_something_always_stays_and_asking_again_lets_nothing_more_go(
    ages: list[tuple[int, int]], keep: tuple[int, int, int]
) -> None:
    backups = [backup(NOW - timedelta(hours=hours, seconds=n), level) for n, (hours, level) in enumerate(ages)]

    gone = too_many(backups, keep, "America/Lima", NOW)

    left = [one for one in backups if one.manifest.name not in gone]
    assert max(one.manifest.as_of for one in backups) in [one.manifest.as_of for one in left]
    best = max(one.verified.level if one.verified else 0 for one in backups)
    assert any((one.verified.level if one.verified else 0) == best for one in left)
    assert too_many(left, keep, "America/Lima", NOW) == []


def test_pruning_lets_go_and_a_rehearsal_only_says_what(roll: Roll) -> None:
    settings = settings_of(roll, backup_keep="2 0 0")
    times = [utc_now() - timedelta(days=days) for days in (40, 30, 20, 10)]
    for number, at in enumerate(times):
        create_backup(roll.engine, settings, backup_name(at, number + 1, 1), lambda at=at: at, lambda *_: None)  # type: ignore[misc]
    names = [one.manifest.name for one in list_backups(settings)]
    note(settings, list_backups(settings)[0].manifest, 2, utc_now, beat())
    place = place_of(settings)
    place.put(f"{backup_name(times[0], 77, 1)}/contacts.parquet", b"cut off")
    place.put(f"{backup_name(utc_now(), 78, 1)}/contacts.parquet", b"under way")
    place.put("something else/of somebody", b"stays")

    said = prune(roll.engine, settings, utc_now(), is_rehearsal=True)
    assert [one.manifest.name for one in list_backups(settings)] == names
    done = prune(roll.engine, settings, utc_now())

    assert said == done
    assert (done.backups, done.interrupted) == ((names[1],), (backup_name(times[0], 77, 1),))
    assert [one.manifest.name for one in list_backups(settings)] == [names[0], *names[2:]]
    under_way = [name for name in place.folders() if name.endswith("-78")]
    assert (len(under_way), len(place.folders())) == (1, 5)
    assert place.get("something else/of somebody") == b"stays"
