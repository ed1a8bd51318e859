"""Segments by files: what a plan would change, and applying it. Segments made by hand are left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from connectors.segment_files import SegmentFile, read_segment_files
from connectors.toml_files import TomlFileError
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.segments import (
    SegmentForm,
    create_segment,
    drop_segment,
    edit_segment,
    filter_as_kept,
    forms_asked_for,
    segment_name,
)
from pipelines.words import tag_form
from schemas.cql2 import parse
from schemas.filters import WrongFilter
from schemas.operators import WrongField
from schemas.settings import Settings
from schemas.spans import read_schedule
from warehouse import roll, segments
from warehouse.audit import Asked
from warehouse.engines import Store, reading
from warehouse.segments import Segment

FILE = "file"
Action = Literal["create", "edit", "delete"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a plan: for an edit, what changes as {name: (before, after)}."""

    action: Action
    name: str
    file: SegmentFile | None = None
    number: int | None = None
    changes: dict[str, tuple[Any, Any]] | None = None


def plan(store: Store, settings: Settings) -> list[Step]:
    """What has to change so that the segments are as their files say; in an order that can be followed."""
    with reading(store) as connection:
        catalogue = Catalogue(roll.known_fields(connection), settings.default_country or None)
    files = _in_order([_checked(file, catalogue) for file in read_segment_files(settings.home)])
    with reading(store) as connection:
        known = {one.form: one for one in segments.all_segments(connection)}
    wanted = {tag_form(file.name) for file in files}
    steps = [step for file in files if (step := _step(file, known.get(tag_form(file.name))))]
    gone = [one for one in known.values() if one.origin == FILE and one.form not in wanted]
    return [*steps, *(Step("delete", one.name, number=one.id) for one in reversed(gone))]


def apply_plan(store: Store, settings: Settings, steps: Sequence[Step], asked: Asked) -> None:
    """Follow a plan; right when done again after it stopped midway."""
    for step in steps:
        if step.action == "delete":
            drop_segment(store, int(step.number or 0), asked)
        elif step.file is not None and step.action == "create":
            file = step.file
            form = SegmentForm(file.name, "dynamic", file.filter, file.schedule, file.description)
            create_segment(store, settings, form, asked, origin=FILE)
        else:
            changes = {name: after for name, (_, after) in (step.changes or {}).items()}
            edit_segment(store, settings, int(step.number or 0), changes, asked)


def _checked(file: SegmentFile, catalogue: Catalogue) -> SegmentFile:
    """The file, whose name, filter and schedule can be taken; raises what they raise, with the file's name."""
    try:
        name = segment_name(file.name)
        kept = filter_as_kept(file.filter)
        understand(parse(kept), catalogue)
        if file.schedule:
            read_schedule(file.schedule)
    except WrongFilter as error:
        raise WrongFilter(f"{file.path}: {error.said('en')}", f"{file.path}: {error.said('es')}") from error
    except WrongField as error:
        raise TomlFileError(f"{file.path}: {error.said('en')}", f"{file.path}: {error.said('es')}") from error
    return replace(file, name=name, filter=kept, schedule=file.schedule.strip() if file.schedule else None)


def _step(file: SegmentFile, standing: Segment | None) -> Step | None:
    if standing is None:
        return Step("create", file.name, file)
    if standing.kind != "dynamic":
        raise TomlFileError(
            f"{file.path}: {file.name} is a {standing.kind} segment already. Choose another name.",
            f"{file.path}: {file.name} ya es un segmento {standing.kind}. Elija otro nombre.",
        )
    said = {
        "name": (standing.name, file.name),
        "filter_text": (standing.filter_text, file.filter),
        "schedule": (standing.schedule, file.schedule),
        "description": (standing.description, file.description),
        "origin": (standing.origin, FILE),
    }
    changes = {name: pair for name, pair in said.items() if pair[0] != pair[1]}
    return Step("edit", file.name, file, standing.id, changes) if changes else None


def _in_order(files: Sequence[SegmentFile]) -> list[SegmentFile]:
    """Segments after those that they ask for; raises TomlFileError where two have one name, or ask in a circle."""
    by_form: dict[str, SegmentFile] = {}
    for file in files:
        other = by_form.setdefault(tag_form(file.name), file)
        if other is not file:
            raise TomlFileError(
                f"{other.path} and {file.path} both describe {file.name}.",
                f"{other.path} y {file.path} describen los dos {file.name}.",
            )
    ordered: list[SegmentFile] = []
    waiting = dict(by_form)
    while waiting:
        ready = [form for form, file in waiting.items() if not forms_asked_for(file.filter) & waiting.keys()]
        if not ready:
            listed = ", ".join(file.name for file in waiting.values())
            raise TomlFileError(
                f"These segments ask for each other in a circle: {listed}.",
                f"Estos segmentos se piden unos a otros en círculo: {listed}.",
            )
        ordered += [waiting.pop(form) for form in ready]
    return ordered
