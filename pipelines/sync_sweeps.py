"""The end of a run: the nightly sweep, which finds what no listing and no webhook tells, and deletions held back."""

from pipelines.sync_here import carry_out
from pipelines.sync_steps import AT_ONCE, decide_again, in_parts, look_at, look_at_due, renew, send_later, take_page
from pipelines.sync_there import send
from pipelines.sync_work import Work
from warehouse import links
from warehouse.engines import reading
from warehouse.links import Link


def sweep(work: Work) -> bool:
    """Go through everything the CRM has, and read by id whatever was not shown: merged, deleted for good, or hidden.

    False where so little is shown that it cannot be meant: then nothing follows from it.
    """
    seen, page = set[str](), None
    while True:
        found = work.crm.list_changed(None, page)
        seen |= take_page(work, found)
        page = found.following
        renew(work)
        if page is None:
            send_later(work)
            break
    look_at_due(work)
    after, missing = 0, list[Link]()
    with reading(work.store) as connection:
        active = links.count_links(connection, work.number).get("active", 0)
        while part := links.links_after(connection, work.number, after, AT_ONCE):
            missing += [link for link in part if str(link.remote_id) not in seen]
            after = part[-1].id
    if active >= AT_ONCE // 50 and len(missing) * 10 > active * 9 and not work.connection.approved:
        return False
    for some in in_parts(missing, AT_ONCE):
        look_at(work, some, {})
        renew(work)
    return True


def free_held(work: Work) -> int:
    """Make the deletions of this run, if they are no more than may be made without asking; how many wait otherwise."""
    if not work.held or work.plan is not None:
        return 0
    with reading(work.store) as connection:
        active = links.count_links(connection, work.number).get("active", 0)
    most = max(work.merging.mapping.delete.cap(active), work.connection.approved)
    if len(work.held) > most and work.allowed is None:
        return len(work.held)
    for part in in_parts([one.link.id for one in work.held.values() if one.link], AT_ONCE):
        with reading(work.store) as connection:
            listed = list(links.get_links(connection, part).values())
        found = decide_again(work, listed)  # they were read a while ago
        send(work, carry_out(work, found, freed=True))
    return 0
