"""The first half of an import: read, clean and set aside every row of a file, with memory bounded by a block.

The clean rows stand in an Arrow file beside the work; what was said of rows goes to the row report at once.
Staging touches nothing else and gives the same result every time, so a crash only costs doing it again.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.rowreports import RowReport
from connectors.sources import Opened
from pipelines.clean import Cleaned, clean_block, clean_schema
from pipelines.columns import SEPARATOR, chunked
from pipelines.groups import (
    OCCURRENCES,
    Groups,
    Longs,
    Numbers,
    group_rows,
    in_several_rows,
    is_among,
    key_numbers,
    no_groups,
    repeated,
)
from pipelines.mapping import ColumnMap
from pipelines.phones import match_form
from pipelines.texts import fold
from schemas.frames import ROW, CleanFrame, RawFrame, as_read, text_bytes
from schemas.profiles import Profile

Progress = Callable[[int, int], None]
"""Told after each block: rows read, rows rejected."""
_CLEANERS = 2
_KEYS = (("phone", "phone_match"), ("email", "email"), ("external_id", "external_id"))
_FURTHER = (("phone", "more_phones"), ("email", "more_emails"))


@dataclass(slots=True)
class Staged:
    """A file's clean rows on disk, and what is known of all of them."""

    path: Path
    rows_read: int = 0
    rejected: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    rejected_codes: list[str] = field(default_factory=list)
    warned: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    columns_not_taken: tuple[str, ...] = ()
    taken: int = 0
    groups: Groups = field(default_factory=no_groups)
    starts: list[int] = field(default_factory=list)
    values: list[dict[str, str]] = field(default_factory=list)

    def between(self, first: int, last: int) -> CleanFrame:
        """The clean rows whose number is in [first, last]."""
        low, high = (row - 1 - int(np.searchsorted(self.rejected, row)) for row in (first, last + 1))
        return self._positions(np.arange(low, high))

    def rows_numbered(self, rows: Longs) -> CleanFrame:
        """These rows, none of which was rejected."""
        return self._positions(rows - 1 - np.searchsorted(self.rejected, rows))

    def _positions(self, positions: Longs) -> CleanFrame:
        """These rows, read batch by batch from the mapped file."""
        parts = []
        with pa.memory_map(str(self.path)) as file:
            reader = pa.ipc.open_file(file)
            schema = reader.schema
            batch_of = np.searchsorted(self.starts, positions, side="right") - 1
            for index in np.unique(batch_of).tolist():
                mine = positions[batch_of == index] - self.starts[index]
                batch = reader.get_batch(index)
                whole = len(mine) == batch.num_rows
                parts.append(batch if whole else batch.take(pa.array(mine)))
        return CleanFrame(pa.Table.from_batches(parts, schema))


def stage_file(
    opened: Opened,
    mapping: ColumnMap,
    profile: Profile,
    folder: Path,
    report: RowReport,
    *,
    progress: Progress = lambda rows, rejected: None,
    keep_values: bool = False,
) -> Staged:
    """Stage every row of an open file; raises what its reader raises."""
    _use_frugal_memory()
    staged = Staged(folder / "clean.arrow")
    keys: dict[str, list[Numbers]] = {key: [] for key, _ in _KEYS}
    further: dict[str, list[Numbers]] = {key: [] for key, _ in _KEYS}
    rejected: list[Longs] = []
    warned: list[Longs] = []
    filled: set[int] = set()
    with (
        pa.OSFile(str(staged.path), "wb") as file,
        pa.ipc.new_file(file, clean_schema(mapping.custom)) as writer,
    ):
        for raw, cleaned in _cleaned(opened, mapping, profile):
            report.add(raw, cleaned.notes, cleaned.rejected)
            staged.rows_read += raw.num_rows
            rejected.append(cleaned.rejected)
            staged.rejected_codes += _last_codes(cleaned.notes, cleaned.rejected)
            warned.append(np.setdiff1d(cleaned.notes["row"].to_numpy(), cleaned.rejected))
            filled |= {at for at in mapping.unknown - filled if _has_text(raw, at)}
            if keep_values:
                staged.values += _values(raw, opened.header, cleaned.rejected)
            if cleaned.frame.num_rows:
                _write(writer, cleaned.frame, staged, keys, further)
            progress(staged.rows_read, len(staged.rejected_codes))
    if rejected:
        staged.rejected, staged.warned = np.concatenate(rejected), np.concatenate(warned)
    staged.columns_not_taken = tuple(mapping.header[at].strip() or f"#{at + 1}" for at in sorted(filled))
    staged.groups = _group(staged, keys, further, profile)
    return staged


def _has_text(raw: RawFrame, at: int) -> bool:
    return bool(text_bytes(chunked(raw[f"c{at}"])).strip())


def _use_frugal_memory() -> None:
    """Arrow's usual allocator keeps what ended threads freed, 130 MB at a million rows; jemalloc gives it back."""
    if "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def _cleaned(opened: Opened, mapping: ColumnMap, profile: Profile) -> Iterator[tuple[RawFrame, Cleaned]]:
    """Each block with what is left of it, in order; two are cleaned at a time, and one more is read."""
    with ThreadPoolExecutor(_CLEANERS, "clean") as pool:
        waiting: deque[tuple[RawFrame, Future[Cleaned]]] = deque()
        for raw in opened.source.blocks():
            waiting.append((raw, pool.submit(clean_block, raw, mapping, profile)))
            if len(waiting) > _CLEANERS:
                first, cleaned = waiting.popleft()
                yield first, cleaned.result()
        for last, cleaned in waiting:
            yield last, cleaned.result()


