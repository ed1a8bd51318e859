"""Calls of a CRM's webhooks: kept as they came, gone through by the next run. A call only says where to look."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from pipelines.sync_steps import add_seen
from pipelines.sync_work import Work
from warehouse import links, sync_runs
from warehouse.engines import transaction

_AT_ONCE, _LONGEST = 200, 200


def keep_calls(connection: Connection, calls: Sequence[tuple[int, str, datetime]]) -> None:
    """Keep calls that were checked: of which connection, the body, when. What waits already is kept once."""
    rows = [
        {"connection_id": number, "body": body, "digest": hashlib.sha256(body.encode()).hexdigest(), "received_at": at}
        for number, body, at in calls
    ]
    sync_runs.add_calls(connection, rows)


def _plain(id_: str) -> str:
    """An id as every database keeps it; raises ValueError for what is none."""
    plain = id_.replace("\x00", "").encode("utf-8", "ignore").decode()
    if plain != id_ or len(id_) > _LONGEST:
        raise ValueError("an id that no CRM has")
    return id_


def take_calls(work: Work) -> None:
    """Mark the records that calls name; calls that say nothing that can be understood stay, with the reason."""
    while work.plan is None:
        with transaction(work.store) as connection:
            work.hold(connection)
            waiting = sync_runs.waiting_calls(connection, work.number, _AT_ONCE)
            ids, failed = list[str](), dict[int, str]()
            for call in waiting:
                try:
                    ids += [_plain(one) for one in work.crm.hints(call.body)]
                except (ValueError, RecursionError) as error:
                    failed[call.id] = str(error)[:500] or type(error).__name__
            known = links.mark_records(connection, work.number, ids, links.CALLED, "called")
            add_seen(connection, work, [one for one in ids if one not in known], links.CALLED, "called")
            sync_runs.end_calls(connection, [call.id for call in waiting], failed)
        work.step("called")
        if len(waiting) < _AT_ONCE:
            return
