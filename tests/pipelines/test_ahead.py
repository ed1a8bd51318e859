"""What a slice knows of the store before its turn: rows that stand as applied, and who owns the keys."""

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pytest

from pipelines import imports
from pipelines.context import Standing
from tests.conftest import Roll

_MANY = "nombre,teléfono,email\n" + "".join(f"Ana {n},+57300111{n:04d},a{n}@example.org\n" for n in range(200))


def test_a_row_stands_where_one_contact_took_it_in() -> None:
    standing = Standing.of(np.array([5, -7, 5, 9]), np.array([1, 2, 3, 4]), since=0)

    assert standing.contacts_of(np.array([9, 5, -7, 8, 2**62])).tolist() == [4, 0, 2, 0, 0]


def test_nothing_stands_in_an_empty_roll() -> None:
    empty = np.empty(0, np.int64)

    assert Standing.of(empty, empty, since=0).contacts_of(np.array([1, 2])).tolist() == [0, 0]


@pytest.mark.parametrize("rows", [5, 200])
def test_rows_that_were_applied_before_change_nothing(store: Roll, rows: int) -> None:
    """Of a few rows each is asked for; for many the contacts are read through once."""
    store.import_text(_MANY)
    changes = store.rows("SELECT count(*) FROM contact_changes")
    few = "".join(_MANY.splitlines(keepends=True)[: rows + 1])

    again = store.import_text(few)

    assert (again.unchanged, again.updated, again.created) == (rows, 0, 0)
    assert store.rows("SELECT count(*) FROM contact_changes") == changes


class AskedAtOnce:
    """A pool whose work is done when it is handed in: every slice is looked at before the one before it is written."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> "AskedAtOnce":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[..., object], *arguments: object) -> Future[object]:
        done: Future[object] = Future()
        done.set_result(work(*arguments))
        return done


@pytest.mark.parametrize("ids_behind", [0, 30], ids=["reading all", "asking for each row"])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_contact_that_an_earlier_slice_renamed_is_compared_by_its_new_name(
    store: Roll, ids_behind: int, size: int, monkeypatch: pytest.MonkeyPatch, slices: Callable[[int], None]
) -> None:
    monkeypatch.setattr(imports, "ThreadPoolExecutor", AskedAtOnce)
    if ids_behind:
        store.use_up_ids(ids_behind)
    slices(size)
    store.import_text("nombre,teléfono,email\nAna,+573001112233,ana@example.org\n")

    report = store.import_text("nombre,teléfono,email\nAna Díaz,+573001112233,\nAna Pérez,,ana@example.org\n")

    assert (report.created, report.updated) == (1, 1)
    assert store.rows(
        "SELECT display_name, phone_match, email_match FROM contacts WHERE deleted_at IS NULL ORDER BY id"
    ) == [
        ("Ana Díaz", "+573001112233", "ana@example.org"),
        ("Ana Pérez", None, None),
    ]
    assert store.rows("SELECT reason FROM candidate_pairs") == [("key_shared",)]


def test_a_slice_without_rows_does_not_forget_which_rows_stand(store: Roll, slices: Callable[[int], None]) -> None:
    header, both = "nombre,teléfono\n", "Luis,+573001112233\nAna,+573001112233\n"
    store.import_text(header + both, match_on=("email",))
    slices(1)

    again = store.import_text(header + "Nadie,\n" + both, match_on=("email",))

    assert (again.unchanged, again.created, again.rejected) == (2, 0, 1)


@pytest.mark.parametrize("ids_behind", [0, 30], ids=["reading all", "asking for each row"])
def test_keys_of_every_kind_and_role_are_known_before_a_row_is_asked_for(store: Roll, ids_behind: int) -> None:
    if ids_behind:
        store.use_up_ids(ids_behind)
    store.import_text(
        "external id,nombre,teléfono,email\n7,Ana,3001112233 / 3104445566,ana@x.org; a2@x.org\n8,Luis,3001112233,\n"
    )

    report = store.import_text(
        "external id,nombre,teléfono,email\n7,,,\n,Ana,,a2@x.org\n,Ana,3104445566,\n,Luis,3001112233,\n,Eva,3209998877,\n"
    )

    assert (report.created, report.unchanged) == (1, 4)
