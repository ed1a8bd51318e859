"""How contacts are reached: several phones and e-mails in a row or a cell."""

import csv

import pytest

from tests.conftest import Roll


def _keys(roll: Roll) -> list[str]:
    return [written for (written,) in roll.rows("SELECT written FROM contact_keys ORDER BY kind DESC, written")]


def _said(roll: Roll, path: str | None) -> list[tuple[str, str, str]]:
    if path is None:
        return []
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [(row["_code"], row["_field"], row["_value"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    "cell",
    [
        "3001112233,3104445566",
        "3001112233 / 3104445566",
        "3001112233/3104445566",
        "300 111 2233 y 310 444 5566",
        "3001112233; 3104445566",
        "3001112233 3104445566",
        "300-111-2233 - 310-444-5566",
        "+57 300 111 2233 | +57 310 444 5566",
        "3001112233\n3104445566",
    ],
)
def test_a_cell_of_two_phones_gives_both(roll: Roll, cell: str) -> None:
    report = roll.import_text(f'name\tphone\nAna\t"{cell}"\n')

    assert roll.living("phone") == [("+573001112233",)]
    assert _keys(roll) == ["+573104445566"]
    assert (report.created, report.warnings) == (1, 0)


@pytest.mark.parametrize("cell", ["+57 300 111 2233", "+57 - 300 - 1112233", "(601) 744/3322", "0057300 1112233"])
def test_a_phone_written_in_parts_is_one(roll: Roll, cell: str) -> None:
    roll.import_text(f"name\tphone\nAna\t{cell}\n")

    assert len(roll.living("phone")) == 1
    assert _keys(roll) == []


def test_several_emails_in_a_cell_are_all_kept_and_bad_ones_said(roll: Roll) -> None:
    report = roll.import_text('name,email\nAna,"ana@example.org, mal@, ana@example.com"\nEva,e@x.org f@y.org\n')

    assert roll.living("email") == [("ana@example.org",), ("e@x.org",)]
    assert _keys(roll) == ["ana@example.com", "f@y.org"]
    assert _said(roll, report.reject_file) == [("email_invalid", "email", "mal@")]


def test_a_second_bad_phone_is_said(roll: Roll) -> None:
    report = roll.import_text("name,phone,mobile,email\nAna,hola,3001112233,ana@example.org\nEva,3104445566,12,\n")

    assert roll.living("phone") == [("+573001112233",), ("+573104445566",)]
    assert _said(roll, report.reject_file) == [("phone_invalid", "phone", "hola"), ("phone_invalid", "mobile", "12")]


def test_the_mobile_comes_before_the_landline_wherever_it_stands(roll: Roll) -> None:
    roll.import_text("name,Home Phone,Phone,Mobile Phone\nAna,6017443322,6017443323,3001112233\n")

    assert roll.living("phone") == [("+573001112233",)]
    assert _keys(roll) == ["+576017443322", "+576017443323"]


def test_a_label_beside_a_phone_says_which_is_the_mobile(roll: Roll) -> None:
    roll.import_text(
        "First Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n"
        "Ana,Home,6017443322,Mobile,3001112233\nEva,Mobile,3104445566,Home,6017443321\n"
    )

    assert roll.living("phone") == [("+573001112233",), ("+573104445566",)]


def test_numbers_without_prefix_in_one_cell_are_read_in_the_country_of_the_row(roll: Roll) -> None:
    roll.import_text("name;phone;country\nAna;5512345678,5587654321;MX\n", default_country="")

    assert roll.living("phone") == [("+525512345678",)]
    assert _keys(roll) == ["+525587654321"]


def test_the_mobile_comes_first_inside_a_cell_too(roll: Roll) -> None:
    roll.import_text("name;phone\nAna;601 744 3322 / 300 111 2233\nEva;6017443323, 6017443324\n")

    assert roll.living("phone") == [("+573001112233",), ("+576017443323",)]


def test_an_extension_that_is_left_out_is_said(roll: Roll) -> None:
    report = roll.import_text("name,phone\nAna,+57 601 743 2211 ext. 105\nEva,3001112233 x4\nLuz,3104445566\n")

    assert [code for code, _, _ in _said(roll, report.reject_file)] == ["phone_extension"] * 2
    assert report.created == 3


@pytest.mark.parametrize("written", ["00573001511082", "0057 3001511082", "00 57 300 151 1082", "+573001511082"])
def test_two_zeros_and_the_own_prefix_lead_to_the_own_country(roll: Roll, written: str) -> None:
    roll.import_text(f"name,phone\nAna,{written}\nEva,0034600111222\n")

    assert roll.living("phone") == [("+573001511082",), ("+34600111222",)]
