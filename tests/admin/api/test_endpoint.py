"""The endpoint as a program calls it: signing in, operators, licences, tokens, errors."""

import json
import random
import socket
from datetime import timedelta
from typing import Any

import pytest
import requests
import structlog
from structlog.testing import capture_logs

from pipelines.new_passwords import set_password
from pipelines.passwords import Password
from scheduler.logs import set_up_logs
from tests.admin.api.conftest import PASSWORD, Endpoint, serve
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked

NEW = "cuatro perros sin collar"


def an_operator(email: str = "luis@example.org", **values: Any) -> dict[str, Any]:
    password = {"password": PASSWORD, "confirmation": PASSWORD}
    return {"email": email, "first_name": "Luis", "last_name": "Gil", **password, **values}


def test_the_third_of_two_seats_is_refused_and_comes_in_when_one_leaves(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    licence = endpoints.call("POST", "/api/licences", admin, json={"name": "Agentes", "seats": 2}).json()["id"]
    for n in range(5):
        body = an_operator(f"a{n}@example.org", is_agent=True, licence_id=licence, roles=["agent"])
        assert endpoints.call("POST", "/api/operators", admin, json=body).status_code == 201
    secrets = [endpoints.sign_in(f"a{n}@example.org") for n in range(2)]
    third = {"email": "a2@example.org", "password": PASSWORD}

    refused = endpoints.call("POST", "/api/sessions", json=third, headers={"Accept-Language": "es"})
    assert endpoints.call("DELETE", "/api/sessions/current", secrets[0]).status_code == 204
    taken = endpoints.call("POST", "/api/sessions", json=third)

    assert (refused.status_code, refused.json()["code"]) == (409, "no_seat")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"].startswith("Los 2 puestos de la licencia 'Agentes' están ocupados.")
    assert "administrator@example.org" in refused.json()["detail"]
    assert taken.status_code == 201
    assert endpoints.call("GET", "/api/me", secrets[0]).status_code == 401


def test_an_operator_is_created_read_edited_by_version_and_found(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    made = endpoints.call("POST", "/api/operators", admin, json=an_operator())
    address = made.headers["Location"]
    read = endpoints.call("GET", address, admin)

    changed = endpoints.call(
        "PATCH", address, admin, json={"last_name": "Gómez"}, headers={"If-Match": read.headers["ETag"]}
    )
    late = endpoints.call("PATCH", address, admin, json={"last_name": "X"}, headers={"If-Match": read.headers["ETag"]})
    found = endpoints.call("GET", "/api/operators?search=GOMEZ", admin).json()

    assert (made.status_code, read.json()) == (201, made.json())
    assert (changed.status_code, changed.json()["last_name"], changed.headers["ETag"]) == (200, "Gómez", '"2"')
    assert (late.status_code, late.json()["code"]) == (412, "version_differs")
    assert [one["email"] for one in found["items"]] == ["luis@example.org"]
    assert "password" not in json.dumps(made.json()).replace("must_change_password", "")


def test_a_list_comes_in_parts(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    for n in range(4):
        endpoint.call("POST", "/api/operators", admin, json=an_operator(f"a{n}@example.org"))

    parts, cursor = [], ""
    while True:
        part = endpoint.call("GET", f"/api/operators?limit=2{cursor}", admin).json()
        parts.append([one["id"] for one in part["items"]])
        if part["next"] is None:
            break
        cursor = f"&cursor={part['next']}"

    assert parts == [[1, 2], [3, 4], [5]]
    assert endpoint.call("GET", "/api/operators?cursor=xx", admin).json()["code"] == "wrong_cursor"


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (an_operator("ADMINISTRATOR@example.org"), 409, "email_taken", "email"),
        (an_operator("ana"), 409, "wrong_field", "email"),
        (an_operator(confirmation="otra cosa distinta"), 409, "wrong_field", "confirmation"),
        (an_operator(password="123", confirmation="123"), 409, "wrong_field", "password"),
        (an_operator(max_conversations=-1), 422, "not_valid", "max_conversations"),
        (an_operator(nickname="L"), 422, "not_valid", "nickname"),
        ({"email": "b@example.org"}, 422, "not_valid", "first_name"),
    ],
)
def test_a_wrong_field_is_named(endpoint: Endpoint, body: dict[str, Any], status: int, code: str, field: str) -> None:
    admin = endpoint.someone("administrator")

    answer = endpoint.call("POST", "/api/operators", admin, json=body)

    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["field"]) == (status, code, field)


