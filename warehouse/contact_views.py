"""Contacts as sync sees them, many at a time: the values that a mapping names, and the number of the last change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from schemas.fields import CUSTOM
from schemas.mappings import BLOCKED, OPT_OUT
from warehouse import bulk
from warehouse.contact_lists import tags_of, values_of
from warehouse.tables import consents, contact_changes, contacts


@dataclass(frozen=True, slots=True)
class View:
    """A contact: `version` is its last change; `values` are what a mapping can name, as JSON has them."""

    id: int
    version: int
    status: str
    is_living: bool
    merged_into: int | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """Whether the contact is one that is worked with: neither deleted nor put away."""
        return self.is_living and self.status != "archived"


def views_of(connection: Connection, ids: Sequence[int], names: Iterable[str], days: frozenset[str]) -> dict[int, View]:
    """The contacts with these numbers, deleted ones too. `days` are the custom fields that hold days without a time."""
    if not ids:
        return {}
    wanted = frozenset(names)
    rows = connection.execute(select(contacts).where(bulk.is_among(connection, contacts.c.id, ids))).all()
    versions = versions_of(connection, ids)
    tagged = tags_of(connection, ids) if "tags" in wanted else {}
    custom = values_of(connection, ids) if any(name.startswith(CUSTOM) for name in wanted) else {}
    out = _opted_out(connection, ids) if any(name.startswith(OPT_OUT) for name in wanted) else {}
    found: dict[int, View] = {}
    for row in rows:
        one = row._mapping
        number = int(one["id"])
        mine = custom.get(number, {})
        values = {name: _value(name, one, mine, tagged.get(number), out.get(number, ()), days) for name in wanted}
        is_living = one["deleted_at"] is None
        found[number] = View(number, versions.get(number, 0), one["status"], is_living, one["merged_into"], values)
    return found


def _value(
    name: str,
    row: Mapping[Any, Any],
    custom: Mapping[str, Any],
    tags: Sequence[str] | None,
    out: Iterable[str],
    days: frozenset[str],
) -> Any:
    if name.startswith(CUSTOM):
        return _plain(custom.get(name.removeprefix(CUSTOM)), name in days)
    if name.startswith(OPT_OUT):
        return name.removeprefix(OPT_OUT) in out
    if name == BLOCKED:
        return row["status"] == "blocked"
    if name == "tags":
        return tuple(tags) if tags else None
    return row[name]


def _plain(value: Any, is_day: bool) -> Any:
    if isinstance(value, datetime):
        return value.date().isoformat() if is_day else value.isoformat()
    if isinstance(value, list):
        return tuple(value)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def versions_of(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """The number of the last change of each contact."""
    c = contact_changes.c
    query = select(c.contact_id, func.max(c.id)).where(bulk.is_among(connection, c.contact_id, ids))
    return dict(connection.execute(query.group_by(c.contact_id)).all())


def _opted_out(connection: Connection, ids: Sequence[int]) -> dict[int, set[str]]:
    c = consents.c
    query = select(c.contact_id, c.channel).where(bulk.is_among(connection, c.contact_id, ids), c.state == "out")
    found: dict[int, set[str]] = {}
    for contact, channel in connection.execute(query):
        found.setdefault(contact, set()).add(channel)
    return found


def changes_since(connection: Connection, ids: Sequence[int], since: int) -> dict[int, dict[str, tuple[datetime, str]]]:
    """When and by whom each field of these contacts was changed last, among the changes after one."""
    c = contact_changes.c
    query = select(c.contact_id, c.at, c.actor, c.diff).where(
        bulk.is_among(connection, c.contact_id, ids), c.id > since, c.diff.is_not(None)
    )
    found: dict[int, dict[str, tuple[datetime, str]]] = {}
    for contact, at, actor, diff in connection.execute(query.order_by(c.id)):
        found.setdefault(contact, {}).update(dict.fromkeys(diff or (), (at, actor)))
    return found
