"""JSON lines (one object a line) to raw frames; columns are the keys of all objects, `a.b` for objects inside."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.nested import flat, sound, text_of
from schemas.frames import PROBLEM, ROW, RawFrame
from schemas.refusals import UnreadableFile

_ROWS = 20_000


class JsonLines:
    """An open JSON lines file."""

    def __init__(self, path: Path, header: tuple[str, ...]) -> None:
        self.path, self.header = path, header

    def blocks(self) -> Iterator[RawFrame]:
        first = 1
        with self.path.open(encoding="utf-8-sig", errors="padron_bad") as file:
            lines = (line for line in (item.strip("\0\x1a") for item in file) if line.strip())
            while batch := list(itertools.islice(lines, _ROWS)):
                yield self._frame(batch, first)
                first += len(batch)

    def _frame(self, lines: list[str], first: int) -> RawFrame:
        objects = [_object(line) for line in lines]
        texts = [[text_of((item or {}).get(key)) for item in objects] for key in self.header]
        for at, item in enumerate(objects):
            if item is None:
                texts[0][at] = sound(lines[at].strip())
        columns = [pa.array(column, pa.string()) for column in texts]
        problems = pa.array([None if item is not None else "json_invalid" for item in objects], pa.string())
        rows = pa.array(np.arange(first, first + len(lines)))
        names = [ROW, *(f"c{index}" for index in range(len(columns))), PROBLEM]
        return RawFrame(pa.Table.from_arrays([rows, *columns, problems], names=names))


def open_jsonlines(path: Path, *, name: str) -> JsonLines:
    """Open a JSON lines file; raises UnreadableFile where the first lines are not objects."""
    keys: dict[str, None] = {}
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                keys.update(dict.fromkeys(_object(line) or {}))
    except UnicodeDecodeError as error:
        raise UnreadableFile("json_encoding", name=name) from error
    if not keys:
        raise UnreadableFile("no_objects", name=name)
    return JsonLines(path, tuple(keys))


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return {sound(key): value for key, value in flat(found).items()} if isinstance(found, dict) else None