def test_a_temporary_password_must_be_changed_before_anything_else(endpoint: Endpoint) -> None:
    number = endpoint.operator("ana@example.org", "administrator")
    set_password(endpoint.store.engine, number, Password(PASSWORD, PASSWORD, True), Asked("test", utc_now()))
    secret = endpoint.sign_in("ana@example.org")

    before = endpoint.call("GET", "/api/operators", secret)
    body = {"old": PASSWORD, "password": NEW, "confirmation": NEW}
    change = endpoint.call("POST", "/api/me/password", secret, json=body)

    assert (before.status_code, before.json()["code"]) == (403, "password_to_change")
    assert change.status_code == 204
    assert endpoint.call("GET", "/api/operators", secret).status_code == 200


def test_a_reset_link_lets_its_operator_in_again(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    number = endpoint.operator("luis@example.org", "agent")
    secret = endpoint.call("POST", f"/api/operators/{number}/reset-link", admin).json()["secret"]
    body = {"secret": secret, "password": NEW, "confirmation": NEW}

    assert endpoint.call("POST", "/api/password-resets", json=body).status_code == 204
    assert endpoint.call("POST", "/api/password-resets", json=body).status_code == 409
    assert endpoint.sign_in("luis@example.org", NEW)


def test_who_may_write_operators_cannot_make_or_take_over_an_administrator(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    role = {"permissions": ["operators:read", "operators:write", "operators:password", "roles:write"]}
    endpoint.call("PUT", "/api/roles/Personal", admin, json=role)
    secret = endpoint.someone("Personal")

    answers = [
        endpoint.call("POST", "/api/operators", secret, json=an_operator(roles=["administrator"])),
        endpoint.call("PATCH", "/api/operators/2", secret, json={"roles": ["administrator"]}),
        endpoint.call("PATCH", "/api/operators/1", secret, json={"is_active": False}),
        endpoint.call("PUT", "/api/operators/1/password", secret, json={"password": NEW, "confirmation": NEW}),
        endpoint.call("POST", "/api/operators/1/reset-link", secret),
        endpoint.call("PUT", "/api/roles/Personal", secret, json={"permissions": ["audit:read"]}),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 403, 403, 409]
    assert endpoint.call("POST", "/api/operators", secret, json=an_operator(roles=["Personal"])).status_code == 201


def test_a_token_does_what_it_says_and_is_no_operator(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    body = {"name": "Platform", "permissions": ["conversations:report"]}
    made = endpoint.call("POST", "/api/tokens", admin, json=body).json()
    token = made["secret"]

    number = endpoint.operator("eva@example.org", "agent", is_agent=True)
    agent = endpoint.sign_in("eva@example.org")
    reported = endpoint.call("PUT", f"/api/operators/{number}/conversations", token, json={"open": 3})
    refused = endpoint.call("DELETE", "/api/sessions/current", agent)
    nobody = endpoint.call("PUT", "/api/operators/1/conversations", token, json={"open": 3})

    assert reported.status_code == 204
    assert (nobody.status_code, nobody.json()["errors"][0]["code"]) == (409, "no_agent")
    assert (refused.status_code, refused.json()["code"]) == (409, "open_conversations")
    assert endpoint.call("GET", "/api/operators", token).status_code == 403
    assert endpoint.call("GET", "/api/me", token).json()["actor"] == "token:1"
    assert endpoint.call("DELETE", "/api/sessions/current", token).json()["code"] == "not_an_operator"
    endpoint.call("DELETE", "/api/tokens/1", admin)
    assert endpoint.call("GET", "/api/me", token).status_code == 401


def test_an_agent_sets_a_state_that_there_is(endpoint: Endpoint) -> None:
    endpoint.operator("eva@example.org", "agent", is_agent=True)
    secret = endpoint.sign_in("eva@example.org")

    assert endpoint.call("PUT", "/api/me/state", secret, json={"state": "online"}).json()["agent_state"] == "online"
    assert "online, busy" in endpoint.call("PUT", "/api/me/state", secret, json={"state": "x"}).json()["detail"]
    endpoint.call("DELETE", "/api/sessions/current", secret)
    assert endpoint.store.rows("SELECT state FROM agent_state_changes ORDER BY id") == [("online",), ("offline",)]


def test_seats_days_and_measurements_are_shown(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    batch = endpoint.store.import_text("correo\nana@example.org\n").batch_id
    endpoint.call("POST", f"/api/batches/{batch}/undo", admin)

    [seats] = endpoint.call("GET", "/api/licences", admin).json()
    days = endpoint.call("GET", "/api/licences/1/days", admin).json()
    measured = endpoint.call("GET", "/metrics", admin).text

    assert (seats["taken"], seats["free"], seats["holders"][0]["name"]) == (1, 0, "Ana Pérez")
    assert (len(days), days[-1]["taken"]) == (30, 1)
    assert 'padron_seats_taken{licence="Of administrator@example.org"} 1.0' in measured
    assert 'padron_jobs{state="waiting"} 1.0' in measured


def test_the_audit_is_searched_and_says_from_where(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator", "auditor")

    found = endpoint.call("GET", "/api/audit?search=sessions:", admin).json()["items"]

    assert [(one["actor"], one["action"], one["address"]) for one in found] == [
        ("operator:1", "sessions:sign_in", "127.0.0.1")
    ]


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("DELETE", "/api/operators", {}, 405),
        ("POST", "/api/sessions", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ("POST", "/api/sessions", {"data": "email=a", "headers": {"Content-Type": "text/plain"}}, 422),
        ("POST", "/api/sessions", {"data": b"x" * 1_000_001}, 413),
        ("POST", "/api/sessions", {"json": [1]}, 422),
        ("POST", "/api/sessions", {"json": {"email": "\x00", "password": "x"}}, 422),
        ("GET", "/api/../../etc/passwd", {}, 404),
        ("GET", "/api/operators/%2e%2e", {}, 401),
        ("GET", "/api/operators/99999999999999999999999", {}, 401),
    ],
)
def test_bad_input_is_a_problem_and_never_ours(
    endpoint: Endpoint, method: str, path: str, arguments: dict[str, Any], status: int
) -> None:
    answer = endpoint.call(method, path, **arguments)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(answer.json()) == {"type", "title", "status", "code", "detail", "errors"}


@pytest.mark.slow
def test_ten_thousand_random_requests_are_never_answered_with_500(endpoints: Endpoint) -> None:
    random_requests(endpoints, 10_000)


def test_a_thousand_random_requests_are_never_answered_with_500(endpoint: Endpoint) -> None:
    random_requests(endpoint, 1_000)


def random_requests(endpoints: Endpoint, count: int) -> None:
    admin = endpoints.someone("administrator")
    chance = random.Random(7)
    paths = [
        "/api/operators",
        "/api/operators/1",
        "/api/licences",
        "/api/roles/x",
        "/api/tokens",
        "/api/audit",
        "/api/me",
    ]
    values = [None, True, -1, 2**70, 1.5, "", "\x00", "ñ" * 300, [], {}, "\ud83d", "2026-13-45", "' OR 1=1 --"]
    names = ["email", "first_name", "last_name", "password", "name", "seats", "permissions", "roles", "valid_until"]
    host, port = endpoints.url.removeprefix("http://").split(":")
    statuses: dict[int, int] = {}
    with socket.create_connection((host, int(port)), 30) as connection, connection.makefile("rb") as answers:
        for n in range(count):
            body = {chance.choice(names): chance.choice(values) for _ in range(chance.randrange(5))}
            text = json.dumps(body).encode() if n % 3 else chance.randbytes(chance.randrange(60))
            method = chance.choice(["GET", "POST", "PUT", "PATCH"])
            path = chance.choice(paths) + chance.choice(["", "?limit=0", "?cursor=%00", "?search=%ff", "?x=1"])
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {admin if n % 4 else 'x'}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            connection.sendall(head.encode() + text)
            status = int(answers.readline().split()[1])
            statuses[status] = statuses.get(status, 0) + 1
            length = 0
            while (line := answers.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)

    assert sum(statuses.values()) == count
    assert all(status < 500 for status in statuses), statuses


def test_the_audit_is_asked_for_a_time_and_exported_as_a_chain(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    now = utc_now()

    later = endpoint.call("GET", f"/api/audit?since={(now + timedelta(hours=1)).isoformat()[:19]}", admin).json()
    until = endpoint.call("GET", f"/api/audit?until={(now + timedelta(hours=1)).isoformat()[:19]}", admin).json()
    lines = endpoint.call("GET", "/api/audit/export", admin).text.splitlines()
    ever = endpoint.call("GET", "/api/audit?since=0001-01-01T00:00:00%2B14:00&until=9999-12-31T23:59:59-14:00", admin)

    entries = [json.loads(line) for line in lines]
    assert later["items"] == []
    assert [one["id"] for one in until["items"]] == [one["id"] for one in reversed(entries)]
    assert [one["previous_hash"] for one in entries[1:]] == [one["hash"] for one in entries[:-1]]
    assert [one["id"] for one in ever.json()["items"]] == [one["id"] for one in until["items"]]


def test_operators_are_found_by_each_part_of_them(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    endpoint.operator("luis@other.org", "agent")

    def found(query: str) -> list[str]:
        return [one["email"] for one in endpoint.call("GET", f"/api/operators?{query}", admin).json()["items"]]

    assert found("email=other&first_name=ana&last_name=PEREZ&active=true") == ["luis@other.org"]
    assert found("email=other&active=false") == found("first_name=perez") == []


def test_each_part_says_how_it_is(endpoint: Endpoint) -> None:
    good = endpoint.call("GET", "/health")

    assert (good.status_code, good.json()["ready"]) == (200, True)
    assert good.json()["parts"] == {"database": "ok", "tables": "ok", "broker": "ok", "home": "ok"}


def test_a_broker_that_is_away_is_said(roll: Roll, redis_url: str) -> None:
    for there in serve(roll, broker_url=redis_url):
        assert there.call("GET", "/health").json()["parts"]["broker"] == "ok"
    for away in serve(roll, broker_url="redis://127.0.0.1:1/0"):
        answer = away.call("GET", "/health")
        assert (answer.status_code, answer.json()["parts"]["broker"]) == (503, "does not answer")


def test_who_is_not_let_in_is_logged_without_names_or_secrets(endpoint: Endpoint) -> None:
    agent = endpoint.someone("agent")
    with capture_logs() as lines:
        endpoint.call("POST", "/api/sessions", json={"email": "agent@example.org", "password": "not this one"})
        endpoint.call("GET", "/api/audit", agent)

    assert [(line["why"], line["route"]) for line in lines] == [
        ("SignInRefused", "/api/sessions"),
        ("not_allowed", "/api/audit"),
    ]
    assert "example.org" not in str(lines)
    assert "not this one" not in str(lines)


def test_a_line_of_the_log_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(verbose=True)

    structlog.get_logger("padron").warning("file", name="a\n2026 [info] all is well\x1b[2J")

    structlog.reset_defaults()
    said = capsys.readouterr().err
    assert (said.count("\n"), "\x1b" in said) == (1, False)


@pytest.mark.parametrize(("proxies", "address"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")])
def test_only_a_proxy_that_is_named_is_believed_about_who_calls(roll: Roll, proxies: str, address: str) -> None:
    for endpoint in serve(roll, proxies=proxies):
        endpoint.operator("ana@example.org", "administrator")
        body = {"email": "ana@example.org", "password": PASSWORD}
        headers = {"X-Forwarded-For": "203.0.113.9"}

        session = endpoint.call("POST", "/api/sessions", json=body, headers=headers).json()["session"]

        assert session["address"] == address


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("es", "es"),
        ("en;q=0.5, es;q=0.9", "es"),
        ("fr, en;q=0.1, es;q=0", "en"),
        ("es-419,es;q=0.9,en;q=0.8", "es"),
        ("en-GB, es;q=0.9", "en"),
        ("de, *;q=0.1", "en"),
        ("es;q=loud", "en"),
    ],
)
def test_the_language_that_is_wanted_most_is_spoken(endpoint: Endpoint, asked: str, language: str) -> None:
    answer = endpoint.call("GET", "/api/me", headers={"Accept-Language": asked})

    assert answer.json()["detail"].startswith("Inicie" if language == "es" else "Sign in")


def test_ones_own_old_password_cannot_be_guessed_for_long(endpoint: Endpoint) -> None:
    secret = endpoint.someone("agent")
    new = "cuatro gatos en un tejado"

    def change(old: str) -> requests.Response:
        body = {"old": old, "password": new, "confirmation": new}
        return endpoint.call("POST", "/api/me/password", secret, json=body)

    answers = [change("not this one at all") for _ in range(7)]
    right = change(PASSWORD)

    assert [answer.status_code for answer in answers] == [403] * 5 + [429] * 2
    assert (right.status_code, right.headers["Retry-After"]) == (429, "1")
    assert endpoint.call("POST", "/api/sessions", json={"email": "agent@example.org", "password": PASSWORD}).ok


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/api/roles/Turno", {"permissions": ["batches:read"]}, {"permissions": ["jobs:read"]}),
        (
            "/api/agent-states/comida",
            {"en": "Lunch", "es": "Comida", "takes_conversations": False, "place": 9},
            {"en": "Lunch break", "es": "Comida", "takes_conversations": False, "place": 9},
        ),
    ],
)
def test_two_edits_of_a_role_or_a_state_do_not_pass_each_other_by(
    endpoint: Endpoint, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    secret = endpoint.someone("administrator")
    made = endpoint.call("PUT", path, secret, json=body)
    listed = endpoint.call("GET", path.rpartition("/")[0], secret).json()

    headers = {"If-Match": made.headers["ETag"]}
    first = endpoint.call("PUT", path, secret, json=other, headers=headers)
    second = endpoint.call("PUT", path, secret, json=body, headers=headers)
    missing = endpoint.call("PUT", f"{path}2", secret, json=body, headers=headers)

    assert made.json()["version"] in [one["version"] for one in listed if one["name"] == path.rpartition("/")[2]]
    assert [answer.status_code for answer in (made, first, second, missing)] == [200, 200, 412, 412]
    assert first.headers["ETag"] == f'"{first.json()["version"]}"' != made.headers["ETag"]
