"""The main job: one file into the roll. The command line, the worker and the dry run all come through here.

Stage the whole file, then apply it slice by slice; each slice is one short transaction with its history, its
outcomes and the batch's progress, so that a run that was cut off goes on where it stopped.
"""

import shlex
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from connectors.rowreports import RowReport
from connectors.sources import Opened, open_source
from connectors.workbooks import Limits
from pipelines.ahead import Answers, ask, read_standing
from pipelines.apply import apply_rows
from pipelines.columns import chunked, is_among
from pipelines.context import Context
from pipelines.fold import fold_rows
from pipelines.keys import keys_of
from pipelines.mapping import ColumnMap, map_columns, require_keys, require_types, source_of
from pipelines.match import row_hashes
from pipelines.outcomes import merge_notes, report_merge_notes, write_outcomes
from pipelines.stage import Progress, Staged, stage_file
from pipelines.suppression import NOBODY, Suppressed, require_known
from schemas import memory
from schemas.fields import FieldType
from schemas.frames import ROW, CleanFrame
from schemas.profiles import Profile
from schemas.refusals import Cancelled, NeedsAnswer, Refused
from schemas.reports import OUTCOMES, FileStatus, ImportReport, say_not_taken
from schemas.sentences import NOTHING, Sentence
from warehouse import batches, bulk, indexes, roll
from warehouse.batches import Batch
from warehouse.engines import Rehearsal, Store, reading, transaction
from warehouse.rehearsal import stand_beside
from warehouse.statistics import Growth
from warehouse.tables import LIVE_KEYS

_SLICE_SECONDS, _LOOK_SECONDS = 1.0, 1.0
_SMALLEST, _FIRST, _LARGEST = 500, 20_000, 50_000
_FIRST_LOAD = 20_000
_ODD = 0x1E3779B97F4A7C15
"""Spreads small numbers over a hash."""
_PASSED_OVER = ("already_exists", "not_found", "skipped")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Job:
    """What an import needs beside the store: the file, how to read it, and where its report goes."""

    path: Path
    name: str
    profile: Profile
    report_path: Path
    language: str | None = None
    limits: Limits = field(default_factory=Limits)
    most_bytes: int = 20_000_000_000
    keep_values: bool = False
    shown_path: str = ""
    suppressed: Suppressed = NOBODY
    progress: Progress = lambda rows, rejected: None


@dataclass(slots=True)
class Tally:
    """Counts of one run, and what a door may want to show."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    row_errors: Sequence[int] = ()
    values: list[dict[str, str]] = field(default_factory=list)
    rows: int = 0
    warnings: int = 0
    columns_not_taken: tuple[str, ...] = ()
    language: str | None = None
    sentence: Sentence = NOTHING
    has_report: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a batch, renewed with every transaction."""

    token: str
    seconds: float
    clock: Clock

    def hold(self, connection: Connection, batch_id: int) -> str | None:
        """Who cancelled the batch, if anybody; raises LeaseLost."""
        until = self.clock() + timedelta(seconds=self.seconds)
        return batches.hold_lease(connection, batch_id, self.token, until)


Take = Callable[[Store, Batch, Job, Lease, Path], Tally]


def import_batch(
    store: Store, batch: Batch, job: Job, lease: Lease, take: Take | None = None
) -> tuple[ImportReport, list[dict[str, str]]]:
    """Import the file of a claimed batch, or finish what an earlier worker began; also gives kept values.

    A file that cannot be read is a report with status `rejected` or `needs_mapping`, not an exception.
    """
    started = time.monotonic()
    language = job.profile.language or job.language
    report = ImportReport(job.name, "imported", language=language, batch_id=batch.id)
    try:
        with TemporaryDirectory(prefix="padron-stage-") as scratch:
            tally = (take or _run)(store, batch, job, lease, Path(scratch))
    except Cancelled as error:
        so_far = report_so_far(store, batch.id, "rejected", error.sentence, report.language)
        return replace(so_far, seconds=time.monotonic() - started), []
    except Refused as error:
        status: FileStatus = "needs_mapping" if isinstance(error, NeedsAnswer) else "rejected"
        return replace(report, status=status, sentence=error.sentence, seconds=time.monotonic() - started), []
    done = replace(
        report,
        rows=tally.rows,
        warnings=tally.warnings,
        row_errors=tally.row_errors,
        columns_not_taken=tally.columns_not_taken,
        sentence=tally.sentence,
        language=tally.language,
        reject_file=str(job.report_path) if tally.has_report else None,
        seconds=time.monotonic() - started,
        **dict[str, Any](tally.counts),
    )
    return done, tally.values


