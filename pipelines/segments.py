"""Segments: a named filter, list or picture of one moment; defined, changed, pinned, taken away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.versions import require_version
from pipelines.words import tag_form
from schemas.conditions import InSegment, leaves
from schemas.cql2 import as_text, parse
from schemas.errors import InputError
from schemas.filters import Literal, Node, Op, Property, children
from schemas.operators import WrongField, plain_name
from schemas.settings import Settings
from schemas.spans import read_schedule
from warehouse import audit, bulk, contact_details, roll, segments
from warehouse.audit import Asked
from warehouse.engines import Store, transaction
from warehouse.segments import Segment

KINDS = ("dynamic", "static", "snapshot")
_LONGEST_NAME = 100


class SegmentInUse(InputError):
    """Another segment asks for this one."""


@dataclass(frozen=True, slots=True)
class SegmentForm:
    """What is set of a segment. A dynamic one has a filter and a schedule such as `15min`, `1d` or `at 06:30`."""

    name: str
    kind: str = "dynamic"
    filter_text: str | None = None
    schedule: str | None = None
    description: str | None = None
    contacts: Sequence[int] = field(default_factory=tuple)


# ── defining ─────────────────────────────────────────────────────────────────────────────────────────────────────


def create_segment(store: Store, settings: Settings, form: SegmentForm, asked: Asked, *, origin: str = "hand") -> int:
    """Make a segment, to be refreshed at once; its number. Raises WrongField or WrongFilter."""
    name = segment_name(form.name)
    if form.kind not in KINDS:
        listed = ", ".join(KINDS)
        raise WrongField("kind", "unknown", f"kind is one of {listed}.", f"kind es uno de {listed}.")
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        known = segments.all_segments(connection)
        _check_free(known, name, None)
        text = _filter(connection, settings, form.filter_text, form.kind, known, None)
        values = {
            "name": name,
            "form": tag_form(name),
            "kind": form.kind,
            "description": form.description,
            "filter_text": text,
            "schedule": _schedule(form),
            "next_at": asked.at if text else None,
            "origin": origin,
            "created_by": asked.actor,
            "created_at": asked.at,
        }
        number = segments.add_segment(connection, values)
        if form.kind == "static":
            _put(connection, number, form.contacts, asked)
        audit.add_entry(connection, asked, "segments:create", f"segment:{number}", None, {"name": name})
    return number


def edit_segment(
    store: Store, settings: Settings, number: int, changes: Mapping[str, Any], asked: Asked, version: int | None = None
) -> Segment:
    """Change name, description, filter or schedule; another filter asks for a full refresh."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        before = segments.get_segment(connection, number)
        require_version(version in (None, before.version), f"segment {number}", f"el segmento {number}")
        names = ("name", "filter_text", "schedule", "description")
        given = {one: changes.get(one, getattr(before, one)) for one in names}
        form = SegmentForm(kind=before.kind, **given)
        known, name = segments.all_segments(connection), segment_name(form.name)
        _check_free(known, name, number)
        if tag_form(name) != before.form:
            _check_unused(known, before)
        if before.kind == "snapshot" and "filter_text" in changes:
            raise WrongField("filter", "fixed", "A snapshot stays as it is.", "Una foto fija queda como está.")
        text = _filter(connection, settings, form.filter_text, before.kind, known, before)
        values: dict[str, Any] = {"name": name, "form": tag_form(name), "description": form.description}
        values |= {"filter_text": text, "schedule": _schedule(form), "version": before.version + 1}
        values["origin"] = changes.get("origin", before.origin)
        if text != before.filter_text:
            values |= {"filter_version": before.filter_version + 1, "next_at": asked.at, "failures": 0}
        elif values["schedule"] != before.schedule:
            values["next_at"] = asked.at
        segments.set_segment(connection, number, values)
        named = ("name", "schedule", "description")
        said = ({one: getattr(before, one) for one in named}, {one: values.get(one) for one in named})
        said[1]["filter_changed"] = text != before.filter_text  # what a filter says may be somebody's phone
        audit.add_entry(connection, asked, "segments:edit", f"segment:{number}", *said)
        return segments.get_segment(connection, number)


