"""Who is deleted or erased: what goes, what stays, and that no file brings an erased person back."""

import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import inspect
from xlsxwriter import Workbook

from connectors.folders import make_places
from connectors.profiles import DropFolder
from pipelines.bulk_edits import BulkForm, ask_for_edit
from pipelines.consents import ConsentForm, set_consent
from pipelines.contacts import find_contact
from pipelines.edits import ContactForm, block_contact, create_contact, edit_contact
from pipelines.export_jobs import ExportWish, ask_for_export
from pipelines.interactions import Told, take_interactions
from pipelines.jobs import ask_for_undo, run_job
from pipelines.notes import add_note
from pipelines.refreshes import refresh_segment
from pipelines.removals import StillImported, ask_for_erasure, delete_contact, readmit
from pipelines.secrets import WrongKey
from pipelines.segments import SegmentForm, create_segment, put_members
from pipelines.subjects import subject_of
from pipelines.suppression import ErasedMeanwhile, suppressed_in
from schemas.errors import InputError
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops
from warehouse.audit import Asked
from warehouse.contact_details import NoSuchContact
from warehouse.engines import reading

_TEXT = (
    "nombre;celular;correo;ciudad;plan\n"
    "Ana Núñez;310 987 6501;Ana.Nunez@Example.org;Lima;secreto\n"
    "Eva;3004445566;eva@example.org;Cali;oro\n"
    "Luis;hola;luis@example.org;Quito;plata\n"
    "Ana N.;hola;ana.nunez@example.org;Lima;secreto\n"
    ";3109876501 x9 y;;Lima;\n"
)
TRACES = ("nunez@example", "núñez", "3109876501", "310 987 6501", "secreto", "llamó por la tarde")


def asked() -> Asked:
    return Asked("test", utc_now())


@pytest.fixture
def home(store: Roll) -> Settings:
    """A home whose drop folder has taken files of several kinds, which all name Ana."""
    settings = Settings(home=store.folder / "home", default_country="CO")
    make_places(DropFolder(settings.home / "drop"))
    incoming = settings.home / "drop" / "incoming"
    drop_text(incoming, "gente.csv", _TEXT)
    (incoming / "gente.csv.gz").write_bytes(gzip.compress(_TEXT.encode("cp1252")))
    table = pa.table({"nombre": ["Eva", "Ana Núñez"], "correo": ["eva@example.org", "ana.nunez@example.org"]})
    pq.write_table(table, incoming / "gente.parquet")
    with Workbook(str(incoming / "gente.xlsx")) as book:
        for at, line in enumerate(_TEXT.splitlines()):
            book.worksheets()[0].write_row(
                at, 0, line.split(";")
            ) if book.worksheets() else book.add_worksheet().write_row(0, 0, line.split(";"))
    drop_text(incoming, "sin_mapa.csv", "aaa;bbb\nAna Núñez;ana.nunez@example.org\n")
    import_drops(store.engine, settings)
    return settings


def erase(store: Roll, settings: Settings, number: int) -> dict[str, Any]:
    work = ask_for_erasure(store.engine, number, asked())
    done = run_job(store.engine, work.id, settings, utc_now)
    assert done is not None
    assert done.state == "done", done
    return dict(done.result or {})


def everything(store: Roll, folder: Path) -> Iterator[tuple[str, str]]:
    """All text of all tables, and the bytes of all files, in small letters; compressed ones unpacked."""
    with reading(store.engine) as connection:
        names = inspect(connection).get_table_names()
    for name in names:
        for row in store.rows(f"SELECT * FROM {name}"):
            text = " | ".join(json.dumps(one, ensure_ascii=False) if isinstance(one, dict) else str(one) for one in row)
            yield name, re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found.group(1), 16)), text).lower()
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            if data[:4] == b"PAR1":
                data = str(pq.read_table(io.BytesIO(data)).to_pylist()).encode()
            yield str(path), data.decode("utf-8", "replace").lower()
            yield str(path), data.decode("cp1252", "replace").lower()


def traces(store: Roll, folder: Path) -> list[tuple[str, str]]:
    return [(place, trace) for place, text in everything(store, folder) for trace in TRACES if trace in text]


