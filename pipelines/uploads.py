"""Importing over HTTP: a file is kept, its mapping shown, and what was shown is confirmed: then it is as if dropped."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import Any

from sqlalchemy import Engine

from connectors.folders import file_sha256, make_places, plain_name
from connectors.profiles import DropFolder, parse_profile, read_profile, render_profile
from connectors.workbooks import Limits
from pipelines.byhand import check_options, new_lease, preview, rehearse
from pipelines.clean import with_defaults
from pipelines.imports import Clock, Job
from pipelines.mapping import KEY_TARGETS, Proposal
from pipelines.passwords import digest, is_same, new_secret
from pipelines.stage import Progress
from pipelines.suppression import suppressed_in
from pipelines.versions import version_of
from schemas.errors import InputError, TransientError
from schemas.headers import header_form
from schemas.operators import plain_name as checked_name
from schemas.profiles import Profile, check_profile
from schemas.reports import OUTCOMES
from schemas.settings import Settings
from warehouse import audit, batches, jobs, uploads
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.jobs import Work
from warehouse.uploads import Upload

REHEARSAL = "rehearsal"
_MOST_NAME_BYTES = 150
_LOOKING, _LONGEST_WAIT_SECONDS = BoundedSemaphore(2), 10


class NotAsShown(InputError):
    """What is confirmed is not what was shown: another file, another mapping, or a confirmation that was used."""


class TooBusy(TransientError):
    """Too many files are looked at at this moment."""


class NoKeys(InputError):
    """No column says who a contact is."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An upload with its proposed mapping, and the token that confirms exactly this."""

    upload: Upload
    proposals: list[Proposal]
    token: str


def uploads_folder(settings: Settings) -> DropFolder:
    """Where uploads stand; nobody watches it."""
    folder = DropFolder(settings.home.absolute() / "uploads")
    make_places(folder)
    return folder


