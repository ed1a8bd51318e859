"""Records that no link knows: who of the contacts they are, or that nobody is.

A phone alone proves no person, so that it also wants names that agree; an e-mail does.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import pyarrow as pa
from sqlalchemy import Connection

from pipelines.aliases import match_form
from pipelines.decisions import merge, new_local
from pipelines.keys import KEYS
from pipelines.lenses import Unreadable, Value
from pipelines.names import names_agree
from pipelines.pairs import Decision, Merging, Reads, read_records
from pipelines.suppression import Suppressed
from pipelines.sync_scope import fits_there, in_scope
from pipelines.sync_work import Work
from schemas.crm import Record
from warehouse import links, matches
from warehouse.contact_views import View, views_of
from warehouse.links import Link


@dataclass(slots=True)
class _Newcomer:
    """A record, what is read of it, and the keys it has (by kind)."""

    record: Record
    reads: Reads
    name: str | None
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Roll:
    """Who holds the newcomers' keys; which of these contacts are linked already, and whom the mapping is about."""

    owners: Mapping[tuple[str, str], tuple[int, str | None]]
    linked: Mapping[int, Link]
    views: Mapping[int, View]
    inside: Set[int]


def match_records(
    connection: Connection, work: Work, records: Sequence[Record], reads: Sequence[Reads], suppressed: Suppressed
) -> list[Decision]:
    """What to do with each record: adopt a contact, make one, leave it alone, or ask."""
    newcomers = _newcomers(work.merging, records, reads)
    roll = _roll(connection, work, newcomers)
    seen: dict[tuple[str, str], _Newcomer] = {}
    found = []
    for one in newcomers:
        decision = _refused(one, work.merging, suppressed) or _decide(one, work, roll, seen)
        if decision.action in ("adopt", "create_local"):
            for key in one.keys.items():
                seen.setdefault(key, one)
        if decision.action == "adopt" and decision.view is not None:
            work.claimed.add(decision.view.id)
        found.append(decision)
    return found


def _newcomers(merging: Merging, records: Sequence[Record], reads: Sequence[Reads]) -> list[_Newcomer]:
    found = [_Newcomer(record, values, _name(merging, values)) for record, values in zip(records, reads, strict=True)]
    for rule in merging.rules:
        if rule.local not in ("phone", "email"):
            continue
        texts = [_text(one.reads[rule.name][1]) for one in found]
        forms = match_form(pa.array(texts, pa.string())).to_pylist() if rule.local == "phone" else texts
        for one, form in zip(found, forms, strict=True):
            if form:
                one.keys[rule.local] = form
    return found


def _text(value: Value | Unreadable) -> str | None:
    return value if isinstance(value, str) else None


def _name(merging: Merging, reads: Reads) -> str | None:
    by_local = {rule.local: _text(reads[rule.name][1]) for rule in merging.rules}
    parts = " ".join(filter(None, (by_local.get("first_name"), by_local.get("last_name"))))
    return by_local.get("display_name") or parts or None


def _roll(connection: Connection, work: Work, newcomers: Sequence[_Newcomer]) -> _Roll:
    owners = _owners(connection, [key for one in newcomers for key in one.keys.items()])
    ids = sorted({contact for contact, _ in owners.values()})
    views = views_of(connection, ids, work.merging.locals, work.merging.days)
    inside = in_scope(connection, work, [view.id for view in views.values() if view.is_there])
    return _Roll(owners, links.links_of_contacts(connection, work.number, ids), views, inside)


def _owners(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, str | None]]:
    """The living contacts that own these keys, with their names."""
    if not keys:
        return {}
    kinds, values = zip(*keys, strict=True)
    columns = [pa.array(range(len(keys)), pa.int64()), pa.array(kinds, pa.string()), pa.array(values, pa.string())]
    held = matches.find_matches(connection, pa.Table.from_arrays(columns, schema=KEYS))
    names = ("kind", "value", "contact_id", "role", "display_name")
    rows = zip(*(held[one].to_pylist() for one in names), strict=True)
    return {(kind, value): (int(contact), name) for kind, value, contact, role, name in rows if role == "owner"}


def holders_of(connection: Connection, keys: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of the keys that a living contact owns."""
    return frozenset(_owners(connection, keys))


def owner_of(connection: Connection, merging: Merging, record: Record) -> int | None:
    """The contact that a record is, by its keys."""
    one = _newcomers(merging, [record], read_records(merging.rules, [record]))[0]
    owners = _owners(connection, list(one.keys.items()))
    return next((found[0] for kind in merging.mapping.match if (found := _owner(one, kind, owners))), None)


def _owner(
    one: _Newcomer, kind: str, owners: Mapping[tuple[str, str], tuple[int, str | None]]
) -> tuple[int, str | None] | None:
    """Who owns a key of a newcomer, if that makes them one person."""
    found = owners.get((kind, one.keys.get(kind, "")))
    return found if found is not None and (kind == "email" or names_agree(one.name, found[1])) else None


def _refused(one: _Newcomer, merging: Merging, suppressed: Suppressed) -> Decision | None:
    """Who is not taken in whatever they match: the archived, those out of scope, and those who were erased."""
    if one.record.archived:
        return Decision("rest", record=one.record, why="archived_there")
    if not fits_there(merging, one.record):
        return Decision("ignore", record=one.record, why="scope")
    if any(suppressed.has(kind, value) for kind, value in one.keys.items()):
        return Decision("ignore", record=one.record, why="erased")
    return None


def _decide(one: _Newcomer, work: Work, roll: _Roll, seen: Mapping[tuple[str, str], _Newcomer]) -> Decision:
    for kind in work.merging.mapping.match:
        key = (kind, one.keys.get(kind, ""))
        twin = seen.get(key)
        if twin is not None and (kind == "email" or names_agree(one.name, twin.name)):
            return Decision("ambiguous", record=one.record, why=f"twin {twin.record.id}")
        if owner := _owner(one, kind, roll.owners):
            return _adopted(one, work, roll, owner[0])
    if work.merging.mapping.create not in ("both", "local"):
        return Decision("ignore", record=one.record, why="not_created")
    return new_local(one.record, one.reads, work.merging)


def _adopted(one: _Newcomer, work: Work, roll: _Roll, contact: int) -> Decision:
    view, link = roll.views[contact], roll.linked.get(contact)
    if contact in work.claimed or (link is not None and link.state == "active"):
        other = link.remote_id if link and link.remote_id else "?"
        return Decision("ambiguous", record=one.record, contact=contact, why=f"twin {other}")
    if link is not None and link.state == "creating" and work.crm.capabilities.create != "unsafe":
        return Decision("wait", record=one.record, contact=contact, why="creating")
    if link is not None and link.state == "unlinked":
        return Decision("ignore", record=one.record, contact=contact, why="unlinked")
    if not view.is_there:
        return Decision("ignore", record=one.record, contact=contact, why="archived_here")
    if contact not in roll.inside:
        return Decision("ignore", record=one.record, contact=contact, why="scope")
    found = merge(None, view, one.record, one.reads, work.merging, {})
    found.link = link
    return found
