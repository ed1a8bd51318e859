"""Tags as people keep them tidy: renamed, coloured, merged, and those found that are nearly the same."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from rapidfuzz.distance import OSA

from pipelines import bulk_edits
from pipelines.bulk_edits import BulkForm
from pipelines.segments import tags_asked_for
from pipelines.words import tag_form
from schemas.errors import InputError
from schemas.operators import WrongField, plain_name
from schemas.settings import Settings
from warehouse import audit, bulk, fields, segments
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.fields import Tag
from warehouse.jobs import Work

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LONGEST, _LONG_ENOUGH = 200, 5
_STOP = {"de", "del", "la", "el", "los", "las", "of", "the", "y", "e", "and"}


class TagInUse(InputError):
    """Contacts have the tag, or segments ask for it."""


def find_tags(store: Store) -> list[Tag]:
    """Every tag, with how many contacts have it."""
    with reading(store) as connection:
        return fields.all_tags(connection)


def edit_tag(store: Store, number: int, asked: Asked, *, name: str | None = None, colour: str | None = None) -> Tag:
    """Write a tag otherwise, or give it a colour (`""` takes it away). Raises NoSuchTag, WrongField or TagInUse."""
    values: dict[str, Any] = {}
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        before = fields.get_tag(connection, number)
        if name is not None:
            values = _named(connection, before, name)
        if colour is not None:
            values["colour"] = _coloured(colour)
        if values:
            fields.set_tag(connection, number, values)
            said = {"name": before.name, "colour": before.colour}
            after = {one: values.get(one, before_one) for one, before_one in said.items()}
            audit.add_entry(connection, asked, "tags:edit", f"tag:{number}", said, after)
        return fields.get_tag(connection, number)


def _named(connection: Any, tag: Tag, name: str) -> dict[str, Any]:
    kept = plain_name("name", name)
    form = tag_form(kept)
    if not form or len(kept) > _LONGEST or "\x1f" in kept:
        raise WrongField(
            "name",
            "length",
            f"A tag has 1 to {_LONGEST} characters.",
            f"Una etiqueta tiene de 1 a {_LONGEST} caracteres.",
        )
    if form != tag.form:
        other = fields.tag_of_form(connection, form)
        if other is not None:
            raise WrongField(
                "name",
                "taken",
                f"Tag {other} is called so. Merge the two: padron tags merge {tag.id} {other}",
                f"Así se llama la etiqueta {other}. Una las dos: padron tags merge {tag.id} {other}",
            )
        _check_unasked(segments.all_segments(connection), tag)
    return {"name": kept, "form": form}


def _coloured(colour: str) -> str | None:
    if not colour:
        return None
    if not _COLOUR.fullmatch(colour.lower()):
        raise WrongField("colour", "invalid", "Write a colour as #1d4ed8.", "Escriba un color como #1d4ed8.")
    return colour.lower()


def _check_unasked(known: Sequence[segments.Segment], tag: Tag) -> None:
    users = [one.name for one in known if tag.form in tags_asked_for(one)]
    if users:
        listed = ", ".join(users)
        raise TagInUse(
            f"Segments ask for the tag {tag.name}: {listed}. Change their filters first.",
            f"Hay segmentos que preguntan por la etiqueta {tag.name}: {listed}. Cambie antes sus filtros.",
        )


def merge_tags(store: Store, settings: Settings, number: int, into: int, asked: Asked) -> Work:
    """A job, and a batch that can be undone: whoever has the one tag has the other instead.

    The tag that nobody has then stays until it is dropped, so that the merge can be taken back.
    """
    with reading(store) as connection:
        tag, other = fields.get_tag(connection, number), fields.get_tag(connection, into)
        _check_unasked(segments.all_segments(connection), tag)
    if number == into:
        raise WrongField("into", "invalid", "Merge it with another tag.", "Únala con otra etiqueta.")
    filter_text = "tagged('{}')".format(tag.name.replace("'", "''"))
    form = BulkForm(filter_text, add_tags=[other.name], remove_tags=[tag.name])
    return bulk_edits.ask_for_edit(store, settings, form, asked)


def drop_tag(store: Store, number: int, asked: Asked) -> None:
    """Take a tag away that no contact has and no segment asks for."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        tag = fields.get_tag(connection, number)
        if tag.contacts:
            raise TagInUse(
                f"{tag.contacts} contacts have the tag {tag.name}. Merge it, or take it from them first.",
                f"{tag.contacts} contactos tienen la etiqueta {tag.name}. Únala con otra, o quítesela antes.",
            )
        _check_unasked(segments.all_segments(connection), tag)
        fields.drop_tag(connection, number, asked.at)
        audit.add_entry(connection, asked, "tags:delete", f"tag:{number}", {"name": tag.name})


# ── nearly the same ──────────────────────────────────────────────────────────────────────────────────────────────


def near_tags(tags: Sequence[Tag]) -> list[list[Tag]]:
    """Groups of tags that may be one, each around its most used: plurals, other word order, marks, one letter apart."""
    stems = {tag.id: _stem(tag.form) for tag in tags}
    by_stem: dict[str, list[Tag]] = defaultdict(list)
    by_part: dict[str, set[str]] = defaultdict(set)
    for tag in tags:
        by_stem[stems[tag.id]].append(tag)
    for stem in by_stem:
        for part in _parts(stem):
            by_part[part].add(stem)
    groups, taken = [], set[str]()
    for leader in sorted(tags, key=lambda tag: (-tag.contacts, tag.form)):
        stem = stems[leader.id]
        if stem in taken:
            continue
        near = {one for part in _parts(stem) for one in by_part[part] if OSA.distance(stem, one) <= 1} | {stem}
        group = [tag for one in near - taken for tag in by_stem[one]]
        taken |= near
        if len(group) > 1:
            groups.append(sorted(group, key=lambda tag: (-tag.contacts, tag.form)))
    return sorted(groups, key=lambda group: group[0].form)


def _stem(form: str) -> str:
    """What is left of a tag when marks, small words, order and plurals do not count.

    >>> _stem("clientes-vip"), _stem("vip cliente"), _stem("vips")
    ('cliente vip', 'cliente vip', 'vip')
    """
    words = [word for word in re.split(r"[^\w]+|_", form) if word and word not in _STOP] or [form]
    return " ".join(sorted(_singular(word) for word in words))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("es") and word[-3] not in "aeiou":
        return word[:-2] if word[-3] in "lnrdzj" else word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _parts(stem: str) -> set[str]:
    """What a stem has in common with those that are one letter from it: itself, and itself without one of its letters.

    Digits tell tags apart, and short words do.
    """
    if len(stem) <= _LONG_ENOUGH:
        return {stem}
    less = {stem[:at] + stem[at + 1 :] for at, sign in enumerate(stem) if not sign.isdigit()}
    digits = re.sub(r"\D", "", stem)
    return {f"{digits}:{part}" for part in {stem, *less}}