def _last_codes(notes: pa.Table, rejected: Longs) -> list[str]:
    """The last code said of each of these rows."""
    rows, first = np.unique(notes["row"].to_numpy()[::-1], return_index=True)
    last = notes.num_rows - 1 - first[np.searchsorted(rows, rejected)]
    return list(notes["code"].take(pa.array(last)).to_pylist())


def _write(
    writer: pa.ipc.RecordBatchFileWriter,
    frame: CleanFrame,
    staged: Staged,
    keys: dict[str, list[Numbers]],
    further: dict[str, list[Numbers]],
) -> None:
    batch = frame.combine_chunks().to_batches()[0]
    staged.starts.append(staged.taken)
    staged.taken += batch.num_rows
    writer.write_batch(batch)
    for key, column in _KEYS:
        values = batch.column(column)
        if values.null_count < len(values) or keys[key]:
            previous = staged.starts[-1] - sum(map(len, keys[key]))
            if previous:
                keys[key].append(np.zeros(previous, np.uint32))
            keys[key].append(key_numbers(values))
    for key, column in _FURTHER:
        if batch.column(column).null_count < batch.num_rows:
            texts = pc.list_flatten(pc.split_pattern(batch.column(column).drop_null(), SEPARATOR))
            further[key].append(key_numbers(further_form(key, texts)))


def _values(raw: pa.Table, header: tuple[str, ...], rejected: Longs) -> list[dict[str, str]]:
    """The cells of the accepted rows as they were read, by the source's column names."""
    raw = raw.filter(pa.array(np.isin(raw[ROW].to_numpy(), rejected, invert=True)))
    columns = [as_read(raw[f"c{index}"]).to_pylist() for index in range(len(header))]
    named = [index for index, name in enumerate(header) if name or any(columns[index])]
    return [{header[index]: columns[index][position] for index in reversed(named)} for position in range(raw.num_rows)]


# ── duplicates inside the file ───────────────────────────────────────────────────────────────────────────────────


def _group(
    staged: Staged, keys: dict[str, list[Numbers]], further: dict[str, list[Numbers]], profile: Profile
) -> Groups:
    """Group the rows that share a key of the profile's, and find who owns each repeated key; further keys count too."""
    suspects = np.zeros(staged.taken, bool)
    for key, _ in _KEYS:
        found = repeated([*keys[key], *further[key]])
        start = 0
        for values in keys[key]:
            if len(found):
                suspects[start : start + len(values)] |= is_among(values, found)
            start += len(values)
        keys[key].clear()
    kinds = () if profile.duplicates == "create" else profile.match_on
    return group_rows(_occurrences(staged, suspects), kinds, names_matter=profile.names == "must_agree")


def _occurrences(staged: Staged, suspects: np.ndarray) -> pa.Table:
    """The keys of suspect rows, and those of rows with further phones or e-mails, that stand more than once."""
    parts = []
    names = [ROW, "display_name", *(column for _, column in (*_KEYS, *_FURTHER))]
    for index, start in enumerate(staged.starts):
        with pa.memory_map(str(staged.path)) as file:
            batch = pa.ipc.open_file(file).get_batch(index).select(names)
            wanted = pa.array(suspects[start : start + batch.num_rows])
            several = pc.or_(pc.is_valid(batch["more_phones"]), pc.is_valid(batch["more_emails"]))
            part = pa.Table.from_batches([batch]).filter(pc.or_(wanted, several))
            parts += _keys_of(part)
            del batch
    if not parts:
        return OCCURRENCES.empty_table()
    found = pa.concat_tables(parts)
    del parts
    return found.filter(pa.array(in_several_rows(found)))


def _keys_of(part: pa.Table) -> list[pa.Table]:
    if not part.num_rows:
        return []
    names = fold(chunked(part["display_name"]))
    rows = chunked(part[ROW])
    found = [_keyed(rows, key, chunked(part[column]), names) for key, column in _KEYS]
    for key, column in _FURTHER:
        filled = pc.is_valid(part[column])
        if pc.any(filled).as_py():
            texts = chunked(part[column]).filter(chunked(filled))
            split = pc.split_pattern(texts, SEPARATOR)
            parents = pc.list_parent_indices(split)
            values = pc.list_flatten(split)
            at = rows.filter(chunked(filled)).take(parents)
            found.append(_keyed(at, key, further_form(key, values), names.filter(chunked(filled)).take(parents)))
    return found


def further_form(key: str, values: pa.Array) -> pa.Array:
    """The match form of further phones; e-mails are their own."""
    return match_form(values) if key == "phone" else values


def _keyed(rows: pa.Array, key: str, values: pa.Array, names: pa.Array) -> pa.Table:
    keys = pc.binary_join_element_wise(key, values, ":")
    table = pa.table({"row": rows, "key": keys, "name": names}, OCCURRENCES)
    return table.filter(pc.is_valid(table["key"]))


def rejected_between(staged: Staged, first: int, last: int) -> tuple[Longs, list[str]]:
    low = bisect_right(staged.rejected, first - 1)
    high = bisect_right(staged.rejected, last)
    return staged.rejected[low:high], staged.rejected_codes[low:high]
