"""Drop folders: incoming, working, done, rejected. A file is claimed by renaming it, so one claimer wins.

The scan is the truth; file-system events only make it come sooner. Links, hidden and half-written files stay put.
"""

import errno
import fcntl
import hashlib
import itertools
import json
import os
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.profiles import DropFolder
from schemas.errors import SetupError

PLACES = ("incoming", "working", "done", "rejected")
_UNFINISHED = (".part", ".tmp", ".temp", ".crdownload", ".filepart", ".partial", ".download", ".swp")
_WORDS = ("summary.json", "message.txt")
_MARK = "__"
_LONGEST_NAME = 160


class FolderUnusable(SetupError):
    """A drop folder cannot be made or written."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a file looked when it was last looked at."""

    size_bytes: int
    modified_ns: int
    inode: int
    since: float


@dataclass(slots=True)
class Watch:
    """What a watcher remembers of one drop folder between scans."""

    folder: DropFolder
    settle_seconds: float
    seen: dict[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A file taken into `working/`: its name there, and the name it was dropped under."""

    path: Path
    name: str


def make_places(folder: DropFolder) -> None:
    """Make the four folders, and check that they can be written."""
    try:
        for place in PLACES:
            (folder.path / place).mkdir(parents=True, exist_ok=True)
        probe = folder.path / "working" / f".{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise FolderUnusable(
            f"The drop folder {folder.path} cannot be used: {error.strerror}. Make it writable for this user.",
            f"La carpeta {folder.path} no se puede usar: {error.strerror}. Dé permiso de escritura a este usuario.",
        ) from error


def ready_files(watch: Watch, now: float) -> list[Path]:
    """The files in `incoming/` that are wholly written, oldest first; remembers the others for the next scan."""
    found: dict[str, Seen] = {}
    ready: list[tuple[int, Path]] = []
    for name, path, state in _candidates(watch.folder.path / "incoming"):
        before = watch.seen.get(name)
        same = before and (before.size_bytes, before.modified_ns, before.inode) == (
            state.st_size,
            state.st_mtime_ns,
            state.st_ino,
        )
        since = before.since if before and same else now
        found[name] = Seen(state.st_size, state.st_mtime_ns, state.st_ino, since)
        if now - since >= watch.settle_seconds and (watch.folder.polling or not is_being_written(path)):
            ready.append((state.st_mtime_ns, path))
    watch.seen = found
    return [path for _, path in sorted(ready)]


def _candidates(incoming: Path) -> Iterator[tuple[str, Path, os.stat_result]]:
    with os.scandir(incoming) as entries:
        for entry in entries:
            if entry.name.startswith((".", "~$")) or entry.name.lower().endswith(_UNFINISHED):
                continue
            try:
                state = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(state.st_mode) and state.st_nlink == 1:
                yield entry.name, Path(entry.path), state


def is_being_written(path: Path) -> bool:
    """Whether some process has the file open for writing (Linux, local disks; elsewhere settling alone decides)."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(handle)


def claim_file(folder: DropFolder, path: Path) -> Claimed | None:
    """Take the file into `working/` under a name of its own; None if another claimer was first."""
    name = plain_name(path.name)
    target = folder.path / "working" / f"{uuid.uuid4().hex}{_MARK}{_shortened(name)}"
    try:
        os.rename(path, target)
    except FileNotFoundError:
        return None
    return Claimed(target, name)


def plain_name(name: str) -> str:
    """A file's name as text, also where its bytes are in no encoding that the system knows."""
    return os.fsencode(name).decode("utf-8", "replace")


def _shortened(name: str) -> str:
    """A name that leaves room for what is put before and behind it."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    suffix = Path(name).suffix[:12]
    return name.encode()[: _LONGEST_NAME - len(suffix.encode())].decode(errors="ignore") + suffix


def claimed_files(folder: DropFolder) -> list[Claimed]:
    """Every file in `working/` but reports: of running batches, and those whose claimer died before saying so."""
    working = folder.path / "working"
    paths = [path for path in sorted(working.iterdir()) if _MARK in path.name and not path.name.startswith(".")]
    reports = {report_of(path) for path in paths}
    return [Claimed(path, path.name.partition(_MARK)[2]) for path in paths if path not in reports]


def names_for(place: Path, name: str, batch_id: int) -> Iterator[Path]:
    """Free names for a file: the dropped one, or with the batch's number where an earlier file has it."""
    plain = place / name
    numbers = itertools.chain((str(batch_id),), (f"{batch_id}-{count}" for count in itertools.count(2)))
    every = itertools.chain((plain,), (place / f"{plain.stem}.{number}{plain.suffix}" for number in numbers))
    return (path for path in every if not path.exists())


def report_of(path: Path) -> Path:
    """Where the row report of a file stands."""
    return path.with_name(f"{path.name}.report.csv")


def finish_file(claimed: Path, target: Path, summary: Mapping[str, object]) -> None:
    """Move a claimed file to its target with its report and summary beside it; right when done twice."""
    if report_of(claimed).exists():
        os.replace(report_of(claimed), report_of(target))
    document = {**summary, "reject_file": str(report_of(target)) if report_of(target).exists() else None}
    _write(target.with_name(f"{target.name}.{_WORDS[0]}"), json.dumps(document, ensure_ascii=False, indent=1))
    message = str(summary.get("message") or "")
    if message:
        _write(target.with_name(f"{target.name}.{_WORDS[1]}"), message + "\n")
    if claimed.exists():
        os.replace(claimed, target)


def remove_words(target: Path) -> None:
    """Take away what was said beside a file that leaves its place."""
    for path in (report_of(target), *(target.with_name(f"{target.name}.{kind}") for kind in _WORDS)):
        path.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def file_sha256(path: Path) -> str:
    """The SHA-256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
