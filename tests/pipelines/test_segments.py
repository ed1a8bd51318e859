"""Segments hold exactly whom their filter means, however little a refresh looks at, and tell who joined and left."""

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from pipelines import refreshes
from pipelines.contacts import clock_of
from pipelines.edits import ContactForm, archive_contact, create_contact, edit_contact
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.refreshes import refresh_due, refresh_segment
from pipelines.segments import (
    SegmentForm,
    SegmentInUse,
    ask_for_refresh,
    create_segment,
    drop_segment,
    edit_segment,
    pin,
    put_members,
)
from schemas.cql2 import as_text, parse
from schemas.filters import WrongFilter
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.conftest import Roll
from tests.pipelines.test_filters import FIELDS, fill, people, random_filter
from warehouse import segments
from warehouse.audit import Asked
from warehouse.bulk import take_ids
from warehouse.contact_writes import add_change
from warehouse.engines import reading, transaction
from warehouse.filter_sql import look_up, matching
from warehouse.interactions import add_interactions, count_interactions
from warehouse.tables import contacts

NOW = datetime(2026, 10, 31, 12, tzinfo=UTC)
SETTINGS = Settings(time_zone="America/New_York", default_country="CO")


def asked(now: datetime = NOW) -> Asked:
    return Asked("test", now)


def make(store: Roll, text: str, name: str = "Limeños", now: datetime = NOW, **values: Any) -> int:
    number = create_segment(store.engine, SETTINGS, SegmentForm(name, filter_text=text, **values), asked(now))
    refresh_segment(store.engine, number, SETTINGS, lambda: now)
    return number


def members(store: Roll, number: int) -> list[int]:
    with reading(store.engine) as connection:
        return list(segments.ids_in(connection, segments.members_query(number)).tolist())


def meant(store: Roll, number: int, now: datetime) -> list[int]:
    """Whom the segment's filter means at a moment, all contacts looked at."""
    with reading(store.engine) as connection:
        segment = segments.get_segment(connection, number)
        condition = understand(parse(segment.filter_text or ""), Catalogue(FIELDS, "CO"))
        query = matching(condition, clock_of(SETTINGS, now), look_up(connection, condition))
        return list(segments.ids_in(connection, query).tolist())


# ── exact ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("many", "steps"), [(10, 4), pytest.param(40, 25, marks=pytest.mark.slow)])
def test_what_changed_and_what_time_did_is_all_that_a_refresh_needs(
    store: Roll, monkeypatch: pytest.MonkeyPatch, many: int, steps: int
) -> None:
    """Random filters, changes and jumps of the clock, over the end of summer time; nothing is looked at in full."""
    monkeypatch.setattr(refreshes, "_FULL_SHARE", 0)
    pick, now = random.Random(5), NOW
    with transaction(store.engine) as connection:
        fill(connection, people(3))
        take_ids(connection, "contacts", 1_000)
        take_ids(connection, "contact_changes", 1_000)
        take_ids(connection, "interactions", 1_000)
        take_ids(connection, "segments", 10)
        take_ids(connection, "segment_events", 10)
        take_ids(connection, "tags", 10)
    numbers = []
    while len(numbers) < many:
        try:
            numbers.append(make(store, as_text(random_filter(pick)), f"s{len(numbers)}", now))
        except WrongField:  # a segment that there is not
            continue
    for _ in range(steps):
        for _ in range(pick.randrange(6)):
            change(store, pick, now)
        now += timedelta(minutes=pick.choice([0, 1, 15, 60, 60 * 11, 60 * 25, 60 * 24 * 30, -5, -60 * 30]))
        for number in numbers:
            ask_for_refresh(store.engine, number, asked(now))
            run = refresh_segment(store.engine, number, SETTINGS, lambda: now)  # noqa: B023 (called at once)
            assert run is not None
            assert (run.error_en, members(store, number)) == (None, meant(store, number, now))
            assert run.size == len(members(store, number))
    with reading(store.engine) as connection:
        ways = {run.how for number in numbers for run in segments.runs_of(connection, number, 100)}
    assert ways == {"full", "changes"}