def drop_segment(store: Store, number: int, asked: Asked) -> None:
    """Take a segment away, unless another one asks for it."""
    with transaction(store) as connection:
        before = segments.get_segment(connection, number)
        _check_unused(segments.all_segments(connection), before)
        segments.drop_segment(connection, number, asked.at)
        audit.add_entry(connection, asked, "segments:delete", f"segment:{number}", {"name": before.name})


def ask_for_refresh(store: Store, number: int, asked: Asked, *, fully: bool = False) -> Segment:
    """Let a segment be refreshed as soon as a worker can."""
    with transaction(store) as connection:
        found = segments.get_segment(connection, number)
        if found.filter_text is None or (found.kind == "snapshot" and found.as_of is not None):
            raise WrongField(
                "kind",
                "fixed",
                "Only a segment with a filter is refreshed, and a snapshot only once.",
                "Solo se recalcula un segmento con filtro, y una foto fija solo una vez.",
            )
        values: dict[str, Any] = {"next_at": asked.at}
        if fully:
            values["refreshed_version"] = None
        segments.set_segment(connection, number, values)
        return segments.get_segment(connection, number)


def cancel_refresh(store: Store, number: int, asked: Asked) -> None:
    """Ask a refresh that is under way to stop."""
    with transaction(store) as connection:
        segments.get_segment(connection, number)
        if segments.cancel_refresh(connection, number, asked.actor, asked.at):
            audit.add_entry(connection, asked, "segments:cancel", f"segment:{number}")


def put_members(store: Store, number: int, contacts: Sequence[int], asked: Asked) -> int:
    """Let a static segment have exactly these contacts; how many it has then (the dead are left out)."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        found = segments.get_segment(connection, number)
        if found.kind != "static":
            raise WrongField(
                "kind", "not_static", "Only a static segment is a list.", "Solo un segmento estático es una lista."
            )
        return _put(connection, number, contacts, asked)


def pin(store: Store, number: int, contact: int, asked: Asked, *, is_in: bool | None) -> None:
    """Let a contact be always in (True) or never (False), or as the filter says again (None)."""
    with transaction(store) as connection:
        found = segments.get_segment(connection, number)
        if found.kind != "dynamic":
            raise WrongField(
                "kind",
                "fixed",
                "Contacts are pinned to segments that are refreshed, not to lists and pictures.",
                "Se fijan contactos en segmentos que se recalculan, no en listas ni en fotos fijas.",
            )
        contact_details.living(connection, contact)
        if is_in is None:
            segments.unpin_contact(connection, number, contact)
        else:
            segments.pin_contact(connection, number, contact, is_in=is_in, actor=asked.actor, at=asked.at)
        segments.set_segment(connection, number, {"next_at": asked.at, "refreshed_version": None})
        audit.add_entry(connection, asked, "segments:pin", f"segment:{number}", None, {"contact": contact, "in": is_in})


def _put(connection: Connection, number: int, contacts: Sequence[int], asked: Asked) -> int:
    had = set(segments.ids_in(connection, segments.members_query(number)).tolist())
    wanted = segments.living_among(connection, contacts)
    segments.move_members(connection, number, sorted(wanted - had), sorted(had - wanted), asked.at, None)
    segments.set_segment(connection, number, {"as_of": asked.at})
    return len(wanted)


def segment_named(connection: Connection, name: str) -> Segment:
    """The segment of this name; raises WrongField with those that there are."""
    known = {one.name: one for one in segments.all_segments(connection)}
    if name not in known:
        listed = ", ".join(sorted(known)) or "—"
        raise WrongField(
            "segment",
            "unknown",
            f"There is no segment «{name}». There are: {listed}.",
            f"No hay ningún segmento «{name}». Hay: {listed}.",
        )
    return known[name]


def segment_name(name: str) -> str:
    """A name as it is kept; raises WrongField."""
    kept = plain_name("name", name)
    if not tag_form(kept) or len(kept) > _LONGEST_NAME:
        raise WrongField(
            "name",
            "length",
            f"A segment's name has 1 to {_LONGEST_NAME} characters.",
            f"El nombre de un segmento tiene de 1 a {_LONGEST_NAME} caracteres.",
        )
    return kept


def _check_free(known: Sequence[Segment], name: str, number: int | None) -> None:
    other = next((one for one in known if one.form == tag_form(name) and one.id != number), None)
    if other is not None:
        raise WrongField(
            "name",
            "taken",
            f"Segment {other.id} is called {other.name}.",
            f"El segmento {other.id} se llama {other.name}.",
        )


def _check_unused(known: Sequence[Segment], segment: Segment) -> None:
    users = [one.name for one in known if segment.form in asked_for(one)]
    if users:
        listed = ", ".join(users)
        raise SegmentInUse(
            f"The segment {segment.name} is asked for by {listed}.",
            f"El segmento {segment.name} se usa en {listed}.",
        )


def asked_for(segment: Segment) -> set[str]:
    """The forms of the segments that a segment's filter names."""
    return forms_asked_for(segment.filter_text)


