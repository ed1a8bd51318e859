"""The three-way merge of one field of a contact and its record. Pure: the same inputs give the same verdict.

The base holds, for each pair of fields, what we had and what the CRM stored when both last agreed; with a third
element, what we had still has to be written there. A side has changed where it differs from its base, so that the
CRM's own way of writing a value never looks like an edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipelines.lenses import Lens, Unreadable, Value
from pipelines.words import tag_form
from schemas.crm import MISSING
from schemas.mappings import Direction, FieldPair, Policy

Action = Literal["same", "keep", "pull", "push", "both", "park", "skip"]
Winner = Literal["local", "remote", "merged", "open"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A pair of fields as the merge needs it."""

    name: str
    local: str
    remote: tuple[str, ...]
    lens: Lens
    direction: Direction
    policy: Policy
    first_link: Policy
    then: Policy
    order: Sequence[str]
    reasserts: bool
    ignores_nulls: bool
    on_create: bool
    pair: FieldPair


@dataclass(frozen=True, slots=True)
class Marks:
    """When and by whom each side was changed last, as far as it is known, for the policies that ask."""

    local_at: datetime | None = None
    local_source: str = "local"
    remote_at: datetime | None = None
    remote_source: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A conflict: what stood on each side, and who won by which policy. Nothing of it is thrown away."""

    local: Value
    remote: Any
    winner: Winner
    policy: Policy


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a field: `value` is what both sides have afterwards."""

    action: Action
    value: Value = None
    lost: Lost | None = None
    reason: str = ""


Base = Sequence[Any] | None


def merge_field(rule: Rule, here: Value, raw: Any, read: Value | Unreadable, base: Base, marks: Marks) -> Verdict:
    """Compare the value here with the CRM's (`raw`, and as the lens read it), against the base."""
    if raw is MISSING:
        return Verdict("skip", reason="missing")
    if isinstance(read, Unreadable):
        return Verdict("park", reason=read.code)
    if rule.lens.same(here, read):
        return Verdict("same", here)
    if rule.policy == "most_restrictive" and rule.lens.is_yes_or_no:
        return _tightened(rule, bool(here), bool(read))
    if rule.ignores_nulls and (here is None or read is None):
        return _one_way(rule, here) if read is None else _pulled(rule, read)
    if rule.policy == "never_overwrite_nonempty" and here is None:
        return _pulled(rule, read)
    if rule.policy == "never_overwrite_nonempty":
        return _one_way(rule, here) if read is None else _filled(rule, here, raw, base)
    if base is None:
        return _first(rule, here, raw, read, marks)
    return _against(rule, here, raw, read, base, marks)


def _against(rule: Rule, here: Value, raw: Any, read: Value, base: Sequence[Any], marks: Marks) -> Verdict:
    is_owed = len(base) > 2
    changed_here = is_owed or not rule.lens.same(here, kept(base[0]))
    changed_there = raw != base[1] and not rule.lens.same(read, rule.lens.get_one(base[1]))
    if rule.lens.is_set and rule.policy == "union" and (changed_here or changed_there):
        return _joined(rule, here, read, kept(base[0]))
    if changed_here and changed_there:
        return _resolved(rule, rule.policy, here, raw, read, marks)
    if changed_there:
        return _pulled(rule, read) if rule.direction != "out" else _drifted(rule, here)
    if changed_here:
        return _one_way(rule, here) if rule.direction != "in" else _drifted(rule, read)
    return Verdict("keep", reason="agreed")


def kept(value: Any) -> Value:
    """A value as the base has it, which JSON took for a list."""
    return tuple(value) if isinstance(value, list) else value


def _first(rule: Rule, here: Value, raw: Any, read: Value, marks: Marks) -> Verdict:
    """Before there is a base: what is empty is filled."""
    if here is None:
        return _pulled(rule, read)
    if read is None:
        return _one_way(rule, here)
    if rule.lens.is_set and rule.first_link == "union":
        return _joined(rule, here, read, None)
    return _resolved(rule, rule.first_link, here, raw, read, marks)


def _filled(rule: Rule, here: Value, raw: Any, base: Base) -> Verdict:
    """Both have something, which stays; said once, while no base tells that it was said."""
    lost = None if base is not None and base[1] == raw else Lost(here, raw, "open", rule.policy)
    return Verdict("keep", lost=lost, reason=rule.policy)


def _pulled(rule: Rule, read: Value) -> Verdict:
    return Verdict("pull", read, reason="remote") if rule.direction != "out" else Verdict("keep", reason="direction")


def _one_way(rule: Rule, here: Value) -> Verdict:
    return Verdict("push", here, reason="local") if rule.direction != "in" else Verdict("keep", reason="direction")


def _drifted(rule: Rule, value: Value) -> Verdict:
    """The side that is not listened to has changed."""
    if not rule.reasserts:
        return Verdict("keep", reason="direction")
    return Verdict("push" if rule.direction == "out" else "pull", value, reason="reassert")


