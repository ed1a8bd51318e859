"""Headers and cells that say whether a person may be written to."""

import pytest

from schemas.consents import consent_said, status_says_out
from schemas.headers import header_target
from schemas.reports import say_not_taken


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
        ("No recibir publicidad", "opt_out.all"),
        ("No deseo recibir publicidad", "opt_out.all"),
        ("No recibe newsletter", "opt_out.email"),
        ("Não aceita e-mails", "opt_out.email"),
        ("Sin consentimiento email", "opt_out.email"),
        ("Marketing permission revoked", "opt_out.all"),
        ("Email (opt out)", "opt_out.email"),
        ("Teléfono (no llamar)", "opt_out.phone"),
        ("Correo (baja)", "opt_out.email"),
        ("Opt out email and SMS", "opt_out.all"),
        ("No contactar por teléfono ni correo", "opt_out.all"),
        ("Unsubscribed from campaign emails", "opt_out.email"),
        ("Opted out of email: Other", "opt_out.email"),
        ("Do not call or fax", "opt_out.phone"),
        ("Fecha de baja", "opt_out.all"),
        ("Dado de baja", "opt_out.all"),
        ("Lista negra", "opt_out.all"),
        ("Suscrito al boletín", "opt_in.email"),
        ("No participar en correo electrónico", "opt_out.email"),
        ("Autoriza habeas data", "data_consent"),
        ("Autorización tratamiento de datos", "data_consent"),
        ("no participacion de correo electronico", "opt_out.email"),
        ("exclusion de correo electronico", "opt_out.email"),
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
        "Motivo de baja",
        "Terms accepted",
        "Acepta términos y condiciones",
        "Contact source",
        "Unsubscribe link",
        "Last SMS consent update",
        "Field Manager",
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
        ("pendiente", None, "unclear", None),
        ("bounced", None, "out", "out"),
        ("opt-out", None, "out", "out"),
        ("opted_out", None, "out", "out"),
        ("do_not_contact", None, "out", "out"),
        ("no autorizo", None, "out", "out"),
        ("no, gracias", None, "unclear", "out"),
        ("not interested", None, "out", "out"),
        ("ya no", None, "unclear", "out"),
        ("nunca contactar", None, "out", "out"),
        ("baja pendiente", None, "out", "out"),
        ("pending unsubscribe", None, "out", None),
        ("not opted out", None, None, None),
        ("opt-in", None, None, "in"),
        ("hmm", None, "unclear", "unclear"),
    ],
)
def test_a_cell_says_in_or_out(text: str, yes: bool | None, opt_out: str | None, opt_in: str | None) -> None:
    assert (consent_said(text, yes, "opt_out"), consent_said(text, yes, "opt_in")) == (opt_out, opt_in)


def test_a_status_can_say_that_a_person_opted_out() -> None:
    assert [status_says_out(text) for text in ("unsubscribed", "Opt-out".lower(), "do-not-contact")] == [True] * 3
    assert [status_says_out(text) for text in ("prospecto", "not opted out", "contactado")] == [False] * 3


@pytest.mark.parametrize(
    "header",
    [
        *("Suscripción cancelada", "Suscripción anulada a todos los correos", "Marketing opt-in removed"),
        *("Darse de baja de todos los correos", "Cancelación de suscripción a todos los correos electrónicos"),
        *("No enviar mails", "Newsletter cancelado", "Sin suscripción", "Rechaza publicidad", "No suscrito"),
        *("Consentimiento revocado", "Consentimiento retirado", "Cancelou inscrição em todos os e-mails"),
        *("Assinatura cancelada", "Subscription cancelled", "No mail", "Baja mail", "Recusa publicidade"),
    ],
)
def test_a_consent_that_ended_is_an_opt_out(header: str) -> None:
    target = header_target(header)

    assert target is not None
    assert target.startswith("opt_out.")


@pytest.mark.parametrize("header", ["Suscripto", "Email Subscribed", "Status para comunicação por email"])
def test_other_words_of_opt_ins(header: str) -> None:
    target = header_target(header)

    assert target is not None
    assert target.startswith("opt_in.")


def test_a_header_that_sounds_of_consent_and_is_not_understood_is_said_to_be_looked_at() -> None:
    said = say_not_taken(["Cargo", "Suscripción trimestral"])
    assert "Mire si «Suscripción trimestral» dice quién se dio de baja" in said.es
    assert "See whether «Suscripción trimestral» says who opted out" in said.en
    assert "opted out" not in say_not_taken(["Job title"]).en


@pytest.mark.parametrize(
    "header",
    [
        *("Rechazo crédito", "Rechazos pago", "Rechazada por", "Recusou proposta", "Dada de baja por"),
        *("Estado de la comunicación", "Suscripción mensual", "Suscripción no cancelada", "Inscrição cancelada"),
    ],
)
def test_what_is_about_something_else_says_nothing_of_consent(header: str) -> None:
    assert not (header_target(header) or "").startswith("opt_")


@pytest.mark.parametrize("header", ["Recibe mails", "Acepta mails"])
def test_mails_are_e_mails(header: str) -> None:
    assert header_target(header) == "opt_in.email"
