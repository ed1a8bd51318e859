"""E-mails: the bulk pattern against email-validator, and the labelled ones."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.columns import trimmed, without_blanks
from pipelines.emails import normalise_email, normalise_emails

_LOCAL = st.text("abcXYZ019._%+-'é\"/ ", max_size=12)
_LABEL = st.text("abz019-_Aé", max_size=6)
_DOMAIN = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)
_TOP = st.sampled_from(["com", "co", "c", "test", "local", "invalid", "onion", "arpa", "museum", "1", "x1", ""])
ADDRESSES = st.builds(
    lambda local, mark, domain, top: f"{local}{mark}{domain}.{top}",
    _LOCAL,
    st.sampled_from(["@", "@", "@", "@@", "", "＠", " @"]),
    _DOMAIN,
    _TOP,
)
TEXTS = ADDRESSES | st.text(max_size=20) | st.text("a@.,;<>: \n'-", max_size=20)


def _judged(text: str) -> str | None:
    """The address that the column reader takes, or None."""
    found = normalise_emails(pa.array([text], pa.string()))
    return None if found.problem[0].as_py() else found.value[0].as_py()


def _library(text: str) -> str | None:
    try:
        found = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return None
    return f"{found.local_part.lower()}@{found.ascii_domain.lower()}"


@settings(max_examples=250, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=8))
def test_bulk_and_library_agree(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())

    found = normalise_emails(column)

    plain = without_blanks(trimmed(column)).to_pylist()
    wanted = [normalise_email(text) if text else None for text in plain]
    taken = zip(found.value.to_pylist(), found.problem.to_pylist(), strict=True)
    assert [None if code else value for value, code in taken] == wanted
    refused = [bool(text) and not address for text, address in zip(plain, wanted, strict=True)]
    assert found.problem.to_pylist() == ["email_invalid" if bad else None for bad in refused]


@settings(max_examples=150, deadline=None)
@given(ADDRESSES)
def test_what_is_taken_is_taken_again_as_it_is(text: str) -> None:
    taken = _judged(text)

    assert taken is None or (taken == taken.lower() and taken.count("@") >= 1 and _judged(taken) == taken)


def test_a_refused_cell_keeps_its_text() -> None:
    found = normalise_emails(pa.array(["nope", "ana@localhost", "Ana@Example.org"]))

    assert found.value.to_pylist() == ["nope", "ana@localhost", "ana@example.org"]
    assert found.problem.to_pylist() == ["email_invalid", "email_invalid", None]


def test_blank_cells_are_null_and_no_problem() -> None:
    found = normalise_emails(pa.array(["", " ", "N/A", "sin correo", None], pa.string()))

    assert found.value.null_count == found.problem.null_count == 5


@pytest.mark.parametrize(
    "text",
    [
        "Ana <ana@example.org>",
        "<ANA@Example.org>",
        "mailto:ana@example.org",
        "Ana Pérez <mailto:ana@example.org>",
        "ana@example.org; luis@example.org",
        "ana@example.org, luis@example.org",
        pytest.param("ana@example.org ::: luis@example.org"),
        pytest.param("ana@example.org / luis@example.org"),
        "'ana@example.org'",
        "ana＠example.org",
        "ana@example.org\u200b",
        "\u00a0ana@example.org ",
    ],
)
def test_an_address_is_taken_out_of_the_text_around_it(text: str) -> None:
    assert _judged(text) == "ana@example.org"


@pytest.mark.parametrize(
    "text",
    ["a@b@c.org", "ana@example", "ana@exa mple.org", "ana@example.org\nbcc: x@example.org", "ana@mail.test", "@"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert _judged(text) is None


def test_a_local_part_holds_64_bytes() -> None:
    texts = ["a" * 64 + "@example.org", "a" * 65 + "@example.org", "é" * 32 + "@example.org", "é" * 33 + "@example.org"]

    assert [_judged(text) is not None for text in texts] == [True, False, True, False]


def test_every_labelled_email_is_judged_as_labelled(corpus: Path) -> None:
    labels = json.loads((corpus / "labels/emails_dirty.json").read_text(encoding="utf-8"))

    wrong = [(label["raw"], label["policy"]) for label in labels if not _as_labelled(label["raw"], label["policy"])]

    assert (len(labels), wrong) == (43, [])


def _as_labelled(raw: str, policy: str) -> bool:
    found = normalise_emails(pa.array([raw]))
    value, code = found.value[0].as_py(), found.problem[0].as_py()
    if policy == "either":
        return True
    if policy == "empty":
        return value is None and code is None
    if policy == "reject":
        return code is not None
    if policy.startswith("reject_or"):
        wanted = policy.removeprefix("reject_or_")
        return code is not None or value is None or wanted == "either" or value == wanted
    return bool(value == policy and code is None)


_AROUND = re.compile(r"[<>,;|\s\"()＠]|mailto:|^'|'$|:::")
"""What our policy looks past: names, lists, quotes around and spaces around."""


def _verdicts(corpus: Path) -> list[str]:
    document: dict[str, list[Any]] = json.loads(
        (corpus / "labels/emails_email_validator.json").read_text(encoding="utf-8")
    )
    found = []
    for items in document.values():
        for item in items:
            raw = item[0] if isinstance(item, list) else item
            raw = raw[0] if isinstance(raw, list) else raw
            if isinstance(raw, str) and not any("\ud800" <= char <= "\udfff" for char in raw):
                found.append(raw)
    return found


def test_our_verdict_is_email_validators_where_policy_takes_nothing_out_of_the_text(corpus: Path) -> None:
    texts = _verdicts(corpus)
    plain = [text for text in texts if not _AROUND.search(text) and len(text.split("@")[0].encode()) <= 64]
    assert len(plain) > 100

    assert [(text, _judged(text), _library(text)) for text in plain if _judged(text) != _library(text)] == []


def test_what_email_validator_takes_we_take_the_same_up_to_64_bytes_before_the_at(corpus: Path) -> None:
    valid = [text for text in _verdicts(corpus) if _library(text)]
    assert len(valid) > 30

    different = [(text, _judged(text), _library(text)) for text in valid if _judged(text) != _library(text)]

    assert all(len(wanted.rsplit("@", 1)[0].encode()) > 64 for _, _, wanted in different if wanted), different
