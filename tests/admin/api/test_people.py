"""People by JSON beside editing: deleted, erased, told what is held on them; consents, notes, fields, tags, hygiene."""

from typing import Any

import pytest

from tests.admin.api.conftest import Endpoint

_PEOPLE = (
    "nombre,celular,correo,etiquetas\n"
    "Ana,3109876501,ana@example.org,VIP\nEva,3109876502,,Vips\n<b>Luis</b>,3109876503,luis@example.org,\n"
)


@pytest.fixture
def admin(endpoint: Endpoint) -> str:
    endpoint.store.import_text(_PEOPLE)
    return endpoint.someone("administrator")


def codes(*answers: Any) -> list[int]:
    return [answer.status_code for answer in answers]


def test_deleting_archives_and_for_good_wants_a_permission_of_its_own(endpoint: Endpoint, admin: str) -> None:
    supervisor = endpoint.someone("supervisor")

    archived = endpoint.call("DELETE", "/api/contacts/1", supervisor)
    refused = endpoint.call("DELETE", "/api/contacts/1?permanently=true", supervisor)
    many = endpoint.call("POST", "/api/contact-edits", supervisor, json={"ids": [2], "action": "delete"})
    shown = endpoint.call("GET", "/api/contacts/1", admin).json()
    gone = endpoint.call("DELETE", "/api/contacts/1?permanently=true", admin)

    assert codes(archived, refused, many, gone) == [204, 403, 403, 204]
    assert (shown["status"], refused.json()["code"]) == ("archived", "not_allowed")
    assert endpoint.call("GET", "/api/contacts/1", admin).status_code == 404


def test_an_erased_person_comes_back_only_when_readmitted(endpoint: Endpoint, admin: str) -> None:
    done = endpoint.finish(endpoint.call("POST", "/api/contacts/1/erase", admin), admin)
    refused = endpoint.call("POST", "/api/contacts", admin, json={"email": "ANA@example.org"})
    wrong = endpoint.call("POST", "/api/readmissions", admin, json={"key": "nadie@example.org"})
    readmitted = endpoint.call("POST", "/api/readmissions", admin, json={"key": "ana@example.org"})
    made = endpoint.call("POST", "/api/contacts", admin, json={"email": "ana@example.org"})

    assert (done["state"], done["result"]["contact_id"]) == ("done", 1)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "erased")
    assert codes(wrong, readmitted, made) == [409, 204, 201]


def test_what_is_held_is_given_as_json_and_as_a_page_without_script(endpoint: Endpoint, admin: str) -> None:
    held = endpoint.call("POST", "/api/contacts/3/subject", admin)
    page = endpoint.call("POST", "/api/contacts/3/subject?as=html", admin, headers={"Accept-Language": "es"})

    assert held.json()["contact"]["email"] == "luis@example.org"
    assert "Lo que guardamos sobre usted" in page.text
    assert "&lt;b&gt;Luis&lt;/b&gt;" in page.text
    assert "<b>" not in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert endpoint.call("POST", "/api/contacts/3/subject?as=pdf", admin).status_code == 422


def test_consents_and_notes_are_kept(endpoint: Endpoint, admin: str) -> None:
    said = {"state": "out", "source": "llamada"}
    consent = endpoint.call("PUT", "/api/contacts/1/consents/email", admin, json=said)
    wrong = endpoint.call("PUT", "/api/contacts/1/consents/fax", admin, json=said)
    note = endpoint.call("POST", "/api/contacts/1/notes", admin, json={"text": "Prefiere las tardes"})
    [kept] = note.json()["notes"]
    gone = endpoint.call("DELETE", f"/api/contacts/1/notes/{kept['id']}", admin)
    again = endpoint.call("DELETE", f"/api/contacts/1/notes/{kept['id']}", admin)

    assert codes(consent, wrong, note, gone, again) == [204, 409, 201, 204, 404]
    assert (kept["text"], note.json()["opted_out"]) == ("Prefiere las tardes", ["email"])
    history = endpoint.call("GET", "/api/contacts/1/history", admin).json()["items"]
    assert [list(one["diff"] or ()) for one in history] == [["note"], ["note"], ["consent.email"], []]


def test_a_contact_is_made_once_with_an_idempotency_key(endpoint: Endpoint, admin: str) -> None:
    headers = {"Idempotency-Key": "una vez"}
    first, again = (
        endpoint.call("POST", "/api/contacts", admin, json={"email": "nueva@example.org"}, headers=headers)
        for _ in range(2)
    )
    other = endpoint.call("POST", "/api/contacts", admin, json={"email": "otra@example.org"}, headers=headers)
    segments = [
        endpoint.call("POST", "/api/segments", admin, json={"name": "Lima", "filter": "city = 'Lima'"}, headers={"Idempotency-Key": "dos"})
        for _ in range(2)
    ]  # fmt: skip

    assert codes(first, again, other, *segments) == [201, 201, 409, 201, 201]
    assert first.json()["id"] == again.json()["id"]
    assert segments[0].json()["id"] == segments[1].json()["id"]


