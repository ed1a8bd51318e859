"""`padron contacts delete | erase | export …`, `padron fields …`, `padron tags …`, `padron segments plan` as typed."""

import json
from pathlib import Path

import pytest

from tests.commands import Run

pytestmark = pytest.mark.xdist_group("command line")
WHERE = {"PADRON_LANGUAGE": "es", "PADRON_DEFAULT_COUNTRY": "CO"}


def test_a_person_is_told_what_is_held_then_erased_and_let_back(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    people = tmp_path / "gente.csv"
    people.write_text("nombre,celular,correo\nAna Núñez,3109876501,ana@example.org\nEva,3004445566,\n", "utf-8")
    run(home, "import", str(people), **WHERE)

    noted = run(home, "contacts", "note", "1", "Prefiere la tarde", **WHERE)
    said = run(home, "contacts", "consent", "1", "email", "out", "--source", "llamada", **WHERE)
    told = run(home, "contacts", "export", "1", "--into", str(tmp_path / "carta"), **WHERE)
    archived = run(home, "contacts", "delete", "2", "--yes", **WHERE)
    erased = run(home, "contacts", "erase", "1", "--yes", **WHERE)
    again = run(home, "import", str(people), **WHERE)
    back = run(home, "contacts", "readmit", "310 987 6501", **WHERE)
    gone = run(home, "contacts", "delete", "2", "--permanently", "--yes", **WHERE)
    counted = run(home, "retention", "--dry-run", **WHERE)

    done = (noted, said, told, archived, erased, again, back, gone, counted)
    assert [one.returncode for one in done] == [0] * 9, [one.stderr for one in done]
    held = json.loads((tmp_path / "carta" / "contact-1.json").read_text("utf-8"))
    page = (tmp_path / "carta" / "contact-1.html").read_text("utf-8")
    assert (held["opted_out"], [note["text"] for note in held["notes"]]) == (["email"], ["Prefiere la tarde"])
    assert "Lo que guardamos sobre usted" in page
    assert "Contacto 1 borrado." in erased.stdout
    assert "gente.csv" in erased.stdout
    assert "Contacto 2 eliminado." in gone.stdout
    assert "Se irían: 0 interacciones, 0 archivos, 0 contactos." in counted.stdout
    listed = run(home, "contacts", "list", "--json", **WHERE)
    assert listed.stdout == ""


def test_pairs_are_shown_in_words_and_told_apart(run: Run, tmp_path: Path) -> None:
    home, people = tmp_path / "home", tmp_path / "gente.csv"
    people.write_text("nombre,celular\nAna Núñez,3109876501\nLuis Paz,3109876501\n", "utf-8")
    run(home, "import", str(people), **WHERE)

    shown = run(home, "contacts", "pairs", **WHERE)
    [told] = json.loads(run(home, "contacts", "pairs", "--json", **WHERE).stdout)
    apart = run(home, "contacts", "apart", "1", "2", **WHERE)
    none = run(home, "contacts", "pairs", **WHERE)
    wrong = run(home, "contacts", "apart", "1", "7", **WHERE)

    assert "1  Ana Núñez · +573109876501" in shown.stdout
    assert "2  Luis Paz" in shown.stdout
    assert "es de un contacto con otro nombre" in shown.stdout
    assert (told["older"]["id"], told["newer"]["id"], told["reason"]) == (1, 2, "key_shared")
    assert "son dos personas" in apart.stdout
    assert "No hay contactos por distinguir." in none.stdout
    assert (wrong.returncode, "1 y 7" in wrong.stderr) == (2, True)


def test_fields_tags_and_segments_are_kept_tidy(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    people = tmp_path / "gente.csv"
    people.write_text("nombre,correo,etiquetas,plan\nAna,a@example.org,VIP,oro\nEva,e@example.org,Vips,7\n", "utf-8")
    run(home, "fields", "create", "plan", "--label", "Plan contratado", **WHERE)
    run(home, "import", str(people), **WHERE)
    (home / "segments").mkdir()
    (home / "segments" / "vip.toml").write_text("name = 'VIP'\nfilter = \"tagged('vip')\"\nschedule = '1d'\n", "utf-8")

    refused = run(home, "fields", "convert", "plan", "number", **WHERE)
    listed = run(home, "fields", "list", **WHERE)
    near = run(home, "tags", "near", **WHERE)
    numbers = {
        one["name"]: str(one["id"])
        for one in map(json.loads, run(home, "tags", "list", "--json", **WHERE).stdout.splitlines())
    }
    merged = run(home, "tags", "merge", numbers["Vips"], numbers["VIP"], **WHERE)
    dropped = run(home, "tags", "delete", numbers["Vips"], **WHERE)
    tags = run(home, "tags", "list", "--json", **WHERE)
    planned = run(home, "segments", "plan", **WHERE)
    applied = run(home, "segments", "apply", "--yes", **WHERE)
    why = run(home, "segments", "why", "1", "2", **WHERE)
    growth = run(home, "segments", "growth", "1", "--chart", str(tmp_path / "vip.svg"), **WHERE)
    report = run(home, "hygiene", "--page", str(tmp_path / "estado.html"), **WHERE)

    done = (listed, near, merged, dropped, tags, planned, applied, why, growth, report)
    assert [one.returncode for one in done] == [0] * 10, [one.stderr for one in done]
    assert (refused.returncode, "1 valores de «plan» no son number" in refused.stderr) == (2, True)
    assert "Plan contratado" in listed.stdout
    assert near.stdout == f"VIP ({numbers['VIP']}; 1) · Vips ({numbers['Vips']}; 1)\n"
    assert [(one["name"], one["contacts"]) for one in map(json.loads, tags.stdout.splitlines())] == [("VIP", 2)]
    assert planned.stdout == "+ VIP\n"
    assert why.stdout == "✓ tagged('vip')\n"
    assert "<polyline" in (tmp_path / "vip.svg").read_text("utf-8")
    assert "Sin teléfono" in (tmp_path / "estado.html").read_text("utf-8")
