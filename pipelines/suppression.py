"""Erased people stay away: their keys are known by keyed hashes only, and what brings one of them is refused."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.clean import Cleaned
from pipelines.columns import Longs, chunked
from pipelines.keys import KEYS, keys_of
from pipelines.secrets import WrongKey, hash_keys
from schemas.errors import TransientError
from schemas.frames import ROW, CleanFrame, RawFrame
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import removals
from warehouse.engines import Store, reading

ERASED = "erased"
_PURPOSE = "suppressions"
_CHECK = (removals.CHECK, "padron")


class ErasedMeanwhile(TransientError):
    """An import has to begin again, as it does not know of somebody who was erased."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """The hashes of erased people's keys, and the secrets that hashes are made with; nobody by default."""

    hashes: frozenset[str] = frozenset()
    secrets: tuple[bytes, ...] = ()

    def has(self, kind: str, value: str) -> bool:
        return bool(self.hashes) and not self.hashes.isdisjoint(_hashes(self.secrets, kind, value))

    def rows_among(self, keys: pa.Table) -> Longs:
        """The rows (of KEYS) that bring a key of somebody erased."""
        if not self.hashes:
            return np.empty(0, np.int64)
        pairs = zip(*(keys[name].to_pylist() for name in KEYS.names), strict=True)
        return np.unique(np.array([row for row, kind, value in pairs if self.has(kind, value)], np.int64))


NOBODY = Suppressed()


def read_suppressed(connection: Connection, settings: Settings) -> Suppressed:
    """Who was erased; the secrets are only asked for where somebody was. Raises WrongKey where they are others."""
    hashes = removals.suppressed(connection)
    if not hashes:
        return NOBODY
    found = Suppressed(hashes, hash_keys(settings, _PURPOSE))
    if not removals.checks(connection) <= set(_hashes(found.secrets, *_CHECK)):
        raise WrongKey(
            "The secret key is not the one that erased people were noted with, so that nobody can tell who they are. "
            "Put back PADRON_SECRET_KEY, or the file secret.key of the home folder.",
            "La clave secreta no es aquella con que se anotó a las personas borradas, y no se sabe quiénes son. "
            "Ponga la PADRON_SECRET_KEY de entonces, o el archivo secret.key de la carpeta home.",
        )
    return found


def require_known(connection: Connection, suppressed: Suppressed) -> None:
    """Raise where somebody was erased since this was read, in the transaction that holds the keys."""
    if removals.suppressed(connection) != suppressed.hashes:
        raise ErasedMeanwhile("Somebody was erased just now. Try again.", "Acaban de borrar a alguien. Reintente.")


def suppressed_in(store: Store, settings: Settings) -> Suppressed:
    with reading(store) as connection:
        return read_suppressed(connection, settings)


def suppression_hashes(settings: Settings, keys: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The hash to keep of each of these keys (kind, value), with its kind."""
    secret = hash_keys(settings, _PURPOSE)[:1]
    return {_hashes(secret, kind, value)[0]: kind for kind, value in keys}


def check_hash(settings: Settings) -> dict[str, str]:
    """A hash of nobody, by which a wrong secret is seen; kept beside those of people."""
    return suppression_hashes(settings, [_CHECK])


def every_hash(settings: Settings, kind: str, value: str) -> list[str]:
    """The hashes of a key under every secret, also older ones."""
    return _hashes(hash_keys(settings, _PURPOSE), kind, value)


def _hashes(secrets: Iterable[bytes], kind: str, value: str) -> list[str]:
    said = f"{kind}:{value}".encode()
    return [hmac.digest(secret, said, hashlib.sha256).hex() for secret in secrets]


def require_not_erased(suppressed: Suppressed, kind: str, value: str) -> None:
    """Raise where a phone or e-mail is that of somebody erased."""
    if suppressed.has(kind, value):
        raise WrongField(
            kind,
            ERASED,
            "The person with this key was erased, and does not come back unless they ask to: padron contacts readmit",
            "La persona con esta clave fue borrada del todo, y no vuelve salvo que lo pida: padron contacts readmit",
        )


def without_erased(raw: RawFrame, cleaned: Cleaned, suppressed: Suppressed, source: str) -> tuple[RawFrame, Cleaned]:
    """A block whose rows of erased people are refused, and say nothing of them where they are reported."""
    rows = suppressed.rows_among(keys_of(cleaned.frame, source))
    if not len(rows):
        return raw, cleaned
    listed = pa.array(rows)
    frame = cleaned.frame.filter(pc.invert(pc.is_in(cleaned.frame[ROW], listed)))
    notes = cleaned.notes.filter(pc.invert(pc.is_in(cleaned.notes["row"], listed)))
    count = len(rows)
    said = {"row": listed, "code": [ERASED] * count, "field": [""] * count, "value": [""] * count}
    noted = pa.concat_tables([notes, pa.table(said, cleaned.notes.schema)])
    return without_cells(raw, rows), Cleaned(CleanFrame(frame), np.union1d(cleaned.rejected, rows), noted)


def without_cells(raw: RawFrame, rows: Longs) -> RawFrame:
    """The block with nothing in the cells of these rows."""
    if not len(rows):
        return raw
    hidden = pc.is_in(chunked(raw[ROW]), pa.array(rows))
    for index, name in enumerate(raw.column_names):
        if name.startswith("c"):
            blank = pa.scalar("", raw[name].type)
            raw = RawFrame(raw.set_column(index, name, pc.if_else(hidden, blank, chunked(raw[name]))))
    return raw
