"""Erased people and backups: who was erased is noted beside the backups, and at home, for whoever restores one."""

from connectors.places import Place, open_place
from pipelines.backups import place_of, signing_keys
from pipelines.secrets import WrongKey
from schemas.erased import Erased, parse_erased, render_erased
from schemas.settings import Settings

_FOLDER = "erased"


def _places(settings: Settings) -> list[Place]:
    """The home folder too: backups may lie elsewhere than where the settings say now."""
    return [open_place(str(settings.home.absolute())), place_of(settings)]


def keep_erased(settings: Settings, erased: Erased) -> None:
    """Note somebody; raises PlaceFails where that cannot be."""
    for place in _places(settings):
        place.put(f"{_FOLDER}/{erased.file}", render_erased(erased, signing_keys(settings)[0]))


def erased_people(settings: Settings) -> list[Erased]:
    """Everybody who is noted; raises WrongKey where a note is not as one of our keys signed it."""
    found: dict[str, Erased] = {}
    for place in _places(settings):
        for file in sorted(place.sizes(_FOLDER)):
            if not file.endswith(".json"):
                continue
            erased = parse_erased(place.get(f"{_FOLDER}/{file}") or b"", signing_keys(settings))
            if erased is None:
                raise WrongKey(
                    "The secret key is not the one that erased people were noted with, or a note was changed: "
                    f"{_FOLDER}/{file} in {place.shown}. Put back PADRON_SECRET_KEY, or the file secret.key of the "
                    "home folder.",
                    "La clave secreta no es aquella con que se anotó a las personas borradas, o se cambió una nota: "
                    f"{_FOLDER}/{file} en {place.shown}. Ponga la PADRON_SECRET_KEY de entonces, o el archivo "
                    "secret.key de la carpeta home.",
                )
            if file not in found or erased.readmitted:
                found[file] = erased
    return list(found.values())


def note_readmitted(settings: Settings, hashes: list[str]) -> None:
    """What a backup has of somebody stays erased, but they may come back."""
    for erased in erased_people(settings):
        if not erased.readmitted and not erased.hashes.keys().isdisjoint(hashes):
            keep_erased(settings, Erased(erased.contact_id, erased.hashes, readmitted=True))
