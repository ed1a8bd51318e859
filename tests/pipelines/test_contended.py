"""Keys that several people of one file have: who owns each, whatever became of the rows before."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines import imports
from pipelines.byhand import import_by_hand, new_lease
from pipelines.imports import Job
from schemas.profiles import Profile
from tests.conftest import Roll, utc_now


def _owners(store: Roll, value: str) -> list[tuple[str, str]]:
    """Who has this key: name, and `own`, `owner` or `shared`."""
    return store.rows(
        "SELECT display_name, 'own' FROM contacts WHERE phone_match = :v OR email_match = :v UNION ALL "
        "SELECT display_name, role FROM contact_keys JOIN contacts ON contacts.id = contact_id "
        "WHERE value = :v ORDER BY 1, 2",
        v=value,
    )


@pytest.mark.parametrize("number", range(8))
def test_a_nameless_row_joins_the_first_of_two_people_whatever_their_keys(roll: Roll, number: int) -> None:
    phone, email = f"+57300111000{number}", f"p{number}@example.org"
    report = roll.import_text(
        f"Nombre,Teléfono,Email\nAna Pérez,{phone},\nLuis Gómez,,{email}\n,{phone},{email}\n", f"{number}.csv"
    )

    assert report.merged == 1
    assert roll.rows("SELECT into_row FROM batch_rows WHERE outcome = 'merged'") == [(1,)]


@pytest.mark.parametrize("number", range(4))
def test_it_joins_the_first_also_where_that_one_has_the_email(roll: Roll, number: int) -> None:
    phone, email = f"+57300111000{number}", f"p{number}@example.org"
    roll.import_text(f"Nombre,Teléfono,Email\nLuis Gómez,,{email}\nAna Pérez,{phone},\n,{phone},{email}\n")

    assert roll.rows("SELECT into_row FROM batch_rows WHERE outcome = 'merged'") == [(1,)]


def test_an_id_in_a_second_column_is_the_same_id(store: Roll) -> None:
    report = store.import_text(
        "Id,Customer id,Nombre,Email\nA1,,Ana Pérez,a@example.org\nZ1,,Eva,e@example.org\nB2,A1,Ana Pérez,b@example.org\n",
        columns={"Id": "external_id", "Customer id": "external_id"},
    )

    assert (report.created, report.merged) == (2, 1)


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(
    ("first", "profile"),
    [
        ("Nombre,Email\nAna Pérez,a@example.org\n", {"mode": "create"}),
        ("Nombre,Email\nLuis Gómez,l@example.org\nMaría Ruiz,m@example.org\n", {"mode": "update"}),
        ("Nombre,Email\nAna Pérez,a@example.org\n", {"duplicates": "skip"}),
    ],
    ids=["create", "update", "skip"],
)
def test_the_first_row_that_is_taken_owns_a_key(
    store: Roll, slices: Callable[[int], None], size: int, first: str, profile: dict[str, str]
) -> None:
    slices(size)
    store.import_text(first)

    store.import_text(
        "Nombre,Email,Teléfono\nAna Pérez,a@example.org,+573001110000\n"
        "Luis Gómez,l@example.org,+573001110000\nMaría Ruiz,m@example.org,+573001110000\n",
        **profile,
    )

    assert _owners(store, "+573001110000") == [("Luis Gómez", "own"), ("María Ruiz", "shared")]


def test_a_key_is_not_owned_in_two_tables(store: Roll) -> None:
    ids: dict[str, Any] = {"source": "crm", "columns": {"Id": "external_id"}}
    store.import_text("Id,Nombre\nA79,Ana\n", **ids)

    store.import_text(
        "Id,Nombre,Email,Email 2\nA79,Ana,p73@example.org,\n,Luis Gómez,p56@example.org,p73@example.org\n"
        ",Eva Ruiz,p73@example.org,\n",
        mode="create",
        **ids,
    )

    assert _owners(store, "p73@example.org") == [("Eva Ruiz", "shared"), ("Luis Gómez", "owner")]


def test_a_block_holds_for_the_namesake_in_a_first_load_too(store: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_FIRST_LOAD", 1)  # a first load of 20,000 rows takes long
    store.import_text(
        "Nombre,Email,Estado\nAna Pérez,a@example.org,\nAna Pérez,a@example.org,bloqueado\n", duplicates="create"
    )

    assert store.rows("SELECT status FROM contacts ORDER BY id") == [("blocked",), ("blocked",)]


@pytest.mark.parametrize("size", [100, 5_000])
@pytest.mark.parametrize("profile", [{"duplicates": "skip"}, {"mode": "create"}])
def test_a_thousand_people_behind_one_switchboard_are_no_thousand_rounds(
    roll: Roll, slices: Callable[[int], None], size: int, profile: dict[str, str]
) -> None:
    slices(size)
    roll.import_text("Nombre,Teléfono\n,+573001110000\n")
    rows = "".join(f"{chr(65 + n % 26)}{chr(97 + n // 26 % 26)}x{n} Gil,+573001110000\n" for n in range(1_500))

    report = roll.import_text(f"Nombre,Teléfono\n{rows}", **profile)

    assert report.unchanged + report.rejected + report.merged == 1_500


def test_an_import_by_hand_that_was_cut_off_goes_on(store: Roll, slices: Callable[[int], None], tmp_path: Path) -> None:
    slices(2)
    path = tmp_path / "people.csv"
    path.write_text("Nombre,Email\n" + "".join(f"N{n},n{n}@example.org\n" for n in range(6)), "utf-8")
    job = Job(path, path.name, Profile(duplicates="create"), tmp_path / "report.csv")
    calls = iter(range(100))

    def clock_until_the_second_slice() -> datetime:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return utc_now()

    with pytest.raises(KeyboardInterrupt):
        import_by_hand(store.engine, job, new_lease(60, clock_until_the_second_slice), "test")
    assert store.rows("SELECT state, rows_done FROM batches") == [("running", 2)]
    later = new_lease(60, lambda: utc_now() + timedelta(hours=1))

    report = import_by_hand(store.engine, job, later, "test").report

    assert report.created == 6
    assert store.rows("SELECT state, created FROM batches") == [("done", 6)]
    assert store.one("SELECT count(*) FROM contacts") == 6


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_nameless_row_between_two_people_is_told_by_all_rows_whatever_the_slices(
    store: Roll, slices: Callable[[int], None], size: int
) -> None:
    slices(size)
    store.import_text(
        "Nombre,Teléfono,Email\nA. Pérez,,p2@example.org\nMaría Ruiz,,p9@example.org\n,+573001119999,\n"
        ",+573001119998,\n,+573001119997,\nLuisa Gómez,+573001110002,\n,+573001110002,p2@example.org\n"
        "Luisa Gómez,,p2@example.org\n",
        duplicates="merge",
        match_on=("email", "phone"),
    )

    assert [name for name, _, _ in store.living() if name] == ["A. Pérez", "María Ruiz", "Luisa Gómez", "Luisa Gómez"]


@pytest.mark.parametrize("first_load", [1, 20_000])
@pytest.mark.parametrize("size", [1, 100])
def test_people_that_a_file_tells_apart_stay_apart_in_a_first_load_and_later(
    store: Roll, slices: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, first_load: int, size: int
) -> None:
    slices(size)
    monkeypatch.setattr(imports, "_FIRST_LOAD", first_load)  # likewise

    store.import_text(
        "Nombre,Email,Email 2\nMaría,p14@example.org,\nA. Pérez,p9@example.org,p14@example.org\n"
        "Ana María Pérez López,p9@example.org,\n"
    )

    assert [name for name, _, _ in store.living()] == ["María", "Ana María Pérez López"]
    assert _owners(store, "p14@example.org") == [("Ana María Pérez López", "shared"), ("María", "own")]


def test_a_shared_phone_still_finds_its_person_of_the_roll(store: Roll) -> None:
    store.import_text("Nombre,Teléfono\nLuis Gómez,+573001110000\n")

    report = store.import_text("Nombre,Teléfono,Ciudad\nAna Pérez,+573001110000,\nLuis Gómez,+573001110000,Lima\n")

    assert (report.created, report.updated) == (1, 1)
