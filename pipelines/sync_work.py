"""What all steps of one run of sync share: the store, the CRM, the mapping, and what has become of records so far."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from pipelines.imports import Clock
from pipelines.pairs import Decision, Merging
from schemas.crm import Crm
from schemas.settings import Settings
from warehouse.audit import Asked
from warehouse.connections import CrmConnection
from warehouse.links import Link

BACKOFF = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1))
"""How long a record that was not taken is left alone, after each failure; the last for ever."""
_SAID = 500


@dataclass(slots=True)
class Work:
    """One run of one connection.

    `hold` proves the lease inside a transaction; `step` is told the name of each point at which a process may die.
    With `plan` nothing is written: decisions are handed to it. With `allowed` only decisions with these fingerprints,
    by the key of their pair, are carried out. `held` are deletions, `later` what is sent once a listing has ended.
    """

    store: Engine
    settings: Settings
    crm: Crm
    connection: CrmConnection
    merging: Merging
    clock: Clock
    run: int = 0
    hold: Callable[[Connection], None] = lambda connection: None
    step: Callable[[str], None] = lambda name: None
    plan: Callable[[Sequence[Decision]], None] | None = None
    allowed: Mapping[str, str] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    held: dict[str, Decision] = field(default_factory=dict)
    later: list[Decision] = field(default_factory=list)
    claimed: set[int] = field(default_factory=set)
    looked_at: set[int] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        return self.clock()

    @property
    def number(self) -> int:
        return self.connection.id

    @property
    def asked(self) -> Asked:
        """Whom changes here are said to be made by."""
        return Asked(f"crm:{self.connection.name}", self.clock())

    def outcome(
        self, found: Decision, outcome: str, said: str = "", fields: Sequence[str] = (), link: int | None = None
    ) -> dict[str, Any]:
        """A row that tells what became of a pair."""
        self.counts[outcome] += 1
        if outcome == "applied":
            self.counts[found.action] += 1
        remote = found.record.id if found.record else found.link.remote_id if found.link else None
        contact = found.contact or (found.link.contact_id if found.link else None)
        return {
            "run_id": self.run,
            "link_id": link or (found.link.id if found.link else None),
            "contact_id": contact or (found.view.id if found.view else None),
            "remote_id": remote,
            "outcome": outcome,
            "action": found.action,
            "fields": sorted({*fields, *found.pull, *found.push, *found.parked}) or None,
            "said": said[:_SAID] or None,
            "at": self.now,
        }


def failed(link: Link, said: str, now: datetime) -> dict[str, Any]:
    """What to note of a link that was not taken: why, and when it is looked at again."""
    pause = BACKOFF[min(link.attempts, len(BACKOFF) - 1)]
    return {
        "id": link.id,
        "attempts": link.attempts + 1,
        "next_at": now + pause,
        "message": said[:_SAID],
        "updated_at": now,
    }
