"""Finding the header among the first records of a file, and saying so when there is none."""

import re
from collections.abc import Callable, Sequence

from schemas.headers import header_target

LOOKED_THROUGH = 25
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[\d\s().-]{7,20}")
_NUMBER = re.compile(r"[-+]?[\d.,:/ T-]+")
Known = Callable[[str], bool]


def known_header(extra: Sequence[str] = ()) -> Known:
    """A test for header cells that mean something: by name, or because the profile lists them."""
    listed = set(extra)
    return lambda cell: cell in listed or cell.strip() in listed or header_target(cell) is not None


def find_header(records: Sequence[Sequence[str]], known: Known) -> int | None:
    """The index of the header among the first records, or None where no record looks like one."""
    candidates = enumerate(records[:LOOKED_THROUGH])
    scored = [
        (sum(map(known, filter(str.strip, record))), index) for index, record in candidates if not _is_data(record)
    ]
    best = max(scored, key=lambda item: (item[0], -item[1]), default=(0, 0))
    if best[0]:
        return None if _has_contacts_above(records, best[1]) else best[1]
    first = next((index for index, record in enumerate(records) if any(cell.strip() for cell in record)), None)
    return first if first is not None and _could_be_header(records[first]) else None


def _has_contacts_above(records: Sequence[Sequence[str]], header: int) -> bool:
    """Whether contacts stand above what looks like a header: then it is no header, and they would be lost."""
    width = len(records[header])
    return width > 1 and any(len(record) == width and _is_data(record) for record in records[:header])


def _is_data(record: Sequence[str]) -> bool:
    return any(("@" in cell and _EMAIL.search(cell[:400])) or _is_phone(cell.strip()) for cell in record)


def _is_phone(cell: str) -> bool:
    return bool(_PHONE.fullmatch(cell)) and sum(char.isdigit() for char in cell) >= 7


def _could_be_header(record: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in record if cell.strip()]
    plain = all(not _NUMBER.fullmatch(cell) and len(cell) <= 100 for cell in cells)
    return plain and len(set(cells)) == len(cells) and not _is_data(record)
