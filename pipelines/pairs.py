"""Pairs of a contact and its record: what is read of each, what is decided, and the base on which they agree. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pipelines.field_merge import Lost, Marks, Rule, kept
from pipelines.lenses import Unreadable, Value
from schemas.crm import MISSING, Record
from schemas.mappings import Mapping as Rules
from warehouse.contact_views import View
from warehouse.links import Link

Action = Literal[
    "none",
    "rest",
    "merge",
    "adopt",
    "create_local",
    "create_remote",
    "archive_local",
    "archive_remote",
    "delete_local",
    "restore_local",
    "recreate",
    "erase_remote",
    "unlink",
    "release",
    "rejoin",
    "forget",
    "merged",
    "ambiguous",
    "ignore",
    "wait",
]
DESTRUCTIVE = frozenset({"archive_local", "archive_remote", "delete_local"})
"""What is counted against the cap on deletions; an erasure is a person's own word and is not."""
Reads = Mapping[str, tuple[Any, Value | Unreadable]]
"""By the name of a pair: the CRM's value, and what the lens reads in it."""


@dataclass(frozen=True, slots=True)
class Merging:
    """What the mapping says, ready for use; `source` is the connection's name."""

    rules: tuple[Rule, ...]
    mapping: Rules
    source: str
    is_adrift: bool = False

    @property
    def locals(self) -> frozenset[str]:
        """Every field here that is looked at."""
        found = {rule.local for rule in self.rules if rule.local}
        return frozenset(found | {name for rule in self.rules for name in template_fields(rule)})

    @property
    def days(self) -> frozenset[str]:
        """The fields here that hold days without a time."""
        return frozenset(rule.local for rule in self.rules if rule.lens.is_day)


@dataclass(slots=True)
class Decision:
    """What is to be done with one pair, and what the base is once it is done.

    `push` are values by the name of the pair; `patch` the same as the CRM's own fields. `seen` is the row of a record
    that was known by its id only; `version` the contact's last change once what is done here stands.
    """

    action: Action
    link: Link | None = None
    view: View | None = None
    record: Record | None = None
    pull: dict[str, Value] = field(default_factory=dict)
    push: dict[str, Value] = field(default_factory=dict)
    patch: dict[str, Any] = field(default_factory=dict)
    base: dict[str, list[Any]] = field(default_factory=dict)
    lost: dict[str, Lost] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)
    agreed: list[str] = field(default_factory=list)
    before: dict[str, list[Any]] = field(default_factory=dict)
    why: str = ""
    contact: int | None = None
    seen: Link | None = None
    version: int = 0

    @property
    def key(self) -> str:
        """What names the pair in a plan: the record, or the contact where there is none yet."""
        remote = self.record.id if self.record else self.link.remote_id if self.link else None
        return f"r:{remote}" if remote else f"c:{self.contact or (self.view.id if self.view else 0)}"

    @property
    def is_destructive(self) -> bool:
        return self.action in DESTRUCTIVE

    @property
    def changes(self) -> dict[str, Any]:
        """What it changes: by side and field, from what to what."""
        here = {name: [self.before.get(name, [None])[0], value] for name, value in self.pull.items()}
        there = {name: [self.before.get(name, [None, None])[1], value] for name, value in self.push.items()}
        return {"local": here, "remote": there, "conflicts": sorted(self.lost), "parked": dict(self.parked)}

    @property
    def fingerprint(self) -> str:
        """The same decision about the same values has the same one."""
        said = [self.key, self.action, self.contact, self.changes]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:32]


def read_records(rules: Sequence[Rule], records: Sequence[Record]) -> list[Reads]:
    """What the lenses read in each record, a field at a time."""
    columns = []
    for rule in rules:
        raws = [_raw(rule, record) for record in records]
        reads = rule.lens.get([None if raw is MISSING else raw for raw in raws])
        columns.append((rule.name, list(zip(raws, reads, strict=True))))
    return [{name: column[at] for name, column in columns} for at in range(len(records))]


def _raw(rule: Rule, record: Record) -> Any:
    if len(rule.remote) == 1:
        return record.value(rule.remote[0])
    raws = [record.value(name) for name in rule.remote]
    return MISSING if any(raw is MISSING for raw in raws) else raws


