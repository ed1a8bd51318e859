"""One run of a connection, from its lease to its report. Right when run twice, and when it is cut off anywhere."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from pipelines.drops import heartbeat
from pipelines.imports import Clock
from pipelines.mappings import merging_of
from pipelines.pairs import Decision, Merging
from pipelines.sync_calls import take_calls
from pipelines.sync_steps import Listing, look_at_due, poll, push_new, settle
from pipelines.sync_sweeps import free_held, sweep
from pipelines.sync_work import BACKOFF, Work
from pipelines.versions import version_of
from schemas.crm import Crm, CrmAway, NotAllowed, RemoteField, SignInFails, Throttled
from schemas.errors import InputError, PadronError
from schemas.mappings import read_mapping
from schemas.settings import Settings
from warehouse import bulk, connections, links, roll, sync_runs
from warehouse.batches import LeaseLost
from warehouse.connections import ACTIVE, APPROVAL, FAILED, NEW, PAUSED, CrmConnection
from warehouse.engines import UNREACHABLE, reading, transaction

SWEEP_EVERY = timedelta(hours=24)
CrmOf = Callable[[CrmConnection], Crm]
"""Makes the client of a connection: with its credentials, its limits and what goes on between workers."""


class NotReady(InputError):
    """The connection cannot be synced as it is: something is to be done first."""


class Busy(InputError):
    """Another process is syncing the connection."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run did: how it ended, how many records had which outcome, and how many requests were made."""

    run: int
    state: str
    counts: Mapping[str, int]
    calls: int
    sentence: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """How a run is asked for: by whom; only what a plan allows (key → fingerprint); with a sweep whatever the time."""

    actor: str
    allowed: Mapping[str, str] | None = None
    sweeps: bool = False
    step: Callable[[str], None] = lambda name: None


def run_sync(
    store: Engine, settings: Settings, number: int, crm_of: CrmOf, clock: Clock, asking: Asking
) -> SyncReport | None:
    """Sync a connection once; None where another process does. Raises NotReady."""
    token, lasts = uuid.uuid4().hex, timedelta(seconds=settings.lease_seconds)
    with transaction(store) as connection:
        is_ours = connections.claim_connection(connection, number, token, clock(), clock() + lasts)
        crm = connections.get_connection(connection, number)  # as the run before left it
        require_ready(crm, is_applied=asking.allowed is not None)
        merging = merging_for(connection, settings, crm)
        if asking.allowed is None and crm.applied_mapping != merging.mapping.hash:
            raise _plan_first(crm)
        client = crm_of(crm)
        if not is_ours:
            return None
        kind = "apply" if asking.allowed is not None else "sweep" if asking.sweeps else "delta"
        run = sync_runs.begin_run(connection, number, kind, asking.actor, clock())

    def hold(connection: Connection) -> None:
        connections.hold_connection(connection, number, token, clock() + lasts)

    work = Work(store, settings, client, crm, merging, clock, run, hold, asking.step, allowed=asking.allowed)
    try:
        with heartbeat(store, settings.lease_seconds, hold):
            ending = _ending(work, sweeps=asking.sweeps)
    except LeaseLost:
        return None
    except (OSError, *UNREACHABLE):
        with transaction(store) as connection:
            connections.release_connection(connection, number, token, {})
        raise
    except Exception:  # a mistake of ours, or an answer that nobody thought of: let go, say so, and let the door log it
        _finish(work, token, _Ending("failed", _later(work), _UNFORESEEN))
        raise
    return _finish(work, token, ending)


_UNFORESEEN = (
    "It stopped at something unforeseen, and is tried again later. Look at the worker's log.",
    "Se detuvo por algo imprevisto, y se reintenta más tarde. Mire el registro del proceso.",
)


def _later(work: Work) -> dict[str, Any]:
    """What to note of a run that failed: when the next one is, a little later each time."""
    pause = BACKOFF[min(work.connection.failures, 2)]
    return {"failures": work.connection.failures + 1, "next_at": work.now + pause}