def test_erasing_leaves_no_trace_in_tables_or_files_and_others_keep_theirs(store: Roll, home: Settings) -> None:
    [number] = [one for one, name in store.living("id, display_name") if name == "Ana Núñez"]
    add_note(store.engine, number, "llamó por la tarde", asked())
    edit_contact(store.engine, home, number, ContactForm({"company": "Núñez e hijos"}), asked())
    told = Told("1", "received", utc_now() - timedelta(hours=1), contact=number, text="soy ana.nunez@example.org")
    take_interactions(store.engine, home, "chat", [told], asked())
    segment = create_segment(store.engine, home, SegmentForm("Limeños", filter_text="city = 'Lima'"), asked())
    refresh_segment(store.engine, segment, home, utc_now)
    work = ask_for_edit(store.engine, home, BulkForm("email = 'ana.nunez@example.org'", add_tags=["vip"]), asked())
    run_job(store.engine, work.id, home, utc_now)
    export = ask_for_export(store.engine, home, ExportWish("email = 'ana.nunez@example.org'"), asked())
    run_job(store.engine, export.id, home, utc_now)
    assert {place for place, _ in traces(store, store.folder)} > {
        str(home.home / "exports" / "export-1.csv"),
        "contacts",
        "notes",
        "interactions",
        "contact_changes",
    }
    others = [one for one in store.living("id, display_name, phone, email, city") if one[0] != number]

    found = erase(store, home, number)

    assert traces(store, store.folder) == []
    assert (found["files_to_look_at"], found["segments_to_look_at"]) == ([], [])
    assert [one for one in store.living("id, display_name, phone, email, city") if one[0] != number] == others
    [batch] = [one for one, file in store.rows("SELECT id, file FROM batches") if file == "gente.csv"]
    done = home.home / "drop" / "done" / f"gente.csv.{batch}.scrubbed.csv"
    assert done.read_text("utf-8-sig").replace('"', "").splitlines()[1:4] == [
        "—;;;;",
        "Eva;3004445566;eva@example.org;Cali;oro",
        "Luis;hola;luis@example.org;Quito;plata",
    ]
    assert store.one("SELECT path FROM batches WHERE id = :batch", batch=batch) == str(done)
    assert store.one("SELECT size FROM segments") == len([one for one in others if one[4] == "Lima"])
    with pytest.raises(NoSuchContact):
        find_contact(store.engine, number)


def test_who_was_erased_is_not_brought_back_by_a_file_or_by_hand_until_readmitted(store: Roll, home: Settings) -> None:
    [number] = [one for one, name in store.living("id, display_name") if name == "Ana Núñez"]
    erase(store, home, number)
    before = store.living()

    incoming = home.home / "drop" / "incoming"
    drop_text(
        incoming,
        "otra.csv",
        "nombre;celular;correo\nAna Núñez;+57 310 9876501;\nIda;3009998877;\nAna;;ANA.NUNEZ@example.org\n",
    )
    import_drops(store.engine, home)
    with pytest.raises(WrongField, match="was erased"):
        create_contact(store.engine, home, ContactForm({"phone": "310 987 6501"}), asked())

    assert [one for one in store.living() if one not in before] == [("Ida", "+573009998877", None)]
    assert store.rows("SELECT row, code FROM batch_rows WHERE code = 'erased' AND batch_id = (SELECT max(id) FROM batches) ORDER BY row") == [(1, "erased"), (3, "erased")]  # fmt: skip
    assert traces(store, store.folder) == []

    readmit(store.engine, home, "+57 3109876501", asked())
    made = create_contact(store.engine, home, ContactForm({"phone": "310 987 6501"}), asked())
    assert find_contact(store.engine, made).contact["phone"] == "+573109876501"
    with pytest.raises(WrongField, match="Nobody was erased"):
        readmit(store.engine, home, "+57 3109876501", asked())


def test_a_key_that_a_living_contact_shares_is_not_kept_from_coming_back(store: Roll) -> None:
    settings = Settings(home=store.folder / "home", default_country="CO")
    store.import_text("nombre,celular,correo\nAna,3109876501,ana@example.org\nLuis,3109876501,luis@example.org\n")
    erase(store, settings, 1)

    suppressed = suppressed_in(store.engine, settings)

    assert suppressed.has("email", "ana@example.org")
    assert not suppressed.has("phone", "+573109876501")


