"""Webhooks: telling other systems what happened, as Standard Webhooks has it.

Each telling is a row until it was taken: it is signed, sent again with growing pauses for three days, then dead, which
is shown, and can be sent again by hand. An answer of 410 ends the webhook.
"""

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from connectors.outward import Answer, MayNotGo, NotAnswered, Reach, check_url, post
from pipelines.events import delivery
from pipelines.imports import Clock
from pipelines.secrets import WrongKey, decrypt, encrypt
from pipelines.versions import require_version
from schemas.errors import InputError
from schemas.events import EVENTS, OF_CONTACTS
from schemas.operators import WrongField, plain_name
from schemas.settings import Settings
from warehouse import audit, webhooks
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.webhooks import Delivery, NoSuchWebhook, Webhook

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""How long after each failed attempt the next one is made: 76 hours in all."""
_BELIEVED_LOST = timedelta(minutes=2)
_AT_ONCE, _MOST_WEBHOOKS = 4, 8
_A_WHILE = timedelta(seconds=20)
_OLD_SECRET_LASTS = timedelta(hours=24)
_TEST = "webhook.test"
_GONE = 410


@dataclass(frozen=True, slots=True)
class WebhookForm:
    """What is set of a webhook."""

    url: str
    events: tuple[str, ...]
    description: str = ""
    is_active: bool = True


def create_webhook(store: Store, settings: Settings, form: WebhookForm, asked: Asked) -> tuple[str, Webhook]:
    """A webhook, and the secret that its tellings are signed with, which is told this once."""
    _check_form(form)
    _check_url(settings, form)
    secret = _new_secret()
    values = {
        "url": form.url,
        "events": sorted(set(form.events)),
        "description": form.description,
        "secret": encrypt(settings, secret),
        "created_by": asked.actor,
        "created_at": asked.at,
    }
    with transaction(store) as connection:
        made = webhooks.add_webhook(connection, {**values, "last_change": webhooks.last_change(connection)})
        audit.add_entry(connection, asked, "webhooks:create", f"webhook:{made.id}", None, _told(made))
    return secret, made


def _check_form(form: WebhookForm) -> None:
    plain_name("description", form.description)
    plain_name("url", form.url)
    unknown = sorted(set(form.events) - EVENTS.keys())
    if unknown or not form.events:
        listed = ", ".join(EVENTS)
        raise WrongField(
            "events",
            "unknown",
            f"There is no event {unknown[0]!r}. Known: {listed}." if unknown else f"Name at least one of: {listed}.",
            f"No existe el evento {unknown[0]!r}. Hay: {listed}." if unknown else f"Indique al menos uno de: {listed}.",
        )


def _check_url(settings: Settings, form: WebhookForm) -> None:
    try:
        check_url(form.url, settings.allowed_networks)
    except MayNotGo as error:
        raise WrongField("url", "not_allowed", error.said("en"), error.said("es")) from error


def _told(webhook: Webhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in ("url", "events", "description", "is_active")}


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def find_webhook(store: Store, number: int) -> Webhook:
    """The webhook with this number; raises NoSuchWebhook."""
    with reading(store) as connection:
        return webhooks.get_webhook(connection, number)


def find_webhooks(store: Store) -> list[Webhook]:
    with reading(store) as connection:
        return webhooks.all_webhooks(connection)


def find_deliveries(
    store: Store, number: int, limit: int, *, state: str = "", before: int | None = None
) -> list[Delivery]:
    """What a webhook was told, or is to be, the newest first."""
    with reading(store) as connection:
        webhooks.get_webhook(connection, number)
        return webhooks.list_deliveries(connection, number, limit, state=state, before=before)


def edit_webhook(
    store: Store, settings: Settings, number: int, changes: Mapping[str, Any], asked: Asked, version: int | None = None
) -> Webhook:
    """Change what is named. One that is made active again is told of what happens from then on."""
    with reading(store) as connection:
        before = webhooks.get_webhook(connection, number)
    form = WebhookForm(**{**{name: getattr(before, name) for name in WebhookForm.__slots__}, **changes})
    _check_form(form)
    if form.url != before.url or (form.is_active and not before.is_active):
        _check_url(settings, form)
    with transaction(store) as connection:
        webhooks.lock_webhooks(connection)
        before = webhooks.get_webhook(connection, number)
        form = WebhookForm(**{**{name: getattr(before, name) for name in WebhookForm.__slots__}, **changes})
        require_version(version in (None, before.version), f"webhook {number}", f"el webhook {number}")
        values = {**{name: getattr(form, name) for name in WebhookForm.__slots__}, "events": sorted(set(form.events))}
        if form.is_active:
            values["disabled_because"] = None
        of_contacts = set(OF_CONTACTS)
        if (form.is_active and not before.is_active) or not of_contacts & set(before.events):
            values["last_change"] = webhooks.last_change(connection)
        webhooks.set_webhook(connection, number, values)
        after = webhooks.get_webhook(connection, number)
        audit.add_entry(connection, asked, "webhooks:edit", f"webhook:{number}", _told(before), _told(after))
    return after


def drop_webhook(store: Store, number: int, asked: Asked) -> None:
    """Remove a webhook with all its deliveries."""
    with transaction(store) as connection:
        before = webhooks.get_webhook(connection, number)
        webhooks.drop_webhook(connection, number)
        audit.add_entry(connection, asked, "webhooks:delete", f"webhook:{number}", _told(before))


def new_secret(store: Store, settings: Settings, number: int, asked: Asked) -> str:
    """Another secret; for a day everything is signed with the old one too."""
    secret = _new_secret()
    with transaction(store) as connection:
        before = webhooks.get_webhook(connection, number)
        until = asked.at + _OLD_SECRET_LASTS
        values = {"secret": encrypt(settings, secret), "old_secret": before.secret, "old_secret_until": until}
        webhooks.set_webhook(connection, number, values)
        audit.add_entry(connection, asked, "webhooks:secret", f"webhook:{number}")
    return secret


def send_test(store: Store, number: int, asked: Asked) -> None:
    """Tell a webhook of nothing, to see whether it is heard; whatever events it wants."""
    with transaction(store) as connection:
        webhook = webhooks.get_webhook(connection, number)
        _require_active(webhook)
        webhooks.add_deliveries(connection, [delivery(webhook, _TEST, {"asked_by": asked.actor}, asked.at)])
        audit.add_entry(connection, asked, "webhooks:test", f"webhook:{number}")


def _require_active(webhook: Webhook) -> None:
    if not webhook.is_active:
        raise InputError(
            f"Webhook {webhook.id} is not active. Make it active first.",
            f"El webhook {webhook.id} no está activo. Actívelo antes.",
        )


def replay(store: Store, number: int, asked: Asked, delivery_id: int | None = None) -> int:
    """Send dead deliveries again, one or all of a webhook; how many."""
    with transaction(store) as connection:
        _require_active(webhooks.get_webhook(connection, number))
        if delivery_id is not None:
            webhooks.get_delivery(connection, number, delivery_id)
        count = webhooks.replay(connection, number, asked.at, delivery_id)
        audit.add_entry(connection, asked, "webhooks:replay", f"webhook:{number}", None, {"deliveries": count})
    return count


# ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────


def send_due(store: Store, settings: Settings, clock: Clock) -> None:
    """Send what is due, to several webhooks at a time; what is left after a while waits for the next call."""
    with reading(store) as connection:
        numbers = webhooks.with_due(connection, clock())
    if numbers:
        with ThreadPoolExecutor(min(len(numbers), _MOST_WEBHOOKS), "webhooks") as pool:
            list(pool.map(lambda number: _send_to(store, settings, number, clock), numbers))


def _send_to(store: Store, settings: Settings, number: int, clock: Clock) -> None:
    """Send to one webhook, a few at a time, until one is not taken: whoever does not answer keeps nobody waiting."""
    began = clock()
    with transaction(store) as connection:
        webhook = webhooks.claim_webhook(connection, number, began, began + _BELIEVED_LOST)
    if webhook is None:
        return
    try:
        with suppress(NoSuchWebhook), ThreadPoolExecutor(_AT_ONCE, f"webhook {number}") as pool:  # it may be removed
            while clock() - began < _A_WHILE:
                now = clock()
                with transaction(store) as connection:
                    webhook = webhooks.get_webhook(connection, number)
                    due = webhooks.claim_deliveries(connection, number, now, now + _BELIEVED_LOST, _AT_ONCE)
                send = partial(_send, store, settings, webhook, clock)
                if not all(list(pool.map(send, due))) or not due:
                    break
    finally:
        with transaction(store) as connection:
            webhooks.release_webhook(connection, number, began + _BELIEVED_LOST)


def _send(store: Store, settings: Settings, webhook: Webhook, clock: Clock, one: Delivery) -> bool:
    """Try once; whether it was taken."""
    if not webhook.is_active:
        with transaction(store) as connection:
            webhooks.set_delivery(connection, one.id, {**_DEAD, "error": "not active"})
        return True
    now = clock()
    signing = [webhook.secret]
    if webhook.old_secret and webhook.old_secret_until and now < webhook.old_secret_until:
        signing.append(webhook.old_secret)
    answer, error = _post(webhook.url, one, signing, now, settings)
    status = answer.status if answer else None
    with transaction(store) as connection:
        if answer and 200 <= answer.status < 300:
            values = {"state": "sent", "sent_at": clock(), "next_at": None, "status": status, "error": None}
            webhooks.set_delivery(connection, one.id, values)
            return True
        if status == _GONE:
            webhooks.set_webhook(connection, webhook.id, {"is_active": False, "disabled_because": "410 Gone"})
        values = {"status": status, "error": error, **_next(one, answer, clock())}
        webhooks.set_delivery(connection, one.id, values if status != _GONE else {**values, **_DEAD})
    return False


def _post(
    url: str, one: Delivery, signing: Sequence[str], now: datetime, settings: Settings
) -> tuple[Answer | None, str | None]:
    """What came back, or why nothing did."""
    body, ca_file = one.body.encode(), settings.webhook_ca_file
    try:
        keys = [decrypt(settings, secret) for secret in signing]
        headers = {"Content-Type": "application/json", **signed(one.message_id, body, keys, now)}
        answer = post(url, body, headers, Reach(settings.allowed_networks, str(ca_file) if ca_file else None))
    except (MayNotGo, WrongKey) as error:
        return None, error.said(settings.language)
    except NotAnswered as error:
        return None, str(error)
    return answer, None if 200 <= answer.status < 300 else f"HTTP {answer.status}"


_DEAD: dict[str, Any] = {"state": "dead", "next_at": None}


def _next(one: Delivery, answer: Answer | None, now: datetime) -> dict[str, Any]:
    """When to try again; never more, once the pauses are used up."""
    if one.attempts > len(PAUSES):
        return _DEAD
    pause = PAUSES[one.attempts - 1] * random.uniform(1.0, 1.1)
    asked = min(timedelta(seconds=answer.wait or 0), PAUSES[-1]) if answer else timedelta(0)
    return {"next_at": now + max(pause, asked)}


def signed(message_id: str, body: bytes, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: who signs with several keys, the receiver may check by any."""
    stamp = str(int(now.timestamp()))
    content = b".".join((message_id.encode(), stamp.encode(), body))
    signatures = [
        base64.b64encode(hmac.digest(base64.b64decode(key.removeprefix("whsec_")), content, hashlib.sha256)).decode()
        for key in keys
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
