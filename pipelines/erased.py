"""Erased people and backups: who was erased stands beside the backups too, so that no restore brings them back."""

from collections.abc import Iterator

from pipelines.backups import place_of
from schemas.erased import Erased, parse_erased, render_erased
from schemas.settings import Settings

_FOLDER = "erased"


def keep_erased(settings: Settings, erased: Erased) -> None:
    """Note somebody beside the backups; raises PlaceFails where that cannot be: a restore would bring them back."""
    place_of(settings).put(f"{_FOLDER}/{erased.file}", render_erased(erased))


def erased_beside(settings: Settings) -> Iterator[Erased]:
    """Everybody who stands there."""
    place = place_of(settings)
    for file in sorted(place.sizes(_FOLDER)):
        if file.endswith(".json") and (content := place.get(f"{_FOLDER}/{file}")):
            yield parse_erased(content)


def note_readmitted(settings: Settings, hashes: list[str]) -> None:
    """What a backup has of somebody stays erased, but they may come back."""
    for erased in erased_beside(settings):
        if not erased.readmitted and not erased.hashes.keys().isdisjoint(hashes):
            keep_erased(settings, Erased(erased.contact_id, erased.hashes, readmitted=True))
