"""Delimited text: the two readers against each other, and the damage that real files have."""

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import delimited
from connectors.delimited import Delimited, open_delimited
from connectors.headers import find_header, known_header
from schemas.refusals import NeedsAnswer, UnreadableFile
from tests.connectors.reading import Contents, cells_of, contents_of

HEADER = ["name", "phone", "note"]
CELLS = st.text('ab"\n\r,;\t|é', max_size=6)
TABLES = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])


@pytest.fixture
def small_chunks() -> Iterator[None]:
    """Blocks of a few bytes, so that every file has many block borders."""
    kept, delimited._CHUNK = delimited._CHUNK, 7
    yield
    delimited._CHUNK = kept


def _read(tmp_path: Path, content: str | bytes, **profile: object) -> Contents:
    path = tmp_path / "contacts.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return contents_of(path, **profile)


def _open(folder: Path, text: str, delimiter: str) -> Delimited:
    path = folder / "contacts.csv"
    path.write_bytes(text.encode())
    return open_delimited(path, folder, name=path.name, known=known_header(), delimiter=delimiter)


def _write(table: list[tuple[str, ...]], delimiter: str, end: str, quoting: int) -> str:
    """The table as csv.writer writes it; what it would leave unquoted inside a cell is taken out of the cells first."""
    if quoting == csv.QUOTE_MINIMAL and end != "\r\n":
        other = "\r" if end == "\n" else "\n"
        table = [tuple(cell.replace(other, "") for cell in row) for row in table]
    sink = io.StringIO(newline="")
    csv.writer(sink, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([tuple(HEADER), *table])  # type: ignore[arg-type]
    return sink.getvalue()


def _filled(table: list[list[str]]) -> list[list[str]]:
    return [row for row in table if any(cell.strip() for cell in row)]


@settings(max_examples=100, deadline=None)
@given(TABLES, DELIMITERS, ENDS, QUOTING, st.sampled_from([5, 16, 64, 1 << 20]))
def test_fast_and_patient_reader_give_the_rows_that_were_written(
    table: list[tuple[str, ...]], delimiter: str, end: str, quoting: int, chunk: int
) -> None:
    kept, delimited._CHUNK = delimited._CHUNK, chunk
    try:
        with TemporaryDirectory() as folder:
            text = _write(table, delimiter, end, quoting)
            source = _open(Path(folder), text, delimiter)

            fast = cells_of([delimited._numbered(delimited._without_blank_rows(part), 1) for part in source._fast()])
            patient = cells_of(
                [
                    delimited._numbered(delimited._without_blank_rows(part), 1)
                    for part in source._patient(source._text())
                ]
            )
            chosen = cells_of(list(source.blocks()))
    finally:
        delimited._CHUNK = kept

    assert fast[:2] == patient[:2] == chosen[:2]
    assert fast[0] == _filled(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:])
    assert fast[1] == [None] * len(fast[0])
    assert chosen[2] == list(range(1, len(chosen[0]) + 1))


@settings(max_examples=100, deadline=None)
@given(st.text('ab",\n\r', max_size=60), st.sampled_from([5, 1 << 20]))
def test_no_text_brings_the_reader_down_or_changes_with_the_block_size(body: str, chunk: int) -> None:
    found = []
    for size in (chunk, 12 << 20):
        kept, delimited._CHUNK = delimited._CHUNK, size
        try:
            with TemporaryDirectory() as folder:
                found.append(cells_of(list(_open(Path(folder), f"name,phone\n{body}", ",").blocks())))
        finally:
            delimited._CHUNK = kept

    assert found[0] == found[1]
    assert all(len(row) >= 2 for row in found[0][0])