def test_erasing_that_is_done_again_after_a_crash_ends(store: Roll) -> None:
    settings = Settings(home=store.folder / "home", default_country="CO")
    store.import_text("nombre,celular\nAna,3109876501\n")
    first, again = (ask_for_erasure(store.engine, 1, asked()) for _ in range(2))
    assert first.id == again.id
    run_job(store.engine, first.id, settings, utc_now)

    with pytest.raises(NoSuchContact):
        ask_for_erasure(store.engine, 1, asked())
    store.run("UPDATE jobs SET state = 'running', lease_token = NULL, lease_until = NULL")
    assert run_job(store.engine, first.id, settings, utc_now).state == "done"  # type: ignore[union-attr]


def test_files_imported_by_hand_are_named_as_padron_does_not_keep_them(store: Roll) -> None:
    settings = Settings(home=store.folder / "home", default_country="CO")
    store.import_text("nombre,celular\nAna,3109876501\nLuis,hola\n")

    found = erase(store, settings, 1)

    assert [Path(one).name for one in found["files_to_look_at"]] == ["1-contacts.csv"]


def test_a_deleted_contact_keeps_its_opt_outs_by_address_and_may_come_again(store: Roll) -> None:
    store.import_text(
        "nombre,celular,correo,baja email\nAna,3109876501,ana@example.org,si\nLuis,3004445566,,\nEva,3007778899,,\n",
        columns={"baja email": "opt_out.email"},
    )
    block_contact(store.engine, 2, "insulta", asked())
    segment = create_segment(store.engine, Settings(), SegmentForm("Lista", "static"), asked())
    put_members(store.engine, segment, [1, 2, 3], asked())

    for number in (1, 2):
        delete_contact(store.engine, number, asked())
    store.import_text("nombre,celular,correo\nAna,3109876501,ana@example.org\nLuis,3004445566,\n")

    assert [name for name, *_ in store.living()] == ["Eva", "Ana", "Luis"]
    assert find_contact(store.engine, 4).opted_out == ["email"]
    assert find_contact(store.engine, 5).opted_out == ["phone", "sms", "whatsapp"]
    assert store.rows("SELECT contact_id FROM segment_members") == [(3,)]
    assert store.one("SELECT size FROM segments") == 1
    assert store.rows("SELECT operation FROM contact_changes WHERE contact_id = 1 ORDER BY id") == [
        ("create",),
        ("delete",),
    ]


def test_many_are_deleted_at_once_and_that_is_not_undone(store: Roll) -> None:
    store.import_text("nombre,celular,ciudad\nAna,3109876501,Lima\nLuis,3004445566,Lima\nEva,3007778899,Cali\n")
    work = ask_for_edit(store.engine, Settings(), BulkForm("city = 'Lima'", action="delete"), asked())
    done = run_job(store.engine, work.id, Settings(), utc_now)

    assert done is not None
    assert done.result == {"batch_id": 2, "matched": 2, "changed": 2, "skipped": 0}
    assert [name for name, *_ in store.living()] == ["Eva"]
    with pytest.raises(InputError, match="cannot be taken back"):
        ask_for_undo(store.engine, 2, asked())
    with pytest.raises(WrongField, match="Who is deleted"):
        ask_for_edit(store.engine, Settings(), BulkForm("city = 'Cali'", action="delete", add_tags=["x"]), asked())


def test_everything_held_on_a_person_is_given(store: Roll, home: Settings) -> None:
    [number] = [one for one, name in store.living("id, display_name") if name == "Ana Núñez"]
    add_note(store.engine, number, "llamó por la tarde", asked())
    set_consent(store.engine, number, ConsentForm("email", "in", "por teléfono"), asked())
    moments = [Told(str(at), "received", utc_now() - timedelta(hours=1), contact=number) for at in range(1_500)]
    for start in (0, 1_000):
        take_interactions(store.engine, home, "chat", moments[start : start + 1_000], asked())

    held = subject_of(store.engine, number, asked())

    assert held["contact"]["email"] == "ana.nunez@example.org"
    assert (len(held["interactions"]), len({one["id"] for one in held["interactions"]})) == (1_500, 1_500)
    assert [note["text"] for note in held["notes"]] == ["llamó por la tarde"]
    assert [(one["channel"], one["state"], one["source"]) for one in held["consents"]] == [
        ("email", "in", "por teléfono")
    ]
    assert {one["file"] for one in held["file_rows"]} >= {"gente.csv", "gente.parquet", "gente.xlsx", "gente.csv.gz"}
    assert held["history"][-1]["operation"] == "create"
    assert store.one("SELECT count(*) FROM audit WHERE action = 'contacts:export'") == 1


