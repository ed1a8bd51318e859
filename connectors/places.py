"""Where backups lie: a local folder, S3-compatible storage, or whatever fsspec reaches. Names are relative to it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
from pyarrow import fs

from schemas.errors import InputError
from schemas.urls import hide_password

_NATIVE = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")


class PlaceFails(InputError):
    """The place does not answer, is full, or does not let us in."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of some file system; `shown` is its URL without passwords, `named` where somebody wrote it."""

    files: Any
    base: str
    shown: str
    named: str
    is_local: bool

    def path(self, name: str) -> str:
        return f"{self.base}/{name}" if name else self.base

    def folders(self, name: str = "") -> list[str]:
        """The names of the folders in a folder."""
        return [info.base_name for info in self._inside(name) if info.type == fs.FileType.Directory]

    def sizes(self, name: str = "") -> dict[str, int]:
        """The files in a folder, with their sizes in bytes."""
        return {info.base_name: int(info.size) for info in self._inside(name) if info.type == fs.FileType.File}

    def _inside(self, name: str) -> list[Any]:
        with self.answering():
            return list(self.files.get_file_info(fs.FileSelector(self.path(name), allow_not_found=True)))

    @contextmanager
    def writing(self, name: str) -> Iterator[Any]:
        """A file under way; locally it is on the disk at the end of the block."""
        with self.answering():
            self._make_folder_of(name)
            with self.files.open_output_stream(self.path(name), compression=None) as stream:
                yield stream
            if self.is_local:
                _settle(Path(self.path(name)))

    @contextmanager
    def reading(self, name: str) -> Iterator[Any]:
        with self.answering(), self.files.open_input_stream(self.path(name), compression=None) as stream:
            yield stream

    def put(self, name: str, content: bytes) -> None:
        """A small file, which is there whole or not at all."""
        with self._whole(name) as stream:
            stream.write(content)

    def put_file(self, name: str, path: Path) -> None:
        """A copy of a file of this machine, likewise."""
        with path.open("rb") as file, self._whole(name) as stream:
            while content := file.read(1 << 20):
                stream.write(content)

    @contextmanager
    def _whole(self, name: str) -> Iterator[Any]:
        """Locally under another name until it is whole; object storage has what was sent whole only."""
        under_way = f"{name}.part" if self.is_local else name
        with self.writing(under_way) as stream:
            yield stream
        if self.is_local:
            with self.answering():
                os.replace(self.path(under_way), self.path(name))
                folder = Path(self.path(name)).parent
                _settle(folder)
                _settle(folder.parent)

    def get(self, name: str) -> bytes | None:
        """A small file; None where there is none."""
        with self.answering():
            if self.files.get_file_info(self.path(name)).type != fs.FileType.File:
                return None
        with self.reading(name) as stream:
            return bytes(stream.read())

    def drop(self, name: str) -> None:
        """Delete a file, if it is there."""
        with self.answering(), suppress(FileNotFoundError):
            self.files.delete_file(self.path(name))

    def drop_folder(self, name: str) -> None:
        """Delete a folder with the files in it, if it is there."""
        for file in self.sizes(name):
            self.drop(f"{name}/{file}")
        with self.answering(), suppress(FileNotFoundError):
            self.files.delete_dir(self.path(name))

    def _make_folder_of(self, name: str) -> None:
        folder = self.path(name).rpartition("/")[0]
        if self.is_local:
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        elif not isinstance(self.files, fs.S3FileSystem):  # which has no folders
            self.files.create_dir(folder, recursive=True)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Say what the place said when it fails."""
        try:
            yield
        except OSError as error:
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise PlaceFails(
                f"The place {self.shown} fails: {said}. Nothing was lost; check {self.named}, and that it is reachable "
                "and has room.",
                f"El lugar {self.shown} falla: {said}. No se perdió nada; revise {self.named}, y que se llegue a él y "
                "tenga espacio.",
            ) from error


def open_place(url: str, named: str = "PADRON_BACKUP_URL") -> Place:
    """The place that a URL or a path names; raises PlaceFails.

    `s3://bucket/folder?endpoint_override=host:9000&scheme=http` is any S3-compatible storage.
    """
    shown = hide_password(url.partition("?")[0])
    if "://" not in url or url.startswith("file://"):
        return Place(
            fs.LocalFileSystem(), str(Path(url.removeprefix("file://")).absolute()), shown, named, is_local=True
        )
    try:
        files, base = _reached(url)
    except (OSError, ValueError, ImportError, pa.ArrowException) as error:
        raise PlaceFails(
            f"The place {shown} cannot be used: {_said(error, url)}. Check {named}.",
            f"No se puede usar el lugar {shown}: {_said(error, url)}. Revise {named}.",
        ) from error
    if not base.strip("/"):
        raise PlaceFails(
            f"The place {shown} names no bucket or folder. Check {named}.",
            f"El lugar {shown} no dice bucket ni carpeta. Revise {named}.",
        )
    return Place(files, base.rstrip("/"), shown, named, is_local=False)


def _said(error: Exception, url: str) -> str:
    """What an error says, unless it would give away what stands in the URL."""
    secrets = [part for part in re.split(r"[/:@?&=]", url.partition("://")[2]) if "@" in url or "?" in url]
    if any(len(part) > 2 and part in str(error) for part in secrets):
        return f"{type(error).__name__}; write signs such as / in a secret as %2F"
    return str(error)


def _reached(url: str) -> tuple[Any, str]:
    """pyarrow reaches the large storages by itself, fsspec all others."""
    if url.partition("://")[0] in _NATIVE:
        return fs.FileSystem.from_uri(url)  # type: ignore[no-any-return]
    files, base = fsspec.core.url_to_fs(url)
    return fs.PyFileSystem(fs.FSSpecHandler(files)), str(base)


def _settle(path: Path) -> None:
    """Wait until the disk has it."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
