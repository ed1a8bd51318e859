"""The state of the roll: what contacts lack, who cannot be reached, tags that are nearly the same; by source."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pipelines.tags import near_tags
from warehouse import candidates, fields, hygiene
from warehouse.engines import Store, reading
from warehouse.fields import Tag

SILENT = timedelta(days=180)
"""Nothing happened with somebody for so long."""
NAMES = hygiene.NAMES


@dataclass(frozen=True, slots=True)
class Hygiene:
    """Counts of all contacts and of each source, and what wants looking at."""

    as_of: datetime
    contacts: int
    totals: dict[str, int]
    sources: list[dict[str, Any]]
    opted_out: int
    consented: int
    pairs: int
    near_tags: list[list[Tag]]


def look(store: Store, now: datetime) -> Hygiene:
    """The state of the roll, as it is now."""
    with reading(store) as connection:
        sources = hygiene.by_source(connection, now - SILENT)
        totals = {name: sum(one[name] for one in sources) for name in NAMES}
        return Hygiene(
            now,
            sum(one["contacts"] for one in sources),
            totals,
            sources,
            hygiene.opted_out_count(connection),
            hygiene.consented_count(connection),
            candidates.waiting_pairs(connection),
            near_tags(fields.all_tags(connection)),
        )
