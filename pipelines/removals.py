"""Taking people off the roll: deleted, who may come again by a file, or erased, who come back only if they ask to.

Erasing is a job. It begins with the files, so that one that was cut off still knows whom to look for when it is done
again: raw files and row reports that Padrón keeps are gone through. Those that it does not keep are named.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.profiles import parse_profile
from connectors.scrub import Traces, scrub
from connectors.workbooks import Limits
from pipelines.emails import normalise_email
from pipelines.imports import Clock
from pipelines.spellings import phone_form
from pipelines.suppression import every_hash, suppression_hashes
from schemas.fields import TEXTS
from schemas.operators import WrongField
from schemas.profiles import Profile
from schemas.refusals import Refused
from schemas.settings import Settings
from warehouse import audit, batches, bulk, contact_details, jobs, removals
from warehouse.audit import Asked
from warehouse.batches import Batch
from warehouse.engines import Store, empty_log, overwriting, reading, transaction
from warehouse.jobs import Work

ERASURE = "erase"
Progress = Callable[[int, int], None]


def delete_contact(store: Store, number: int, asked: Asked) -> None:
    """Take a contact off the roll for good; opt-outs and blocks stay with the addresses. The history stays too."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        contact_details.living(connection, number)
        removals.keep_opt_outs(connection, [number], asked.at)
        removals.remove(connection, [number], asked.actor, asked.at)
        audit.add_entry(connection, asked, "contacts:delete", f"contact:{number}")


# ── erasing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def ask_for_erasure(store: Store, number: int, asked: Asked) -> Work:
    """A job that leaves no trace of a person; the one that stands, if it was asked for already."""
    with transaction(store) as connection:
        contact_details.living(connection, number)
        jobs.lock_jobs(connection)
        standing = jobs.open_job(connection, ERASURE, f"contact:{number}")
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, "contacts:erase", f"contact:{number}")
        values = {"kind": ERASURE, "object": f"contact:{number}", "actor": asked.actor, "address": asked.address}
        return jobs.add_job(connection, {**values, "created_at": asked.at})


@dataclass(slots=True)
class _Person:
    """Whom to erase: the keys, how their values were written, and the rows of files that went to them."""

    number: int
    keys: list[tuple[str, str]]
    texts: list[str]
    traces: Traces
    rows: Mapping[int, Sequence[int]]
    files: int = 0
    cells: int = 0
    left: list[str] = field(default_factory=list)


def run_erasure(engine: Engine, number: int, actor: str, settings: Settings, clock: Clock, progress: Progress) -> Any:
    """Erase a person from files and tables; what is said of it names nobody."""
    try:
        with reading(engine) as connection:
            person = _person(connection, number)
            kept = batches.files_kept(connection)
    except contact_details.NoSuchContact:
        return {"contact_id": number}  # done by an attempt that died before it could say so
    for at, batch in enumerate(kept):
        progress(at, len(kept) + 1)
        _scrub_batch(engine, batch, person, settings)
    with transaction(engine) as connection, overwriting(connection):
        bulk.lock_keys(connection)
        keys = removals.keys_held(connection, number)
        alone = [
            (kind, value) for kind, value, _ in keys if not removals.is_held_by_others(connection, number, kind, value)
        ]
        removals.suppress(connection, suppression_hashes(settings, alone), clock())
        removals.forget_addresses(connection, alone)
        removals.forget_edits_that_name(connection, person.texts)
        removals.forget_history(connection, number)
        removals.remove(connection, [number], actor, clock(), operation=removals.ERASED)
        named = removals.segments_that_name(connection, person.texts)
    empty_log(engine)
    progress(len(kept) + 1, len(kept) + 1)
    said = {"files": person.files, "rows": person.cells, "files_to_look_at": person.left, "segments_to_look_at": named}
    return {"contact_id": number, **said}


def _person(connection: Connection, number: int) -> _Person:
    contact = contact_details.living(connection, number)
    keys = removals.keys_held(connection, number)
    written = {
        kind: [text for one, value, spelt in keys if one == kind for text in (value, spelt) if text]
        for kind in ("phone", "email")
    }
    for kind, found in written.items():
        found += [contact[kind]] if contact[kind] else []
    names = [contact[name] for name in TEXTS if name in ("display_name", "first_name", "last_name") and contact[name]]
    texts = [*written["phone"], *written["email"], *(name for name in names if " " in name)]
    texts += [value.partition(":")[2] for kind, value, _ in keys if kind == "external_id"]
    traces = Traces.of(written["email"], written["phone"])
    return _Person(
        number, [(kind, value) for kind, value, _ in keys], texts, traces, removals.rows_of(connection, number)
    )


def _scrub_batch(engine: Engine, batch: Batch, person: _Person, settings: Settings) -> None:
    """Take the person out of the row report and the raw file of a batch, where it can be that they are in them."""
    rows = person.rows.get(batch.id, ())
    report, raw = Path(batch.reject_file) if batch.reject_file else None, Path(batch.path)
    in_report = _scrubbed(report, Profile(), rows, person, settings)[1] if report is not None else 0
    looked_through = batch.rows_done > 0 or batch.state == "done"
    if looked_through and not rows and not in_report:
        return
    if batch.folder is None:
        if raw.exists() and (rows or in_report):
            person.left.append(batch.path)
        return
    profile = parse_profile(batch.profile_text or "", batch.profile)
    target, _ = _scrubbed(raw, profile, rows, person, settings)
    if target != raw:
        with transaction(engine) as connection:
            batches.set_batch(connection, batch.id, {"path": str(target)})


def _scrubbed(
    path: Path, profile: Profile, rows: Sequence[int], person: _Person, settings: Settings
) -> tuple[Path, int]:
    if not path.exists():
        return path, 0
    limits = Limits(settings.excel_memory_bytes, settings.excel_seconds)
    try:
        target, count = scrub(path, profile, path.name, rows, person.traces, limits)
    except Refused:
        if person.traces.are_in(path):
            person.left.append(str(path))
        return path, 0
    person.files, person.cells = person.files + bool(count), person.cells + count
    return target, count


# ── coming back ──────────────────────────────────────────────────────────────────────────────────────────────────


def readmit(store: Store, settings: Settings, text: str, asked: Asked) -> None:
    """Let an erased person come back who asks to, by a phone, an e-mail, or `source:id`; raises WrongField."""
    phone = phone_form(text, settings.default_country or None)
    keys = [("phone", phone), ("email", normalise_email(text)), ("external_id", text.strip())]
    with transaction(store) as connection:
        hashes = [one for kind, value in keys if value for one in every_hash(settings, kind, value)]
        if not removals.unsuppress(connection, hashes):
            raise WrongField(
                "key",
                "unknown",
                "Nobody was erased who had this phone, e-mail or id.",
                "No se borró a nadie con ese teléfono, correo o id.",
            )
        audit.add_entry(connection, asked, "contacts:readmit", "suppressions")
