"""What is kept of somebody who was erased, for restores: no data of theirs, but enough to erase them again. Signed."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Erased:
    """Their number, and keyed hashes of keys that were theirs alone, with their kind; `readmitted`: may come again."""

    contact_id: int
    hashes: Mapping[str, str]
    readmitted: bool = False

    @property
    def file(self) -> str:
        said = json.dumps([self.contact_id, sorted(self.hashes)])
        return f"{self.contact_id}-{hashlib.sha256(said.encode()).hexdigest()[:16]}.json"


def render_erased(erased: Erased, key: bytes) -> bytes:
    said = asdict(erased)
    return json.dumps({**said, "signature": _signature(said, key)}, sort_keys=True).encode()


def parse_erased(content: bytes, keys: Sequence[bytes]) -> Erased | None:
    """None where it cannot be read, or was not signed with one of these keys."""
    try:
        said = json.loads(content)
        signature = str(said.pop("signature")).encode()
        if any(hmac.compare_digest(signature, _signature(said, key).encode()) for key in keys):
            return Erased(**said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return None


def _signature(said: Mapping[str, object], key: bytes) -> str:
    return hmac.digest(key, json.dumps(said, sort_keys=True).encode(), hashlib.sha256).hex()