def test_a_block_border_inside_a_quoted_newline_changes_nothing(tmp_path: Path, small_chunks: None) -> None:
    text = 'name,phone,note\n"Ana\nMaría",3001112233,"one\r\n\r\ntwo"\nLuis,3002223344,"say ""hi""\n"\n'

    found = _read(tmp_path, text)

    assert found.rows == [["Ana\nMaría", "3001112233", "one\r\n\r\ntwo"], ["Luis", "3002223344", 'say "hi"\n']]
    assert found.problems == [None, None]


def test_rows_with_too_many_or_too_few_cells_are_said_to_be_so(tmp_path: Path) -> None:
    found = _read(tmp_path, "name,phone\nAna,3001112233\nLuis,3002223344,extra\nEva\nIvo,3003334455\n")

    assert found.problems == [None, "column_count", "column_count", None]
    assert found.rows[0] == ["Ana", "3001112233"]
    assert found.rows[3] == ["Ivo", "3003334455"]


def test_empty_cells_after_the_last_column_are_no_damage(tmp_path: Path) -> None:
    found = _read(tmp_path, "name,phone\nAna,3001112233,,\nLuis,3002223344\n")

    assert (found.rows, found.problems) == ([["Ana", "3001112233"], ["Luis", "3002223344"]], [None, None])


def test_what_an_unclosed_quote_swallows_is_reported_row_by_row_and_the_rows_before_are_taken(tmp_path: Path) -> None:
    found = _read(tmp_path, 'name,phone\nAna,3001112233\nLuis,"3002223344\nEva,3003334455\nIvo,3004445566\n')

    assert found.problems == [None, "quote_unclosed", "quote_unclosed", "quote_unclosed"]
    assert found.rows[0] == ["Ana", "3001112233"]


def test_two_unclosed_quotes_do_not_swallow_the_rows_between_them(tmp_path: Path) -> None:
    found = _read(
        tmp_path,
        'name,email,company,city\nAna,a@x.org,"Acme,Lima\nBob,b@x.org,Foo,Cali\nEva,e@x.org,"Bar,Quito\nIvo,i@x.org,B,C\n',
    )

    assert found.problems == ["quote_unclosed", None, "quote_unclosed", None]
    assert found.rows[1] == ["Bob", "b@x.org", "Foo", "Cali"]


def test_a_quote_inside_a_quoted_cell_is_said_to_be_one(tmp_path: Path) -> None:
    found = _read(tmp_path, 'name,note\nAna,"he said "no" again"\nEva,x\n')

    assert found.problems == ["quote_inside", None]


@pytest.mark.parametrize("mark", ["~|~", "|;", "||", "^|"])
def test_a_delimiter_of_several_signs_is_found_out(tmp_path: Path, mark: str) -> None:
    rows = [["name", "phone", "note"], ["Ana", "3001112233", "x"], ["Eva", "3104445566", "y"]]

    found = _read(tmp_path, "".join(mark.join(row) + "\n" for row in rows))

    assert (found.header, found.rows) == (rows[0], rows[1:])


def test_a_delimiter_of_two_characters_inside_quotes_is_text(tmp_path: Path) -> None:
    assert _read(tmp_path, 'name||note\nAna||"x||y"\n').rows == [["Ana", "x||y"]]


def test_a_nameless_last_column_that_no_row_has_is_none(tmp_path: Path) -> None:
    found = _read(tmp_path, "name,phone,\nAna,3001112233\nEva,3104445566\n")

    assert (found.header, found.problems) == (["name", "phone"], [None, None])


@pytest.mark.parametrize("end", ["\x1a\r\n", "\n\x1a\n", "\0" * 200 + "\n", "\0" * 50 + "\x1a"])
def test_marks_behind_the_last_row_are_no_row(tmp_path: Path, end: str) -> None:
    found = _read(tmp_path, f"name,phone\r\nAna,3001112233\r\n{end}".encode())

    assert (found.rows, found.problems) == ([["Ana", "3001112233"]], [None])


