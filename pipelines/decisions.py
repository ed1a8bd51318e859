"""What is to be done with a contact and its record. Pure: links, views and records come in, decisions go out."""

from collections.abc import Mapping
from typing import Any

from pipelines.field_merge import Base, Marks, Rule, Verdict, kept, merge_field
from pipelines.lenses import Unreadable, Value
from pipelines.pairs import Decision, Merging, Reads, here, is_flag, put_fields, says_nothing, stored
from schemas.crm import MISSING, Record
from schemas.mappings import BLOCKED
from warehouse.contact_views import View
from warehouse.links import Link


def decide(
    link: Link, view: View | None, record: Record | None, reads: Reads, merging: Merging, marks: Mapping[str, Marks]
) -> Decision:
    """What to do with a link, its contact and its record, as they are now; None is what is not there."""
    if link.state == "erasing":  # where it answers as another record, that one is another person's
        is_own = record is not None and record.id == link.remote_id
        return Decision("erase_remote" if is_own else "forget", link, view, record)
    if link.state == "merged":
        return Decision("rest", link, view, record)
    if record is not None and record.id != link.remote_id:
        return Decision("merged", link, view, record, why=record.id)
    is_there = record is not None and not record.archived
    is_here = view is not None and view.is_there
    if link.state == "gone":
        return _returned(link, view, record if is_there else None, reads, merging)
    if link.state == "unlinked" or not (is_there or is_here):
        return Decision("rest" if link.state == "unlinked" else "forget", link, view, record)
    if view is not None and view.merged_into is not None:
        return Decision("unlink", link, view, record, why="merged_here")
    if not is_there and view is not None:
        return _gone_there(link, view, record, reads, merging)
    if not is_here and record is not None:
        return _gone_here(link, view, record, reads, merging)
    assert view is not None and record is not None
    return merge(link, view, record, reads, merging, marks)


def merge(
    link: Link | None, view: View, record: Record, reads: Reads, merging: Merging, marks: Mapping[str, Marks]
) -> Decision:
    """The fields of a contact and its record, each by its rule."""
    found = Decision("merge" if link else "adopt", link, view, record, contact=view.id)
    base = dict(link.base or {}) if link else {}
    for rule in merging.rules:
        if rule.on_create:
            continue
        raw, read = reads[rule.name]
        mine = here(rule, view)
        verdict = merge_field(rule, mine, raw, read, base.get(rule.name), marks.get(rule.name, Marks()))
        found.before[rule.name] = found.before[rule.local or rule.name] = [mine, None if raw is MISSING else raw]
        _take(found, rule, verdict, mine, raw, base)
    found.base = {name: base[name] for name in (pair.name for pair in merging.mapping.fields) if name in base}
    if link and not (found.pull or found.push):
        found.action = "none"
    return found


def _take(found: Decision, rule: Rule, verdict: Verdict, mine: Value, raw: Any, base: dict[str, Any]) -> None:
    """Let a verdict into the decision, and into the base as it is before anything is sent."""
    if verdict.lost is not None:
        found.lost[rule.name] = verdict.lost
    match verdict.action:
        case "same":
            base[rule.name] = [stored(mine), raw]
            found.agreed.append(rule.name)
        case "park":
            found.parked[rule.name] = verdict.reason
        case "pull":
            found.pull[rule.local] = verdict.value
            base[rule.name] = [stored(verdict.value), raw]
        case "push" | "both":
            fields = put_fields(rule, verdict.value, raw)
            if isinstance(fields, Unreadable):
                found.parked[rule.name] = fields.code
                return
            if verdict.action == "both":
                found.pull[rule.local] = verdict.value
            found.push[rule.name] = verdict.value
            found.patch |= fields
            base[rule.name] = [stored(mine), raw, 1]
        case "keep":
            if verdict.reason == "never_overwrite_nonempty" and verdict.lost is not None:
                base[rule.name] = [stored(mine), raw]
        case "skip":
            pass


def is_edited_here(link: Link, view: View, merging: Merging) -> bool:
    """Whether the contact has something that the record was not told of; a field that never agreed tells nothing."""
    base = link.base or {}
    for rule in merging.rules:
        if rule.direction == "in" or rule.on_create or not rule.local:
            continue
        known: Base = base.get(rule.name)
        mine = here(rule, view)
        if known is None:
            if not base and not says_nothing(rule, mine):
                return True
        elif len(known) > 2 or not rule.lens.same(mine, kept(known[0])):
            return True
    return False


