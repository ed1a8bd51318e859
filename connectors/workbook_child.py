"""The child process that reads a workbook under memory and time limits: `python -m connectors.workbook_child`.

It writes the chosen sheet as text columns to an Arrow file and prints one JSON object about it. A workbook that
brings it down takes nothing else with it.
"""

import datetime
import itertools
import json
import re
import resource
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from connectors.headers import find_header, known_header
from schemas.frames import CELL_ERROR

_ROWS = 20_000
_WIDEST = 5_000
_CELL = re.compile(rb"<(?:\w+:)?c\s([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_PLACE = re.compile(rb"""\br=["']([A-Z]+)(\d+)["']""")
_TEXTUAL = re.compile(rb"""\bt=["'](?!n["'])""")
_ERROR = re.compile(rb"""\bt=["']e["']""")
_CACHED_TEXT = re.compile(rb"""\bt=["']str["']""")
_FORMULA = re.compile(rb"<(?:\w+:)?f\b")
_STYLE = re.compile(rb"""\bs=["'](\d+)["']""")
_SAMPLED = 60
_DIGITS = re.compile(rb'\bformatCode="(\\?\+|&quot;\+&quot;)?(0+)"')
_VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]*)</(?:\w+:)?v>|<(?:\w+:)?is>|<(?:\w+:)?v\s*/>")