def test_consent_by_hand_lifts_what_files_said_and_files_do_not_lower_it_back(store: Roll) -> None:
    text = "nombre,celular,correo,baja\nAna,3109876501,ana@example.org,si\n"
    store.import_text(text, columns={"baja": "opt_out.email"})
    assert find_contact(store.engine, 1).opted_out == ["email"]

    set_consent(store.engine, 1, ConsentForm("email", "in", "llamada del 3 de noviembre"), asked())
    set_consent(store.engine, 1, ConsentForm("sms", "out", "llamada", purpose="surveys"), asked())

    detail = find_contact(store.engine, 1)
    assert detail.opted_out == ["sms"]
    assert [(one["channel"], one["purpose"], one["state"]) for one in detail.consents] == [("email", "marketing", "in"), ("sms", "surveys", "out")]  # fmt: skip
    for wrong, field in (
        (ConsentForm("fax", "in", "x"), "channel"),
        (ConsentForm("email", "maybe", "x"), "state"),
        (ConsentForm("email", "in", " "), "source"),
        (ConsentForm("email", "in", "x", "Two Words"), "purpose"),
        (ConsentForm("email", "in", "x", at=utc_now() + timedelta(days=1)), "at"),
    ):
        with pytest.raises(WrongField) as error:
            set_consent(store.engine, 1, wrong, asked())
        assert error.value.field == field


def drop(store: Roll, settings: Settings, text: str, name: str = "gente.csv") -> None:
    drop_text(settings.home / "drop" / "incoming", name, text)
    import_drops(store.engine, settings)


@pytest.fixture
def settings(store: Roll) -> Settings:
    found = Settings(home=store.folder / "home", default_country="CO")
    make_places(DropFolder(found.home / "drop"))
    return found


def kept_file(store: Roll, number: int = 1) -> list[str]:
    path = Path(store.one("SELECT path FROM batches WHERE id = :number", number=number))
    return path.read_text("utf-8-sig").replace('"', "").splitlines()


def test_nobody_who_is_only_like_them_loses_a_cell_and_a_second_person_is_found_where_they_stand(
    store: Roll, settings: Settings
) -> None:
    drop(
        store,
        settings,
        "nombre,celular,correo\nAna,3109876501,ana@example.org\nSusana,3009876501,susana@example.org\n"
        "Pepe,3119876501,pepe@example.org\nEva,3001112244,eva@example.org\n",
    )

    erase(store, settings, 1)
    erase(store, settings, 4)

    assert kept_file(store)[1:] == [
        "—,,",
        "Susana,3009876501,susana@example.org",
        "Pepe,3119876501,pepe@example.org",
        "—,,",
    ]


def test_rows_that_were_merged_into_theirs_go_too(store: Roll, settings: Settings) -> None:
    drop(
        store,
        settings,
        "external_id,nombre,correo,direccion\n7,Ana,ana@example.org,\n7,Ana,,Calle Secreta 5\n8,Eva,eva@example.org,\n",
    )
    assert store.one("SELECT merged FROM batches") == 1

    erase(store, settings, 1)

    assert kept_file(store)[1:] == ["—,,,", "—,,,", "8,Eva,eva@example.org,"]


def test_a_row_that_could_not_be_read_stays_one(store: Roll, settings: Settings) -> None:
    drop(store, settings, "nombre,correo\nAna,ana@example.org\nLuis,luis@example.org,de más\n")
    erase(store, settings, 1)

    assert kept_file(store)[1] == "—,"
    assert kept_file(store)[2].startswith("Luis,luis@example.org")
    drop(store, settings, Path(store.one("SELECT path FROM batches WHERE id = 1")).read_text("utf-8-sig"), "otra.csv")
    assert [name for name, *_ in store.living()] == []


def test_what_they_once_had_is_kept_out_too(store: Roll, settings: Settings) -> None:
    drop(store, settings, "nombre,correo\nAna,vieja@example.org\n")
    edit_contact(store.engine, settings, 1, ContactForm({"email": "nueva@example.org"}), asked())
    erase(store, settings, 1)
    drop(store, settings, "nombre,correo\nAna,vieja@example.org\nAna,nueva@example.org\n", "otra.csv")

    assert store.living() == []
    readmit(store.engine, settings, "vieja@example.org", asked())
    drop(store, settings, "nombre,correo\nAna,nueva@example.org\n", "vuelve.csv")
    assert store.living() == [("Ana", None, "nueva@example.org")]