def test_names_with_apostrophes_are_not_quoted(tmp_path: Path) -> None:
    found = _read(
        tmp_path, "name,company,note\nVan,'t Hooft,x\nBob,'Joe',y\nEva,'Rob',z\nIvo,Acme,w\nLuz,Acme,v\nZoe,Acme,u\n"
    )

    assert [row[1] for row in found.rows[:3]] == ["'t Hooft", "'Joe'", "'Rob'"]


def test_contacts_above_what_looks_like_a_header_make_it_none(tmp_path: Path) -> None:
    with pytest.raises(NeedsAnswer, match="no header line"):
        _read(tmp_path, "Ada,a@example.org\nTom,b@example.org\nname,email\nEva,c@example.org\n")


def test_a_nul_marks_its_row_only(tmp_path: Path) -> None:
    found = _read(tmp_path, b"name,phone\nAna,3001112233\nLu\0is,3002223344\nEva,3003334455\n")

    assert found.problems == [None, "control_character", None]


def test_bad_bytes_mark_their_row_only(tmp_path: Path) -> None:
    rows = "".join(f"José {number},300111{number:04}\n" for number in range(20)).encode()

    found = _read(tmp_path, b"name,phone\n" + rows + b"Jos\xe9,3009998877\n" + rows)

    assert [number for number, problem in zip(found.numbers, found.problems, strict=True) if problem] == [21]
    assert found.problems[20] == "bad_encoding"


def test_blank_rows_are_left_out_and_not_counted(tmp_path: Path) -> None:
    found = _read(tmp_path, "name,phone\n\nAna,3001112233\n,\n  ,  \n\nLuis,3002223344\n\n\n")

    assert found.rows == [["Ana", "3001112233"], ["Luis", "3002223344"]]
    assert found.numbers == [1, 2]


def test_lines_above_the_header_are_passed_over(tmp_path: Path) -> None:
    found = _read(tmp_path, "Contacts of the south\nExported 2026-04-03\n\nname,phone\nAna,3001112233\n")

    assert (found.header, found.rows) == (["name", "phone"], [["Ana", "3001112233"]])


def test_the_profile_can_say_which_line_is_the_header(tmp_path: Path) -> None:
    found = _read(tmp_path, "x,y\nquien,numero\nAna,3001112233\n", header_row=2)

    assert (found.header, found.rows) == (["quien", "numero"], [["Ana", "3001112233"]])


def test_the_line_of_the_header_counts_as_an_editor_counts(tmp_path: Path) -> None:
    found = _read(tmp_path, 'x,"y\nz"\n\n\nquien,numero\nAna,3001112233\n', header_row=5)

    assert (found.header, found.rows) == (["quien", "numero"], [["Ana", "3001112233"]])


@pytest.mark.parametrize("row", [3, 4, 99])
def test_a_line_that_can_be_no_header_is_asked_about(tmp_path: Path, row: int) -> None:
    with pytest.raises(NeedsAnswer, match=f"nothing on line {row}"):
        _read(tmp_path, 'x,"y\nz"\n\n\nquien,numero\nAna,3001112233\n', header_row=row)


def test_a_file_without_a_header_asks(tmp_path: Path) -> None:
    with pytest.raises(NeedsAnswer, match="no header line"):
        _read(tmp_path, "Ana,3001112233,ana@example.org\nLuis,3002223344,luis@example.org\n")