def main(path: str, target: str, sheet: str, header_row: int, memory: int, seconds: int, known: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with open(path, "rb") as file:
        workbook = CalamineWorkbook.from_filelike(file)
        print(json.dumps(_dump(workbook, Path(path), Path(target), sheet, header_row, known)))


def _dump(
    workbook: CalamineWorkbook, path: Path, target: Path, sheet: str, header_row: int, known: list[str]
) -> dict[str, Any]:
    names = [sheet] if sheet else _visible(workbook)
    if sheet and sheet not in workbook.sheet_names:
        return {"error": "no_sheet", "sheets": _visible(workbook)}
    found = []
    for name in names:
        rows = _texts(workbook, name)
        head = list(itertools.islice(rows, max(_SAMPLED, header_row)))
        index = header_row - 1 if header_row else find_header([_shorten(row) for row in head], known_header(known))
        if index is not None and index < len(head) and any(head[index]):
            found.append((sum(map(known_header(known), filter(None, head[index]))), name, index))
    named = [item for item in found if item[0]]
    if len(named) > 1:
        return {"error": "several_sheets", "sheets": [name for _, name, _ in named]}
    if not named and not found:
        return {"error": "no_header", "sheets": names}
    _, name, index = (named or found)[0]
    return _write(workbook, path, target, name, index)


def _shorten(row: list[str]) -> list[str]:
    return row[:_WIDEST]


def _visible(workbook: CalamineWorkbook) -> list[str]:
    return [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]


def _texts(workbook: CalamineWorkbook, name: str) -> Iterator[list[str]]:
    """The rows of a sheet from row 1 on, also where its cells begin further down; columns from the first used one."""
    for row in workbook.get_sheet_by_name(name).iter_rows():
        yield [_text(cell) for cell in row]


def _text(cell: Any) -> str:
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime.datetime() if cell.time() == datetime.time.min:
            return cell.date().isoformat()
        case datetime.datetime():
            return cell.isoformat(" ")
        case None:
            return ""
        case _:
            return str(cell)


def _write(workbook: CalamineWorkbook, path: Path, target: Path, name: str, index: int) -> dict[str, Any]:
    """Write the rows below the header; what stands right of its last name goes into one more column without a name."""
    mends = _cells_to_mend(path, workbook.sheet_names.index(name))
    first_column = (workbook.get_sheet_by_name(name).start or (0, 0))[1]
    rows = enumerate(_texts(workbook, name), 1)
    header = next(cells for number, cells in rows if number == index + 1)
    while header and not header[-1].strip():
        header.pop()
    names = [f"c{position}" for position in range(len(header) + 1)]
    schema = pa.schema([*((column, pa.string()) for column in names), ("problem", pa.string())])
    width, count, beyond = len(header), 0, False
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        batch: list[list[str | None]] = []
        for number, cells in rows:
            _mark(cells, mends.get(number, {}), first_column)
            if any(cell.strip() for cell in cells):
                rest = "; ".join(filter(str.strip, cells[width:]))
                batch.append([*(cells + [""] * width)[:width], rest, None])
                count, beyond = count + 1, beyond or bool(rest)
            if len(batch) >= _ROWS:
                _flush(writer, batch, schema)
        _flush(writer, batch, schema)
    return {"header": [*header, ""] if beyond else header, "sheet": name, "rows": count, "sheets": _visible(workbook)}


def _mark(cells: list[str], mends: dict[int, "Mend"], first_column: int) -> None:
    """Put an error's text into its cell, marked as an error; fill numbers up as their format shows them."""
    for column, mend in mends.items():
        at = column - first_column
        if 0 <= at < len(cells):
            if isinstance(mend, str):
                cells[at] = CELL_ERROR + mend
            elif cells[at].isdigit():
                cells[at] = mend.sign + cells[at].zfill(mend.digits)


def _flush(writer: pa.ipc.RecordBatchFileWriter, batch: list[list[str | None]], schema: pa.Schema) -> None:
    if batch:
        columns = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
        writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        batch.clear()


@dataclass(frozen=True, slots=True)
class Padded:
    """A number that is shown with a sign and at least so many digits."""

    sign: str
    digits: int


Mend = str | Padded


def _cells_to_mend(path: Path, position: int) -> dict[int, dict[int, Mend]]:
    """Row number → column → what the bare value does not say (xlsx only).

    That is the text of an error or of a formula that was never computed, or a format such as 00000 or +0.
    """
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        part = _sheet_part(archive, position)
        if part is None:
            return {}
        data, formats = archive.read(part), _digit_formats(archive)
    found: dict[int, dict[int, Mend]] = {}
    if not formats and not _ERROR.search(data) and not _FORMULA.search(data):
        return found
    for match in _CELL.finditer(data):
        attributes, body = match.groups()
        place, style = _PLACE.search(attributes), _STYLE.search(attributes)
        mend: Mend | None = _broken(attributes, body or b"")
        if mend is None and style and not _TEXTUAL.search(attributes):
            mend = formats.get(int(style.group(1)))
        if place and mend is not None:
            found.setdefault(int(place.group(2)), {})[_column(place.group(1))] = mend
    return found


def _digit_formats(archive: zipfile.ZipFile) -> dict[int, Padded]:
    """The cell styles whose number format is digits alone, such as 00000 or "+"0."""
    if "xl/styles.xml" not in archive.namelist():
        return {}
    styles = archive.read("xl/styles.xml")
    codes: dict[int, Padded] = {}
    for item in re.findall(rb"<numFmt\s[^>]*>", styles):
        number, code = re.search(rb'\bnumFmtId="(\d+)"', item), _DIGITS.search(item)
        if number and code and (code.group(1) or len(code.group(2)) > 1):
            codes[int(number.group(1))] = Padded("+" if code.group(1) else "", len(code.group(2)))
    used = re.search(rb"<cellXfs.*?</cellXfs>", styles, re.DOTALL) if codes else None
    styles_used = re.findall(rb"<(?:\w+:)?xf\b[^>]*>", used.group(0)) if used else []
    chosen = [re.search(rb"""\bnumFmtId=["'](\d+)["']""", style) for style in styles_used]
    numbers = [int(found.group(1)) if found else 0 for found in chosen]
    return {style: codes[number] for style, number in enumerate(numbers) if number in codes}


def _broken(attributes: bytes, body: bytes) -> str | None:
    value = _VALUE.search(body)
    if _ERROR.search(attributes):
        return value.group(1).decode() if value and value.group(1) else "#ERROR"
    is_text = _CACHED_TEXT.search(attributes) is not None
    has_value = value is not None and (value.group(1) or is_text or value.group(0).endswith(b"is>"))
    if _FORMULA.search(body) and not has_value:
        return "#FORMULA"
    return None


def _sheet_part(archive: zipfile.ZipFile, position: int) -> str | None:
    names = set(archive.namelist())
    if "xl/workbook.xml" not in names or "xl/_rels/workbook.xml.rels" not in names:
        return None
    sheets = re.findall(rb"""<(?:\w+:)?sheet\s[^>]*?\w+:id=["']([^"']+)["']""", archive.read("xl/workbook.xml"))
    relations = {
        identifier: target
        for relation in re.findall(rb"<Relationship\s[^>]*>", archive.read("xl/_rels/workbook.xml.rels"))
        for identifier in re.findall(rb'\bId="([^"]+)"', relation)
        for target in re.findall(rb'\bTarget="([^"]+)"', relation)
    }
    if position >= len(sheets) or sheets[position] not in relations:
        return None
    target = relations[sheets[position]].decode()
    part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return part if part in names else None


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    main(**arguments)
