"""What tells a cell of a file that it is about one person: a whole e-mail or phone of theirs, in any spelling."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.emails import normalise_email
from pipelines.spellings import phone_form

_TAIL = 7
"""So many digits at a phone's end are in every spelling of it; who has them is looked at closely."""
_NO_DIGIT = r"[^0-9]"
_BETWEEN = re.compile(r"[,;|\n\x1f]| ::: |\s{2,}")
_NUMBER = re.compile(r"\+?\d[\d ().-]{5,}\d")
_EMAIL = re.compile(r"[^\s,;|<>()\"']+@[^\s,;|<>()\"']+")
_PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Traces:
    """The e-mails and the match forms of the phones that are one person's alone."""

    emails: frozenset[str]
    phones: frozenset[str]
    country: str | None

    def marks(self, cells: pa.Array) -> pa.Array:
        """Which of these cells hold one of them."""
        near = pa.array([False] * len(cells))
        for email in self.emails:
            near = pc.or_(near, pc.match_substring(cells, email, ignore_case=True).fill_null(False))
        digits = pc.replace_substring_regex(cells, _NO_DIGIT, "") if self.phones else cells
        for phone in self.phones:
            near = pc.or_(near, pc.match_substring(digits, phone[-_TAIL:]).fill_null(False))
        places = pc.indices_nonzero(near)
        if not len(places):
            return near
        found = {at for at in places.to_pylist() if self.are_said(cells[at].as_py())}
        return pa.array([at in found for at in range(len(cells))])

    def are_said(self, text: str) -> bool:
        """Whether a text names one of them."""
        if any(normalise_email(one) in self.emails for one in _EMAIL.findall(text)):
            return True
        parts = [text, *_BETWEEN.split(text), *_NUMBER.findall(text)] if self.phones else []
        return any(phone_form(part, self.country) in self.phones for part in parts if re.search(r"\d{3}", part))

    def may_be_in(self, path: Path) -> bool:
        """Whether the bytes of a file that no reader opens hold an e-mail, or the end of a phone."""
        wanted: Collection[bytes] = [text.encode() for text in (*self.emails, *(one[-_TAIL:] for one in self.phones))]
        with path.open("rb") as file:
            before = b""
            while part := file.read(_PART):
                whole = before + part.lower()
                if any(text in whole for text in wanted):
                    return True
                before = whole[-256:]
        return False
