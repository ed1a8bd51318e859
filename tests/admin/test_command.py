"""The command line, as a person or a script calls it."""

import csv
import json
import re
from pathlib import Path

import pytest

from schemas.settings import Settings
from tests.commands import Run
from tests.routes.running import drop_text, environment, import_drops, padron
from warehouse.store import open_store

_PEOPLE = """Nombre,Correo,Teléfono
Ana,ana@example.org,+57 300 111 2233
Eva,eva@example.org,
Ana,ana@example.org,+57 300 111 2233
Nadie,sin arroba,12
"""
_KEYS = {
    "file",
    "status",
    "rows",
    "rows_ok",
    "row_errors",
    "created",
    "updated",
    "unchanged",
    "merged",
    "rejected",
    "message",
    "seconds",
    "reject_file",
}


pytestmark = pytest.mark.xdist_group("command line")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(_PEOPLE, encoding="utf-8")
    return path


def test_an_import_ends_with_0_and_shows_what_became_of_the_rows(people: Path, tmp_path: Path) -> None:
    done = padron(tmp_path / "home", "import", str(people), PADRON_LANGUAGE="es")

    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert re.search(r"Filas\W+4\b", done.stdout)
    assert re.search(r"Creados\W+2\b", done.stdout)
    assert re.search(r"Rechazadas\W+1\b", done.stdout)
    [shown] = re.findall(r"Informe de filas: (.+\.report\.csv)", done.stdout)
    with open(shown, encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["_row"], row["Correo"], row["_status"]) == ("4", "sin arroba", "rejected")


