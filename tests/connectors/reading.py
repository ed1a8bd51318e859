"""Reading a file for the tests of the readers: its header, its rows and their problems, as plain values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.sources import open_source
from connectors.workbooks import Limits
from schemas.frames import PROBLEM, ROW
from schemas.profiles import Profile


@dataclass(frozen=True, slots=True)
class Contents:
    """A file as it was read."""

    header: list[str]
    rows: list[list[str]]
    problems: list[str | None]
    numbers: list[int]
    kind: str


def contents_of(path: Path, limits: Limits | None = None, **profile: Any) -> Contents:
    with open_source(path, Profile(**profile), name=path.name, limits=limits) as opened:
        blocks = list(opened.source.blocks())
        return Contents(list(opened.header), *cells_of(blocks), opened.kind)


def cells_of(blocks: list[Any]) -> tuple[list[list[str]], list[str | None], list[int]]:
    """The cells of raw frames row by row, their problems, and their numbers."""
    rows: list[list[str]] = []
    problems: list[str | None] = []
    numbers: list[int] = []
    for block in blocks:
        columns = [_values(block[name]) for name in block.column_names if name not in (ROW, PROBLEM)]
        rows += [list(cells) for cells in zip(*columns, strict=True)]
        problems += _values(block[PROBLEM])
        numbers += _values(block[ROW])
    return rows, problems, numbers


def _values(column: pa.ChunkedArray) -> list[Any]:
    return list(column.to_pylist())
