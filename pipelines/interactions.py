"""What happened with contacts, as chat platforms tell it: messages, replies, clicks; each is told once, however often.

A reply is told as `replied`, beside the message itself as `received`: what a reply is, the platform knows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.emails import normalise_email
from pipelines.keys import KEYS
from pipelines.spellings import phone_form
from schemas.fields import CHANNELS
from schemas.sentences import Sentence
from schemas.settings import Settings
from warehouse import bulk, interactions, matches, segments
from warehouse.audit import Asked
from warehouse.engines import Store, transaction

_KIND = re.compile(r"[a-z][a-z_]{0,39}")
REFUSALS = ("wrong_kind", "unknown_channel", "wrong_time", "no_such_contact")
"""The codes of what is not taken."""
_FIRST, _FUTURE = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1)
"""Clocks differ; what lies farther ahead is a mistake."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened, with the contact as the teller knows it: by number, phone, e-mail or the source's id."""

    id: str
    kind: str
    at: datetime
    contact: int | None = None
    phone: str | None = None
    email: str | None = None
    external_id: str | None = None
    channel: str | None = None
    ref: str | None = None
    actor: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not taken: its place among what was told, and why."""

    index: int
    code: str
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Taken:
    """How much was new, how much was known already, and what was refused."""

    taken: int
    known: int
    refused: Sequence[Refused]


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of each that was told, by its place: the contact, whether it was new, why it was refused."""

    owners: Sequence[int | None]
    new: frozenset[int]
    refused: Mapping[int, Refused]


def take_interactions(store: Store, settings: Settings, source: str, told: Sequence[Told], asked: Asked) -> Taken:
    """Note what a source tells; what is told again changes nothing, and what cannot be taken keeps no other back."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)  # imports write the same contacts, in another order
        noted = note_all(connection, settings.default_country or None, source, told, asked.at)
    known = len(told) - len(noted.refused) - len(noted.new)
    return Taken(len(noted.new), known, list(noted.refused.values()))


def note_all(connection: Connection, country: str | None, source: str, told: Sequence[Told], now: datetime) -> Noted:
    """Note what a source tells, in the caller's transaction, which holds the keys."""
    owners = _owners(connection, country, source, told)
    refused = {at: one for at, item in enumerate(told) if (one := _refused(at, item, owners[at], now))}
    taken = [at for at in range(len(told)) if at not in refused]
    rows = [_row(source, told[at], owners[at]) for at in taken]
    new = interactions.add_interactions(connection, rows)
    interactions.count_interactions(connection, [rows[place] for place in new])
    return Noted(owners, frozenset(taken[place] for place in new), refused)


def _row(source: str, item: Told, contact: int | None) -> dict[str, object]:
    text = item.text.replace("\x00", "") if item.text else None
    said = {"kind": item.kind, "ref": item.ref, "at": item.at, "channel": item.channel, "actor": item.actor}
    return {**said, "contact_id": contact, "source": source, "external_id": item.id, "text": text}


def _owners(connection: Connection, country: str | None, source: str, told: Sequence[Told]) -> list[int | None]:
    """The contact of each, None where nobody is meant or known."""
    living = segments.living_among(connection, [item.contact for item in told if item.contact is not None])
    keyed = [(at, *key) for at, item in enumerate(told) if (key := key_of(country, source, item))]
    keys = pa.Table.from_pylist([dict(zip(KEYS.names, one, strict=True)) for one in keyed], schema=KEYS)
    found = matches.find_matches(connection, keys)
    owned = found.filter(pc.equal(found["role"], "owner"))
    owners = dict(zip(owned["row"].to_pylist(), owned["contact_id"].to_pylist(), strict=True))
    return [item.contact if item.contact in living else owners.get(at) for at, item in enumerate(told)]


def key_of(country: str | None, source: str, item: Told) -> tuple[str, str] | None:
    """The key by which somebody is meant, where no number says it."""
    if item.contact is not None:
        return None
    if item.external_id:
        return "external_id", f"{source}:{item.external_id}"
    phone = phone_form(item.phone, country) if item.phone else None
    if phone:
        return "phone", phone
    email = normalise_email(item.email) if item.email else None
    return ("email", email) if email else None


def _refused(at: int, item: Told, contact: int | None, now: datetime) -> Refused | None:
    if not _KIND.fullmatch(item.kind):
        return _refuse(
            at,
            "wrong_kind",
            f"«{item.kind}» is no kind: small letters and _, such as received.",
            f"«{item.kind}» no es un tipo: minúsculas y _, como received.",
        )
    if item.channel is not None and item.channel not in CHANNELS:
        listed = ", ".join(CHANNELS)
        return _refuse(at, "unknown_channel", f"The channel is one of {listed}.", f"El canal es uno de {listed}.")
    if not _FIRST <= item.at <= now + _FUTURE:
        return _refuse(
            at,
            "wrong_time",
            "The time lies before 2000, or has not come yet.",
            "La fecha es anterior a 2000, o aún no ha llegado.",
        )
    if contact is None:
        return _refuse(
            at,
            "no_such_contact",
            "No contact has this number, phone, e-mail or id.",
            "Ningún contacto tiene ese número, teléfono, correo o id.",
        )
    return None


def _refuse(at: int, code: str, english: str, spanish: str) -> Refused:
    return Refused(at, code, Sentence(english, spanish))
