"""Plans: what a run would do, read and kept; and letting it be done, as far as nothing has moved since."""

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import Any

from sqlalchemy import Engine

from pipelines.imports import Clock
from pipelines.pairs import Decision
from pipelines.sync import Asking, Busy, CrmOf, NotReady, SyncReport, find_decisions, require_ready, run_sync
from schemas.crm import Capabilities
from schemas.errors import InputError
from schemas.settings import Settings
from warehouse import audit, connections, sync_plans
from warehouse.audit import Asked
from warehouse.connections import CrmConnection
from warehouse.engines import Store, reading, transaction
from warehouse.sync_plans import Plan, PlanItem

_SILENT = ("none", "rest")


class NoPlan(InputError):
    """There is no plan that could be applied."""


def make_plan(store: Engine, settings: Settings, name: str, crm_of: CrmOf, clock: Clock, asked: Asked) -> Plan:
    """Read both sides and keep what a run would do; nothing is changed. Raises NotReady."""
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
    require_ready(crm, is_applied=True)
    client = crm_of(crm)
    found, merging = find_decisions(store, settings, crm, client, clock)
    items = [_item(one) for one in found if one.action not in _SILENT or one.lost]
    counts = Counter(item["action"] for item in items)
    counts["conflicts"] = sum(len(one.lost) for one in found)
    counts["fields"] = sum(len(one.pull) + len(one.push) for one in found if one.action == "merge")
    values = {
        "connection_id": crm.id,
        "mapping_hash": merging.mapping.hash,
        "counts": dict(counts),
        "calls": calls_needed(found, client.capabilities),
        "created_by": asked.actor,
        "created_at": clock(),
    }
    with transaction(store) as connection:
        made = sync_plans.add_plan(connection, values, items)
        audit.add_entry(connection, asked, "sync:plan", f"connection:{crm.id}", None, dict(counts))
    return made


def _item(one: Decision) -> dict[str, Any]:
    return {
        "key": one.key,
        "contact_id": one.contact or (one.view.id if one.view else None),
        "remote_id": one.record.id if one.record else one.link.remote_id if one.link else None,
        "action": "conflict" if one.action == "none" else one.action,
        "changes": one.changes,
        "reason": one.why or None,
        "fingerprint": one.fingerprint,
    }


def calls_needed(found: Sequence[Decision], can: Capabilities) -> int:
    """How many requests the writes of a plan take."""
    counts = Counter(
        "create"
        if one.action == "create_remote"
        else "archive"
        if one.action in ("archive_remote", "erase_remote")
        else "update"
        for one in found
        if one.push or one.action in ("archive_remote", "erase_remote")
    )
    sizes = {"create": can.batch_create, "update": can.batch_update, "archive": can.batch_archive}
    return sum(ceil(count / sizes[kind]) for kind, count in counts.items())


def find_plan(store: Store, name: str, limit: int | None = None, after: int = 0) -> tuple[Plan, list[PlanItem]]:
    """The newest plan of a connection, with some of its items. Raises NoPlan."""
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
        plan = sync_plans.newest_plan(connection, crm.id)
        if plan is None:
            raise _no_plan(crm)
        return plan, sync_plans.items_of(connection, plan.id, limit, after)


def _no_plan(crm: CrmConnection) -> NoPlan:
    return NoPlan(
        f"{crm.name} has no plan to apply. Make one: padron sync plan {crm.name}",
        f"{crm.name} no tiene un plan que aplicar. Haga uno: padron sync plan {crm.name}",
    )


def apply_plan(store: Engine, settings: Settings, name: str, crm_of: CrmOf, clock: Clock, asked: Asked) -> SyncReport:
    """Do what the newest plan says; pairs in which something has moved since are left for the next one.

    Raises NoPlan, and NotReady where the mapping is another one by now.
    """
    with transaction(store) as connection:
        crm = connections.find_connection(connection, name)
        plan = sync_plans.newest_plan(connection, crm.id)
        if plan is None or plan.state != "draft":
            raise _no_plan(crm)
        mapping = connections.mapping_of(connection, crm)
        if mapping is None or mapping.hash != plan.mapping_hash:
            raise NotReady(
                f"The mapping of {name} has changed since its plan. Make another: padron sync plan {name}",
                f"El mapeo de {name} cambió desde su plan. Haga otro: padron sync plan {name}",
            )
        allowed = sync_plans.fingerprints_of(connection, plan.id)
        audit.add_entry(connection, asked, "sync:apply", f"connection:{crm.id}", None, {"plan": plan.id})
    report = run_sync(store, settings, crm.id, crm_of, clock, Asking(asked.actor, allowed))
    if report is None:
        raise Busy(
            f"{name} is being synced by another process. Try again in a moment.",
            f"Otro proceso está sincronizando {name}. Inténtelo de nuevo en un momento.",
        )
    if report.state in ("done", "approval"):
        with transaction(store) as connection:
            sync_plans.end_plan(connection, plan.id, asked.actor, clock())
    return report
