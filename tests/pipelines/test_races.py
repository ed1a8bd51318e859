"""What others commit between the look ahead at a slice and its transaction is seen by the transaction."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection

from pipelines import imports
from pipelines.undo import undo_batch
from tests.conftest import Roll, utc_now
from warehouse.engines import Store, transaction

_PEOPLE = "name,phone,city\n" + "".join(f"Ana {row},+5730011122{row:02d},Cali\n" for row in range(20))


@pytest.fixture(autouse=True, params=[0, 200], ids=["reading all", "asking for each row"])
def ids_behind(request: pytest.FixtureRequest, store: Roll) -> None:
    """A roll far larger than the file is not read through: its rows are asked for one by one."""
    if request.param:
        store.use_up_ids(request.param)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Arrange that something happens just before the first slice's transaction of the next import."""

    def arrange(happening: Callable[[], object]) -> None:
        opened = 0

        def watched(store: Store) -> AbstractContextManager[Connection]:
            nonlocal opened
            opened += 1
            if opened == 2:
                monkeypatch.setattr(imports, "transaction", transaction)
                happening()
            return transaction(store)

        monkeypatch.setattr(imports, "transaction", watched)

    return arrange


def test_contacts_that_are_taken_back_meanwhile_are_made_again(
    store: Roll, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    first = store.import_text(_PEOPLE)
    assert first.batch_id is not None
    number = first.batch_id
    meanwhile(lambda: undo_batch(store.engine, number, "test", utc_now))

    again = store.import_text(_PEOPLE)

    assert (again.created, again.unchanged) == (20, 0)
    assert len(store.living()) == 20


def test_of_two_imports_at_once_the_later_one_wins(
    store: Roll, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    store.import_text(_PEOPLE)
    meanwhile(lambda: store.import_text(_PEOPLE.replace("Cali", "Quito")))

    again = store.import_text(_PEOPLE)

    assert (again.updated, again.unchanged) == (20, 0)
    assert {city for (city,) in store.living("city")} == {"Cali"}
