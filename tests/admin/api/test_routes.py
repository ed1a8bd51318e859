"""Every route and every role: allowed or not, from one table; a route without a permission fails."""

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from admin.api.app import ROUTERS
from admin.api.callers import May
from schemas.permissions import PERMISSIONS, ROLES
from tests.admin.api.conftest import Endpoint

PUBLIC = {
    "POST /api/sessions": "who signs in is not in yet",
    "POST /api/password-resets": "the secret of the link says who it is",
    "GET /reset": "the secret of the link says who it is",
    "GET /health": "load balancers have no token",
    "GET /health/live": "load balancers have no token",
    "GET /api/docs": "what there is to call is no secret",
    "GET /api/docs/{name}": "likewise",
    "POST /hooks/{name}": "the call itself proves where it comes from",
    "POST /hooks/{name}/{key}": "likewise",
}
ONESELF = {
    "GET /api/me",
    "GET /api/agent-states",
    "POST /api/me/password",
    "PUT /api/me/state",
    "DELETE /api/sessions/current",
}
TABLE = {
    "GET /api/operators": "operators:read",
    "POST /api/operators": "operators:write",
    "GET /api/operators/{number}": "operators:read",
    "PATCH /api/operators/{number}": "operators:write",
    "PUT /api/operators/{number}/password": "operators:password",
    "POST /api/operators/{number}/reset-link": "operators:password",
    "DELETE /api/operators/{number}/sessions": "operators:sign_out",
    "PUT /api/operators/{number}/conversations": "conversations:report",
    "GET /api/licences": "licences:read",
    "POST /api/licences": "licences:write",
    "GET /api/licences/{number}": "licences:read",
    "PATCH /api/licences/{number}": "licences:write",
    "GET /api/licences/{number}/days": "licences:read",
    "GET /api/roles": "roles:read",
    "PUT /api/roles/{name}": "roles:write",
    "DELETE /api/roles/{name}": "roles:write",
    "GET /api/tokens": "tokens:read",
    "POST /api/tokens": "tokens:write",
    "DELETE /api/tokens/{number}": "tokens:write",
    "GET /api/audit": "audit:read",
    "GET /api/audit/export": "audit:read",
    "GET /api/contacts": "contacts:read",
    "POST /api/contacts": "contacts:write",
    "POST /api/contact-search": "contacts:read",
    "POST /api/interactions": "interactions:write",
    "POST /api/contact-edits": "contacts:edit_many",
    "GET /api/contact-count": "contacts:read",
    "GET /api/contacts/{number}": "contacts:read",
    "PATCH /api/contacts/{number}": "contacts:write",
    "GET /api/contacts/{number}/history": "contacts:read",
    "GET /api/contacts/{number}/interactions": "contacts:read",
    "POST /api/contacts/{number}/block": "contacts:block",
    "POST /api/contacts/{number}/unblock": "contacts:block",
    "POST /api/contacts/{number}/archive": "contacts:write",
    "POST /api/contacts/{number}/restore": "contacts:write",
    "DELETE /api/contacts/{number}": "contacts:write",
    "POST /api/contacts/{number}/erase": "contacts:erase",
    "POST /api/contacts/{number}/subject": "contacts:export",
    "POST /api/exports": "contacts:export",
    "GET /api/exports": "contacts:export",
    "GET /api/exports/{number}/file": "contacts:export",
    "DELETE /api/exports/{number}": "contacts:export",
    "PUT /api/contacts/{number}/consents/{channel}": "contacts:write",
    "POST /api/contacts/{number}/notes": "contacts:write",
    "DELETE /api/contacts/{number}/notes/{note}": "contacts:write",
    "POST /api/readmissions": "contacts:erase",
    "POST /api/retention-runs": "retention:run",
    "GET /api/hygiene": "contacts:read",
    "GET /api/candidate-pairs": "contacts:read",
    "PUT /api/candidate-pairs/{number}/{contact}/apart": "contacts:write",
    "GET /api/segments/{number}/growth": "segments:read",
    "GET /api/fields": "fields:read",
    "POST /api/fields": "fields:write",
    "PATCH /api/fields/{key}": "fields:write",
    "POST /api/fields/{key}/convert": "fields:write",
    "GET /api/tags": "fields:read",
    "GET /api/near-tags": "fields:read",
    "PATCH /api/tags/{number}": "fields:write",
    "DELETE /api/tags/{number}": "fields:write",
    "POST /api/tags/{number}/merge": "contacts:edit_many",
    "GET /api/segments": "segments:read",
    "POST /api/segments": "segments:write",
    "POST /api/segment-preview": "contacts:read",
    "GET /api/segments/{number}": "segments:read",
    "PATCH /api/segments/{number}": "segments:write",
    "DELETE /api/segments/{number}": "segments:write",
    "POST /api/segments/{number}/refresh": "segments:write",
    "POST /api/segments/{number}/cancel": "segments:write",
    "GET /api/segments/{number}/runs": "segments:read",
    "GET /api/segments/{number}/events": "segments:read",
    "GET /api/segments/{number}/members": "segments:read",
    "PUT /api/segments/{number}/members": "segments:write",
    "PUT /api/segments/{number}/pins/{contact}": "segments:write",
    "GET /api/segments/{number}/why/{contact}": "segments:read",
    "GET /api/uploads": "batches:import",
    "POST /api/uploads": "batches:import",
    "DELETE /api/uploads/{number}": "batches:import",
    "PUT /api/uploads/{number}/mapping": "batches:import",
    "POST /api/uploads/{number}/confirm": "batches:import",
    "POST /api/uploads/{number}/rehearse": "batches:import",
    "GET /api/batches": "batches:read",
    "GET /api/batches/{number}": "batches:read",
    "GET /api/batches/{number}/report": "batches:read",
    "POST /api/batches/{number}/undo": "batches:undo",
    "POST /api/batches/{number}/retry": "batches:import",
    "POST /api/batches/{number}/cancel": "jobs:cancel",
    "GET /api/jobs": "jobs:read",
    "GET /api/jobs/{number}": "jobs:read",
    "POST /api/jobs/{number}/cancel": "jobs:cancel",
    "PUT /api/agent-states/{name}": "states:write",
    "DELETE /api/agent-states/{name}": "states:write",
    "GET /api/operators/{number}/states": "operators:read",
    "GET /api/webhooks": "webhooks:read",
    "POST /api/webhooks": "webhooks:write",
    "GET /api/webhooks/{number}": "webhooks:read",
    "PATCH /api/webhooks/{number}": "webhooks:write",
    "DELETE /api/webhooks/{number}": "webhooks:write",
    "POST /api/webhooks/{number}/secret": "webhooks:write",
    "POST /api/webhooks/{number}/test": "webhooks:write",
    "GET /api/webhooks/{number}/deliveries": "webhooks:read",
    "POST /api/webhooks/{number}/replay": "webhooks:write",
    "POST /api/webhooks/{number}/deliveries/{delivery}/replay": "webhooks:write",
    "GET /api/connectors": "connections:read",
    "GET /api/connections": "connections:read",
    "POST /api/connections": "connections:write",
    "GET /api/connections/{name}": "connections:read",
    "PATCH /api/connections/{name}": "connections:write",
    "DELETE /api/connections/{name}": "connections:write",
    "POST /api/connections/{name}/check": "connections:write",
    "GET /api/connections/{name}/mapping": "connections:read",
    "PUT /api/connections/{name}/mapping": "connections:write",
    "GET /api/connections/{name}/standing": "connections:read",
    "POST /api/connections/{name}/plan": "sync:run",
    "GET /api/connections/{name}/plan": "connections:read",
    "GET /api/connections/{name}/plan/items": "contacts:read",
    "POST /api/connections/{name}/apply": "sync:run",
    "POST /api/connections/{name}/run": "sync:run",
    "POST /api/connections/{name}/approve": "sync:run",
    "POST /api/connections/{name}/pause": "sync:run",
    "POST /api/connections/{name}/resume": "sync:run",
    "GET /api/connections/{name}/runs": "connections:read",
    "GET /api/sync-runs/{number}/outcomes": "connections:read",
    "GET /api/conflicts": "contacts:read",
    "POST /api/conflicts/{number}/restore": "contacts:write",
    "GET /api/contacts/{number}/pairs": "contacts:read",
    "GET /api/backups": "backups:read",
    "POST /api/backups": "backups:write",
    "POST /api/backups/{name}/verify": "backups:write",
    "GET /metrics": "metrics:read",
}


