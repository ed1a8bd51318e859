"""Passwords and tokens as they are kept: Argon2id of what people choose, SHA-256 of what chance chose."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from schemas.operators import OperatorForm, check_password

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""As OWASP's Password Storage Cheat Sheet has it: 19 MiB, two passes."""
_NOBODY = _HASHER.hash(secrets.token_hex())


@dataclass(frozen=True, slots=True)
class Password:
    """A new password as it was typed twice; a temporary one must be changed at the next sign-in."""

    password: str
    confirmation: str
    is_temporary: bool = False


def hashed_password(password: Password, form: OperatorForm) -> str:
    """What is kept of an operator's new password; raises WrongField for one that is too easy to guess, or mistyped."""
    known = {"email": form.email, "name": f"{form.first_name} {form.last_name}"}
    check_password(password.password, password.confirmation, known)
    return _HASHER.hash(password.password)


def hashed_anew(password: str, kept: str) -> str:
    """The same password as it is kept today; what is kept already where that has not changed since."""
    return _HASHER.hash(password) if _HASHER.check_needs_rehash(kept) else kept


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
