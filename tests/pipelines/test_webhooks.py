"""Webhooks: signed, told once for each event, told again until taken, given up, and never sent where they may not go."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook as Checker
from standardwebhooks.webhooks import WebhookVerificationError

from pipelines import events
from pipelines.events import make_contact_events
from pipelines.licences import LicenceForm, create_licence
from pipelines.operators import create_operator
from pipelines.secrets import WrongKey, encrypt
from pipelines.states import set_agent_state
from pipelines.undo import undo_batch
from pipelines.webhooks import (
    PAUSES,
    WebhookForm,
    create_webhook,
    drop_webhook,
    edit_webhook,
    find_deliveries,
    find_webhook,
    new_secret,
    replay,
    send_due,
    send_test,
)
from schemas.operators import OperatorForm, WrongField
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.receiver import Receiver, receiver
from warehouse.audit import Asked
from warehouse.webhooks import Delivery


@pytest.fixture
def heard() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def asked() -> Asked:
    return Asked("ana", utc_now())


def settings_of(store: Roll, **values: Any) -> Settings:
    return Settings(home=store.folder / "home", **{"webhook_networks": "127.0.0.1", **values})


def hook(store: Roll, url: str, *events: str) -> tuple[str, int]:
    """A webhook that wants these events: its secret and number."""
    secret, made = create_webhook(store.engine, settings_of(store), WebhookForm(url, events), asked())
    return secret, made.id


def tell(store: Roll, at: datetime | None = None) -> None:
    now = at or utc_now()
    make_contact_events(store.engine, now)
    send_due(store.engine, settings_of(store), lambda: now)


def said(heard: Receiver) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in heard.calls]


def deliveries(store: Roll, number: int, state: str = "") -> list[Delivery]:
    return find_deliveries(store.engine, number, 100, state=state)


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_contacts_that_were_created_changed_and_blocked_are_told(store: Roll, heard: Receiver) -> None:
    hook(store, heard.url, "contact.created", "contact.updated", "contact.blocked", "contact.deleted")
    first = store.import_text("nombre,correo\nAna,ana@example.org\n").batch_id
    store.import_text("nombre,correo,estado\nAna,ana@example.org,bloqueado\n")

    tell(store)

    contact = store.one("SELECT id FROM contacts")
    told = {item["type"]: item["data"] for item in said(heard)}
    assert {event: data["contact_id"] for event, data in told.items()} == {
        "contact.created": contact,
        "contact.updated": contact,
        "contact.blocked": contact,
    }
    assert told["contact.created"]["batch_id"] == first
    assert "status" in told["contact.updated"]["fields"]
    assert b"ana@example.org" not in b"".join(call.body for call in heard.calls)
    heard.calls.clear()
    tell(store)
    assert heard.calls == []


def test_a_contact_that_undo_takes_away_is_told(store: Roll, heard: Receiver) -> None:
    batch = store.import_text("correo\nana@example.org\n").batch_id
    hook(store, heard.url, "contact.deleted")
    assert batch is not None

    undo_batch(store.engine, batch, "ana", utc_now)
    tell(store)

    assert [item["type"] for item in said(heard)] == ["contact.deleted"]


def test_what_happened_before_is_not_told(store: Roll, heard: Receiver) -> None:
    store.import_text("correo\nana@example.org\n")
    hook(store, heard.url, "contact.created")

    tell(store)

    assert heard.calls == []


def test_a_contact_that_comes_blocked_is_told_as_blocked(store: Roll, heard: Receiver) -> None:
    hook(store, heard.url, "contact.blocked")
    store.import_text("correo,estado\nana@example.org,bloqueado\neva@example.org,activo\n")

    tell(store)

    contact = store.one("SELECT id FROM contacts WHERE email = 'ana@example.org'")
    assert [(item["type"], item["data"]["contact_id"]) for item in said(heard)] == [("contact.blocked", contact)]


def test_few_contacts_wait_at_a_time_and_everything_else_goes_before_them(
    store: Roll, heard: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 50)  # a thousand deliveries over HTTP take long
    monkeypatch.setattr(events, "_AT_ONCE", 25)
    _, number = hook(store, heard.url, "contact.created", "batch.finished")
    store.import_text("correo\n" + "".join(f"p{row}@example.org\n" for row in range(120)))

    first = make_contact_events(store.engine, utc_now()), make_contact_events(store.engine, utc_now())
    send_test(store.engine, number, asked())
    for _ in range(3):
        tell(store)

    assert first == (50, 0)
    assert "webhook.test" in [item["type"] for item in said(heard)][:4]
    assert len({item["data"].get("contact_id") for item in said(heard)} - {None}) == 120


def test_every_contact_is_told_once_however_many_make_the_events(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "contact.created")
    store.import_text("correo\n" + "".join(f"p{row}@example.org\n" for row in range(900)))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: make_contact_events(store.engine, utc_now()), range(4)))

    assert sum(made) == 900
    assert store.one("SELECT count(DISTINCT body), count(*) FROM deliveries WHERE webhook_id = :n", n=number) == (
        900,
        900,
    )


def test_a_finished_import_and_an_agents_state_are_told(store: Roll, heard: Receiver) -> None:
    hook(store, heard.url, "batch.finished", "operator.state")
    licence = create_licence(store.engine, LicenceForm("Agents", seats=1), asked())
    form = OperatorForm("a@example.org", "Ana", "Pérez", licence_id=licence.id, is_agent=True, roles=("agent",))
    agent = create_operator(store.engine, form, None, asked())

    batch = store.import_text("correo\nana@example.org\nnadie\n").batch_id
    set_agent_state(store.engine, agent.id, "online", asked())
    tell(store)

    told = {item["type"]: item["data"] for item in said(heard)}
    found = told["batch.finished"]
    assert (found["batch_id"], found["state"], found["created"], found["rejected"]) == (batch, "done", 1, 1)
    assert told["operator.state"] == {"operator_id": agent.id, "state": "online", "actor": "ana"}


# ── signing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_receiver_can_check_who_sent_it(store: Roll, heard: Receiver) -> None:
    secret, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())

    tell(store)

    [call] = heard.calls
    assert Checker(secret).verify(call.body, call.headers)["type"] == "webhook.test"
    with pytest.raises(WebhookVerificationError):
        Checker(secret).verify(call.body.replace(b"ana", b"eva"), call.headers)


def test_for_a_day_the_old_secret_is_good_too(store: Roll, heard: Receiver) -> None:
    old, number = hook(store, heard.url, "batch.finished")
    new = new_secret(store.engine, settings_of(store), number, asked())
    send_test(store.engine, number, asked())
    tell(store)
    send_test(store.engine, number, asked())
    tell(store, utc_now() + timedelta(hours=25))

    first, second = (call.headers["webhook-signature"].split() for call in heard.calls)
    assert (len(first), len(second)) == (2, 1)
    for secret in (old, new):
        assert Checker(secret).verify(heard.calls[0].body, heard.calls[0].headers)


def test_secrets_stand_encrypted_with_a_key_from_outside(store: Roll, heard: Receiver) -> None:
    secret, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())
    kept = store.one("SELECT secret FROM webhooks")
    key = store.folder / "home" / "secret.key"

    assert secret not in kept
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    tell(store)
    [one] = deliveries(store, number)
    assert (one.state, one.attempts, heard.calls) == ("waiting", 1, [])
    assert "encrypted with another key" in str(one.error)


def test_what_a_webhook_was_told_to_be_in_the_meantime_holds_for_the_next_telling(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    for _ in range(12):
        send_test(store.engine, number, asked())
    heard.then = lambda: edit_webhook(store.engine, settings_of(store), number, {"is_active": False}, asked())

    tell(store)

    assert len(heard.calls) <= 4
    assert {one.state for one in deliveries(store, number)} == {"sent", "dead"}


# ── telling again ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_taken_is_told_again_with_growing_pauses_for_three_days(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())
    heard.answers[:] = [500] * 20
    now, pauses = utc_now(), []

    while deliveries(store, number, "waiting"):
        tell(store, now)
        [one] = deliveries(store, number)
        if one.next_at is not None:
            pauses.append(one.next_at - now)
            now = one.next_at

    assert (one.state, one.attempts, one.status, one.error) == ("dead", len(PAUSES) + 1, 500, "HTTP 500")
    assert len(heard.calls) == len(PAUSES) + 1
    assert len({call.headers["webhook-id"] for call in heard.calls}) == 1
    assert all(least <= pause <= least * 1.1 for least, pause in zip(PAUSES, pauses, strict=True))
    assert timedelta(days=3) < sum(pauses, timedelta()) < timedelta(days=4)


def test_a_dead_delivery_is_sent_again_by_hand(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())
    heard.answers[:] = [500] * (len(PAUSES) + 1)
    for day in range(30):
        tell(store, utc_now() + timedelta(days=day))
    [dead] = deliveries(store, number, "dead")

    assert replay(store.engine, number, asked(), dead.id) == 1
    tell(store)

    [sent] = deliveries(store, number)
    assert (sent.state, sent.status, sent.attempts, sent.error) == ("sent", 204, 1, None)
    assert replay(store.engine, number, asked()) == 0


def test_a_receiver_that_is_away_keeps_nobody_else_waiting(store: Roll, heard: Receiver) -> None:
    with receiver() as gone:
        away = gone.url
    _, first = hook(store, away, "batch.finished")
    _, second = hook(store, heard.url, "batch.finished")
    for _ in range(12):
        send_test(store.engine, first, asked())
        send_test(store.engine, second, asked())

    tell(store)

    assert len(deliveries(store, second, "sent")) == 12
    tried = [one for one in deliveries(store, first) if one.attempts]
    assert 0 < len(tried) <= 4
    assert {one.error for one in tried} == {"ConnectionError"}


def test_an_answer_of_410_ends_the_webhook(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())
    heard.answers[:] = [410]

    tell(store)

    found = find_webhook(store.engine, number)
    assert (found.is_active, found.disabled_because) == (False, "410 Gone")
    assert [one.state for one in deliveries(store, number)] == ["dead"]
    store.import_text("correo\nana@example.org\n")
    assert len(deliveries(store, number)) == 1
    edit_webhook(store.engine, settings_of(store), number, {"is_active": True}, asked())
    assert find_webhook(store.engine, number).disabled_because is None


def test_a_wait_that_the_receiver_asks_for_is_kept(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())
    heard.answers[:], heard.headers = [429], {"Retry-After": "900"}
    now = utc_now()

    tell(store, now)

    [one] = deliveries(store, number)
    assert one.next_at is not None
    assert one.next_at - now == timedelta(seconds=900)


def test_a_redirect_is_not_followed(store: Roll, heard: Receiver) -> None:
    with receiver() as elsewhere:
        heard.headers = {"Location": elsewhere.url}
        heard.answers[:] = [302]
        _, number = hook(store, heard.url, "batch.finished")
        send_test(store.engine, number, asked())
        tell(store)

        assert elsewhere.calls == []
    assert [(one.state, one.error) for one in deliveries(store, number)] == [("waiting", "HTTP 302")]


def test_a_webhook_goes_with_its_deliveries(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    send_test(store.engine, number, asked())

    drop_webhook(store.engine, number, asked())
    tell(store)

    assert (heard.calls, store.one("SELECT count(*) FROM deliveries")) == ([], 0)


# ── where they may go ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[::127.0.0.1]/x",
        "https://[fec0::1]/x",
        "https://224.0.0.1/x",
        "https://192.0.0.8/x",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x",
        "https://0.0.0.0/x",
        "http://8.8.8.8/x",
    ],
)
def test_private_addresses_and_plain_http_are_refused_with_the_setting_that_allows_them(roll: Roll, url: str) -> None:
    settings = settings_of(roll, webhook_networks="")

    with pytest.raises(WrongField, match="PADRON_WEBHOOK_NETWORKS") as refused:
        create_webhook(roll.engine, settings, WebhookForm(url, ("batch.finished",)), asked())

    assert refused.value.field == "url"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pass@8.8.8.8/x",
        "https://8.8.8.8\\@127.0.0.1/x",
        "ftp://8.8.8.8/x",
        "file:///etc/passwd",
        "https://",
        "nonsense",
        "https://8.8.8.8:99999/x",
        "https://[::1/x",
    ],
)
def test_addresses_that_two_readers_understand_otherwise_are_refused(roll: Roll, url: str) -> None:
    with pytest.raises(WrongField, match="https://host/path"):
        create_webhook(roll.engine, settings_of(roll), WebhookForm(url, ("batch.finished",)), asked())


def test_an_address_that_is_no_longer_allowed_is_not_called(roll: Roll, heard: Receiver) -> None:
    _, number = hook(roll, heard.url, "batch.finished")
    send_test(roll.engine, number, asked())

    send_due(roll.engine, settings_of(roll, webhook_networks=""), utc_now)

    assert heard.calls == []
    [one] = deliveries(roll, number)
    assert "PADRON_WEBHOOK_NETWORKS" in str(one.error)


def certificate(folder: Path, name: str) -> Path:
    """A certificate for this name that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(utc_now() - timedelta(days=1))
    made = made.not_valid_after(utc_now() + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    path = folder / f"{name}.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(("name", "error"), [("localhost", None), ("elsewhere.example", "SSLError")])
def test_the_certificate_must_be_of_the_host_that_was_named(roll: Roll, name: str, error: str | None) -> None:
    path = certificate(roll.folder, name)
    networks = "127.0.0.1,::1"
    with receiver(path) as heard:
        settings = settings_of(roll, webhook_ca_file=path, webhook_networks=networks)
        _, made = create_webhook(roll.engine, settings, WebhookForm(heard.url, ("batch.finished",)), asked())
        send_test(roll.engine, made.id, asked())

        send_due(roll.engine, settings, utc_now)

        [one] = deliveries(roll, made.id)
        assert (one.error, len(heard.calls)) == (error, 0 if error else 1)
        if not error:
            assert heard.calls[0].headers["host"] == heard.url.split("/")[2]


def test_an_event_that_there_is_not_is_refused(roll: Roll, heard: Receiver) -> None:
    with pytest.raises(WrongField, match=r"no event 'contact\.eaten'.*batch\.finished"):
        hook(roll, heard.url, "contact.eaten")
    with pytest.raises(WrongField, match="at least one"):
        hook(roll, heard.url)


def test_what_was_before_an_event_was_asked_for_is_not_told(store: Roll, heard: Receiver) -> None:
    _, number = hook(store, heard.url, "batch.finished")
    store.import_text("correo\nana@example.org\n")
    edit_webhook(store.engine, settings_of(store), number, {"events": ("contact.created",)}, asked())
    store.import_text("correo\neva@example.org\n")

    assert make_contact_events(store.engine, utc_now()) == 1


def test_a_webhook_whose_network_is_no_longer_allowed_can_still_be_switched_off(roll: Roll, heard: Receiver) -> None:
    _, number = hook(roll, heard.url, "batch.finished")

    changed = edit_webhook(roll.engine, settings_of(roll, webhook_networks=""), number, {"is_active": False}, asked())

    assert not changed.is_active
    with pytest.raises(WrongField):
        edit_webhook(roll.engine, settings_of(roll, webhook_networks=""), number, {"is_active": True}, asked())


@pytest.mark.parametrize("key", ["", "abc"])
def test_a_damaged_key_is_named(roll: Roll, key: str) -> None:
    settings = settings_of(roll)
    settings.home.mkdir()
    (settings.home / "secret.key").write_text(key)

    with pytest.raises(WrongKey, match=r"secret\.key holds no key"):
        encrypt(settings, "x")