def here(rule: Rule, view: View) -> Value:
    """What the contact has for a rule: its field, or what a template makes of several."""
    if rule.pair.template is None or rule.local:
        return view.values.get(rule.local)
    text = rule.pair.template
    for name in template_fields(rule):
        text = text.replace(f"{{{name}}}", _shown(view.values.get(name)))
    return " ".join(text.split()) or None


def template_fields(rule: Rule) -> list[str]:
    """The fields that a template names in braces."""
    return rule.pair.template_fields if rule.pair.template is not None else []


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


def stored(value: Value) -> Any:
    """A value as JSON keeps it in the base."""
    return list(value) if isinstance(value, tuple) else value


def put_fields(rule: Rule, value: Value, raw: Any) -> dict[str, Any] | Unreadable:
    """A value as the CRM's fields have it."""
    current = None if raw is MISSING else raw
    if len(rule.remote) > 1 and not isinstance(current, list):
        current = [None] * len(rule.remote)
    found = rule.lens.put(value, current)
    if isinstance(found, Unreadable):
        return found
    return dict(zip(rule.remote, found, strict=True)) if len(rule.remote) > 1 else {rule.remote[0]: found}


# ── bases ────────────────────────────────────────────────────────────────────────────────────────────────────────


def base_of_sent(sent: Mapping[str, Any], reads: Reads, merging: Merging) -> dict[str, list[Any]]:
    """The base of a record that was made: what was sent, and what the CRM stored of it."""
    found: dict[str, list[Any]] = {}
    for rule in merging.rules:
        raw, read = reads[rule.name]
        if raw is MISSING or rule.on_create:
            continue
        if rule.name in sent:
            found[rule.name] = [sent[rule.name], raw]
        elif says_nothing(rule, read):
            found[rule.name] = [False if is_flag(rule) else None, raw]
    return found


def differs_from_sent(sent: Mapping[str, Any], reads: Reads, merging: Merging) -> dict[str, list[Any]]:
    """Where a record that was found late is not what was sent, as somebody may have edited it: the base as if not."""
    found: dict[str, list[Any]] = {}
    for rule in merging.rules:
        raw, read = reads[rule.name]
        if rule.name not in sent or raw is MISSING or rule.on_create:
            continue
        value = kept(sent[rule.name])
        then = put_fields(rule, value, MISSING)
        if not isinstance(then, Unreadable) and not isinstance(read, Unreadable) and not rule.lens.same(value, read):
            parts = [then[name] for name in rule.remote]
            found[rule.name] = [sent[rule.name], parts if len(parts) > 1 else parts[0]]
    return found


def is_flag(rule: Rule) -> bool:
    """Whether it is an opt-out or a block: no is what everybody has who said nothing."""
    return rule.lens.is_yes_or_no and rule.policy == "most_restrictive"


def says_nothing(rule: Rule, value: Value | Unreadable) -> bool:
    """Whether a value is none: 0 and a plain no are values, an opt-out that was not made is none."""
    return value is None or (value is False and is_flag(rule))


def base_after(found: Decision, reads: Reads, merging: Merging) -> dict[str, list[Any]]:
    """The base once the CRM has answered: of what was written, what it stored."""
    base = dict(found.base)
    for rule in merging.rules:
        raw, _ = reads.get(rule.name, (MISSING, None))
        if rule.name in found.push and raw is not MISSING:
            base[rule.name] = [stored(found.push[rule.name]), raw]
    return base


def moved_meanwhile(found: Decision, reads: Reads, merging: Merging) -> bool:
    """Whether the record that the CRM gave back has other changes than ours."""
    for rule in merging.rules:
        raw, _ = reads.get(rule.name, (MISSING, None))
        known = found.base.get(rule.name)
        if rule.name not in found.push and raw is not MISSING and known is not None and raw != known[1]:
            return True
    return False


def marks_of(merging: Merging, changes: Mapping[str, tuple[datetime, str]], record: Record | None) -> dict[str, Marks]:
    """When and by whom each side of each pair was changed last, as far as it is known."""
    found = {}
    for rule in merging.rules:
        at, actor = changes.get(_as_changed(rule.local), (None, "local"))
        source = actor.removeprefix("crm:") if actor.startswith("crm:") else "local"
        found[rule.name] = Marks(at, source, record.modified_at if record else None, merging.source)
    return found


def _as_changed(local: str) -> str:
    """The name under which the history has a field."""
    if local.startswith("opt_out."):
        return f"consent.{local.removeprefix('opt_out.')}"
    return "status" if local == "blocked" else local
