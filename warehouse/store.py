"""The store as a whole: opening it, and bringing its tables to this version."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from schemas.errors import SetupError
from warehouse import bulk
from warehouse.engines import check_reachable, open_engine, transaction


class NewerStore(SetupError):
    """The database was made by a later version of Padrón."""


def open_store(url: str) -> Engine:
    """An engine whose tables are of this version; older ones are migrated, one process at a time."""
    engine = open_engine(url)
    check_reachable(engine)
    if current_version(engine) != newest_version():
        _migrate(engine)
    return engine


def alembic_config(connection: Connection | None = None) -> Config:
    """For Alembic's commands, which run in the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@cache
def known_versions() -> tuple[str, ...]:
    """The versions that the tables have had, the oldest first."""
    script = ScriptDirectory.from_config(alembic_config())
    return tuple(reversed([revision.revision for revision in script.walk_revisions()]))


def newest_version() -> str:
    return known_versions()[-1]


def current_version(engine: Engine) -> str | None:
    with engine.connect().execution_options(sqlite_write=False) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _migrate(engine: Engine) -> None:
    version = current_version(engine)
    if version is not None and version not in known_versions():
        raise NewerStore(
            f"The database has tables of a later version ({version}) than this program knows. Update Padrón.",
            f"La base de datos tiene tablas de una versión posterior ({version}) a la de este programa. "
            "Actualice Padrón.",
        )
    with transaction(engine) as connection:
        bulk.lock_keys(connection)
        command.upgrade(alembic_config(connection), "head")
