"""Writing one contact by hand: its columns, values and tags, and the change that tells of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, or_, select, update

from schemas.consents import EVERY_CHANNEL
from schemas.fields import FieldType, field_type
from warehouse import bulk, roll
from warehouse.audit import Asked
from warehouse.matches import OWN
from warehouse.tables import (
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    notes,
    opted_out_addresses,
    tags,
)


def owner_of(connection: Connection, kind: str, value: str) -> tuple[int, str | None] | None:
    """The living contact that owns a key, with its name."""
    k = contact_keys.c
    held = select(k.contact_id).where(k.value == value, k.kind == kind, k.role == "owner")
    owns: ColumnElement[bool] = contacts.c.id.in_(held)
    if kind in OWN:
        owns = or_(OWN[kind] == value, owns)
    query: Select[Any] = select(contacts.c.id, contacts.c.display_name).where(owns, contacts.c.deleted_at.is_(None))
    row = connection.execute(query.limit(1)).first()
    return (int(row[0]), row[1]) if row else None


def swap_key(connection: Connection, number: int, kind: str, value: str) -> None:
    """Where the contact had this as a further key, let the one that is its own now take that place."""
    k = contact_keys.c
    gone = delete(contact_keys).where(k.contact_id == number, k.kind == kind, k.value == value)
    if connection.execute(gone.returning(k.value)).first() is None:
        return
    query = select(OWN[kind], contacts.c[kind]).where(contacts.c.id == number, OWN[kind].is_not(None))
    for form, written in connection.execute(query).all():
        values = {"contact_id": number, "kind": kind, "value": form, "written": written, "role": "owner"}
        connection.execute(insert(contact_keys).values(**values))


def add_contact(connection: Connection, values: Mapping[str, Any]) -> int:
    number = bulk.take_ids(connection, "contacts", 1)
    connection.execute(insert(contacts).values(id=number, **values))
    return number


def set_contact(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Set columns of a contact; a file row that was applied to it no longer stands as it was."""
    changed = {**values, "version": contacts.c.version + 1, "applied": None}
    connection.execute(update(contacts).where(contacts.c.id == number).values(**changed))


def fields_by_key(connection: Connection) -> dict[str, tuple[int, FieldType]]:
    """The numbers and types of the custom fields in use."""
    f = custom_fields.c
    found = connection.execute(select(f.key, f.id, f.type, f.options).where(f.archived_at.is_(None)))
    return {str(key): (int(number), field_type(kind, options)) for key, number, kind, options in found}


def set_value(connection: Connection, number: int, field: int, slot: str, value: Any) -> None:
    """Put a custom value in the place of the one there is; None takes it away."""
    v = contact_values.c
    connection.execute(delete(contact_values).where(v.contact_id == number, v.field_id == field))
    if value is not None:
        connection.execute(insert(contact_values).values(contact_id=number, field_id=field, **{slot: value}))


def set_tags(connection: Connection, number: int, wanted: Mapping[str, str]) -> tuple[list[int], list[int]]:
    """Let the contact have exactly these tags (form → name); the numbers of those taken away, and of those added."""
    t = contact_tags.c
    had = set(connection.execute(select(t.tag_id).where(t.contact_id == number)).scalars())
    new = set(roll.tag_ids(connection, wanted).values())
    gone, added = sorted(had - new), sorted(new - had)
    if gone:
        connection.execute(delete(contact_tags).where(t.contact_id == number, t.tag_id.in_(gone)))
    if added:
        connection.execute(insert(contact_tags), [{"contact_id": number, "tag_id": one} for one in added])
    return gone, added


def tag_names(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    query = select(tags.c.id, tags.c.name).where(tags.c.id.in_(list(numbers)))
    return {int(number): str(name) for number, name in connection.execute(query)}


def consent_of(connection: Connection, number: int, channel: str, purpose: str) -> tuple[str, datetime] | None:
    """What a person said, and when."""
    c = consents.c
    where = (c.contact_id == number, c.channel == channel, c.purpose == purpose)
    row = connection.execute(select(c.state, c.at).where(*where)).first()
    return (str(row[0]), row[1]) if row else None


def set_consent(connection: Connection, number: int, channel: str, purpose: str, values: Mapping[str, Any]) -> None:
    """Put what a person said in the place of what they said before."""
    c = consents.c
    where = (c.contact_id == number, c.channel == channel, c.purpose == purpose)
    connection.execute(delete(consents).where(*where))
    connection.execute(insert(consents).values(contact_id=number, channel=channel, purpose=purpose, **values))


def lift_opt_outs(connection: Connection, addresses: Iterable[tuple[str, str]], channel: str) -> None:
    """Forget what was kept of these phones and e-mails: that of a channel, or everything for `all`."""
    a = opted_out_addresses.c
    for kind, value in addresses:
        gone = delete(opted_out_addresses).where(a.kind == kind, a.value == value)
        connection.execute(gone if channel == EVERY_CHANNEL else gone.where(a.channel == channel))


def add_note(connection: Connection, number: int, text: str, asked: Asked) -> int:
    note = bulk.take_ids(connection, "notes", 1)
    values = {"contact_id": number, "text": text, "actor": asked.actor, "at": asked.at}
    connection.execute(insert(notes).values(id=note, **values))
    return note


def drop_note(connection: Connection, number: int, note: int) -> str | None:
    """Take a note of a contact away; what it said, None where there is no such note."""
    n = notes.c
    gone = delete(notes).where(n.contact_id == number, n.id == note).returning(n.text)
    return connection.execute(gone).scalar()


def add_change(
    connection: Connection, number: int, operation: str, diff: Mapping[str, Any] | None, asked: Asked
) -> None:
    """Tell in the contact's history who changed what; segments, webhooks and CRMs read it there."""
    row = bulk.take_ids(connection, "contact_changes", 1)
    values = {"id": row, "contact_id": number, "actor": asked.actor, "at": asked.at, "operation": operation}
    connection.execute(insert(contact_changes).values(**values, diff=diff))
