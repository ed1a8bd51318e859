"""Long work over HTTP: taking an import back, watching it, stopping it; and requests that are made once."""

from concurrent.futures import ThreadPoolExecutor

from pipelines.jobs import run_job
from schemas.settings import Settings
from tests.admin.api.conftest import PASSWORD, Endpoint
from tests.conftest import utc_now

ANA = {"email": "ana@example.org", "first_name": "Ana", "last_name": "Pérez"}


def do_jobs(endpoint: Endpoint) -> None:
    """What a worker does once it is woken."""
    for number in endpoint.woken_for_jobs:
        run_job(endpoint.store.engine, number, Settings(home=endpoint.store.folder), utc_now)
    endpoint.woken_for_jobs.clear()


def test_an_import_is_taken_back_by_a_job_that_is_watched(endpoints: Endpoint) -> None:
    secret = endpoints.someone("supervisor")
    batch = endpoints.store.import_text("correo\nana@example.org\nluis@example.org\n").batch_id

    asked = endpoints.call("POST", f"/api/batches/{batch}/undo", secret)
    waiting = endpoints.call("GET", asked.headers["Location"], secret).json()
    do_jobs(endpoints)
    done = endpoints.call("GET", asked.headers["Location"], secret).json()

    assert (asked.status_code, waiting["state"], waiting["object"]) == (202, "waiting", f"batch:{batch}")
    assert (done["state"], done["done"], done["total"], done["result"]["removed"]) == ("done", 2, 2, 2)
    assert endpoints.call("GET", f"/api/batches/{batch}", secret).json()["state"] == "undone"
    assert endpoints.store.living() == []


def test_what_cannot_be_taken_back_is_said_at_once(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    batch = endpoint.store.import_text("").batch_id

    refused = endpoint.call("POST", f"/api/batches/{batch}/undo", secret, headers={"Accept-Language": "es"})
    missing = endpoint.call("POST", "/api/batches/999/undo", secret)

    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_input")
    assert "solo se deshace una importación cuyas filas se tomaron" in refused.json()["detail"]
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_batch")
    assert endpoint.woken_for_jobs == []


def test_a_job_is_stopped_and_listed(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    batch = endpoint.store.import_text("correo\nana@example.org\n").batch_id
    job = endpoint.call("POST", f"/api/batches/{batch}/undo", secret).json()["id"]

    stopped = endpoint.call("POST", f"/api/jobs/{job}/cancel", secret)
    again = endpoint.call("POST", f"/api/jobs/{job}/cancel", secret)
    listed = endpoint.call("GET", f"/api/jobs?open=false&object=batch:{batch}", secret).json()["items"]

    assert (stopped.status_code, stopped.json()["state"]) == (202, "cancelled")
    assert (again.status_code, again.json()["code"]) == (409, "wrong_input")
    assert [(one["id"], one["state"]) for one in listed] == [(job, "cancelled")]
    assert endpoint.call("GET", "/api/jobs?open=true", secret).json()["items"] == []
    assert endpoint.call("GET", "/api/jobs/77", secret).json()["code"] == "no_such_job"


def test_an_import_is_stopped_before_it_begins(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    sent = endpoint.call("POST", "/api/uploads?name=a.csv", secret, data=b"correo\nana@example.org\n").json()
    confirmed = endpoint.call("POST", f"/api/uploads/{sent['id']}/confirm", secret, json={"token": sent["token"]})

    stopped = endpoint.call("POST", f"/api/batches/{confirmed.json()['id']}/cancel", secret)

    assert (stopped.status_code, stopped.json()["state"]) == (202, "waiting")
    assert stopped.json()["cancelled_by"].startswith("operator:")


# ── made once ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_create_with_the_same_key_makes_one_operator(endpoints: Endpoint) -> None:
    secret = endpoints.someone("administrator")
    body = {**ANA, "password": PASSWORD, "confirmation": PASSWORD}

    answers = [
        endpoints.call("POST", "/api/operators", secret, json=body, headers={"Idempotency-Key": "a1"}) for _ in range(3)
    ]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_the_same_create_at_the_same_time_makes_one_licence(endpoints: Endpoint) -> None:
    secret = endpoints.someone("administrator")

    def create(_: int) -> tuple[int, int]:
        answer = endpoints.call(
            "POST", "/api/licences", secret, json={"name": "Agents", "seats": 2}, headers={"Idempotency-Key": "b2"}
        )
        return answer.status_code, answer.json().get("id", 0)

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(create, range(16)))

    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert endpoints.store.one("SELECT count(*) FROM licences WHERE name = 'Agents'") == 1


def test_a_key_belongs_to_one_request_of_one_caller(endpoint: Endpoint) -> None:
    secret, other = endpoint.someone("administrator"), endpoint.someone("administrator", "auditor")
    key = {"Idempotency-Key": "c3"}
    first = endpoint.call("POST", "/api/licences", secret, json={"name": "One", "seats": 1}, headers=key)

    reused = endpoint.call("POST", "/api/licences", secret, json={"name": "Two", "seats": 1}, headers=key)
    elsewhere = endpoint.call("POST", "/api/operators", secret, json=ANA, headers=key)
    another = endpoint.call("POST", "/api/licences", other, json={"name": "Two", "seats": 1}, headers=key)

    assert (first.status_code, another.status_code) == (201, 201)
    assert (reused.status_code, reused.json()["code"]) == (409, "key_reused")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (409, "key_reused")


def test_a_refused_create_leaves_its_key_free(endpoint: Endpoint) -> None:
    secret, key = endpoint.someone("administrator"), {"Idempotency-Key": "d4"}
    body = {**ANA, "email": "none"}

    refused = endpoint.call("POST", "/api/operators", secret, json=body, headers=key)
    mended = endpoint.call("POST", "/api/operators", secret, json=ANA, headers=key)

    assert (refused.status_code, mended.status_code) == (409, 201)


def test_a_token_is_told_once_also_with_a_key(endpoint: Endpoint) -> None:
    secret, key = endpoint.someone("administrator"), {"Idempotency-Key": "e5"}
    body = {"name": "ERP", "permissions": ["batches:read"]}

    made = endpoint.call("POST", "/api/tokens", secret, json=body, headers=key)
    again = endpoint.call("POST", "/api/tokens", secret, json=body, headers=key)

    assert (made.status_code, again.status_code, again.json()["code"]) == (201, 409, "made_already")
    assert endpoint.store.one("SELECT count(*) FROM api_tokens") == 1
