"""What is exported comes back without a change, in every format; and holds whom the filter means, at one moment."""

import csv
import random
import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from python_calamine import CalamineWorkbook
from xlsxwriter.exceptions import XlsxWriterException

from connectors.writers import DoesNotFit, writing
from pipelines.consents import ConsentForm, set_consent
from pipelines.contacts import read_filter
from pipelines.edits import ContactForm, block_contact, create_contact
from pipelines.exports import ExportForm, UnknownFormat, export_contacts, format_of
from pipelines.fields import FieldForm, create_field
from pipelines.interactions import Told, take_interactions
from schemas.exports import FORMATS, NoSuchColumn
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked
from warehouse.contact_lists import Wanted
from warehouse.store import open_store

SETTINGS = Settings(default_country="CO")
AWKWARD = (
    "=1+1", "+Plus", "-Minus", "@at", "'=quoted", "''=twice", "'plain", 'say "hi"', "a;b,c", "007", "1e5", "  spaced  ",
    "two\nlines", "ñandú 🎉", "TRUE", "#N/D", "\t=tab", "1.234", "null", "Ana, Lu",
)  # fmt: skip


def asked() -> Asked:
    return Asked("test", utc_now())


def export(
    store: Roll, name: str, wanted: Wanted | None = None, *, columns: tuple[str, ...] = (), language: str = "es"
) -> Path:
    path = store.folder / name
    form = ExportForm(wanted or Wanted(), format_of(path), columns, language)
    export_contacts(store.engine, SETTINGS, form, path, asked(), lambda done, total: None)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """The rows of an exported file, as texts."""
    match path.suffix:
        case ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                delimiter = ";" if ";" in file.readline() else ","
                file.seek(0)
                return list(csv.DictReader(file, delimiter=delimiter))
        case ".xlsx":
            header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
            return [dict(zip(map(str, header), map(str, row), strict=True)) for row in rows]
        case _:
            return [
                {name: "" if value is None else str(value) for name, value in row.items()}
                for row in pq.read_table(path).to_pylist()
            ]


