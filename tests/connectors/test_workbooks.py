"""Workbooks: what stands in the cells, which sheet is meant, and those that are refused before they do harm."""

import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from connectors.workbooks import Limits
from schemas.frames import CELL_ERROR
from schemas.refusals import NeedsAnswer, UnreadableFile
from tests.connectors.reading import contents_of

HEADER = ["name", "phone", "email"]
ANA = ["Ana", "3001112233", "ana@example.org"]
LUIS = ["Luis", "3002223344", "luis@example.org"]


def _write(path: Path, sheets: dict[str, list[list[Any]]], change: Callable[[Any], None] = lambda book: None) -> Path:
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd hh:mm"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    change(book)
    book.close()
    return path


def test_cells_are_the_text_a_person_reads(tmp_path: Path) -> None:
    rows = [["name", "phone", "created", "paid", "amount"], ["Ana", 573001112233, datetime(2026, 4, 3), True, 12.5]]
    rows += [["Luis", 573002223344.0, datetime(2026, 4, 3, 14, 30), False, "12.50"]]

    found = contents_of(_write(tmp_path / "contacts.xlsx", {"Contacts": rows}))

    assert found.rows[0] == ["Ana", "573001112233", "2026-04-03", "TRUE", "12.5"]
    assert found.rows[1] == ["Luis", "573002223344", "2026-04-03 14:30:00", "FALSE", "12.50"]
    assert found.kind == "excel"


def test_a_title_above_the_header_and_blank_rows_are_passed_over(tmp_path: Path) -> None:
    rows = [["Contacts of the south"], [], HEADER, ANA, [], ["  "], LUIS, []]

    found = contents_of(_write(tmp_path / "contacts.xlsx", {"Contacts": rows}))

    assert (found.header, found.rows, found.numbers) == (HEADER, [ANA, LUIS], [1, 2])


def test_a_table_may_begin_anywhere_on_the_sheet(tmp_path: Path) -> None:
    def place(book: Any) -> None:
        sheet = book.add_worksheet("Contacts")
        for number, row in enumerate([HEADER, ANA, LUIS]):
            sheet.write_row(4 + number, 3, row)

    found = contents_of(_write(tmp_path / "contacts.xlsx", {}, place))

    assert (found.header, found.rows) == (HEADER, [ANA, LUIS])


def test_a_formula_without_a_result_and_an_error_are_marked_in_their_cells(tmp_path: Path) -> None:
    def formulas(book: Any) -> None:
        sheet = book.get_worksheet_by_name("Contacts")
        sheet.write_formula("B2", '="300"&"1112233"', None, "3001112233")
        sheet.write_formula("B3", '="300"&"2223344"', None, "")
        sheet.write_formula("C3", "=1/0", None, "#DIV/0!")

    path = _write(tmp_path / "contacts.xlsx", {"Contacts": [HEADER, ["Ana"], ["Luis"]]}, formulas)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b'"300"&amp;"2223344"</f><v></v>', b'"300"&amp;"2223344"</f>')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)

    found = contents_of(path)

    assert found.rows[0] == ["Ana", "3001112233", ""]
    assert found.rows[1] == ["Luis", f"{CELL_ERROR}#FORMULA", f"{CELL_ERROR}#DIV/0!"]


@pytest.mark.parametrize(
    ("number_format", "cell", "shown"),
    [
        ("00000", 501, "00501"),
        ("00000", 123456, "123456"),
        ("00000", "501", "501"),
        ("00000", 5.25, "5.25"),
        ('"+"0', 573001112233, "+573001112233"),
        (r"\+0", 573001112233, "+573001112233"),
        ("+0", 573001112233, "+573001112233"),
        ("0", 501, "501"),
        ("0.00", 501, "501"),
        ("#,##0", 573001112233, "573001112233"),
    ],
)
def test_zeros_and_signs_that_only_the_number_format_shows_are_read(
    tmp_path: Path, number_format: str, cell: object, shown: str
) -> None:
    def formatted(book: Any) -> None:
        sheet = book.get_worksheet_by_name("Contacts")
        sheet.write(1, 1, cell, book.add_format({"num_format": number_format}))
        sheet.write(2, 2, "luis@example.org", book.add_format({"num_format": number_format}))

    found = contents_of(_write(tmp_path / "contacts.xlsx", {"Contacts": [HEADER, ["Ana"], ["Luis", 7]]}, formatted))

    assert found.rows == [["Ana", shown, ""], ["Luis", "7", "luis@example.org"]]


def test_hidden_sheets_are_not_looked_at(tmp_path: Path) -> None:
    def hide(book: Any) -> None:
        book.get_worksheet_by_name("Old").hide()
        book.get_worksheet_by_name("Older").very_hidden()

    sheets = {"Contacts": [HEADER, ANA], "Old": [HEADER, LUIS], "Older": [HEADER, LUIS]}

    assert contents_of(_write(tmp_path / "contacts.xlsx", sheets, hide)).rows == [ANA]


