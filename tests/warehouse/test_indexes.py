"""A first load drops indexes and builds them at its end; what a crash leaves unbuilt is built by the sweep."""

import pytest

from scheduler.tasks import sweep
from schemas.settings import Settings
from tests.conftest import Roll
from warehouse import indexes
from warehouse.engines import transaction

_PEOPLE = "email,nombre,etiquetas\n" + "".join(f"p{n}@example.org,Persona {n},t{n % 7}\n" for n in range(20_050))


def drop_all(store: Roll) -> None:
    with transaction(store.engine) as connection:
        indexes.drop_for_first_load(connection)


def test_a_new_store_has_every_index(store: Roll) -> None:
    assert indexes.missing(store.engine) == ()


def test_a_first_load_leaves_every_index(store: Roll) -> None:
    report = store.import_text(_PEOPLE)

    assert (report.created, indexes.missing(store.engine)) == (20_050, ())


def test_what_a_crash_left_unbuilt_is_built_by_the_sweep(store: Roll) -> None:
    drop_all(store)
    gone = len(indexes.missing(store.engine))

    sweep(store.engine, Settings())

    assert (gone, indexes.missing(store.engine)) == (len(indexes.deferrable()), ())


def test_the_sweep_waits_with_indexes_while_a_batch_is_worked_on(store: Roll) -> None:
    store.import_text("email\nana@example.org\n")
    drop_all(store)
    with transaction(store.engine) as connection:
        connection.exec_driver_sql(
            "UPDATE batches SET lease_until = "
            + ("9999999999999999" if store.engine.dialect.name == "sqlite" else "now() + interval '1 hour'")
        )

    sweep(store.engine, Settings())

    assert len(indexes.missing(store.engine)) == len(indexes.deferrable())


def test_an_import_without_indexes_finds_the_same_people_and_builds_them_first(store: Roll) -> None:
    store.import_text("email,nombre\nana@example.org,Ana\n")
    drop_all(store)

    report = store.import_text("email,nombre,ciudad\nANA@example.org,Ana,Lima\n")

    assert (report.created, report.updated) == (0, 1)
    assert indexes.missing(store.engine) == ()


def test_the_database_refuses_a_second_owner_of_a_key(store: Roll) -> None:
    store.import_text("email\nana@example.org\neva@example.org\n")

    with pytest.raises(Exception, match="(?i)unique"), transaction(store.engine) as connection:
        connection.exec_driver_sql("UPDATE contacts SET email_match = 'ana@example.org'")
