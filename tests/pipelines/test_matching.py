"""Which rows are one person, inside a file and against the roll."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import imports
from schemas.reports import ImportReport
from tests.conftest import Roll
from warehouse.store import open_store


def _counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.merged, report.rejected


def _pairs(store: Roll) -> list[tuple[Any, ...]]:
    return store.rows("SELECT contact_a, contact_b, reason FROM candidate_pairs ORDER BY contact_a, contact_b")


def test_rows_that_share_a_key_are_one_contact_over_several_steps(store: Roll) -> None:
    report = store.import_text(
        "nombre,teléfono,email\n"
        "Ana,3001112233,\n"
        "Ana,3002223344,ana@example.org\n"
        "Luis,3009998877,\n"
        "Ana,3001112233,ana@example.org\n"
    )

    assert _counts(report) == (2, 0, 0, 2, 0)
    assert [name for name, _, _ in store.living()] == ["Ana", "Luis"]
    assert store.rows("SELECT row, outcome, into_row FROM batch_rows ORDER BY row") == [
        (1, "created", None),
        (2, "merged", 1),
        (3, "created", None),
        (4, "merged", 1),
    ]


def test_a_phone_that_two_people_share_makes_two_contacts_and_a_pair_for_a_person(store: Roll) -> None:
    report = store.import_text("nombre,teléfono\nAna Pérez,3001112233\nLuis Gómez,3001112233\n")

    ana, luis = store.rows("SELECT id, phone_match FROM contacts ORDER BY id")
    assert _counts(report) == (2, 0, 0, 0, 0)
    assert (ana[1], luis[1]) == ("+573001112233", None)
    assert store.rows("SELECT contact_id, value, role FROM contact_keys") == [(luis[0], "+573001112233", "shared")]
    assert _pairs(store) == [(ana[0], luis[0], "key_shared")]


def test_a_phone_shared_with_somebody_on_the_roll_makes_a_pair_too(store: Roll) -> None:
    store.import_text("nombre,teléfono\nAna Pérez,3001112233\n")

    report = store.import_text("nombre,teléfono\nLuis Gómez,3001112233\n")

    assert (_counts(report), len(_pairs(store))) == ((1, 0, 0, 0, 0), 1)
    assert store.one("SELECT role FROM contact_keys") == "shared"


def test_names_do_not_matter_when_the_profile_says_so(roll: Roll) -> None:
    report = roll.import_text("nombre,teléfono\nAna,3001112233\nLuis,3001112233\n", names="ignore")

    assert (_counts(report), len(roll.living())) == ((1, 0, 0, 1, 0), 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5511961234567", "+551161234567"),
        ("+5491123456789", "+541123456789"),
        ("+5215512345678", "+525512345678"),
    ],
)
def test_two_spellings_of_one_line_are_one_contact(store: Roll, one: str, other: str) -> None:
    store.import_text(f"nombre,teléfono\nAna,{one}\n")

    report = store.import_text(f"nombre,teléfono\nAna,{other}\n")

    assert (_counts(report), len(store.living())) == ((0, 0, 1, 0, 0), 1)


def test_a_row_whose_keys_point_at_two_contacts_goes_to_the_first_and_a_person_decides(store: Roll) -> None:
    store.import_text("nombre,teléfono,email\nAna,3001112233,\nAna,,ana@example.org\n")

    report = store.import_text("nombre,teléfono,email,empresa\nAna,3001112233,ana@example.org,Acme\n")

    ids = [row[0] for row in store.rows("SELECT id FROM contacts ORDER BY id")]
    assert _counts(report)[:2] == (0, 1)
    assert [row[0] for row in store.rows("SELECT company FROM contacts ORDER BY id")] == ["Acme", None]
    assert _pairs(store) == [(ids[0], ids[1], "keys_disagree")]
    assert store.one("SELECT code FROM batch_rows WHERE batch_id = 2") == "keys_disagree"


def test_the_order_of_match_on_says_which_contact_a_contradicting_row_goes_to(roll: Roll) -> None:
    roll.import_text("nombre,teléfono,email\nAna,3001112233,\nAna,,ana@example.org\n")

    roll.import_text(
        "nombre,teléfono,email,empresa\nAna,3001112233,ana@example.org,Acme\n", match_on=("email", "phone")
    )

    assert [row[0] for row in roll.rows("SELECT company FROM contacts ORDER BY id")] == [None, "Acme"]


def test_an_external_id_finds_its_contact_whatever_else_changed(store: Roll) -> None:
    store.import_text("external id,nombre,teléfono\nA1,Ana,3001112233\n", source="shop")

    report = store.import_text("external id,nombre,teléfono\nA1,Luis,3002223344\n", source="shop")

    assert _counts(report) == (0, 1, 0, 0, 0)
    assert store.living("display_name, phone_match") == [("Luis", "+573002223344")]
    assert store.rows("SELECT kind, value FROM contact_keys ORDER BY kind") == [
        ("external_id", "shop:A1"),
        ("phone", "+573001112233"),
    ]


def test_external_ids_of_two_sources_are_two_ids(roll: Roll) -> None:
    roll.import_text("external id,nombre\nA1,Ana\n", source="shop")

    report = roll.import_text("external id,nombre\nA1,Luis\n", source="club")

    assert (_counts(report), len(roll.living())) == ((1, 0, 0, 0, 0), 2)


def test_a_second_phone_finds_the_contact(store: Roll) -> None:
    store.import_text("nombre,teléfono,phone 2\nAna,3001112233,3002223344\n")

    report = store.import_text("nombre,teléfono,empresa\nAna,3002223344,Acme\n")

    assert (_counts(report), len(store.living())) == ((0, 1, 0, 0, 0), 1)
    assert store.one("SELECT phone FROM contacts") == "+573001112233"


@pytest.mark.parametrize(
    ("mode", "counts", "codes"),
    [
        ("upsert", (1, 1, 0, 0, 0), {None}),
        ("create", (1, 0, 0, 0, 1), {None, "already_exists"}),
        ("update", (0, 1, 0, 0, 1), {None, "not_found"}),
    ],
)
def test_the_mode_says_whether_rows_create_and_update(
    roll: Roll, mode: str, counts: tuple[int, ...], codes: set[str | None]
) -> None:
    roll.import_text("nombre,teléfono\nAna,3001112233\n")

    report = roll.import_text("nombre,teléfono,empresa\nAna,3001112233,Acme\nLuis,3002223344,Beta\n", mode=mode)

    assert _counts(report) == counts
    assert {row[0] for row in roll.rows("SELECT code FROM batch_rows WHERE batch_id = 2")} == codes


def test_members_of_a_refused_group_share_its_fate(roll: Roll) -> None:
    report = roll.import_text("nombre,teléfono\nAna,3001112233\nAna,3001112233\n", mode="update")

    assert (_counts(report), list(report.row_errors)) == ((0, 0, 0, 0, 2), [1, 2])


def test_duplicates_create_makes_a_contact_of_every_row(roll: Roll) -> None:
    report = roll.import_text("nombre,teléfono\nAna,3001112233\nAna,3001112233\n", duplicates="create")

    owned = [row[0] for row in roll.rows("SELECT phone_match FROM contacts ORDER BY id")]
    assert (_counts(report), owned) == ((2, 0, 0, 0, 0), ["+573001112233", None])


# ── any file ─────────────────────────────────────────────────────────────────────────────────────────────────────

PHONES = st.sampled_from(["3001234561", "3001234562", "3001234563", "+5491155556666", "+541155556666", "bad", "", ""])
EMAILS = st.sampled_from(["a@x.co", "b@x.co", "A@X.CO", "nope", "", ""])
NAMES = st.sampled_from(["Ana Pérez", "Ana", "Luis Gómez", "Luis", "ANA PEREZ", "Marta", ""])
IDS = st.sampled_from(["1", "2", "", ""])
FILES = st.lists(st.tuples(NAMES, PHONES, PHONES, EMAILS, IDS, st.sampled_from(["X", "Y", ""])), min_size=1, max_size=8)
PROFILES = st.fixed_dictionaries(
    {
        "duplicates": st.sampled_from(["update", "skip", "overwrite", "merge"]),
        "names": st.sampled_from(["must_agree", "ignore"]),
        "mode": st.sampled_from(["upsert", "upsert", "update", "create"]),
        "blank": st.sampled_from(["keep", "clear"]),
    }
)


def _text(rows: list[tuple[str, ...]]) -> str:
    sink = io.StringIO(newline="")
    csv.writer(sink).writerow(["nombre completo", "teléfono", "phone 2", "email", "external id", "empresa"])
    csv.writer(sink).writerows(rows)
    return sink.getvalue()


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(FILES, PROFILES), min_size=1, max_size=2))
def test_any_files_imported_twice_add_up_change_nothing_more_and_keep_one_owner_a_key(
    files: list[tuple[list[tuple[str, ...]], dict[str, str]]],
) -> None:
    with TemporaryDirectory() as folder:
        engine = open_store(f"sqlite:///{folder}/padron.db")
        roll = Roll(engine, Path(folder))
        try:
            for rows, profile in files:
                before = len(roll.rows("SELECT id FROM contacts"))
                first = roll.import_text(_text(rows), **profile)
                changes = roll.rows("SELECT id, diff FROM contact_changes")
                second = roll.import_text(_text(rows), **profile)

                assert sum(_counts(first)) == first.rows
                assert sum(_counts(second)) == second.rows
                assert first.rejected == len(first.row_errors)
                assert first.created == len(roll.rows("SELECT id FROM contacts")) - before
                if profile.get("mode") != "update":  # there, a later row may give a contact the key of an earlier one
                    assert (second.created, second.updated) == (0, 0)
                    assert roll.rows("SELECT id, diff FROM contact_changes") == changes
                assert _owned_more_than_once(roll) == []
        finally:
            engine.dispose()


def _owned_more_than_once(roll: Roll) -> list[tuple[str, str]]:
    owned = roll.rows("SELECT 'phone', phone_match FROM contacts WHERE phone_match IS NOT NULL")
    owned += roll.rows("SELECT 'email', email_match FROM contacts WHERE email_match IS NOT NULL")
    owned += roll.rows("SELECT kind, value FROM contact_keys WHERE role = 'owner'")
    return [key for key, count in Counter(owned).items() if count > 1]


def test_times_are_kept_with_the_contact(store: Roll) -> None:
    store.import_text("email,última interacción,creado\na@x.co,2026-04-03 10:00,2020-01-02\n")
    store.import_text("email,última interacción\na@x.co,2025-04-03 10:00\n")
    store.import_text("email,última interacción\na@x.co,2026-04-05 10:00\n")

    found = store.one("SELECT last_interaction_at FROM contacts")
    moment = found if isinstance(found, datetime) else datetime.fromtimestamp(found / 1_000_000).astimezone()
    assert moment == datetime.fromisoformat("2026-04-05T10:00:00+00:00")


# ── sources of ids ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_record_numbers_of_two_products_do_not_meet(store: Roll) -> None:
    store.import_text("Record ID,First Name,Last Name,Email\n7,Ana,Pérez,ana@example.org\n")

    report = store.import_text("Person - ID,Person - Name,Person - Email - Work\n7,Luis Gómez,luis@example.org\n")

    assert _counts(report) == (1, 0, 0, 0, 0)
    assert store.rows("SELECT value FROM contact_keys WHERE kind = 'external_id' ORDER BY value") == [
        ("hubspot:7",),
        ("pipedrive:7",),
    ]
    assert store.rows("SELECT source FROM batches ORDER BY id") == [("hubspot",), ("pipedrive",)]


def test_a_named_profile_keeps_its_own_record_numbers(store: Roll) -> None:
    path = store.folder / "people.csv"
    path.write_text("Record ID,First Name,Last Name,Email\n7,Ana,Pérez,\n", encoding="utf-8")
    store.import_path(path, name="mexico")

    store.import_path(path, source="colombia")

    assert store.rows("SELECT value FROM contact_keys ORDER BY value") == [("colombia:7",), ("mexico:7",)]


def test_an_external_id_with_another_name_is_applied_and_said(store: Roll) -> None:
    store.import_text("external id,nombre\n7,Ana Pérez\n8,Eva Ruiz\n")

    report = store.import_text("external id,nombre\n7,Luis Gómez\n8,Eva María Ruiz\n9,Zoe\n9,Bruno\n")

    assert _counts(report) == (1, 2, 0, 1, 0)
    assert store.rows("SELECT row, code FROM batch_rows WHERE batch_id = 2 AND code IS NOT NULL ORDER BY row") == [
        (1, "names_disagree"),
        (4, "names_disagree"),
    ]
    assert report.warnings == 2
    assert report.reject_file is not None


_ROWS = "id externo,name,phone,email\n,Ana,3001112233,ana@x.org\n,Luis,3001112233,\nC7,Zoe,,\n,Eva,,eva@x.org\n"


@pytest.mark.parametrize("ids_behind", [0, 300], ids=["reading all", "asking for each row"])
@pytest.mark.parametrize(
    "profile",
    [
        {"match_on": ("external_id",)},
        {"match_on": ("email",)},
        {"match_on": ("phone",)},
        {"match_on": ("external_id",), "mode": "create"},
        {"match_on": ("external_id",), "duplicates": "skip"},
        {"match_on": ("external_id",), "duplicates": "merge"},
        {"duplicates": "create"},
        {"duplicates": "overwrite"},
    ],
    ids=str,
)
def test_the_same_file_makes_nobody_twice_whatever_the_profile(
    store: Roll, profile: dict[str, Any], ids_behind: int
) -> None:
    if ids_behind:
        store.use_up_ids(ids_behind)
    first = store.import_text(_ROWS, **profile)
    before = store.living()

    again = store.import_text(_ROWS, **profile)

    assert first.created == 4
    assert _counts(again) == ((0, 0, 0, 0, 4) if "mode" in profile else (0, 0, 4, 0, 0))
    assert store.living() == before


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("ids_behind", [0, 300], ids=["reading all", "asking for each row"])
@pytest.mark.parametrize("profile", [{"match_on": ("external_id",)}, {"duplicates": "create"}], ids=str)
def test_rows_that_say_the_same_make_as_many_once(
    store: Roll, slices: Callable[[int], None], profile: dict[str, Any], ids_behind: int, size: int
) -> None:
    slices(size)
    if ids_behind:
        store.use_up_ids(ids_behind)
    rows = "name,phone\nAna,3001112233\nAna,3001112233\nLuis,3002223344\n"
    store.import_text(rows, **profile)

    again = store.import_text(rows, **profile)
    more = store.import_text(rows + "Ana,3001112233\n", **profile)

    assert (_counts(again), _counts(more)) == ((0, 0, 3, 0, 0), (1, 0, 3, 0, 0))
    assert sorted(name for name, *_ in store.living()) == ["Ana", "Ana", "Ana", "Luis"]


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("profile", [{}, {"duplicates": "skip"}, {"mode": "create"}], ids=str)
def test_a_name_goes_with_the_one_it_has_most_words_of(
    roll: Roll, slices: Callable[[int], None], profile: dict[str, Any], size: int
) -> None:
    slices(size)
    names = ["María", "Ana Pérez", "María Ruiz López", "Ana María Pérez"]

    report = roll.import_text("nombre,teléfono\n" + "".join(f"{name},3001112233\n" for name in names), **profile)

    assert _counts(report) == (2, 0, 0, 2, 0)
    assert roll.living("display_name") == [("María Ruiz López",), ("Ana María Pérez",)]


# ── rows without a name ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (",3001112233,\nAna Pérez,3001112233,\nLuis Gómez,3001112233,\n", ["Ana Pérez", "Luis Gómez"]),
        ("María,3001112233,\nMaría López,3001112233,\nMaría Torres,3001112233,\n", ["María López", "María Torres"]),
        ("Ana Pérez,3001112233,\n,3001112233,x@x.org\nLuis Gómez,,x@x.org\n", ["Ana Pérez", "Luis Gómez"]),
    ],
    ids=["nameless first", "a first name of two", "nameless between two keys"],
)
def test_a_row_that_agrees_with_two_people_makes_no_one_of_them(store: Roll, rows: str, names: list[str]) -> None:
    text = f"nombre,teléfono,email\n{rows}"
    report = store.import_text(text)

    assert _counts(report) == (2, 0, 0, 1, 0)
    assert [name for name, _, _ in store.living()] == names
    assert _counts(store.import_text(text)) == (0, 0, 2, 1, 0)


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@pytest.mark.slow
def test_a_phone_of_many_namesakes_is_grouped_in_time(roll: Roll) -> None:
    words = (hashlib.md5(str(number).encode()).hexdigest() for number in range(1_500))
    rows = "".join(f"María {word.translate(_LETTERS)},3001112233\n" for word in words)

    report = roll.import_text(f"nombre,teléfono\nMaría,3001112233\n{rows}")

    assert (report.rows, report.rejected) == (1_501, 0)
    assert report.created > 300


# ── who is somebody else ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other"), [("Daniel", "Daniela"), ("Luis", "Luisa"), ("Juan", "Juana"), ("Fernando", "Fernanda")]
)
def test_names_that_differ_by_their_ending_are_two_people(store: Roll, one: str, other: str) -> None:
    report = store.import_text(f"nombre,teléfono\n{one} Gómez,3001112222\n{other} Gómez,3001112222\n")

    assert _counts(report) == (2, 0, 0, 0, 0)


@pytest.mark.parametrize("duplicates", ["update", "merge", "overwrite", "skip"])
def test_a_group_is_compared_by_its_fullest_name(store: Roll, duplicates: str) -> None:
    store.import_text("nombre,telefono\nAna Gil,3001112222\n")

    report = store.import_text(
        "nombre,telefono,correo\nAna Pérez,3001112222,ap@x.org\nAna,3001112222,\n,3001112222,\n", duplicates=duplicates
    )

    assert _counts(report) == (1, 0, 0, 2, 0)
    assert store.living("display_name, email") == [("Ana Gil", None), ("Ana Pérez", "ap@x.org")]


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("before", "text", "profile", "living"),
    [
        (
            "id externo,nombre\nX1,Ana\n",
            "id externo,nombre,telefono\nX1,,3001112221\nX1,Eva,\n,Ana Pérez,3001112221\n",
            {"duplicates": "merge"},
            1,
        ),
        (
            "id externo,nombre,telefono\nX2,Ana,3001112222\n",
            "id externo,nombre,telefono\nX2,Luis,\n,Luis,3001112222\n",
            {},
            1,
        ),
        (
            "nombre,telefono\nAna,3001112222\n",
            "nombre,telefono,correo\nLuis,3001112229,e@x.org\nAna,3001112222,e@x.org\n",
            {"mode": "update"},
            1,
        ),
    ],
    ids=["merge", "renamed by an earlier row", "a key of a row that was refused"],
)
def test_the_size_of_slices_decides_nothing(
    store: Roll, slices: Callable[[int], None], size: int, before: str, text: str, profile: dict[str, Any], living: int
) -> None:
    store.import_text(before, **profile | ({"mode": "upsert"} if "mode" in profile else {}))
    slices(size)

    store.import_text(text, **profile)

    assert len(store.living()) == living
    if "mode" in profile:
        assert store.living("email, email_match") == [("e@x.org", "e@x.org")]


def test_pairs_of_further_phones_are_noted_in_a_first_load_too(store: Roll) -> None:
    others = "".join(f"Nadie,+57310{number:07d}\n" for number in range(imports._FIRST_LOAD))

    report = store.import_text(f"nombre,telefono\nAna,3001112221 / 3001112223\nLuis,3001112229 / 3001112223\n{others}")

    assert report.created == imports._FIRST_LOAD + 2
    ids = [store.one("SELECT id FROM contacts WHERE display_name = :name", name=name) for name in ("Ana", "Luis")]
    assert _pairs(store) == [(*sorted(ids), "key_shared")]


def test_short_and_long_ids_of_one_salesforce_record_are_one(store: Roll) -> None:
    store.import_text(
        "Contact ID,First Name,Last Name,Account Name,Email\n0033000000AbCdE,Ana,Gil,Acme,a@example.org\n"
    )

    report = store.import_text(
        "Id,OwnerId,AccountId,FirstName,LastName,Email\n0033000000AbCdEAAV,1,2,Ana,Gil,b@example.org\n"
    )

    assert (report.created, report.updated) == (0, 1)
    assert store.rows("SELECT value FROM contact_keys WHERE kind = 'external_id'") == [
        ("salesforce:0033000000AbCdEAAV",)
    ]


# ── records without a name ───────────────────────────────────────────────────────────────────────────────────────

_RECORDS = (
    "Record ID,First Name,Last Name,Email,Phone Number\n11,Laura,Soto,laura@acme.com,6015551000\n"
    "12,,,ventas@acme.com,6015551000\n100013,,,info@acme.com,6015551000\n100014,,,info@acme.com,6015551000\n"
)


def test_records_without_a_name_are_not_the_person_whose_phone_they_share(store: Roll) -> None:
    report = store.import_text(_RECORDS)
    again = store.import_text(_RECORDS)

    assert (report.created, report.merged, again.unchanged) == (4, 0, 4)
    assert store.living("display_name, email")[0] == ("Laura Soto", "laura@acme.com")


def test_a_record_without_a_name_that_comes_later_is_not_another_record_either(store: Roll) -> None:
    lines = _RECORDS.splitlines(keepends=True)
    store.import_text(lines[0] + lines[1])

    others = store.import_text(lines[0] + lines[2] + lines[3])
    named = store.import_text(lines[0] + "15,Rita,Paz,rita@acme.com,\n16,Eva,Gil,ventas@acme.com,\n")

    assert (others.created, others.updated, named.created) == (2, 0, 2)


def test_a_record_without_a_name_joins_a_contact_that_is_no_record_of_its_source(store: Roll) -> None:
    store.import_text("nombre,teléfono\nLaura Soto,6015551000\n")

    report = store.import_text("código cliente,teléfono,ciudad\n12,6015551000,Cali\n")

    assert (report.created, report.updated, store.living("display_name, city")) == (0, 1, [("Laura Soto", "Cali")])