def test_json_is_one_object_with_exactly_the_promised_keys(run: Run, people: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "home", "import", str(people), "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert _KEYS <= set(document) <= _KEYS | {"batch_id", "warnings", "columns_not_taken"}
    assert (document["file"], document["status"], document["message"]) == ("people.csv", "imported", "")
    assert (document["rows"], document["rows_ok"], document["row_errors"]) == (4, 3, [4])
    assert [document[name] for name in ("created", "updated", "unchanged", "merged", "rejected")] == [2, 0, 0, 1, 1]
    assert document["seconds"] > 0
    assert Path(document["reject_file"]).exists()


def test_values_are_the_cells_of_accepted_rows(run: Run, people: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "home", "import", str(people), "--json", "--values", "--dry-run")

    document = json.loads(done.stdout)
    assert set(document) <= _KEYS | {"batch_id", "warnings", "columns_not_taken", "values", "dry_run"}
    assert document["dry_run"] is True
    assert len(document["values"]) == document["rows_ok"] == 3
    assert document["values"][0] == {"Nombre": "Ana", "Correo": "ana@example.org", "Teléfono": "+57 300 111 2233"}


def test_a_dry_run_shows_contacts_and_keeps_nothing(run: Run, people: Path, tmp_path: Path) -> None:
    dry = run(tmp_path / "home", "import", str(people), "--dry-run", COLUMNS="200")
    real = run(tmp_path / "home", "import", str(people), "--json")

    assert (dry.returncode, dry.stderr.strip()) == (0, "")
    assert "Dry run: nothing was written" in dry.stdout
    assert "+573001112233" in dry.stdout
    assert json.loads(real.stdout)["created"] == 2


def test_a_refused_file_ends_with_1_and_says_why(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")

    done = run(tmp_path / "home", "import", str(empty), "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, "")
    assert (document["status"], document["rows"], document["reject_file"]) == ("rejected", 0, None)
    assert "empty" in document["message"]
    assert set(document) >= _KEYS


def test_a_file_of_unknown_columns_ends_with_1_until_a_column_is_mapped(run: Run, tmp_path: Path) -> None:
    strange = tmp_path / "strange.csv"
    strange.write_text("foo,bar\nana@example.org,1\n", encoding="utf-8")

    refused = run(tmp_path / "home", "import", str(strange), "--json")
    mapped = run(tmp_path / "home", "import", str(strange), "--json", "--map", "foo=email", "--tag", "nuevo")

    assert (refused.returncode, json.loads(refused.stdout)["status"]) == (1, "needs_mapping")
    assert "foo" in json.loads(refused.stdout)["message"]
    assert (mapped.returncode, json.loads(mapped.stdout)["created"]) == (0, 1)


@pytest.mark.parametrize("country", ["co", "CO", "Colombia"])
def test_a_country_is_said_by_its_letters_or_its_name(run: Run, tmp_path: Path, country: str) -> None:
    people = tmp_path / "gente.csv"
    people.write_text("nombre,teléfono\nAna,3001112233\n", encoding="utf-8")

    done = run(tmp_path / "home", "import", str(people), "--json", "--country", country)

    assert json.loads(done.stdout)["created"] == 1, done.stdout


def test_a_preview_proposes_fields_and_saves_them_as_a_profile_that_works(
    run: Run, people: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"

    shown = run(home, "import", str(people), "--preview", "--save-profile", "crm")
    used = run(home, "import", str(people), "--profile", "crm", "--json")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "email" in shown.stdout
    assert "phone" in shown.stdout
    assert '"Correo" = "email"' in (home / "profiles" / "crm.toml").read_text(encoding="utf-8").replace(
        "Correo =", '"Correo" ='
    )
    assert (used.returncode, json.loads(used.stdout)["created"]) == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "nowhere.csv"], "there is no file nowhere.csv"),
        (["import", "{people}", "--profile", "nosuch"], "Profile 'nosuch': there is no such profile"),
        (["import", "{people}", "--map", "Correo=nosuchfield"], "which is not a field"),
        (["import", "{people}", "--country", "Atlantis"], "--country Atlantis: there is no such country"),
        (["import", "{people}", "--nosuchoption"], "there is no option --nosuchoption"),
        (["template", "contacts.txt"], "must end in .csv or .xlsx"),
    ],
)
def test_wrong_use_ends_with_2_and_one_sentence(
    run: Run, people: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = run(tmp_path / "home", *(item.format(people=people) for item in arguments))

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import"], "falta ARCHIVO. → padron import --help"),
        (["import", "nada.csv"], "no existe el archivo nada.csv"),
        (["import", "{people}", "--tagg", "x"], "no existe la opción --tagg (--tag?)"),
        (["import", "{people}", "--profile", "nada"], "Perfil 'nada': no existe en"),
        (["import", "{people}", "--country", "xx"], "--country xx: no hay tal país"),
        (["template", "contactos.txt"], "debe terminar en .csv o .xlsx"),
        (["template", "--language", "fr"], "no es uno de es, en"),
        (["batches", "undo", "99"], "No hay un lote 99"),
        (["batches", "undo", "uno"], "NÚMERO: debe ser un número entero. → padron batches undo --help"),
        (["batches", "list", "--limit", "0"], "--limit: debe ser 1 o más."),
        (["batches", "list", "--limit", "1001"], "--limit: debe ser 1000 o menos."),
        (["impor", "x"], "no existe la orden 'impor' (¿'import'?)."),
        (["zzz"], "no existe la orden 'zzz'."),
        (["import", "{people}", "--header-row", "0"], "--header-row: debe ser 1 o más."),
        (["import", "{people}", "--profile", "a/b"], "Perfil 'a/b': el nombre de un perfil lleva"),
        (["import", "a", "b"], "sobra: b."),
        (["import", "a", "--sheet"], "la opción '--sheet' necesita un valor."),
        (["import", "a", "--dry-run=3"], "la opción '--dry-run' no lleva valor."),
        (["worker"], "necesita un broker compartido"),
        (["import", "{people}", "--map", "Nada=phone"], "no tiene la columna «Nada». Sus columnas: «Nombre»,"),
        (["import", "{people}", "--map", "phone"], "--map phone: escriba --map COLUMNA=CAMPO."),
        (["import", "{people}", "--values"], "--values va con --json"),
        (["import", "{people}", "--header-row", "99"], "no tiene en la línea 99 nada"),
        (["import", "{people}", "--encoding", "klingon"], "La codificación klingon no se conoce"),
        (["import", "{people}", "--delimiter", "::"], "no está separado por '::'"),
        (["import", "{people}", "--sheet", "Hoja1"], "no es un libro"),
    ],
)
def test_wrong_use_is_said_in_spanish_where_spanish_is_set(
    run: Run, people: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    arguments = [item.format(people=people) for item in arguments]
    done = run(tmp_path / "home", *arguments, PADRON_LANGUAGE="es")

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_batches_are_shown_in_spanish_where_spanish_is_set(run: Run, people: Path, tmp_path: Path) -> None:
    run(tmp_path / "home", "import", str(people), PADRON_LANGUAGE="es")

    listed = run(tmp_path / "home", "batches", "list", PADRON_LANGUAGE="es").stdout
    shown = run(tmp_path / "home", "batches", "show", "1", PADRON_LANGUAGE="es").stdout
    seen = run(tmp_path / "home", "import", str(people), "--preview", PADRON_LANGUAGE="es").stdout

    assert all(word in listed for word in ("Archivo", "Estado", "Filas", "Rechaz.", "terminado"))
    assert "Estado: terminado" in shown
    assert "Correspondencia propuesta" in seen
    assert "No se importó nada" in seen


def test_a_profile_is_saved_in_its_folder_and_nowhere_else(run: Run, people: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "home", "import", str(people), "--preview", "--save-profile", "../../x")

    assert done.returncode == 2
    assert "Profile '../../x': a profile's name has letters" in done.stderr
    assert list(tmp_path.rglob("x.toml")) == []


def test_a_wrong_setting_is_said_in_spanish_where_spanish_is_set(run: Run, tmp_path: Path) -> None:
    wrong = {"PADRON_TIME_ZONE": "Bogota", "PADRON_SCAN_SECONDS": "0", "PADRON_WORKER_THREADS": "dos"}
    done = run(tmp_path / "home", "settings", PADRON_LANGUAGE="es", **wrong)

    assert done.returncode == 2
    assert "PADRON_TIME_ZONE = 'Bogota': use un nombre como America/Bogota" in done.stderr
    assert "PADRON_SCAN_SECONDS = '0': use más de 0" in done.stderr
    assert "PADRON_WORKER_THREADS = 'dos': use un número entero" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("PADRON_DEFAULT_COUNTRY", "Colombia", "two capital letters"),
        ("PADRON_TIME_ZONE", "Bogota", "America/Bogota"),
        ("PADRON_DATABASE_URL", "mysql://localhost/padron", "sqlite:/// or postgresql://"),
        ("PADRON_LEASE_SECONDS", "0", "use 2 or more"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_its_mend(
    run: Run, tmp_path: Path, name: str, value: str, mend: str
) -> None:
    done = run(tmp_path / "home", "batches", "list", **{name: value})

    assert (done.returncode, done.stdout) == (2, "")
    assert name in done.stderr
    assert mend in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["worker", "beat", "watch"])
def test_a_part_of_production_refuses_a_broker_of_one_process(run: Run, tmp_path: Path, command: str) -> None:
    done = run(tmp_path / "home", command)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"`padron {command}` needs a broker" in done.stderr
    assert "PADRON_BROKER_URL=redis://" in done.stderr


def test_batches_are_listed_shown_and_taken_back(run: Run, people: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    number = json.loads(run(home, "import", str(people), "--json").stdout)["batch_id"]

    listed, shown = run(home, "batches", "list", COLUMNS="200"), run(home, "batches", "show", str(number))
    undone = run(home, "batches", "undo", str(number))
    again = run(home, "batches", "undo", str(number))

    assert re.search(rf"\s{number}\s+people\.csv\s+done\s+4\s+2\s", listed.stdout), listed.stdout
    assert "State: done" in shown.stdout
    assert "Contacts removed: 2; restored: 0." in undone.stdout
    assert (again.returncode, "Batch 1 is taken back" in again.stderr) == (2, True)


def test_a_batch_that_is_not_there_ends_with_2(run: Run, tmp_path: Path) -> None:
    done = run(tmp_path / "home", "batches", "show", "7")

    assert (done.returncode, done.stdout) == (2, "")
    assert "There is no batch 7" in done.stderr


def test_a_parked_file_is_sent_again_under_a_new_profile(run: Run, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    engine = open_store(settings.store_url)
    drop_text(settings.home / "drop" / "incoming", "strange.csv", "foo,bar\nana@example.org,1\n")
    [number] = import_drops(engine, settings)
    (settings.home / "profiles").mkdir()
    (settings.home / "profiles" / "strange.toml").write_text('[columns]\n"foo" = "email"\n', encoding="utf-8")

    sent = run(settings.home, "batches", "retry", str(number), "--profile", "strange")
    twice = run(settings.home, "batches", "retry", str(number), "--profile", "strange")

    assert (sent.returncode, sent.stdout) == (0, "Sent again as batch 2\n")
    assert (twice.returncode, "is sent again: only rejected or parked" in twice.stderr) == (2, True)
    assert not list((settings.home / "drop" / "incoming").iterdir())
    assert len(list((settings.home / "drop" / "working").iterdir())) == 1
    engine.dispose()


@pytest.mark.parametrize(("name", "language"), [("plantilla.csv", "es"), ("template.xlsx", "en")])
def test_the_template_is_a_file_whose_every_column_is_known(run: Run, tmp_path: Path, name: str, language: str) -> None:
    home, path = tmp_path / "home", tmp_path / name

    made = run(home, "template", str(path), "--language", language)
    taken = run(home, "import", str(path), "--json", "--dry-run")

    document = json.loads(taken.stdout)
    assert (made.returncode, taken.returncode) == (0, 0)
    assert [document[name] for name in ("status", "rows", "created", "message")] == ["imported", 0, 0, ""]


def test_every_setting_is_shown_with_its_value(tmp_path: Path) -> None:
    done = padron(tmp_path / "home", "settings", PADRON_DEFAULT_COUNTRY="CO", COLUMNS="300")

    shown = set(re.findall(r"PADRON_[A-Z_]+", done.stdout))
    assert shown >= {f"PADRON_{name.upper()}" for name in Settings.model_fields}
    assert re.search(r"PADRON_DEFAULT_COUNTRY\W+CO\b", done.stdout)


def test_a_later_database_is_refused_with_one_sentence(run: Run, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    engine = open_store(settings.store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()

    done = run(settings.home, "migrate")

    assert (done.returncode, "later version (9999)" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_the_environment_of_these_tests_has_no_setting_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADRON_LANGUAGE", "es")

    assert "PADRON_LANGUAGE" not in environment(tmp_path)


def test_a_dry_run_says_what_is_wrong_with_the_first_rows(run: Run, people: Path, tmp_path: Path) -> None:
    shown = run(tmp_path / "home", "import", str(people), "--dry-run", PADRON_LANGUAGE="es").stdout

    assert "Las primeras filas con algo que decir" in shown
    assert "sin arroba" in shown


def test_a_folder_a_missing_file_and_a_place_that_cannot_be_written_are_one_sentence(
    run: Run, people: Path, tmp_path: Path
) -> None:
    folder = run(tmp_path / "home", "import", str(tmp_path), PADRON_LANGUAGE="es")
    nowhere = run(tmp_path / "home", "template", str(tmp_path / "no" / "t.xlsx"), PADRON_LANGUAGE="es")

    assert (folder.returncode, "es una carpeta: indique un archivo" in folder.stderr) == (2, True)
    assert (nowhere.returncode, "no existe esa carpeta" in nowhere.stderr) == (2, True)
    assert "Traceback" not in nowhere.stderr


def test_the_template_does_not_write_over_a_file(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "contacts.csv"
    mine.write_text("mine", "utf-8")

    refused = run(tmp_path / "home", "template", str(mine))
    kept = mine.read_text("utf-8")
    forced = run(tmp_path / "home", "template", str(mine), "--force")

    assert (refused.returncode, kept, forced.returncode) == (2, "mine", 0)
    assert "--force" in refused.stderr
    assert mine.read_text("utf-8") != "mine"
