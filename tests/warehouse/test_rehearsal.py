"""A dry run does the whole job and keeps nothing."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from pipelines import imports
from pipelines.byhand import Run, new_lease, rehearse
from pipelines.imports import Job
from schemas.profiles import Profile
from schemas.reports import OUTCOMES, ImportReport
from tests.conftest import Roll, utc_now
from warehouse import indexes
from warehouse.engines import reading
from warehouse.tables import metadata

_OLD = "email,teléfono,nombre,etiquetas,puntos\nana@example.org,+57 300 111 2233,Ana,vip,1\n,+57 300 222 3344,Eva,,2\n"
_NEW = """email,teléfono,nombre,etiquetas,puntos,estado,email opt out,notas
ana@example.org,,Ana María,nuevo,5,bloqueado,sí,una nota
,+57 300 222 3344,Otra Persona,,,,,
leo@example.org,,Leo,,7,,,
leo@example.org,,Leo,otra,7,,,
nadie,12,Nadie,,,,,
zoe@example.org,+57 300 111 2233,Zoe,,,,,
"""


def dry_run(store: Roll, text: str, **profile: Any) -> Run:
    path = store.folder / "contacts.csv"
    path.write_text(text, encoding="utf-8")
    found = Profile(**{"default_country": "CO", "unmapped": "custom", **profile})
    job = Job(path, path.name, found, store.folder / "report.csv")
    scratch = store.folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return rehearse(store.engine, job, new_lease(60, utc_now), "test", scratch)


def everything(store: Roll) -> dict[str, list[tuple[Any, ...]]]:
    with reading(store.engine) as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }


def counts(report: ImportReport) -> tuple[Any, ...]:
    numbers = tuple(getattr(report, name) for name in OUTCOMES)
    return (report.status, report.rows, *numbers, report.warnings, report.row_errors)


def test_a_dry_run_writes_nothing_at_all(store: Roll) -> None:
    store.import_text(_OLD, unmapped="custom")
    before = everything(store)

    dry_run(store, _NEW)

    assert everything(store) == before
    assert indexes.missing(store.engine) == ()


def test_a_dry_run_counts_what_the_real_run_then_does(store: Roll) -> None:
    store.import_text(_OLD, unmapped="custom")

    dry = dry_run(store, _NEW).report
    real = store.import_text(_NEW, "contacts.csv", unmapped="custom")

    assert counts(dry) == counts(real)
    assert (dry.created, dry.rejected) != (0, 0)


def test_a_dry_run_of_a_first_load_counts_the_same_and_leaves_the_store_empty(store: Roll) -> None:
    text = "email,nombre\n" + "".join(f"p{n % 20_100}@example.org,Persona {n % 20_100}\n" for n in range(20_500))

    dry = dry_run(store, text).report
    with reading(store.engine) as connection:
        kept = [connection.execute(select(func.count()).select_from(metadata.tables["contacts"])).scalar()]
    real = store.import_text(text)

    assert (counts(dry), kept, indexes.missing(store.engine)) == (counts(real), [0], ())


def test_a_dry_run_shows_the_contacts_as_they_would_stand(store: Roll) -> None:
    store.import_text(_OLD, unmapped="custom")

    run = dry_run(store, "email,nombre,ciudad\nana@example.org,Ana,Lima\n")

    assert [(contact["email"], contact["phone"], contact["city"]) for contact in run.contacts] == [
        ("ana@example.org", "+573001112233", "Lima")
    ]


def test_a_dry_run_leaves_no_batch_and_no_report(store: Roll) -> None:
    run = dry_run(store, _NEW)

    assert (run.report.batch_id, run.report.reject_file) == (None, None)
    assert store.one("SELECT count(*) FROM batches") == 0
    assert not (store.folder / "report.csv").exists()


def test_a_refused_file_is_refused_in_a_dry_run_too(store: Roll) -> None:
    assert dry_run(store, "").report.status == "rejected"
    assert dry_run(store, "foo,bar\nx,y\n", unmapped="ignore").report.status == "needs_mapping"


def test_the_numbers_of_contacts_go_on_after_a_dry_run(store: Roll) -> None:
    store.import_text("email\nana@example.org\n")
    dry_run(store, "email\nleo@example.org\n")
    store.import_text("email\neva@example.org\n")

    first, second = (row[0] for row in store.rows("SELECT id FROM contacts ORDER BY id"))

    assert second == first + 1


def test_a_dry_run_reads_the_file_where_it_is(store: Roll) -> None:
    dry_run(store, _NEW)

    assert Path(store.folder / "contacts.csv").read_text(encoding="utf-8") == _NEW


@pytest.mark.parametrize("profile", [{"duplicates": "skip"}, {"mode": "create"}], ids=str)
def test_people_whom_a_file_tells_apart_are_so_in_a_dry_run_and_a_first_load_alike(
    store: Roll, profile: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "nombre,correo,id externo\nL. Gil,,1\n,a@example.org,1\n,a@example.org,2\nLuis Gil,,2\n"
    monkeypatch.setattr(imports, "_FIRST_LOAD", 1)  # a first load of 20,000 rows takes long

    dry = dry_run(store, text, **profile).report
    real = store.import_text(text, **profile)

    assert counts(dry) == counts(real)


def test_an_import_of_the_same_people_does_not_wait_for_a_dry_run(store: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    store.import_text(_OLD, unmapped="custom")
    real: list[ImportReport] = []

    def meanwhile(*arguments: Any) -> Any:
        """What the dry run does once it has written its contacts, with an import of the same ones in between."""
        monkeypatch.setattr(imports, "write_outcomes", write_outcomes)
        with ThreadPoolExecutor(1) as other:
            real.append(other.submit(store.import_text, _NEW, unmapped="custom", default_country="CO").result(30))
        return write_outcomes(*arguments)

    write_outcomes = imports.write_outcomes
    monkeypatch.setattr(imports, "write_outcomes", meanwhile)

    rehearsed = dry_run(store, _NEW).report

    assert counts(rehearsed) == counts(real[0])


def test_a_large_file_after_a_small_one_is_looked_up_by_index(store: Roll) -> None:
    """PostgreSQL took the table for nearly empty till it looked by itself, and compared every row with every row."""
    store.import_text("email\nana@example.org\n")
    store.import_text("email\n" + "".join(f"p{number}@example.org\n" for number in range(6_000)))

    if store.engine.dialect.name == "postgresql":
        assert store.one("SELECT reltuples FROM pg_class WHERE oid = 'contacts'::regclass") >= 6_000
    assert store.one("SELECT count(*) FROM contacts") == 6_001
