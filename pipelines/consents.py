"""Consent by hand: what a person said to being written to, on a channel, for a purpose. Only people say yes again."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.consents import EVERY_CHANNEL, MARKETING
from schemas.fields import CHANNELS
from schemas.operators import WrongField, plain_name
from warehouse import audit, bulk, contact_details, contact_writes, removals
from warehouse.audit import Asked
from warehouse.engines import Store, transaction

STATES = ("in", "out")
_PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST_SOURCE, _FUTURE = 300, timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ConsentForm:
    """What was said (`in` or `out`), of which channel or of `all`, for what, where it was said, and when."""

    channel: str
    state: str
    source: str
    purpose: str = MARKETING
    at: datetime | None = None


def set_consent(store: Store, number: int, form: ConsentForm, asked: Asked) -> None:
    """Keep what a person said. A yes also lifts what rows of files had said of the contact's own addresses."""
    source, at = _checked(form, asked), form.at or asked.at
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        contact_details.living(connection, number)
        standing = contact_writes.consent_of(connection, number, form.channel, form.purpose)
        had = standing[0] if standing else None
        if standing and standing[0] == "out" and form.state == "in" and at < standing[1]:
            raise WrongField(
                "at",
                "older",
                f"The person said no later, on {standing[1]:%Y-%m-%d}.",
                f"La persona dijo que no después, el {standing[1]:%Y-%m-%d}.",
            )
        values = {"state": form.state, "at": at, "source": source, "batch_id": None}
        contact_writes.set_consent(connection, number, form.channel, form.purpose, values)
        if form.state == "in" and form.purpose == MARKETING:
            addresses = removals.addresses_of(connection, [number]).get(number, [])
            contact_writes.lift_opt_outs(connection, addresses, form.channel)
        name = f"consent.{form.channel}" if form.purpose == MARKETING else f"consent.{form.channel}.{form.purpose}"
        contact_writes.set_contact(connection, number, {})
        contact_writes.add_change(connection, number, "update", {name: [had, form.state]}, asked)
        said = {"channel": form.channel, "purpose": form.purpose, "state": form.state}
        before = {**said, "state": had}
        audit.add_entry(connection, asked, "contacts:consent", f"contact:{number}", before, said)


def _checked(form: ConsentForm, asked: Asked) -> str:
    """The source, once all of it can be meant."""
    allowed = (*CHANNELS, EVERY_CHANNEL)
    for name, said, known in (("channel", form.channel, allowed), ("state", form.state, STATES)):
        if said not in known:
            listed = ", ".join(known)
            raise WrongField(name, "unknown", f"{name} is one of {listed}.", f"{name} es uno de {listed}.")
    if not _PURPOSE.fullmatch(form.purpose):
        raise WrongField(
            "purpose",
            "invalid",
            "A purpose is a word in small letters, such as marketing.",
            "Una finalidad es una palabra en minúsculas, como marketing.",
        )
    source = plain_name("source", form.source)
    if not source or len(source) > _LONGEST_SOURCE:
        raise WrongField(
            "source",
            "length",
            f"Say where the person said so, in at most {_LONGEST_SOURCE} characters.",
            f"Diga dónde lo dijo la persona, en {_LONGEST_SOURCE} caracteres como mucho.",
        )
    if form.at is not None and form.at > asked.at + _FUTURE:
        raise WrongField("at", "invalid", "That has not come yet.", "Esa fecha aún no ha llegado.")
    return source
