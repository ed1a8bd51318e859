"""Profiles and drop folders on disk: TOML files in the home folder."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import tomli_w

from schemas.errors import SetupError
from schemas.profiles import Profile, ProfileError, profile_from


class FoldersError(SetupError):
    """`folders.toml` says something that cannot be done."""


@dataclass(frozen=True, slots=True)
class DropFolder:
    """A watched folder, with the profile for what is dropped in it."""

    path: Path
    profile: str = "default"
    polling: bool = False
    settle_seconds: float | None = None


_FOLDER_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "path": (str, '"/srv/contacts"'),
    "profile": (str, '"crm"'),
    "polling": (bool, "true"),
    "settle_seconds": ((int, float), "30"),
}
"""The type of each key of a [[folder]], with an example."""


_BUILT_IN = {"default": Profile(), "interactions": Profile("interactions", takes="interactions")}


def profiles_folder(home: Path) -> Path:
    return home / "profiles"


def read_profile(home: Path, name: str) -> Profile:
    """The profile of this name; `default` and `interactions` exist without a file."""
    path = _path(home, name)
    if not path.exists():
        if name in _BUILT_IN:
            return _BUILT_IN[name]
        known = ", ".join(profile_names(home))
        raise ProfileError(
            name,
            f"there is no such profile in {profiles_folder(home)}. Known: {known}.",
            f"no existe en {profiles_folder(home)}. Hay: {known}.",
        )
    try:
        return profile_from(_read(path), name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(name, *_not_toml(path, error)) from error


def parse_profile(text: str, name: str) -> Profile:
    """A profile from the TOML text that was kept with a batch."""
    document = tomllib.loads(text)
    return profile_from(document, str(document.get("name", name)))


def render_profile(profile: Profile) -> str:
    """The profile as TOML; what is as by default is left out."""
    document: dict[str, Any] = {}
    values = asdict(profile)
    for item in fields(Profile):
        default = item.default if item.default is not MISSING else {}
        value = values[item.name]
        if item.name == "name" or (value != default and value is not None):
            document[item.name] = list(value) if isinstance(value, tuple) else value
    return tomli_w.dumps(document)


def save_profile(home: Path, profile: Profile, *, over: bool = False) -> Path:
    """Write a profile; over one of the same name only if that is said."""
    path = _path(home, profile.name)
    if path.exists() and not over:
        raise ProfileError(
            profile.name,
            "there is a profile of this name. Choose another name, or write over it with --force.",
            "ya hay un perfil con ese nombre. Elija otro, o reemplácelo con --force.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_profile(profile), encoding="utf-8")
    return path


def _path(home: Path, name: str) -> Path:
    """Where the profile of this name lies: in the profiles' folder and nowhere else."""
    if not re.fullmatch(r"\w[\w .-]*", name):
        raise ProfileError(
            name,
            "a profile's name has letters, digits, spaces, dots, - and _, and begins with a letter or digit.",
            "el nombre de un perfil lleva letras, cifras, espacios, puntos, - y _, y empieza con letra o cifra.",
        )
    return profiles_folder(home) / f"{name}.toml"


def read_folders(home: Path) -> list[DropFolder]:
    """The drop folders of `folders.toml`; without that file, one folder `drop` in the home folder."""
    path = home / "folders.toml"
    if not path.exists():
        return [DropFolder(home / "drop")]
    try:
        document = _read(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FoldersError(*_not_toml(path, error)) from error
    entries, unknown = document.get("folder", []), sorted(document.keys() - {"folder"})
    if unknown:
        raise FoldersError(
            f"{path}: {unknown[0]!r} means nothing there. Write each folder under [[folder]].",
            f"{path}: {unknown[0]!r} no significa nada ahí. Escriba cada carpeta bajo [[folder]].",
        )
    if not isinstance(entries, list) or not entries:
        raise FoldersError(
            f"{path} has no [[folder]] in it. Write one with a path and a profile.",
            f"{path} no tiene ningún [[folder]]. Escriba uno con path y profile.",
        )
    return [_folder(path, entry) for entry in entries]


def _folder(path: Path, entry: dict[str, Any]) -> DropFolder:
    known = tuple(item.name for item in fields(DropFolder))
    unknown = sorted(set(entry) - set(known))
    if unknown or "path" not in entry:
        may, has = ", ".join(known[1:]), ", ".join(sorted(entry))
        raise FoldersError(
            f"{path}: a [[folder]] needs path and may have {may}; one has: {has}.",
            f"{path}: un [[folder]] necesita path y puede tener {may}; uno tiene: {has}.",
        )
    for key, value in entry.items():
        kind, example = _FOLDER_TYPES[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise FoldersError(
                f"{path}: write {key} of a [[folder]] as {key} = {example}.",
                f"{path}: escriba {key} de un [[folder]] como {key} = {example}.",
            )
    return DropFolder(**{**entry, "path": (path.parent / Path(entry["path"])).resolve()})


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8-sig"))


def _not_toml(path: Path, error: Exception) -> tuple[str, str]:
    if isinstance(error, UnicodeDecodeError):
        return (
            f"{path} is not UTF-8 text. Save it as UTF-8 in your editor.",
            f"{path} no es texto UTF-8. Guárdelo como UTF-8 en su editor.",
        )
    return f"{path} is not valid TOML: {error}.", f"{path} no es TOML válido: {error}."


def profile_names(home: Path) -> Iterable[str]:
    return sorted({*_BUILT_IN, *(item.stem for item in profiles_folder(home).glob("*.toml"))})
