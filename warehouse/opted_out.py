"""Whether one contact may be written to: what the view `opted_out` says of it, asked by its own addresses only."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, union_all

from schemas.consents import REACHED_BY
from warehouse.matches import OWN
from warehouse.tables import consents, contact_keys, contacts, opted_out_addresses

_ALL = "all"


def opted_out_channels(connection: Connection, contact: Mapping[str, Any]) -> list[str]:
    """The channels by which this living contact, a row of `contacts`, may not be written to."""
    c = consents.c
    own = select(c.channel).where(c.contact_id == contact["id"], c.state == "out")
    found = set(connection.execute(own).scalars())
    for kind, value in _addresses(connection, contact):
        said = set(connection.execute(_said_of(kind, value)).scalars())
        found.update(channel for channel in REACHED_BY[kind] if said & {channel, _ALL})
    return sorted(found)


def _addresses(connection: Connection, contact: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where the contact is written to: its own keys, and the shared ones that stand in its phone and e-mail."""
    found = [(kind, contact[f"{kind}_match"]) for kind in REACHED_BY if contact[f"{kind}_match"]]
    k = contact_keys.c
    shared = select(k.kind, k.value).where(k.contact_id == contact["id"], k.role == "shared", k.kind.in_(REACHED_BY))
    for kind, value in connection.execute(shared):
        is_written = contact["phone"] and not contact["phone_match"] if kind == "phone" else contact["email"] == value
        if is_written:
            found.append((kind, value))
    return found


def _said_of(kind: str, value: str) -> Any:
    """The channels that any holder of an address opted out of."""
    c, k, a = consents.c, contact_keys.c, opted_out_addresses.c
    owners = (
        select(c.channel)
        .join_from(consents, contacts, contacts.c.id == c.contact_id)
        .where(OWN[kind] == value, c.state == "out", contacts.c.deleted_at.is_(None))
    )
    holders = (
        select(c.channel)
        .join_from(contact_keys, consents, c.contact_id == k.contact_id)
        .where(k.kind == kind, k.value == value, c.state == "out")
    )
    return union_all(owners, holders, select(a.channel).where(a.kind == kind, a.value == value))
