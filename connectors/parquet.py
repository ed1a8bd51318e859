"""Parquet files to raw frames: every column as the text a person would have typed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from connectors.nested import text_of
from schemas.frames import PROBLEM, ROW, RawFrame
from schemas.refusals import UnreadableFile

_ROWS = 65_536
_BYTES = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view)
_STRINGS = (types.is_string, types.is_large_string, types.is_string_view)
_LISTS = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_map)
_EXACT = {16: 2**11, 32: 2**24, 64: 1e15}
"""From where on a float of so many bits has no whole number for sure."""
_OURS, _KEY = 9e15, b"padron.key"
"""The same in an export of ours, whose numbers were numbers before; its columns say so in their metadata."""


class Parquet:
    """An open Parquet file: its column names and its rows in blocks."""

    def __init__(self, file: pq.ParquetFile, name: str) -> None:
        self.file, self.name = file, name
        self.header = tuple(_flattened(self.file.schema_arrow.empty_table()).column_names)

    def blocks(self) -> Iterator[RawFrame]:
        first = 1
        try:
            for batch in self.file.iter_batches(_ROWS, use_threads=False):
                table = _flattened(pa.Table.from_batches([batch]))
                columns = [
                    _texts(chunked.combine_chunks(), is_ours=_KEY in (field.metadata or {}))
                    for chunked, field in zip(table.columns, table.schema, strict=True)
                ]
                names = [f"c{index}" for index in range(table.num_columns)]
                rows = pa.array(np.arange(first, first + batch.num_rows))
                problems = pa.nulls(batch.num_rows, pa.string())
                yield RawFrame(pa.Table.from_arrays([rows, *columns, problems], names=[ROW, *names, PROBLEM]))
                first += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            raise UnreadableFile("parquet_damaged", name=self.name, row=first - 1, reason=error) from error


def open_parquet(path: Path, *, name: str) -> Parquet:
    """Open a Parquet file; raises UnreadableFile with what is wrong."""
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PARE":
        raise UnreadableFile("encrypted", name=name)
    try:
        return Parquet(pq.ParquetFile(path, page_checksum_verification=True), name)
    except (OSError, pa.ArrowException) as error:
        said = str(error)
        if "encrypted" in said.lower():
            raise UnreadableFile("encrypted", name=name) from error
        raise UnreadableFile("not_parquet", name=name, reason=said) from error


def _flattened(table: pa.Table) -> pa.Table:
    """The table with a column `a.b` for each field of its struct columns."""
    while any(types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _texts(column: pa.Array, *, is_ours: bool = False) -> pa.Array:
    """The column as text; null becomes empty."""
    kind = column.type
    if types.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if isinstance(column, pa.ExtensionArray):
        return _python_texts(column)
    if any(test(kind) for test in _LISTS):
        return _joined(column)
    if types.is_floating(kind):
        return _floats(column, _OURS if is_ours else _EXACT[column.type.bit_width])
    if types.is_boolean(kind):
        return pc.if_else(column, "TRUE", "FALSE").fill_null("")
    if any(test(kind) for test in _BYTES):
        return _decoded(column)
    if types.is_decimal(kind):
        return pc.replace_substring_regex(pc.cast(column, pa.string()), r"\.0+$", "").fill_null("")
    if any(test(kind) for test in _STRINGS):
        return _sound_texts(column)
    if types.is_timestamp(kind):
        return _timestamps(column)
    if types.is_null(kind):
        return pa.array([""] * len(column), pa.string())
    if types.is_nested(kind):
        return _python_texts(column)
    return pc.cast(column, pa.string()).fill_null("")


def _floats(column: pa.Array, exact: float) -> pa.Array:
    """Whole numbers without their `.0`, so that a phone kept as float is its digits; rounded ones show it."""
    values = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    whole = np.isfinite(values) & (values == np.floor(values)) & (np.abs(values) < exact)
    rounded = np.isfinite(values) & (np.abs(values) >= exact)
    integers = pc.cast(pa.array(np.where(whole, values, 0).astype("int64")), pa.string())
    texts = pc.if_else(pa.array(whole), integers, pc.cast(column.cast(pa.float64()), pa.string()))
    if rounded.any():
        scientific = pa.array([f"{value:.5E}" if lost else None for value, lost in zip(values, rounded, strict=True)])
        texts = pc.coalesce(scientific.cast(pa.string()), texts)
    texts = pc.replace_substring_regex(texts, r"^(-?\d{1,3}\.\d{3})$", r"\10")  # 1.234 could be thousands in a text
    return pc.if_else(pa.array(np.isnan(values)), "", texts).fill_null("")


def _timestamps(column: pa.Array) -> pa.Array:
    if column.type.tz is not None:
        utc = column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.timestamp("us"))
        return pc.binary_join_element_wise(pc.cast(utc, pa.string()), "+00:00", "").fill_null("")
    return pc.cast(column.cast(pa.timestamp("us"), safe=False), pa.string()).fill_null("")


def _joined(column: pa.Array) -> pa.Array:
    if types.is_map(column.type):
        return pa.array(["" if cell is None else text_of(list(dict(cell).values())) for cell in column.to_pylist()])
    return pa.array([text_of(cell) for cell in column.to_pylist()], pa.string())


def _sound_texts(column: pa.Array) -> pa.Array:
    """Text; bytes in it that are none are marked, where a writer did not look."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        large = pc.cast(column, pa.large_binary()) if not types.is_string_view(column.type) else column
        return _decoded(large)
    return pc.cast(column, pa.string()).fill_null("")


def _decoded(column: pa.Array) -> pa.Array:
    return pa.array([(cell or b"").decode("utf-8", "padron_bad") for cell in column.to_pylist()], pa.string())


def _python_texts(column: pa.Array) -> pa.Array:
    return pa.array(["" if cell is None else str(cell) for cell in column.to_pylist()], pa.string())
