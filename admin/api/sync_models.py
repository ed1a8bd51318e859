"""What the API takes and gives of connections and sync."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from admin.api.models import NO_NUL, Body
from pipelines.sync_reports import PairStanding, Standing
from warehouse.connections import CrmConnection
from warehouse.sync_plans import Plan, PlanItem
from warehouse.sync_runs import Conflict, Outcome, SyncRun

ConnectionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Said = Annotated[str, Field(max_length=2_000, pattern=NO_NUL)]
Pairs = Annotated[dict[str, Said], Field(max_length=20)]
OutcomeName = Literal["applied", "unchanged", "conflict", "rejected", "waiting"]
ConflictState = Literal["open", "chosen", "auto", "restored", "dismissed"]


class ConnectionBody(Body):
    """An account of a CRM: `config` and `secrets` are what its connector asks for."""

    name: ConnectionName
    connector: ConnectionName
    config: Pairs = Field(default_factory=dict)
    secrets: Pairs = Field(default_factory=dict)


class ConnectionChanges(Body):
    """What is to change of a connection; what is not named stays."""

    config: Pairs = Field(default_factory=dict)
    secrets: Pairs = Field(default_factory=dict)


class RestoreBody(Body):
    """Whose value stands: that of one side, or the one that a policy passed over."""

    side: Literal["local", "remote", "loser"] = "loser"


class ConnectorModel(BaseModel):
    """A CRM that there is a connector for, and what it needs to be told."""

    name: str
    title: str
    config: list[str]
    secrets: list[str]


class ConnectionModel(BaseModel):
    """A connection; credentials are never told."""

    name: str
    connector: str
    config: dict[str, str]
    state: str
    message_en: str | None
    message_es: str | None
    next_at: datetime | None
    swept_at: datetime | None
    created_by: str
    created_at: datetime
    version: int

    @classmethod
    def of(cls, crm: CrmConnection) -> "ConnectionModel":
        return cls(**{name: getattr(crm, name) for name in cls.model_fields})


class RemoteFieldModel(BaseModel):
    """A field of the CRM's contact, by its own metadata."""

    name: str
    label: str
    type: str
    options: dict[str, str]
    read_only: bool


class MappingModel(BaseModel):
    """A mapping, as its file would have it."""

    hash: str
    document: dict[str, Any]


class RunModel(BaseModel):
    """A run: how it ended, how many records had which outcome, and how many requests were made."""

    id: int
    kind: str
    actor: str
    started_at: datetime
    finished_at: datetime | None
    state: str
    counts: dict[str, int]
    calls: int
    message_en: str | None
    message_es: str | None

    @classmethod
    def of(cls, run: SyncRun) -> "RunModel":
        found = {name: getattr(run, name) for name in cls.model_fields}
        return cls(**{**found, "counts": dict(run.counts or {})})


class StandingModel(BaseModel):
    """How a connection stands."""

    connection: ConnectionModel
    links: dict[str, int]
    due: int
    held: int
    open_conflicts: int
    failed_calls: int
    last_run: RunModel | None

    @classmethod
    def of(cls, found: Standing) -> "StandingModel":
        counts = {name: getattr(found, name) for name in ("links", "due", "held", "open_conflicts", "failed_calls")}
        last = RunModel.of(found.last) if found.last else None
        return cls(connection=ConnectionModel.of(found.crm), last_run=last, **counts)


class PlanModel(BaseModel):
    """What a run would do, as of a moment: how many pairs by what is done with them, and how many requests it takes."""

    id: int
    state: str
    counts: dict[str, int]
    calls: int
    created_by: str
    created_at: datetime
    applied_by: str | None
    applied_at: datetime | None

    @classmethod
    def of(cls, plan: Plan) -> "PlanModel":
        found = {name: getattr(plan, name) for name in cls.model_fields}
        return cls(**{**found, "counts": dict(plan.counts)})


class PlanItemModel(BaseModel):
    """One pair of a plan: what would be done, from which values to which."""

    number: int
    contact_id: int | None
    remote_id: str | None
    action: str
    changes: dict[str, Any]
    reason: str | None

    @classmethod
    def of(cls, item: PlanItem) -> "PlanItemModel":
        found = {name: getattr(item, name) for name in cls.model_fields}
        return cls(**{**found, "changes": dict(item.changes)})


class OutcomeModel(BaseModel):
    """What became of a record; `said` is the CRM's own words, or the reason."""

    id: int
    contact_id: int | None
    remote_id: str | None
    outcome: str
    action: str | None
    fields: list[str]
    said: str | None
    at: datetime

    @classmethod
    def of(cls, outcome: Outcome) -> "OutcomeModel":
        found = {name: getattr(outcome, name) for name in cls.model_fields}
        return cls(**{**found, "fields": list(outcome.fields or ())})


class ConflictModel(BaseModel):
    """Values that stood against each other, and who won; the other is kept here."""

    id: int
    contact_id: int | None
    pair: str
    local: Any
    remote: Any
    policy: str
    winner: str
    state: str
    at: datetime
    resolved_by: str | None
    resolved_at: datetime | None

    @classmethod
    def of(cls, conflict: Conflict) -> "ConflictModel":
        return cls(**{name: getattr(conflict, name) for name in cls.model_fields})


class FieldStandingModel(BaseModel):
    """A pair of fields: what was agreed on (ours, theirs), what stands on each side, and what would be done."""

    pair: str
    base: list[Any] | None
    local: Any
    remote: Any
    verdict: str
    detail: str


class PairModel(BaseModel):
    """A contact in one CRM."""

    connection: str
    remote_id: str | None
    state: str
    action: str
    why: str
    fields: list[FieldStandingModel]

    @classmethod
    def of(cls, pair: PairStanding) -> "PairModel":
        fields = [
            FieldStandingModel(
                pair=one.pair,
                base=list(one.base) if one.base is not None else None,
                local=one.local,
                remote=one.remote,
                verdict=one.verdict,
                detail=one.detail,
            )
            for one in pair.fields
        ]
        said: Mapping[str, Any] = {"connection": pair.connection, "action": pair.action, "why": pair.why}
        return cls(remote_id=pair.link.remote_id, state=pair.link.state, fields=fields, **said)
