"""Erasures reach the CRMs: what is agreed on is forgotten at once, and the records go with the next run."""

from sqlalchemy import Connection

from warehouse import links, sync_runs


def forget_person(connection: Connection, contact: int) -> None:
    """Keep of a person's links nothing but ids, and let the records that they have be erased."""
    for link in links.every_link_of(connection, contact):
        may_be_there = link.remote_id is not None or link.state == "creating"
        is_over = link.state == "merged" or not may_be_there  # what it was merged into is another link's, or nobody's
        row = {"id": link.id, "state": "gone" if is_over else "erasing", "dirty": 0 if is_over else links.CALLED}
        links.set_links(connection, [{**row, "base": None, "sent": None, "message": None, "next_at": None}])
    sync_runs.forget_person(connection, contact)
