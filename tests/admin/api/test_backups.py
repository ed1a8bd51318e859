"""Backups over HTTP: made and verified as jobs, listed, and told of by health and measurements."""

import pytest

from tests.admin.api.conftest import Endpoint


@pytest.fixture
def secret(endpoints: Endpoint) -> str:
    endpoints.store.import_text("nombre,correo\nAna,ana@example.org\nEva,eva@example.org\n")
    return endpoints.someone("administrator")


def test_a_backup_is_made_verified_listed_and_told_of(endpoints: Endpoint, secret: str) -> None:
    assert endpoints.call("GET", "/health").json()["backups"] == "none yet"
    made = endpoints.finish(endpoints.call("POST", "/api/backups", secret), secret)
    name = made["result"]["backup"]

    checked = endpoints.finish(endpoints.call("POST", f"/api/backups/{name}/verify", secret, json={"level": 3}), secret)

    [listed] = endpoints.call("GET", "/api/backups", secret).json()
    assert (made["state"], checked["result"]["level"]) == ("done", 3)
    assert (listed["name"], listed["verified_level"], listed["encrypted"]) == (name, 3, False)
    assert listed["rows"] == made["result"]["rows"]
    measured = endpoints.call("GET", "/metrics", secret).text
    assert f"padron_backup_bytes {float(listed['size_bytes'])}" in measured
    assert "padron_backup_failed 0.0" in measured
    assert "padron_backup_verified_timestamp_seconds 1." in measured
    assert endpoints.call("GET", "/health").json()["backups"].startswith("last 20")


def test_a_damaged_backup_shows_in_health_and_measurements(endpoints: Endpoint, secret: str) -> None:
    name = endpoints.finish(endpoints.call("POST", "/api/backups", secret), secret)["result"]["backup"]
    (endpoints.store.folder / "backups" / name / "contacts.parquet").write_bytes(b"PAR1 nonsense PAR1")

    found = endpoints.finish(endpoints.call("POST", "/api/backups/newest/verify", secret, json={}), secret)

    assert found["state"] == "failed"
    assert "contacts.parquet" in found["message"]
    assert endpoints.call("GET", "/health").json()["backups"] == f"job {found['id']} failed"
    assert "padron_backup_failed 1.0" in endpoints.call("GET", "/metrics", secret).text


def test_what_is_not_there_or_not_allowed_is_said(endpoints: Endpoint, secret: str) -> None:
    none = endpoints.call("POST", "/api/backups/20260101T000000Z-1/verify", secret, json={})
    wrong = endpoints.call("POST", "/api/backups/..%2Fx/verify", secret, json={})
    nobody = endpoints.call("POST", "/api/backups", endpoints.someone("agent"))
    level = endpoints.call("POST", "/api/backups/newest/verify", secret, json={"level": 4})

    assert (none.status_code, none.json()["code"]) == (404, "no_such_backup")
    assert wrong.status_code in (404, 422)
    assert (nobody.status_code, level.status_code) == (403, 422)
