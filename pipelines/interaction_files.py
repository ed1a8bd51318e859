"""Interactions by file: what chat platforms export, dropped in a folder whose profile says `takes = "interactions"`.

Columns are known by their names, in Spanish and English. A row is told once by its source and id, so that the same file
again changes nothing; what is not taken is in the row report, as for contacts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from connectors.rowreports import RowReport
from connectors.sources import Opened, open_source
from pipelines.cells import NOTES
from pipelines.columns import Longs, chunked
from pipelines.dates import normalise_dates
from pipelines.imports import Job, Lease, Take, Tally
from pipelines.interactions import REFUSALS, Noted, Told, key_of, note_all
from pipelines.suppression import ERASED, require_known, without_cells
from schemas.fields import LONG_TEXT_LIMIT, TEXT_LIMIT
from schemas.frames import PROBLEM, ROW, RawFrame, as_read
from schemas.headers import header_form
from schemas.profiles import Profile
from schemas.refusals import Cancelled, NeedsAnswer
from warehouse import batches, bulk
from warehouse.batches import Batch
from warehouse.engines import Store, reading, transaction

_AT_ONCE = 5_000
_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("interaction id", "message id", "event id", "id mensaje", "id del mensaje", "mensaje id", "id evento", "id"),
    "kind": ("kind", "type", "event", "event type", "tipo", "evento", "tipo de evento"),
    "at": ("at", "date", "time", "timestamp", "created at", "sent at", "fecha", "hora", "fecha y hora", "momento"),
    "contact": ("contact", "contact number", "contacto", "numero de contacto"),
    "phone": ("phone", "mobile", "whatsapp", "telefono", "celular", "movil"),
    "email": ("email", "e mail", "correo", "correo electronico"),
    "external_id": ("external id", "contact id", "customer id", "id externo", "id contacto", "id cliente"),
    "channel": ("channel", "canal"),
    "ref": ("ref", "reference", "campaign", "link", "referencia", "campana", "enlace"),
    "actor": ("actor", "agent", "bot", "user", "agente", "operador"),
    "text": ("text", "message", "body", "content", "texto", "mensaje", "contenido"),
}
_IN_SPANISH = {"kind": "tipo", "at": "fecha", "contact / phone / email / external_id": "teléfono / correo / id externo"}
_WHOM = ("contact", "phone", "email", "external_id")
_KINDS = {
    **dict.fromkeys(("recibido", "recibida", "entrante", "incoming", "inbound", "in"), "received"),
    **dict.fromkeys(("enviado", "enviada", "saliente", "outgoing", "outbound", "out"), "sent"),
    **dict.fromkeys(("respondido", "respondida", "respuesta", "reply"), "replied"),
    **dict.fromkeys(("clic", "click"), "clicked"),
    **dict.fromkeys(("leido", "leida", "seen", "opened", "abierto", "abierta"), "read"),
}
"""What platforms call the kinds that filters ask for."""
_CODES = (
    *(*REFUSALS, "no_id", "date_invalid", "date_ambiguous", "too_long", "column_count", "bad_encoding", ERASED),
    *("json_invalid", "control_character", "quote_unclosed", "quote_inside"),
)
"""What is said of rows that are not taken."""
_EPOCH = r"^[0-9]{10}(?:\.[0-9]+)?$|^[0-9]{13}$"
_MILLISECONDS = 10**11


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows: their numbers, what they tell (None where they cannot be read), and the code of each of those."""

    rows: Longs
    told: list[Told | None]
    codes: dict[int, str]


def take_of(profile: Profile) -> Take | None:
    """How files of a profile are taken, where they are not files of contacts."""
    return take_file if profile.takes == "interactions" else None


def kind_of(profile: Profile) -> str:
    """The kind of batch that a file of this profile is."""
    return batches.ACTIVITY if profile.takes == "interactions" else batches.FILE


