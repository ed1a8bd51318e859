"""Workers that are killed while they sync with a real CRM: both sides come to be the same, and nobody is made twice."""

import random
from pathlib import Path

import psycopg
import pytest

from schemas.settings import Settings
from tests.routes.cluster import Cluster
from tests.routes.running import Start, utc_now, wait_until
from tests.sync.proxy import proxy_of
from tests.sync.test_kinto import Kinto
from warehouse.store import open_store

_TOWNS = ("Lima", "Quito", "Bogotá", "Cali", "")
_PEOPLE, _KILLS = 45, 30  # both sides fit on a page of Kinto
Rows = list[tuple[object, ...]]


def both_sides(sync: Kinto) -> tuple[Rows, Rows]:
    """Name, e-mail and town of everybody, here and there."""
    here = [(name, email, city or None) for name, email, city in sync.living("first_name, email, city")]
    there = [(one.get("name"), one.get("email"), one.get("town") or None) for one in sync.records()]
    return sorted(here, key=str), sorted(there, key=str)


def _told(sync: Kinto, here: Rows, there: Rows) -> str:
    """What is known of the pairs that differ."""
    said = [f"{set(here) - set(there)} here, {set(there) - set(here)} there"]
    for _, email, _ in set(here) - set(there):
        [(number,)] = sync.rows("SELECT id FROM contacts WHERE email = :email", email=email)
        for query in (
            "SELECT * FROM links",
            "SELECT run_id, outcome, said FROM sync_outcomes",
            "SELECT id, at, actor, operation, diff FROM contact_changes",
        ):
            said += map(str, sync.rows(f"{query} WHERE contact_id = :number ORDER BY id", number=number))
        said += [str(one) for one in sync.records() if one.get("email") == email]
    return "\n".join(said)


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("cluster")
@pytest.mark.slow
def test_workers_killed_while_they_sync_lose_nothing_and_make_nobody_twice(
    start: Start, cluster: Cluster, kinto: str, tmp_path: Path
) -> None:
    with psycopg.connect(cluster.admin_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS padron WITH (FORCE)")
        connection.execute("CREATE DATABASE padron")
    cluster.flush_redis()
    where = {"PADRON_DATABASE_URL": cluster.database_url, "PADRON_BROKER_URL": cluster.broker_url}
    where |= {"PADRON_SYNC_SECONDS": "1", "PADRON_DEFAULT_COUNTRY": "CO"}
    settings = Settings(home=tmp_path / "home", database_url=cluster.database_url, default_country="CO")
    pick = random.Random(7)
    with proxy_of(kinto) as proxy:
        sync = Kinto(open_store(settings.store_url), settings, now=utc_now())
        sync.open(kinto, proxy)
        made = [sync.create(first_name=f"Ana{at}", email=f"a{at}@example.org") for at in range(_PEOPLE)]
        for at in range(_PEOPLE):
            sync.ask("POST", name=f"Eva{at}", email=f"e{at}@example.org")
        beat, worker = start("beat", **where), start("worker", **where)
        proxy.drops = lambda method, path: method != "GET" and pick.random() < 0.05

        for at in range(_KILLS):
            for number in pick.sample(made, 3):
                sync.now = utc_now()
                sync.edit(number, city=pick.choice(_TOWNS))
            for record in pick.sample(sync.records(), 3):
                sync.ask("PATCH", f"/{record['id']}", town=pick.choice(_TOWNS))
            asked = len(proxy.seen)
            assert wait_until(lambda before=asked: len(proxy.seen) > before, 60), worker.said()[-3000:]
            wait_until(lambda: False, pick.uniform(0, 0.6))
            worker.kill()
            worker = start("worker", **where)
            if at == _KILLS // 2:
                cluster.flush_redis()

        proxy.drops = lambda method, path: False
        same = wait_until(lambda: len(set(map(tuple, both_sides(sync)))) == 1, 240, 0.5)
        here, there = both_sides(sync)
        assert same, _told(sync, here, there)
        assert len(here) == 2 * _PEOPLE
        assert len({email for _, email, _ in here}) == 2 * _PEOPLE
        assert wait_until(lambda: {state for _, _, state, _ in sync.links()} == {"active"}, 240, 0.5)
        writes = proxy.count("PUT", "PATCH", "POST", "DELETE")
        asked = len(proxy.seen)
        assert wait_until(lambda: len(proxy.seen) >= asked + 3, 60)
        assert proxy.count("PUT", "PATCH", "POST", "DELETE") == writes
        for part in (beat, worker):
            part.kill()
        sync.store.dispose()