def report_so_far(
    store: Store, number: int, status: FileStatus, sentence: Sentence, language: str | None
) -> ImportReport:
    """What the store knows of a batch whose rows were not all seen by this run."""
    with reading(store) as connection:
        batch = batches.get_batch(connection, number)
        errors = array("q", batches.rejected_rows(connection, number))
    counts: dict[str, Any] = {name: getattr(batch, name) for name in OUTCOMES}
    counts |= {"rows": batch.rows_read or batch.rows_done, "warnings": batch.warnings, "row_errors": errors}
    return ImportReport(batch.file, status, sentence=sentence, language=language, batch_id=number, **counts)


def _run(store: Store, batch: Batch, job: Job, lease: Lease, scratch: Path) -> Tally:
    with open_source(job.path, job.profile, name=job.name, limits=job.limits, most_bytes=job.most_bytes) as opened:
        mapping = _map(store, opened, job)
        language = job.profile.language or job.language or mapping.language
        report = RowReport(job.report_path, opened.header, delimiter=opened.delimiter, language=language)
        try:
            staged = stage_file(
                opened,
                mapping,
                job.profile,
                scratch,
                report,
                progress=_stopping(store, batch, job),
                keep_values=job.keep_values,
                suppressed=job.suppressed,
            )
            memory.give_back()
            if isinstance(store, Rehearsal):
                _rehearse_beside(store, staged, source_of(mapping, job.profile))
            context = _open_context(store, staged, mapping, batch, job, lease)
            tally = Tally({name: getattr(batch, name) for name in OUTCOMES})
            try:
                _apply(store, staged, batch, job, lease, context, tally)
            except Cancelled:
                _end_load(store, tally)
                raise
            noted = merge_notes(store, batch, staged.rows_read)
            _sum_up(tally, staged, noted)
            with ThreadPoolExecutor(1, "notes") as aside:
                written = aside.submit(report_merge_notes, opened, noted, report)
                _end_load(store, tally)
                written.result()
        finally:
            report.close()
    tally.language, tally.has_report = language, report.rows > 0
    _end(store, tally, batch, lease)
    return tally


def _rehearse_beside(store: Rehearsal, staged: Staged, source: str) -> None:
    """Let the rehearsal write beside the contacts instead of among them, where others would wait for it."""
    last, starts = staged.rows_read, range(1, staged.rows_read + 1, _LARGEST)
    with transaction(store) as connection:
        parts = (staged.between(at, min(at + _LARGEST - 1, last)) for at in starts)
        stand_beside(connection, (keys_of(part, source) for part in parts if part.num_rows))


def _stopping(store: Store, batch: Batch, job: Job) -> Progress:
    """The job's progress, which also looks now and then whether somebody cancelled the import."""
    looked = time.monotonic()

    def progress(rows: int, rejected: int) -> None:
        nonlocal looked
        job.progress(rows, rejected)
        if time.monotonic() - looked > _LOOK_SECONDS:
            looked = time.monotonic()
            with reading(store) as connection:
                by = batches.get_batch(connection, batch.id).cancelled_by
            if by:
                raise Cancelled("cancelled", name=job.name, by=by, rows=batch.rows_done, batch=batch.id)

    return progress


