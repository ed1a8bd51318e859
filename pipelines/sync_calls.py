"""Calls of a CRM's webhooks: kept as they came, gone through by the next run. A call only says where to look."""

import hashlib

from pipelines.sync_steps import add_seen
from pipelines.sync_work import Work
from warehouse import links, sync_runs
from warehouse.audit import Asked
from warehouse.engines import Store, transaction

_AT_ONCE, _LONGEST = 200, 200


def keep_call(store: Store, number: int, body: str, asked: Asked) -> bool:
    """Keep a call that was checked; False where the same one waits already."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    with transaction(store) as connection:
        return sync_runs.add_call(connection, number, digest, body, asked.at)


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
