"""What the sync engine and the connectors say to each other: records, answers, pages, and what a CRM can do.

A remote field's value is what JSON holds (text, number, true or false, list, object); empty is None. A field that the
CRM did not return is not among the values: missing is not empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from schemas.errors import InputError, TransientError

State = Literal["done", "refused", "unknown", "stale", "gone"]
"""What became of a write: `unknown` is read again, never sent again; `stale` met another version."""


class _Missing:
    """Stands for a field that was not returned."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Record:
    """A contact as the CRM has it. `version` tells two states of it apart; `raw` is what the transport needs again."""

    id: str
    values: Mapping[str, Any]
    version: str | None = None
    modified_at: datetime | None = None
    archived: bool = False
    token: str | None = None
    merged_into: str | None = None
    raw: Any = field(default=None, compare=False)

    def value(self, name: str) -> Any:
        return self.values.get(name, MISSING)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a listing, and the ids it says are gone; `following` asks for the next page, None at the end."""

    records: Sequence[Record]
    following: str | None = None
    gone: Sequence[str] = ()
    server_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one write: the record as the CRM stored it, where it tells, or the CRM's own words."""

    state: State
    record: Record | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field of the CRM's contact, by its own metadata."""

    name: str
    label: str = ""
    type: str = "text"
    options: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a CRM can do; this chooses the algorithm.

    `create`: `token` writes a text of ours that is unique there, `chosen_id` lets us name the record, `probe` finds a
    record by our token but does not keep it unique, `unsafe` can do none of it. `index_lag` is in seconds. Pages are
    stable where a record that changes while others are listed makes none of them be passed over. Batches are how many
    records go in one call; 1 where there is none.
    """

    create: Literal["token", "chosen_id", "probe", "unsafe"] = "unsafe"
    conditional: bool = False
    fresh_listing: bool = True
    stable_pages: bool = True
    index_lag: float = 0.0
    can_archive: bool = True
    can_erase: bool = False
    batch_read: int = 1
    batch_create: int = 1
    batch_update: int = 1
    batch_archive: int = 1


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to be made, and the token by which it is found if the answer is lost."""

    token: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """What to change of a record that was read."""

    record: Record
    values: Mapping[str, Any]


class Crm(Protocol):
    """A CRM as the engine sees it. Lists of answers are in the order of what was asked for."""

    @property
    def capabilities(self) -> Capabilities: ...

    def list_changed(self, since: datetime | None, page: str | None) -> Page:
        """The records changed since a moment, or all of them."""

    def read(self, ids: Sequence[str]) -> dict[str, Record]:
        """The records with these ids, by the id asked for; one that was merged away answers the survivor."""

    def find_tokens(self, tokens: Sequence[str]) -> dict[str, Record]:
        """The records that carry these tokens, archived ones too."""

    def create(self, records: Sequence[NewRecord]) -> list[Answer]: ...

    def update(self, patches: Sequence[Patch]) -> list[Answer]: ...

    def archive(self, ids: Sequence[str]) -> list[Answer]: ...

    def erase(self, id_: str) -> Answer: ...

    def describe(self) -> list[RemoteField]:
        """The fields of a contact there; nothing where the CRM does not tell."""

    def hints(self, body: str) -> list[str]:
        """The ids of the records that a webhook's call is about; raises ValueError for what cannot be understood."""

    @property
    def calls(self) -> int:
        """How many requests were made."""


class SignInFails(InputError):
    """The CRM does not take the credentials."""


class NotAllowed(InputError):
    """The CRM takes the credentials, and does not allow this with them."""


class CrmSays(InputError):
    """The CRM answers something that makes no sense here, or says that the request is wrong; nothing was taken."""


class CrmAway(TransientError):
    """The CRM does not answer, or has an error of its own; what became of a write is not known."""


class Throttled(TransientError):
    """The CRM wants to be left alone; nothing was done. `seconds` is how long."""

    def __init__(self, seconds: float, english: str, spanish: str) -> None:
        super().__init__(english, spanish)
        self.seconds = seconds
