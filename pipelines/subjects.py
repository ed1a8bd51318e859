"""Everything that is held on one person, for the person: what the law calls a subject's access."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from schemas.fields import FIELDS
from warehouse import audit, contact_details, contact_lists
from warehouse.audit import Asked
from warehouse.contact_details import Change, Happening
from warehouse.engines import Store, reading, transaction

_AT_ONCE = 1_000
_FURTHER = (
    *("id", "blocked_at", "blocked_reason", "sent", "received", "replied"),
    *("last_sent_at", "last_received_at"),
)


def subject_of(store: Store, number: int, asked: Asked) -> dict[str, Any]:
    """All of it, by what it is; the audit tells who asked. Raises NoSuchContact."""
    with reading(store) as connection:
        detail = contact_details.detail_of(connection, number)
        happened, changes = list[Happening](), list[Change]()
        while found := contact_details.interactions_of(
            connection, number, _AT_ONCE, happened[-1].id if happened else None
        ):
            happened += found
        while more := contact_details.history_of(connection, number, _AT_ONCE, changes[-1].id if changes else None):
            changes += more
        own = (*(field.key for field in FIELDS if field.stored), *_FURTHER)
        document = {
            "contact": {name: detail.contact[name] for name in own if detail.contact[name] is not None},
            "custom": contact_lists.values_of(connection, [number], with_archived=True).get(number, {}),
            "keys": detail.keys,
            "tags": detail.tags,
            "notes": detail.notes,
            "consents": detail.consents,
            "opted_out": detail.opted_out,
            "segments": detail.segments,
            "segment_moves": contact_details.moves_of(connection, number),
            "interactions": [asdict(one) for one in happened],
            "history": [_plain(change) for change in changes],
            "file_rows": contact_details.file_rows_of(connection, number),
            "taken_at": asked.at,
        }
    with transaction(store) as connection:
        audit.add_entry(connection, asked, "contacts:export", f"contact:{number}")
    return document


def _plain(change: Change) -> Mapping[str, Any]:
    return {name: getattr(change, name) for name in Change.__slots__}
