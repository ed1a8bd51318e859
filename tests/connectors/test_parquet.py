"""Parquet: every column as the text a person would have typed."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.refusals import UnreadableFile
from tests.conftest import Roll
from tests.connectors.reading import contents_of


def _column(tmp_path: Path, column: pa.Array) -> list[str]:
    path = tmp_path / "contacts.parquet"
    pq.write_table(pa.table({"phone": column}), path)
    return [row[0] for row in contents_of(path).rows]


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        (["Ana", None, ""], pa.string(), ["Ana", "", ""]),
        (["Ana", None], pa.large_string(), ["Ana", ""]),
        ([573001112233, None], pa.int64(), ["573001112233", ""]),
        ([573001112233.0, None, float("nan"), 1.5], pa.float64(), ["573001112233", "", "", "1.5"]),
        ([True, False, None], pa.bool_(), ["TRUE", "FALSE", ""]),
        ([b"Ana", b"Jos\xe9", None], pa.binary(), ["Ana", "Jos\ufdd0", ""]),
        ([None, None], pa.null(), ["", ""]),
        ([date(2026, 4, 3), None], pa.date32(), ["2026-04-03", ""]),
        ([Decimal("12.50"), None], pa.decimal128(9, 2), ["12.50", ""]),
        ([Decimal("447700900200.00")], pa.decimal128(14, 2), ["447700900200"]),
        ([447700900200.0, 12.0, 1.5], pa.float32(), ["4.47701E+11", "12", "1.5"]),
        ([b"Jos\xe9", b"Anna"], pa.binary(4), ["Jos\ufdd0", "Anna"]),
        ([["a@x.co", "b@x.co"], None], pa.list_(pa.string(), 2), ["a@x.co; b@x.co", ""]),
        ([[("work", "a@x.co")], None], pa.map_(pa.string(), pa.string()), ["a@x.co", ""]),
        ([["a@x.co", "b@x.co"], [], None], pa.list_(pa.string()), ["a@x.co; b@x.co", "", ""]),
        ([datetime(2026, 4, 3, 14, 30), None], pa.timestamp("us"), ["2026-04-03 14:30:00.000000", ""]),
        ([datetime(2026, 4, 3, tzinfo=UTC)], pa.timestamp("ns", "UTC"), ["2026-04-03 00:00:00.000000+00:00"]),
    ],
)
def test_a_column_is_text(tmp_path: Path, values: list[Any], kind: pa.DataType, texts: list[str]) -> None:
    assert _column(tmp_path, pa.array(values, kind)) == texts


def test_a_dictionary_column_is_its_texts(tmp_path: Path) -> None:
    assert _column(tmp_path, pa.array(["a", None, "a", "b"]).dictionary_encode()) == ["a", "", "a", "b"]


def test_a_time_in_a_zone_is_the_same_moment_in_utc(tmp_path: Path) -> None:
    moment = datetime(2026, 4, 3, 14, 30, tzinfo=UTC)

    texts = _column(tmp_path, pa.array([moment], pa.timestamp("us", "America/Bogota")))

    assert datetime.fromisoformat(texts[0]) == moment


def test_the_fields_of_a_struct_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "contacts.parquet"
    people = [{"first": "Ana", "at": {"city": "Cali"}}, None]
    phones = [[{"type": "work", "value": "3001112233"}], None]
    pq.write_table(pa.table({"name": people, "phones": phones}), path)

    found = contents_of(path)

    cells = [dict(zip(found.header, row, strict=True)) for row in found.rows]
    assert cells[0] == {"name.first": "Ana", "name.at.city": "Cali", "phones": "3001112233"}
    assert set(cells[1].values()) == {""}


def test_rows_are_numbered_over_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "contacts.parquet"
    pq.write_table(pa.table({"phone": [str(number) for number in range(25)]}), path, row_group_size=7)

    found = contents_of(path)

    assert (found.numbers, found.rows[24], found.kind) == (list(range(1, 26)), ["24"], "parquet")


def test_parquet_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    pq.write_table(pa.table({"phone": ["3001112233"]}), path)

    assert contents_of(path).kind == "parquet"


@pytest.mark.parametrize("content", [b"name,phone\nAna,1\n", b"PAR1", b"PAR1" + b"\0" * 60 + b"\xff\xff\xff\x7fPAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "contacts.parquet"
    path.write_bytes(content)

    with pytest.raises(UnreadableFile, match="not a readable Parquet file"):
        contents_of(path)


def test_an_encrypted_file_is_said_to_be_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "contacts.parquet"
    path.write_bytes(b"PARE" + b"\0" * 40 + b"PARE")

    with pytest.raises(UnreadableFile, match="is encrypted"):
        contents_of(path)


def test_damage_inside_the_pages_is_said(tmp_path: Path) -> None:
    path = tmp_path / "contacts.parquet"
    texts = [f"+57300111{number:04}" for number in range(5_000)]
    pq.write_table(pa.table({"phone": texts}), path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[2_000] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(UnreadableFile, match="damaged after row"):
        contents_of(path)


def test_text_that_its_writer_did_not_look_at_is_marked_and_its_row_reported(roll: Roll, tmp_path: Path) -> None:
    data = pa.array([b"Jos\xe9", b"Eva"], pa.binary())
    names = pa.Array.from_buffers(pa.string(), 2, data.buffers())
    path = tmp_path / "contacts.parquet"
    pq.write_table(pa.table({"name": names, "email": ["a@x.org", "b@x.org"], "raw": [b"\xff" * 16] * 2}), path)

    report = roll.import_path(path)

    assert (report.status, report.created, list(report.row_errors)) == ("imported", 1, [1])