def routes() -> Iterator[tuple[str, APIRoute]]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods):
                yield f"{method} {route.path}", route


def permissions(route: APIRoute) -> list[May]:
    return [found.call for found in route.dependant.dependencies if isinstance(found.call, May)]


def test_every_route_says_who_may_call_it() -> None:
    found = {name: permissions(route) for name, route in routes()}

    assert {name for name, may in found.items() if not may} == set(PUBLIC)
    assert {name for name, may in found.items() if may and may[0].permission is None} == ONESELF
    assert {name: may[0].permission for name, may in found.items() if may and may[0].permission} == TABLE
    assert set(TABLE.values()) <= set(PERMISSIONS)


@pytest.mark.parametrize("role", [*ROLES, None])
def test_each_role_may_call_what_the_table_says_and_nothing_else(endpoint: Endpoint, role: str | None) -> None:
    if role is None:
        secret, allowed = "", frozenset[str]()
    else:
        secret, allowed = endpoint.someone(role), ROLES[role]

    for name, permission in TABLE.items():
        method, path = name.split(" ")
        answer = endpoint.call(
            method,
            path.format(
                number=999_999, name="none", delivery=999_999, contact=999_999, note=999_999, channel="none", key="none"
            ),
            secret,
            json={"no": "such field"},
        )
        code = answer.json().get("code") if answer.status_code >= 400 else None
        if role is None:
            assert (answer.status_code, code) == (401, "sign_in"), name
        elif permission in allowed:
            assert code not in ("not_allowed", "sign_in"), (name, answer.text)
        else:
            assert (answer.status_code, code) in ((403, "not_allowed"), (422, "not_valid")), (name, answer.text)


