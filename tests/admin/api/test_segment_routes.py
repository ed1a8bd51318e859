"""Segments over HTTP: defined, filled by a worker, looked at, explained and taken away."""

from typing import Any

import pytest

from pipelines.refreshes import refresh_due
from schemas.settings import Settings
from tests.admin.api.conftest import Endpoint
from tests.conftest import utc_now

_PEOPLE = "nombre,correo,ciudad\n" + "".join(
    f"P{n},p{n}@example.org,{'Lima' if n % 2 else 'Cali'}\n" for n in range(10)
)


def refresh(endpoint: Endpoint) -> int:
    """What a worker does when it is woken."""
    return refresh_due(endpoint.store.engine, Settings(home=endpoint.store.folder), utc_now)


def make(endpoint: Endpoint, secret: str, **body: Any) -> Any:
    given = {"name": "Limeños", "filter": "city = 'Lima'", "schedule": "15min", **body}
    return endpoint.call("POST", "/api/segments", secret, json=given)


def test_a_segment_is_made_filled_paged_and_tells_who_left(endpoints: Endpoint) -> None:
    secret = endpoints.someone("supervisor")
    endpoints.store.import_text(_PEOPLE)

    made = make(endpoints, secret)
    address = made.headers["Location"]
    assert (made.status_code, made.json()["size"], made.json()["as_of"]) == (201, 0, None)
    assert refresh(endpoints) == 1
    first = endpoints.call("GET", f"{address}/members", secret, params={"limit": 2}).json()
    endpoints.call("PATCH", "/api/contacts/10", secret, json={"city": "Quito"})
    asked = endpoints.call("POST", f"{address}/refresh", secret)
    assert refresh(endpoints) == 1
    rest = endpoints.call("GET", f"{address}/members", secret, params={"cursor": first["next"]}).json()
    shown = endpoints.call("GET", address, secret).json()
    runs = endpoints.call("GET", f"{address}/runs", secret).json()["items"]
    events = endpoints.call("GET", f"{address}/events", secret, params={"limit": 1}).json()["items"]

    assert (asked.status_code, first["items"] + rest["items"], rest["next"]) == (202, [2, 4, 6, 8, 10], None)
    assert (shown["size"], shown["failures"], shown["filter"]) == (4, 0, "city = 'Lima'")
    assert [(run["how"], run["joined"], run["left"], run["size"]) for run in runs] == [
        ("full", 0, 1, 4),
        ("full", 5, 0, 5),
    ]
    assert [(event["contact_id"], event["joined"]) for event in events] == [(10, False)]
    contact = endpoints.call("GET", "/api/contacts/2", secret).json()
    assert [one["name"] for one in contact["segments"]] == ["Limeños"]
    assert endpoints.call("DELETE", address, secret).status_code == 204
    assert endpoints.call("GET", address, secret).json()["code"] == "no_such_segment"


def test_a_filter_is_tried_before_it_is_kept_and_explained_afterwards(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.store.import_text(_PEOPLE)
    tried = endpoint.call("POST", "/api/segment-preview", secret, json={"filter": "city = 'Lima' AND id > 4"}).json()
    number = make(endpoint, secret, filter="city = 'Lima' AND NOT id > 4").json()["id"]

    why = endpoint.call("GET", f"/api/segments/{number}/why/6", secret).json()

    assert (tried["count"], tried["exact"], [one["id"] for one in tried["sample"]]) == (3, True, [10, 8, 6])
    assert [(one["part"], one["holds"]) for one in why] == [
        ("city = 'Lima' AND NOT id > 4", False),
        ("city = 'Lima'", True),
        ("NOT id > 4", False),
        ("id > 4", True),
    ]
    assert endpoint.call("GET", f"/api/segments/{number}/why/99", secret).json()["code"] == "no_such_contact"


def test_an_edit_goes_by_its_version_and_fills_anew(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.store.import_text(_PEOPLE)
    made = make(endpoint, secret)
    refresh(endpoint)
    headers = {"If-Match": made.headers["ETag"]}

    done = endpoint.call("PATCH", made.headers["Location"], secret, json={"filter": "city = 'Cali'"}, headers=headers)
    again = endpoint.call("PATCH", made.headers["Location"], secret, json={"name": "X"}, headers=headers)
    refresh(endpoint)

    assert (done.status_code, again.status_code) == (200, 412)
    members = endpoint.call("GET", f"{made.headers['Location']}/members", secret).json()["items"]
    assert members == [1, 3, 5, 7, 9]


def test_a_list_of_contacts_is_a_segment_too_and_contacts_are_pinned(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    endpoint.store.import_text(_PEOPLE)
    fixed = make(endpoint, secret, name="Lista", kind="static", filter=None, schedule=None, contacts=[3, 1, 77])
    number = make(endpoint, secret).json()["id"]

    put = endpoint.call("PUT", f"{fixed.headers['Location']}/members", secret, json={"contacts": [5]})
    pinned = endpoint.call("PUT", f"/api/segments/{number}/pins/1", secret, json={"is_in": True})
    refused = endpoint.call("PUT", f"{fixed.headers['Location']}/pins/1", secret, json={"is_in": True})
    refresh(endpoint)

    assert (fixed.json()["size"], put.json()["size"], pinned.status_code) == (2, 1, 204)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "fixed")
    assert endpoint.call("GET", f"/api/segments/{number}/members", secret).json()["items"] == [1, 2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"filter": "citi = 'Lima'"}, "wrong_filter", "¿Quiso decir city?"),
        ({"filter": None}, "wrong_field", "dé un filtro"),
        ({"schedule": "pronto"}, "wrong_field", "no es un horario"),
        ({"kind": "odd"}, "not_valid", "kind"),
    ],
)
def test_what_cannot_be_a_segment_is_said(endpoint: Endpoint, body: dict[str, Any], code: str, said: str) -> None:
    secret = endpoint.someone("supervisor")

    given = {"name": "X", "filter": "sent > 1", **body}
    answer = endpoint.call("POST", "/api/segments", secret, json=given, headers={"Accept-Language": "es"})

    assert (answer.json()["code"], said in answer.json()["detail"]) == (code, True), answer.text
