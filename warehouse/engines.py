"""Engines and transactions. A write on SQLite takes its turn at a lock file, so that small writers never starve."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from schemas.errors import SetupError, TransientError
from schemas.folding import folded

_WAIT_SECONDS = 60.0
_CACHE = "cache_size=-49152"
_PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=60000",
    _CACHE,
    "wal_autocheckpoint=60000",
)
_POSTGRESQL = {"connect_timeout": 10, "options": "-c jit=off"}
"""Compiling a query costs more than the short queries of a slice do."""


class _Held(threading.local):
    """The write transactions of a thread, one of each database."""

    def __init__(self) -> None:
        self.by_path: dict[str | None, sqlite3.Connection] = {}


_held = _Held()
CLASH = (IntegrityError,)
"""Somebody else wrote a row with the same key."""
UNREACHABLE = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    sqlite3.OperationalError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    TransientError,
)
"""What is raised while the database is away, busy or full, by SQLAlchemy or by the driver: wait and try again."""
REHEARSAL = "rehearsal"
"""In `Connection.info` of a rehearsal: the next id of each table."""


class StoreBusy(TransientError):
    """Another writer kept the database longer than a writer may."""


class StoreUnreachable(SetupError):
    """The database cannot be opened."""


class LockedConnection(sqlite3.Connection):
    """A SQLite connection whose write transactions wait in line at `<database>.lock`.

    Whoever waits for it holds `<database>.lock.next`, so that one who has just let go of the lock does not take it
    again before the others: an import would, thousands of times.
    """

    lock_path: str | None = None
    _lock: Any = None
    _next: Any = None

    def keep_a_log(self) -> None:
        """Set the database to write-ahead logging, once; SQLite lets nobody wait for that, so the lock file does."""
        if self.lock_path is None or self.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            return
        with open(self.lock_path, "ab") as lock:
            _flock(lock)
            self.execute("PRAGMA journal_mode=WAL")

    def begin_write(self) -> None:
        if self.lock_path in _held.by_path:
            raise RuntimeError("this thread has a write transaction open already; a second one would wait for ever")
        if self.lock_path:
            self._lock = self._lock or open(self.lock_path, "ab")  # noqa: SIM115 (kept for the connection's life)
            self._next = self._next or open(f"{self.lock_path}.next", "ab")  # noqa: SIM115 (kept likewise)
            _flock(self._next)
            try:
                _flock(self._lock)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)
        _held.by_path[self.lock_path] = self
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self._release()
            raise

    def commit(self) -> None:
        super().commit()
        self._release()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self._release()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._release()
            for file in filter(None, (self._lock, self._next)):
                file.close()
            self._lock = self._next = None

    def _release(self) -> None:
        if _held.by_path.get(self.lock_path) is self:
            del _held.by_path[self.lock_path]
            if self._lock is not None:
                fcntl.flock(self._lock, fcntl.LOCK_UN)


def _flock(file: Any) -> None:
    """Wait for the lock; the kernel frees it when its holder dies."""
    deadline = time.monotonic() + _WAIT_SECONDS
    pause = 0.0005
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise StoreBusy(
                    f"Another process has been writing to the database for {_WAIT_SECONDS:.0f} s. Try again, or see "
                    "which process holds the .lock file beside it.",
                    f"Otro proceso lleva {_WAIT_SECONDS:.0f} s escribiendo en la base de datos. Inténtelo de nuevo, o "
                    "vea qué proceso retiene el archivo .lock que está a su lado.",
                ) from error
            time.sleep(pause)
            pause = min(pause * 1.5, 0.01)


def open_engine(url: str) -> Engine:
    """An engine for the store; the SQLite file's folder is made if it is missing."""
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url)
    return create_engine(
        url, pool_size=5, max_overflow=10, pool_pre_ping=True, connect_args=_POSTGRESQL, hide_parameters=True
    )


