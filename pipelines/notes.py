"""Notes that the team writes on contacts."""

from schemas.errors import InputError
from schemas.fields import LONG_TEXT_LIMIT
from schemas.operators import WrongField
from warehouse import audit, bulk, contact_details, contact_writes
from warehouse.audit import Asked
from warehouse.engines import Store, transaction


class NoSuchNote(InputError):
    """The contact has no note with this number."""


def add_note(store: Store, number: int, text: str, asked: Asked) -> int:
    """Write a note on a contact; its number."""
    kept = text.replace("\x00", "").strip()
    if not kept or len(kept) > LONG_TEXT_LIMIT:
        raise WrongField(
            "text",
            "length",
            f"A note has 1 to {LONG_TEXT_LIMIT} characters.",
            f"Una nota tiene de 1 a {LONG_TEXT_LIMIT} caracteres.",
        )
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        contact_details.living(connection, number)
        note = contact_writes.add_note(connection, number, kept, asked)
        contact_writes.add_change(connection, number, "update", {"note": [None, kept]}, asked)
        audit.add_entry(connection, asked, "contacts:note", f"contact:{number}", None, {"note": note})
    return note


def drop_note(store: Store, number: int, note: int, asked: Asked) -> None:
    """Take a note away; the history keeps what it said."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        contact_details.living(connection, number)
        text = contact_writes.drop_note(connection, number, note)
        if text is None:
            raise NoSuchNote(
                f"Contact {number} has no note {note}.", f"El contacto {number} no tiene ninguna nota {note}."
            )
        contact_writes.add_change(connection, number, "update", {"note": [text, None]}, asked)
        audit.add_entry(connection, asked, "contacts:note", f"contact:{number}", {"note": note}, None)
