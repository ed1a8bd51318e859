"""Creates with an idempotency key: the same request again makes nothing, and gives what it made."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from schemas.errors import InputError
from warehouse import idempotency
from warehouse.audit import Asked
from warehouse.engines import CLASH, Store, reading
from warehouse.idempotency import Once

Made = TypeVar("Made")


class KeyReused(InputError):
    """The key belongs to another request."""


def once_for(key: str, request: str) -> Once:
    """The key of a request, both as hashes: neither is kept in the clear."""
    return Once(*(hashlib.sha256(text.encode()).hexdigest() for text in (key, request)))


def create_once(
    store: Store, asked: Asked, once: Once | None, create: Callable[[Asked], Made], found: Callable[[int], Made]
) -> Made:
    """Create, or give what this request made before; `create` writes one audit entry of what it makes."""
    if once is None:
        return create(asked)
    number = _made_before(store, asked.actor, once)
    if number is not None:
        return found(number)
    try:
        return create(replace(asked, once=once))
    except (*CLASH, InputError):  # the same request at the same time took the e-mail, or the key
        number = _made_before(store, asked.actor, once)
        if number is None:
            raise
        return found(number)


def _made_before(store: Store, actor: str, once: Once) -> int | None:
    with reading(store) as connection:
        made = idempotency.made_with(connection, actor, once)
    if made is None:
        return None
    object_, request = made
    if request != once.request_sha256:
        raise KeyReused(
            "This idempotency key was used for another request. Choose a new one for each create.",
            "Esta clave de idempotencia ya se usó en otra petición. Elija una nueva para cada alta.",
        )
    return int(object_.partition(":")[2])