def test_who_is_off_the_roll_already_can_be_erased(store: Roll, settings: Settings) -> None:
    drop(store, settings, "nombre,correo\nAna,ana@example.org\nEva,eva@example.org\n")
    edit_contact(store.engine, settings, 1, ContactForm({"city": "Lima", "company": "Secretos S.A."}), asked())
    delete_contact(store.engine, 1, asked())
    work = ask_for_undo(store.engine, 1, asked())
    run_job(store.engine, work.id, settings, utc_now)
    assert store.rows("SELECT display_name, email FROM contacts") == [(None, None)] * 2

    erase(store, settings, 1)

    assert kept_file(store)[1:] == ["—,", "Eva,eva@example.org"]
    assert store.rows("SELECT operation, diff FROM contact_changes WHERE contact_id = 1") == [("erase", None)]


def test_erasing_waits_for_imports_and_an_import_that_knows_nothing_of_it_begins_again(
    store: Roll, settings: Settings
) -> None:
    drop(store, settings, "nombre,correo\nAna,ana@example.org\n")
    store.run("UPDATE batches SET lease_until = " + ("now() + interval '1 hour'" if store.engine.dialect.name == "postgresql" else "9000000000000000"))  # fmt: skip
    work = ask_for_erasure(store.engine, 1, asked())
    with pytest.raises(StillImported):
        run_job(store.engine, work.id, settings, utc_now)
    assert len(store.living()) == 1

    store.run("UPDATE batches SET lease_until = NULL")
    store.run("UPDATE jobs SET lease_until = NULL")
    run_job(store.engine, work.id, settings, utc_now)
    with pytest.raises(ErasedMeanwhile):
        store.import_text("nombre,correo\nAna,ana@example.org\n")
    assert store.living() == []


def test_another_secret_than_that_of_erased_people_stops_imports(store: Roll, settings: Settings) -> None:
    drop(store, settings, "nombre,correo\nAna,ana@example.org\n")
    erase(store, settings, 1)
    (settings.home / "secret.key").unlink()

    with pytest.raises(WrongKey, match="secret key is not the one"):
        suppressed_in(store.engine, settings)


def test_an_opt_out_of_a_shared_phone_outlives_who_said_it(store: Roll) -> None:
    store.import_text("nombre,celular,correo\nAna,3109876501,ana@example.org\nLuis,3109876501,luis@example.org\n")
    set_consent(store.engine, 2, ConsentForm("sms", "out", "STOP"), asked())
    assert find_contact(store.engine, 1).opted_out == ["sms"]

    delete_contact(store.engine, 2, asked())

    assert find_contact(store.engine, 1).opted_out == ["sms"]


def test_an_older_yes_does_not_lift_a_newer_no_nor_a_yes_for_something_else(store: Roll) -> None:
    store.import_text("nombre,correo,baja\nAna,ana@example.org,si\n", columns={"baja": "opt_out.email"})
    set_consent(store.engine, 1, ConsentForm("email", "in", "encuesta", "surveys"), asked())
    assert find_contact(store.engine, 1).opted_out == ["email"]

    with pytest.raises(WrongField, match="said no later"):
        set_consent(store.engine, 1, ConsentForm("email", "in", "papel", at=utc_now() - timedelta(days=900)), asked())


def test_who_matches_a_deletion_later_is_not_deleted(store: Roll) -> None:
    store.import_text("nombre,celular,ciudad\nAna,3109876501,Lima\n")
    work = ask_for_edit(store.engine, Settings(), BulkForm("city = 'Lima'", action="delete", expected=1), asked())
    store.import_text("nombre,celular,ciudad\nEva,3001112244,Lima\n")
    run_job(store.engine, work.id, Settings(), utc_now)

    assert [name for name, *_ in store.living()] == ["Eva"]


def test_a_snapshot_keeps_nobody_who_went(store: Roll, settings: Settings) -> None:
    store.import_text("nombre,celular,ciudad\nAna,3109876501,Lima\nEva,3001112244,Lima\n")
    form = SegmentForm("Foto", "snapshot", "city = 'Lima'")
    number = create_segment(store.engine, settings, form, asked())
    refresh_segment(store.engine, number, settings, utc_now)

    erase(store, settings, 1)

    assert store.rows("SELECT contact_id FROM segment_members") == [(2,)]
    assert store.one("SELECT size FROM segments") == 1
