"""A file to read: told by its content, unpacked if it is packed, opened by the right reader."""

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Protocol, cast

from connectors.delimited import open_delimited
from connectors.headers import known_header
from connectors.jsonlines import open_jsonlines
from connectors.parquet import open_parquet
from connectors.rowreports import is_row_report
from connectors.workbooks import Limits, open_workbook
from schemas.frames import RawFrame
from schemas.profiles import Profile
from schemas.refusals import UnreadableFile

_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
_BINARY = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"\x7fELF", b"Rar!", b"7z\xbc\xaf", b"SQLite format 3")


class Source(Protocol):
    """An open contact file."""

    def blocks(self) -> Iterator[RawFrame]: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A source with its header as it stands in the file, and how it was read."""

    header: tuple[str, ...]
    source: Source
    kind: str
    delimiter: str = ","


@contextmanager
def open_source(
    path: Path, profile: Profile, *, name: str, limits: Limits | None = None, most_bytes: int = 20_000_000_000
) -> Iterator[Opened]:
    """Open a contact file for the time of the block; temporary copies go when it ends.

    Raises UnreadableFile (send another file) or NeedsAnswer (say something about this one).
    """
    with TemporaryDirectory(prefix="padron-") as folder:
        scratch = Path(folder)
        plain, inner = _unpacked(path, scratch, name, most_bytes)
        yield _open(plain, scratch, inner, profile, limits or Limits())


def _unpacked(path: Path, scratch: Path, name: str, most_bytes: int) -> tuple[Path, str]:
    """The file itself, or the one file inside a gzip or zip; never a name from inside the archive on disk."""
    with path.open("rb") as file:
        magic = file.read(4)
    if not magic:
        raise UnreadableFile("empty", name=name)
    target = scratch / "unpacked"
    try:
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(path) as source:
                _copy(cast("IO[bytes]", source), target, name, most_bytes)
            return target, name.removesuffix(".gz")
        if magic == b"PK\x03\x04" and not _is_workbook(path):
            with zipfile.ZipFile(path) as archive:
                return _only_member(archive, target, name, most_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise UnreadableFile("packed_damaged", name=name, reason=error) from error
    return path, name


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return path.suffix.lower() in _WORKBOOKS
    return "[Content_Types].xml" in names or "mimetype" in names


def _is_litter(inner: str) -> bool:
    """What file managers leave in folders."""
    return Path(inner).name in (".DS_Store", "Thumbs.db", "desktop.ini")


def _only_member(archive: zipfile.ZipFile, target: Path, name: str, most_bytes: int) -> tuple[Path, str]:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not member.filename.startswith("__MACOSX/") and not _is_litter(member.filename)
    ]
    if len(members) != 1:
        raise UnreadableFile("packed_several", name=name, count=len(members))
    inner = members[0].filename
    if inner.startswith("/") or ".." in Path(inner).parts or "\\" in inner:
        raise UnreadableFile("packed_escapes", name=name, inner=repr(inner))
    with archive.open(members[0]) as source:
        _copy(source, target, name, most_bytes)
    return target, Path(inner).name


def _copy(source: IO[bytes], target: Path, name: str, most_bytes: int) -> None:
    size = 0
    with target.open("wb") as sink:
        while chunk := source.read(1 << 20):
            size += len(chunk)
            if size > most_bytes or size > shutil.disk_usage(target.parent).free + size - 100_000_000:
                raise UnreadableFile("packed_huge", name=name, size=size)
            sink.write(chunk)


def _open(path: Path, scratch: Path, name: str, profile: Profile, limits: Limits) -> Opened:
    with path.open("rb") as file:
        magic = file.read(16)
    suffix = Path(name).suffix.lower()
    if magic[:4] in (b"PAR1", b"PARE") or suffix == ".parquet":
        parquet = open_parquet(path, name=name)
        return Opened(parquet.header, parquet, "parquet")
    if magic[:4] == b"PK\x03\x04" or magic[:4] == b"\xd0\xcf\x11\xe0":
        workbook = open_workbook(
            path,
            scratch,
            name=name,
            known=tuple(profile.columns),
            sheet=profile.sheet,
            header_row=profile.header_row,
            limits=limits,
        )
        return Opened(workbook.header, workbook, "excel")
    if magic.startswith(_BINARY):
        raise UnreadableFile("binary", name=name)
    if suffix in (".jsonl", ".ndjson"):
        lines = open_jsonlines(path, name=name)
        return Opened(lines.header, lines, "jsonl")
    if suffix in _WORKBOOKS and magic.lstrip()[:1] == b"<":
        raise UnreadableFile("web_page", name=name)
    ours = is_row_report(path)  # whose header is its first line, however the file was written that it reports on
    text = open_delimited(
        path,
        scratch,
        name=name,
        known=known_header(tuple(profile.columns)),
        encoding=None if ours else profile.encoding,
        delimiter=profile.delimiter,
        header_row=None if ours else profile.header_row,
    )
    return Opened(text.head.header, text, "csv", text.head.dialect.delimiter)
