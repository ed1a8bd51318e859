"""The migrations make the tables that the code knows."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import downgrade, upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text

import warehouse
from tests.conftest import Roll
from warehouse import search
from warehouse.engines import reading, transaction
from warehouse.interactions import add_interactions, count_interactions
from warehouse.store import NewerStore, current_version, newest_version, open_store
from warehouse.tables import contacts, metadata


def in_catalogue(_: object, name: str | None, *__: object) -> bool:
    return not str(name).startswith(search.OBJECTS)


def test_migrated_tables_are_those_of_the_code(store: Roll) -> None:
    with store.engine.connect().execution_options(sqlite_write=False) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": in_catalogue})
        found = compare_metadata(context, metadata)

    assert found == []


def test_migrated_indexes_have_the_conditions_of_the_code(store: Roll) -> None:
    catalogue = {
        str(index.name): index.dialect_options[store.engine.dialect.name]["where"] is not None
        for table in metadata.tables.values()
        for index in table.indexes
    }
    if store.engine.dialect.name == "sqlite":
        sql = "SELECT name, sql LIKE '%WHERE%' FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        sql = "SELECT indexname, indexdef LIKE '% WHERE %' FROM pg_indexes WHERE schemaname = 'public'"

    found = {name: bool(partial) for name, partial in store.rows(sql) if name in catalogue}

    assert found == catalogue


def test_an_open_store_is_of_the_newest_version(store: Roll) -> None:
    assert current_version(store.engine) == newest_version()


def test_a_store_is_opened_twice_without_change(store: Roll) -> None:
    store.import_text("email\nana@example.org\n")

    open_store(store.engine.url.render_as_string(hide_password=False)).dispose()

    assert store.living("email") == [("ana@example.org",)]


def test_last_messages_are_found_for_a_store_of_before(store: Roll) -> None:
    store.import_text("email\nana@example.org\neva@example.org\n")
    times = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 3, 2)]
    rows = [{"contact_id": 1, "kind": "received", "at": at, "source": "x", "external_id": str(at)} for at in times]
    with transaction(store.engine) as connection:
        add_interactions(connection, rows)
        count_interactions(connection, rows)
    migrate(store.engine, "0013", downgrade)

    migrate(store.engine, "head", upgrade)

    with reading(store.engine) as connection:
        found = connection.execute(select(contacts.c.last_sent_at, contacts.c.last_received_at)).all()
    assert sorted(map(tuple, found), key=repr) == [(None, None), (None, times[1])]


def migrate(engine: Engine, version: str, how: Callable[[Config, str], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(warehouse.__file__).parent / "migrations"))
    with transaction(engine) as connection:
        config.attributes["connection"] = connection
        how(config, version)


def test_a_store_of_a_later_version_is_refused(store: Roll) -> None:
    with transaction(store.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(NewerStore, match="9999.*Update"):
        open_store(store.engine.url.render_as_string(hide_password=False))


def test_a_new_store_that_many_open_at_once_is_migrated_once(tmp_path: Path) -> None:
    problems: list[BaseException] = []
    barrier = threading.Barrier(6)

    def open_it() -> None:
        barrier.wait()
        try:
            open_store(f"sqlite:///{tmp_path / 'new' / 'padron.db'}").dispose()
        except BaseException as error:  # a thread would lose it: the test looks at it afterwards
            problems.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    engine = open_store(f"sqlite:///{tmp_path / 'new' / 'padron.db'}")
    assert set(metadata.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()
