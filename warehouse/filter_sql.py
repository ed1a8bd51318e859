"""Conditions to SQL: sets of contacts, combined by INTERSECT, UNION and EXCEPT in flat CTEs.

`IN` and `NOT IN` are far slower where they do not fit in memory, and nested queries overflow SQLite's parser.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    column,
    except_,
    func,
    intersect,
    or_,
    select,
    text,
    true,
    union,
)

from schemas.conditions import (
    Asked,
    Between,
    Both,
    CameWith,
    Clock,
    Condition,
    During,
    Either,
    Everybody,
    Happened,
    InSegment,
    Known,
    Matches,
    Neither,
    OneOf,
    OptedIn,
    OptedOut,
    Tagged,
    TaggedOtherwise,
    leaves,
)
from warehouse.comparisons import Where, between, like, one_of
from warehouse.interactions import LAST_AT
from warehouse.matches import OWN
from warehouse.segment_tables import interactions, segment_members, segments
from warehouse.tables import (
    batches,
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    tags,
)

_AT_ONCE = 100
"""How many sets or conditions are joined at a time: both databases limit how deep or long that may be."""
_ALL = "all"
Ids = Select[tuple[int]]


@dataclass(frozen=True, slots=True)
class Names:
    """The numbers of what a condition names."""

    fields: Mapping[str, int]
    tags: Mapping[str, int]
    segments: Mapping[str, int]


def look_up(connection: Connection, condition: Condition) -> Names:
    """The numbers of the custom fields, tags and segments that a condition names; unknown ones are left out."""
    found = leaves(condition)
    forms = {form for leaf in found if isinstance(leaf, Tagged | TaggedOtherwise) for form in leaf.forms}
    named = {leaf.name for leaf in found if isinstance(leaf, InSegment)}
    keys = {asked.key for leaf in found if (asked := getattr(leaf, "field", None)) and asked.custom}
    return Names(
        _numbers(connection, custom_fields, "key", keys),
        _numbers(connection, tags, "form", forms),
        _numbers(connection, segments, "form", named),
    )


def _numbers(connection: Connection, table: Table, name: str, wanted: set[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    values = sorted(wanted)
    for start in range(0, len(values), 500):
        query = select(table.c[name], table.c.id).where(table.c[name].in_(values[start : start + 500]))
        found.update({str(value): int(number) for value, number in connection.execute(query)})
    return found


def matching(condition: Condition, clock: Clock, names: Names, among: Table | None = None) -> Ids:
    """The ids of the living contacts for which the condition holds; of those in the table `among` only, if given."""
    return _Compiler(clock, names, among).living(condition)


def moved_between(leaf: During | Happened, then: Clock, now: Clock, names: Names) -> list[Select[Any]]:
    """The contacts for whom an edge of time of this condition went by between two moments, whichever is later."""
    found: list[Select[Any]] = []
    is_day = isinstance(leaf, During) and leaf.field.is_day
    for edge in (leaf.start, leaf.end):
        if edge is None or not edge.moves:
            continue
        low, high = sorted(edge.on(clock, is_day=is_day) for clock in (then, now))
        if isinstance(leaf, Happened) and _is_last(leaf):
            moment = contacts.c[LAST_AT[leaf.kind]]
            found.append(select(contacts.c.id).where(moment >= low, moment <= high))
        elif isinstance(leaf, Happened):
            i = interactions.c
            where = [i.kind == leaf.kind, i.at >= low, i.at <= high]
            found.append(select(i.contact_id.label("id")).where(*where))
        elif leaf.field.custom:
            v = contact_values.c
            mine = v.field_id == names.fields.get(leaf.field.key, -1)
            found.append(select(v.contact_id.label("id")).where(mine, v.at >= low, v.at <= high))
        else:
            moment = contacts.c[leaf.field.key]
            found.append(select(contacts.c.id).where(moment >= low, moment <= high))
    return found


@dataclass(slots=True)
class _Compiler:
    clock: Clock
    names: Names
    among: Table | None
    count: int = field(default=0)

    def living(self, condition: Condition) -> Ids:
        """A condition on the columns of contacts is asked at once; else its set, without the dead, who are few."""
        if _is_own(condition):
            return self._own(condition)
        found = self._named(self._set(condition))
        dead = select(contacts.c.id).where(contacts.c.deleted_at.is_not(None)).cte("dead")
        dead = dead.prefix_with("MATERIALIZED", dialect="sqlite")
        kept: Ids = select(found.c.id).join_from(found, dead, dead.c.id == found.c.id, isouter=True)
        return kept.where(dead.c.id.is_(None))

    # ── sets ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _named(self, query: Any) -> Any:
        """The set as a CTE of its own."""
        self.count += 1
        return query.cte(f"s{self.count}")

    def _set(self, condition: Condition) -> Any:
        """A query of the ids, maybe of the dead too."""
        if _is_own(condition):
            return self._own(condition)
        match condition:
            case Both(parts):
                return self._both(parts)
            case Either(parts):
                own = [part for part in parts if _is_own(part)]
                rest = [self._set(part) for part in parts if not _is_own(part)]
                return self._joined(union, [self._own(Either(tuple(own))), *rest] if own else rest)
            case Neither(part):
                return self._without(self._own(Everybody()), [self._set(part)])
            case _:
                return self._leaf(condition)

    def _both(self, parts: Sequence[Condition]) -> Any:
        own = [part for part in parts if _is_own(part)]
        taken = [part.part for part in parts if isinstance(part, Neither) and not _is_own(part)]
        rest = [part for part in parts if not _is_own(part) and not isinstance(part, Neither)]
        valued = _by_field(part for part in rest if _is_valued(part))
        sets = [self._by_value(asked, of_it) for asked, of_it in valued.items()]
        sets += [self._set(part) for part in rest if not _is_valued(part)]
        if own or not sets:
            sets.insert(0, self._own(Both(tuple(own))))
        found = self._joined(intersect, sets)
        return self._without(found, [self._set(part) for part in taken]) if taken else found

    def _without(self, found: Any, others: list[Any]) -> Any:
        return self._joined(except_, [found, *others])

    def _joined(self, how: Callable[..., Any], sets: list[Any]) -> Any:
        """The sets in one, a limited number at a time; for EXCEPT the first without all the others."""
        if len(sets) == 1:
            return sets[0]
        found, *rest = sets
        for start in range(0, len(rest), _AT_ONCE):
            part = [found, *rest[start : start + _AT_ONCE]]
            found = how(*(select(self._named(one).c.id) for one in part))
        return found

    def _own(self, condition: Condition) -> Ids:
        """What only asks the columns of contacts, in one look at them."""
        query = select(contacts.c.id).where(_LIVING, self._where(condition))
        return query if self.among is None else query.where(contacts.c.id.in_(select(self.among.c.id)))

    # ── columns of contacts ──────────────────────────────────────────────────────────────────────────────────────

    def _where(self, condition: Condition) -> Where:
        match condition:
            case Everybody():
                return true()
            case Both(parts):
                return _many(and_, [self._where(part) for part in parts])
            case Either(parts):
                return _many(or_, [self._where(part) for part in parts])
            case Neither(part):
                return self._where(part).is_not(true())
            case Known(asked):
                return contacts.c[asked.key].is_not(None)
            case OneOf(asked, values, how):
                return one_of(contacts.c[asked.key], values, how)
            case Matches(asked, pattern):
                return like(contacts.c[asked.key], pattern)
            case Between() as limits:
                return between(contacts.c[limits.field.key], limits)
            case During() as during:
                return self._during(contacts.c[during.field.key], during)
            case Happened(kind) as happened:
                moment = contacts.c[LAST_AT[kind]]
                return and_(moment.is_not(None), self._during(moment, happened))
            case _:
                raise TypeError(f"{condition} asks more than the columns of contacts")

    def _during(self, moment: ColumnElement[Any], during: During | Happened) -> Where:
        parts = []
        is_day = isinstance(during, During) and during.field.is_day
        if during.start is not None:
            parts.append(moment >= during.start.on(self.clock, is_day=is_day))
        if during.end is not None:
            parts.append(moment < during.end.on(self.clock, is_day=is_day))
        return and_(true(), *parts)

    # ── other tables ─────────────────────────────────────────────────────────────────────────────────────────────

    def _leaf(self, condition: Condition) -> Any:
        match condition:
            case OneOf(Asked(kind="phone" | "email" as kind), values):
                return self._by_key(kind, values)
            case Known(asked) | OneOf(asked) | Matches(asked) | Between(asked) | During(asked):
                return self._by_value(asked, [condition])
            case Tagged(forms):
                wanted = [number for form, number in self.names.tags.items() if form in forms]
                where = contact_tags.c.tag_id.in_(wanted) if forms else true()
                return self._of(contact_tags, where, once=len(wanted) == 1)
            case TaggedOtherwise(forms):
                known = [number for form, number in self.names.tags.items() if form in forms]
                return self._of(contact_tags, contact_tags.c.tag_id.not_in(known))
            case InSegment(name):
                m = segment_members
                return self._of(m, m.c.segment_id == self.names.segments.get(name, 0), once=True)
            case CameWith(batch, source):
                c = contact_changes.c
                of_source = select(batches.c.id).where(batches.c.source == source)
                return self._of(contact_changes, c.batch_id == batch if batch else c.batch_id.in_(of_source))
            case OptedOut(channel):
                said = _OPTED_OUT.c.channel
                return self._of(_OPTED_OUT, true() if channel == _ALL else said.in_((channel, _ALL)))
            case OptedIn(channel):
                c = consents.c
                fits = true() if channel == _ALL else c.channel.in_((channel, _ALL))
                return self._of(consents, and_(c.state == "in", fits))
            case Happened() as happened:
                return self._happened(happened)
            case _:
                raise TypeError(f"{condition} is no leaf")

    def _of(self, table: Any, where: Where, *, once: bool = False) -> Ids:
        """The contacts of these rows; `once` says that none has two."""
        query = select(table.c.contact_id.label("id")).where(where)
        query = query if once else query.distinct()
        return query if self.among is None else query.where(table.c.contact_id.in_(select(self.among.c.id)))

    def _by_key(self, kind: str, values: tuple[Any, ...]) -> Any:
        k = contact_keys.c
        own = select(contacts.c.id).where(_LIVING, OWN[kind].in_(values))
        if self.among is not None:
            own = own.where(contacts.c.id.in_(select(self.among.c.id)))
        return self._joined(union, [own, self._of(contact_keys, and_(k.kind == kind, k.value.in_(values)))])

    def _by_value(self, asked: Asked, conditions: Sequence[Condition]) -> Ids:
        """Those whose one value of a field is as all of these have it."""
        mine = contact_values.c.field_id == self.names.fields.get(asked.key, -1)
        return self._of(contact_values, and_(mine, *(self._of_value(asked, one) for one in conditions)), once=True)

    def _of_value(self, asked: Asked, condition: Condition) -> Where:
        v = contact_values.c
        texts = func.coalesce(v.long_text, v.text) if asked.is_long else v.text
        match condition:
            case OneOf(_, values, how):
                if asked.kind in ("text", "choice"):
                    return one_of(texts, values, how)
                return v.number.in_([float(value) for value in values])
            case Matches(_, pattern):
                return like(texts, pattern)
            case Between() as limits:
                return between(v.number, limits)
            case During() as during:
                return and_(v.at.is_not(None), self._during(v.at, during))
            case _:
                return true()

    def _happened(self, happened: Happened) -> Any:
        i = interactions.c
        where = [i.kind == happened.kind, self._during(i.at, happened)]
        if happened.ref is not None:
            where.append(i.ref == happened.ref)
        if happened.least <= 1 and happened.most is None:
            return self._of(interactions, and_(*where))
        query = select(i.contact_id.label("id")).where(*where).group_by(i.contact_id)
        if self.among is not None:
            query = query.where(i.contact_id.in_(select(self.among.c.id)))
        query = query.having(func.count() >= happened.least)
        return query if happened.most is None else query.having(func.count() <= happened.most)


_LIVING = contacts.c.deleted_at.is_(None)
_OPTED_OUT = select(column("contact_id"), column("channel")).select_from(text("opted_out")).subquery("opted_out_now")
_OWN_KINDS = (Known, OneOf, Matches, Between, During)


def _is_own(condition: Condition) -> bool:
    """Whether the columns of contacts alone tell."""
    match condition:
        case Everybody():
            return True
        case Both(parts) | Either(parts):
            return all(_is_own(part) for part in parts)
        case Neither(part):
            return _is_own(part)
        case OneOf(Asked(kind="phone" | "email")):
            return False
        case Known(asked) | OneOf(asked) | Matches(asked) | Between(asked) | During(asked):
            return not asked.custom
        case Happened() as happened:
            return _is_last(happened)
        case _:
            return False


def _is_last(happened: Happened) -> bool:
    """Whether it asks for any message since a time, which the time of the last one tells."""
    is_any = happened.ref is None and (happened.least, happened.most) == (1, None)
    return is_any and happened.end is None and happened.kind in LAST_AT


def _is_valued(condition: Condition) -> bool:
    """Whether one row of the values of custom fields tells."""
    asked = getattr(condition, "field", None)
    return isinstance(condition, _OWN_KINDS) and asked is not None and asked.custom


def _by_field(conditions: Iterable[Condition]) -> dict[Asked, list[Condition]]:
    found: dict[Asked, list[Condition]] = {}
    for condition in conditions:
        found.setdefault(condition.field, []).append(condition)  # type: ignore[union-attr]  # those that have one
    return found


def _many(how: Callable[..., Where], parts: Sequence[Where]) -> Where:
    """The parts joined in a tree, which SQLite allows to be far larger than a chain."""
    while len(parts) > _AT_ONCE:
        parts = [how(*parts[start : start + _AT_ONCE]).self_group() for start in range(0, len(parts), _AT_ONCE)]
    return how(*parts) if parts else true()
