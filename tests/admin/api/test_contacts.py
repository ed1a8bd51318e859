"""Contacts over HTTP: found by filter and search, page by page, read whole, created, edited and blocked."""

from typing import Any

import pytest

from pipelines.undo import undo_batch
from tests.admin.api.conftest import Endpoint
from tests.conftest import utc_now
from warehouse.engines import reading
from warehouse.opted_out import opted_out_channels

_PEOPLE = (
    "nombre,apellidos,celular,correo,ciudad,etiquetas,custom.plan,última interacción\n"
    "Ána,Núñez,+57 300 111 2233,ana@example.org,Lima,vip; nuevo,oro,2026-01-05\n"
    "Eva,Mora,+55 11 98765-4321,eva@example.org,Bogotá,nuevo,,2026-03-05\n"
    "Luis,Paz,+57 300 111 2244,,Lima,,plata,\n"
    "Noé,Gil,,noe@gmail.com,,vip,,2026-02-05\n"
)


@pytest.fixture
def people(endpoints: Endpoint) -> tuple[Endpoint, str]:
    report = endpoints.store.import_text(_PEOPLE, columns={"custom.plan": "custom.plan"})
    assert report.created == 4
    return endpoints, endpoints.someone("supervisor")


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["first_name"] for one in answer.json()["items"]]


_FOUND: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["Noé", "Luis", "Eva", "Ána"]),
    ({"sort": "id"}, ["Ána", "Eva", "Luis", "Noé"]),
    ({"sort": "-last_interaction_at"}, ["Eva", "Noé", "Ána", "Luis"]),
    ({"sort": "name"}, ["Ána", "Eva", "Luis", "Noé"]),
    ({"filter": "city = 'Lima'"}, ["Luis", "Ána"]),
    ({"filter": "tagged('VIP') AND NOT city = 'Lima'"}, ["Noé"]),
    ({"filter": "custom.plan IN ('oro', 'plata')", "sort": "id"}, ["Ána", "Luis"]),
    ({"search": "nunez"}, ["Ána"]),
    ({"search": "NÚÑEZ ana"}, ["Ána"]),
    ({"search": "1112233"}, ["Ána"]),
    ({"search": "+57 (300) 111-22"}, ["Luis", "Ána"]),
    ({"search": "+55 11 8765 4321"}, ["Eva"]),
    ({"search": "ANA@example.org"}, ["Ána"]),
    ({"search": "example", "filter": "city = 'Bogotá'"}, ["Eva"]),
    ({"search": "100%"}, []),
    ({"search": "_"}, []),
    ({"search": "00"}, []),
    ({"search": "0057300 111"}, ["Luis", "Ána"]),
    ({"search": "nu an"}, []),
    ({"search": "an nu"}, ["Ána"]),
    ({"search": "\U0010ffff"}, []),
    ({"search": "\ud7ff"}, []),
]


