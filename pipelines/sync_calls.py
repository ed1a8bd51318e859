"""Calls of a CRM's webhooks: kept as they came, gone through by the next run. A call only says where to look."""

import hashlib

from pipelines.sync_steps import add_seen
from pipelines.sync_work import Work
from warehouse import links, sync_runs
from warehouse.audit import Asked
from warehouse.engines import Store, transaction

_AT_ONCE = 200


def keep_call(store: Store, number: int, body: str, asked: Asked) -> bool:
    """Keep a call that was checked; False where the same one waits already."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    with transaction(store) as connection:
        return sync_runs.add_call(connection, number, digest, body, asked.at)


def take_calls(work: Work) -> None:
    """Mark the records that calls name; calls that say nothing that can be understood stay, with the reason."""
    while work.plan is None:
        with transaction(work.store) as connection:
            work.hold(connection)
            waiting = sync_runs.waiting_calls(connection, work.number, _AT_ONCE)
            ids, failed = list[str](), dict[int, str]()
            for call in waiting:
                try:
                    ids += work.crm.hints(call.body)
                except ValueError as error:
                    failed[call.id] = str(error)[:500]
            known = links.mark_records(connection, work.number, ids, links.CALLED, "called")
            add_seen(connection, work, [one for one in ids if one not in known], links.CALLED, "called")
            sync_runs.end_calls(connection, [call.id for call in waiting], failed)
        work.step("called")
        if len(waiting) < _AT_ONCE:
            return
