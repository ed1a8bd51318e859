"""Exports over HTTP: asked for, made by a worker, fetched for a day, and gone when somebody is erased."""

import csv
import io
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from pipelines.export_jobs import drop_expired
from pipelines.jobs import run_job
from pipelines.removals import ask_for_erasure
from schemas.settings import Settings
from tests.admin.api.conftest import Endpoint
from tests.conftest import utc_now
from warehouse.audit import Asked

PEOPLE = "nombre,correo,ciudad\nAna,ana@example.org,Lima\nEva,eva@example.org,Cali\n=Luis,luis@example.org,Lima\n"


@pytest.fixture
def secret(endpoints: Endpoint) -> str:
    endpoints.store.import_text(PEOPLE)
    return endpoints.someone("administrator")


def export(endpoint: Endpoint, secret: str, **body: object) -> dict[str, object]:
    """What the finished job of an export says."""
    done = endpoint.finish(endpoint.call("POST", "/api/exports", secret, json=body), secret)
    assert done["state"] == "done", done
    result: dict[str, object] = done["result"]
    return result


def test_an_export_is_made_fetched_listed_and_dropped(endpoints: Endpoint, secret: str) -> None:
    body = {"filter": "city = 'Lima'", "columns": ["display_name", "email"], "language": "es"}
    found = export(endpoints, secret, **body)

    file = endpoints.call("GET", str(found["file"]), secret)
    [listed] = endpoints.call("GET", "/api/exports", secret).json()["items"]
    dropped = endpoints.call("DELETE", f"/api/exports/{found['export']}", secret)

    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig")), delimiter=";"))
    assert rows[0] == ["Padrón id", "Nombre completo", "Correo electrónico"]
    assert [row[1:] for row in rows[1:]] == [["Ana", "ana@example.org"], ["'=Luis", "luis@example.org"]]
    assert file.headers["Content-Type"].startswith("text/csv")
    assert 'filename="contactos-1.csv"' in file.headers["Content-Disposition"]
    assert (listed["rows"], listed["size_bytes"], listed["filter"]) == (2, len(file.content), "city = 'Lima'")
    assert (found["rows"], dropped.status_code) == (2, 204)
    assert endpoints.call("GET", str(found["file"]), secret).json()["code"] == "no_such_export"
    assert list((endpoints.store.folder / "exports").iterdir()) == []
    said = endpoints.store.rows("SELECT action, object FROM audit WHERE action = 'contacts:export'")
    assert said == [("contacts:export", "file:export-1.csv")]


def test_each_format_is_fetched_as_what_it_is(endpoint: Endpoint) -> None:
    endpoint.store.import_text(PEOPLE)
    secret = endpoint.someone("administrator")

    parquet, workbook = (
        endpoint.call("GET", str(export(endpoint, secret, format=form)["file"]), secret) for form in ("parquet", "xlsx")
    )

    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 3
    assert parquet.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert workbook.content[:2] == b"PK"


def test_what_cannot_be_exported_is_refused_before_a_job_is_made(endpoint: Endpoint) -> None:
    secret = endpoint.someone("administrator")

    answers = [
        endpoint.call("POST", "/api/exports", secret, json=body, headers={"Accept-Language": "es"})
        for body in ({"filter": "ciudad ="}, {"columns": ["fax"]}, {"format": "pdf"}, {"filter": "fax = '1'"})
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 422, 409], [one.text for one in answers]
    assert "no tiene la columna «fax»" in answers[1].json()["detail"]
    assert endpoint.call("GET", "/api/exports", secret).json()["items"] == []
    assert endpoint.woken_for_jobs == []


def test_who_may_not_take_contacts_out_gets_no_file(endpoint: Endpoint) -> None:
    endpoint.store.import_text(PEOPLE)
    found = export(endpoint, endpoint.someone("administrator"))
    other = endpoint.someone("supervisor")

    asked = endpoint.call("POST", "/api/exports", other, json={})
    fetched = endpoint.call("GET", str(found["file"]), other)

    assert [asked.status_code, fetched.status_code] == [403, 403]


def test_an_export_expires_with_its_file(endpoint: Endpoint) -> None:
    endpoint.store.import_text(PEOPLE)
    secret, settings = endpoint.someone("administrator"), Settings(home=endpoint.store.folder)
    found = export(endpoint, secret)
    stray = endpoint.store.folder / "exports" / "export-99.csv"
    stray.write_text("nobody's", "utf-8")

    drop_expired(endpoint.store.engine, settings, utc_now() + timedelta(hours=23))
    still = endpoint.call("GET", str(found["file"]), secret).status_code
    drop_expired(endpoint.store.engine, settings, utc_now() + timedelta(hours=25))

    assert still == 200
    assert endpoint.call("GET", str(found["file"]), secret).status_code == 404
    assert list((endpoint.store.folder / "exports").iterdir()) == []


def test_erasing_somebody_drops_exports_also_those_under_way(endpoint: Endpoint) -> None:
    endpoint.store.import_text(PEOPLE)
    secret, settings = endpoint.someone("administrator"), Settings(home=endpoint.store.folder)
    made = export(endpoint, secret)
    waiting = endpoint.call("POST", "/api/exports", secret, json={}).json()["id"]
    work = ask_for_erasure(endpoint.store.engine, 1, Asked("test", utc_now()))

    run_job(endpoint.store.engine, work.id, settings, utc_now)
    late = run_job(endpoint.store.engine, waiting, settings, utc_now)

    assert late is not None
    assert (late.state, "Ask for it again" in str(late.message_en)) == ("failed", True)
    assert endpoint.call("GET", str(made["file"]), secret).status_code == 404
    assert list((endpoint.store.folder / "exports").iterdir()) == []
    assert export(endpoint, secret)["rows"] == 2
