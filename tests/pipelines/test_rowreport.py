"""The row report: the rows that something is said of, as a file that can be mended and dropped again."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from connectors import rowreports
from connectors.rowreports import RowReport
from pipelines.cells import NOTES
from schemas.codes import CODES
from schemas.reports import ImportReport
from tests.conftest import Roll

EXTRA = ["_row", "_status", "_code", "_field", "_value", "_message", "_suggestion"]


def _read(report: ImportReport, delimiter: str = ",") -> list[dict[str, str]]:
    assert report.reject_file is not None
    with Path(report.reject_file).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_a_rejected_row_stands_with_its_own_columns_and_the_reason(roll: Roll) -> None:
    report = roll.import_text("name,phone,email\nAna,3001112233,\nLuis,nope,\n")

    (row,) = _read(report)
    assert list(row) == ["name", "phone", "email", *EXTRA]
    assert (row["name"], row["phone"], row["_row"], row["_status"]) == ("Luis", "nope", "2", "rejected")
    assert row["_code"] == "phone_invalid; no_key"
    assert (row["_field"], row["_value"]) == ("phone", "nope")
    assert row["_message"] == f"{CODES['phone_invalid'].en} {CODES['no_key'].en}"
    assert row["_suggestion"] == f"{CODES['phone_invalid'].en_suggestion} {CODES['no_key'].en_suggestion}"


def test_a_row_that_is_taken_without_a_cell_is_a_warning(roll: Roll) -> None:
    report = roll.import_text("name,phone,email\nAna,3001112233,nope\n")

    (row,) = _read(report)
    assert (row["_status"], row["_code"], row["_field"], row["_value"]) == ("warning", "email_invalid", "email", "nope")
    assert (report.created, report.warnings, report.rejected) == (1, 1, 0)


def test_the_profile_can_reject_rows_with_invalid_cells(roll: Roll) -> None:
    report = roll.import_text("name,phone,email\nAna,3001112233,nope\n", invalid_cells="reject")

    assert (report.created, report.rejected, _read(report)[0]["_status"]) == (0, 1, "rejected")


def test_nothing_said_makes_no_file(roll: Roll) -> None:
    report = roll.import_text("name,phone\nAna,3001112233\n")

    assert report.reject_file is None
    assert list(roll.folder.glob("report-*.csv")) == []


@pytest.mark.parametrize(
    ("header", "language", "message"),
    [
        ("name,phone", None, CODES["phone_invalid"].en),
        ("nombre,teléfono", None, CODES["phone_invalid"].es),
        ("nombre,teléfono", "en", CODES["phone_invalid"].en),
        ("name,phone", "es", CODES["phone_invalid"].es),
    ],
)
def test_the_language_is_the_profiles_or_that_of_the_headers(
    roll: Roll, header: str, language: str | None, message: str
) -> None:
    report = roll.import_text(f"{header}\nLuis,nope\n", language=language)

    assert _read(report)[0]["_message"].startswith(message)


def test_a_mended_report_can_be_imported(roll: Roll) -> None:
    report = roll.import_text('nombre;teléfono;notas\nAna;3001112233;\nLuis;nope;"uno; dos"\n')
    assert report.reject_file is not None
    mended = Path(report.reject_file).read_bytes().replace(b"nope", b"3002223344", 1)

    again = roll.import_bytes(mended)

    assert (again.created, again.rejected, again.warnings) == (1, 0, 0)
    assert roll.living("display_name, phone") == [("Ana", "+573001112233"), ("Luis", "+573002223344")]
    assert roll.one("SELECT text FROM notes") == "uno; dos"
    assert roll.rows("SELECT key FROM custom_fields") == []


def test_what_matching_had_to_say_stands_in_the_report_too(roll: Roll) -> None:
    roll.import_text("name,phone,status\nAna,3001112233,blocked\n")

    report = roll.import_text("name,phone,status\nAna,3001112233,active\nLuis,3001112233,active\n")

    assert [(row["name"], row["_code"], row["_status"]) for row in _read(report)] == [
        ("Ana", "stays_blocked", "warning"),
        ("Luis", "key_shared", "warning"),
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"name,phone\nAna,3001112233\nLuis,3002223344,x\n", "column_count"),
        (b'name,phone\nAna,3001112233\nLuis,"3002223344\n', "quote_unclosed"),
        (b'name,phone\nAna,3001112233\nLuis,"3002223344\nEva,3003334455\n', "quote_unclosed"),
        (b"name,phone\nAna,3001112233\nL\0uis,3002223344\n", "control_character"),
        (b"name,phone\nAna,3001112233\nname,phone\n", "repeated_header"),
        (b"name,phone\nAna,3001112233\nLuis,1.2E+11\n", "phone_digits_lost; no_key"),
        (b"name,phone,created\nAna,3001112233,03/04/2026\n", "date_ambiguous"),
        (b"name,phone,created\nAna,3001112233,32/04/2026\n", "date_invalid"),
        (b"name,phone,status\nAna,3001112233,zzz\n", "status_unknown"),
        (b"name,phone,channel\nAna,3001112233,zzz\n", "channel_unknown"),
        (b"name,phone,blocked\nAna,3001112233,zzz\n", "boolean_invalid"),
        (b"name,phone,company\nAna,3001112233," + b"x" * 301 + b"\n", "too_long"),
    ],
)
def test_each_kind_of_damage_has_its_code(roll: Roll, content: bytes, code: str) -> None:
    assert _read(roll.import_bytes(content))[0]["_code"] == code


def test_every_code_says_something_in_both_languages() -> None:
    for name, code in CODES.items():
        assert name == code.name
        assert code.message("en") != code.message("es")
        assert bool(code.suggestion("en")) == bool(code.suggestion("es"))
        assert len(name) <= 24


def test_the_columns_that_went_nowhere_are_named_in_the_language_of_the_file(roll: Roll) -> None:
    report = roll.import_text(
        "nombre,teléfono,Cargo,Vacía,Interno,_row\nAna,3001112233,Jefa,,x,1\n", columns={"Interno": "ignore"}
    )

    assert report.columns_not_taken == ("Cargo",)
    assert report.message == (
        "Columnas no tomadas: «Cargo». Llévelas a campos con: padron import ARCHIVO --preview --save-profile NOMBRE"
    )
    assert roll.one("SELECT message_en FROM batches") == report.sentence.en


def test_a_column_without_a_name_that_holds_something_is_named_by_its_place(roll: Roll) -> None:
    report = roll.import_text("nombre,teléfono,,ciudad\nAna,3001112233,algo,Cali\n")

    assert report.columns_not_taken == ("#3",)


def test_all_cells_of_a_row_with_too_many_stand_in_the_report(roll: Roll) -> None:
    report = roll.import_text("nombre,telefono,correo\nPérez, Ana,300 111 9001,ana@perez.co\nLuis,3001119002,\n")

    (row,) = _read(report)
    assert (row["nombre"], row["telefono"], row["correo"]) == ("Pérez", " Ana", "300 111 9001,ana@perez.co")
    assert row["_value"] == "Pérez |  Ana | 300 111 9001,ana@perez.co"


def test_a_row_with_too_few_cells_shows_those_it_has(roll: Roll) -> None:
    report = roll.import_text("nombre,telefono,correo,ciudad\nPérez,3001119001\nLuis,3001119002,,Lima\n")

    (row,) = _read(report)
    assert row["_value"] == "Pérez | 3001119001"


@pytest.mark.parametrize("cells", ["abc123;", ";abc123"])
def test_a_bad_cell_is_said_of_the_column_that_it_stands_in(roll: Roll, cells: str) -> None:
    report = roll.import_text(f"nombre;telefono;celular;correo\nAna;{cells};ana@example.org\n")

    (row,) = _read(report, ";")
    assert row["_field"] == ("telefono" if cells.startswith("abc") else "celular")


def test_a_row_has_one_line_whatever_is_said_of_it_and_lines_are_in_order(roll: Roll) -> None:
    report = roll.import_text(
        "nombre,telefono,correo\nJulián,3005551122,j@example.org\nAna,3005551122,ana@\nEva,,eva@\nLuis,3005551122,\n"
    )

    rows = _read(report)
    assert [(row["_row"], row["_status"], row["_code"]) for row in rows] == [
        ("2", "warning", "email_invalid; key_shared"),
        ("3", "rejected", "email_invalid; no_key"),
        ("4", "warning", "key_shared"),
    ]
    assert rows[0]["_field"] == "correo"
    assert rows[0]["_message"] == f"{CODES['email_invalid'].es} {CODES['key_shared'].es}"
    assert [path.name for path in roll.folder.iterdir() if path.name.startswith(".")] == []


def test_the_report_of_a_report_has_its_columns_once(roll: Roll) -> None:
    first = roll.import_text("name,phone\nAna,nope\n")
    assert first.reject_file is not None

    second = roll.import_path(Path(first.reject_file))

    (row,) = _read(second)
    assert list(row) == ["name", "phone", *EXTRA]
    assert (row["_row"], row["_code"]) == ("1", "phone_invalid; no_key")


def test_a_report_is_read_as_it_is_whatever_its_profile_says_of_the_source(roll: Roll) -> None:
    text = "Colegio San José\nLista de 2026\nNombre;Teléfono;Acudiente\nIñés;3001112233;Tomás Núñez\nIván;12;Ana\n"
    reading = {"header_row": 3, "encoding": "cp1252", "delimiter": ";", "unmapped": "custom"}
    report = roll.import_bytes(text.encode("cp1252"), **reading).reject_file
    assert report is not None
    mended = Path(report).read_text("utf-8-sig").replace('"12"', '"3009998877"', 1)

    again = roll.import_bytes(mended.encode("utf-8-sig"), **reading)

    assert (again.status, again.created, again.columns_not_taken) == ("imported", 1, ())
    assert roll.living("display_name, phone") == [("Iñés", "+573001112233"), ("Iván", "+573009998877")]


@pytest.mark.parametrize("sizes", [(1 << 20,), (64, 1 << 20), (300, 1 << 20)], ids=str)
def test_what_is_said_later_of_rows_stands_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...]
) -> None:
    monkeypatch.setattr(rowreports, "_BLOCK_BYTES", sizes)  # so that a small report has several blocks
    report = RowReport(tmp_path / "a.report.csv", ("name", "note", "name"), delimiter=";", language="en")

    def said(rows: list[int], code: str) -> tuple[pa.Table, pa.Table]:
        cells = {f"c{at}": [f'{at} of {row};\n"so"' if at else "" for row in rows] for at in range(3)}
        notes = {"row": rows, "code": [code] * len(rows), "field": [None] * len(rows), "value": [""] * len(rows)}
        return pa.table({"row": rows, **cells}), pa.table(notes, NOTES)

    for rows in ([2, 3, 5], [8, 9], [20]):
        report.add(*said(rows, "no_key"), np.array([3, 9]))
    for rows in ([1, 3], [4, 8, 10], [21, 22]):
        report.again.add(*said(rows, "key_shared"), np.array([8]))
    report.close()

    lines = list(csv.DictReader((tmp_path / "a.report.csv").open(encoding="utf-8-sig", newline=""), delimiter=";"))
    assert report.rows == len(lines) == 11
    assert [int(line["_row"]) for line in lines] == [1, 2, 3, 4, 5, 8, 9, 10, 20, 21, 22]
    assert [line["_code"] for line in lines][1:6] == [
        "no_key",
        "no_key; key_shared",
        "key_shared",
        "no_key",
        "no_key; key_shared",
    ]
    assert [line["_row"] for line in lines if line["_status"] == "rejected"] == ["3", "8", "9"]
    assert [line["note"] for line in lines] == [f'1 of {line["_row"]};\n"so"' for line in lines]
    assert [path.name for path in tmp_path.iterdir()] == ["a.report.csv"]


@pytest.mark.parametrize(
    "text",
    [
        b'nombre,telefono,ciudad\n"Ana "la flaca" Ruiz",300 111 2501,x\nEva,3001112233,y\n',
        b"nombre,telefono,correo\nP\xc3\xa9rez, Ana,300 111 2234,p@example.org\nEva,3001112233,e@example.org\n",
        "nombre,telefono,ciudad\nJosé,3001112233,Bogotá\n".encode() + b"Mar\xeda,3001112235,Cali\n",
    ],
    ids=["quotes", "cells", "bytes"],
)
def test_a_damaged_row_is_refused_again_until_it_is_mended(roll: Roll, text: bytes) -> None:
    report = roll.import_bytes(text)
    assert report.rejected == 1
    assert report.reject_file is not None

    again = roll.import_path(Path(report.reject_file))
    mended = roll.import_text("nombre,telefono\nMía,3001119999\n")

    assert (again.rejected, again.created, mended.created) == (1, 0, 1)
    assert list(_read(again)[0].values())[:3] == list(_read(report)[0].values())[:3]


def test_a_damaged_row_stands_in_the_report_as_it_was_written(roll: Roll) -> None:
    report = roll.import_text('nombre,telefono\n"Ana "la flaca" Ruiz",300 111 2501\n')

    (row,) = _read(report)
    assert (row["nombre"], row["telefono"]) == ('"Ana "la flaca" Ruiz"', "300 111 2501")


def test_a_damaged_row_that_was_mended_in_the_report_is_taken(roll: Roll) -> None:
    report = roll.import_text("nombre,telefono,correo\nPérez, Ana,300 111 2234,p@example.org\n")
    assert report.reject_file is not None
    path = Path(report.reject_file)
    (row,) = _read(report)
    row |= {"nombre": "Pérez, Ana", "telefono": "300 111 2234", "correo": "p@example.org"}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)

    again = roll.import_path(path)

    assert (again.created, roll.living()) == (1, [("Pérez, Ana", "+573001112234", "p@example.org")])


@pytest.mark.parametrize(
    ("text", "mend", "created"),
    [
        ('nombre,telefono,correo\n"Ana,3001112222,\nLuis,3001113333,\nRosa,3001114444,\n', ('"Ana', "Ana"), 3),
        ("nombre,telefono,correo\nAna,3001112222\n", ("", ""), 1),
        (
            f"nombre,telefono,{','.join(f'x{n}' for n in range(30))}\nAna,3001112222,{','.join('a' * 30)},extra\n",
            (",extra", ""),
            1,
        ),
        (f"nombre,telefono,notas\nAna,3001112222,{'x' * 300},extra\n", (",extra", ""), 1),
    ],
    ids=["swallowed lines", "short row", "many columns", "long text"],
)
def test_a_report_is_taken_once_it_is_mended(roll: Roll, text: str, mend: tuple[str, str], created: int) -> None:
    report = roll.import_text(text)
    assert report.reject_file is not None
    path = Path(report.reject_file)
    rows = _read(report)
    for row in rows:
        row |= {name: row[name].replace(*mend) for name in row if mend[0] and name not in EXTRA}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    again = roll.import_path(path)

    assert (again.created, again.rejected) == (created, 0)


def test_a_damaged_row_is_refused_however_often_its_report_comes(roll: Roll) -> None:
    report = roll.import_text('nombre,telefono,correo\n"Ana "la" flaca, x",3001112222,a@example.org\n')
    for _ in range(3):
        assert report.reject_file is not None
        report = roll.import_path(Path(report.reject_file))

        assert (report.created, report.rejected) == (0, 1)
