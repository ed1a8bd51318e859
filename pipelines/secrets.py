"""Secrets that have to be read again: encrypted with a key from outside the store."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from schemas.errors import SetupError
from schemas.settings import Settings

_FILE = "secret.key"


class WrongKey(SetupError):
    """The key is not the one that the secrets were encrypted with."""


def encrypt(settings: Settings, text: str) -> str:
    return _keys(settings).encrypt(text.encode()).decode()


def decrypt(settings: Settings, text: str) -> str:
    """The secret; raises WrongKey."""
    try:
        return _keys(settings).decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise WrongKey(
            f"A secret in the store was encrypted with another key than {_where(settings)}. Put back the key it was "
            "made with (several are separated by commas, the newest first).",
            f"Un secreto de la base de datos se cifró con otra clave que la de {_where(settings)}. Ponga la clave con "
            "que se creó (varias se separan con comas, la más nueva primero).",
        ) from error


def hash_keys(settings: Settings, purpose: str) -> tuple[bytes, ...]:
    """A key for hashes of this purpose for each key there is, the newest first."""
    keys = (base64.urlsafe_b64decode(one) for one in _texts(settings))
    return tuple(hmac.digest(key, f"padron {purpose}".encode(), hashlib.sha256) for key in keys)


def _where(settings: Settings) -> str:
    return "PADRON_SECRET_KEY" if settings.secret_key.get_secret_value() else str(settings.home / _FILE)


def _keys(settings: Settings) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in _texts(settings)])
    except ValueError as error:
        raise WrongKey(
            f"{_where(settings)} holds no key: it is empty or damaged. Put back the one that secrets were made with.",
            f"{_where(settings)} no tiene ninguna clave: está vacía o dañada. Ponga la clave con que se cifraron.",
        ) from error


def _texts(settings: Settings) -> Sequence[str]:
    text = settings.secret_key.get_secret_value() or _kept_key(settings.home / _FILE)
    return [key.strip() for key in text.split(",") if key.strip()]


def _kept_key(path: Path) -> str:
    """The key of this home folder, made when it is first needed; only its owner can read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(Fernet.generate_key().decode())
        try:
            os.link(part, path)  # whoever comes first makes it
        except FileExistsError:
            pass
        finally:
            part.unlink()
    return path.read_text("utf-8")