def test_contacts_are_found(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people

    answers = [endpoint.call("GET", "/api/contacts", secret, params=asked) for asked, _ in _FOUND]
    counted = [
        endpoint.call("GET", "/api/contact-count", secret, params={k: v for k, v in asked.items() if k != "sort"})
        for asked, _ in _FOUND
    ]

    assert [(asked, names(answer)) for (asked, _), answer in zip(_FOUND, answers, strict=True)] == _FOUND
    assert [one.json() for one in counted] == [{"count": len(found), "exact": True} for _, found in _FOUND]


def test_pages_follow_one_another_without_gaps(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    for sort in ("id", "-id", "name", "-name", "last_interaction_at", "-last_interaction_at", "created_at"):
        whole = names(endpoint.call("GET", "/api/contacts", secret, params={"sort": sort}))
        found: list[str] = []
        cursor = ""
        while cursor is not None:
            asked = {"sort": sort, "limit": "1", **({"cursor": cursor} if cursor else {})}
            answer = endpoint.call("GET", "/api/contacts", secret, params=asked)
            found += names(answer)
            cursor = answer.json()["next"]

        assert (sort, found, len(found)) == (sort, whole, 4)


def test_a_filter_in_json_finds_the_same(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    body = {"filter": {"op": "=", "args": [{"property": "city"}, "Lima"]}, "sort": "id", "limit": 1}

    first = endpoint.call("POST", "/api/contact-search", secret, json=body)
    second = endpoint.call("POST", "/api/contact-search", secret, json={**body, "cursor": first.json()["next"]})

    assert names(first) + names(second) == ["Ána", "Luis"]


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"filter": "citi = 'Lima'"}, "wrong_filter", "¿Quiso decir city?"),
        ({"filter": "city = "}, "wrong_filter", "(en el carácter 8)"),
        ({"sort": "weight"}, "wrong_order", "sort es uno de"),
        ({"cursor": "zzz"}, "wrong_cursor", "no es de esta lista"),
        ({"cursor": "WyJuYW1lIiwgMywgMV0="}, "wrong_cursor", "no es de esta lista"),
        (
            {"sort": "created_at", "cursor": "WyJjcmVhdGVkX2F0IiwgIjAwMDEtMDEtMDFUMDA6MDArMTQ6MDAiLCAxXQ=="},
            "wrong_cursor",
            "no es",
        ),
        ({"filter": "created_at > DATE('0001-01-01')"}, "wrong_filter", "años 1800 a 2999"),
        ({"filter": "created_at > TIMESTAMP('9999-12-31T23:59:59-12:00')"}, "wrong_filter", "años 1800 a 2999"),
    ],
)
def test_what_cannot_be_asked_is_said(endpoint: Endpoint, asked: dict[str, str], code: str, said: str) -> None:
    secret = endpoint.someone("supervisor")

    answer = endpoint.call("GET", "/api/contacts", secret, params=asked, headers={"Accept-Language": "es"})

    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert said in answer.json()["detail"]


def test_one_contact_is_shown_whole_with_where_each_value_came_from(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    [ana] = endpoint.call("GET", "/api/contacts", secret, params={"search": "nunez"}).json()["items"]
    address = f"/api/contacts/{ana['id']}"
    endpoint.call("PATCH", address, secret, json={"city": "Quito", "custom": {"plan": "plata"}})

    shown = endpoint.call("GET", address, secret).json()
    history = endpoint.call("GET", f"{address}/history", secret).json()["items"]

    assert (shown["city"], shown["custom"], shown["tags"]) == ("Quito", {"plan": "plata"}, ["nuevo", "vip"])
    assert shown["origins"]["email"]["file"].endswith(".csv")
    assert (shown["origins"]["email"]["row"], shown["origins"]["city"]["file"]) == (1, None)
    assert shown["origins"]["city"]["actor"].startswith("operator:")
    assert [one["operation"] for one in history] == ["update", "create"]
    assert history[0]["diff"] == {"city": ["Lima", "Quito"], "custom.plan": ["oro", "plata"]}
    assert endpoint.call("GET", f"{address}/interactions", secret).json()["items"] == []


def test_an_edit_goes_by_the_version_that_was_read(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    read = endpoint.call("GET", "/api/contacts/1", secret)
    headers = {"If-Match": read.headers["ETag"]}

    done = endpoint.call("PATCH", "/api/contacts/1", secret, json={"city": "Quito"}, headers=headers)
    again = endpoint.call("PATCH", "/api/contacts/1", secret, json={"city": "Cali"}, headers=headers)

    assert (done.status_code, again.status_code, again.json()["code"]) == (200, 412, "version_differs")
    assert endpoint.call("GET", "/api/contacts/1", secret).json()["city"] == "Quito"


def test_a_contact_is_made_by_hand_and_found_by_search_and_by_the_next_file(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    body = {"first_name": "  Zoé ", "last_name": "Ríos", "phone": "+57 301 222 3344", "tags": ["VIP", "nueva"]}

    made = endpoint.call("POST", "/api/contacts", secret, json={**body, "custom": {"plan": "oro"}})
    again = endpoint.store.import_text("nombre,celular,ciudad\nZoé Ríos,+573012223344,Cali\n")

    assert made.status_code == 201, made.text
    assert (made.json()["display_name"], made.json()["phone"]) == ("Zoé Ríos", "+573012223344")
    assert made.json()["tags"] == ["nueva", "vip"]
    assert (again.created, again.updated) == (0, 1)
    shown = endpoint.call("GET", made.headers["Location"], secret).json()
    assert (shown["city"], shown["origins"]["city"]["row"], shown["origins"]["phone"]["file"]) == ("Cali", 1, None)
    assert names(endpoint.call("GET", "/api/contacts", secret, params={"search": "zoe rios"})) == ["Zoé"]


_REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"first_name": "Ana"}, "phone", "required"),
    ({"phone": "abc"}, "phone", "invalid"),
    ({"email": "abc"}, "email", "invalid"),
    ({"phone": "+57 300 111 2233"}, "phone", "taken"),
    ({"phone": "+55 11 8765 4321"}, "phone", "taken"),
    ({"email": "ANA@example.org"}, "email", "taken"),
    ({"email": "x@example.org", "channel": "whatsapp"}, "phone", "required"),
    ({"email": "x@example.org", "channel": "fax"}, "channel", "unknown"),
    ({"email": "x@example.org", "status": "blocked"}, "status", "unknown"),
    ({"email": "x@example.org", "status": None}, "status", "required"),
    ({"email": "x@example.org", "custom": {"nada": "x"}}, "custom.nada", "unknown"),
    ({"email": "x@example.org", "custom": {"plan": 3}}, "custom.plan", "wrong_type"),
    ({"email": "x@example.org", "city": "x" * 300}, "city", "too_long"),
    ({"email": "x@example.org", "tags": [" "]}, "tags", "invalid"),
]


