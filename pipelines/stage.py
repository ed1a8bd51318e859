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
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.rowreports import RowReport
from connectors.sources import Opened
from pipelines.clean import Cleaned, clean_block, clean_schema
from pipelines.columns import Flags, Longs, chunked
from pipelines.groups import NAMES, Groups, Occurrences, group_rows, repeated_keys
from pipelines.keys import KEY_COLUMNS, KINDS, key_hashes, keys_of
from pipelines.mapping import ColumnMap, source_of
from pipelines.match import row_hashes
from pipelines.names import IS_RECORD, RECORD
from pipelines.suppression import NOBODY, Suppressed, without_erased
from pipelines.suspects import Suspects
from pipelines.texts import fold
from schemas import memory
from schemas.codes import CODES
from schemas.frames import ROW, CleanFrame, RawFrame, as_read, text_bytes
from schemas.layouts import OURS
from schemas.profiles import Profile

Progress = Callable[[int, int], None]
"""Told after each block: rows read, rows rejected."""
_CLEANERS = 2
_ALL_CODES = pa.array(list(CODES))


@dataclass(frozen=True, slots=True)
class Repeats:
    """Rows, in order, that say just what an earlier row says and are not grouped with it: how many said so before."""

    rows: Longs
    before: Longs

    def of(self, numbers: Longs) -> Longs:
        """How many rows before each of these said the same."""
        if not len(self.rows):
            return np.zeros(len(numbers), np.int64)
        at = np.minimum(np.searchsorted(self.rows, numbers), len(self.rows) - 1)
        return np.where(self.rows[at] == numbers, self.before[at], 0)


@dataclass(slots=True)
class Staged:
    """A file's clean rows on disk, and what is known of all of them."""

    path: Path
    rows_read: int = 0
    rejected: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    rejected_codes: npt.NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    warned: Longs = field(default_factory=lambda: np.empty(0, np.int64))
    columns_not_taken: tuple[str, ...] = ()
    taken: int = 0
    groups: Groups = field(default_factory=Groups)
    starts: list[int] = field(default_factory=list)
    values: list[dict[str, str]] = field(default_factory=list)
    repeats: Repeats = field(default_factory=lambda: Repeats(np.empty(0, np.int64), np.empty(0, np.int64)))

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
    suppressed: Suppressed = NOBODY,
) -> Staged:
    """Stage every row of an open file; raises what its reader raises. Rows of people who were erased are refused."""
    memory.use_little()
    staged = Staged(folder / "clean.arrow")
    suspects = Suspects(folder)
    rejected: list[Longs] = []
    codes: list[npt.NDArray[np.int16]] = []
    count = 0
    warned: list[Longs] = []
    filled: set[int] = set()
    with (
        pa.OSFile(str(staged.path), "wb") as file,
        pa.ipc.new_file(file, clean_schema(mapping.custom)) as writer,
    ):
        for raw, cleaned in _cleaned(opened, mapping, profile, suppressed):
            report.add(raw, cleaned.notes, cleaned.rejected)
            staged.rows_read += raw.num_rows
            rejected.append(cleaned.rejected)
            count += len(cleaned.rejected)
            codes.append(_last_codes(cleaned.notes, cleaned.rejected))
            warned.append(np.setdiff1d(cleaned.notes["row"].to_numpy(), cleaned.rejected))
            filled |= {at for at in mapping.unknown - filled if _has_text(raw, at)}
            filled |= {at for at, before in mapping.doubles.items() if at not in filled and _loses(raw, at, before)}
            if keep_values:
                staged.values += _values(raw, opened.header, cleaned.rejected)
            if cleaned.frame.num_rows:
                _write(writer, cleaned.frame, staged, suspects)
            progress(staged.rows_read, count)
    if rejected:
        staged.rejected, staged.rejected_codes = np.concatenate(rejected), np.concatenate(codes)
        staged.warned = np.concatenate(warned)
    staged.columns_not_taken = tuple(mapping.header[at].strip() or f"#{at + 1}" for at in sorted(filled))
    if staged.taken:
        suspect = suspects.find()
        staged.groups = _group(staged, suspect, profile, source_of(mapping, profile))
        if profile.duplicates == "create" or set(KINDS) - set(profile.match_on):
            staged.repeats = _repeats(staged, suspect)
    return staged


def _has_text(raw: RawFrame, at: int) -> bool:
    return bool(text_bytes(chunked(raw[f"c{at}"])).strip())


def _loses(raw: RawFrame, at: int, before: list[int]) -> bool:
    """Whether a column says something in rows where an earlier one of the same field says something else."""
    own, *others = (pc.utf8_trim_whitespace(chunked(raw[f"c{place}"])) for place in (at, *before))
    first = pc.coalesce(*(pc.if_else(pc.equal(other, ""), pa.scalar(None, other.type), other) for other in others))
    lost = pc.and_(pc.not_equal(own, first), pc.not_equal(own, ""))
    return bool(pc.any(lost).as_py())


def _cleaned(
    opened: Opened, mapping: ColumnMap, profile: Profile, suppressed: Suppressed
) -> Iterator[tuple[RawFrame, Cleaned]]:
    """Each block with what is left of it, in order; two are cleaned at a time, and one more is read."""
    source = source_of(mapping, profile)

    def clean(raw: RawFrame) -> tuple[RawFrame, Cleaned]:
        cleaned = clean_block(raw, mapping, profile, is_spreadsheet=opened.kind in ("csv", "excel"))
        return without_erased(raw, cleaned, suppressed, source) if suppressed.hashes else (raw, cleaned)

    with ThreadPoolExecutor(_CLEANERS, "clean") as pool:
        waiting: deque[Future[tuple[RawFrame, Cleaned]]] = deque()
        for block in opened.source.blocks():
            waiting.append(pool.submit(clean, block))
            if len(waiting) > _CLEANERS:
                yield waiting.popleft().result()
        for last in waiting:
            yield last.result()