def _keep_from_others(path: Path) -> None:
    """A new database is its owner's only: it holds people's data, and hashes of passwords."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _fold(text: str | None) -> str | None:
    """What the function `padron_fold` of PostgreSQL does, for SQLite."""
    return folded(text) if text else text


def _sqlite(url: str) -> Engine:
    database = make_url(url).database
    lock_path = f"{database}.lock" if database and database != ":memory:" else None
    if lock_path:
        Path(lock_path).absolute().parent.mkdir(parents=True, exist_ok=True)
        _keep_from_others(Path(database or ""))
    engine = create_engine(
        url,
        connect_args={"factory": LockedConnection, "check_same_thread": False, "isolation_level": None},
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.lock_path = lock_path
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("padron_fold", 1, _fold, deterministic=True)
        connection.keep_a_log()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if connection.get_execution_options().get("sqlite_write", True):
            driver.begin_write()  # type: ignore[union-attr]
        else:
            driver.execute("BEGIN")  # type: ignore[union-attr]

    return engine


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A store for a dry run: everything goes into one transaction of PostgreSQL's that is rolled back."""

    connection: Connection

    @property
    def dialect(self) -> Any:
        return self.connection.dialect


Store = Engine | Rehearsal


@contextmanager
def transaction(store: Store) -> Iterator[Connection]:
    """A write transaction: committed at the end of the block, rolled back if it raises."""
    if isinstance(store, Rehearsal):
        with store.connection.begin_nested():
            yield store.connection
        return
    with store.connect() as connection, connection.begin():
        yield connection


@contextmanager
def reading(store: Store) -> Iterator[Connection]:
    """A read-only view of one moment; never waits for writers."""
    if isinstance(store, Rehearsal):
        yield store.connection
        return
    isolation = {"isolation_level": "REPEATABLE READ"} if store.dialect.name == "postgresql" else {}
    with store.connect().execution_options(sqlite_write=False, **isolation) as connection, connection.begin():
        yield connection


@contextmanager
def sorting(connection: Connection) -> Iterator[None]:
    """Memory and threads as building an index wants them: SQLite sorts faster in small runs, on a second core."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
        yield
        return
    connection.exec_driver_sql("PRAGMA cache_size=-4096")
    connection.exec_driver_sql("PRAGMA threads=2")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA threads=0")
        connection.exec_driver_sql(f"PRAGMA {_CACHE}")


@contextmanager
def overwriting(connection: Connection) -> Iterator[None]:
    """Let SQLite write zeros over what is deleted; what PostgreSQL deletes goes with its next vacuum."""
    if connection.dialect.name == "postgresql":
        yield
        return
    connection.exec_driver_sql("PRAGMA secure_delete=ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")


def empty_log(engine: Engine) -> None:
    """Move SQLite's write-ahead log into the database, where nobody reads an older state, and leave it empty."""
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(sqlite_write=False) as connection:
            driver = connection.connection.driver_connection
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]


@contextmanager
def rehearsing(engine: Engine) -> Iterator[Store]:
    """A store that takes everything and keeps nothing: a copy on SQLite, a transaction rolled back on PostgreSQL."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            outer = connection.begin()
            connection.info[REHEARSAL] = {}
            try:
                yield Rehearsal(connection)
            finally:
                del connection.info[REHEARSAL]
                outer.rollback()
        return
    with TemporaryDirectory(prefix="padron-rehearsal-") as folder, copied(engine, Path(folder) / "copy.db") as copy:
        yield copy


@contextmanager
def copied(engine: Engine, path: Path) -> Iterator[Engine]:
    """A SQLite database as it is now, copied to a new file, which the caller deletes."""
    target = sqlite3.connect(path, isolation_level=None)
    try:
        target.execute("PRAGMA journal_mode=OFF")
        target.execute("PRAGMA synchronous=OFF")
        with engine.connect().execution_options(sqlite_write=False) as connection:
            connection.connection.driver_connection.backup(target)  # type: ignore[union-attr]
    finally:
        target.close()
    copy = _sqlite(f"sqlite:///{path}")
    try:
        yield copy
    finally:
        copy.dispose()


def check_reachable(engine: Engine) -> None:
    """Raise StoreUnreachable with what to do unless the database answers."""
    try:
        with engine.connect().execution_options(sqlite_write=False) as connection:
            connection.execute(text("SELECT 1"))
    except OperationalError as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise StoreUnreachable(
            f"The database {shown} cannot be reached: {error.orig}. Check PADRON_DATABASE_URL and that it is running.",
            f"No se llega a la base de datos {shown}: {error.orig}. Revise PADRON_DATABASE_URL y que esté en marcha.",
        ) from error