def change(store: Roll, pick: random.Random, now: datetime) -> None:
    """One of the things that happen to contacts."""
    number = pick.randrange(1, 71)
    with reading(store.engine) as connection:
        living = segments.living_among(connection, [number])
    if not living:
        return
    match pick.randrange(6):
        case 0:
            form = ContactForm({"city": pick.choice(["Lima", "Bogotá", "Quito", None])})
            edit_contact(store.engine, SETTINGS, number, form, asked(now))
        case 1:
            form = ContactForm(tags=pick.sample(["vip", "nuevo", "ñandú"], pick.randrange(3)))
            edit_contact(store.engine, SETTINGS, number, form, asked(now))
        case 2:
            values = {"plan": pick.choice(["Oro", None]), "puntos": pick.choice([1, 2.5, None])}
            edit_contact(store.engine, SETTINGS, number, ContactForm(custom=values), asked(now))
        case 3:
            with transaction(store.engine) as connection:
                at = now - timedelta(hours=pick.choice([0, 1, 30]))
                kind, ref = pick.choice(["sent", "received", "clicked"]), pick.choice(["spring", None])
                row = {"contact_id": number, "kind": kind, "ref": ref, "at": at, "source": "t"}
                add_interactions(connection, [{**row, "external_id": str(pick.random())}])
                count_interactions(connection, [row])
        case 4:
            with transaction(store.engine) as connection:
                connection.execute(update(contacts).where(contacts.c.id == number).values(deleted_at=now))
                add_change(connection, number, "undo", None, asked(now))
        case _:
            email = f"new{pick.randrange(10**9)}@example.org"
            create_contact(store.engine, SETTINGS, ContactForm({"email": email, "city": "Lima"}), asked(now))


def test_a_second_refresh_looks_at_what_changed_only(store: Roll) -> None:
    store.import_text(
        "correo,ciudad\n" + "".join(f"a{n}@example.org,{'Lima' if n % 2 else 'Cali'}\n" for n in range(80))
    )
    number = make(store, "city = 'Lima'")
    edit_contact(store.engine, SETTINGS, 1, ContactForm({"city": "Lima"}), asked())
    edit_contact(store.engine, SETTINGS, 2, ContactForm({"city": "Cali"}), asked())

    ask_for_refresh(store.engine, number, asked())
    run = refresh_segment(store.engine, number, SETTINGS, lambda: NOW + timedelta(hours=1))

    assert run is not None
    assert (run.how, run.candidates, run.joined, run.left, run.size) == ("changes", 2, 1, 1, 40)
    with reading(store.engine) as connection:
        events = segments.events_of(connection, number, 2)
    assert {(event.contact_id, event.joined) for event in events} == {(1, True), (2, False)}


def test_who_joined_and_left_is_told_to_webhooks(store: Roll) -> None:
    store.import_text("correo,ciudad\na@example.org,Lima\nb@example.org,Cali\n")
    with transaction(store.engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO webhooks (id, url, events, secret, is_active, last_change, created_by, created_at) VALUES "
            f"""(1, 'https://example.org', '["segment.joined", "segment.left"]', 'x', {"true" if store.engine.dialect.name == "postgresql" else 1}, 0, 'x', {"now()" if store.engine.dialect.name == "postgresql" else 0})"""
        )
    number = make(store, "city = 'Lima'")
    edit_contact(store.engine, SETTINGS, 1, ContactForm({"city": "Cali"}), asked())
    ask_for_refresh(store.engine, number, asked())
    refresh_segment(store.engine, number, SETTINGS, lambda: NOW)

    told = [json.loads(body) for (body,) in store.rows("SELECT body FROM deliveries ORDER BY id")]
    assert [(one["type"], one["data"]["contact_ids"]) for one in told] == [
        ("segment.joined", [1]),
        ("segment.left", [1]),
    ]


# ── defining ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_of_segments_follows_them_and_no_circle_is_made(store: Roll) -> None:
    store.import_text("correo,ciudad\na@example.org,Lima\nb@example.org,Cali\n")
    inner = make(store, "city = 'Lima'", "Limeños")
    outer = make(store, "in_segment('LIMENOS') OR id = 99", "De Lima", schedule="15min")
    edit_contact(store.engine, SETTINGS, 2, ContactForm({"city": "Lima"}), asked())
    later = NOW + timedelta(minutes=16)
    ask_for_refresh(store.engine, inner, asked(later))

    assert refresh_due(store.engine, SETTINGS, lambda: later) == 2
    assert (members(store, inner), members(store, outer)) == ([1, 2], [1, 2])
    with pytest.raises(WrongField, match="cannot ask for itself"):
        edit_segment(store.engine, SETTINGS, inner, {"filter_text": "in_segment('De Lima')"}, asked())
    with pytest.raises(SegmentInUse, match="asked for by De Lima"):
        drop_segment(store.engine, inner, asked())
    drop_segment(store.engine, outer, asked())
    drop_segment(store.engine, inner, asked())
    assert make(store, "city = 'Lima'", "Limeños") > outer


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (SegmentForm(" ", filter_text="sent > 1"), "name"),
        (SegmentForm("x" * 101, filter_text="sent > 1"), "name"),
        (SegmentForm("limeños ", filter_text="sent > 1"), "name"),
        (SegmentForm("x"), "filter"),
        (SegmentForm("x", filter_text="in_segment('nadie')"), "filter"),
        (SegmentForm("x", kind="odd", filter_text="sent > 1"), "kind"),
        (SegmentForm("x", filter_text="sent > 1", schedule="soon"), "schedule"),
        (SegmentForm("x", filter_text="sent > 1", schedule="0min"), "schedule"),
        (SegmentForm("x", filter_text="sent > 1", schedule="at 25:00"), "schedule"),
    ],
    ids=str,
)
def test_what_no_segment_can_be_is_refused_by_field(roll: Roll, form: SegmentForm, field: str) -> None:
    make(roll, "city = 'Lima'", "Limeños")

    with pytest.raises(WrongField) as refused:
        create_segment(roll.engine, SETTINGS, form, asked())

    assert refused.value.field == field
    with pytest.raises(WrongFilter):
        create_segment(
            roll.engine, SETTINGS, replace(form, name="otro", kind="dynamic", filter_text="citi = 'x'"), asked()
        )


