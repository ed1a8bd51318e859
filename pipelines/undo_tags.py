"""Taking back an edit of many that moved only tags: thousands of contacts at once, where nobody came after it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from pipelines.history import as_diff
from pipelines.imports import Clock
from warehouse import batches, bulk_edits, roll, undo
from warehouse.batches import Batch
from warehouse.bulk_edits import Edits

_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Taken:
    """Changes that were taken back at once: how many, of how many contacts something went back, the last of them."""

    changes: int
    restored: int
    last: int


class TagsBack:
    """Takes tags back for many contacts at once, while an edit of many moved nothing else and nobody came after it."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._others: set[int] = set()
        self._seen: int | None = None

    def take_back(self, connection: Connection, after: int, actor: str, clock: Clock, later: set[int]) -> Taken | None:
        """Take the next changes back; None where each has to be looked at by itself."""
        if self._batch.kind != batches.EDIT:
            return None
        changes = undo.plain_changes(connection, self._batch.id, after, _AT_ONCE)
        if not changes or any(diff is None or diff.keys() != {"tags"} for _, _, diff in changes):
            return None
        ids = [contact_id for _, contact_id, _ in changes]
        self._look(connection)
        if not (self._others | later | undo.dead_among(connection, ids)).isdisjoint(ids):
            return None
        moved = {tag for _, _, diff in changes for side in diff["tags"] for tag in side}
        had, edits = bulk_edits.tags_now(connection, ids, sorted(moved)), Edits()
        for _, contact_id, diff in changes:
            old, new = diff["tags"]
            gone = [tag for tag in new if (contact_id, tag) in had]
            back = [tag for tag in old if (contact_id, tag) not in had]
            edits.tags_gone += [(contact_id, tag) for tag in gone]
            edits.tags_new += [(contact_id, tag) for tag in back]
            if gone or back:
                edits.diffs.append((contact_id, as_diff({"tags": [gone, back]})))
        edits.write(connection, self._batch.id, actor, clock(), operation="undo")
        return Taken(len(changes), len(edits.diffs), changes[-1].id)

    def _look(self, connection: Connection) -> None:
        """Add whom others changed since the last look."""
        since = undo.first_change(connection, self._batch.id) if self._seen is None else self._seen
        self._others |= undo.changed_by_others(connection, self._batch.id, since)
        self._seen = roll.last_change(connection)
