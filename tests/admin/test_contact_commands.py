"""`padron contacts …` as somebody types it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from schemas.settings import Settings
from tests.commands import Run
from warehouse.engines import transaction
from warehouse.store import open_store
from warehouse.tables import contact_changes

pytestmark = pytest.mark.xdist_group("command line")


def test_contacts_are_made_found_edited_blocked_and_shown(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    where = {"PADRON_LANGUAGE": "es", "PADRON_DEFAULT_COUNTRY": "CO"}
    people = tmp_path / "gente.csv"
    people.write_text("nombre,celular,ciudad,puntos\nAna Núñez,300 111 2233,Lima,7\nEva,3004445566,Cali,1\n", "utf-8")
    run(home, "import", str(people), "--map", "puntos=custom.puntos", **where)

    made = run(home, "contacts", "create", "first_name=Luis", "email=luis@example.org", "--tag", "VIP", **where)
    edited = run(home, "contacts", "edit", "1", "city=Quito", "custom.puntos=9,5", "--tag", "vip", **where)
    listed = run(home, "contacts", "list", "--filter", "tagged('vip')", "--sort", "id", "--json", **where)
    found = run(home, "contacts", "list", "--search", "0057 (300) 111-2233", **where)
    counted = run(home, "contacts", "count", "--filter", "city = 'Cali' OR custom.puntos = '9,5'", **where)
    blocked = run(home, "contacts", "block", "2", "--reason", "insulta", **where)
    shown = run(home, "contacts", "show", "1", **where)
    document = json.loads(run(home, "contacts", "show", "2", "--json", **where).stdout)

    assert [one.returncode for one in (made, edited, listed, found, counted, blocked, shown)] == [0] * 7, edited.stderr
    assert "Contacto 3 creado." in made.stdout
    assert [json.loads(line)["display_name"] for line in listed.stdout.splitlines()] == ["Ana Núñez", "Luis"]
    assert "Ana Núñez" in found.stdout
    assert "Eva" not in found.stdout
    assert counted.stdout.strip() == "2"
    assert "gente.csv, 1" in shown.stdout
    assert "city: Lima → Quito" in shown.stdout
    assert (document["status"], document["blocked_reason"]) == ("blocked", "insulta")


def test_times_are_those_of_the_installation_s_zone(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run(home, "contacts", "create", "email=a@example.org", PADRON_TIME_ZONE="America/Lima")
    store = open_store(Settings(home=home).store_url)
    with transaction(store) as connection:
        connection.execute(update(contact_changes).values(at=datetime(2026, 3, 1, 2, 30, tzinfo=UTC)))
    store.dispose()

    there, here = (run(home, "contacts", "show", "1", PADRON_TIME_ZONE=zone).stdout for zone in ("America/Lima", "UTC"))

    assert "2026-02-28 21:30:00 create" in there
    assert "2026-03-01 02:30:00 UTC create" in here


def test_a_segment_is_made_refreshed_and_tells_who_joined(run: Run, tmp_path: Path) -> None:
    home, where = tmp_path / "home", {"PADRON_LANGUAGE": "es"}
    run(home, "contacts", "create", "email=a@example.org", "city=Lima", **where)
    run(home, "contacts", "create", "email=b@example.org", "city=Cali", **where)

    made = run(home, "segments", "create", "Limeños", "--filter", "city = 'Lima'", "--schedule", "15min", **where)
    run(home, "contacts", "edit", "2", "city=Lima", **where)
    refreshed = run(home, "segments", "refresh", "1", **where)
    listed = run(home, "segments", "list", **where)
    members = run(home, "segments", "members", "1", **where)
    events = run(home, "segments", "events", "1", **where)
    edited = run(home, "segments", "edit", "1", "--filter", "city = 'Cali'", **where)
    wrong = run(home, "segments", "create", "limenos", "--filter", "sent > 1", **where)
    gone = run(home, "segments", "delete", "1", **where)

    assert [one.returncode for one in (made, refreshed, listed, members, events, edited, gone)] == [0] * 7, made.stderr
    assert "Segmento 1 creado. Contactos en él: 1." in made.stdout
    assert "Entraron: 1; salieron: 0; ahora hay 2" in refreshed.stdout
    assert "Limeños" in listed.stdout
    assert members.stdout.split() == ["1", "2"]
    assert [json.loads(line)["contact"] for line in events.stdout.splitlines()] == [2, 1]
    assert (wrong.returncode, "se llama Limeños" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "--filter", "citi = 'Lima'"], "¿Quiso decir city?"),
        (["list", "--sort", "weight"], "--sort es uno de"),
        (["show", "9"], "No hay ningún contacto 9."),
        (["create", "first_name=Ana"], "tiene teléfono o correo"),
        (["create", "nombre=Ana"], "No hay un campo nombre"),
        (["create", "Ana"], "escríbalo como CAMPO=VALOR"),
        (["edit", "9", "city=Lima"], "No hay ningún contacto 9."),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_a_sentence(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path / "home", "contacts", *arguments, PADRON_LANGUAGE="es")

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_many_contacts_are_edited_after_a_question_and_the_edit_is_taken_back(run: Run, tmp_path: Path) -> None:
    home, where = tmp_path / "home", {"PADRON_LANGUAGE": "es"}
    people = tmp_path / "gente.csv"
    people.write_text("correo,ciudad\na@example.org,Lima\nb@example.org,Lima\nc@example.org,Cali\n", "utf-8")
    run(home, "import", str(people), **where)
    asked = ("contacts", "edit-many", "--filter", "city = 'Lima'", "--add-tag", "callado")

    refused = run(home, *asked, typed="n\n", **where)
    done = run(home, *asked, "--set", "company=ACME", typed="s\n", **where)
    counted = run(home, "contacts", "count", "--filter", "tagged('callado') AND company = 'ACME'", **where)
    undone = run(home, "batches", "undo", "2", **where)
    left = run(home, "contacts", "count", "--filter", "tagged('callado') OR company = 'ACME'", **where)
    wrong = run(home, "contacts", "edit-many", "--filter", "city = 'Lima'", **where)

    assert "Coinciden 2 contactos. ¿Cambiarlos? [s/N]" in refused.stdout
    assert "No se hizo nada." in refused.stdout
    assert [one.returncode for one in (refused, done, undone, wrong)] == [1, 0, 0, 2], done.stderr
    assert "2 de 2 contactos cambiados; 0 no podían serlo y quedan como estaban" in done.stdout
    assert "padron batches undo 2" in done.stdout
    assert (counted.stdout.strip(), left.stdout.strip()) == ("2", "0")
    assert "Diga qué cambiar." in wrong.stderr