@pytest.fixture
def people(store: Roll) -> Roll:
    """Contacts with everything that contacts have, and texts that files are bad at."""
    for name, kind in (("plan", "text"), ("puntos", "number"), ("socio", "boolean"), ("alta", "date"), ("visto", "datetime"), ("biografia", "long_text")):  # fmt: skip
        create_field(store.engine, FieldForm(name, kind), asked())
    create_field(store.engine, FieldForm("gustos", "choices", options=("Café", "Té; verde", "Mate, 2")), asked())
    pick = random.Random(3)
    for number, text in enumerate(AWKWARD):
        custom: dict[str, Any] = {
            "plan": text,
            "puntos": pick.choice([0, 1.234, -17.5, 1e-7, 123456789.125, 0.1, 1e15 + 1, -8.9e15]),
            "socio": pick.choice([True, False, None]),
            "alta": pick.choice(["2026-02-28", None]),
            "visto": pick.choice(["2026-02-28T23:59:59.123456Z", None]),
            "biografia": text * 3,
            "gustos": pick.choice([["Café", "Té; verde"], ["Mate, 2"], ["Té; verde"], None]),
        }
        own = {
            "first_name": text,
            "last_name": pick.choice(["Díaz", None]),
            "phone": f"+57300111{number:04d}",
            "email": pick.choice([f"p{number}@example.org", None]),
            "company": text,
            "city": pick.choice(["Lima", "Bogotá"]),
            "channel": pick.choice(["whatsapp", None]),
        }
        tags = pick.sample(
            ["VIP", "Lima, norte", "ñ", "=tag", "a; b", "c;", '"q"', "* s", "*", *(f"t{n}" for n in range(30))],
            pick.choice([0, 1, 25]),
        )
        create_contact(store.engine, SETTINGS, ContactForm(own, custom, tags), asked())
    store.import_text("correo,teléfono,correo 2,celular\nx@example.org,3004440000,y@example.org,3004440001\n")
    chats = "nombre,correo,identifier\nIgual,igual@example.org,ig-0\nIg,,ig-1\nIg,,=ig-2\n"
    store.import_text(chats, source="instagram")  # those without phone or e-mail have nothing but an id
    store.import_text("correo,identifier\nigual@example.org,0007\n", source="chatwoot")
    for number, channel, state in ((1, "email", "out"), (2, "all", "out"), (3, "instagram", "out"), (4, "sms", "in")):
        form = ConsentForm(channel, state, "web", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
        set_consent(store.engine, number, form, asked())
    block_contact(store.engine, 5, "insulta", asked())
    told = [Told("1", "sent", utc_now() - timedelta(days=2), contact=1)]
    take_interactions(store.engine, SETTINGS, "chat", told, asked())
    return store


def test_few_among_many_have_what_is_theirs(people: Roll) -> None:
    everybody = read(export(people, "all.csv"))
    ends = [row["Padrón id"] for row in (everybody[0], everybody[-2])]  # most numbers between them are others'

    def chosen(name: str, text: str) -> list[dict[str, str]]:
        return read(export(people, name, Wanted(read_filter(people.engine, SETTINGS, text))))

    some, nobody = chosen("some.csv", f"id IN ({', '.join(ends)})"), chosen("nobody.csv", "id = 99")

    assert some == [everybody[0], everybody[-2]]
    assert not nobody


@pytest.mark.parametrize("language", ["es", pytest.param("en", marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", FORMATS)
def test_an_export_comes_back_without_a_change(people: Roll, form: str, language: str) -> None:
    path = export(people, f"all.{form}", language=language)

    report = people.import_path(path)

    said = Path(report.reject_file).read_text("utf-8") if report.reject_file else ""
    said += "".join(
        map(
            str,
            people.rows(
                "SELECT contact_id, operation, diff FROM contact_changes WHERE batch_id = :b ORDER BY id",
                b=report.batch_id,
            ),
        )
    )
    assert (report.rows, report.unchanged, report.warnings) == (len(AWKWARD) + 4,) * 2 + (0,), said
    assert report.columns_not_taken == ()


def test_everything_that_is_chosen_stands_in_the_file(people: Roll) -> None:
    columns = ("display_name", "other_phones", "tags", "custom.puntos", "opt_out.all", "sent", "last_sent_at")
    path = export(people, "some.csv", columns=columns)

    first, *_, last = read(path)[: len(AWKWARD) + 1]

    header = ["Padrón id", "Nombre completo", "Otro teléfono", "Etiquetas", "Field: puntos", "Baja"]
    assert list(first) == [*header, "Mensajes enviados", "Último mensaje enviado"]
    assert (first["Padrón id"], first["Nombre completo"], first["Mensajes enviados"]) == ("1", "'=1+1 Díaz", "1")
    assert read(path)[1]["Baja"] == "2026-01-02 03:04:05Z"
    assert last["Otro teléfono"] == "+573004440000"


@pytest.mark.parametrize("form", FORMATS)
def test_contacts_that_share_keys_come_back_as_those_that_they_are(store: Roll, form: str) -> None:
    create_field(store.engine, FieldForm("g", "choices", options=("A; B", "A", "B")), asked())
    store.import_text("nombre,correo,identifier\nAna Lopez,a@x.org,1\nBea Ruiz,b@x.org,2\n", source="crm")
    store.import_text("nombre,correo,identifier\nAna Lopez,a@x.org,2\n", source="crm")  # Bea is called Ana now
    store.import_text("nombre,celular\nLuz Gil,3004440000\nPaz Roa,3004440000\n")
    store.run("UPDATE contacts SET display_name = 'Luz Gil' WHERE display_name = 'Paz Roa'")
    store.import_text('nombre,identifier\nIg,"a; b"\nIh,a\n', source="instagram")
    for options in (["A", "B"], ["A; B"]):
        create_contact(store.engine, SETTINGS, ContactForm({"email": f"{len(options)}@x.org"}, {"g": options}), asked())
    create_contact(store.engine, SETTINGS, ContactForm({"phone": "+573005556677", "first_name": "a" * 200, "last_name": "b" * 200}), asked())  # fmt: skip

    report = store.import_path(export(store, f"all.{form}"))

    assert (report.rows, report.unchanged) == (9, 9)
    assert store.rows("SELECT * FROM contact_changes WHERE batch_id = :b", b=report.batch_id) == []


@pytest.mark.parametrize("form", FORMATS)
def test_ids_of_chats_come_into_another_store_with_their_sources(people: Roll, tmp_path: Path, form: str) -> None:
    path, query = (
        export(people, f"all.{form}"),
        "SELECT value FROM contact_keys WHERE kind = 'external_id' ORDER BY value",
    )
    other = Roll(open_store(f"sqlite:///{tmp_path / 'other.db'}"), tmp_path)

    report = other.import_path(path)

    assert (report.created, report.warnings) == (len(AWKWARD) + 4, 0)
    assert other.rows(query) == people.rows(query) == [
        ("chatwoot:0007",), ("instagram:=ig-2",), ("instagram:ig-0",), ("instagram:ig-1",)
    ]  # fmt: skip
    assert other.import_path(path).unchanged == report.rows
    other.engine.dispose()


def test_a_filter_says_who_is_in_the_file(people: Roll) -> None:
    condition = read_filter(people.engine, SETTINGS, "city = 'Lima' AND phone LIKE '+57300111%'")

    for form in FORMATS:
        rows = read(export(people, f"lima.{form}", Wanted(condition), columns=("city",)))
        assert {row["Ciudad"] for row in rows} == {"Lima"}
        assert len(rows) == people.one("SELECT count(*) FROM contacts WHERE city = 'Lima'")


def test_the_file_is_of_one_moment_whatever_is_written_meanwhile(store: Roll) -> None:
    count = 100_001  # read in three parts, the last of them after the first was written
    store.import_text("email,city\n" + "".join(f"p{number}@example.org,Lima\n" for number in range(count)))
    path = store.folder / "all.csv"
    form, steps = ExportForm(Wanted(), "csv", ("city",), "en"), list[tuple[int, int]]()

    def meddle(done: int, total: int) -> None:
        steps.append((done, total))
        store.run(f"UPDATE contacts SET city = 'Quito' WHERE id > {count - 99} OR id < 99")
        store.import_text(f"email,city\nlate{done}@example.org,Quito\n")

    found = export_contacts(store.engine, SETTINGS, form, path, asked(), meddle)

    assert steps == [(50_000, count), (100_000, count), (count, count)]
    assert found.rows == len(read(path)) == count
    assert {row["City"] for row in read(path)} == {"Lima"}


def test_parquet_has_types_and_says_which_fields(people: Roll) -> None:
    schema = pq.read_schema(export(people, "all.parquet"))

    kinds = {item.metadata[b"padron.key"].decode(): str(item.type) for item in schema}
    assert kinds["custom.puntos"] == "double"
    assert (kinds["custom.alta"], kinds["custom.socio"]) == ("date32[day]", "bool")
    assert (kinds["created_at"], kinds["id"]) == ("timestamp[us, tz=UTC]", "int64")
    assert kinds["tags"].startswith("list<")


def test_what_cannot_be_exported_is_one_sentence_and_leaves_no_file(people: Roll) -> None:
    with pytest.raises(UnknownFormat, match=r"\.csv, \.xlsx or \.parquet"):
        export(people, "all.pdf")
    with pytest.raises(NoSuchColumn, match="no column «fax».*phone"):
        export(people, "all.csv", columns=("fax",))
    form = ContactForm({"email": "long@example.org"}, {"biografia": "x" * 40_000})
    create_contact(people.engine, SETTINGS, form, asked())
    with pytest.raises(DoesNotFit, match="32,767 characters"):
        export(people, "all.xlsx")

    assert [path.name for path in people.folder.iterdir() if path.name.startswith((".all", "all"))] == []


def test_an_export_that_is_stopped_leaves_no_file(people: Roll) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for form in FORMATS:
        path = people.folder / f"all.{form}"
        with pytest.raises(KeyboardInterrupt):
            export_contacts(people.engine, SETTINGS, ExportForm(Wanted(), form), path, asked(), stop)

    assert [path.name for path in people.folder.iterdir() if path.name.startswith((".all", "all"))] == []


def test_quotes_and_backslashes_come_back_as_they_are(roll: Roll) -> None:
    create_field(roll.engine, FieldForm("nota", "long_text"), asked())
    texts = ['C:\\x\\"', 'a\\"\nb; c, d', '[{"a", "b"}, "c"]', "\n".join(['x, "y"'] * 30), "C:\\temp"]
    for number, text in enumerate(texts):
        form = ContactForm({"email": f"p{number}@example.org", "company": "a\\b"}, {"nota": text})
        create_contact(roll.engine, SETTINGS, form, asked())

    for language in ("es", "en"):
        report = roll.import_path(export(roll, f"{language}.csv", language=language))
        assert (report.unchanged, report.warnings) == (len(texts), 0)


def test_tags_and_options_with_separators_come_back(roll: Roll) -> None:
    options = ("A", "B", "c;d", "e|f", "g, h")
    create_field(roll.engine, FieldForm("gustos", "choices", options=options), asked())
    tags = ["VIP|2024", "x;y", "a, b", "ñ:::o"]
    form = ContactForm({"email": "a@example.org"}, {"gustos": ["A", "c;d", "e|f", "g, h"]}, tags)
    create_contact(roll.engine, SETTINGS, form, asked())

    for form_ in FORMATS:
        report = roll.import_path(export(roll, f"all.{form_}"))
        assert (report.unchanged, report.warnings, roll.one("SELECT count(*) FROM tags")) == (1, 0, 4)


def test_a_yes_after_an_opt_out_of_everything_stands(roll: Roll) -> None:
    create_contact(roll.engine, SETTINGS, ContactForm({"email": "a@example.org"}), asked())
    set_consent(roll.engine, 1, ConsentForm("all", "out", "web", at=datetime(2026, 1, 1, tzinfo=UTC)), asked())
    set_consent(roll.engine, 1, ConsentForm("email", "in", "web", at=datetime(2026, 2, 1, tzinfo=UTC)), asked())

    report = roll.import_path(export(roll, "all.csv"))

    assert report.unchanged == 1
    assert roll.rows("SELECT channel, state FROM consents ORDER BY channel") == [("all", "out"), ("email", "in")]


def test_the_profile_of_another_source_does_not_change_how_an_export_is_read(people: Roll) -> None:
    path = export(people, "all.csv")

    report = people.import_path(path, decimal=",", tag_separator=",", date_order="mdy", clear_marker="007")

    assert (report.unchanged, report.warnings) == (len(AWKWARD) + 4, 0)


def test_an_apostrophe_of_the_text_stays_in_files_of_others(roll: Roll) -> None:
    rows = ["a@x.co,'-quoted-'", "b@x.co,'=1+1", "c@x.co,Acme", "d@x.co,'sin cerrar"]
    roll.import_text("\n".join(["email,empresa", *rows]))

    assert roll.living("company") == [("'-quoted-'",), ("=1+1",), ("Acme",), ("'sin cerrar",)]


def test_several_phones_in_a_cell_are_no_formula(people: Roll) -> None:
    people.import_text("correo,teléfono,celular\nx@example.org,3004440002,3004440001\n")

    [cell] = [row["Otro teléfono"] for row in read(export(people, "all.csv")) if "/" in row["Otro teléfono"]]

    assert cell == "'+573004440000 / +573004440002"


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, form: str) -> None:
    part = pa.table({"nombre": ["Ana", "Eva"] * 100})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with (
            pytest.raises((OSError, XlsxWriterException)),
            writing(tmp_path / f"all.{form}", form, part.schema, sheet="Contactos") as writer,
        ):
            writer.write(part)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert list(tmp_path.iterdir()) == []