@pytest.mark.parametrize("content", ["", " \n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UnreadableFile, match="empty"):
        _read(tmp_path, content)


@pytest.mark.parametrize("content", ['{"phone": "3001112233"}\n', '[{"phone": 1}]', "BEGIN:VCARD\n", "<html><table>"])
def test_what_is_no_delimited_text_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UnreadableFile, match="not delimited text"):
        _read(tmp_path, content)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "\x1f"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    lines = [["nombre", "teléfono", "notas"], ["Ana", "3001112233", "uno"], ["Luis", "3002223344", "dos"]]

    found = _read(tmp_path, "".join(delimiter.join(line) + "\n" for line in lines))

    assert [found.header, *found.rows] == lines


def test_single_bars_inside_a_file_with_double_bars_stay_in_their_cells(tmp_path: Path) -> None:
    found = _read(tmp_path, "name||phone||note\nAna||3001112233||a|b\nLuis||3002223344||c|d|e\n")

    assert found.rows == [["Ana", "3001112233", "a|b"], ["Luis", "3002223344", "c|d|e"]]


def test_commas_inside_a_file_with_semicolons_stay_in_their_cells(tmp_path: Path) -> None:
    found = _read(tmp_path, "nombre;teléfono;notas\nPérez, Ana;3001112233;a, b, c\nGil, Luis;3002223344;d, e, f\n")

    assert found.rows == [["Pérez, Ana", "3001112233", "a, b, c"], ["Gil, Luis", "3002223344", "d, e, f"]]


def test_excels_sep_line_names_the_delimiter_and_is_no_row(tmp_path: Path) -> None:
    found = _read(tmp_path, "sep=;\nnombre;teléfono\nAna;3001112233\n")

    assert (found.header, found.rows) == (["nombre", "teléfono"], [["Ana", "3001112233"]])


def test_single_quotes_backslashes_and_spaces_before_quotes_are_understood(tmp_path: Path) -> None:
    single = _read(tmp_path, "name,phone\n'Pérez, Ana','3001112233'\n'Gil, Luis','3002223344'\n")
    escaped = _read(tmp_path, 'name,phone\n"Ana \\"la jefa\\" Gil","3001112233"\n')
    spaced = _read(tmp_path, 'name, phone\n"Pérez, Ana", "3001112233"\n"Gil, Luis", "3002223344"\n')

    assert single.rows == [["Pérez, Ana", "3001112233"], ["Gil, Luis", "3002223344"]]
    assert escaped.rows == [['Ana "la jefa" Gil', "3001112233"]]
    assert spaced.rows == [["Pérez, Ana", "3001112233"], ["Gil, Luis", "3002223344"]]


def test_a_header_may_span_lines(tmp_path: Path) -> None:
    found = _read(tmp_path, 'name,"phone\n(mobile)"\nAna,3001112233\n')

    assert (found.header, found.rows) == (["name", "phone\n(mobile)"], [["Ana", "3001112233"]])


def test_a_damaged_row_in_one_block_leaves_the_other_blocks_alone(tmp_path: Path) -> None:
    kept, delimited._CHUNK = delimited._CHUNK, 4_096
    try:
        lines = [f"Ana {number},300111{number:04}" for number in range(2_000)]
        lines[700] += ",extra"
        found = _read(tmp_path, "name,phone\n" + "\n".join(lines) + "\n")
    finally:
        delimited._CHUNK = kept

    assert [number for number, problem in zip(found.numbers, found.problems, strict=True) if problem] == [701]
    assert found.numbers == list(range(1, 2_001))


def test_a_form_feed_or_unicode_line_mark_ends_no_row(tmp_path: Path) -> None:
    found = _read(tmp_path, "name,phone\nA\x0cn\u2028a\x85\x0b,3001112233\n")

    assert found.rows == [["A\x0cn\u2028a\x85\x0b", "3001112233"]]


def test_a_long_cell_does_not_slow_the_search_for_the_header() -> None:
    began = time.process_time()

    find_header([["a" * 12_000], ["name", "phone"]], known_header())

    assert time.process_time() - began < 0.1


def test_an_apostrophe_before_each_phone_is_no_quotation_mark(tmp_path: Path) -> None:
    rows = "".join(f"Ana {number},'+57300111223{number},a{number}@x.co\n" for number in range(6))

    found = _read(tmp_path, f"name,phone,email\n{rows}")

    assert len(found.rows) == 6
    assert (found.rows[0], found.problems) == (["Ana 0", "'+573001112230", "a0@x.co"], [None] * 6)
