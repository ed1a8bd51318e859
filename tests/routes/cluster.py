"""A PostgreSQL and a Redis that go away and come back."""

import os
import signal
from pathlib import Path

import psycopg
import redis

from tests import servers
from tests.routes.running import wait_until


class Cluster:
    """A PostgreSQL and a Redis of one's own, which can be stopped at once and come back on their ports."""

    def __init__(self) -> None:
        self.postgres, url = servers.start_postgres()
        self.guards = [self.postgres.guard]
        self.admin_url = url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER ROLE test SET synchronous_commit = on")
            connection.execute("CREATE DATABASE padron")
        self.database_url = url.rsplit("/", 1)[0] + "/padron"
        self.redis, self.broker_url = servers.start_redis()
        self.old: list[servers.Server] = []

    def stop_postgres_at_once(self) -> None:
        pid = int((Path(self.postgres.base) / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        assert wait_until(lambda: not self._answers(), 20)
        assert wait_until(lambda: not (Path(self.postgres.base) / "data" / "postmaster.pid").exists(), 20)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_url, connect_timeout=1).close()
        except psycopg.Error:
            return False
        return True

    def start_postgres(self) -> None:
        """Start it over the same data; the earlier guard is kept, as it removes the folder when it is let go."""
        self.postgres.start()
        self.guards.append(self.postgres.guard)
        self.postgres.wait_for(lambda: psycopg.connect(self.admin_url, connect_timeout=2).close())

    def kill_redis(self) -> None:
        client = redis.Redis.from_url(self.broker_url)
        pid = int(client.info("server")["process_id"])  # type: ignore[index]
        client.close()
        os.kill(pid, signal.SIGKILL)

    def start_redis(self) -> None:
        self.old.append(self.redis)
        self.redis, _ = servers.start_redis(int(self.broker_url.rsplit(":", 1)[1].split("/")[0]))

    def flush_redis(self) -> None:
        client = redis.Redis.from_url(self.broker_url)
        client.flushall()
        client.close()

    def stop(self) -> None:
        for server in (self.redis, *self.old):
            server.stop()
        for guard in self.guards:
            assert guard.stdin
            guard.stdin.close()
            guard.wait(20)
