"""Sealed files: what was changed, cut off, put together anew or passed off as another is not read."""

import io
import os
from pathlib import Path

import pytest

from connectors.sealing import Damaged, Hashed, NoSuchKey, Sealing, unseal

KEY, OTHER = bytes(range(32)), bytes(32)
SIZES = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20]


def sealed(content: bytes, what: str = "a/b", key: bytes | None = KEY) -> bytes:
    stream = io.BytesIO()
    sealing = Sealing(stream, key, what)
    for at in range(0, len(content), 300_001):
        sealing.write(content[at : at + 300_001])
    sealing.close()
    assert (sealing.size, sealing.sha256) == (len(stream.getvalue()), hashed(stream.getvalue()).sha256)
    return stream.getvalue()


def hashed(content: bytes) -> Hashed:
    found = Hashed(io.BytesIO(content))
    list(found.rest())
    return found


def opened(content: bytes, path: Path, *keys: bytes, what: str = "a/b") -> bytes:
    with path.open("wb") as target:
        unseal(io.BytesIO(content), keys, what, target)
    return path.read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_is_read_back(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)

    found = sealed(content)

    assert opened(found, tmp_path / "x", OTHER, KEY) == content
    assert size < 16 or content[:16] not in found


def test_without_a_key_it_is_what_it_was() -> None:
    assert sealed(b"hola", key=None) == b"hola"


def test_another_key_is_said_to_be_another(tmp_path: Path) -> None:
    with pytest.raises(NoSuchKey):
        opened(sealed(b"hola"), tmp_path / "x", OTHER)


def test_the_same_content_is_sealed_otherwise_each_time() -> None:
    assert sealed(b"hola") != sealed(b"hola")


@pytest.mark.parametrize("size", SIZES)
def test_every_change_is_seen(tmp_path: Path, size: int) -> None:
    whole = sealed(os.urandom(size))
    places = {0, 9, 20, len(whole) // 2, len(whole) - 1}

    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises((Damaged, NoSuchKey)):
            opened(bytes(changed), tmp_path / "x", KEY)


def test_cut_off_swapped_repeated_and_renamed_is_seen(tmp_path: Path) -> None:
    whole = sealed(os.urandom(3 << 20))
    head, chunk = 32, (1 << 20) + 16
    one, two, three = (whole[head + n * chunk : head + (n + 1) * chunk] for n in range(3))

    for parts in ([one, two], [two, one, three], [one, one, two, three], [one, two, three, three], [three], []):
        with pytest.raises(Damaged):
            opened(whole[:head] + b"".join(parts), tmp_path / "x", KEY)
    with pytest.raises(Damaged):
        opened(whole, tmp_path / "x", KEY, what="a/c")
    with pytest.raises(Damaged):
        opened(whole[:20], tmp_path / "x", KEY)
