"""Files of contacts to write: CSV, Excel and Parquet, a part at a time, in place only once they are whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from schemas.errors import InputError
from schemas.frames import LIVE_TEXT, text_bounds

_BOM = b"\xef\xbb\xbf"
MOST_ROWS, _MOST_CHARACTERS = 1_048_575, 32_767
_ROW_GROUP = 100_000
_MAY_BE_LIVE = np.frombuffer(b"=+-@\t\r'#", np.uint8)
"""With what such a text begins: looked at before the texts themselves, of which few do."""


class DoesNotFit(InputError):
    """A workbook cannot hold this."""


def too_many_rows() -> DoesNotFit:
    return DoesNotFit(
        f"A workbook has {MOST_ROWS:,} rows at most. Export to CSV or Parquet instead.",
        f"Un libro de Excel tiene {MOST_ROWS:,} filas como máximo. Exporte a CSV o Parquet.",
    )


class Writer(Protocol):
    """A file under way; parts are tables of texts, for Parquet of typed columns."""

    def write(self, part: pa.Table) -> None: ...

    def close(self) -> None: ...


@contextmanager
def writing(path: Path, form: str, header: pa.Schema, *, delimiter: str = ",", sheet: str = "") -> Iterator[Writer]:
    """A writer whose file takes its name at the end of the block; nothing is left of one that raises."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    writer: Writer | None = None
    part.touch(mode=0o600)
    try:
        writer = _open(part, form, header, delimiter, sheet)
        yield writer
        writer.close()
        part.replace(path)
    except BaseException:  # also of who stops the export: the file under way is closed, to be deleted
        with suppress(OSError, pa.ArrowException, XlsxWriterException):
            if writer is not None:
                writer.close()
        raise
    finally:
        part.unlink(missing_ok=True)


def _open(path: Path, form: str, header: pa.Schema, delimiter: str, sheet: str) -> Writer:
    match form:
        case "csv":
            return _Csv(path, header, delimiter)
        case "xlsx":
            return _Workbook(path, header, sheet)
        case _:
            return _Parquet(path, header)


def guarded(texts: pa.Array) -> pa.Array:
    """Texts of which a spreadsheet makes no formula; an import takes the apostrophe off again."""
    at, data = text_bounds(texts), texts.buffers()[2]
    begins = np.frombuffer(data or b"", np.uint8)[at[:-1][at[1:] > at[:-1]]]
    if not np.isin(begins, _MAY_BE_LIVE).any():
        return texts
    return pc.replace_substring_regex(texts, LIVE_TEXT, r"'\1")


class _Csv:
    def __init__(self, path: Path, header: pa.Schema, delimiter: str) -> None:
        self._file = path.open("wb")
        self._file.write(_BOM)
        options = arrow_csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
        self._writer = arrow_csv.CSVWriter(self._file, header, write_options=options)

    def write(self, part: pa.Table) -> None:
        self._writer.write_table(part)

    def close(self) -> None:
        if not self._file.closed:
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()


class _Workbook:
    """All cells are texts, so that nothing of them is lost or computed."""

    def __init__(self, path: Path, header: pa.Schema, sheet: str) -> None:
        settings = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
        self._workbook = xlsxwriter.Workbook(str(path), {"constant_memory": True, **settings})
        self._text = self._workbook.add_format({"num_format": "@"})
        self._sheet = self._workbook.add_worksheet(sheet)
        self._sheet.set_column(0, len(header) - 1, 22, self._text)
        self._sheet.freeze_panes(1, 0)
        bold = self._workbook.add_format({"bold": True})
        for place, name in enumerate(header.names):
            self._sheet.write_string(0, place, name, bold)
        self._rows, self._closed = 0, False

    def write(self, part: pa.Table) -> None:
        if self._rows + part.num_rows > MOST_ROWS:
            raise too_many_rows()
        for column in part.columns:
            long = column.filter(pc.greater(pc.utf8_length(column), _MOST_CHARACTERS // 2)).to_pylist()
            if any(len(text.encode("utf-16-le")) // 2 > _MOST_CHARACTERS for text in long):
                raise DoesNotFit(
                    f"A text of more than {_MOST_CHARACTERS:,} characters does not fit in a cell of Excel. "
                    "Export to CSV or Parquet instead.",
                    f"Un texto de más de {_MOST_CHARACTERS:,} caracteres no cabe en una celda de Excel. "
                    "Exporte a CSV o Parquet.",
                )
        for at, row in enumerate(zip(*(column.to_pylist() for column in part.columns), strict=True), self._rows + 1):
            for place, text in enumerate(row):
                if text:
                    self._sheet.write_string(at, place, text, self._text)
        self._rows += part.num_rows

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._workbook.close()


class _Parquet:
    def __init__(self, path: Path, header: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, header, compression="zstd", write_page_checksum=True)

    def write(self, part: pa.Table) -> None:
        self._writer.write_table(part, row_group_size=_ROW_GROUP)

    def close(self) -> None:
        if self._writer.is_open:
            self._writer.close()
