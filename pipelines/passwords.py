"""Passwords and tokens as they are kept: Argon2id of what people choose, SHA-256 of what chance chose."""

import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""As OWASP's Password Storage Cheat Sheet has it: 19 MiB, two passes."""
_NOBODY = _HASHER.hash(secrets.token_hex())


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def is_password(password: str, kept: str | None) -> bool:
    """Whether it is the password that was kept; takes as long where there is none."""
    try:
        return _HASHER.verify(kept or _NOBODY, password) and kept is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


def new_secret(prefix: str) -> str:
    """256 bits of chance, behind a prefix that tells what it opens."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Compared in the same time wherever they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