def test_pins_hold_whatever_the_filter_says(store: Roll) -> None:
    store.import_text("correo,ciudad\na@example.org,Lima\nb@example.org,Cali\nc@example.org,Lima\n")
    number = make(store, "city = 'Lima'")
    pin(store.engine, number, 2, asked(), is_in=True)
    pin(store.engine, number, 3, asked(), is_in=False)

    refresh_segment(store.engine, number, SETTINGS, lambda: NOW)
    pinned = members(store, number)
    pin(store.engine, number, 2, asked(), is_in=None)
    refresh_segment(store.engine, number, SETTINGS, lambda: NOW)

    assert (pinned, members(store, number)) == ([1, 2], [1])


def test_a_static_segment_is_a_list_and_a_snapshot_stays_as_it_was(store: Roll) -> None:
    store.import_text("correo,ciudad\na@example.org,Lima\nb@example.org,Cali\n")
    fixed = create_segment(store.engine, SETTINGS, SegmentForm("Lista", "static", contacts=(1, 77)), asked())
    picture = make(store, "city = 'Lima'", "Foto", kind="snapshot")
    edit_contact(store.engine, SETTINGS, 2, ContactForm({"city": "Lima"}), asked())

    assert put_members(store.engine, fixed, [2], asked()) == 1
    assert (members(store, fixed), members(store, picture)) == ([2], [1])
    for number in (fixed, picture):
        with pytest.raises(WrongField):
            ask_for_refresh(store.engine, number, asked())


# ── refreshing on schedule ───────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_is_refreshed_when_it_is_due_and_not_before(roll: Roll) -> None:
    number = make(roll, "city = 'Lima'", schedule="15min")

    early = refresh_due(roll.engine, SETTINGS, lambda: NOW + timedelta(minutes=14))
    due = refresh_due(roll.engine, SETTINGS, lambda: NOW + timedelta(minutes=15))
    again = refresh_due(roll.engine, SETTINGS, lambda: NOW + timedelta(minutes=16))

    assert (early, due, again) == (0, 1, 0)
    with reading(roll.engine) as connection:
        assert len(segments.runs_of(connection, number, 10)) == 2


def test_a_segment_that_fails_is_noted_tried_again_and_keeps_nobody_back(roll: Roll) -> None:
    roll.import_text("correo,ciudad,custom.plan\na@example.org,Lima,oro\n", columns={"custom.plan": "custom.plan"})
    broken, other = make(roll, "custom.plan = 'oro'", "Plan"), make(roll, "city = 'Lima'", "Lima")
    roll.run("UPDATE custom_fields SET key = 'gone'")
    for number in (broken, other):
        ask_for_refresh(roll.engine, number, asked())

    assert refresh_due(roll.engine, SETTINGS, lambda: NOW) == 2
    with reading(roll.engine) as connection:
        found, fine = segments.get_segment(connection, broken), segments.get_segment(connection, other)
    assert (found.failures, found.next_at) == (1, NOW + timedelta(minutes=1))
    assert "custom.plan" in str(found.error_en)
    assert (fine.failures, fine.as_of, members(roll, broken)) == (0, NOW, [1])
    roll.run("UPDATE custom_fields SET key = 'plan'")
    assert refresh_due(roll.engine, SETTINGS, lambda: NOW + timedelta(minutes=2)) == 1
    with reading(roll.engine) as connection:
        assert segments.get_segment(connection, broken).failures == 0


