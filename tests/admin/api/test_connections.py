"""Connections, sync and the calls of CRMs, over HTTP."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.admin.api.conftest import Endpoint
from tests.sync.example import Example, example_crm


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[Example]:
    with example_crm(tmp_path) as found:
        yield found


def connect(endpoint: Endpoint, crm: Example, secret: str) -> None:
    body = {"name": "ejemplo", "connector": "example", "config": {"url": crm.url}}
    body["secrets"] = {"token": crm.records.token, "hook": "s3cret"}  # type: ignore[assignment]
    assert endpoint.call("POST", "/api/connections", secret, json=body).status_code == 201
    assert len(endpoint.call("POST", "/api/connections/ejemplo/check", secret).json()) == 7
    proposed = endpoint.call("GET", "/api/connections/ejemplo/mapping", secret).json()
    answer = endpoint.call("PUT", "/api/connections/ejemplo/mapping", secret, json=proposed["document"])
    assert answer.json() == proposed


def test_a_crm_is_connected_planned_applied_and_looked_at(endpoints: Endpoint, crm: Example) -> None:
    endpoint, secret = endpoints, endpoints.someone("administrator")
    connect(endpoint, crm, secret)
    planned = endpoint.finish(endpoint.call("POST", "/api/connections/ejemplo/plan", secret), secret)
    items = endpoint.call("GET", "/api/connections/ejemplo/plan/items", secret).json()["items"]
    applied = endpoint.finish(endpoint.call("POST", "/api/connections/ejemplo/apply", secret), secret)
    again = endpoint.finish(endpoint.call("POST", "/api/connections/ejemplo/run", secret), secret)
    run = endpoint.call("GET", "/api/connections/ejemplo/runs", secret).json()["items"][1]
    outcomes = endpoint.call("GET", f"/api/sync-runs/{run['id']}/outcomes?outcome=applied", secret).json()["items"]

    assert (planned["result"]["counts"]["create_local"], len(items)) == (3, 3)
    assert (applied["result"]["state"], again["result"]["counts"]) == ("done", {})
    assert [(one["action"], one["remote_id"]) for one in outcomes] == [("create_local", f"c{at}") for at in (1, 2, 3)]
    standing = endpoint.call("GET", "/api/connections/ejemplo/standing", secret).json()
    assert (standing["links"], standing["due"]) == ({"active": 3}, 0)
    pairs = endpoint.call("GET", "/api/contacts/1/pairs", secret).json()
    assert {one["verdict"] for one in pairs[0]["fields"]} == {"agreed"}
    assert crm.records.token not in json.dumps([standing, items, applied, again])


def signed(body: bytes, key: str = "s3cret") -> dict[str, str]:
    return {"X-Signature": f"sha256={hmac.digest(key.encode(), body, hashlib.sha256).hex()}"}


def call(endpoint: Endpoint, body: bytes, headers: dict[str, str], name: str = "ejemplo") -> int:
    return requests.post(f"{endpoint.url}/hooks/{name}", data=body, headers=headers, timeout=20).status_code


def test_a_call_that_proves_itself_is_kept_and_gone_through_by_the_next_run(endpoint: Endpoint, crm: Example) -> None:
    secret = endpoint.someone("administrator")
    connect(endpoint, crm, secret)
    for kind in ("plan", "apply"):
        endpoint.finish(endpoint.call("POST", f"/api/connections/ejemplo/{kind}", secret), secret)
    crm.ask("PATCH", "/contacts/c1", city="Tunja")
    body = json.dumps({"events": [{"contact_id": "c1"}, {"contact_id": "c1"}, {"contact_id": "c99"}]}).encode()

    assert [call(endpoint, body, signed(body)) for _ in range(3)] == [202] * 3
    assert endpoint.store.one("SELECT count(*) FROM calls") == 1
    result = endpoint.finish(endpoint.call("POST", "/api/connections/ejemplo/run", secret), secret)["result"]
    assert result["counts"]["merge"] == 1
    assert endpoint.store.one("SELECT city FROM contacts WHERE id = 1") == "Tunja"
    assert endpoint.store.one("SELECT count(*) FROM calls") == 0
    assert endpoint.store.one("SELECT count(*) FROM links") == 3


def test_a_call_that_does_not_prove_itself_is_not_kept(endpoint: Endpoint, crm: Example) -> None:
    connect(endpoint, crm, endpoint.someone("administrator"))
    body = b'{"events": [{"contact_id": "c1"}]}'

    assert call(endpoint, body, {}) == 401
    assert call(endpoint, body, signed(body, "other")) == 401
    assert call(endpoint, body + b" ", signed(body)) == 401
    assert call(endpoint, body, signed(body), "none") == 404
    assert call(endpoint, b"x" * 2_000_000, {}) == 413
    assert endpoint.store.one("SELECT count(*) FROM calls") == 0


def test_a_call_that_says_nothing_is_kept_with_the_reason(endpoint: Endpoint, crm: Example) -> None:
    secret = endpoint.someone("administrator")
    connect(endpoint, crm, secret)
    for kind in ("plan", "apply"):
        endpoint.finish(endpoint.call("POST", f"/api/connections/ejemplo/{kind}", secret), secret)
    for body in (b"no json", b"{}", b"\xff\xfe\x00"):
        assert call(endpoint, body, signed(body)) == 202
    endpoint.finish(endpoint.call("POST", "/api/connections/ejemplo/run", secret), secret)

    assert endpoint.call("GET", "/api/connections/ejemplo/standing", secret).json()["failed_calls"] == 3


def test_wrong_values_are_told(endpoint: Endpoint, crm: Example) -> None:
    secret = endpoint.someone("administrator")
    body = {"name": "x", "connector": "siebel"}
    assert endpoint.call("POST", "/api/connections", secret, json=body).status_code == 409
    assert endpoint.call("POST", "/api/connections", secret, json={**body, "name": "X"}).status_code == 422
    assert endpoint.call("POST", "/api/connections/none/run", secret).status_code == 404
    assert endpoint.call("GET", "/api/connections/none/plan", secret).status_code == 404
    connect(endpoint, crm, secret)
    answer = endpoint.call("PUT", "/api/connections/ejemplo/mapping", secret, json={"fields": [{"local": "fax"}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_input")
    assert "fields[1].local" in answer.json()["detail"]
    answer = endpoint.call("PATCH", "/api/connections/ejemplo", secret, json={}, headers={"If-Match": '"99"'})
    assert answer.status_code == 412