def place_for(settings: Settings) -> Path:
    """Where the next upload is written."""
    return uploads_folder(settings).path / "incoming" / f"{uuid.uuid4().hex}.part"


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is read and by which profile; what is left open, the profile says or the file itself."""

    profile: str = "default"
    sheet: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header_row: int | None = None
    default_country: str | None = None

    def over(self, profile: Profile) -> Profile:
        """The profile with these options."""
        said = {name: getattr(self, name) for name in self.__slots__ if name != "profile"}
        found = replace(profile, **{name: value for name, value in said.items() if value})
        check_profile(found)
        return found


@contextmanager
def _one_of_few() -> Iterator[None]:
    """Look at few files at a time: large ones would take every thread of the endpoint otherwise."""
    if not _LOOKING.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise TooBusy("Other files are being looked at. Try again.", "Se están mirando otros archivos. Reintente.")
    try:
        yield
    finally:
        _LOOKING.release()


def keep_upload(store: Store, settings: Settings, path: Path, name: str, options: Options, asked: Asked) -> Shown:
    """Keep a file that was written to `place_for`, and propose a mapping; one that cannot be read is deleted."""
    shown_name = _short(checked_name("name", plain_name(Path(name.replace("\\", "/")).name))) or "upload"
    try:
        base = options.over(with_defaults(read_profile(settings.home, options.profile), settings))
        job = _job(settings, path, shown_name, base)
        if base.takes != "contacts":
            raise InputError(
                "Interactions are sent to POST /api/interactions, or dropped in a folder.",
                "Las interacciones se envían a POST /api/interactions, o se dejan en una carpeta.",
            )
        with _one_of_few():
            check_options(job, sheet=bool(options.sheet), text=bool(options.encoding or options.delimiter))
            proposals, proposed = preview(store, job)
    except BaseException:  # whatever went wrong, what a person sent does not stay unseen
        path.unlink(missing_ok=True)
        raise
    token = new_secret("import")
    values = {
        "name": shown_name,
        "path": str(path),
        "sha256": file_sha256(path),
        "size_bytes": path.stat().st_size,
        "profile_text": render_profile(proposed),
        "token_sha256": digest(token),
        "actor": asked.actor,
        "created_at": asked.at,
    }
    with transaction(store) as connection:
        upload = uploads.add_upload(connection, values)
        said = {"sha256": upload.sha256, "size_bytes": upload.size_bytes}
        audit.add_entry(connection, asked, "uploads:create", f"upload:{upload.id}", None, said)
    return Shown(upload, proposals, token)


def ask_for_rehearsal(store: Store, number: int, asked: Asked) -> Work:
    """A job that does the whole import of an upload and keeps nothing; the one that stands, if there is one."""
    with transaction(store) as connection:
        upload = uploads.get_upload(connection, number)
        if upload.batch_id is not None or not Path(upload.path).exists():
            raise _not_as_shown(number)
        _check_keys(upload)
        jobs.lock_jobs(connection)
        object_ = _as_mapped(upload)
        standing = jobs.open_job(connection, REHEARSAL, object_)
        if standing is not None:
            return standing
        audit.add_entry(connection, asked, "uploads:rehearse", f"upload:{number}")
        return jobs.ask(connection, REHEARSAL, object_, asked)


def _as_mapped(upload: Upload) -> str:
    """An upload with the mapping that it has now: a rehearsal is of both."""
    return f"upload:{upload.id}:{version_of(upload.profile_text)}"


def rehearse_upload(
    store: Engine, settings: Settings, object_: str, actor: str, clock: Clock, progress: Progress
) -> dict[str, Any]:
    """What importing an upload would do: the counts, and the first rows of its report by code, without their cells.

    One that is mapped otherwise since it was asked for is refused.
    """
    number = int(object_.split(":")[1])
    with reading(store) as connection:
        upload = uploads.get_upload(connection, number)
    if _as_mapped(upload) != object_:
        raise _not_as_shown(number)
    job = _job(settings, Path(upload.path), upload.name, parse_profile(upload.profile_text, "default"))
    job = replace(job, progress=progress, suppressed=suppressed_in(store, settings))
    try:
        with TemporaryDirectory(prefix="padron-") as scratch:
            run = rehearse(store, job, new_lease(settings.lease_seconds, clock), actor, Path(scratch))
    except FileNotFoundError as error:  # it was confirmed or deleted meanwhile
        raise _not_as_shown(number) from error
    counts = {name: getattr(run.report, name) for name in ("status", "rows", *OUTCOMES, "warnings")}
    said = [{name: line[f"_{name}"] for name in ("row", "code", "field")} for line in run.said]
    sentence = run.report.sentence
    return {**counts, "message_en": sentence.en or None, "message_es": sentence.es or None, "said": said}


def _short(name: str) -> str:
    """The name in as many bytes as leave room for what is put before and behind it; the ending stays."""
    stem, dot, ending = name.rpartition(".")
    ending = f"{dot}{ending}"[:20] if stem else ""
    whole = (stem or name).encode()
    return whole[: _MOST_NAME_BYTES - len(ending.encode())].decode(errors="ignore") + ending


def drop_old_uploads(store: Store, settings: Settings, now: datetime) -> None:
    """Delete what was sent and not confirmed for `upload_days`, files that were sent in part too."""
    before = now - timedelta(days=settings.upload_days)
    incoming = settings.home / "uploads" / "incoming"
    for path in incoming.iterdir() if incoming.exists() else ():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
    with transaction(store) as connection:
        uploads.drop_unconfirmed(connection, before)


def _job(settings: Settings, path: Path, name: str, profile: Profile) -> Job:
    limits = Limits(settings.excel_memory_bytes, settings.excel_seconds)
    return Job(path, name, profile, path.with_suffix(".report.csv"), limits=limits, most_bytes=settings.max_file_bytes)


def find_uploads(store: Store, limit: int, before: int | None = None) -> list[Upload]:
    """The uploads that nobody confirmed, the newest first."""
    with reading(store) as connection:
        return uploads.list_unconfirmed(connection, limit, before)


def drop_upload(store: Store, number: int, asked: Asked) -> None:
    """Delete an upload that nobody confirmed, and its file."""
    with transaction(store) as connection:
        upload = uploads.get_upload(connection, number)
        if not uploads.drop_upload(connection, number):
            raise _not_as_shown(number)
        audit.add_entry(connection, asked, "uploads:delete", f"upload:{number}", {"sha256": upload.sha256})
    Path(upload.path).unlink(missing_ok=True)


def change_mapping(store: Store, settings: Settings, number: int, columns: Mapping[str, str], asked: Asked) -> Shown:
    """Map these columns otherwise; what is shown now wants a new confirmation."""
    with reading(store) as connection:
        upload = uploads.get_upload(connection, number)
    if upload.batch_id is not None or not Path(upload.path).exists():
        raise _not_as_shown(number)
    profile = parse_profile(upload.profile_text, "default")
    forms = {header_form(name): name for name in profile.columns}
    exact = {name: name if name in profile.columns else forms.get(header_form(name), name) for name in columns}
    named = {exact[name]: target for name, target in columns.items()}
    mapped = replace(profile, columns={**profile.columns, **named})
    text = render_profile(mapped)
    parse_profile(text, profile.name)
    job = _job(settings, Path(upload.path), upload.name, mapped)
    try:
        with _one_of_few():
            check_options(job, columns)
            proposals, _ = preview(store, job)
    except FileNotFoundError as error:  # it was confirmed meanwhile
        raise _not_as_shown(number) from error
    token = new_secret("import")
    with transaction(store) as connection:
        if not uploads.set_mapping(connection, number, text, digest(token)):
            raise _not_as_shown(number)
        audit.add_entry(connection, asked, "uploads:map", f"upload:{number}")
    return Shown(replace(upload, profile_text=text), proposals, token)


def _not_as_shown(number: int) -> NotAsShown:
    return NotAsShown(
        f"Upload {number} is not as it was shown, or was confirmed already. Look at it again and confirm that.",
        f"La subida {number} no está como se mostró, o ya se confirmó. Véala de nuevo y confirme esa.",
    )


def _check_keys(upload: Upload) -> None:
    """Raise where no column says who a contact is, so that nothing could be taken."""
    columns = parse_profile(upload.profile_text, "default").columns
    if not any(target in KEY_TARGETS for target in columns.values()):
        raise NoKeys(
            "No column is mapped to phone, email or external_id, so nobody can be told from these rows. Map one first.",
            "Ninguna columna va a phone, email o external_id, así que no se sabe de quién es cada fila. Asigne una.",
        )


def confirm_upload(store: Store, settings: Settings, number: int, token: str, asked: Asked) -> int:
    """Make a batch of an upload, whose file and mapping are as they were shown; the batch's number."""
    with reading(store) as connection:
        upload = uploads.get_upload(connection, number)
    path = Path(upload.path)
    try:
        if file_sha256(path) != upload.sha256:
            raise _not_as_shown(number)
        _check_keys(upload)
    except FileNotFoundError as error:  # it was confirmed or deleted meanwhile
        raise _not_as_shown(number) from error
    folder, claim = uploads_folder(settings).path, f"{uuid.uuid4().hex}__{upload.name}"
    working = folder / "working" / claim
    with transaction(store) as connection:
        now = uploads.get_upload(connection, number)
        if now.batch_id is not None or not is_same(digest(token), now.token_sha256):
            raise _not_as_shown(number)
        profile = parse_profile(now.profile_text, "default")
        values = {
            "source": profile.source_name,
            "profile": profile.name,
            "profile_text": now.profile_text,
            "folder": str(folder),
            "file": upload.name,
            "path": str(working),
            "claim": claim,
            "actor": asked.actor,
        }
        batch = batches.add_batch(connection, values, asked.at)
        if batch is None or not uploads.set_batch(connection, number, batch):
            raise _not_as_shown(number)
        audit.add_entry(connection, asked, "uploads:confirm", f"upload:{number}", None, {"batch": batch})
        path.replace(working)
    return batch