def forms_asked_for(filter_text: str | None) -> set[str]:
    """The forms of the segments that a filter names."""
    return _said_to(filter_text, lambda node: isinstance(node, Op) and node.name.lower() == "in_segment")


def filter_as_kept(filter_text: str) -> str:
    """A filter as it is stored; raises WrongFilter."""
    return as_text(parse(filter_text))


def fields_asked_for(segment: Segment) -> set[str]:
    """The names of the fields in a segment's filter."""
    waiting, found = [parse(segment.filter_text)] if segment.filter_text else [], set[str]()
    while waiting:
        node = waiting.pop()
        waiting.extend(children(node))
        if isinstance(node, Property):
            found.add(node.name)
    return found


def tags_asked_for(segment: Segment) -> set[str]:
    """The forms of the tags that a segment's filter may name: every text of a part about tags."""

    def is_about_tags(node: Node) -> bool:
        named = any(isinstance(one, Property) and one.name.lower() == "tags" for one in children(node))
        return isinstance(node, Op) and (node.name.lower() == "tagged" or named)

    return _said_to(segment.filter_text, is_about_tags)


def _said_to(filter_text: str | None, is_meant: Callable[[Node], bool]) -> set[str]:
    """The forms of the texts in those parts of a filter that are meant, however deep."""
    waiting = [(parse(filter_text), False)] if filter_text else []
    found: set[str] = set()
    while waiting:
        node, is_inside = waiting.pop()
        is_inside = is_inside or is_meant(node)
        waiting.extend((one, is_inside) for one in children(node))
        if is_inside and isinstance(node, Literal) and isinstance(node.value, str):
            found.add(tag_form(node.value))
    return found


def _schedule(form: SegmentForm) -> str | None:
    if form.schedule is None or form.kind != "dynamic":
        return None
    read_schedule(form.schedule)
    return form.schedule.strip()


def _filter(
    connection: Connection,
    settings: Settings,
    text: str | None,
    kind: str,
    known: Sequence[Segment],
    own: Segment | None,
) -> str | None:
    """The filter as it is kept, once its names are known and it does not ask for itself."""
    if kind == "static":
        return None
    if not text:
        raise WrongField("filter", "required", "Say who is in: give a filter.", "Diga quién entra: dé un filtro.")
    node = parse(text)
    condition = understand(node, Catalogue(roll.known_fields(connection), settings.default_country or None))
    by_form = {one.form: one for one in known}
    waiting = [leaf.name for leaf in leaves(condition) if isinstance(leaf, InSegment)]
    seen: set[str] = set()
    while waiting:
        form = waiting.pop()
        if own is not None and form == own.form:
            raise WrongField(
                "filter", "circle", "A segment cannot ask for itself.", "Un segmento no puede preguntar por sí mismo."
            )
        if form not in by_form:
            listed = ", ".join(one.name for one in known) or "-"
            raise WrongField(
                "filter",
                "no_such_segment",
                f"There is no segment «{form}». There are: {listed}.",
                f"No hay un segmento «{form}». Hay: {listed}.",
            )
        if form not in seen:
            seen.add(form)
            waiting.extend(asked_for(by_form[form]))
    return as_text(node)
