"""What a row makes of the contact it matched, and the history that it leaves."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pipelines.byhand import import_by_hand, new_lease
from pipelines.imports import Job
from schemas.profiles import Profile
from tests.conftest import Roll, utc_now
from warehouse.store import open_store

ANA = "nombre,apellido,teléfono,email,empresa,ciudad\nAna,Pérez,3001112233,ana@example.org,Acme,Bogotá\n"


def _diff(store: Roll, batch: int) -> dict[str, Any]:
    found = store.one("SELECT diff FROM contact_changes WHERE batch_id = :batch AND operation = 'update'", batch=batch)
    return dict(json.loads(found) if isinstance(found, str) else found)


@pytest.mark.parametrize(
    ("duplicates", "company", "city", "address"),
    [
        ("update", "Beta", "Bogotá", "Calle 1"),
        ("skip", "Acme", "Bogotá", None),
        ("merge", "Acme", "Bogotá", "Calle 1"),
        ("overwrite", "Beta", None, "Calle 1"),
    ],
)
def test_the_rule_for_duplicates_says_which_cells_win(
    roll: Roll, duplicates: str, company: str, city: str | None, address: str | None
) -> None:
    roll.import_text(ANA)

    roll.import_text(
        "nombre,apellido,teléfono,empresa,ciudad,dirección\nAna,Pérez,3001112233,Beta,,Calle 1\n", duplicates=duplicates
    )

    assert roll.living("company, city, address, email") == [(company, city, address, "ana@example.org")]


@pytest.mark.parametrize(
    ("duplicates", "company", "city"),
    [
        ("update", "Beta", "Cali"),
        ("merge", "Acme", "Cali"),
        ("skip", "Acme", "Cali"),
        ("overwrite", "Beta", None),
    ],
)
def test_rows_of_one_file_are_folded_by_the_same_rule(
    roll: Roll, duplicates: str, company: str, city: str | None
) -> None:
    rows = "Ana,3001112233,Acme,\nAna,3001112233,,Cali\nAna,3001112233,Beta,\n"

    report = roll.import_text(f"nombre,teléfono,empresa,ciudad\n{rows}", duplicates=duplicates)

    assert (report.created, report.merged) == (1, 2)
    assert roll.living("company, city") == [(company, city)]


def test_blank_cells_keep_or_clear_as_the_profile_says(store: Roll) -> None:
    store.import_text(ANA)
    blank = "nombre,apellido,teléfono,empresa\nAna,Pérez,3001112233,\n"

    kept = store.import_text(blank, blank="keep")
    cleared = store.import_text(blank, blank="clear")

    assert ((kept.updated, kept.unchanged), (cleared.updated, cleared.unchanged)) == ((0, 1), (1, 0))
    assert store.living("company, city") == [(None, "Bogotá")]
    assert _diff(store, 3) == {"company": ["Acme", None]}


def test_the_clear_marker_empties_its_cell_only(roll: Roll) -> None:
    roll.import_text(ANA)

    roll.import_text("teléfono,nombre,empresa,ciudad\n3001112233,Ana,!,\n", clear_marker="!")

    assert roll.living("company, city, display_name") == [(None, "Bogotá", "Ana Pérez")]


def test_a_phone_is_never_cleared(roll: Roll) -> None:
    roll.import_text(ANA)

    roll.import_text("nombre,teléfono,email\nAna,!,ana@example.org\n", clear_marker="!", blank="clear")

    assert roll.living("phone, email") == [("+573001112233", "ana@example.org")]


@pytest.mark.parametrize("duplicates", ["update", "skip", "merge", "overwrite"])
def test_the_same_file_twice_changes_nothing(store: Roll, duplicates: str) -> None:
    text = (
        "nombre,apellido,teléfono,email,empresa,etiquetas,notas,email opt out,Field: plan,última interacción\n"
        "Ana,Pérez,3001112233,ana@example.org,Acme,VIP; nuevo,llamar,sí,oro,2026-04-03\n"
        "Luis,Gil,3002223344,,Beta,vip,,,,\n"
        "ana,perez,3001112233,ana2@example.org,Otra,otra,volver a llamar,,plata,2026-05-03\n"
        "Eva,Ríos,3001112233,,,,,,,\n"
        "bad,,,,,,,,,\n"
    )
    first = store.import_text(text, duplicates=duplicates)
    changes = store.rows("SELECT id, contact_id, operation FROM contact_changes ORDER BY id")

    second = store.import_text(text, duplicates=duplicates)

    assert (first.created, first.merged, first.rejected) == (3, 1, 1)
    assert (second.created, second.updated, second.unchanged, second.merged, second.rejected) == (0, 0, 3, 1, 1)
    assert store.rows("SELECT id, contact_id, operation FROM contact_changes ORDER BY id") == changes


def test_a_change_says_what_it_was_what_it_is_and_where_it_came_from(store: Roll) -> None:
    store.import_text(ANA)

    store.import_text(
        "nombre,teléfono,empresa,ciudad\nLuis,3002223344,,\nAna,3001112233,Beta,Cali\n", name="second.csv"
    )

    contact = store.one("SELECT id FROM contacts WHERE phone = '+573001112233'")
    assert store.rows(
        "SELECT contact_id, batch_id, row, operation FROM contact_changes WHERE contact_id = :id ORDER BY id",
        id=contact,
    ) == [(contact, 1, 1, "create"), (contact, 2, 2, "update")]
    assert _diff(store, 2) == {"company": ["Acme", "Beta"], "city": ["Bogotá", "Cali"]}
    assert str(store.one("SELECT file FROM batches WHERE id = 2")).endswith("second.csv")
    assert store.one("SELECT version FROM contacts WHERE id = :id", id=contact) == 2


def test_tags_notes_and_custom_values_are_added_to_and_the_history_says_so(store: Roll) -> None:
    store.import_text("email,etiquetas,notas,Field: plan\na@x.co,VIP,uno,oro\n")

    store.import_text("email,etiquetas,notas,Field: plan\na@x.co,vip; nuevo,dos,plata\n")

    diff = _diff(store, 2)
    assert store.rows("SELECT name FROM tags ORDER BY name") == [("VIP",), ("nuevo",)]
    assert store.rows("SELECT text FROM notes ORDER BY id") == [("uno",), ("dos",)]
    assert store.one("SELECT text FROM contact_values") == "plata"
    assert (diff["custom.plan"], diff["note"], len(diff["tags"][1])) == (["oro", "plata"], [None, "dos"], 1)


def test_a_new_phone_takes_the_contacts_place_and_the_old_one_stays_findable(store: Roll) -> None:
    store.import_text(ANA)

    store.import_text("nombre,teléfono,email\nAna,3009998877,ana@example.org\n")

    assert store.living("phone, phone_match") == [("+573009998877", "+573009998877")]
    assert store.rows("SELECT kind, value, role FROM contact_keys") == [("phone", "+573001112233", "owner")]


def test_custom_values_keep_their_types(roll: Roll) -> None:
    kinds = {"edad": "number", "socio": "boolean", "desde": "date", "plan": "text", "largo": "long_text"}

    report = roll.import_text(
        "email,edad,socio,desde,plan,largo\na@x.co,41.5,sí,2020-01-02,oro,texto\nb@x.co,x,q,2020-13-01,,\n",
        custom_fields=kinds,
    )

    assert (report.created, report.warnings) == (2, 1)
    assert roll.rows("SELECT key, type FROM custom_fields ORDER BY key") == sorted(kinds.items())
    values = roll.rows(
        "SELECT f.key, v.text, v.number, v.long_text FROM contact_values v "
        "JOIN custom_fields f ON f.id = v.field_id WHERE f.type <> 'date' ORDER BY f.key"
    )
    assert values == [
        ("edad", None, 41.5, None),
        ("largo", None, None, "texto"),
        ("plan", "oro", None, None),
        ("socio", None, 1.0, None),
    ]


@pytest.mark.parametrize("duplicates", ["update", "skip", "merge", "overwrite", "create"])
@pytest.mark.parametrize("mode", ["upsert", "create", "update"])
def test_the_outcomes_of_every_rule_and_mode_add_up(roll: Roll, duplicates: str, mode: str) -> None:
    roll.import_text(ANA)
    rows = "Ana,3001112233,B\nLuis,3002223344,\nAna,3001112233,C\nEva,3001112233,\nx,nope,\nLuis,3002223344,D\n"

    report = roll.import_text(f"nombre,teléfono,empresa\n{rows}", duplicates=duplicates, mode=mode)

    outcomes = dict(roll.rows("SELECT outcome, count(*) FROM batch_rows WHERE batch_id = 2 GROUP BY outcome"))
    told = {name: getattr(report, name) for name in ("created", "updated", "unchanged", "merged", "rejected")}
    assert sum(told.values()) == report.rows == 6
    assert outcomes == {name: count for name, count in told.items() if count}


def test_the_size_of_the_slices_does_not_change_the_result(
    tmp_path_factory: pytest.TempPathFactory, slices: Callable[[int], None]
) -> None:
    text = "nombre,teléfono,email,external id,empresa,etiquetas,estado\n" + "".join(
        f"{['Ana', 'Luis', 'Eva'][number % 3]},30011122{number % 7:02},{'abc'[number % 3]}{number % 5}@x.co,"
        f"{number % 12 or ''},{'XYZ'[number % 3]},t{number % 4},{'blocked' if number == 17 else ''}\n"
        for number in range(40)
    )
    found = []
    for size in (1000, 1, 3):
        slices(size)
        with _fresh(tmp_path_factory) as other:
            reports = [other.import_text(text), other.import_text(text, duplicates="merge")]
            counts = [(r.created, r.updated, r.unchanged, r.merged, r.rejected) for r in reports]
            found.append((counts, _everything(other)))

    assert found[0] == found[1] == found[2]
    assert len(found[0][1]["contacts"]) > 1


@contextmanager
def _fresh(factory: pytest.TempPathFactory) -> Iterator[Roll]:
    folder = factory.mktemp("store")
    engine = open_store(f"sqlite:///{folder}/padron.db")
    yield Roll(engine, folder)
    engine.dispose()


def _everything(store: Roll) -> dict[str, list[tuple[Any, ...]]]:
    """All that the store holds, but for times."""
    statements = {
        "contacts": "SELECT id, display_name, phone, phone_match, email, email_match, company, status, version FROM contacts",
        "keys": "SELECT contact_id, kind, value, written, role FROM contact_keys",
        "tags": "SELECT t.contact_id, n.form FROM contact_tags t JOIN tags n ON n.id = t.tag_id",
        "changes": "SELECT contact_id, batch_id, row, operation FROM contact_changes",
        "rows": "SELECT batch_id, row, contact_id, outcome, into_row, code FROM batch_rows",
        "pairs": "SELECT contact_a, contact_b, reason FROM candidate_pairs",
    }
    return {name: sorted(store.rows(sql), key=repr) for name, sql in statements.items()}


def test_an_import_by_hand_keeps_the_cells_that_it_was_asked_to_keep(roll: Roll) -> None:
    path = roll.folder / "contacts.csv"
    path.write_text("nombre,teléfono\nAna,3001112233\nx,nope\n", encoding="utf-8")
    job = Job(path, path.name, Profile(default_country="CO"), roll.folder / "report.csv", keep_values=True)

    run = import_by_hand(roll.engine, job, new_lease(60, utc_now), "test")

    assert run.values == [{"nombre": "Ana", "teléfono": "3001112233"}]


def test_an_external_id_in_two_rows_that_are_not_one_person_has_one_owner(store: Roll) -> None:
    """Matching by phone and e-mail only: the id makes no group of the rows, and the first of them owns it."""
    store.import_text("teléfono\n+573001112233\n")

    text = "teléfono,external_id\n+573001112233,x2\n+573001112244,x2\n"
    reports = [store.import_text(text, match_on=("phone", "email")) for _ in range(2)]

    assert [(r.created, r.updated, r.unchanged) for r in reports] == [(1, 1, 0), (0, 0, 2)]
    keys = store.rows("SELECT contact_id, role FROM contact_keys WHERE kind = 'external_id' ORDER BY contact_id")
    assert [role for _, role in keys] == ["owner", "shared"]
    assert store.rows("SELECT reason FROM candidate_pairs") == [("key_shared",)]


def test_a_row_that_was_applied_stands_whatever_other_rows_the_file_has_now(store: Roll) -> None:
    header, ana = "nombre,teléfono,email,puntos\n", "Ana,+573001112233,,\n"
    profile = {"match_on": ("email",), "custom_fields": {"puntos": "number"}}
    store.import_text(header + ana, **profile)

    grown = store.import_text(header + ana + "Luis,,luis@example.org,7\n", **profile)

    assert (grown.created, grown.unchanged) == (1, 1)
    assert len(store.living()) == 2


def test_a_new_whole_name_leaves_no_parts_of_the_old_one(store: Roll) -> None:
    store.import_text("email,first name,last name\nana@example.org,Ana,Pérez\neva@example.org,Eva,Ruiz\n")

    store.import_text(
        "email,nombre completo\nana@example.org,Berta Zapata\neva@example.org,Eva Ruiz Mora\n", names="ignore"
    )

    assert store.living("display_name, first_name, last_name") == [
        ("Berta Zapata", None, None),
        ("Eva Ruiz Mora", "Eva", "Ruiz"),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [("+55 11 98765-4321", "+55 11 8765-4321"), ("+54 9 11 2345-6789", "+54 11 2345-6789")],
)
def test_of_two_spellings_of_one_number_the_first_is_kept(store: Roll, first: str, second: str) -> None:
    store.import_text(f"nombre,telefono\nBia Souza,{first}\nBia Souza,{second}\n")

    assert store.rows("SELECT phone FROM contacts") == [(re.sub(r"[ -]", "", first),)]
    assert store.one("SELECT count(*) FROM contact_keys") == 0


def test_two_sources_that_write_a_country_otherwise_do_not_turn_it_back_and_forth(roll: Roll) -> None:
    hubspot, mailchimp = "correo,país\nr@example.org,México\n", "correo,país\nr@example.org,MX\n"
    roll.import_text(hubspot)

    again = [roll.import_text(text).unchanged for text in (mailchimp, hubspot, mailchimp)]
    moved = roll.import_text("correo,país\nr@example.org,Chile\n")

    assert (again, moved.updated, roll.one("SELECT country FROM contacts")) == ([1, 1, 1], 1, "Chile")


@pytest.mark.parametrize(
    ("whole", "short"),
    [("Julio César Ramírez Torres", "Julio R"), ("Pepa Flor", "P. F."), ("Jorge Luis Patiño", "J. L. Patiño")],
)
def test_initials_do_not_take_the_place_of_a_name(roll: Roll, whole: str, short: str) -> None:
    roll.import_text(f"nombre,teléfono\n{whole},3001112233\n{short},3001112233\n")
    roll.import_text(f"nombre,teléfono\n{short},3001112233\n")

    assert roll.living("display_name") == [(whole,)]


@pytest.mark.parametrize(
    "names",
    [
        ("Juan", "J. Pérez"),
        ("J. C. Pérez", "Juan Pérez"),
        ("José Perez", "Juan J. Pérez"),
        ("Julio R.", "Julio Ramírez"),
    ],
    ids=str,
)
def test_two_files_with_names_of_one_person_settle(roll: Roll, names: tuple[str, str]) -> None:
    one, other = (f"nombre,telefono\n{name},3001112222\n" for name in names)
    for text in (one, other, one, other):
        roll.import_text(text)
    settled = roll.living("display_name")

    assert [roll.import_text(text).updated for text in (one, other)] == [0, 0]
    assert roll.living("display_name") == settled


@pytest.mark.parametrize("together", [True, False])
def test_a_sign_before_a_name_makes_it_nobody_else_s(roll: Roll, together: bool) -> None:
    rows = ["#1 Taxi,3001112222\n", "Luis Gómez,3001112222\n"]
    for part in ["".join(rows)] if together else rows:
        roll.import_text(f"nombre,telefono\n{part}")

    assert [name for name, *_ in roll.living()] == ["#1 Taxi", "Luis Gómez"]