def test_a_refresh_that_died_is_done_again_when_its_lease_is_over(roll: Roll) -> None:
    number = make(roll, "city = 'Lima'", schedule="15min")
    later = NOW + timedelta(minutes=20)
    with transaction(roll.engine) as connection:
        assert segments.claim_segment(connection, number, "dead", later, later + timedelta(minutes=1)) is not None

    during = refresh_due(roll.engine, SETTINGS, lambda: later)
    after = refresh_due(roll.engine, SETTINGS, lambda: later + timedelta(minutes=2))

    assert (during, after) == (0, 1)


def test_pages_of_members_fit_together_whatever_moves_between_them(store: Roll) -> None:
    store.import_text("correo,ciudad\n" + "".join(f"a{n}@example.org,Lima\n" for n in range(10)))
    number = make(store, "city = 'Lima'")
    with reading(store.engine) as connection:
        event = segments.last_ids(connection)[2]
        first = segments.members_at(connection, number, event, 0, 4)
    edit_contact(store.engine, SETTINGS, 6, ContactForm({"city": "Cali"}), asked())
    new = create_contact(store.engine, SETTINGS, ContactForm({"email": "z@example.org", "city": "Lima"}), asked())
    archive_contact(store.engine, 7, asked())
    ask_for_refresh(store.engine, number, asked())
    refresh_segment(store.engine, number, SETTINGS, lambda: NOW)

    with reading(store.engine) as connection:
        rest = segments.members_at(connection, number, event, first[-1], 100)
        now = segments.members_at(connection, number, segments.last_ids(connection)[2], 0, 100)

    assert first + rest == list(range(1, 11))
    assert now == [1, 2, 3, 4, 5, 7, 8, 9, 10, new]


def test_the_days_of_a_segment_begin_in_the_installations_zone(roll: Roll) -> None:
    roll.import_text("correo,fecha de creación\na@example.org,2026-11-01T03:30:00Z\n")  # still October in New York
    number = make(roll, "created_at >= today()", now=datetime(2026, 11, 1, 3, 59, tzinfo=UTC))
    assert members(roll, number) == [1]

    ask_for_refresh(roll.engine, number, asked())
    refresh_segment(roll.engine, number, SETTINGS, lambda: datetime(2026, 11, 1, 4, 1, tzinfo=UTC))

    assert members(roll, number) == []
    assert ZoneInfo(SETTINGS.time_zone).key == "America/New_York"


def test_a_segment_on_a_number_or_a_day_keeps_no_other_back(roll: Roll) -> None:
    roll.import_text("correo,ciudad\na@example.org,Lima\n")
    roll.run(
        "INSERT INTO custom_fields (id, key, label, type, created_at) VALUES (1, 'puntos', 'puntos', 'number', 0),"
        " (2, 'renueva', 'renueva', 'date', 0)"
    )
    make(roll, "custom.puntos >= 5 OR custom.renueva <= ahead('7d')", "Números", schedule="15min")
    other = make(roll, "city = 'Lima'", "Lima", schedule="15min")

    assert refresh_due(roll.engine, SETTINGS, lambda: NOW + timedelta(minutes=15)) == 2
    drop_segment(roll.engine, other, asked())


def test_what_is_changed_during_a_refresh_is_done_after_it(roll: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    roll.import_text("correo,ciudad\na@example.org,Lima\nb@example.org,Cali\n")
    number = make(roll, "city = 'Lima'")
    ask_for_refresh(roll.engine, number, asked())

    def meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(refreshes, "matching", matching)
        found = matching(*arguments)
        edit_segment(roll.engine, SETTINGS, number, {"filter_text": "city = 'Cali'"}, asked())
        return found

    monkeypatch.setattr(refreshes, "matching", meanwhile)
    refresh_segment(roll.engine, number, SETTINGS, lambda: NOW)

    assert refresh_due(roll.engine, SETTINGS, lambda: NOW) == 1
    assert members(roll, number) == [2]


def test_a_snapshot_is_taken_once_whatever_is_said_of_it(roll: Roll) -> None:
    roll.import_text("correo,ciudad\na@example.org,Lima\nb@example.org,Cali\n")
    number = make(roll, "city = 'Lima'", "Foto", kind="snapshot")
    edit_contact(roll.engine, SETTINGS, 2, ContactForm({"city": "Lima"}), asked())
    edit_segment(roll.engine, SETTINGS, number, {"name": "La foto", "schedule": "1d"}, asked())

    assert refresh_segment(roll.engine, number, SETTINGS, lambda: NOW) is None
    assert refresh_due(roll.engine, SETTINGS, lambda: NOW + timedelta(days=9)) == 0
    assert members(roll, number) == [1]
    with pytest.raises(WrongField):
        edit_segment(roll.engine, SETTINGS, number, {"filter_text": "sent > 1"}, asked())
