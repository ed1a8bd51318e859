"""What a backup says of itself: its manifest, which is written last; and how far it was verified. No I/O."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

FORMAT = 1
_FILE = re.compile(r"[a-z_]+\.(parquet|csv)")
MANIFEST, VERIFIED = "manifest.json", "verified.json"
LEVELS = {1: "files", 2: "pages", 3: "restored"}
"""How far a backup is verified: its files are those of the manifest; every page of them decodes and the digests agree;
a store was made of it whose digests agree."""
_NAME = "%Y%m%dT%H%M%SZ"
_NAMED = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([0-9]{1,18})(?:-[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A file of a backup: size and SHA-256 as it lies there, rows and digest of what is in it."""

    file: str
    table: str
    rows: int
    digest: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup, of which moment and of which version of the tables."""

    name: str
    as_of: datetime
    schema_version: str
    database: str
    sealed_with: str | None
    files: tuple[BackupFile, ...]
    signed_by: str = ""
    signature: str = ""
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files if file.digest)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def tables(self) -> dict[str, BackupFile]:
        """The files that hold a table, by its name."""
        return {file.table: file for file in self.files if file.digest}


def backup_name(as_of: datetime, job: int, attempt: int) -> str:
    """A name that sorts by time, and is no other attempt's."""
    return f"{as_of.astimezone(UTC):{_NAME}}-{job}" + (f"-{attempt}" if attempt > 1 else "")


def said_by_name(name: str) -> tuple[datetime, int] | None:
    """When a backup of this name was begun, and by which job; None where it is the name of something else.

    >>> said_by_name("20261128T031500Z-12-2")
    (datetime.datetime(2026, 11, 28, 3, 15, tzinfo=datetime.timezone.utc), 12)
    """
    if not (match := _NAMED.fullmatch(name)):
        return None
    try:
        return datetime.strptime(match.group(1), _NAME).replace(tzinfo=UTC), int(match.group(2))
    except ValueError:
        return None


def signed(manifest: Manifest, key: bytes) -> Manifest:
    named = replace(manifest, signed_by=_id_of(key))
    return replace(named, signature=_signature(named, key))


def _id_of(key: bytes) -> str:
    return hashlib.sha256(b"padron manifest" + key).hexdigest()[:16]


def _signature(manifest: Manifest, key: bytes) -> str:
    return hmac.digest(key, _text(replace(manifest, signature="")).encode(), hashlib.sha256).hex()


def is_ours(manifest: Manifest, keys: Sequence[bytes]) -> bool:
    """Whether it says that one of these keys signed it."""
    return manifest.signed_by in map(_id_of, keys)


def is_genuine(manifest: Manifest, keys: Sequence[bytes]) -> bool:
    """Whether it is as one of these keys signed it."""
    said = manifest.signature.encode()
    return any(hmac.compare_digest(said, _signature(manifest, key).encode()) for key in keys)


def render_manifest(manifest: Manifest) -> bytes:
    return _text(manifest).encode()


def _text(manifest: Manifest) -> str:
    said = asdict(manifest) | {"as_of": manifest.as_of.isoformat()}
    return json.dumps(said, indent=1, sort_keys=True)


def parse_manifest(content: bytes) -> Manifest:
    """Raises ValueError, KeyError or TypeError where it is none."""
    said: Mapping[str, Any] = json.loads(content)
    files = tuple(BackupFile(**file) for file in said["files"])
    found = Manifest(**{**said, "files": files, "as_of": datetime.fromisoformat(said["as_of"])})
    kinds = {"name": str, "schema_version": str, "database": str, "signature": str, "signed_by": str, "format": int}
    if any(type(getattr(found, name)) is not kind for name, kind in kinds.items()):
        raise TypeError("a value of another type")
    if found.sealed_with is not None and type(found.sealed_with) is not str:
        raise TypeError("a value of another type")
    for file in files:
        texts = (file.file, file.table, file.digest, file.sha256)
        if not all(type(text) is str for text in texts) or (type(file.rows), type(file.size_bytes)) != (int, int):
            raise TypeError("a file of another kind")
        if not _FILE.fullmatch(file.file):
            raise ValueError("no name of a file")
    if len({file.file for file in files}) != len(files) or len(found.tables()) != sum(bool(f.digest) for f in files):
        raise ValueError("a file or a table twice")
    return found


@dataclass(frozen=True, slots=True)
class Verified:
    """How far a backup was verified the last time that it went well, and when."""

    level: int
    at: datetime


def render_verified(verified: Verified, manifest: Manifest, key: bytes) -> bytes:
    said = {"level": verified.level, "at": verified.at.isoformat()}
    return json.dumps({**said, "signature": _of_verified(verified, manifest, key)}).encode()


def parse_verified(content: bytes | None, manifest: Manifest, keys: Sequence[bytes]) -> Verified | None:
    """None also for what is of another backup, was not signed with one of these keys, or cannot be read."""
    try:
        said = json.loads(content or b"{}")
        found, signature = Verified(said["level"], datetime.fromisoformat(said["at"])), said["signature"].encode()
        signatures = (_of_verified(found, manifest, key).encode() for key in keys)
        if found.level in LEVELS and any(hmac.compare_digest(signature, one) for one in signatures):
            return found
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _of_verified(verified: Verified, manifest: Manifest, key: bytes) -> str:
    said = f"{manifest.signature} {verified.level} {verified.at.isoformat()}"
    return hmac.digest(key, said.encode(), hashlib.sha256).hex()