def test_several_sheets_with_contacts_ask_and_the_profile_answers(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "contacts.xlsx", {"North": [HEADER, ANA], "South": [HEADER, LUIS], "Legend": [["x"], ["y"]]}
    )

    with pytest.raises(NeedsAnswer, match="North, South"):
        contents_of(path)

    assert contents_of(path, sheet="South").rows == [LUIS]


def test_a_sheet_that_is_not_there_is_asked_about(tmp_path: Path) -> None:
    path = _write(tmp_path / "contacts.xlsx", {"North": [HEADER, ANA]})

    with pytest.raises(NeedsAnswer, match="no visible sheet .*West.*North"):
        contents_of(path, sheet="West")


def test_a_workbook_without_a_header_asks(tmp_path: Path) -> None:
    with pytest.raises(NeedsAnswer, match="no header line"):
        contents_of(_write(tmp_path / "contacts.xlsx", {"Contacts": [ANA, LUIS]}))


@pytest.mark.parametrize("kept", [100, 1_500])
def test_a_cut_off_workbook_is_refused(tmp_path: Path, kept: int) -> None:
    path = _write(tmp_path / "contacts.xlsx", {"Contacts": [HEADER, ANA]})
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(UnreadableFile, match="damaged|cannot be"):
        contents_of(path)


def test_a_workbook_with_a_damaged_sheet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    _write(path, {"Contacts": [HEADER, ANA]})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"][:60]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)

    with pytest.raises((UnreadableFile, NeedsAnswer)):
        contents_of(path)


def test_an_encrypted_workbook_is_said_to_be_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 500
    )

    with pytest.raises(UnreadableFile, match="is encrypted"):
        contents_of(path)


def test_a_workbook_that_unpacks_to_far_too_much_is_refused_unopened(tmp_path: Path) -> None:
    path = _write(tmp_path / "contacts.xlsx", {"Contacts": [HEADER, ANA]})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/x.xml", b"\0" * 60_000_000)

    with pytest.raises(UnreadableFile, match="refused as unsafe"):
        contents_of(path)


def test_a_workbook_of_thousands_of_parts_is_refused_unopened(tmp_path: Path) -> None:
    path = _write(tmp_path / "contacts.xlsx", {"Contacts": [HEADER, ANA]})
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(1_100):
            archive.writestr(f"xl/media/{number}.xml", b"")

    with pytest.raises(UnreadableFile, match="refused as unsafe"):
        contents_of(path)


def test_a_workbook_that_needs_more_memory_than_allowed_is_refused(tmp_path: Path) -> None:
    rows = [HEADER, *([f"Ana {number}", f"300{number:07}", f"a{number}@example.org"] for number in range(20_000))]
    path = _write(tmp_path / "contacts.xlsx", {"Contacts": rows})

    with pytest.raises(UnreadableFile, match="more memory or time|cannot be read"):
        contents_of(path, Limits(memory_bytes=150_000_000, seconds=20))


def test_a_web_page_named_as_a_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xls"
    path.write_bytes(b"<html><table><tr><td>name</td></tr></table></html>")

    with pytest.raises(UnreadableFile, match="web page"):
        contents_of(path)


def test_a_text_file_named_as_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    path.write_bytes(b"name,phone\nAna,3001112233\n")

    assert (contents_of(path).kind, contents_of(path).rows) == ("csv", [["Ana", "3001112233"]])


def test_the_row_of_the_header_counts_as_the_spreadsheet_counts(tmp_path: Path) -> None:
    rows = [[], [], ["x", "y"], ["quien", "numero"], ["Ana", "3001112233"]]
    path = _write(tmp_path / "contacts.xlsx", {"Contacts": rows})

    found = contents_of(path, header_row=4)

    assert (found.header, found.rows) == (["quien", "numero"], [["Ana", "3001112233"]])
    with pytest.raises(NeedsAnswer, match="nothing on line 99"):
        contents_of(path, header_row=99)


def test_errors_and_formats_are_found_in_cells_that_begin_further_in(tmp_path: Path) -> None:
    def change(book: Any) -> None:
        sheet = book.add_worksheet("Contacts")
        for row, cells in enumerate([HEADER, ANA, LUIS], 4):
            sheet.write_row(row, 3, cells)
        sheet.write_formula(5, 5, "=1/0", None, "#DIV/0!")
        sheet.write_number(6, 4, 501, book.add_format({"num_format": "00000"}))

    found = contents_of(_write(tmp_path / "contacts.xlsx", {}, change))

    named = [dict(zip(found.header, row, strict=True)) for row in found.rows]
    assert named[0]["email"].startswith(CELL_ERROR)
    assert (named[0]["name"], named[1]["phone"], named[1]["email"]) == ("Ana", "00501", "luis@example.org")


def test_what_stands_right_of_the_header_is_kept_in_a_column_without_a_name(tmp_path: Path) -> None:
    path = _write(tmp_path / "contacts.xlsx", {"Contacts": [HEADER, [*ANA, "call", "twice"], LUIS]})

    found = contents_of(path)

    assert (found.header, found.rows) == ([*HEADER, ""], [[*ANA, "call; twice"], [*LUIS, ""]])
