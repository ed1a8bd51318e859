"""What is kept beside the backups of somebody who was erased: no data of theirs, but enough to erase them again."""

import hashlib
import json
from collections.abc import Mapping
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


def render_erased(erased: Erased) -> bytes:
    return json.dumps(asdict(erased), sort_keys=True).encode()


def parse_erased(content: bytes) -> Erased:
    return Erased(**json.loads(content))
