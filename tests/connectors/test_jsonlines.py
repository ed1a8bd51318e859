"""JSON lines: one object a line."""

from pathlib import Path

import pytest

from schemas.refusals import UnreadableFile
from tests.conftest import Roll
from tests.connectors.reading import Contents, contents_of


def _read(tmp_path: Path, content: str | bytes) -> Contents:
    path = tmp_path / "contacts.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return contents_of(path)


def test_the_columns_are_the_keys_of_all_objects(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"name": "Ana", "phone": "3001112233"}\n\n{"phone": "3002223344", "city": "Cali"}\n')

    assert found.header == ["name", "phone", "city"]
    assert found.rows == [["Ana", "3001112233", ""], ["", "3002223344", "Cali"]]
    assert (found.numbers, found.kind) == ([1, 2], "jsonl")


def test_values_are_the_text_a_person_would_type(tmp_path: Path) -> None:
    line = '{"a": 3001112233, "b": 5.73001112233e11, "c": 1.5, "d": true, "e": null, "f": ["x", null, 2], "g": {}}'

    assert _read(tmp_path, line).rows == [["3001112233", "573001112233", "1.5", "TRUE", "", "x; 2", ""]]


def test_objects_inside_have_columns_of_their_own_and_lists_of_objects_their_telling_values(tmp_path: Path) -> None:
    found = _read(
        tmp_path,
        '{"name": "Ana", "address": {"city": "Cali", "geo": {"lat": 3.5}}, '
        '"phones": [{"type": "work", "value": "+573001112233"}, {"number": "+573104445566"}, "601"]}\n',
    )

    assert found.header == ["name", "address.city", "address.geo.lat", "phones"]
    assert found.rows == [["Ana", "Cali", "3.5", "+573001112233; +573104445566; 601"]]


def test_a_line_that_is_no_object_is_reported_and_the_others_taken(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"phone": "1"}\n{"phone": \n[1, 2]\n"text"\n{"phone": "2"}\n')

    assert found.problems == [None, "json_invalid", "json_invalid", "json_invalid", None]
    assert [found.rows[0], found.rows[4]] == [["1"], ["2"]]


def test_half_characters_do_not_bring_the_import_down(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"name": "a\\ud800b", "pho\\udc00ne": "1"}\n')

    assert [len(found.header), len(found.rows)] == [2, 1]
    assert "\ud800" not in found.rows[0][0]


def test_a_deeply_nested_line_is_reported(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"phone": "1"}\n' + "[" * 200_000 + "\n")

    assert found.problems == [None, "json_invalid"]


@pytest.mark.parametrize("content", ["[1]\n", "\n\n", "text\n"])
def test_a_file_without_objects_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UnreadableFile, match="holds no JSON objects"):
        _read(tmp_path, content)


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="always UTF-8"):
        _read(tmp_path, '{"name": "José"}\n'.encode("latin-1"))


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"phone": "1"}\n{"phone": "2"}\n'.encode("utf-8-sig"))

    assert (found.rows, found.problems) == ([["1"], ["2"]], [None, None])


def test_a_broken_line_is_shown_as_it_stands(roll: Roll) -> None:
    report = roll.import_text('{"phone": "3001112233", "name": "Ana"}\n{"phone": "3104445566\n', "contacts.jsonl")

    assert (report.created, report.rejected) == (1, 1)
    assert '{""phone"": ""3104445566' in Path(report.reject_file or "").read_text(encoding="utf-8-sig")
    assert "json_invalid" in Path(report.reject_file or "").read_text(encoding="utf-8-sig")


def test_objects_in_a_list_without_one_telling_value_are_put_together(tmp_path: Path) -> None:
    found = _read(tmp_path, '{"address": [{"type": "home", "street": "Calle 10", "geo": {"city": "Cali"}}]}\n')

    assert found.rows == [["Calle 10, Cali"]]
