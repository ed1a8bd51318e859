"""Salesforce, Zoho and Odoo's JSON-2 by their connector files, against stand-ins that have their traps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.crm_files import read_connector
from connectors.rest_fields import read_hints
from connectors.signatures import Call, is_genuine
from pipelines import connections as pipeline
from pipelines.connections import ConnectionForm, crm_factory
from schemas.crm import SignInFails
from tests.conftest import Roll
from tests.sync.salesforce import Salesforce
from tests.sync.test_vendors import Vendored, opened
from tests.sync.vendors import HubSpot, OdooJson2, serving
from tests.sync.zoho import Zoho


@pytest.fixture
def salesforce(roll: Roll, tmp_path: Path) -> Iterator[Vendored]:
    with serving(Salesforce()) as vendor:
        found = opened(roll, tmp_path)
        found.open(vendor, "salesforce", {}, {"client_id": "us", "client_secret": "s"})
        yield found


@pytest.fixture
def zoho(roll: Roll, tmp_path: Path) -> Iterator[Vendored]:
    with serving(Zoho()) as vendor:
        found = opened(roll, tmp_path)
        secrets = {"client_id": "us", "client_secret": "s", "code": "code-1"}
        found.open(vendor, "zoho", {"accounts": vendor.url}, secrets)
        yield found


@pytest.fixture
def odoo(roll: Roll, tmp_path: Path) -> Iterator[Vendored]:
    with serving(OdooJson2()) as vendor:
        found = opened(roll, tmp_path)
        found.open(vendor, "odoo-json2", {"database": "crm"}, {"key": "key-1"})
        yield found


# ── Salesforce ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_salesforce_and_the_roll_come_to_be_the_same(salesforce: Vendored) -> None:
    salesforce.vendor.most = 2
    for name in ("Eva", "Luz", "Sol"):
        salesforce.vendor.add(FirstName=name, LastName="Paz", Email=f"{name}@example.org")
    salesforce.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    salesforce.run()
    eva = min(salesforce.vendor.records)
    salesforce.vendor.change(eva, MailingCity="Quito")
    ana = salesforce.rows("SELECT id FROM contacts WHERE email = 'ana@example.org'")[0][0]
    salesforce.edit(ana, city="Lima")
    salesforce.run()

    assert salesforce.vendor.living("FirstName", "MailingCity") == [
        ("Eva", "Quito"),
        ("Luz", None),
        ("Sol", None),
        ("Ana", "Lima"),
    ]
    assert sorted(salesforce.living("first_name, city"), key=str) == [
        ("Ana", "Lima"),
        ("Eva", "Quito"),
        ("Luz", None),
        ("Sol", None),
    ]
    assert salesforce.run().counts == {}


def test_salesforce_takes_changes_in_as_few_calls_as_its_collections_allow(salesforce: Vendored) -> None:
    for at in range(250):
        salesforce.vendor.add(LastName=f"Eva{at}", Email=f"e{at}@example.org")
    salesforce.run()
    salesforce.vendor.seen.clear()
    for number in range(1, 251):
        salesforce.edit(number, city=f"town{number}")

    report = salesforce.run()

    assert report.counts["merge"] == 250
    assert [method for method, path in salesforce.vendor.seen if path.endswith("composite/sobjects")] == ["PATCH"] * 2
    assert len(salesforce.vendor.seen) <= 8


def test_salesforce_refuses_some_in_its_own_words_and_takes_the_others(salesforce: Vendored) -> None:
    salesforce.run()
    salesforce.vendor.blocked.add("b@example.org")
    for first, last, email in (("Ana", "Ruiz", "a@example.org"), ("Bea", "Paz", "b@example.org"), ("Cid", None, "c@example.org")):  # fmt: skip
        salesforce.create(first_name=first, last_name=last, email=email)

    report = salesforce.run()

    assert (report.counts["create_remote"], report.counts["rejected"]) == (1, 2)
    assert [said for (said,) in salesforce.rows("SELECT said FROM sync_outcomes WHERE outcome = 'rejected' ORDER BY contact_id")] == [
        "Use one of these records?",
        "Required fields are missing: [LastName]",
    ]  # fmt: skip


def test_salesforces_locked_row_is_written_by_a_later_run(salesforce: Vendored) -> None:
    numbers = [salesforce.create(first_name=name, last_name="Ruiz", email=f"{name}@example.org") for name in "ab"]
    salesforce.run()
    salesforce.vendor.locked = {min(salesforce.vendor.records)}
    for number in numbers:
        salesforce.edit(number, city="Lima")
    salesforce.run()
    assert sorted(salesforce.vendor.living("MailingCity"), key=str) == [("Lima",), (None,)]

    salesforce.vendor.locked.clear()
    salesforce.run()

    assert salesforce.vendor.living("MailingCity") == [("Lima",), ("Lima",)]


def test_salesforces_session_ends_and_another_is_asked_for_once(salesforce: Vendored) -> None:
    salesforce.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    salesforce.run()
    salesforce.vendor.session, salesforce.vendor.logins = 2, 0
    salesforce.edit(1, city="Lima")

    report = salesforce.run()

    assert (report.state, salesforce.vendor.logins) == ("done", 1)
    assert salesforce.vendor.living("MailingCity") == [("Lima",)]


def test_salesforces_accounts_are_away_for_a_moment_and_the_credentials_are_not_blamed(salesforce: Vendored) -> None:
    salesforce.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    salesforce.run()
    salesforce.vendor.session = 2
    answers = iter([(503, {"error": "busy"})])
    salesforce.vendor.fails = lambda method, path: next(answers, None) if "oauth2" in path else None
    salesforce.edit(1, city="Lima")
    states = [salesforce.run().state, salesforce.run().state]

    assert states == ["waiting", "done"]
    assert (salesforce.connection().state, salesforce.vendor.living("MailingCity")) == ("active", [("Lima",)])


def test_an_id_that_salesforce_does_not_understand_is_nobodys(salesforce: Vendored) -> None:
    known = [salesforce.vendor.add(LastName=f"Paz{at}") for at in range(3)]
    crm = crm_factory(salesforce.store, salesforce.settings)(salesforce.connection())

    found = crm.read([known[0], "abc'd", *known[1:]])

    assert list(found) == known
    with pytest.raises(ValueError, match="no record"):
        crm.hints('{"id": "abc"}')


def test_a_record_that_cannot_be_made_is_refused_and_not_gone(salesforce: Vendored) -> None:
    salesforce.run()
    said = {"success": False, "errors": [{"statusCode": "ENTITY_IS_DELETED", "message": "its account is deleted"}]}
    salesforce.vendor.fails = lambda method, path: (200, [said]) if method == "POST" and "composite" in path else None
    salesforce.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")

    report = salesforce.run()

    assert report.counts == {"rejected": 1}


def test_salesforce_merges_two_and_the_winner_is_kept(salesforce: Vendored) -> None:
    for name in ("Ana", "Eva"):
        salesforce.create(first_name=name, last_name="Ruiz", email=f"{name}@example.org")
    salesforce.run()
    one, two = sorted(salesforce.vendor.records)
    salesforce.vendor.change(two, IsDeleted=True, MasterRecordId=one)

    for _ in range(3):
        salesforce.run(sweeps=True)

    assert len(salesforce.vendor.living("Id")) == 1
    assert salesforce.rows("SELECT reason FROM candidate_pairs") == [("merged_there",)]


def test_salesforces_bin_archives_here_and_an_archive_here_fills_it(salesforce: Vendored) -> None:
    people = [salesforce.create(first_name=name, last_name="Ruiz", email=f"{name}@example.org") for name in "abc"]
    salesforce.run()
    salesforce.vendor.change(min(salesforce.vendor.records), IsDeleted=True)
    salesforce.run()
    assert len(salesforce.living()) == 2
    left = [number for (number,) in salesforce.rows("SELECT id FROM contacts WHERE status <> 'archived'")]
    for number in left:
        salesforce.archive(number)

    report = salesforce.run()

    assert (report.counts["archive_remote"], salesforce.vendor.living("Id")) == (2, [])
    assert people and salesforce.run().counts == {}


def test_salesforce_loses_an_answer_and_nobody_is_made_twice(salesforce: Vendored) -> None:
    for at in range(3):
        salesforce.create(first_name=f"Ana{at}", last_name="Ruiz", email=f"a{at}@example.org")
    salesforce.vendor.loses = lambda method, path: method == "POST" and "composite" in path
    salesforce.run()
    salesforce.vendor.loses = lambda method, path: False
    for _ in range(3):
        salesforce.run()

    assert sorted(salesforce.vendor.living("Email")) == [(f"a{at}@example.org",) for at in range(3)]
    assert {state for _, _, state, _ in salesforce.links()} == {"active"}


def test_salesforces_day_is_used_up_and_the_connection_waits(salesforce: Vendored) -> None:
    said = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    salesforce.vendor.fails = lambda method, path: (403, said) if "query" in path else None

    report = salesforce.run()

    assert (report.state, salesforce.connection().state) == ("waiting", "active")


# ── Zoho ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_zoho_and_the_roll_come_to_be_the_same(zoho: Vendored) -> None:
    zoho.vendor.most = 2
    for name in ("Eva", "Luz", "Sol"):
        zoho.vendor.add(First_Name=name, Last_Name="Paz", Email=f"{name}@example.org")
    zoho.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    zoho.run()
    zoho.vendor.change(min(zoho.vendor.records), Mailing_City="Quito")
    ana = zoho.rows("SELECT id FROM contacts WHERE email = 'ana@example.org'")[0][0]
    zoho.edit(ana, city="Lima")
    zoho.run()

    rows = [(row["First_Name"], row["Mailing_City"]) for row in zoho.vendor.records.values()]
    assert rows == [("Eva", "Quito"), ("Luz", None), ("Sol", None), ("Ana", "Lima")]
    assert sorted(zoho.living("first_name, city"), key=str) == sorted(rows, key=str)
    zoho.vendor.seen.clear()
    assert zoho.run().counts == {}
    assert {path for _, path in zoho.vendor.seen} == {"/crm/v8/Contacts"}


def test_zohos_code_is_good_once_and_then_its_refresh_token_is(zoho: Vendored) -> None:
    zoho.run()
    kept = pipeline.secrets_of(zoho.settings, zoho.connection())
    assert (kept["refresh_token"], kept["code"]) == ("refresh-1", "")
    form = ConnectionForm(secrets={"expires_at": "0"})
    pipeline.edit_connection(zoho.store, zoho.settings, "zoho", form, zoho.asked)

    report = zoho.run()

    assert report.state == "done"
    assert [one["grant_type"] for one in zoho.vendor.granted] == ["authorization_code", "refresh_token"]


def test_a_code_is_not_sent_again_where_no_refresh_token_came_with_the_first(roll: Roll, tmp_path: Path) -> None:
    class Sparing(Zoho):
        def grant(self, form: dict[str, str]) -> dict[str, Any]:
            return {name: value for name, value in super().grant(form).items() if name != "refresh_token"}

    with serving(Sparing()) as vendor:
        sync = opened(roll, tmp_path)
        secrets = {"client_id": "us", "client_secret": "s", "code": "code-1", "refresh_token": "refresh-1"}
        sync.open(vendor, "zoho", {"accounts": vendor.url}, secrets)
        sync.run()
        form = ConnectionForm(secrets={"expires_at": "0"})
        pipeline.edit_connection(sync.store, sync.settings, "zoho", form, sync.asked)

        assert sync.run().state == "done"


def test_zohos_accounts_say_why_they_refuse(roll: Roll, tmp_path: Path) -> None:
    with serving(Zoho()) as vendor:
        sync = opened(roll, tmp_path)
        form = ConnectionForm({"url": vendor.url, "accounts": vendor.url}, {"client_id": "us", "code": "old"})

        with pytest.raises(SignInFails, match="invalid_code"):
            pipeline.create_connection(sync.store, sync.settings, "zoho", "zoho", form, sync.asked)
            pipeline.read_fields(sync.store, sync.settings, "zoho")


@pytest.mark.parametrize("surnames", [("Ruiz", None), (None, None)])
def test_zoho_says_why_it_takes_some_of_them_or_none(zoho: Vendored, surnames: tuple[str | None, ...]) -> None:
    zoho.run()
    for at, surname in enumerate(surnames):
        zoho.create(first_name=f"Ana{at}", last_name=surname, email=f"a{at}@example.org")

    report = zoho.run()

    assert report.counts["rejected"] == surnames.count(None)
    said = zoho.rows("SELECT said FROM sync_outcomes WHERE outcome = 'rejected'")
    assert set(said) == {("required field not found",)}
    assert len(zoho.vendor.records) == 2 - surnames.count(None)


def test_zoho_loses_an_answer_and_nobody_is_made_twice(zoho: Vendored) -> None:
    for at in range(60):  # more than one question for tokens may name
        zoho.create(first_name=f"Ana{at}", last_name="Ruiz", email=f"a{at}@example.org")
    zoho.vendor.loses = lambda method, path: method == "POST" and path.endswith("Contacts")
    zoho.run()
    zoho.vendor.loses = lambda method, path: False
    for _ in range(3):
        zoho.run()

    assert len(zoho.vendor.records) == 60
    assert {state for _, _, state, _ in zoho.links()} == {"active"}


def test_zoho_deletes_and_the_sweep_finds_it_and_a_contact_archived_here_goes_there(zoho: Vendored) -> None:
    people = [zoho.create(first_name=name, last_name="Ruiz", email=f"{name}@example.org") for name in "abc"]
    zoho.run()
    zoho.vendor.records.pop(min(zoho.vendor.records))
    zoho.run(sweeps=True)
    assert len(zoho.living()) == 2
    for number in people[1:]:
        zoho.archive(number)

    zoho.run()

    assert zoho.vendor.records == {}
    assert zoho.run().counts == {}


def test_zohos_notification_is_known_by_its_token_and_names_the_records(tmp_path: Path) -> None:
    spec = read_connector(tmp_path, "zoho").webhook
    assert spec is not None
    body = {"module": "Contacts", "ids": ["1", "2"], "operation": "update", "token": "t0ken", "channel_id": 7}

    def signed(said: dict[str, Any], secret: str) -> bool:
        call = Call("POST", "https://crm.example.org/hooks/zoho", {}, json.dumps(said).encode())
        return is_genuine(spec.verify, {"hook": secret}, call, 0.0)

    assert read_hints(spec, json.dumps(body)) == ["1", "2"]
    assert signed(body, "t0ken")
    assert not signed(body, "other")
    assert not signed({**body, "token": None}, "t0ken")


# ── Odoo 19 ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_odoos_json2_and_the_roll_come_to_be_the_same(odoo: Vendored) -> None:
    odoo.create(first_name="Ana", last_name="Ruiz", email="ana@example.org")
    odoo.vendor.add(name="Eva Paz", email="eva@example.org", phone="300 111 2233")
    odoo.run()
    odoo.edit(1, city="Lima")
    odoo.vendor.change(min(odoo.vendor.rows), city="Quito")
    odoo.run()

    assert [(row["name"], row["city"]) for row in odoo.vendor.rows.values()] == [("Eva Paz", "Quito"), ("Ana Ruiz", "Lima")]  # fmt: skip
    assert odoo.run().counts == {}
    odoo.archive(1)
    odoo.run()
    assert [row["active"] for row in odoo.vendor.rows.values()] == [True, False]


def test_odoos_json2_loses_an_answer_and_nobody_is_made_twice(odoo: Vendored) -> None:
    odoo.create(first_name="Ana", email="ana@example.org")
    odoo.vendor.loses = lambda method, path: path.endswith("create")
    odoo.run()
    odoo.vendor.loses = lambda method, path: False
    for _ in range(3):
        odoo.run()

    assert len(odoo.vendor.rows) == 1


def test_odoos_json2_refuses_a_value_under_500_and_is_not_taken_for_away(odoo: Vendored) -> None:
    odoo.run()
    for name in ("Ana", "Eva"):
        odoo.create(first_name=name, email=f"{name}@example.org")
    odoo.vendor.fails = lambda method, path: (500, {"name": "builtins.ValueError", "message": "Invalid field 'x'"}) if path.endswith("create") else None  # fmt: skip

    report = odoo.run()

    assert (report.state, report.counts["rejected"]) == ("done", 2)
    assert "Invalid field 'x'" in odoo.rows("SELECT said FROM sync_outcomes WHERE outcome = 'rejected'")[0][0]


# ── HubSpot by OAuth ─────────────────────────────────────────────────────────────────────────────────────────────


class Installed(HubSpot):
    """The same for an app that somebody has installed."""

    forms: tuple[dict[str, str], ...] = ()

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Any:
        if path == "/oauth/2026-03/token":
            self.forms = (*self.forms, body)
            return 200, {"access_token": "pat-1", "refresh_token": "refresh-1", "expires_in": 1800}
        return super().answer(method, path, query, body, headers)


def test_hubspot_is_signed_in_to_with_the_code_of_an_installation(roll: Roll, tmp_path: Path) -> None:
    with serving(Installed()) as vendor:
        sync = opened(roll, tmp_path)
        secrets = {"client_id": "us", "client_secret": "s", "code": "code-1"}
        sync.open(vendor, "hubspot-oauth", {"redirect_uri": "https://padron.example.org/done"}, secrets)
        sync.create(first_name="Ana", email="ana@example.org")
        sync.run()

        assert [row["properties"]["email"] for row in vendor.rows.values()] == ["ana@example.org"]
        assert vendor.forms == (
            {
                "grant_type": "authorization_code",
                "code": "code-1",
                "redirect_uri": "https://padron.example.org/done",
                "client_id": "us",
                "client_secret": "s",
            },
        )
