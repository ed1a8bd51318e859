"""Webhooks over HTTP: made, edited, tried out, and what became of each delivery."""

from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook as Checker

from pipelines.webhooks import send_due
from schemas.settings import Settings
from tests.admin.api.conftest import Endpoint, serve
from tests.conftest import Roll, utc_now
from tests.receiver import Receiver, receiver

EVENTS = ["batch.finished"]


@pytest.fixture
def heard() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def near(roll: Roll) -> Iterator[Endpoint]:
    """The endpoint where webhooks may call this machine."""
    yield from serve(roll, webhook_networks="127.0.0.1")


def send(endpoint: Endpoint) -> None:
    settings = Settings(home=endpoint.store.folder, webhook_networks="127.0.0.1")
    send_due(endpoint.store.engine, settings, utc_now)


def test_a_webhook_is_made_tried_out_and_seen_to_be_heard(near: Endpoint, heard: Receiver) -> None:
    admin = near.someone("administrator")

    made = near.call("POST", "/api/webhooks", admin, json={"url": heard.url, "events": EVENTS})
    tried = near.call("POST", f"{made.headers['Location']}/test", admin)
    send(near)
    [told] = near.call("GET", tried.json()["deliveries"], admin).json()["items"]

    assert (made.status_code, tried.status_code) == (201, 202)
    assert (told["event"], told["state"], told["status"], told["attempts"]) == ("webhook.test", "sent", 204, 1)
    assert Checker(made.json()["secret"]).verify(heard.calls[0].body, heard.calls[0].headers)
    assert "secret" not in near.call("GET", made.headers["Location"], admin).json()


def test_what_was_given_up_is_listed_and_sent_again(near: Endpoint, heard: Receiver) -> None:
    admin = near.someone("administrator")
    where = near.call("POST", "/api/webhooks", admin, json={"url": heard.url, "events": EVENTS}).headers["Location"]
    near.call("POST", f"{where}/test", admin)
    heard.answers[:] = [410]
    send(near)
    [dead] = near.call("GET", f"{where}/deliveries?state=dead", admin).json()["items"]
    ended = near.call("GET", where, admin).json()

    again = near.call("PATCH", where, admin, json={"is_active": True})
    replayed = near.call("POST", f"{where}/deliveries/{dead['id']}/replay", admin)
    send(near)

    assert (ended["is_active"], ended["disabled_because"]) == (False, "410 Gone")
    assert (again.json()["is_active"], replayed.json()) == (True, {"deliveries": 1})
    assert near.call("GET", f"{where}/deliveries?state=sent", admin).json()["items"][0]["id"] == dead["id"]
    assert near.call("POST", f"{where}/replay", admin).json() == {"deliveries": 0}
    assert near.call("POST", f"{where}/deliveries/999/replay", admin).json()["code"] == "no_such_delivery"


def test_an_edit_of_an_old_version_is_refused(near: Endpoint, heard: Receiver) -> None:
    admin = near.someone("administrator")
    made = near.call("POST", "/api/webhooks", admin, json={"url": heard.url, "events": EVENTS})
    etag = {"If-Match": made.headers["ETag"]}

    first = near.call("PATCH", made.headers["Location"], admin, json={"description": "ERP"}, headers=etag)
    second = near.call("PATCH", made.headers["Location"], admin, json={"description": "CRM"}, headers=etag)

    assert (first.status_code, second.status_code, second.json()["code"]) == (200, 412, "version_differs")


def test_where_a_webhook_may_not_go_is_said_by_field(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    body = {"url": "https://169.254.169.254/latest", "events": EVENTS}

    refused = endpoint.call("POST", "/api/webhooks", admin, json=body, headers={"Accept-Language": "es"})
    unknown = endpoint.call("POST", "/api/webhooks", admin, json={**body, "events": ["contact.eaten"]})

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (409, "url")
    assert "dirección privada" in refused.json()["detail"]
    assert (unknown.status_code, unknown.json()["errors"][0]["field"]) == (422, "events.0")


def test_another_secret_is_told_once_and_a_webhook_is_removed(near: Endpoint, heard: Receiver) -> None:
    admin = near.someone("administrator")
    made = near.call("POST", "/api/webhooks", admin, json={"url": heard.url, "events": EVENTS})

    other = near.call("POST", f"{made.headers['Location']}/secret", admin).json()["secret"]
    removed = near.call("DELETE", made.headers["Location"], admin)

    assert other.startswith("whsec_")
    assert other != made.json()["secret"]
    assert removed.status_code == 204
    assert near.call("GET", made.headers["Location"], admin).json()["code"] == "no_such_webhook"
    assert near.call("GET", "/api/webhooks", admin).json() == []
