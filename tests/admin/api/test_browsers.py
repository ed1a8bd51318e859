"""What browsers are given: a session in a cookie that other sites cannot use, and headers that keep pages apart."""

import pytest

from tests.admin.api.conftest import PASSWORD, Endpoint


def sign_in_by_cookie(endpoint: Endpoint, **headers: str) -> tuple[int, str, str]:
    """The status, the whole Set-Cookie, and the cookie as it is sent back."""
    body = {"email": "ana@example.org", "password": PASSWORD, "by_cookie": True}
    answer = endpoint.call("POST", "/api/sessions", json=body, headers={"Origin": endpoint.url, **headers})
    given = answer.headers.get("Set-Cookie", "")
    if answer.status_code == 201:
        assert answer.json()["secret"] is None
    return answer.status_code, given, given.split(";")[0]


def test_a_session_in_a_cookie_is_out_of_reach_of_scripts_and_other_sites(endpoint: Endpoint) -> None:
    endpoint.operator("ana@example.org", "administrator")

    status, given, cookie = sign_in_by_cookie(endpoint)

    assert status == 201
    parts = {part.strip().lower() for part in given.split(";")[1:]}
    assert given.startswith("__Host-padron=")
    assert {"path=/", "secure", "httponly", "samesite=strict"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    assert endpoint.call("GET", "/api/me", headers={"Cookie": cookie}).json()["operator"]["email"] == "ana@example.org"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "{url}"}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({}, 403),
    ],
)
def test_a_page_of_another_site_can_do_nothing_with_the_cookie(
    endpoint: Endpoint, headers: dict[str, str], status: int
) -> None:
    endpoint.operator("ana@example.org", "administrator")
    _, _, cookie = sign_in_by_cookie(endpoint)
    sent = {name: value.format(url=endpoint.url) for name, value in headers.items()}

    answer = endpoint.call("POST", "/api/licences", json={"name": "L", "seats": 1}, headers={"Cookie": cookie, **sent})

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "wrong_origin"


def test_nobody_is_signed_in_by_a_page_of_another_site(endpoint: Endpoint) -> None:
    endpoint.operator("ana@example.org", "administrator")

    assert sign_in_by_cookie(endpoint, Origin="https://evil.example")[:2] == (403, "")


def test_signing_out_takes_the_cookie_away_and_ends_the_session(endpoint: Endpoint) -> None:
    endpoint.operator("ana@example.org", "administrator")
    _, _, cookie = sign_in_by_cookie(endpoint)
    headers = {"Cookie": cookie, "Origin": endpoint.url}

    out = endpoint.call("DELETE", "/api/sessions/current", headers=headers)

    assert out.status_code == 204
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert endpoint.call("GET", "/api/me", headers=headers).status_code == 401


@pytest.mark.parametrize("path", ["/api/me", "/health/live", "/api/docs", "/nowhere"])
def test_every_answer_has_the_headers_that_keep_pages_apart(endpoint: Endpoint, path: str) -> None:
    found = endpoint.call("GET", path).headers

    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Cache-Control"] == "no-store"
    assert found["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in found["Content-Security-Policy"]
    assert "max-age=31536000" in found["Strict-Transport-Security"]
    assert "Server" not in found
    assert "Access-Control-Allow-Origin" not in found


def test_a_report_cannot_run_as_a_page(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    batch = endpoint.store.import_text("correo,nombre\nnadie,<script>alert(1)</script>\n").batch_id

    answer = endpoint.call("GET", f"/api/batches/{batch}/report", secret)

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
