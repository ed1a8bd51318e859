"""Throwaway PostgreSQL and Redis servers for the tests, started from installed binaries, as root too."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

# The guard owns the server. It reads a pipe whose only writer is the test process: at its end, or under a new parent,
# it stops the server and removes its folder, so that a killed test run leaves nothing behind.
_GUARD = r"""
import os, pwd, select, shutil, signal, subprocess, sys
parent, user, sig, base, *command = sys.argv[1:]
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
if user and os.geteuid() == 0:
    entry = pwd.getpwnam(user); os.setgroups([]); os.setgid(entry.pw_gid); os.setuid(entry.pw_uid)
log = open(os.path.join(base, "log"), "ab")
server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=base, start_new_session=True)
sys.stdout.write("up\n"); sys.stdout.flush()
while os.getppid() == int(parent) and not select.select([0], [], [], 0.3)[0]: pass
try: os.killpg(server.pid, int(sig))
except ProcessLookupError: pass
try: server.wait(5)
except subprocess.TimeoutExpired:
    try: os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError: pass
if os.environ.get("KEEP") != "1": shutil.rmtree(base, ignore_errors=True)
"""
_POSTGRES = (
    'if [ ! -d "$3" ]; then "$1" -D "$3" -U test -A trust -E UTF8 --locale=C --no-sync --no-instructions; fi && '
    'pg=$2 && data=$3 && shift 3 && exec "$pg" -D "$data" "$@"'
)


_ROOM = 8 << 30


class Missing(Exception):
    """A server's binaries are not installed."""


class Server:
    """A running server and its guard."""

    def __init__(self, base: str, command: list[str], signal_number: int, user: str | None) -> None:
        self.base, self.command, self.signal_number, self.user = base, command, signal_number, user
        self.start()

    def start(self) -> None:
        arguments = [str(os.getpid()), self.user or "", str(self.signal_number), self.base, *self.command]
        self.guard = subprocess.Popen(
            [sys.executable, "-S", "-c", _GUARD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "KEEP": "0"},
        )
        assert self.guard.stdout
        self.guard.stdout.readline()

    def stop(self) -> None:
        assert self.guard.stdin
        self.guard.stdin.close()
        self.guard.wait(20)

    def wait_for(self, check: Callable[[], object], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                check()
                return
            except Exception as error:  # whatever a server that is not up yet answers; the last one is told
                if time.monotonic() > end or self.guard.poll() is not None:
                    log = (Path(self.base) / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the server did not start: {error}\n{log}") from error
                time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _find(name: str) -> str:
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    binary = found[-1] if found else shutil.which(name)
    if not binary:
        raise Missing(name)
    return binary


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Missing("an unprivileged user for PostgreSQL")


def _folder(user: str | None) -> str:
    """In memory where there is much of it: each database is 300 new files, half a millisecond each on some disks."""
    memory = Path("/dev/shm")
    roomy = memory.exists() and shutil.disk_usage(memory).free > _ROOM
    base = tempfile.mkdtemp(prefix="padron-test-", dir=memory if roomy else "/tmp")
    if user:
        entry = pwd.getpwnam(user)
        os.chown(base, entry.pw_uid, entry.pw_gid)
    return base


def start_postgres(**wanted: object) -> tuple[Server, str]:
    """A server, with these options of its own, and the URL of its `postgres` database; raises Missing."""
    user = _unprivileged()
    initdb, postgres, base, port = _find("initdb"), _find("postgres"), _folder(user), free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": base,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "64MB",
        "max_connections": 100,
        **wanted,
    }
    flags = [f"--{key}={value}" for key, value in options.items()]
    server = Server(base, ["sh", "-c", _POSTGRES, "sh", initdb, postgres, f"{base}/data", *flags], 3, user)
    url = f"postgresql://test@127.0.0.1:{port}/postgres"
    server.wait_for(lambda: psycopg.connect(url, connect_timeout=2).close())
    return server, url


def start_redis(port: int | None = None) -> tuple[Server, str]:
    """A server without persistence, and its URL; raises Missing."""
    binary = shutil.which("redis-server")
    if not binary:
        raise Missing("redis-server")
    port = port or free_port()
    base = _folder(None)
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", base]
    server = Server(base, command, 9, None)
    server.wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
    return server, f"redis://127.0.0.1:{port}/0"


_KINTO = """[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
[app:main]
use = egg:kinto
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.includes = kinto.plugins.accounts
multiauth.policies = account
multiauth.policy.account.use = kinto.plugins.accounts.authentication.AccountsAuthenticationPolicy
kinto.account_create_principals = system.Everyone
kinto.bucket_create_principals = system.Authenticated
kinto.paginate_by = 100
[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = ERROR
handlers =
"""


def start_kinto() -> tuple[Server, str]:
    """A Kinto with nothing in it, and its URL; raises Missing."""
    binary = Path(sys.prefix) / "peers" / "bin" / "kinto"
    if not binary.exists():
        raise Missing("kinto (make .venv/.peers)")
    port, base = free_port(), _folder(None)
    (Path(base) / "kinto.ini").write_text(_KINTO.format(port=port))
    command = [str(binary), "start", "--ini", f"{base}/kinto.ini", "--port", str(port)]
    server = Server(base, command, 9, None)
    server.wait_for(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
    return server, f"http://127.0.0.1:{port}"