def require_ready(crm: CrmConnection, *, is_applied: bool) -> None:
    """Raise NotReady where a person has to do something first."""
    name = crm.name
    if crm.mapping_id is None:
        raise NotReady(
            f"{name} has no mapping yet. Make one: padron connections map {name}",
            f"{name} no tiene mapeo todavía. Haga uno: padron connections map {name}",
        )
    if crm.state == PAUSED:
        raise NotReady(
            f"{name} is paused. Go on with: padron sync resume {name}",
            f"{name} está en pausa. Siga con: padron sync resume {name}",
        )
    if crm.state == NEW and not is_applied:
        raise _plan_first(crm)


def _plan_first(crm: CrmConnection) -> NotReady:
    name = crm.name
    return NotReady(
        f"{name} was never synced with this mapping. See what would be done, then let it be done: "
        f"padron sync plan {name}, padron sync apply {name}",
        f"{name} nunca se sincronizó con este mapeo. Vea qué se haría, y luego hágalo: padron sync plan {name}, "
        f"padron sync apply {name}",
    )


def merging_for(connection: Connection, settings: Settings, crm: CrmConnection) -> Merging:
    """The mapping in use, with the fields that both sides have."""
    version = connections.mapping_of(connection, crm)
    assert version is not None, "require_ready asks before"
    mapping = read_mapping(version.document, crm.name)
    remote = [RemoteField(**field) for field in crm.fields or ()]
    return merging_of(mapping, roll.known_fields(connection), settings, crm.name, remote)


@dataclass(slots=True)
class _Ending:
    """How a run ended: its state and sentence, and what the connection is to know from now on."""

    state: str
    values: dict[str, Any]
    sentence: tuple[str, str] | None = None


def _ending(work: Work, *, sweeps: bool) -> _Ending:
    """The steps of a run; whatever the CRM does is told of the run and of its connection."""
    try:
        return _steps(work, sweeps=sweeps)
    except (SignInFails, NotAllowed) as error:
        said = {"state": FAILED, "message_en": error.said("en"), "message_es": error.said("es")}
        return _Ending("failed", said, (error.said("en"), error.said("es")))
    except Throttled as error:
        later = {"next_at": work.now + timedelta(seconds=error.seconds), "failures": 0}
        return _Ending("waiting", later, (error.said("en"), error.said("es")))
    except (CrmAway, InputError) as error:
        values = _later(work)
        state = "waiting" if isinstance(error, CrmAway) else "failed"
        told: PadronError = error
        said = {"message_en": told.said("en"), "message_es": told.said("es")}
        return _Ending(state, {**values, **said}, (told.said("en"), told.said("es")))


def _steps(work: Work, *, sweeps: bool) -> _Ending:
    crm = work.connection
    with transaction(work.store) as connection:
        work.hold(connection)
        until = mark(connection, work)
    is_new = crm.applied_mapping != work.merging.mapping.hash
    is_due = crm.read_until is not None and (crm.swept_at is None or work.now - crm.swept_at >= SWEEP_EVERY)
    if sweeps or is_due:
        _read_fields(work)
    take_calls(work)
    settle(work)
    look_at_due(work, links.CALLED)
    listing = poll(work)
    settle(work, listing)
    if is_new and crm.read_until is not None:
        _mark_everything(work, "mapping")
    look_at_due(work)
    push_new(work, 0 if is_new else crm.last_change)
    is_whole = not (sweeps or is_due) or sweep(work)
    waiting = free_held(work)
    return _ended(work, listing, until, swept=(sweeps or is_due) and is_whole, is_whole=is_whole, waiting=waiting)


def _read_fields(work: Work) -> None:
    """Ask the CRM for its fields: pairs whose field is gone rest; all links are looked at when they have changed."""
    fields = [asdict(field) for field in work.crm.describe()]
    if not fields or version_of(fields) == work.connection.fields_hash:
        return
    with transaction(work.store) as connection:
        work.hold(connection)
        hash_ = version_of(fields)
        connections.set_connection(connection, work.number, {"fields": fields, "fields_hash": hash_})
        work.connection = replace(work.connection, fields=fields, fields_hash=hash_)
        types, mapping = roll.known_fields(connection), work.merging.mapping
        remote = [RemoteField(**field) for field in fields]
        work.merging = merging_of(mapping, types, work.settings, work.connection.name, remote)
        links.mark_all(connection, work.number, links.SWEEP, "fields")