def test_nothing_is_changed_by_get(endpoint: Endpoint) -> None:
    secret = endpoint.someone("administrator")
    endpoint.store.import_text("email\nana@example.org\nno address\n")
    names = endpoint.store.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'sqlite_stat1'")
    before = {name: endpoint.store.rows(f"SELECT * FROM {name}") for (name,) in names}

    for route in (name for name in {*TABLE, *ONESELF, *PUBLIC} if name.startswith("GET ")):
        path = route.removeprefix("GET ").format(number=1, name="none", delivery=1, contact=1, key="none")
        assert endpoint.call("GET", path, secret).status_code < 500, route

    assert {name: endpoint.store.rows(f"SELECT * FROM {name}") for (name,) in names} == before


def test_what_a_role_may_not_do_is_not_done(endpoint: Endpoint) -> None:
    secret = endpoint.someone("agent")
    body = {"email": "b@example.org", "first_name": "B", "last_name": "C"}

    answers = [
        endpoint.call("POST", "/api/operators", secret, json=body),
        endpoint.call("PATCH", "/api/operators/1", secret, json={"roles": ["administrator"]}),
        endpoint.call(
            "PUT", "/api/operators/1/password", secret, json={"password": "x" * 12, "confirmation": "x" * 12}
        ),
        endpoint.call("POST", "/api/licences", secret, json={"name": "Mine", "seats": 5}),
        endpoint.call("POST", "/api/tokens", secret, json={"name": "Mine", "permissions": []}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert endpoint.store.one("SELECT count(*) FROM operators") == 1
    assert endpoint.store.rows("SELECT role FROM operator_roles") == [("agent",)]
