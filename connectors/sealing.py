"""Files that are hashed and, with a key, encrypted while they are written; and read back only if nothing was changed.

Encrypted: AES-256-GCM in chunks of 1 MiB, numbered, the last one marked, under a key made for the file from the
installation's by HKDF and random bytes that stand in the file's head. What the file is belongs to what is sealed, so
that no file passes for another.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_MAGIC = b"PADRON1\n"
_CHUNK, _TAG, _SALT, _ID = 1 << 20, 16, 16, 8


class Damaged(Exception):
    """What was read is not what was written."""


class NoSuchKey(Exception):
    """The file was sealed with a key that is not among those we have."""


def key_id(key: bytes) -> str:
    """Names a key without giving it away."""
    return hashlib.sha256(b"padron backup key id" + key).hexdigest()[: _ID * 2]


def _of_file(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, salt, b"padron backup file").derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


class Sealing:
    """A file to write to, as a Parquet writer wants one, over a stream; `sha256` and `size` are of what that got."""

    def __init__(self, stream: Any, key: bytes | None, what: str) -> None:
        self._stream, self._what = stream, what.encode()
        self._hash, self.size, self._written = hashlib.sha256(), 0, 0
        self._cipher: AESGCM | None = None
        self._rest, self._chunks = bytearray(), 0
        self.closed = False
        if key is not None:
            salt = os.urandom(_SALT)
            self._cipher = _of_file(key, salt)
            self._pass_on(_MAGIC + bytes.fromhex(key_id(key)) + salt)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, content: Any) -> int:
        count = memoryview(content).nbytes
        self._written += count
        if self._cipher is None:
            self._pass_on(content)
            return count
        self._rest += content
        while len(self._rest) > _CHUNK:
            self._seal(bytes(self._rest[:_CHUNK]), is_last=False)
            del self._rest[:_CHUNK]
        return count

    def _seal(self, content: bytes, *, is_last: bool) -> None:
        assert self._cipher is not None
        self._pass_on(self._cipher.encrypt(_nonce(self._chunks, is_last=is_last), content, self._what))
        self._chunks += 1

    def _pass_on(self, content: Any) -> None:
        self._hash.update(content)
        self.size += memoryview(content).nbytes
        self._stream.write(content)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None: ...

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed and self._cipher is not None:
            self._seal(bytes(self._rest), is_last=True)
        self.closed = True


class Hashed:
    """A stream to read; `sha256` and `size` are of what was read so far."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._hash, self.size = stream, hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, count: int) -> bytes:
        content = bytes(self._stream.read(count))
        self._hash.update(content)
        self.size += len(content)
        return content

    def rest(self) -> Iterator[bytes]:
        """What is still there, a part at a time."""
        while content := self.read(_CHUNK):
            yield content


def unseal(stream: Any, keys: Sequence[bytes], what: str, target: Any) -> None:
    """Write what is sealed in a stream to another; raises Damaged or NoSuchKey."""
    head = _exactly(stream, len(_MAGIC) + _ID + _SALT)
    if not head.startswith(_MAGIC) or len(head) < len(_MAGIC) + _ID + _SALT:
        raise Damaged("no such head")
    wanted, salt = head[len(_MAGIC) : len(_MAGIC) + _ID].hex(), head[-_SALT:]
    key = next((one for one in keys if key_id(one) == wanted), None)
    if key is None:
        raise NoSuchKey(wanted)
    cipher = _of_file(key, salt)
    for number, (chunk, is_last) in enumerate(_chunks(stream)):
        try:
            target.write(cipher.decrypt(_nonce(number, is_last=is_last), chunk, what.encode()))
        except InvalidTag as error:
            raise Damaged(f"chunk {number}") from error


def _chunks(stream: Any) -> Iterator[tuple[bytes, bool]]:
    """Each sealed chunk, and whether it is the last one."""
    chunk = _exactly(stream, _CHUNK + _TAG)
    while True:
        following = _exactly(stream, _CHUNK + _TAG)
        yield chunk, not following
        if not following:
            return
        chunk = following


def _exactly(stream: Any, count: int) -> bytes:
    """So many bytes, fewer only at the end."""
    parts = []
    while count and (content := stream.read(count)):
        parts.append(content)
        count -= len(content)
    return b"".join(parts)
