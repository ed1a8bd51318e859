"""What a CRM changes of contacts, written as a person's edit is.

But for one thing: a field that cannot be taken is told of and left as it is, and the others go on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, insert

from pipelines import edits
from pipelines.aliases import match_form
from pipelines.lenses import Value
from pipelines.suppression import Suppressed
from pipelines.texts import search_text
from schemas.consents import MARKETING
from schemas.fields import CHANNELS, CUSTOM
from schemas.mappings import BLOCKED, OPT_OUT
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import bulk, contact_details, contact_writes
from warehouse.audit import Asked
from warehouse.contact_views import View
from warehouse.tables import contact_changes, contact_keys, contacts

EXTERNAL = "external_id"
_KEYS = ("phone", "email")
_IN_USE = ("active", "inactive")
Values = Mapping[str, Value]


@dataclass(slots=True)
class Patched:
    """What came of a patch: the contact's number, the fields that changed, and why others were not taken."""

    contact: int
    changed: set[str] = field(default_factory=set)
    refused: dict[str, WrongField] = field(default_factory=dict)


def patch_contact(
    connection: Connection, settings: Settings, view: View, patch: Values, suppressed: Suppressed, asked: Asked
) -> Patched:
    """Change what is named of a living contact; callers hold the keys (`bulk.lock_keys`)."""
    done, contact = Patched(view.id), contact_details.living(connection, view.id)
    columns, diff = dict[str, Any](), dict[str, list[Any]]()
    for name, value in patch.items():
        try:
            if name.startswith(CUSTOM):
                key = name.removeprefix(CUSTOM)
                had = {key: _listed(view.values.get(name))}
                given = {key: _listed(value)}
                diff |= edits.set_custom(connection, settings.time_zone, view.id, given, had)
            elif name == "tags":
                diff |= edits.set_tags(connection, view.id, value if isinstance(value, tuple) else ())
            elif name.startswith(OPT_OUT):
                diff |= _opt_out(connection, view.id, name.removeprefix(OPT_OUT), asked)
            else:
                columns |= _column(connection, {**contact, **columns}, name, value, suppressed, asked)
        except WrongField as error:
            done.refused[name] = error
    columns |= edits.composed(contact, columns)
    shown = columns.keys() & {*edits.FIELDS}
    diff |= {name: [contact[name], columns[name]] for name in sorted(shown) if contact[name] != columns[name]}
    if diff:
        contact_writes.set_contact(connection, view.id, columns)
        contact_writes.add_change(connection, view.id, "update", diff, asked)
    done.changed = set(diff)
    return done