def _tightened(rule: Rule, here: bool, read: bool) -> Verdict:
    if read and not here:
        return _pulled(rule, True)
    return _one_way(rule, here)


def _joined(rule: Rule, here: Value, read: Value, before: Value) -> Verdict:
    """Sets: what either side added is added, what either side took away is taken away."""
    mine, theirs, base = (_by_form(one) for one in (here, read, before))
    wanted = {**theirs, **mine}
    gone = {form for form in base if form not in mine or form not in theirs}
    value: Value = tuple(wanted[form] for form in sorted(wanted) if form not in gone) or None
    return _to_sides(rule, value, here, read, None)


def _by_form(value: Value) -> Mapping[str, str]:
    return {tag_form(one): one for one in value} if isinstance(value, tuple) else {}


def _to_sides(rule: Rule, value: Value, here: Value, read: Value, lost: Lost | None) -> Verdict:
    """Bring a merged value to the sides that lack it and listen."""
    pulls = not rule.lens.same(value, here) and rule.direction != "out"
    pushes = not rule.lens.same(value, read) and rule.direction != "in"
    action: Action = "both" if pulls and pushes else "pull" if pulls else "push" if pushes else "keep"
    return Verdict(action, value, lost, "merged")


def _resolved(rule: Rule, policy: Policy, here: Value, raw: Any, read: Value, marks: Marks) -> Verdict:
    """A conflict: both sides have changed, or both had something before they were linked."""
    if rule.direction != "both":
        winner: Winner = "remote" if rule.direction == "in" else "local"
        return _won(rule, winner, policy, here, raw, read)
    match policy:
        case "local_wins" | "remote_wins":
            return _won(rule, "local" if policy == "local_wins" else "remote", policy, here, raw, read)
        case "newest_wins":
            newest = _newest(marks)
            return _by(rule, newest, policy, here, raw, read, marks)
        case "prefer_nonempty":
            if here is None or read is None:
                return _won(rule, "local" if read is None else "remote", policy, here, raw, read)
            return _then(rule, policy, here, raw, read, marks)
        case "source_order":
            first = _first_source(rule.order, marks)
            return _by(rule, first, policy, here, raw, read, marks)
        case "max" | "min" | "append" | "union" | "most_restrictive":
            value = _combined(policy, here, read)
            if value is None:
                return _then(rule, policy, here, raw, read, marks)
            return _to_sides(rule, value, here, read, Lost(here, raw, "merged", policy))
        case "never_overwrite_nonempty":
            if here is None or read is None:
                return _won(rule, "local" if read is None else "remote", policy, here, raw, read)
            return Verdict("keep", lost=Lost(here, raw, "open", policy), reason=policy)
        case "review":
            return Verdict("park", lost=Lost(here, raw, "open", policy), reason="review")


def _by(rule: Rule, winner: Winner | None, policy: Policy, here: Value, raw: Any, read: Value, marks: Marks) -> Verdict:
    if winner is None:
        return _then(rule, policy, here, raw, read, marks)
    return _won(rule, winner, policy, here, raw, read)


def _then(rule: Rule, policy: Policy, here: Value, raw: Any, read: Value, marks: Marks) -> Verdict:
    """The policy could not say: the one after it, and a person at the end."""
    following: Policy = rule.then if rule.then != policy else "review"
    return _resolved(rule, following, here, raw, read, marks)


def _won(rule: Rule, winner: Winner, policy: Policy, here: Value, raw: Any, read: Value) -> Verdict:
    lost = Lost(here, raw, winner, policy)
    return Verdict("push", here, lost, policy) if winner == "local" else Verdict("pull", read, lost, policy)


def _newest(marks: Marks) -> Winner | None:
    if marks.local_at is None or marks.remote_at is None or marks.local_at == marks.remote_at:
        return None
    return "local" if marks.local_at > marks.remote_at else "remote"


def _first_source(order: Sequence[str], marks: Marks) -> Winner | None:
    """Which side's source is named first; a person's edit here is `local`."""
    rank = {name: place for place, name in enumerate(order)}
    mine, theirs = (rank.get(name, len(rank)) for name in (marks.local_source, marks.remote_source))
    return None if mine == theirs else "local" if mine < theirs else "remote"


def _combined(policy: Policy, here: Value, read: Value) -> Value:
    """One value made of both; None where these two make none."""
    if policy == "append" and isinstance(here, str) and isinstance(read, str):
        return here if read in here else read if here in read else f"{here}\n{read}"
    if policy == "union" and isinstance(here, tuple | None) and isinstance(read, tuple | None):
        found = {**_by_form(read), **_by_form(here)}
        return tuple(found[form] for form in sorted(found)) or None
    if policy == "most_restrictive" and isinstance(here, bool) and isinstance(read, bool):
        return here or read
    if policy in ("max", "min") and type(here) is type(read) and isinstance(here, str | float):
        pick = max if policy == "max" else min
        return pick(here, read)  # type: ignore[type-var]  # both are text, or both are numbers
    return None