def _sum_up(tally: Tally, staged: Staged, noted: pa.Table) -> None:
    """What is known of the whole file, once every row is applied."""
    refused = noted.filter(pc.equal(noted["rejected"], 1))["row"].to_numpy()
    rejected = np.union1d(staged.rejected, refused)
    tally.row_errors = array("q", rejected.tobytes())
    tally.warnings = len(np.setdiff1d(np.union1d(staged.warned, noted["row"].to_numpy()), rejected))
    tally.rows, tally.values = staged.rows_read, staged.values
    tally.columns_not_taken = staged.columns_not_taken
    tally.sentence = say_not_taken(staged.columns_not_taken)


def _map(store: Store, opened: Opened, job: Job) -> ColumnMap:
    mapping = map_columns(opened.header, job.profile, known_fields(store))
    require_keys(mapping, job.name, shlex.quote(job.shown_path or str(job.path)))
    return mapping


# ── applying ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _apply(store: Store, staged: Staged, batch: Batch, job: Job, lease: Lease, context: Context, tally: Tally) -> None:
    context.standing = read_standing(store, staged.taken, context)
    sizes, last_change, looked_through, growth = _Sizes(), 0, 0, Growth(store)
    for first, last, rows, answers in _slices(store, staged, batch.rows_done + 1, sizes, context):
        began = time.monotonic()
        with transaction(store) as connection:
            bulk.lock_keys(connection)
            if by := lease.hold(connection, batch.id):
                raise Cancelled("cancelled", name=job.name, by=by, rows=first - 1, batch=batch.id)
            if context.fresh and roll.last_change(connection) != last_change:
                context.fresh = False
            known = context.standing or answers
            since = max(known.since, looked_through) if known else 0
            others = known is not None and roll.changed_by_others(connection, since, batch.id)
            if others:
                context.standing = answers = None
            if answers is None:
                answers = ask(connection, rows, context)
            applied = apply_rows(connection, rows, answers, context)
            counts = write_outcomes(connection, staged, applied, (first, last), context)
            batches.add_progress(connection, batch.id, last, counts)
            last_change = roll.last_change(connection)
            looked_through = 0 if others or known is None else last_change
        for name, count in counts.items():
            tally.counts[name] += count
        if not context.fresh:
            growth.by(store, counts.get("created", 0))
        sizes.took(last - first + 1, time.monotonic() - began)
        pa.default_memory_pool().release_unused()


def _end_load(store: Store, tally: Tally) -> None:
    """Bring back what a first load does without: indexes and statistics."""
    indexes.build_missing(store)
    if tally.counts["created"] >= _FIRST_LOAD and not isinstance(store, Rehearsal):
        with transaction(store) as connection:
            bulk.refresh_statistics(connection, LIVE_KEYS)


def _end(store: Store, tally: Tally, batch: Batch, lease: Lease) -> None:
    """Say that every row is applied; the indexes are built and the report is whole by now."""
    with transaction(store) as connection:
        lease.hold(connection, batch.id)
        values = {"state": "applied", "rows_read": tally.rows, "warnings": tally.warnings, "cancelled_by": None}
        batches.set_batch(connection, batch.id, {**values, **batches.said(tally.sentence)})


def _open_context(store: Store, staged: Staged, mapping: ColumnMap, batch: Batch, job: Job, lease: Lease) -> Context:
    """Make the custom fields; decide whether this is a first load, whose indexes are built at its end."""
    at = batch.started_at or batch.created_at
    with transaction(store) as connection:
        bulk.lock_keys(connection)
        lease.hold(connection, batch.id)
        require_known(connection, job.suppressed)
        require_types(mapping.custom, roll.field_types(connection))
        source = source_of(mapping, job.profile)
        batches.set_batch(connection, batch.id, {"source": source})
        ids = roll.field_ids(connection, mapping.custom, at)
        fresh = batch.rows_done == 0 and staged.taken >= _FIRST_LOAD and roll.is_empty(connection)
        fresh = fresh and job.profile.duplicates != "create"
        fresh = fresh and roll.last_change(connection) == 0 and not isinstance(store, Rehearsal)
        if fresh:
            indexes.drop_for_first_load(connection)
    if not fresh:
        indexes.build_missing(store)
    context = Context(
        batch.id,
        source,
        batch.actor,
        at,
        job.profile,
        f"{job.profile.version}:{source}",
        mapping.custom,
        ids,
        staged.groups.shared,
        np.unique(np.concatenate([staged.groups.leader, staged.groups.shared.owner, staged.groups.shared.row])),
        fresh,
    )
    if batch.rows_done:
        _remember(store, context)
    return context


