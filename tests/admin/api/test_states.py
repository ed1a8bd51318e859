"""States of agents: defined, set, removed; and the history of who was in which."""

from typing import Any

from tests.admin.api.conftest import Endpoint

TRAINING = {"en": "In training", "es": "En formación", "takes_conversations": False, "place": 3}


def agent(endpoint: Endpoint) -> tuple[int, str]:
    number = endpoint.operator("agent@example.org", "agent", is_agent=True)
    return number, endpoint.sign_in("agent@example.org")


def states(endpoint: Endpoint, secret: str) -> list[dict[str, Any]]:
    return list(endpoint.call("GET", "/api/agent-states", secret).json())


def test_the_states_that_come_with_padron(endpoints: Endpoint) -> None:
    _, secret = agent(endpoints)

    found = states(endpoints, secret)

    assert [state["name"] for state in found] == ["online", "busy", "away", "offline"]
    assert [state["name"] for state in found if state["takes_conversations"]] == ["online"]


def test_a_state_of_ones_own_is_defined_changed_set_and_seen_in_the_history(endpoints: Endpoint) -> None:
    admin = endpoints.someone("administrator")
    number, secret = agent(endpoints)

    made = endpoints.call("PUT", "/api/agent-states/in_training", admin, json=TRAINING)
    changed = endpoints.call("PUT", "/api/agent-states/in_training", admin, json={**TRAINING, "en": "Learning"})
    for state in ("online", "in_training"):
        assert endpoints.call("PUT", "/api/me/state", secret, json={"state": state}).status_code == 200
    history = endpoints.call("GET", f"/api/operators/{number}/states?limit=1", admin).json()
    older = endpoints.call("GET", f"/api/operators/{number}/states?cursor={history['next']}", admin).json()

    assert (made.status_code, changed.json()["en"]) == (200, "Learning")
    assert [one["state"] for one in history["items"]] == ["in_training"]
    assert [(one["state"], one["actor"]) for one in older["items"]] == [("online", f"operator:{number}")]


def test_a_state_that_somebody_is_in_stays(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")
    _, secret = agent(endpoint)
    endpoint.call("PUT", "/api/agent-states/in_training", admin, json=TRAINING)
    endpoint.call("PUT", "/api/me/state", secret, json={"state": "in_training"})

    refused = endpoint.call("DELETE", "/api/agent-states/in_training", admin)
    endpoint.call("PUT", "/api/me/state", secret, json={"state": "away"})
    removed = endpoint.call("DELETE", "/api/agent-states/in_training", admin)
    offline = endpoint.call("DELETE", "/api/agent-states/offline", admin)
    missing = endpoint.call("DELETE", "/api/agent-states/in_training", admin)

    assert (refused.status_code, refused.json()["code"]) == (409, "state_in_use")
    assert removed.status_code == 204
    assert (offline.status_code, offline.json()["code"]) == (409, "state_in_use")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_state")


def test_a_state_that_cannot_be_is_refused_by_field(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")

    named = endpoint.call("PUT", "/api/agent-states/In%20Training", admin, json=TRAINING)
    taking = endpoint.call("PUT", "/api/agent-states/offline", admin, json={**TRAINING, "takes_conversations": True})
    blank = endpoint.call("PUT", "/api/agent-states/blank", admin, json={**TRAINING, "es": "  "})

    assert [answer.status_code for answer in (named, taking, blank)] == [409] * 3
    fields = [answer.json()["errors"][0]["field"] for answer in (named, taking, blank)]
    assert fields == ["name", "takes_conversations", "es"]
