"""What somebody could try against the endpoint, and that it leads nowhere."""

import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from admin.api.callers import COOKIE
from pipelines import roles
from pipelines.new_passwords import LinkUsed, make_reset_link, set_password, use_reset_link
from pipelines.operators import edit_operator
from pipelines.passwords import Password
from pipelines.states import let_silent_be_offline
from tests.admin.api.conftest import PASSWORD, Endpoint, serve
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked, add_entry
from warehouse.engines import transaction

NEW = Password("cuatro perros sin collar", "cuatro perros sin collar")


def asked() -> Asked:
    return Asked("test", utc_now())


@pytest.mark.parametrize("change", [{"roles": ("administrator",)}, {"is_active": False}, None], ids=str)
def test_an_old_link_opens_nothing_once_its_operator_is_another(
    endpoints: Endpoint, change: dict[str, Any] | None
) -> None:
    store = endpoints.store.engine
    number = endpoints.operator("bob@example.org", "agent")
    link = make_reset_link(store, number, asked())
    if change is None:
        set_password(store, number, NEW, asked())
    else:
        edit_operator(store, number, change, asked())

    with pytest.raises(LinkUsed):
        use_reset_link(store, link, NEW, asked())


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_does_nothing(endpoint: Endpoint, chunked: bool) -> None:
    admin = endpoint.someone("administrator")
    body = b'{"name": "Large", "seats": 5}' + b" " * 1_200_000
    data = (body[start : start + 50_000] for start in range(0, len(body), 50_000)) if chunked else body

    answer = endpoint.call("POST", "/api/licences", admin, data=data, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert endpoint.store.one("SELECT count(*) FROM licences WHERE name = 'Large'") == 0


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(store: Roll) -> None:
    now = utc_now()  # for all of them, however long they take
    for endpoint in serve(store, lambda: now):
        endpoint.operator("ana@example.org", "administrator")

        def guess(number: int, url: str = f"{endpoint.url}/api/sessions") -> int:
            body = {"email": "ana@example.org", "password": f"not this one {number}"}
            return requests.post(url, json=body, timeout=30).status_code

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(guess, range(40)))

        assert (answers.count(401), answers.count(429)) == (5, 35)


def test_the_right_password_is_no_guess_however_often_no_seat_is_free(endpoint: Endpoint) -> None:
    endpoint.operator("ana@example.org", "administrator", seats=0)
    body = {"email": "ana@example.org", "password": PASSWORD}

    answers = {endpoint.call("POST", "/api/sessions", json=body).json()["code"] for _ in range(8)}

    assert answers == {"no_seat"}


