"""Profiles and drop folders on disk: TOML files in the home folder."""

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


def profiles_folder(home: Path) -> Path:
    return home / "profiles"


def read_profile(home: Path, name: str) -> Profile:
    """The profile of this name; `default` exists without a file."""
    path = profiles_folder(home) / f"{name}.toml"
    if not path.exists():
        if name == "default":
            return Profile()
        known = ", ".join(sorted(item.stem for item in profiles_folder(home).glob("*.toml"))) or "only default"
        raise ProfileError(f"There is no profile {name!r} in {profiles_folder(home)}. Known: {known}.")
    return profile_from(_read(path), name)


def parse_profile(text: str, name: str) -> Profile:
    """A profile from the TOML text that was kept with a batch."""
    document = tomllib.loads(text)
    return profile_from(document, str(document.get("name", name)))


def render_profile(profile: Profile) -> str:
    """The profile as TOML; what is as by default is left out."""
    document: dict[str, Any] = {}
    for item in fields(Profile):
        default = item.default if item.default is not MISSING else {}
        value = asdict(profile)[item.name]
        if item.name == "name" or (value != default and value is not None):
            document[item.name] = list(value) if isinstance(value, tuple) else value
    return tomli_w.dumps(document)


def save_profile(home: Path, profile: Profile) -> Path:
    folder = profiles_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{profile.name}.toml"
    path.write_text(render_profile(profile), encoding="utf-8")
    return path


def read_folders(home: Path) -> list[DropFolder]:
    """The drop folders of `folders.toml`; without that file, one folder `drop` in the home folder."""
    path = home / "folders.toml"
    if not path.exists():
        return [DropFolder(home / "drop")]
    entries = _read(path).get("folder", [])
    if not isinstance(entries, list) or not entries:
        raise FoldersError(f"{path} has no [[folder]] in it. Write one with a path and a profile.")
    return [_folder(path, entry) for entry in entries]


def _folder(path: Path, entry: dict[str, Any]) -> DropFolder:
    known = tuple(item.name for item in fields(DropFolder))
    unknown = sorted(set(entry) - set(known))
    if unknown or "path" not in entry:
        raise FoldersError(f"{path}: a [[folder]] needs path and may have {', '.join(known[1:])}; it has {unknown}.")
    return DropFolder(**{**entry, "path": (path.parent / Path(entry["path"])).resolve()})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{path} is not valid TOML: {error}.") from error


def profile_names(home: Path) -> Iterable[str]:
    return sorted({"default", *(item.stem for item in profiles_folder(home).glob("*.toml"))})
