"""What happened with contacts is taken once, moves counters and segments, and is refused with a reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.contacts import find_contact
from pipelines.interactions import Told, take_interactions
from pipelines.refreshes import refresh_segment
from pipelines.segments import SegmentForm, create_segment
from schemas.settings import Settings
from tests.conftest import Roll
from warehouse.audit import Asked

SETTINGS = Settings(default_country="CO")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
_PEOPLE = (
    "nombre,celular,correo,external_id\nAna,+573001112233,ana@example.org,A1\nEva,+5511987654321,eva@example.org,E2\n"
    "Luis,,luis@example.org,L3\n"
)


@pytest.fixture
def people(store: Roll) -> Roll:
    assert store.import_text(_PEOPLE, source="chat").created == 3
    return store


def told(id_: str, kind: str = "received", ago: timedelta = timedelta(hours=1), **values: Any) -> Told:
    return Told(id_, kind, NOW - ago, **values)


def take(
    store: Roll, *items: Told, now: datetime = NOW, source: str = "chat"
) -> tuple[int, int, list[tuple[int, str]]]:
    found = take_interactions(store.engine, SETTINGS, source, items, Asked("test", now))
    return found.taken, found.known, [(one.index, one.code) for one in found.refused]


def counters(store: Roll) -> list[tuple[Any, ...]]:
    return store.rows("SELECT id, sent, received, replied FROM contacts ORDER BY id")


def test_each_key_of_a_contact_says_whom_it_is_about(people: Roll) -> None:
    items = [
        told("1", contact=1),
        told("2", phone="300 111 2233"),
        told("3", phone="+55 11 8765-4321"),
        told("4", email="LUIS@Example.org"),
        told("5", external_id="L3"),
    ]

    assert take(people, *items) == (5, 0, [])
    assert people.rows("SELECT external_id, contact_id FROM interactions ORDER BY external_id") == [
        ("1", 1),
        ("2", 1),
        ("3", 2),
        ("4", 3),
        ("5", 3),
    ]


def test_what_is_told_again_changes_nothing_and_another_source_has_ids_of_its_own(people: Roll) -> None:
    items = [told("1", contact=1), told("2", "sent", contact=1), told("1", contact=1)]

    assert take(people, *items) == (2, 1, [])
    assert take(people, *items, told("3", "replied", contact=1)) == (1, 3, [])
    assert take(people, told("1", contact=1), source="other") == (1, 0, [])
    assert counters(people) == [(1, 1, 2, 1), (2, 0, 0, 0), (3, 0, 0, 0)]


def test_the_last_interaction_is_the_latest_whatever_comes_when(people: Roll) -> None:
    take(people, told("1", contact=1, ago=timedelta(days=3)), told("2", contact=1, ago=timedelta(days=9)))
    first = people.rows("SELECT last_interaction_at FROM contacts WHERE id = 1")
    take(people, told("3", contact=1, ago=timedelta(days=5)))
    same = people.rows("SELECT last_interaction_at FROM contacts WHERE id = 1")
    take(people, told("4", "clicked", contact=1, ago=timedelta(days=1), ref="spring"))

    assert first == same
    assert people.rows("SELECT last_interaction_at FROM contacts WHERE id = 1") > same
    assert people.one("SELECT version FROM contacts WHERE id = 1") == 1


def test_the_last_message_out_and_in_is_known_whatever_comes_when(people: Roll) -> None:
    take(people, told("1", contact=1, ago=timedelta(days=3)), told("2", "sent", contact=1, ago=timedelta(days=2)))
    take(
        people,
        told("3", contact=1, ago=timedelta(days=5)),
        told("4", "clicked", contact=1),
        told("5", "sent", contact=2),
    )

    [one, two, three] = [find_contact(people.engine, number).contact for number in (1, 2, 3)]

    assert (one["last_sent_at"], one["last_received_at"]) == (NOW - timedelta(days=2), NOW - timedelta(days=3))
    assert (two["last_sent_at"], two["last_received_at"]) == (NOW - timedelta(hours=1), None)
    assert (three["last_sent_at"], three["last_received_at"]) == (None, None)


def test_what_cannot_be_taken_keeps_nothing_else_back(people: Roll) -> None:
    items = [
        told("1", contact=9),
        told("2", "Received!", contact=1),
        told("3", contact=1, channel="fax"),
        told("4", contact=1, ago=timedelta(days=-3)),
        told("5", contact=1, ago=timedelta(days=365 * 40)),
        told("6"),
        told("7", phone="abc"),
        told("8", contact=1),
    ]

    taken = take(people, *items)

    codes = ["no_such_contact", "wrong_kind", "unknown_channel", "wrong_time", "wrong_time", "no_such_contact", "no_such_contact"]  # fmt: skip
    assert taken == (1, 0, list(enumerate(codes)))


def test_who_is_off_the_roll_is_nobody(people: Roll) -> None:
    people.run("UPDATE contacts SET deleted_at = created_at, phone_match = NULL WHERE id = 1")

    refused = [(0, "no_such_contact"), (1, "no_such_contact"), (2, "no_such_contact")]
    items = [told("1", contact=1), told("2", phone="300 111 2233"), told("3", external_id="A1")]
    assert take(people, *items) == (0, 0, refused)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("received(ago('30d')) = 0", [1, 2, 3], [2, 3]),
        ("received > 0", [], [1]),
        ("last_interaction_at >= ago('30d')", [], [1]),
        ("last_interaction_at IS NULL", [1, 2, 3], [2, 3]),
        ("clicked('spring')", [], []),
    ],
)
def test_segments_follow_what_happens(people: Roll, text: str, before: list[int], after: list[int]) -> None:
    number = create_segment(people.engine, SETTINGS, SegmentForm("S", filter_text=text), Asked("test", NOW))
    people.use_up_ids(100)  # so that one who moved is a small part of the roll
    with_more = "".join(f"p{n}@example.org\n" for n in range(60))
    people.import_text(f"correo\n{with_more}", source="more")
    refresh_segment(people.engine, number, SETTINGS, lambda: NOW)

    def members() -> list[int]:
        query = f"SELECT contact_id FROM segment_members WHERE segment_id = {number} AND contact_id < 4"
        return sorted(contact for (contact,) in people.rows(query))

    had = members()
    take(people, replace(told("1", contact=1), at=NOW))
    run = refresh_segment(people.engine, number, SETTINGS, lambda: NOW + timedelta(minutes=1))

    assert run is not None
    assert (run.how, had, members()) == ("changes", before, after)