@pytest.mark.parametrize("path", ["/api/sessions", "/api/password-resets"])
def test_half_a_character_is_refused(endpoint: Endpoint, path: str) -> None:
    text = b'{"email": "a@x.co", "password": "b\\ud800", "secret": "\\ud800", "confirmation": "x"}'

    answer = endpoint.call("POST", path, data=text, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (422, "not_valid")


@pytest.mark.parametrize("name", ["é" * 200, "😀" * 60 + ".csv", "a" * 190 + ".csv"])
def test_a_long_name_of_an_upload_is_kept_short(endpoint: Endpoint, name: str) -> None:
    secret = endpoint.someone("supervisor")
    sent = endpoint.call("POST", "/api/uploads", secret, params={"name": name}, data=b"correo\nana@x.co\n").json()

    answer = endpoint.call("POST", f"/api/uploads/{sent['id']}/confirm", secret, json={"token": sent["token"]})

    assert answer.status_code == 202
    assert len(answer.json()["file"].encode()) <= 150
    assert sent["name"].endswith(".csv") == name.endswith(".csv")


def test_one_role_saved_by_many_at_once_is_saved(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")

    def save(_: int) -> int:
        return endpoints.call("PUT", "/api/roles/Noche", admin, json={"permissions": ["jobs:read"]}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(save, range(12))) == {200}


def test_two_edits_of_one_webhook_do_not_both_go_by_the_same_version(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    body = {"url": "https://8.8.8.8/x", "events": ["batch.finished"]}
    made = endpoints.call("POST", "/api/webhooks", admin, json=body)

    def edit(number: int) -> int:
        headers = {"If-Match": made.headers["ETag"]}
        change = {"description": str(number)}
        return endpoints.call("PATCH", made.headers["Location"], admin, json=change, headers=headers).status_code

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(edit, range(6)))

    assert sorted(answers) == [200, 412, 412, 412, 412, 412]


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_agent": False}, {"licence_id": None}, None], ids=str)
def test_an_agent_who_is_no_longer_there_is_offline(endpoints: Endpoint, change: dict[str, Any] | None) -> None:
    number = endpoints.operator("eva@example.org", "agent", is_agent=True)
    secret = endpoints.sign_in("eva@example.org")
    endpoints.call("PUT", "/api/me/state", secret, json={"state": "online"})
    if change is None:
        set_password(endpoints.store.engine, number, NEW, asked())
    else:
        edit_operator(endpoints.store.engine, number, change, asked())

    assert endpoints.store.one("SELECT agent_state FROM operators WHERE id = :n", n=number) == "offline"
    assert [state for (state,) in endpoints.store.rows("SELECT state FROM agent_state_changes ORDER BY id")] == [
        *("online", "offline")
    ]


def test_an_agent_of_whom_nothing_is_heard_is_offline(endpoints: Endpoint) -> None:
    endpoints.operator("eva@example.org", "agent", is_agent=True)
    secret = endpoints.sign_in("eva@example.org")
    endpoints.call("PUT", "/api/me/state", secret, json={"state": "online"})

    assert let_silent_be_offline(endpoints.store.engine, utc_now()) == 0
    assert let_silent_be_offline(endpoints.store.engine, utc_now() + timedelta(minutes=16)) == 1
    assert endpoints.store.one("SELECT agent_state FROM operators") == "offline"


def test_a_weaker_role_changes_no_stronger_one(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    endpoint.call("PUT", "/api/roles/Strong", admin, json={"permissions": ["licences:write", "roles:write"]})
    endpoint.call("PUT", "/api/roles/Roles", admin, json={"permissions": ["roles:write"]})
    weaker = endpoint.someone("Roles")

    answers = [
        endpoint.call("PUT", "/api/roles/Strong", weaker, json={"permissions": []}),
        endpoint.call("DELETE", "/api/roles/Strong", weaker),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert {answer.json()["errors"][0]["code"] for answer in answers} == {"not_yours"}


def test_a_temporary_password_is_not_changed_to_itself(endpoint: Endpoint) -> None:
    number = endpoint.operator("ana@example.org", "administrator")
    set_password(endpoint.store.engine, number, Password(NEW.password, NEW.password, True), asked())
    secret = endpoint.sign_in("ana@example.org", NEW.password)

    body = {"old": NEW.password, "password": NEW.password, "confirmation": NEW.password}
    answer = endpoint.call("POST", "/api/me/password", secret, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "same")


def test_a_session_ends_with_its_licence(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    endpoint.operator("luis@example.org", "auditor")
    secret = endpoint.sign_in("luis@example.org")
    endpoint.call("PATCH", "/api/licences/2", admin, json={"valid_until": "2020-01-01T00:00:00Z"})
    endpoint.store.run("UPDATE operator_sessions SET seen_at = seen_at - 60000000 WHERE operator_id = 2")

    assert endpoint.call("GET", "/api/me", secret).status_code == 401


@pytest.mark.parametrize("name", ["Ana\nLuis", "Ana\x1b[31m", "\u202eana"])
def test_a_name_cannot_hold_what_is_not_shown(endpoint: Endpoint, name: str) -> None:
    admin = endpoint.someone("administrator")
    body = {"email": "b@example.org", "first_name": name, "last_name": "B"}

    answer = endpoint.call("POST", "/api/operators", admin, json=body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "first_name")


def test_a_failed_sign_in_stands_in_the_audit(endpoint: Endpoint) -> None:
    endpoint.operator("ana@example.org", "administrator")
    endpoint.call("POST", "/api/sessions", json={"email": "ana@example.org", "password": "not this one"})

    assert endpoint.store.rows("SELECT object, address FROM audit WHERE action = 'sessions:refused'") == [
        ("operator:1", "127.0.0.1")
    ]


def test_a_new_database_is_its_owners_only(roll: Roll) -> None:
    path = Path(str(roll.engine.url.database))

    assert path.stat().st_mode & 0o777 == 0o600


def test_an_origin_that_is_no_address_is_another_site(endpoint: Endpoint) -> None:
    body = {"email": "a@b.co", "password": "x", "by_cookie": True}

    signing_in = endpoint.call("POST", "/api/sessions", json=body, headers={"Origin": "http://["})
    acting = endpoint.call(
        "PATCH", "/api/operators/1", json={}, headers={"Origin": "http://[", "Cookie": f"{COOKIE}=x"}
    )

    assert [answer.json()["code"] for answer in (signing_in, acting)] == ["wrong_origin", "wrong_origin"]


def test_a_time_without_zone_is_utc_wherever_it_is_sent(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")

    made = endpoint.call(
        "POST",
        "/api/tokens",
        admin,
        json={"name": "n", "permissions": ["batches:read"], "expires_at": "2099-01-01T00:00:00"},
    )

    assert (made.status_code, made.json()["token"]["expires_at"]) == (201, "2099-01-01T00:00:00Z")


@pytest.mark.parametrize("encoding", ["rot13", "zlib", "idna", "undefined", "klingon"])
def test_what_is_no_encoding_of_text_is_refused_and_leaves_nothing(endpoint: Endpoint, encoding: str) -> None:
    admin = endpoint.someone("administrator")

    answer = endpoint.call("POST", f"/api/uploads?name=a.csv&encoding={encoding}", admin, data=b"correo\na@b.co\n")

    assert (answer.status_code, answer.json()["code"]) == (409, "file_refused")
    assert list((endpoint.store.folder / "uploads" / "incoming").iterdir()) == []


def test_names_that_are_no_text_are_refused(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    upload = endpoint.call("POST", "/api/uploads?name=a.csv", admin, data=b"correo\na@b.co\n").json()

    answer = endpoint.call(
        "PUT",
        f"/api/uploads/{upload['id']}/mapping",
        admin,
        data=b'{"columns":{"\\ud800":"phone"}}',
        headers={"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "not_valid")


def test_a_line_without_end_is_refused_before_it_fills_the_memory(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "telefono\n" + "0" * 60_000_000)

    answer = endpoint.call("POST", "/api/uploads?name=a.zip", admin, data=packed.getvalue())

    assert answer.status_code == 409
    assert "line of more than 8 million characters" in answer.json()["detail"]


@pytest.mark.slow  # the client reads for as long as the endpoint would wait
def test_whoever_reads_an_export_slowly_holds_no_connection(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    secret = endpoints.call(
        "POST", "/api/tokens", admin, json={"name": "reader", "permissions": ["audit:read"]}
    ).json()["secret"]
    with transaction(endpoints.store.engine) as connection:
        for _ in range(3_000):
            add_entry(connection, asked(), "tests:noise", "x" * 2_000)
    host, port = endpoints.url.removeprefix("http://").split(":")
    readers = [socket.create_connection((host, int(port))) for _ in range(20)]
    for reader in readers:
        reader.sendall(
            f"GET /api/audit/export HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\n\r\n".encode()
        )
        reader.recv(100)

    answers = [endpoints.call("GET", "/api/me", admin).status_code for _ in range(3)]

    for reader in readers:
        reader.close()
    assert answers == [200, 200, 200]


def test_an_error_that_nobody_foresaw_has_the_safe_headers(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = endpoint.someone("administrator")
    monkeypatch.setattr(roles, "all_roles", lambda store: 1 / 0)  # nothing that is known leads to one

    answer = endpoint.call("GET", "/api/roles", admin)

    assert (answer.status_code, answer.json()["code"]) == (500, "unforeseen")
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"name": "A", "seats": "a"}', "Un número entero."),
        (b'{"name": "A", "seats": 1, "kind": "boss"}', "Uno de"),
        (b'{"name": "", "seats": 1}', "Longitud mínima: 1."),
        (b"{", "Esto no es JSON."),
    ],
)
def test_what_does_not_fit_is_said_in_the_caller_s_language(endpoint: Endpoint, body: bytes, words: str) -> None:
    admin = endpoint.someone("administrator")
    headers = {"Accept-Language": "es", "Content-Type": "application/json"}

    answer = endpoint.call("POST", "/api/licences", admin, data=body, headers=headers).json()

    assert words in answer["errors"][0]["message"]
    assert "nput" not in str(answer)


def test_the_last_administrator_gets_no_licence_whose_seats_are_others_for_good(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    named = {"name": "Fija", "seats": 1, "holding": "named"}
    licence = endpoints.call("POST", "/api/licences", admin, json=named).json()["id"]
    eva = endpoints.operator("eva@example.org", "agent")
    endpoints.call("PATCH", f"/api/operators/{eva}", admin, json={"licence_id": licence})
    endpoints.sign_in("eva@example.org")
    me = endpoints.call("GET", "/api/me", admin).json()["operator"]["id"]

    refused = endpoints.call("PATCH", f"/api/operators/{me}", admin, json={"licence_id": licence})

    assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [("en;q=0", "No hay"), ("*;q=1, es;q=0", "There is no"), ("est", "No hay"), ("es-CO, en;q=0.5", "No hay")],
)
def test_the_language_is_the_one_that_is_wanted(roll: Roll, wanted: str, said: str) -> None:
    for endpoint in serve(roll, language="es"):
        admin = endpoint.someone("administrator")

        answer = endpoint.call("GET", "/api/batches/9", admin, headers={"Accept-Language": wanted})

        assert said in answer.json()["detail"]


@pytest.mark.parametrize("name", ["Ana\u2028Gil", "\u3164", "\u2800", "a\u202eb"])
def test_a_name_that_does_not_show_is_refused_everywhere(endpoint: Endpoint, name: str) -> None:
    admin = endpoint.someone("administrator")
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/api/tokens", {"name": name, "permissions": ["jobs:read"]}),
        ("PUT", "/api/agent-states/lunch", {"en": name, "es": "Almuerzo", "takes_conversations": False}),
        ("POST", "/api/webhooks", {"url": "https://8.8.8.8/x", "events": ["batch.finished"], "description": name}),
        ("POST", "/api/operators", {"email": "eva@example.org", "first_name": name, "last_name": "Gil"}),
        ("PUT", f"/api/roles/{quote(name)}", {"permissions": ["jobs:read"]}),
    ]

    answers = [endpoint.call(method, path, admin, json=body) for method, path, body in bodies]
    answers.append(endpoint.call("POST", "/api/uploads", admin, params={"name": f"{name}.csv"}, data=b"a,b\n1,2\n"))

    assert [one.status_code for one in answers] == [409] * 6, [one.text for one in answers]
    assert {one.json()["code"] for one in answers} == {"wrong_field"}


def test_a_role_is_answered_as_it_is_kept(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")

    made = endpoint.call("PUT", "/api/roles/%EF%AC%81nanzas%20", admin, json={"permissions": ["jobs:read"]})
    gone = endpoint.call("DELETE", "/api/roles/%EF%AC%81nanzas%20", admin)

    assert (made.json()["name"], gone.status_code) == ("finanzas", 204)


def test_a_number_in_an_address_is_written_with_digits(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")

    assert endpoint.call("GET", "/api/operators/1_0", admin).status_code == 422
    assert endpoint.call("GET", "/api/operators/+1", admin).status_code == 422


@pytest.mark.parametrize("licence", [{"seats": 0}, {"seats": 1, "valid_until": "2020-01-01"}], ids=["seats", "time"])
def test_the_last_administrator_gets_no_licence_with_which_nobody_signs_in(
    endpoints: Endpoint, licence: dict[str, Any]
) -> None:
    admin = endpoints.someone("administrator")
    made = endpoints.call("POST", "/api/licences", admin, json={"name": "X", "kind": "admin", **licence}).json()["id"]

    refused = endpoints.call("PATCH", "/api/operators/1", admin, json={"licence_id": made})
    renamed = endpoints.call("PATCH", "/api/operators/1", admin, json={"first_name": "Eva"})

    assert (refused.status_code, refused.json()["code"]) == (409, "last_administrator")
    assert renamed.status_code == 200


def test_licences_that_are_renamed_alike_at_once_are_told_so(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    numbers = [
        endpoints.call("POST", "/api/licences", admin, json={"name": f"L{n}", "seats": 1}).json()["id"]
        for n in range(4)
    ]

    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda number: endpoints.call("PATCH", f"/api/licences/{number}", admin, json={"name": "Same"}), numbers
            )
        )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_that_is_not_in_the_encoding_that_was_named_is_refused(endpoint: Endpoint, encoding: str) -> None:
    admin = endpoint.someone("administrator")

    answer = endpoint.call("POST", f"/api/uploads?name=a.csv&encoding={encoding}", admin, data=b"correo,n\na@b.co,1\n")

    assert (answer.status_code, answer.json()["code"]) == (409, "file_refused")
    assert f"is not text in the encoding {encoding}" in answer.json()["detail"]


@pytest.mark.parametrize("moment", ["ayer", "2026-13-01", "10000-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_said_with_an_example(endpoint: Endpoint, moment: str) -> None:
    admin = endpoint.someone("administrator")

    answer = endpoint.call("GET", "/api/audit", admin, params={"since": moment}, headers={"Accept-Language": "es"})

    assert answer.json()["errors"][0]["message"] == "Una fecha y hora como 2026-11-30T10:00:00Z."