def _listed(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _opt_out(connection: Connection, number: int, channel: str, asked: Asked) -> dict[str, list[Any]]:
    """Keep that nobody may write there; what a person said before is in the history."""
    standing = contact_writes.consent_of(connection, number, channel, MARKETING)
    had = standing[0] if standing else None
    if had == "out":
        return {}
    values = {"state": "out", "at": asked.at, "source": asked.actor, "batch_id": None}
    contact_writes.set_consent(connection, number, channel, MARKETING, values)
    return {f"consent.{channel}": [had, "out"]}


def _column(
    connection: Connection, contact: Mapping[str, Any], name: str, value: Value, suppressed: Suppressed, asked: Asked
) -> dict[str, Any]:
    """The columns that a field sets; raises WrongField."""
    if name == BLOCKED or (name == "status" and value == "blocked"):
        if contact["status"] == "blocked" or not value:
            return {}
        return {"status": "blocked", "blocked_at": asked.at, "blocked_reason": asked.actor}
    if name == "status":
        _check_status(contact, value)
    if name == "channel" and value is not None and value not in CHANNELS:
        raise WrongField(
            name, "unknown", f"channel is one of {', '.join(CHANNELS)}.", f"channel es uno de {', '.join(CHANNELS)}."
        )
    found: dict[str, Any] = {name: value}
    if name in _KEYS:
        edits.check_reachable({**contact, name: value}, [*_further(connection, int(contact["id"]))])
        found |= edits.key_matches(connection, found, int(contact["id"]), suppressed)
    edits.check_channel({**contact, **found})
    return found


def _further(connection: Connection, number: int) -> Sequence[Mapping[str, Any]]:
    return contact_details.detail_of(connection, number).keys


def _check_status(contact: Mapping[str, Any], value: Value) -> None:
    if value not in _IN_USE or contact["status"] not in _IN_USE:
        raise WrongField(
            "status",
            "wrong_status",
            "A CRM turns active to inactive and back, or blocks; people do the rest.",
            "Un CRM pasa de activo a inactivo y al revés, o bloquea; lo demás lo hacen las personas.",
        )


# ── new ones ─────────────────────────────────────────────────────────────────────────────────────────────────────


def add_contacts(
    connection: Connection,
    settings: Settings,
    rows: Sequence[tuple[str, Values]],
    taken: frozenset[tuple[str, str]],
    asked: Asked,
) -> list[Patched]:
    """New contacts, each with the external id that it is known by there; `taken` keys stay with those who have them.

    Callers hold the keys, and know that none of the rows is of somebody erased.
    """
    if not rows:
        return []
    first = bulk.take_ids(connection, "contacts", len(rows))
    change = bulk.take_ids(connection, "contact_changes", len(rows))
    forms = match_form(pa.array([values.get("phone") for _, values in rows], pa.string())).to_pylist()
    done, own, keys, later = list[Patched](), list[dict[str, Any]](), list[dict[str, Any]](), list[Any]()
    mine: set[tuple[str, str]] = set()
    for at, ((external, values), form) in enumerate(zip(rows, forms, strict=True)):
        number, made = first + at, Patched(first + at, set(values))
        own.append(_row(number, values, asked))
        made.refused = _left_out(own[-1], values)
        for kind, value in (("phone", form), ("email", values.get("email"))):
            is_free = value is not None and (kind, str(value)) not in taken and (kind, str(value)) not in mine
            own[-1][f"{kind}_match"] = value if is_free else None
            if value is not None and not is_free:
                keys.append(_key(number, kind, str(value), values.get(kind), "shared"))
            mine.add((kind, str(value)))
        if form is None and values.get("email") is None:
            keys.append(_key(number, EXTERNAL, external, None, "owner"))
        later.append((made, values))
        done.append(made)
    _compose(own)
    connection.execute(insert(contacts), own)
    if keys:
        connection.execute(insert(contact_keys), keys)
    said = {"actor": asked.actor, "at": asked.at, "operation": "create"}
    listed = [{"id": change + at, "contact_id": first + at, **said} for at in range(len(rows))]
    connection.execute(insert(contact_changes), listed)
    for made, values in later:
        _add_belongings(connection, settings, made, values, asked)
    return done


def _row(number: int, values: Values, asked: Asked) -> dict[str, Any]:
    named = (*edits.NAMES, *edits.KEYS, *edits.TEXTS)
    row: dict[str, Any] = {name: values.get(name) for name in named}
    blocked = bool(values.get(BLOCKED)) or values.get("status") == "blocked"
    status = "blocked" if blocked else "inactive" if values.get("status") == "inactive" else "active"
    channel = values.get("channel")
    needs = channel in edits.NEED_A_PHONE and not row["phone"]
    return {
        **row,
        "id": number,
        "channel": channel if channel in CHANNELS and not needs else None,
        "status": status,
        "blocked_at": asked.at if blocked else None,
        "blocked_reason": asked.actor if blocked else None,
        "created_at": asked.at,
    }


def _left_out(row: Mapping[str, Any], values: Values) -> dict[str, WrongField]:
    """The words of the CRM that mean nothing here, or that cannot be of a contact without a phone."""
    said = {name: values.get(name) for name in ("channel", "status") if values.get(name) is not None}
    return {
        name: WrongField(name, "unknown", f"{name} {value!r} is not taken.", f"{name} {value!r} no se acepta.")
        for name, value in said.items()
        if value != row[name] and not (name == "status" and row[name] == "blocked")
    }


def _key(number: int, kind: str, value: str, written: Value, role: str) -> dict[str, Any]:
    return {"contact_id": number, "kind": kind, "value": value, "written": written, "role": role}


def _compose(rows: Sequence[dict[str, Any]]) -> None:
    """Fill in the whole names, and the texts that searches look through."""
    for row in rows:
        parts = " ".join(part for part in (row["first_name"], row["last_name"]) if part)
        row["display_name"] = row["display_name"] or parts or None
    columns = (pa.array([row[name] for row in rows], pa.string()) for name in ("display_name", "phone", "email"))
    for row, text in zip(rows, search_text(*columns).to_pylist(), strict=True):
        row["search_text"] = text


def _add_belongings(connection: Connection, settings: Settings, made: Patched, values: Values, asked: Asked) -> None:
    """Custom values, tags and opt-outs of a new contact."""
    for name, value in values.items():
        if value is None or (value is False and not name.startswith(CUSTOM)):
            continue
        try:
            if name.startswith(CUSTOM):
                edits.set_custom(
                    connection, settings.time_zone, made.contact, {name.removeprefix(CUSTOM): _listed(value)}, {}
                )
            elif name == "tags" and isinstance(value, tuple):
                edits.set_tags(connection, made.contact, value)
            elif name.startswith(OPT_OUT):
                _opt_out(connection, made.contact, name.removeprefix(OPT_OUT), asked)
        except WrongField as error:
            made.refused[name] = error
