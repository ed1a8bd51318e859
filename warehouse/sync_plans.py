"""The statements of plans: what a run would do with each pair, as of a moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from warehouse import bulk
from warehouse.sync_tables import sync_plan_items, sync_plans


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of `sync_plans`."""

    id: int
    connection_id: int
    mapping_hash: str
    state: str
    counts: Mapping[str, int]
    calls: int
    created_by: str
    created_at: datetime
    applied_by: str | None
    applied_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanItem:
    """A row of `sync_plan_items`."""

    number: int
    key: str
    contact_id: int | None
    remote_id: str | None
    action: str
    changes: Mapping[str, Any]
    reason: str | None
    fingerprint: str


_PLAN = tuple(sync_plans.c[name] for name in Plan.__slots__)
_ITEM = tuple(sync_plan_items.c[name] for name in PlanItem.__slots__)


def add_plan(connection: Connection, values: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Plan:
    """A new draft, in place of earlier drafts of the connection."""
    p = sync_plans.c
    old = select(p.id).where(p.connection_id == values["connection_id"], p.state == "draft")
    connection.execute(delete(sync_plan_items).where(sync_plan_items.c.plan_id.in_(old)))
    replaced = update(sync_plans).where(p.connection_id == values["connection_id"], p.state == "draft")
    connection.execute(replaced.values(state="replaced"))
    number = bulk.take_ids(connection, "sync_plans", 1)
    row = insert(sync_plans).values(id=number, state="draft", **values).returning(*_PLAN)
    made = Plan(**connection.execute(row).one()._mapping)
    if items:
        rows = [{**item, "plan_id": number, "number": at} for at, item in enumerate(items, 1)]
        connection.execute(insert(sync_plan_items), rows)
    return made


def newest_plan(connection: Connection, number: int) -> Plan | None:
    """The newest plan of a connection."""
    p = sync_plans.c
    row = connection.execute(select(*_PLAN).where(p.connection_id == number).order_by(p.id.desc()).limit(1)).first()
    return Plan(**row._mapping) if row else None


def items_of(connection: Connection, plan: int, limit: int | None = None, after: int = 0) -> list[PlanItem]:
    """The items of a plan, in order."""
    i = sync_plan_items.c
    query = select(*_ITEM).where(i.plan_id == plan, i.number > after).order_by(i.number).limit(limit)
    return [PlanItem(**row._mapping) for row in connection.execute(query)]


def fingerprints_of(connection: Connection, plan: int) -> dict[str, str]:
    """The fingerprint of each pair of a plan, by its key."""
    i = sync_plan_items.c
    return dict(connection.execute(select(i.key, i.fingerprint).where(i.plan_id == plan)).all())


def end_plan(connection: Connection, plan: int, actor: str, at: datetime) -> None:
    """The plan was applied; what it holds of people is not needed any more."""
    values = {"state": "applied", "applied_by": actor, "applied_at": at}
    connection.execute(update(sync_plans).where(sync_plans.c.id == plan).values(**values))
    connection.execute(delete(sync_plan_items).where(sync_plan_items.c.plan_id == plan))