def take_file(store: Store, batch: Batch, job: Job, lease: Lease, scratch: Path) -> Tally:
    """Take the interactions of a claimed batch's file, or go on where an earlier worker stopped."""
    with open_source(job.path, job.profile, name=job.name, limits=job.limits, most_bytes=job.most_bytes) as opened:
        places = _places(opened, job)
        language = job.profile.language or job.language or "en"
        report = RowReport(job.report_path, opened.header, delimiter=opened.delimiter, language=language)
        tally = Tally(
            {name: getattr(batch, name) for name in ("created", "updated", "unchanged", "merged", "rejected")}
        )
        try:
            errors = [
                _take(store, batch, job, lease, raw.slice(start, _AT_ONCE), places, report, tally)
                for raw in opened.source.blocks()
                for start in range(0, raw.num_rows, _AT_ONCE)
            ]
        finally:
            report.close()
    tally.row_errors = np.concatenate(errors).tolist() if errors else []
    tally.language, tally.has_report = language, report.rows > 0
    with transaction(store) as connection:
        lease.hold(connection, batch.id)
        batches.set_batch(connection, batch.id, {"state": "applied", "rows_read": tally.rows, "cancelled_by": None})
    return tally


def _places(opened: Opened, job: Job) -> dict[str, int]:
    """The column of each part; raises NeedsAnswer where one is missing that every interaction has."""
    forms = [header_form(name) for name in opened.header]
    found = {name: next((forms.index(form) for form in known if form in forms), None) for name, known in _NAMES.items()}
    places = {name: at for name, at in found.items() if at is not None}
    missing = [name for name in ("id", "kind", "at") if name not in places]
    missing += [] if any(name in places for name in _WHOM) else [" / ".join(_WHOM)]
    if missing:
        shown = ", ".join(name for name in opened.header if name.strip())
        listed, spanish = ", ".join(missing), ", ".join(_IN_SPANISH.get(name, name) for name in missing)
        raise NeedsAnswer("interaction_columns", name=job.name, missing=listed, missing_es=spanish, columns=shown)
    return places


def _take(
    store: Store,
    batch: Batch,
    job: Job,
    lease: Lease,
    raw: RawFrame,
    places: Mapping[str, int],
    report: RowReport,
    tally: Tally,
) -> Longs:
    """Take a part of the rows in one transaction, with their outcomes; the rows refused, which are in the report."""
    rows = chunked(raw[ROW]).to_numpy()
    if rows[-1] <= batch.rows_done:
        refused = _refused_before(store, batch, int(rows[0]), int(rows[-1]))
    else:
        block = _without_erased(_read(raw, places, job), job)
        with transaction(store) as connection:
            bulk.lock_keys(connection)  # imports write the same contacts, in another order
            if by := lease.hold(connection, batch.id):
                raise Cancelled("cancelled", name=job.name, by=by, rows=int(rows[0]) - 1, batch=batch.id)
            require_known(connection, job.suppressed)
            refused, counts = _apply(connection, block, batch, job, lease)
        for name, count in counts.items():
            tally.counts[name] += count
    tally.rows = int(rows[-1])
    raw = without_cells(raw, np.array([row for row, code in refused.items() if code == ERASED], np.int64))
    if refused:
        numbers = pa.array(list(refused), pa.int64())
        count = len(refused)
        said = {"row": numbers, "code": list(refused.values()), "field": [""] * count, "value": [""] * count}
        report.add(raw, pa.table(said, NOTES), numbers.to_numpy())
    job.progress(tally.rows, tally.counts["rejected"])
    return np.array(list(refused), np.int64)


def _refused_before(store: Store, batch: Batch, first: int, last: int) -> dict[int, str]:
    """The rows of a part that an earlier run refused, and why."""
    with reading(store) as connection:
        found = batches.outcome_rows(connection, batch.id, _CODES, (first, last))
    return {row: _CODES[code] for row, code in zip(found["row"].to_pylist(), found["code"].to_pylist(), strict=True)}


def _apply(
    connection: Connection, block: _Block, batch: Batch, job: Job, lease: Lease
) -> tuple[dict[int, str], dict[str, int]]:
    readable = [at for at, one in enumerate(block.told) if one is not None]
    told = [one for one in block.told if one is not None]
    noted: Noted = note_all(connection, job.profile.default_country, job.profile.source_name, told, lease.clock())
    refused = dict(block.codes)
    outcome = ["rejected"] * len(block.rows)
    contacts: list[int | None] = [None] * len(block.rows)
    for place, at in enumerate(readable):
        row = int(block.rows[at])
        if place in noted.refused:
            refused[row] = noted.refused[place].code
            continue
        outcome[at] = "created" if place in noted.new else "unchanged"
        contacts[at] = noted.owners[place]
    codes = [refused.get(row) for row in block.rows.tolist()]
    columns: dict[str, Any] = {"batch_id": [batch.id] * len(outcome), "row": block.rows, "contact_id": contacts}
    schema = batches.OUTCOMES
    table = pa.table({**columns, "outcome": outcome, "into_row": [None] * len(outcome), "code": codes}, schema=schema)
    batches.insert_outcomes(connection, table)
    counts = {name: outcome.count(name) for name in ("created", "unchanged", "rejected")}
    batches.add_progress(connection, batch.id, int(block.rows[-1]), counts)
    return dict(sorted(refused.items())), counts