def is_edited_there(link: Link, reads: Reads, merging: Merging) -> bool:
    """Whether the record has something that the contact was not told of."""
    base = link.base or {}
    for rule in merging.rules:
        raw, read = reads[rule.name]
        if rule.direction == "out" or rule.on_create or raw is MISSING or isinstance(read, Unreadable):
            continue
        known: Base = base.get(rule.name)
        if known is None:
            if not base and not says_nothing(rule, read):
                return True
        elif raw != known[1] and not rule.lens.same(read, rule.lens.get_one(known[1])):
            return True
    return False


def _gone_there(link: Link, view: View, record: Record | None, reads: Reads, merging: Merging) -> Decision:
    rules = merging.mapping.delete
    found = Decision("wait", link, view, record, contact=view.id)
    if record is not None:  # what an archived record says against writing to somebody still counts
        found.pull = {rule.local: True for rule in merging.rules if _tightens(rule, view, reads[rule.name][1])}
    if merging.is_adrift:
        found.why = "adrift"
        return found
    if is_edited_here(link, view, merging) and rules.conflict != "delete_wins":
        found.action, found.why = ("recreate", "edited_here") if rules.conflict == "edit_wins" else ("wait", "review")
        return found
    found.action, found.why = rules.on_remote, "gone_there"
    if found.is_destructive and (view.status == "blocked" or BLOCKED in found.pull):
        found.action = "unlink"  # a block is not put away by anybody but a person
    return found


def _tightens(rule: Rule, view: View, read: Value | Unreadable) -> bool:
    return is_flag(rule) and rule.direction != "out" and read is True and not here(rule, view)


def _gone_here(link: Link, view: View | None, record: Record, reads: Reads, merging: Merging) -> Decision:
    rules = merging.mapping.delete
    found = Decision("wait", link, view, record, contact=link.contact_id)
    if merging.is_adrift:
        found.why = "adrift"
        return found
    if is_edited_there(link, reads, merging) and rules.conflict != "delete_wins":
        if rules.conflict == "review":
            found.why = "review"
            return found
        if view is not None and view.is_living:
            return _as_restored(link, view, record, reads, merging)
        found.action, found.why = ("release" if rules.on_local == "archive_remote" else "unlink"), "edited_there"
        return found
    found.action = "archive_remote" if rules.on_local == "archive_remote" else "unlink"
    found.why = "gone_here"
    return found


def _as_restored(link: Link, view: View, record: Record, reads: Reads, merging: Merging) -> Decision:
    found = merge(link, view, record, reads, merging, {})
    found.action, found.why = "restore_local", "edited_there"
    return found


def _returned(link: Link, view: View | None, record: Record | None, reads: Reads, merging: Merging) -> Decision:
    """A record that was gone: it may have been taken out of the CRM's bin, or the hint may be late."""
    if record is None or link.why != "gone_there" or view is None or not view.is_living or view.status != "archived":
        return Decision("rest", link, view, record)
    return _as_restored(link, view, record, reads, merging)


# ── a record, or a contact, without a link ───────────────────────────────────────────────────────────────────────


def new_local(record: Record, reads: Reads, merging: Merging) -> Decision:
    """A record that nobody here is: a contact is made of what can be read of it."""
    found = Decision("create_local", None, None, record, why="new_there")
    for rule in merging.rules:
        raw, read = reads[rule.name]
        if raw is MISSING or rule.on_create:
            continue
        if isinstance(read, Unreadable):
            found.parked[rule.name] = read.code
            continue
        if rule.direction != "out" and rule.local:
            if not says_nothing(rule, read):
                found.pull[rule.local] = read
            found.base[rule.name] = [stored(read), raw]
            found.before[rule.local] = [None, raw]
    return found


def new_remote(view: View, merging: Merging, link: Link | None = None) -> Decision:
    """A contact that the CRM does not have: a record is made of what goes there."""
    found = Decision("create_remote", link, view, None, why="new_here", contact=view.id)
    for rule in merging.rules:
        mine = here(rule, view)
        if rule.direction == "in" or says_nothing(rule, mine):
            continue
        fields = put_fields(rule, mine, MISSING)
        if isinstance(fields, Unreadable):
            found.parked[rule.name] = fields.code
            continue
        found.push[rule.name] = mine
        found.patch |= {name: value for name, value in fields.items() if value is not None}
    return found