def test_fields_are_defined_and_converted(endpoint: Endpoint, admin: str) -> None:
    made = endpoint.call("POST", "/api/fields", admin, json={"key": "puntos"})
    twice = endpoint.call("POST", "/api/fields", admin, json={"key": "puntos"})
    endpoint.call("PATCH", "/api/contacts/1", admin, json={"custom": {"puntos": "7,5"}})
    named = endpoint.call("PATCH", "/api/fields/puntos", admin, json={"label": "Puntos de club"})
    done = endpoint.finish(endpoint.call("POST", "/api/fields/puntos/convert", admin, json={"type": "number"}), admin)
    missing = endpoint.call("PATCH", "/api/fields/nada", admin, json={"label": "x"})

    assert codes(made, twice, named, missing) == [201, 409, 200, 404]
    assert done["result"] == {"key": "puntos", "type": "number", "values": 1}
    assert endpoint.call("GET", "/api/contacts/1", admin).json()["custom"] == {"puntos": 7.5}
    [field] = endpoint.call("GET", "/api/fields", admin).json()
    assert (field["key"], field["label"], field["type"], field["is_archived"]) == (
        "puntos",
        "Puntos de club",
        "number",
        False,
    )


def test_tags_are_coloured_found_near_and_merged(endpoint: Endpoint, admin: str) -> None:
    tags = {tag["name"]: tag for tag in endpoint.call("GET", "/api/tags", admin).json()}
    coloured = endpoint.call("PATCH", f"/api/tags/{tags['VIP']['id']}", admin, json={"colour": "#ff0000"})
    near = endpoint.call("GET", "/api/near-tags", admin).json()
    used = endpoint.call("DELETE", f"/api/tags/{tags['Vips']['id']}", admin)
    done = endpoint.finish(
        endpoint.call("POST", f"/api/tags/{tags['Vips']['id']}/merge", admin, json={"into": tags["VIP"]["id"]}), admin
    )
    gone = endpoint.call("DELETE", f"/api/tags/{tags['Vips']['id']}", admin)

    assert codes(coloured, used, gone) == [200, 409, 204]
    assert [[tag["name"] for tag in group] for group in near] == [["VIP", "Vips"]]
    assert done["result"]["changed"] == 1
    assert [(tag["name"], tag["colour"], tag["contacts"]) for tag in endpoint.call("GET", "/api/tags", admin).json()] == [("VIP", "#ff0000", 2)]  # fmt: skip


def test_the_state_of_the_roll_is_counted_by_source_and_shown(endpoint: Endpoint, admin: str) -> None:
    endpoint.call("POST", "/api/contacts", admin, json={"email": "sola@example.org"})

    found = endpoint.call("GET", "/api/hygiene", admin).json()
    page = endpoint.call("GET", "/api/hygiene?as=html", admin, headers={"Accept-Language": "es"})

    assert (found["contacts"], found["totals"]["no_phone"], found["totals"]["no_email"]) == (4, 1, 1)
    assert [(one["source"], one["contacts"], one["no_phone"]) for one in found["sources"]] == [
        ("default", 3, 0),
        ("", 1, 1),
    ]
    assert [[tag["name"] for tag in group] for group in found["near_tags"]] == [["VIP", "Vips"]]
    assert "Sin teléfono" in page.text
    assert "1 (25.0%)" in page.text


def test_the_growth_of_a_segment_is_data_or_a_chart(endpoint: Endpoint, admin: str) -> None:
    made = endpoint.call(
        "POST", "/api/segments", admin, json={"name": "Lista", "kind": "static", "contacts": [1, 2]}
    ).json()

    data = endpoint.call("GET", f"/api/segments/{made['id']}/growth", admin)
    chart = endpoint.call("GET", f"/api/segments/{made['id']}/growth?as=svg", admin)

    assert [one["size"] for one in data.json()] == [2]
    assert (chart.headers["Content-Type"], "<polyline" in chart.text) == ("image/svg+xml", True)


def test_retention_is_rehearsed_and_run(endpoint: Endpoint, admin: str) -> None:
    done = endpoint.finish(endpoint.call("POST", "/api/retention-runs", admin, json={"rehearsal": True}), admin)

    assert done["result"] == {"interactions": 0, "files": 0, "contacts": 0}


def test_contacts_that_may_be_one_are_shown_until_somebody_decides(endpoint: Endpoint, admin: str) -> None:
    endpoint.store.import_text(
        "nombre,celular,correo\nRosa Díaz,3109876501,rosa@example.org\nPedro Paz,3109876501,pedro@example.org\n"
        "Sol Gil,3109876503,sol@example.org\n",
        name="otra.csv",
    )
    path = "/api/candidate-pairs"
    first = endpoint.call("GET", f"{path}?limit=1", admin).json()
    rest = endpoint.call("GET", f"{path}?cursor={first['next']}", admin).json()
    pairs = [(one["older"]["id"], one["newer"]["id"], one["reason"]) for one in (*first["items"], *rest["items"])]

    apart = endpoint.call("PUT", f"{path}/6/1/apart", admin)
    unknown = endpoint.call("PUT", f"{path}/2/3/apart", admin)
    endpoint.call("DELETE", "/api/contacts/5", admin)

    assert pairs == [(1, 4, "key_shared"), (3, 5, "key_shared"), (1, 6, "key_shared")]
    assert first["items"][0]["older"] == {"id": 1, "display_name": "Ana", "phone": "+573109876501", "email": "ana@example.org"}  # fmt: skip
    assert (apart.status_code, unknown.status_code, unknown.json()["code"]) == (204, 404, "no_such_pair")
    left = endpoint.call("GET", path, admin).json()
    assert [(one["older"]["id"], one["newer"]["id"]) for one in left["items"]] == [(1, 4)]
    assert (left["next"], endpoint.call("GET", "/api/hygiene", admin).json()["pairs"]) == (None, 1)
