"""Setting a new password by a link: the page behind it, and the mail that brings it."""

import email
import re
from collections.abc import Iterator
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope

from pipelines.new_passwords import make_reset_link
from tests import servers
from tests.admin.api.conftest import Endpoint, serve
from tests.browser import Browser
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
NEW = "cuatro perros sin collar"


class Mailbox:
    """What a mail server on this machine was given."""

    def __init__(self) -> None:
        self.mails: list[Message] = []

    async def handle_DATA(  # noqa: N802 (the server asks for this name)
        self, _server: Any, _session: Any, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def smtp_url(mailbox: Mailbox) -> Iterator[str]:
    def know(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"ana", b"a:b"))

    port = servers.free_port()
    server = Controller(
        mailbox, hostname="127.0.0.1", port=port, authenticator=know, auth_require_tls=False, auth_required=True
    )
    server.start()
    yield f"smtp://ana:a%3Ab@127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def mailing(roll: Roll, smtp_url: str) -> Iterator[Endpoint]:
    """The endpoint where mail is set up."""
    settings = {"mail_from": "padron@example.org", "public_url": "https://padron.example.org/", "language": "es"}
    yield from serve(roll, smtp_url=smtp_url, **settings)


def test_the_link_comes_by_mail_and_works_once(mailing: Endpoint, mailbox: Mailbox) -> None:
    admin = mailing.someone("administrator")
    number = mailing.operator("luis@example.org", "auditor")

    sent = mailing.call("POST", f"/api/operators/{number}/reset-link?by_mail=true", admin)
    [mail] = mailbox.mails
    found = re.search(r"https://padron\.example\.org/reset#(\S+)", str(mail.get_payload(decode=True), "utf-8"))

    assert (sent.status_code, sent.json()) == (201, {"secret": None, "link": None, "mailed_to": "luis@example.org"})
    assert (mail["From"], mail["To"]) == ("padron@example.org", "luis@example.org")
    assert mail["Subject"] == "Padrón: nueva contraseña"
    assert found is not None
    body = {"secret": found.group(1), "password": NEW, "confirmation": NEW}
    answers = [mailing.call("POST", "/api/password-resets", json=body).status_code for _ in range(2)]
    assert answers == [204, 409]
    assert mailing.sign_in("luis@example.org", NEW)


def test_without_a_mail_server_the_setting_is_named(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")

    refused = endpoint.call("POST", "/api/operators/1/reset-link?by_mail=true", admin)

    assert (refused.status_code, "PADRON_SMTP_URL" in refused.json()["detail"]) == (409, True)


@pytest.mark.slow  # the client waits for its whole patience after a refused password
@pytest.mark.parametrize("user", ["ana:wrong", "eva:a%3Ab"])
def test_a_mail_server_that_refuses_is_said_without_the_password(roll: Roll, smtp_url: str, user: str) -> None:
    for endpoint in serve(roll, smtp_url=smtp_url.replace("ana:a%3Ab", user)):
        admin = endpoint.someone("administrator")

        refused = endpoint.call("POST", "/api/operators/1/reset-link?by_mail=true", admin)

        assert (refused.status_code, refused.json()["code"]) == (503, "mail_not_sent")
        assert "127.0.0.1 did not take the message" in refused.json()["detail"]
        assert user.split(":")[1] not in refused.text


def test_mail_that_leaves_this_machine_goes_by_tls_or_not_at_all(roll: Roll, smtp_url: str, mailbox: Mailbox) -> None:
    away = smtp_url.replace("127.0.0.1", "0.0.0.0")  # the same server, at an address that is not this machine's own
    for endpoint in serve(roll, smtp_url=away):
        admin = endpoint.someone("administrator")

        refused = endpoint.call("POST", "/api/operators/1/reset-link?by_mail=true", admin)

        assert (refused.status_code, mailbox.mails) == (503, [])


def test_the_page_speaks_the_callers_language_and_runs_its_own_script_only(endpoint: Endpoint) -> None:
    spanish = endpoint.call("GET", "/reset", headers={"Accept-Language": "es-CO,es;q=0.9"})
    english = endpoint.call("GET", "/reset", headers={"Accept-Language": "en"})

    assert (spanish.headers["Content-Type"], "Contraseña nueva" in spanish.text) == ("text/html; charset=utf-8", True)
    assert '<html lang="en">' in english.text
    policy = spanish.headers["Content-Security-Policy"]
    assert re.search(r"script-src 'sha256-[\w+/=]+';", policy)
    assert "unsafe" not in policy


def test_the_link_that_is_shown_leads_to_the_page(endpoint: Endpoint) -> None:
    admin = endpoint.someone("administrator")

    found = endpoint.call("POST", "/api/operators/1/reset-link", admin).json()

    assert found["link"].endswith(f"/reset#{found['secret']}")


def test_the_page_sets_a_password_in_a_browser(endpoint: Endpoint, browser: Browser) -> None:
    number = endpoint.operator("luis@example.org", "auditor")
    secret = make_reset_link(endpoint.store.engine, number, Asked("test", utc_now()))
    browser.go(f"{endpoint.url}/reset#{secret}")

    title = browser.text("h1")
    browser.type("#password", NEW)
    browser.type("#confirmation", "otra cosa")
    browser.click("button")
    refused = browser.wait_for_text("[role=status]")
    browser.go(f"{endpoint.url}/reset?again#{secret}")
    browser.type("#password", NEW)
    browser.type("#confirmation", NEW)
    browser.click("button")
    done = browser.wait_for_text("[role=status]")

    assert (title, "no coincide" in refused or "igual" in refused) == ("Padrón · Contraseña nueva", True), refused
    assert "La contraseña está guardada" in done
    assert secret not in browser.address
    assert endpoint.sign_in("luis@example.org", NEW)


@pytest.mark.slow
def test_the_page_says_when_nobody_answers(endpoint: Endpoint, browser: Browser) -> None:
    browser.go(f"{endpoint.url}/reset#reset_none")
    browser.type("#password", NEW)
    browser.type("#confirmation", NEW)
    browser.cut_off()
    browser.click("button")

    assert "Padrón no responde" in browser.wait_for_text("[role=status]")


@pytest.mark.slow
def test_the_page_of_the_api_shows_every_route_without_the_internet(endpoint: Endpoint, browser: Browser) -> None:
    browser.go(f"{endpoint.url}/api/docs")

    assert "/api/sessions" in browser.wait_for_text("#page .opblock-summary-path")
    assert "https://" not in endpoint.call("GET", "/api/docs").text
