"""An import by hand: the same run as a dropped file's, on a file that stays where it is; also as a rehearsal."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.folders import file_sha256, plain_name
from connectors.profiles import render_profile
from connectors.rowreports import first_lines
from connectors.sources import open_source
from pipelines.drops import end_batch, heartbeat
from pipelines.imports import Job, Lease, import_batch, known_fields
from pipelines.interaction_files import kind_of, take_of
from pipelines.mapping import Proposal, map_columns, propose, source_of
from schemas.errors import InputError
from schemas.fields import IGNORE
from schemas.headers import header_form
from schemas.profiles import Profile
from schemas.refusals import Refused
from schemas.reports import ImportReport
from warehouse import batches, roll
from warehouse.batches import Batch
from warehouse.engines import Store, rehearsing, transaction
from warehouse.matches import keep_ids

_SHOWN = 5


class AlreadyRunning(InputError):
    """The same file is being imported by another process."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its report and the cells kept.

    After a rehearsal also the first contacts as they would stand, and the first lines of the row report.
    """

    report: ImportReport
    values: list[dict[str, str]]
    contacts: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, str]] = field(default_factory=list)


def import_by_hand(store: Store, job: Job, lease: Lease, actor: str) -> Run:
    """Import a file; a run of the same file and profile that was cut off is gone on with."""
    batch = _claim(store, job, lease, actor)
    with heartbeat(store, lease.seconds, lambda connection: lease.hold(connection, batch.id)):
        report, values = import_batch(store, batch, job, lease, take_of(job.profile))
        state = "done" if report.status == "imported" else report.status
        with transaction(store) as connection:
            lease.hold(connection, batch.id)
            found = {**batches.said(report.sentence), "reject_file": report.reject_file}
            end_batch(connection, batch.id, state, lease.clock(), found)
    return Run(report, values)


def rehearse(store: Any, job: Job, lease: Lease, actor: str, scratch: Path) -> Run:
    """The whole job, truthfully, with nothing kept."""
    job = replace(job, report_path=scratch / "report.csv")
    with rehearsing(store) as rehearsal:
        batch = _claim(rehearsal, job, lease, actor)
        report, values = import_batch(rehearsal, batch, job, lease, take_of(job.profile))
        contacts = _first_contacts(rehearsal, batch.id)
    said = first_lines(Path(report.reject_file), _SHOWN) if report.reject_file else []
    return Run(replace(report, reject_file=None, batch_id=None), values, contacts, said)


def _claim(store: Store, job: Job, lease: Lease, actor: str) -> Batch:
    now = lease.clock()
    text = render_profile(job.profile)
    digest, path = file_sha256(job.path), plain_name(str(job.path.absolute()))
    with transaction(store) as connection:
        number = batches.unfinished_of(connection, digest, text, path)
        if number is None:
            values = {
                "kind": kind_of(job.profile),
                "source": job.profile.source_name,
                "profile": job.profile.name,
                "profile_version": job.profile.version,
                "profile_text": text,
                "file": job.name,
                "path": path,
                "sha256": digest,
                "size_bytes": job.path.stat().st_size,
                "actor": actor,
            }
            number = batches.add_batch(connection, values, now)
        batch = batches.claim_batch(connection, number or 0, lease.token, now, timedelta(seconds=lease.seconds))
    if batch is None:
        raise AlreadyRunning(
            f"{job.name} is being imported already, as batch {number}. Wait for it, or stop it first.",
            f"{job.name} ya se está importando, en el lote {number}. Espere a que termine, o deténgalo antes.",
        )
    return batch


def new_lease(seconds: float, clock: Any) -> Lease:
    return Lease(uuid.uuid4().hex, seconds, clock)


def _first_contacts(store: Store, batch_id: int) -> list[dict[str, Any]]:
    with transaction(store) as connection:
        ids = batches.contacts_of(connection, batch_id)[:_SHOWN]
        if not len(ids):
            return []
        keep_ids(connection, pa.array(ids))
        return list(roll.fetch_slice(connection, pa.array(ids)).to_pylist())


class WrongOption(InputError):
    """Something said about how to read the file that the file does not bear out."""


_OPTION_REFUSALS = ("encoding_unknown", "encoding_wrong", "no_sheet", "no_header_row")


def check_options(job: Job, columns: Collection[str] = (), *, sheet: bool = False, text: bool = False) -> None:
    """Raise where what was said by hand does not fit the file: the columns to map, a sheet, how text is read."""
    try:
        with open_source(job.path, job.profile, name=job.name, limits=job.limits, most_bytes=job.most_bytes) as opened:
            header, kind = opened.header, opened.kind
    except Refused as error:
        if error.key in _OPTION_REFUSALS:
            raise
        return
    forms = {header_form(name) for name in header}
    missing = ", ".join(f"«{name}»" for name in columns if name not in header and header_form(name) not in forms)
    if missing:
        known = ", ".join(f"«{name}»" for name in header if name.strip())
        raise WrongOption(
            f"{job.name} has no column {missing}. Its columns: {known}.",
            f"{job.name} no tiene la columna {missing}. Sus columnas: {known}.",
        )
    if sheet and kind != "excel":
        raise WrongOption(
            f"{job.name} is no workbook, so it has no sheets: leave the option sheet out.",
            f"{job.name} no es un libro, así que no tiene hojas: quite la opción sheet.",
        )
    if text and kind != "csv":
        raise WrongOption(
            f"{job.name} is not delimited text: leave the options encoding and delimiter out.",
            f"{job.name} no es texto delimitado: quite las opciones encoding y delimiter.",
        )
    mark = job.profile.delimiter
    if text and mark and len(header) == 1:
        raise WrongOption(
            f"The header of {job.name} is not divided by {mark!r}: {header[0][:80]}",
            f"El encabezado de {job.name} no está separado por {mark!r}: {header[0][:80]}",
        )


def preview(store: Store, job: Job) -> tuple[list[Proposal], Profile]:
    """A mapping for every column of the file, and the profile that it makes; empty columns are left open in it."""
    known = known_fields(store)
    with open_source(job.path, job.profile, name=job.name, limits=job.limits, most_bytes=job.most_bytes) as opened:
        sample = next(iter(opened.source.blocks()), None)
        if sample is None:
            raise InputError(
                f"{job.name} has a header and no rows, so there is nothing to preview.",
                f"{job.name} tiene encabezado y ninguna fila, así que no hay nada que mostrar.",
            )
        header, proposals = opened.header, propose(opened.header, sample, job.profile, known)
    columns: dict[str, str] = {}
    for item in proposals:
        if item.reason != "empty" and item.column.strip() and columns.get(item.column, IGNORE) == IGNORE:
            columns[item.column] = item.target
    source = source_of(map_columns(header, job.profile, known), job.profile)
    return proposals, replace(job.profile, columns=columns, source=source if source != "default" else "")
