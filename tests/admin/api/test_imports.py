"""Importing over HTTP: what was shown is confirmed, a worker takes it, and the report can be read."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipelines import uploads
from pipelines.drops import import_drop
from pipelines.jobs import run_job
from schemas.settings import Settings
from tests.admin.api.conftest import Endpoint, serve
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops

_PEOPLE = "Nombre,Correo,Quién sabe\nAna,ana@example.org,oro\nEva,sin arroba,plata\n"


def send(endpoint: Endpoint, secret: str, text: str = _PEOPLE, name: str = "gente.csv", **asked: Any) -> Any:
    return endpoint.call("POST", "/api/uploads", secret, params={"name": name, **asked}, data=text.encode())


def work(endpoint: Endpoint) -> None:
    """What a worker does when it is woken."""
    for number in endpoint.woken:
        import_drop(endpoint.store.engine, number, Settings(home=endpoint.store.folder), utc_now)
    endpoint.woken.clear()


def test_a_file_is_sent_shown_confirmed_imported_and_its_report_read(endpoints: Endpoint) -> None:
    secret = endpoints.someone("supervisor")
    shown = send(endpoints, secret)
    upload = shown.json()
    columns = {one["column"]: one["target"] for one in upload["columns"]}
    assert (shown.status_code, columns["Correo"], columns["Quién sabe"]) == (201, "email", "custom.quien_sabe")

    confirmed = endpoints.call("POST", f"/api/uploads/{upload['id']}/confirm", secret, json={"token": upload["token"]})
    work(endpoints)
    batch = endpoints.call("GET", confirmed.headers["Location"], secret).json()
    report = endpoints.call("GET", confirmed.headers["Location"] + "/report", secret)

    assert (confirmed.status_code, confirmed.json()["state"]) == (202, "waiting")
    assert (batch["state"], batch["created"], batch["rejected"], batch["has_report"]) == ("done", 1, 1, True)
    assert "sin arroba" in report.content.decode("utf-8-sig")
    assert endpoints.store.living("email") == [("ana@example.org",)]
    assert [one["id"] for one in endpoints.call("GET", "/api/batches", secret).json()["items"]] == [batch["id"]]
    assert endpoints.store.rows("SELECT actor FROM contact_changes") == [("operator:1",)]


def test_another_mapping_wants_another_confirmation(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()
    address = f"/api/uploads/{upload['id']}"

    changed = endpoint.call("PUT", f"{address}/mapping", secret, json={"columns": {"Quién sabe": "tags"}}).json()
    old = endpoint.call("POST", f"{address}/confirm", secret, json={"token": upload["token"]})
    new = endpoint.call("POST", f"{address}/confirm", secret, json={"token": changed["token"]})
    again = endpoint.call("POST", f"{address}/confirm", secret, json={"token": changed["token"]})
    work(endpoint)

    assert [answer.status_code for answer in (old, new, again)] == [409, 202, 409]
    assert old.json()["code"] == "not_as_shown"
    assert endpoint.store.rows("SELECT name FROM tags") == [("oro",)]


def test_a_file_that_changed_since_it_was_shown_is_not_imported(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()
    [path] = (endpoint.store.folder / "uploads" / "incoming").iterdir()
    path.write_text("Nombre,Correo\nOtra,otra@example.org\n", "utf-8")

    answer = endpoint.call("POST", f"/api/uploads/{upload['id']}/confirm", secret, json={"token": upload["token"]})

    assert (answer.status_code, endpoint.woken) == (409, [])


@pytest.mark.parametrize(
    ("text", "asked", "status", "code"),
    [
        ("", {}, 409, "file_refused"),
        ("\x00\x01\x02", {"name": "a.xlsx"}, 409, "file_refused"),
        (_PEOPLE, {"profile": "nothing"}, 409, "wrong_input"),
        (_PEOPLE, {"profile": "../../etc/passwd"}, 409, "wrong_input"),
        (_PEOPLE, {"name": ""}, 422, "not_valid"),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_kept(
    endpoint: Endpoint, text: str, asked: dict[str, Any], status: int, code: str
) -> None:
    answer = send(endpoint, endpoint.someone("supervisor"), text, **asked)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [*(endpoint.store.folder / "uploads").rglob("*.part")] == []


def test_a_name_with_a_path_is_a_name(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret, name="../../../tmp/evil.csv").json()
    endpoint.call("POST", f"/api/uploads/{upload['id']}/confirm", secret, json={"token": upload["token"]})
    work(endpoint)

    assert upload["name"] == "evil.csv"
    assert (endpoint.store.folder / "uploads" / "done" / "evil.csv").exists()


def test_an_upload_larger_than_allowed_is_refused_and_not_kept(roll: Roll) -> None:
    for endpoint in serve(roll, max_upload_bytes=1_000):
        answer = send(endpoint, endpoint.someone("supervisor"), "x" * 2_000_000)

        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert [*(roll.folder / "uploads").rglob("*.part")] == []


def test_uploads_that_nobody_confirmed_are_listed_and_deleted(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    first, second = send(endpoint, secret).json(), send(endpoint, secret, name="otra.csv").json()
    endpoint.call("POST", f"/api/uploads/{first['id']}/confirm", secret, json={"token": first["token"]})

    listed = endpoint.call("GET", "/api/uploads", secret).json()["items"]
    answers = [endpoint.call("DELETE", f"/api/uploads/{one['id']}", secret) for one in (first, second, second)]

    assert [(one["id"], one["name"]) for one in listed] == [(second["id"], "otra.csv")]
    assert [answer.status_code for answer in answers] == [409, 204, 404]
    assert list((endpoint.store.folder / "uploads" / "incoming").iterdir()) == []


def test_a_file_is_read_as_the_options_say(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    text = "Lista de hoy\nNombre;Teléfono\nIñaki;600 123 456\n".encode("mac_roman")
    params = {"name": "a.csv", "encoding": "mac_roman", "header_row": 2, "default_country": "ES"}

    upload = endpoint.call("POST", "/api/uploads", secret, params=params, data=text).json()
    endpoint.call("POST", f"/api/uploads/{upload['id']}/confirm", secret, json={"token": upload["token"]})
    work(endpoint)

    assert endpoint.store.living() == [("Iñaki", "+34600123456", None)]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ({"sheet": "Hoja 1"}, "wrong_option", "no es un libro"),
        ({"default_country": "Colombia"}, "wrong_input", "default_country"),
        ({"encoding": "klingon"}, "file_refused", "klingon"),
    ],
)
def test_an_option_that_does_not_fit_is_said(endpoint: Endpoint, options: dict[str, str], code: str, said: str) -> None:
    secret = endpoint.someone("supervisor")
    params = {"name": "a.csv", **options}
    spanish = {"Accept-Language": "es"}

    answer = endpoint.call("POST", "/api/uploads", secret, params=params, data=_PEOPLE.encode(), headers=spanish)

    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert said in answer.json()["detail"]
    assert "--" not in answer.json()["detail"]


def test_a_column_that_is_not_there_cannot_be_mapped(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()

    answer = endpoint.call(
        "PUT", f"/api/uploads/{upload['id']}/mapping", secret, json={"columns": {"Correos": "email"}}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_option")
    assert "«Correos»" in answer.json()["detail"]


def test_without_a_column_that_says_who_it_is_nothing_is_confirmed(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret, "Nombre,Ciudad\nAna,Bogotá\n").json()

    answer = endpoint.call("POST", f"/api/uploads/{upload['id']}/confirm", secret, json={"token": upload["token"]})

    assert (answer.status_code, answer.json()["code"], endpoint.woken) == (409, "no_keys", [])


def test_imports_are_found_by_state_and_file_and_a_parked_one_is_sent_again(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    settings = Settings(home=endpoint.store.folder)
    drop_text(endpoint.store.folder / "drop" / "incoming", "raro.csv", "foo,bar\nana@example.org,1\n")
    [parked] = import_drops(endpoint.store.engine, settings)
    (settings.home / "profiles").mkdir()
    (settings.home / "profiles" / "raro.toml").write_text('[columns]\n"foo" = "email"\n', "utf-8")

    found = endpoint.call("GET", "/api/batches", secret, params={"state": "needs_mapping", "file": "RAR"}).json()
    address = f"/api/batches/{parked}/retry"
    unknown = endpoint.call("POST", address, secret, json={"profile": "nothing"})
    sent = endpoint.call("POST", address, secret, json={"profile": "raro"})
    again = endpoint.call("POST", address, secret, json={"profile": "raro"})
    work(endpoint)
    done = endpoint.call("GET", sent.headers["Location"], secret).json()

    assert [one["id"] for one in found["items"]] == [parked]
    assert endpoint.call("GET", "/api/batches", secret, params={"state": "done", "file": "xx"}).json()["items"] == []
    assert [answer.status_code for answer in (unknown, sent, again)] == [409, 202, 409]
    assert again.json()["code"] == "not_retried"
    assert (done["state"], done["created"]) == ("done", 1)


def test_what_is_said_of_an_import_is_in_the_callers_language(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    drop_text(endpoint.store.folder / "drop" / "incoming", "vacío.csv", "")
    [number] = import_drops(endpoint.store.engine, Settings(home=endpoint.store.folder))

    said = {}
    for language in ("es", "en"):
        answer = endpoint.call("GET", f"/api/batches/{number}", secret, headers={"Accept-Language": language})
        said[language] = answer.json()["message"]

    assert said["es"] == "vacío.csv está vacío: no tiene encabezado ni filas."
    assert said["en"] == "vacío.csv is empty: there is no header and no row in it."


def test_an_upload_is_rehearsed_and_nothing_is_kept(endpoints: Endpoint) -> None:
    secret = endpoints.someone("supervisor")
    upload = send(endpoints, secret).json()
    address = f"/api/uploads/{upload['id']}"

    asked = endpoints.call("POST", f"{address}/rehearse", secret)
    again = endpoints.call("POST", f"{address}/rehearse", secret)
    run_job(endpoints.store.engine, asked.json()["id"], Settings(home=endpoints.store.folder), utc_now)
    job = endpoints.call("GET", asked.headers["Location"], secret).json()

    assert (asked.status_code, again.json()["id"]) == (202, asked.json()["id"])
    assert (job["state"], job["done"], job["result"]["status"]) == ("done", 2, "imported")
    assert [job["result"][name] for name in ("rows", "created", "rejected")] == [2, 1, 1]
    assert job["result"]["said"] == [{"row": "2", "code": "email_invalid; no_key", "field": "Correo"}]
    assert endpoints.store.living("email") == []
    assert endpoints.store.rows("SELECT id FROM batches") == []
    confirmed = endpoints.call("POST", f"{address}/confirm", secret, json={"token": upload["token"]})
    assert confirmed.status_code == 202
    assert endpoints.call("POST", f"{address}/rehearse", secret).json()["code"] == "not_as_shown"


def test_a_rehearsal_is_of_the_mapping_that_was_there_when_it_was_asked_for(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()
    address = f"/api/uploads/{upload['id']}"
    before = endpoint.call("POST", f"{address}/rehearse", secret).json()
    endpoint.call("PUT", f"{address}/mapping", secret, json={"columns": {"CORREO": "ignore", "Nombre": "email"}})

    after = endpoint.call("POST", f"{address}/rehearse", secret).json()
    settings = Settings(home=endpoint.store.folder)
    old, new = (run_job(endpoint.store.engine, job["id"], settings, utc_now) for job in (before, after))

    assert old is not None
    assert new is not None
    assert (old.state, new.state) == ("failed", "done")
    assert "is not as it was shown" in str(old.message_en)
    assert new.result is not None
    assert (new.result["created"], new.result["rejected"]) == (0, 2)


def test_a_column_is_mapped_however_it_is_spelled(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()

    body = {"columns": {" CORREO ": "ignore"}}
    shown = endpoint.call("PUT", f"/api/uploads/{upload['id']}/mapping", secret, json=body).json()

    assert {one["column"]: one["target"] for one in shown["columns"]}["Correo"] == "ignore"


def test_what_was_confirmed_meanwhile_is_not_mapped_any_more(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()
    address = f"/api/uploads/{upload['id']}"

    def meanwhile(*arguments: Any) -> Any:
        """What is looked at before a mapping is kept, and a confirmation just then."""
        found = look(*arguments)
        endpoint.call("POST", f"{address}/confirm", secret, json={"token": upload["token"]})
        return found

    look = uploads.preview
    monkeypatch.setattr(uploads, "preview", meanwhile)
    answer = endpoint.call("PUT", f"{address}/mapping", secret, json={"columns": {"Correo": "ignore"}})

    assert (answer.status_code, answer.json()["code"]) == (409, "not_as_shown")


def test_a_rehearsal_of_what_was_deleted_meanwhile_says_so(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()
    asked = endpoint.call("POST", f"/api/uploads/{upload['id']}/rehearse", secret).json()
    endpoint.call("DELETE", f"/api/uploads/{upload['id']}", secret)

    job = run_job(endpoint.store.engine, asked["id"], Settings(home=endpoint.store.folder), utc_now)

    assert job is not None
    assert (job.state, job.message_es) == ("failed", f"No hay ninguna subida {upload['id']}.")


def test_of_many_who_confirm_at_once_one_does(endpoint: Endpoint) -> None:
    secret = endpoint.someone("supervisor")
    upload = send(endpoint, secret).json()

    def confirm(_: int) -> int:
        body = {"token": upload["token"]}
        return endpoint.call("POST", f"/api/uploads/{upload['id']}/confirm", secret, json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(confirm, range(8)))

    assert sorted(answers) == [202, *[409] * 7]
    assert len(endpoint.woken) == 1