def test_what_no_contact_can_be_is_refused_by_field(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people

    answers = [endpoint.call("POST", "/api/contacts", secret, json=body) for body, _, _ in _REFUSED]

    assert {answer.status_code for answer in answers} == {409}
    errors = [[(one["field"], one["code"]) for one in answer.json()["errors"]] for answer in answers]
    assert errors == [[(field, code)] for _, field, code in _REFUSED]
    assert len(endpoint.store.living()) == 4


def test_a_block_is_sticky_and_only_a_person_takes_it_back(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    address = "/api/contacts/1"

    blocked = endpoint.call("POST", f"{address}/block", secret, json={"reason": "insulta"})
    endpoint.store.import_text("nombre,celular,estado\nÁna Núñez,+573001112233,activo\n")
    edited = endpoint.call("PATCH", address, secret, json={"status": "active"})
    during = endpoint.call("GET", address, secret).json()
    freed = endpoint.call("POST", f"{address}/unblock", secret)
    after = endpoint.call("GET", address, secret).json()

    assert (blocked.status_code, edited.status_code, freed.status_code) == (204, 409, 204)
    assert (during["status"], during["blocked_reason"]) == ("blocked", "insulta")
    assert (after["status"], after["blocked_at"]) == ("active", None)
    actions = endpoint.store.rows("SELECT action FROM audit WHERE object = 'contact:1' ORDER BY id")
    assert [action for (action,) in actions] == ["contacts:block", "contacts:unblock"]


def test_who_is_archived_is_restored(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people

    endpoint.call("POST", "/api/contacts/1/archive", secret)
    archived = names(endpoint.call("GET", "/api/contacts", secret, params={"filter": "status = 'archived'"}))
    unblocked = endpoint.call("POST", "/api/contacts/1/unblock", secret)
    endpoint.call("POST", "/api/contacts/1/restore", secret)

    assert (archived, unblocked.status_code) == (["Ána"], 409)
    assert endpoint.call("GET", "/api/contacts/1", secret).json()["status"] == "active"


def test_an_edit_outlives_the_undo_of_the_import(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    other = endpoint.store.import_text("nombre,celular,ciudad\nÁna Núñez,+573001112233,Cali\n", duplicates="overwrite")
    endpoint.call("PATCH", "/api/contacts/1", secret, json={"city": "Quito", "tags": ["vip"]})

    kept = undo_batch(endpoint.store.engine, other.batch_id or 0, "test", utc_now).kept

    shown = endpoint.call("GET", "/api/contacts/1", secret).json()
    assert (kept, shown["city"], shown["tags"]) == ((1,), "Quito", ["vip"])


def test_the_phone_that_was_a_further_key_becomes_the_own_one(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    endpoint.store.import_text("nombre,correo,celular,celular 2\nNoé Gil,noe@gmail.com,+573005550000,+573005551111\n")

    edited = endpoint.call("PATCH", "/api/contacts/4", secret, json={"phone": "+57 300 555 1111"}).json()

    assert (edited["phone"], [key["value"] for key in edited["keys"]]) == ("+573005551111", ["+573005550000"])


def test_who_may_not_be_written_to_is_told_as_the_view_tells_it(people: tuple[Endpoint, str]) -> None:
    endpoint, _ = people
    store = endpoint.store
    store.import_text("nombre,celular,acepta whatsapp\nÁna Núñez,+573001112233,no\nOtra Persona,+573001112233,sí\n")
    store.import_text("nombre,correo,baja\nNoé Gil,noe@gmail.com,sí\nSocio Gil,noe@gmail.com,\n")
    store.import_text("nombre,correo,baja\nNadie,eva@example.org,sí\n", mode="update", names="ignore")
    with reading(store.engine) as connection:
        contacts = [dict(row._mapping) for row in connection.exec_driver_sql("SELECT * FROM contacts")]
        there = connection.exec_driver_sql("SELECT contact_id, channel FROM opted_out").all()
        here = [(one["id"], channel) for one in contacts for channel in opted_out_channels(connection, one)]

    assert len(here) >= 6
    assert sorted(here) == sorted((int(number), str(channel)) for number, channel in there)


def test_a_number_that_nobody_has_is_not_found(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")

    answers = [endpoint.call("GET", f"/api/contacts/77{end}", secret) for end in ("", "/history", "/interactions")]
    answers.append(endpoint.call("PATCH", "/api/contacts/77", secret, json={}))

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "no_such_contact")] * 4


def test_a_whole_name_stays_until_both_parts_are_known(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.store.import_text("nombre,correo\nDra. Ana María Núñez,ana@example.org\n")

    one = endpoint.call("PATCH", "/api/contacts/1", secret, json={"first_name": "Anita"}).json()
    both = endpoint.call("PATCH", "/api/contacts/1", secret, json={"last_name": "Núñez"}).json()
    history = endpoint.call("GET", "/api/contacts/1/history", secret).json()["items"]

    assert (one["display_name"], both["display_name"]) == ("Dra. Ana María Núñez", "Anita Núñez")
    assert history[0]["diff"]["display_name"] == ["Dra. Ana María Núñez", "Anita Núñez"]


def test_an_inactive_contact_is_inactive_after_its_block(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.call("POST", "/api/contacts", secret, json={"email": "a@example.org", "status": "inactive"})
    endpoint.call("POST", "/api/contacts/1/block", secret, json={"reason": "x"})
    endpoint.call("POST", "/api/contacts/1/unblock", secret)

    assert endpoint.call("GET", "/api/contacts/1", secret).json()["status"] == "inactive"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_what_is_no_number_is_refused_and_spoils_nothing(endpoint: Endpoint, number: str) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.store.import_text("correo,custom.puntos\na@example.org,1\n", columns={"custom.puntos": "custom.puntos"})
    body, headers = f'{{"custom": {{"puntos": {number}}}}}', {"Content-Type": "application/json"}

    answer = endpoint.call("PATCH", "/api/contacts/1", secret, data=body, headers=headers)

    assert answer.status_code == 422, answer.text
    assert endpoint.call("GET", "/api/contacts", secret).status_code == 200


def test_tags_of_the_history_have_names(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.call("POST", "/api/contacts", secret, json={"email": "a@example.org", "tags": ["VIP"]})
    endpoint.call("PATCH", "/api/contacts/1", secret, json={"tags": ["nuevo"]})

    history = endpoint.call("GET", "/api/contacts/1/history", secret).json()["items"]
    assert history[0]["diff"] == {"tags": [["VIP"], ["nuevo"]]}


def test_many_are_edited_by_a_job_that_is_watched_and_taken_back(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    body = {"filter": "city = 'Lima'", "add_tags": ["limeño"], "fields": {"company": "ACME"}, "expected": 2}

    wrong = endpoint.call("POST", "/api/contact-edits", secret, json={**body, "expected": 3})
    asked = endpoint.call("POST", "/api/contact-edits", secret, json=body)
    job = endpoint.finish(asked, secret)
    found = names(endpoint.call("GET", "/api/contacts", secret, params={"filter": "tagged('limeño')"}))
    undone = endpoint.finish(endpoint.call("POST", f"/api/batches/{job['result']['batch_id']}/undo", secret), secret)
    left = names(endpoint.call("GET", "/api/contacts", secret, params={"filter": "tagged('limeño')"}))

    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (409, "expected")
    assert (job["kind"], job["result"]["changed"], found) == ("edit", 2, ["Luis", "Ána"])
    assert (undone["result"]["restored"], left) == (2, [])


def test_a_filter_in_json_tells_whom_to_edit_and_numbers_do_too(people: tuple[Endpoint, str]) -> None:
    endpoint, secret = people
    by_json = {"filter": {"op": "=", "args": [{"property": "city"}, "Lima"]}, "action": "archive"}

    first = endpoint.finish(endpoint.call("POST", "/api/contact-edits", secret, json=by_json), secret)
    second = endpoint.finish(
        endpoint.call("POST", "/api/contact-edits", secret, json={"ids": [1, 2], "action": "restore"}), secret
    )

    assert (first["result"]["changed"], second["result"]["changed"], second["result"]["skipped"]) == (2, 1, 0)


def test_who_may_not_block_does_not_block_many(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    role = {"permissions": ["contacts:read", "contacts:edit_many"]}
    assert endpoint.call("PUT", "/api/roles/editor", admin, json=role).status_code == 200
    secret = endpoint.someone("editor")

    answer = endpoint.call(
        "POST", "/api/contact-edits", secret, json={"ids": [1], "action": "block", "reason": "porque sí"}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_what_happened_is_told_once_and_shown_with_the_contact(people: tuple[Endpoint, str]) -> None:
    endpoint, _ = people
    secret = endpoint.someone("administrator")
    item = {"id": "m1", "kind": "received", "at": "2026-11-01T10:00:00Z", "phone": "+57 300 111 2233", "text": "hola"}
    body = {"source": "chat", "items": [item, {**item, "id": "m2", "phone": "999"}]}

    first = endpoint.call("POST", "/api/interactions", secret, json=body, headers={"Accept-Language": "es"})
    again = endpoint.call("POST", "/api/interactions", secret, json=body)
    shown = endpoint.call("GET", "/api/contacts/1", secret).json()
    listed = endpoint.call("GET", "/api/contacts/1/interactions", secret).json()["items"]

    refused = {
        "index": 1,
        "code": "no_such_contact",
        "message": "Ningún contacto tiene ese número, teléfono, correo o id.",
    }
    assert first.json() == {"taken": 1, "known": 0, "refused": [refused]}
    assert (again.json()["taken"], again.json()["known"]) == (0, 1)
    assert (shown["statistics"]["received"], shown["last_interaction_at"]) == (1, "2026-11-01T10:00:00Z")
    assert [(one["external_id"], one["text"]) for one in listed] == [("m1", "hola")]
