"""Headers and cells that say whether a person may be written to."""

import pytest

from schemas.consents import consent_said, status_says_out
from schemas.headers import header_target


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("UNSUB_TIME", "opt_out.email"),
        ("CLEAN_TIME", "opt_out.email"),
        ("Do Not Call", "opt_out.phone"),
        ("DoNotCall", "opt_out.phone"),
        ("HasOptedOutOfEmail", "opt_out.email"),
        ("Opted out of email: Marketing Information", "opt_out.email"),
        ("Unsubscribed from all email", "opt_out.email"),
        ("Se canceló la suscripción a todos los correos", "opt_out.email"),
        ("Email Opt Out", "opt_out.email"),
        ("opt_out", "opt_out.all"),
        ("No contactar", "opt_out.all"),
        ("No llamar", "opt_out.phone"),
        ("Baja newsletter", "opt_out.email"),
        ("whatsapp_blacklisted", "opt_out.whatsapp"),
        ("Do not allow Bulk Emails", "opt_out.email"),
        ("Não perturbe", "opt_out.all"),
        ("¿Acepta publicidad?", "opt_in.all"),
        ("Acepta recibir promociones por WhatsApp", "opt_in.whatsapp"),
        ("Aceita receber e-mails", "opt_in.email"),
        ("Accepts SMS Marketing", "opt_in.sms"),
        ("Allow broadcast", "opt_in.whatsapp"),
        ("Marketing status", "opt_in.email"),
        ("Email permission status", "opt_in.email"),
        ("Suscrito", "opt_in.email"),
        ("Opt-in", "opt_in.all"),
    ],
)
def test_a_header_of_consent_is_known(header: str, target: str) -> None:
    assert header_target(header) == target


@pytest.mark.parametrize(
    "header",
    [
        "UNSUB_REASON",
        "UNSUB_CAMPAIGN_TITLE",
        "Fax Opt Out",
        "HasOptedOutOfFax",
        "Do not allow Mails",
        "Marketing contact status",
        "Fecha de baja",
        "Terms accepted",
        "Acepta términos y condiciones",
        "Contact source",
        "x" * 200_000,
    ],
)
def test_a_header_of_something_else_is_no_consent(header: str) -> None:
    assert header_target(header) is None


@pytest.mark.parametrize(
    ("text", "yes", "opt_out", "opt_in"),
    [
        ("yes", True, "out", "in"),
        ("no", False, None, "out"),
        ("2026-01-02 10:00:00", None, "out", "in"),
        ("03/04/2026", None, "out", "in"),
        ("unsubscribed", None, "out", "out"),
        ("no consent", None, "out", "out"),
        ("baja", None, "out", "out"),
        ("subscribed", None, None, "in"),
        ("confirmado", None, None, "in"),
        ("never subscribed", None, None, None),
        ("pendiente", None, None, None),
        ("bounced", None, "out", "out"),
        ("hmm", None, "unclear", "unclear"),
    ],
)
def test_a_cell_says_in_or_out(text: str, yes: bool | None, opt_out: str | None, opt_in: str | None) -> None:
    assert (consent_said(text, yes, "opt_out"), consent_said(text, yes, "opt_in")) == (opt_out, opt_in)


def test_a_status_can_say_that_a_person_opted_out() -> None:
    assert [status_says_out(text) for text in ("unsubscribed", "opted out", "no contactar", "prospecto")] == [
        True,
        True,
        True,
        False,
    ]
