"""What a backup says of itself: its manifest, which is written last; and how far it was verified. No I/O."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

FORMAT = 1
MANIFEST, VERIFIED = "manifest.json", "verified.json"
LEVELS = {1: "files", 2: "pages", 3: "restored"}
"""How far a backup is verified: its files are those of the manifest; every page of them decodes and the digests agree;
a store was made of it whose digests agree."""
_NAME = "%Y%m%dT%H%M%SZ"


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
    at, *rest = name.split("-")
    try:
        return datetime.strptime(at, _NAME).replace(tzinfo=UTC), int(rest[0])
    except (ValueError, IndexError):
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
    return any(hmac.compare_digest(manifest.signature, _signature(manifest, key)) for key in keys)


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
    for file in files:
        if (type(file.rows), type(file.size_bytes)) != (int, int) or "/" in file.file:
            raise TypeError("a file of another kind")
    return found


@dataclass(frozen=True, slots=True)
class Verified:
    """How far a backup was verified the last time that it went well, and when."""

    level: int
    at: datetime


def render_verified(verified: Verified, manifest: Manifest) -> bytes:
    said = {"level": verified.level, "at": verified.at.isoformat(), "signature": manifest.signature}
    return json.dumps(said).encode()


def parse_verified(content: bytes | None, manifest: Manifest) -> Verified | None:
    """None also for what is of another backup, or cannot be read."""
    try:
        said = json.loads(content or b"{}")
        if said["signature"] == manifest.signature and said["level"] in LEVELS:
            return Verified(said["level"], datetime.fromisoformat(said["at"]))
    except (ValueError, KeyError, TypeError):
        pass
    return None
