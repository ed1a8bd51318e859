"""Contacts that may be one person: which there are, and that they are two after all."""

from schemas.errors import InputError
from warehouse import audit, candidates
from warehouse.audit import Asked
from warehouse.candidates import CandidatePair
from warehouse.engines import Store, reading, transaction


class NoSuchPair(InputError):
    """Nobody takes these two contacts for one."""


def pairs_to_review(store: Store, limit: int, after: int = 0) -> list[CandidatePair]:
    """The next pairs, by the number of the newer contact, which is above `after`."""
    with reading(store) as connection:
        return candidates.open_pairs(connection, limit, after)


def keep_apart(store: Store, one: int, other: int, asked: Asked) -> None:
    """They are two people: the pair is not shown again. Raises NoSuchPair."""
    with transaction(store) as connection:
        if not candidates.set_pair(connection, (one, other), "apart"):
            raise NoSuchPair(
                f"Contacts {one} and {other} are not among the pairs to review: padron contacts pairs",
                f"Los contactos {one} y {other} no están entre los pares por revisar: padron contacts pairs",
            )
        audit.add_entry(
            connection, asked, "contacts:apart", f"contact:{min(one, other)}", None, {"and": max(one, other)}
        )
