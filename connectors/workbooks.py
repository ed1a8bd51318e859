"""Workbooks (xlsx, xls, ods) to raw frames, read by a limited child process (`connectors/workbook_child.py`)."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.frames import PROBLEM, ROW, RawFrame
from schemas.refusals import NeedsAnswer, UnreadableFile

_MOST_PARTS = 1_000
_MOST_BYTES = 1 << 30
_HIGHEST_RATIO = 200
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the child process may use."""

    memory_bytes: int = 1_500_000_000
    seconds: int = 120


class Workbook:
    """A sheet that the child has written out as an Arrow file."""

    def __init__(self, path: Path, header: tuple[str, ...], sheet: str) -> None:
        self.path, self.header, self.sheet = path, header, sheet

    def blocks(self) -> Iterator[RawFrame]:
        first, columns = 1, [f"c{index}" for index in range(len(self.header))]
        with pa.memory_map(str(self.path)) as file:
            reader = pa.ipc.open_file(file)
            for index in range(reader.num_record_batches):
                table = pa.Table.from_batches([reader.get_batch(index)]).select([*columns, PROBLEM])
                yield RawFrame(table.add_column(0, ROW, pa.array(np.arange(first, first + table.num_rows))))
                first += table.num_rows


def open_workbook(
    path: Path,
    scratch: Path,
    *,
    name: str,
    known: Sequence[str] = (),
    sheet: str | None = None,
    header_row: int | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> Workbook:
    """Read one sheet; raises UnreadableFile or NeedsAnswer with what to do."""
    _check(path, name)
    target = scratch / "sheet.arrow"
    answer = _run(path, target, name, known, sheet, header_row, limits)
    sheets = ", ".join(answer["sheets"])
    match answer.get("error"):
        case None:
            return Workbook(target, tuple(answer["header"]), answer["sheet"])
        case "several_sheets":
            raise NeedsAnswer("several_sheets", name=name, sheets=sheets)
        case "no_sheet":
            raise NeedsAnswer("no_sheet", name=name, sheet=sheet, sheets=sheets)
        case _ if header_row:
            raise NeedsAnswer("no_header_row", name=name, row=header_row)
        case _:
            raise NeedsAnswer("no_sheet_header", name=name, sheets=sheets)


def _check(path: Path, name: str) -> None:
    """Refuse encrypted, damaged and oversized workbooks before anything is unpacked."""
    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(_OLE):
            file.seek(0)
            if _is_encrypted(file.read(1 << 20)):
                raise UnreadableFile("encrypted", name=name)
            return
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise UnreadableFile("workbook_damaged", name=name, reason="(zip)") from error
    size = sum(part.file_size for part in parts)
    packed = max(path.stat().st_size, 1)
    if len(parts) > _MOST_PARTS or size > _MOST_BYTES or (size > 50_000_000 and size / packed > _HIGHEST_RATIO):
        raise UnreadableFile("workbook_bomb", name=name, megabytes=size // 1_000_000, parts=len(parts))


def _is_encrypted(data: bytes) -> bool:
    return any("EncryptedPackage".encode(code) in data for code in ("utf-16-le", "ascii"))


def _run(
    path: Path,
    target: Path,
    name: str,
    known: Sequence[str],
    sheet: str | None,
    header_row: int | None,
    limits: Limits,
) -> dict[str, Any]:
    arguments = {
        "path": str(path),
        "target": str(target),
        "sheet": sheet or "",
        "header_row": header_row or 0,
        "memory": limits.memory_bytes,
        "seconds": limits.seconds,
        "known": list(known),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "connectors.workbook_child", json.dumps(arguments)],
            capture_output=True,
            timeout=limits.seconds * 2,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableFile("workbook_slow", name=name, seconds=limits.seconds * 2) from error
    if done.returncode == 0:
        return dict(json.loads(done.stdout))
    raise _failure(name, done.returncode, done.stderr.decode(errors="replace"))


def _failure(name: str, code: int, said: str) -> UnreadableFile:
    last = said.strip().splitlines()[-1] if said.strip() else ""
    if "password" in last.lower():
        return UnreadableFile("encrypted", name=name)
    if code < 0 or "MemoryError" in said or "memory" in last.lower():
        return UnreadableFile("workbook_large", name=name)
    return UnreadableFile("workbook_damaged", name=name, reason=f"({last[:160]})")