def _remember(store: Store, context: Context) -> None:
    """What an earlier, cut off run of the batch did."""
    with reading(store) as connection:
        context.seen.add(batches.contacts_of(connection, context.batch_id))
        context.made.add(batches.contacts_of(connection, context.batch_id, "created"))
        refused = batches.outcome_rows(connection, context.batch_id, _PASSED_OVER)
    refused = refused.filter(pa.array(is_among(refused["row"].to_numpy(), context.awaited)))
    rows, places = (refused[name].to_pylist() for name in ("row", "code"))
    codes = {row: _PASSED_OVER[place] for row, place in zip(rows, places, strict=True)}
    context.passed_over.update(codes)
    context.refused.update({row: code for row, code in codes.items() if code != "skipped"})


def _slices(
    store: Store, staged: Staged, first: int, sizes: "_Sizes", context: Context
) -> Iterator[tuple[int, int, CleanFrame, Answers | None]]:
    """First row, last row, rows of each slice, and what the store answers about them if it could be asked.

    The next slice is made ready while the caller writes one.
    """

    def prepare(start: int, end: int) -> tuple[CleanFrame, Answers | None]:
        rows = _slice_rows(staged, start, end, context.profile)
        hashes = row_hashes(rows, context.version)
        hashes ^= staged.repeats.of(chunked(rows[ROW]).to_numpy()) * _ODD
        rows = CleanFrame(rows.append_column("applied", pa.array(hashes)))
        if context.fresh or not rows.num_rows or isinstance(store, Rehearsal):
            return rows, None
        with reading(store) as connection:
            return rows, ask(connection, rows, context)

    with ThreadPoolExecutor(1, "slices") as ahead:
        last = min(first + sizes.rows - 1, staged.rows_read)
        ready = ahead.submit(prepare, first, last)
        while first <= last:
            rows, answers = ready.result()
            coming = last + 1, min(last + sizes.rows, staged.rows_read)
            ready = ahead.submit(prepare, *coming)
            yield first, last, rows, answers
            first, last = coming


def _slice_rows(staged: Staged, first: int, last: int, profile: Profile) -> CleanFrame:
    """The rows of a range, one for each person: members of groups are folded into their group's first row."""
    rows = staged.between(first, last)
    groups = staged.groups
    if not len(groups.member):
        return rows
    numbers = chunked(rows[ROW]).to_numpy()
    single = ~np.isin(numbers, groups.member)
    low, high = np.searchsorted(groups.leader, [first, last + 1])
    leaders, members = groups.leader[low:high], groups.member[low:high]
    if not len(leaders):
        return CleanFrame(rows.filter(pa.array(single)))
    single &= ~np.isin(numbers, leaders)
    wanted = np.union1d(leaders, members)
    own = np.searchsorted(members_sorted := np.sort(members), wanted)
    is_member = np.isin(wanted, members)
    order = np.argsort(members)
    leader_of = np.where(is_member, leaders[order][np.minimum(own, len(members_sorted) - 1)], wanted)
    folded = fold_rows(staged.rows_numbered(wanted), leader_of, profile)
    return CleanFrame(pa.concat_tables([rows.filter(pa.array(single)), folded]).sort_by(ROW))


class _Sizes:
    """How many rows a slice has: so many that nobody waits long for the store, however fast it is."""

    def __init__(self) -> None:
        self.rows = _FIRST

    def took(self, rows: int, seconds: float) -> None:
        wanted = int(rows * _SLICE_SECONDS / max(seconds, 0.001))
        self.rows = min(max(wanted, rows // 2, _SMALLEST), rows * 2, _LARGEST)


def known_fields(store: Store) -> dict[str, FieldType]:
    with reading(store) as connection:
        return roll.field_types(connection)