def mark(connection: Connection, work: Work) -> int:
    """Mark the links whose contacts changed since the last run, and those for which a person chose."""
    until = bulk.last_id(connection, "contact_changes")
    links.mark_changed(connection, work.number, work.connection.last_change, until)
    rows = [
        {"id": one, "dirty": links.CALLED, "next_at": None} for one in sync_runs.chosen_links(connection, work.number)
    ]
    links.set_links(connection, rows)
    return until


def _mark_everything(work: Work, why: str) -> None:
    """The mapping is another one: every pair is looked at by it."""
    with transaction(work.store) as connection:
        work.hold(connection)
        links.mark_all(connection, work.number, links.SWEEP, why)


def _ended(work: Work, listing: Listing, until: int, *, swept: bool, is_whole: bool, waiting: int) -> _Ending:
    crm = work.connection
    values: dict[str, Any] = {"last_change": until, "failures": 0, "page": None, "page_began_at": None}
    values |= {"read_until": listing.began_at, "applied_mapping": work.merging.mapping.hash}
    values |= {"next_at": work.now + timedelta(seconds=work.settings.sync_seconds), "state": ACTIVE}
    values |= _paused_fields(work)
    if swept or crm.read_until is None:
        values["swept_at"] = work.now
    if not waiting and is_whole:
        return _Ending("done", {**values, "approved": 0})
    name = crm.name
    sentence = (
        f"{waiting} deletions wait for a person's word, more than a run makes by itself. See padron sync plan {name}, "
        f"then padron sync approve {name}",
        f"{waiting} bajas esperan que alguien las confirme: son más de las que una pasada hace sola. Vea padron sync "
        f"plan {name} y luego padron sync approve {name}",
    )
    if not is_whole:
        sentence = (
            f"{name} lists almost none of the records that it had. If that is right: padron sync approve {name}",
            f"{name} no lista casi ninguno de los registros que tenía. Si es correcto: padron sync approve {name}",
        )
    said = {"state": APPROVAL, "message_en": sentence[0], "message_es": sentence[1]}
    return _Ending("approval", {**values, **said}, sentence)


def _paused_fields(work: Work) -> dict[str, Any]:
    """What to say where fields of the mapping are gone from the CRM, or can no longer be written."""
    if not work.merging.is_adrift:
        return {"message_en": None, "message_es": None}
    known = {rule.name for rule in work.merging.rules}
    gone = ", ".join(pair.name for pair in work.merging.mapping.fields if pair.name not in known)
    return {
        "message_en": f"The CRM no longer has the fields of {gone}: they rest, and so do deletions.",
        "message_es": f"El CRM ya no tiene los campos de {gone}: descansan, y también las bajas.",
    }


def _finish(work: Work, token: str, ending: _Ending) -> SyncReport:
    counts = dict(work.counts)
    told = {"message_en": ending.sentence[0], "message_es": ending.sentence[1]} if ending.sentence else {}
    values = {"state": ending.state, "finished_at": work.now, "counts": counts, "calls": work.crm.calls, **told}
    with transaction(work.store) as connection:
        work.hold(connection)
        sync_runs.end_run(connection, work.run, values)
        connections.release_connection(connection, work.number, token, ending.values)
    return SyncReport(work.run, ending.state, counts, work.crm.calls, ending.sentence)


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────────


def find_decisions(
    store: Engine, settings: Settings, crm: CrmConnection, client: Crm, clock: Clock
) -> tuple[list[Decision], Merging]:
    """What a run would do, by reading only; nothing is written, neither here nor there, but for marks where to look."""
    found: list[Decision] = []
    with transaction(store) as connection:
        merging = merging_for(connection, settings, crm)
        work = Work(store, settings, client, crm, merging, clock, plan=found.extend)
        mark(connection, work)
    is_new = crm.applied_mapping != merging.mapping.hash
    poll(work)
    if is_new and crm.read_until is not None:
        _mark_everything(work, "mapping")
    look_at_due(work)
    work.claimed |= {one.view.id for one in found if one.view is not None}
    push_new(work, 0 if is_new else crm.last_change)
    return _once(found), merging


def _once(found: Sequence[Decision]) -> list[Decision]:
    """Each pair once, as it was seen last."""
    return list({one.key: one for one in found}.values())


def due_now(store: Engine, now: datetime) -> list[int]:
    """The connections that a worker should sync."""
    with reading(store) as connection:
        return connections.due_connections(connection, now)