def _last_codes(notes: pa.Table, rejected: Longs) -> npt.NDArray[np.int16]:
    """The last code said of each of these rows, as its place among all codes."""
    rows, first = np.unique(notes["row"].to_numpy()[::-1], return_index=True)
    last = notes.num_rows - 1 - first[np.searchsorted(rows, rejected)]
    return pc.index_in(chunked(notes["code"].take(pa.array(last))), _ALL_CODES).to_numpy().astype(np.int16)


def _write(writer: pa.ipc.RecordBatchFileWriter, frame: CleanFrame, staged: Staged, suspects: Suspects) -> None:
    batch = frame.combine_chunks().to_batches()[0]
    staged.starts.append(staged.taken)
    staged.taken += batch.num_rows
    writer.write_batch(batch)
    suspects.add(batch)


def _values(raw: pa.Table, header: tuple[str, ...], rejected: Longs) -> list[dict[str, str]]:
    """The cells of the accepted rows as they were read, by the source's column names."""
    raw = raw.filter(pa.array(np.isin(raw[ROW].to_numpy(), rejected, invert=True)))
    columns = [as_read(raw[f"c{index}"]).to_pylist() for index in range(len(header))]
    named = {name: index for index, name in reversed(list(enumerate(header))) if name or any(columns[index])}
    order = sorted(named.items(), key=lambda item: item[1])
    return [{name: columns[index][position] for name, index in order} for position in range(raw.num_rows)]


# ── duplicates inside the file ───────────────────────────────────────────────────────────────────────────────────


def _group(staged: Staged, suspect: Flags, profile: Profile, source: str) -> Groups:
    """Group the rows that share a key of the profile's, and find who owns each repeated key; further keys count too."""
    are_apart = profile.duplicates == "create" or source == OURS  # rows of an export are contacts of their own
    kinds = () if are_apart else profile.match_on
    occurrences = _occurrences(staged, suspect, source)
    memory.give_back()
    found = repeated_keys(occurrences)
    del occurrences
    return group_rows(found, kinds, names_matter=profile.names == "must_agree")


def _occurrences(staged: Staged, suspect: Flags, source: str) -> Occurrences:
    """The keys and names of these rows."""
    rows, keys, kinds, names = [], [], [], []
    for index, start in enumerate(staged.starts):
        with pa.memory_map(str(staged.path)) as file:
            batch = pa.ipc.open_file(file).get_batch(index).select([ROW, "display_name", *KEY_COLUMNS])
            part = pa.Table.from_batches([batch]).filter(pa.array(suspect[start : start + batch.num_rows]))
            del batch
        found = keys_of(part, source)
        rows.append(found["row"].to_numpy())
        keys.append(key_hashes(found))
        kinds.append(pc.index_in(chunked(found["kind"]), pa.array(KINDS)).to_numpy().astype(np.int8))
        names.append(pa.table([part[ROW], _names(part).dictionary_encode()], schema=NAMES))
    texts = pa.concat_tables(names).unify_dictionaries()
    return Occurrences(np.concatenate(rows), np.concatenate(keys), np.concatenate(kinds), texts)


def _repeats(staged: Staged, suspect: Flags) -> Repeats:
    """Rows that say the same have a key in common, so that they are among these."""
    rows, hashes = [], []
    for index, start in enumerate(staged.starts):
        with pa.memory_map(str(staged.path)) as file:
            batch = pa.ipc.open_file(file).get_batch(index)
            part = batch.filter(pa.array(suspect[start : start + batch.num_rows]))
            del batch
        rows.append(part[ROW].to_numpy())
        hashes.append(row_hashes(CleanFrame(pa.Table.from_batches([part])), ""))
    numbers, said = np.concatenate(rows), np.concatenate(hashes)
    alone = ~np.isin(numbers, staged.groups.member)
    numbers, said = numbers[alone], said[alone]
    order = np.argsort(said, kind="stable")
    _, first, counts = np.unique(said[order], return_index=True, return_counts=True)
    before: Longs = np.empty(len(said), np.int64)
    before[order] = np.arange(len(said)) - np.repeat(first, counts)
    return Repeats(numbers[before > 0], before[before > 0])


def rejected_between(staged: Staged, first: int, last: int) -> tuple[Longs, pa.Array]:
    """The rejected rows whose number is in [first, last], and the code of each."""
    low = bisect_right(staged.rejected, first - 1)
    high = bisect_right(staged.rejected, last)
    return staged.rejected[low:high], _ALL_CODES.take(pa.array(staged.rejected_codes[low:high]))


def _names(part: pa.Table) -> pa.Array:
    """What rows are told apart by: their names, marked where they are records, or else the number of the record."""
    record, name = chunked(part["external_id"]), fold(chunked(part["display_name"]))
    if record.null_count < len(record):
        name = pc.coalesce(pc.binary_join_element_wise(name, pc.if_else(pc.is_valid(record), IS_RECORD, ""), ""), name)
        name = pc.coalesce(name, pc.binary_join_element_wise(RECORD, record, ""))
    return pc.coalesce(name, "")
