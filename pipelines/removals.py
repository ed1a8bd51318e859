"""Taking people off the roll: deleted, who may come again by a file, or erased, who come back only if they ask to.

Erasing is a job. It begins with the files, so that one that was cut off still knows whom to look for when it is done
again: raw files and row reports that Padrón keeps are gone through. Those that it does not keep are named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.places import PlaceFails
from connectors.profiles import parse_profile
from connectors.scrub import scrub, scrubbed_name
from connectors.workbooks import Limits
from pipelines.emails import normalise_email
from pipelines.erased import keep_erased, note_readmitted
from pipelines.export_jobs import EXPORT, sweep_files
from pipelines.imports import Clock
from pipelines.scheduled_exports import SCHEDULED
from pipelines.spellings import phone_form
from pipelines.suppression import check_hash, every_hash, read_suppressed, suppression_hashes
from pipelines.sync_erasures import forget_person
from pipelines.traces import Traces
from schemas.erased import Erased
from schemas.errors import TransientError
from schemas.operators import WrongField
from schemas.profiles import Profile
from schemas.refusals import Refused
from schemas.settings import Settings
from warehouse import audit, batches, bulk, contact_details, export_files, jobs, removals, uploads
from warehouse.audit import Asked
from warehouse.batches import Batch
from warehouse.contact_details import NoSuchContact
from warehouse.engines import Store, empty_log, overwriting, reading, transaction
from warehouse.jobs import Progress, Work

ERASURE = "erase"
_SHORTEST, _MOST_UPLOADS = 6, 10_000
"""A text that is shorter is in too many others to tell of somebody."""


def delete_contact(store: Store, number: int, asked: Asked) -> None:
    """Take a contact off the roll for good; opt-outs and blocks stay with the addresses. The history stays too."""
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        contact_details.living(connection, number)
        removals.keep_opt_outs(connection, [number], asked.at)
        removals.remove(connection, [number], asked.actor, asked.at)
        audit.add_entry(connection, asked, "contacts:delete", f"contact:{number}")


# ── erasing ──────────────────────────────────────────────────────────────────────────────────────────────────────


class NotNoted(TransientError):
    """The place of backups fails, beside which who is erased has to be noted."""


class StillImported(TransientError):
    """Files are being imported, one of which may bring the person."""


def ask_for_erasure(store: Store, number: int, asked: Asked) -> Work:
    """A job that leaves no trace of a person, on the roll or off it; the one that stands, if it was asked for already.

    Raises NoSuchContact, also for who was erased before.
    """
    with transaction(store) as connection:
        jobs.lock_jobs(connection)
        _require_not_erased(connection, number)
        standing = jobs.open_job(connection, ERASURE, f"contact:{number}")
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, "contacts:erase", f"contact:{number}")
        return jobs.ask(connection, ERASURE, f"contact:{number}", asked)


def _require_not_erased(connection: Connection, number: int) -> dict[str, Any]:
    contact = removals.row_of_contact(connection, number)
    if contact is None or removals.is_erased(connection, number):
        raise NoSuchContact(f"There is no contact {number}.", f"No hay ningún contacto {number}.")
    return contact


@dataclass(slots=True)
class _Person:
    """Whom to erase: what tells of them in files and texts, and the rows of files that went to them."""

    number: int
    texts: list[str]
    traces: Traces
    rows: Mapping[int, Sequence[int]]
    files: int = 0
    cells: int = 0
    left: list[str] = field(default_factory=list)


def run_erasure(
    engine: Engine, number: int, actor: str, settings: Settings, clock: Clock, progress: Progress
) -> dict[str, Any]:
    """Erase a person from files and tables; what is said of it names nobody.

    It waits for imports that are under way, as those have read who was erased before them.
    """
    try:
        with reading(engine) as connection:
            _require_quiet(connection, clock)
            _require_not_erased(connection, number)
            person = _person(connection, number, settings)
            hashes = _hashes_of(connection, number, settings)
            kept = batches.files_kept(connection)
            waiting = uploads.list_unconfirmed(connection, _MOST_UPLOADS)
    except NoSuchContact:
        empty_log(engine)
        return {"contact_id": number}  # done by an attempt that died before it could say so
    for at, batch in enumerate(kept):
        progress(at, len(kept) + 1)
        _scrub_batch(engine, batch, person, settings)
    for upload in waiting:
        if Path(upload.path).exists() and person.traces.may_be_in(Path(upload.path)):
            person.left.append(f"upload {upload.id}")
    _note(settings, Erased(number, hashes))  # before: who is noted only is erased by the next attempt
    with transaction(engine) as connection, overwriting(connection):
        bulk.lock_keys(connection)
        _require_quiet(connection, clock)
        if (now := _hashes_of(connection, number, settings)) != hashes:
            _note(settings, Erased(number, now))
        named = _erase(connection, person, actor, settings, clock())
        export_files.drop_exports(connection)
    empty_log(engine)
    sweep_files(engine, settings)
    progress(len(kept) + 1, len(kept) + 1)
    said = {"files": person.files, "rows": person.cells, "files_to_look_at": person.left, "segments_to_look_at": named}
    return {"contact_id": number, **said}


def _require_quiet(connection: Connection, clock: Clock) -> None:
    edited = jobs.any_running(connection, (batches.EDIT, "undo", EXPORT, SCHEDULED))
    if edited or batches.count_running(connection, clock()) or batches.any_half_done(connection):
        raise StillImported("Files are being imported. It goes on after them.", "Se están importando archivos.")


def _note(settings: Settings, erased: Erased) -> None:
    """Beside the backups; where that cannot be now, the erasure goes on later."""
    try:
        keep_erased(settings, erased)
    except PlaceFails as error:
        raise NotNoted(error.said("en"), error.said("es")) from error


def _hashes_of(connection: Connection, number: int, settings: Settings) -> dict[str, str]:
    """What is kept of somebody: of nobody too, by which another secret is seen."""
    return suppression_hashes(settings, _alone(connection, number, settings)) | check_hash(settings)


def _erase(connection: Connection, person: _Person, actor: str, settings: Settings, at: datetime) -> list[str]:
    """Everything in the tables; the names of the segments whose filters name the person."""
    number = person.number
    alone = _alone(connection, number, settings)
    removals.suppress(connection, number, suppression_hashes(settings, alone), at)
    removals.suppress(connection, None, check_hash(settings), at)
    removals.keep_opt_outs(connection, [number], at)  # those of shared addresses are others' too
    removals.forget_addresses(connection, alone)
    removals.forget_edits_that_name(connection, person.texts)
    removals.forget_history(connection, number)
    forget_person(connection, number)
    removals.remove(connection, [number], actor, at, operation=removals.ERASED)
    return removals.segments_that_name(connection, person.texts)


def erase_again(
    connection: Connection, settings: Settings, erased: Sequence[Erased], asked: Asked, *, by_number: bool = True
) -> int:
    """Let those go whom a restore brought back, known by their number or by a key of theirs; how many.

    Whoever was off the roll already goes too, with the history. Numbers of another installation are others'.
    """
    for one in erased:
        checks = {hash_: kind for hash_, kind in one.hashes.items() if kind == removals.CHECK}
        removals.suppress(connection, None, checks, asked.at)
        if not one.readmitted:
            removals.suppress(connection, one.contact_id, one.hashes, asked.at)
    suppressed = read_suppressed(connection, settings)
    numbers = {one.contact_id for one in erased} if by_number else set()
    if suppressed.hashes:
        numbers |= {number for number, *key in removals.every_key(connection) if suppressed.has(*key)}
    back = [number for number in sorted(numbers) if _is_held(connection, number)]
    for number in back:
        _erase(connection, _person(connection, number, settings), asked.actor, settings, asked.at)
    away = {hash_ for one in erased if not one.readmitted for hash_ in one.hashes}
    removals.drop_hashes(
        connection, [hash_ for one in erased if one.readmitted for hash_ in one.hashes if hash_ not in away]
    )
    removals.suppress(connection, None, check_hash(settings) if erased else {}, asked.at)
    return len(back)


def _is_held(connection: Connection, number: int) -> bool:
    return removals.row_of_contact(connection, number) is not None and not removals.is_erased(connection, number)


def _alone(connection: Connection, number: int, settings: Settings) -> list[tuple[str, str]]:
    """The keys, also those that the contact once had, which nobody else on the roll has."""
    had = removals.values_once_had(connection, number)
    forms = [("phone", phone_form(one, settings.default_country or None)) for one in had["phone"]]
    forms += [("email", normalise_email(one)) for one in had["email"]]
    forms += [(kind, value) for kind, value, _ in removals.keys_held(connection, number)]
    keys = sorted({(kind, value) for kind, value in forms if value})
    return [(kind, one) for kind, one in keys if not removals.is_held_by_others(connection, number, kind, one)]


def _person(connection: Connection, number: int, settings: Settings) -> _Person:
    contact = removals.row_of_contact(connection, number) or {}
    alone = _alone(connection, number, settings)
    by_kind = {kind: frozenset(value for one, value in alone if one == kind) for kind in ("phone", "email")}
    traces = Traces(by_kind["email"], by_kind["phone"], settings.default_country or None)
    written = [text for _, value, spelt in removals.keys_held(connection, number) for text in (value, spelt) if text]
    names = [contact.get(name) for name in ("display_name", "phone", "email")]
    texts = sorted(
        {text for text in (*written, *by_kind["email"], *by_kind["phone"], *names) if text and len(text) >= _SHORTEST}
    )
    return _Person(number, texts, traces, removals.rows_of(connection, number))


def _scrub_batch(engine: Engine, batch: Batch, person: _Person, settings: Settings) -> None:
    """Take the person out of the row report and the raw file of a batch, where it can be that they are in them."""
    rows = person.rows.get(batch.id, ())
    report, raw = Path(batch.reject_file) if batch.reject_file else None, Path(batch.path)
    in_report = 0
    if report is not None:
        in_report = _scrubbed(report, batch.id, Profile(), rows, person, settings, is_report=True)[1]
    if batch.state == "done" and not rows and not in_report:
        return
    if batch.folder is None:
        if raw.exists() and (rows or in_report):
            person.left.append(batch.path)
        return
    profile = parse_profile(batch.profile_text or "", batch.profile)
    raw = raw if raw.exists() else scrubbed_name(raw, batch.id)  # by an attempt that died before it could say so
    target, _ = _scrubbed(raw, batch.id, profile, rows, person, settings)
    if str(target) != batch.path and target.exists():
        with transaction(engine) as connection:
            batches.set_batch(connection, batch.id, {"path": str(target)})


def _scrubbed(
    path: Path,
    number: int,
    profile: Profile,
    rows: Sequence[int],
    person: _Person,
    settings: Settings,
    *,
    is_report: bool = False,
) -> tuple[Path, int]:
    if not path.exists():
        return path, 0
    limits = Limits(settings.excel_memory_bytes, settings.excel_seconds)
    try:
        target, count = scrub(path, number, profile, rows, person.traces.marks, limits, is_report=is_report)
    except Refused:
        if person.traces.may_be_in(path):
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
        note_readmitted(settings, hashes)
        audit.add_entry(connection, asked, "contacts:readmit", "suppressions")