def _without_erased(block: _Block, job: Job) -> _Block:
    """A block that takes nothing of people who were erased."""
    told, codes = list(block.told), dict(block.codes)
    for at, item in enumerate(told):
        keys = _keys(item, job) if item is not None else []
        if any(job.suppressed.has(*key) for key in keys):
            told[at], codes[int(block.rows[at])] = None, ERASED
    return _Block(block.rows, told, codes)


def _keys(item: Told, job: Job) -> list[tuple[str, str]]:
    """Every key that a row names, whichever of them says whom it is about."""
    alone = {"contact": None, "phone": None, "email": None, "external_id": None}
    each = [replace(item, **{**alone, name: getattr(item, name)}) for name in ("phone", "email", "external_id")]
    keys = (key_of(job.profile.default_country, job.profile.source_name, one) for one in each)
    return [key for key in keys if key is not None]


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(raw: RawFrame, places: Mapping[str, int], job: Job) -> _Block:
    rows = chunked(raw[ROW]).to_numpy()
    cells = {name: pc.utf8_trim_whitespace(as_read(raw[f"c{at}"])) for name, at in places.items()}
    times, problems = _times(cells.pop("at"), job)
    texts = {name: [text or None for text in column.to_pylist()] for name, column in cells.items()}
    broken = raw[PROBLEM].to_pylist()
    told: list[Told | None] = []
    codes: dict[int, str] = {}
    for at, row in enumerate(rows.tolist()):
        values = {name: column[at] for name, column in texts.items()}
        code = broken[at] or problems[at] or _wrong(values)
        if code is None and times[at] is None:
            code = "date_invalid"
        if code is not None:
            codes[row] = code if code in _CODES else "column_count"
        told.append(None if code is not None else _told(values, times[at]))
    return _Block(rows, told, codes)


def _wrong(values: Mapping[str, str | None]) -> str | None:
    said = "".join(filter(None, values.values()))
    if "\0" in said or "\ufffd" in said:
        return "control_character" if "\0" in said else "bad_encoding"
    if not values["id"]:
        return "no_id"
    limits = {"text": LONG_TEXT_LIMIT}
    long = any(len(text) > limits.get(name, TEXT_LIMIT) for name, text in values.items() if text)
    return "too_long" if long else None


def _told(values: Mapping[str, str | None], at: datetime) -> Told:
    kind = header_form(values["kind"] or "").replace(" ", "_")
    number = values.get("contact")
    said = {name: text for name, text in values.items() if name not in ("id", "kind", "contact", "channel")}
    contact = int(number) if number and number.isascii() and number.isdigit() and len(number) < 18 else None
    channel = (values.get("channel") or "").lower() or None
    return Told(str(values["id"]), _KINDS.get(kind, kind), at, contact=contact, channel=channel, **said)


def _times(column: pa.Array, job: Job) -> tuple[list[Any], list[str | None]]:
    """When it happened, in UTC, and what is wrong with it; seconds or milliseconds since 1970 too."""
    is_epoch = pc.match_substring_regex(column, _EPOCH).fill_null(False)
    numbers = pc.if_else(is_epoch, column, None).cast(pa.float64())
    seconds = pc.if_else(pc.greater(numbers, _MILLISECONDS), pc.divide(numbers, 1000), numbers)
    zone, order = job.profile.time_zone or "UTC", job.profile.date_order
    written = normalise_dates(pc.if_else(is_epoch, None, column), order, zone)
    stamps = written.value.to_pylist()
    times = [
        datetime.fromtimestamp(second, UTC) if second is not None else stamp
        for second, stamp in zip(seconds.to_pylist(), stamps, strict=True)
    ]
    return times, written.problem.to_pylist()
