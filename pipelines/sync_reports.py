"""What became of contacts in syncs: runs, outcomes, conflicts; why a pair stands as it does; and deciding by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from pipelines.contact_patches import patch_contact
from pipelines.decisions import decide
from pipelines.lenses import Unreadable
from pipelines.pairs import here, marks_of, read_records
from pipelines.suppression import read_suppressed
from pipelines.sync import CrmOf, merging_for
from schemas.crm import MISSING
from schemas.errors import InputError
from schemas.settings import Settings
from warehouse import audit, bulk, connections, links, sync_runs
from warehouse.audit import Asked
from warehouse.connections import CrmConnection
from warehouse.contact_views import changes_since, views_of
from warehouse.engines import Store, reading, transaction
from warehouse.links import Link
from warehouse.sync_runs import Conflict, Outcome, SyncRun


class NotRestored(InputError):
    """A conflict cannot be decided so."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection stands: its links by state, what is due, what waits for a person, and its last run."""

    crm: CrmConnection
    links: dict[str, int]
    due: int
    held: int
    open_conflicts: int
    failed_calls: int
    last: SyncRun | None


def find_standing(store: Store, name: str) -> Standing:
    """Raises NoSuchConnection."""
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
        runs = sync_runs.runs_of(connection, crm.id, 1)
        return Standing(
            crm,
            links.count_links(connection, crm.id),
            links.count_due(connection, crm.id),
            links.count_held(connection, crm.id),
            sync_runs.count_open(connection, crm.id),
            sync_runs.failed_calls(connection, crm.id),
            runs[0] if runs else None,
        )


def find_runs(store: Store, name: str, limit: int, before: int | None = None) -> list[SyncRun]:
    """The runs of a connection, the newest first."""
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
        return sync_runs.runs_of(connection, crm.id, limit, before)


def find_outcomes(store: Store, run: int, limit: int, outcome: str = "", after: int | None = None) -> list[Outcome]:
    """What became of the records of a run."""
    with reading(store) as connection:
        return sync_runs.outcomes_of(connection, run, limit, outcome=outcome, after=after)


def find_conflicts(
    store: Store, limit: int, name: str | None = None, state: str = "", before: int | None = None
) -> list[Conflict]:
    """The conflicts of a connection or of all, the newest first."""
    with reading(store) as connection:
        number = connections.find_connection(connection, name).id if name else None
        return sync_runs.list_conflicts(connection, limit, number=number, state=state, before=before)


# ── why a pair stands as it does ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FieldStanding:
    """A pair of fields: what was agreed on, what stands on each side, and what would be done.

    `verdict` is `agreed`, `goes_there`, `comes_here`, `left` (`detail` says why) or `winner_…` (by which policy).
    """

    pair: str
    base: Sequence[Any] | None
    local: Any
    remote: Any
    verdict: str
    detail: str


@dataclass(frozen=True, slots=True)
class PairStanding:
    """A contact in one connection: its link, what would be done with it, field by field, and what became of it."""

    connection: str
    link: Link
    action: str
    why: str
    fields: list[FieldStanding]


def explain(store: Engine, settings: Settings, contact: int, crm_of: CrmOf) -> list[PairStanding]:
    """How a contact stands in each CRM, as both sides are now; nothing is changed."""
    with reading(store) as connection:
        found = [
            (connections.get_connection(connection, link.connection_id), link)
            for link in links.every_link_of(connection, contact)
        ]
    return [_explained(store, settings, crm, link, crm_of) for crm, link in found]


def _explained(store: Engine, settings: Settings, crm: CrmConnection, link: Link, crm_of: CrmOf) -> PairStanding:
    records = crm_of(crm).read([link.remote_id]) if link.remote_id else {}
    record = records.get(link.remote_id or "")
    with reading(store) as connection:
        merging = merging_for(connection, settings, crm)
        ids = [link.contact_id] if link.contact_id else []
        view = views_of(connection, ids, merging.locals, merging.days).get(link.contact_id or 0)
        changes = changes_since(connection, ids, link.local_version).get(link.contact_id or 0, {})
    reads = read_records(merging.rules, [record])[0] if record else {}
    decision = decide(link, view, record, reads, merging, marks_of(merging, changes, record))
    fields = []
    for rule in merging.rules:
        raw, _ = reads.get(rule.name, (MISSING, None))
        verdict, detail = "agreed", ""
        if rule.name in decision.lost:
            lost = decision.lost[rule.name]
            verdict, detail = f"winner_{lost.winner}", lost.policy
        elif rule.name in decision.parked:
            verdict, detail = "left", decision.parked[rule.name]
        elif rule.name in decision.push or rule.local in decision.pull:
            verdict = "goes_there" if rule.name in decision.push else "comes_here"
        mine = here(rule, view) if view else None
        base = (link.base or {}).get(rule.name)
        fields.append(FieldStanding(rule.name, base, mine, None if raw is MISSING else raw, verdict, detail))
    return PairStanding(crm.name, link, decision.action, decision.why, fields)


# ── deciding by hand ─────────────────────────────────────────────────────────────────────────────────────────────


def restore_conflict(store: Engine, settings: Settings, number: int, side: str, asked: Asked) -> Conflict:
    """Let the value of one side stand: `local` or `remote`, or `loser`, which is the one that a policy passed over.

    The value goes into the contact as this person's edit, and from there to the CRM; raises NotRestored.
    """
    with transaction(store) as connection:
        conflict = sync_runs.get_conflict(connection, number)
        crm = connections.get_connection(connection, conflict.connection_id)
        connections.set_connection(connection, crm.id, {"next_at": None})  # before the keys, as a run does
        bulk.lock_keys(connection)
        merging = merging_for(connection, settings, crm)
        rule = next((one for one in merging.rules if one.name == conflict.pair), None)
        wanted = side if side != "loser" else "remote" if conflict.winner == "local" else "local"
        if rule is None or conflict.state not in ("open", "auto") or conflict.contact_id is None:
            raise NotRestored(
                f"Conflict {number} is settled already, or its fields are mapped no more.",
                f"El conflicto {number} ya está resuelto, o sus campos ya no están en el mapeo.",
            )
        value = rule.lens.get_one(conflict.remote) if wanted == "remote" else _value(conflict.local)
        if isinstance(value, Unreadable):
            raise NotRestored(
                f"What stands there cannot be read: {value.code}.", f"Lo que hay allí no se puede leer: {value.code}."
            )
        view = views_of(connection, [conflict.contact_id], merging.locals, merging.days).get(conflict.contact_id)
        if view is None or not view.is_living:
            raise NotRestored(
                f"Contact {conflict.contact_id} is gone.", f"El contacto {conflict.contact_id} ya no está."
            )
        suppressed = read_suppressed(connection, settings)
        done = patch_contact(connection, settings, view, {rule.local: value}, suppressed, asked)
        for error in done.refused.values():
            raise NotRestored(error.said("en"), error.said("es"))
        state = "chosen" if conflict.state == "open" else "restored"
        sync_runs.set_conflict(
            connection, number, {"state": state, "resolved_by": asked.actor, "resolved_at": asked.at}
        )
        audit.add_entry(connection, asked, "sync:restore", f"conflict:{number}", None, {"side": wanted})
        return sync_runs.get_conflict(connection, number)


def _value(kept: Any) -> Any:
    return tuple(kept) if isinstance(kept, list) else kept
