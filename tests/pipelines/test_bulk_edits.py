"""One edit of many contacts: whom it reaches, what it leaves, and how it is taken back."""

import json
from typing import Any

import pytest

from pipelines.bulk_edits import BulkForm, ask_for_edit
from pipelines.contacts import find_contact
from pipelines.edits import ContactForm, block_contact, edit_contact
from pipelines.imports import Clock
from pipelines.jobs import ask_for_undo, cancel_job, run_job
from pipelines.removals import delete_contact
from pipelines.undo import undo_batch, undo_by_hand
from schemas.errors import InputError
from schemas.filters import WrongFilter
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from warehouse import batches
from warehouse.audit import Asked
from warehouse.batches import EDIT
from warehouse.engines import reading

SETTINGS = Settings(default_country="CO")
_PEOPLE = (
    "nombre,celular,correo,ciudad,etiquetas,plan\n"
    "Ana,+573001112233,,Lima,vip; viejo,oro\n"
    "Eva,+573001112244,,Lima,vip,\n"
    "Luis,,luis@example.org,Lima,,plata\n"
    "Noé,+573001112255,,Cali,viejo,oro\n"
)


def asked() -> Asked:
    return Asked("test", utc_now())


@pytest.fixture
def people(store: Roll) -> Roll:
    assert store.import_text(_PEOPLE, custom_fields={"plan": "text"}).created == 4
    return store


def edit(store: Roll, filter_text: str = "city = 'Lima'", clock: Clock = utc_now, **what: Any) -> dict[str, Any]:
    """Edit those who match; what the job says."""
    work = ask_for_edit(store.engine, SETTINGS, BulkForm(filter_text, **what), asked())
    done = run_job(store.engine, work.id, SETTINGS, clock)
    assert done is not None
    assert done.state == "done", done
    return dict(done.result or {})


def undo(store: Roll, number: int) -> Any:
    return undo_by_hand(store.engine, number, asked(), utc_now)


def everything(store: Roll) -> dict[str, dict[str, Any]]:
    """What each contact has, by name, but for versions."""
    found = {}
    for number, name in store.rows("SELECT id, display_name FROM contacts ORDER BY id"):
        detail = find_contact(store.engine, number)
        own = {key: value for key, value in detail.contact.items() if key not in ("version", "applied")}
        found[name] = {**own, "tags": detail.tags, "custom": detail.custom}
    return found


def test_tags_fields_and_values_of_those_who_match_are_changed_and_taken_back(people: Roll) -> None:
    before = everything(people)

    done = edit(people, fields={"city": "Quito", "company": "ACME"}, custom={"plan": "oro"}, add_tags=["VIP", "Nuevo"], remove_tags=["viejo"])  # fmt: skip
    during = everything(people)
    report = undo(people, done["batch_id"])

    assert done == {"batch_id": 2, "matched": 3, "changed": 3, "skipped": 0}
    assert {name: (one["city"], one["company"], one["custom"], one["tags"]) for name, one in during.items()} == {
        "Ana": ("Quito", "ACME", {"plan": "oro"}, ["Nuevo", "vip"]),
        "Eva": ("Quito", "ACME", {"plan": "oro"}, ["Nuevo", "vip"]),
        "Luis": ("Quito", "ACME", {"plan": "oro"}, ["Nuevo", "vip"]),
        "Noé": ("Cali", None, {"plan": "oro"}, ["viejo"]),
    }
    assert (report.restored, report.kept) == (3, ())
    assert everything(people) == before


def test_history_tells_of_each_change_and_nobody_changes_who_has_it_already(people: Roll) -> None:
    edit(people, add_tags=["vip"])

    changes = people.rows("SELECT contact_id, actor, diff FROM contact_changes WHERE batch_id = 2")
    assert [(number, actor) for number, actor, _ in changes] == [(3, "test")]
    diff = changes[0][2]
    assert (json.loads(diff) if isinstance(diff, str) else diff)["tags"][0] == []
    assert edit(people, add_tags=["vip"])["changed"] == 0
    [action] = people.rows("SELECT DISTINCT action FROM audit")
    assert action == ("contacts:edit_many",)


def test_whom_it_cannot_be_done_to_stays_and_is_counted(people: Roll) -> None:
    block_contact(people.engine, 1, "insulta", asked())

    by_channel = edit(people, fields={"channel": "whatsapp"})
    archived = edit(people, action="archive")

    assert (by_channel["changed"], by_channel["skipped"]) == (2, 1)
    assert (archived["changed"], archived["skipped"]) == (2, 1)
    assert people.rows("SELECT id, status, channel FROM contacts ORDER BY id") == [
        (1, "blocked", "whatsapp"),
        (2, "archived", "whatsapp"),
        (3, "archived", None),
        (4, "active", None),
    ]


def test_a_block_of_many_has_its_reason_and_is_lifted_by_undo(people: Roll) -> None:
    done = edit(people, action="block", reason="campaña ajena")
    blocked = people.rows("SELECT status, blocked_reason FROM contacts WHERE blocked_at IS NOT NULL")
    report = undo(people, done["batch_id"])

    assert blocked == [("blocked", "campaña ajena")] * 3
    assert (report.lifted, people.rows("SELECT DISTINCT status, blocked_at FROM contacts")) == (3, [("active", None)])


def test_who_is_blocked_already_keeps_when_and_why(people: Roll) -> None:
    block_contact(people.engine, 1, "insulta", asked())
    before = people.one("SELECT blocked_at, blocked_reason FROM contacts WHERE id = 1")

    done = edit(people, action="block", reason="campaña ajena", add_tags=["fuera"])

    assert done["changed"] == 3
    assert people.one("SELECT blocked_at, blocked_reason FROM contacts WHERE id = 1") == before
    assert everything(people)["Ana"]["tags"] == ["fuera", "viejo", "vip"]


def test_a_value_from_an_edit_of_many_names_who_made_it_and_no_file(people: Roll) -> None:
    edit(people, fields={"company": "ACME"})

    origin = find_contact(people.engine, 1).origins["company"]
    assert (origin.actor, origin.file, origin.batch_id) == ("test", None, 2)


def test_what_was_edited_later_stays_and_is_listed(people: Roll) -> None:
    done = edit(people, fields={"city": "Quito"}, add_tags=["nuevo"], remove_tags=["vip"])
    edit_contact(people.engine, SETTINGS, 1, ContactForm({"city": "Loja"}), asked())
    edit_contact(people.engine, SETTINGS, 2, ContactForm(tags=["nuevo", "otro"]), asked())

    report = undo(people, done["batch_id"])

    found = everything(people)
    assert (found["Ana"]["city"], found["Ana"]["tags"]) == ("Loja", ["viejo", "vip"])
    assert (found["Eva"]["city"], found["Eva"]["tags"]) == ("Lima", ["otro"])
    assert report.kept == (1,)


def test_those_who_were_picked_are_changed_and_no_others(people: Roll) -> None:
    work = ask_for_edit(people.engine, SETTINGS, BulkForm(ids=(1, 4, 99), add_tags=["elegido"]), asked())
    run_job(people.engine, work.id, SETTINGS, utc_now)

    assert [one["tags"] for one in everything(people).values()] == [["elegido", "viejo", "vip"], ["vip"], [], ["elegido", "viejo"]]  # fmt: skip


def test_nobody_is_changed_where_others_match_than_were_seen(people: Roll) -> None:
    with pytest.raises(WrongField, match="3 contacts match by now, and not 2"):
        ask_for_edit(people.engine, SETTINGS, BulkForm("city = 'Lima'", add_tags=["x"], expected=2), asked())

    assert (
        ask_for_edit(people.engine, SETTINGS, BulkForm("city = 'Lima'", add_tags=["x"], expected=3), asked()).total == 3
    )


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (BulkForm(add_tags=["x"]), "filter"),
        (BulkForm("city = 'Lima'", ids=(1,), add_tags=["x"]), "filter"),
        (BulkForm("city = 'Lima'"), "fields"),
        (BulkForm("city = 'Lima'", action="block"), "reason"),
        (BulkForm("city = 'Lima'", action="erase"), "action"),
        (BulkForm("city = 'Lima'", fields={"phone": "3001112233"}), "phone"),
        (BulkForm("city = 'Lima'", fields={"status": "blocked"}), "status"),
        (BulkForm("city = 'Lima'", fields={"status": "inactive"}, action="archive"), "status"),
        (BulkForm("city = 'Lima'", custom={"nada": "x"}), "custom.nada"),
        (BulkForm("city = 'Lima'", custom={"plan": 3.0}), "custom.plan"),
        (BulkForm("city = 'Lima'", add_tags=["VIP"], remove_tags=["vip "]), "add_tags"),
        (BulkForm("city = 'Lima'", add_tags=[" "]), "add_tags"),
    ],
)
def test_what_nobody_can_mean_is_refused_before_anything_is_changed(people: Roll, form: BulkForm, field: str) -> None:
    with pytest.raises(WrongField) as refused:
        ask_for_edit(people.engine, SETTINGS, form, asked())

    assert refused.value.field == field
    assert people.rows("SELECT id FROM jobs") == []


def test_a_wrong_filter_is_refused_with_its_place(people: Roll) -> None:
    with pytest.raises(WrongFilter, match="citi"):
        ask_for_edit(people.engine, SETTINGS, BulkForm("citi = 'Lima'", add_tags=["x"]), asked())


def test_an_edit_is_no_import_and_cannot_be_undone_while_it_runs(people: Roll) -> None:
    work = ask_for_edit(people.engine, SETTINGS, BulkForm("city = 'Lima'", add_tags=["x"]), asked())
    with reading(people.engine) as connection:
        listed = [one.id for one in batches.list_batches(connection, 10)]

    with pytest.raises(InputError, match="not finished"):
        ask_for_undo(people.engine, 2, asked())
    cancel_job(people.engine, work.id, asked())
    job = ask_for_undo(people.engine, 2, asked())
    done = run_job(people.engine, job.id, SETTINGS, utc_now)

    assert (listed, work.kind) == ([1], EDIT)
    assert done is not None
    assert (done.state, people.one("SELECT state FROM batches WHERE id = 2")) == ("done", "undone")


class Died(BaseException):
    """Stands for the death of a worker at this line."""


def test_an_edit_that_died_halfway_goes_on_and_changes_nobody_twice(
    people: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.bulk_edits._AT_ONCE", 1)
    before = everything(people)
    work = ask_for_edit(people.engine, SETTINGS, BulkForm("NOT tagged('x')", add_tags=["x"]), asked())
    asks = 0

    def clock() -> Any:
        nonlocal asks
        asks += 1
        if asks == 9:
            raise Died
        return utc_now()

    with pytest.raises(Died):
        run_job(people.engine, work.id, SETTINGS, clock)
    reached = people.one("SELECT count(*) FROM contact_changes WHERE batch_id = 2")
    people.run("UPDATE jobs SET lease_until = NULL")
    done = run_job(people.engine, work.id, SETTINGS, utc_now)

    assert 0 < reached < 4
    assert done is not None
    assert (done.result or {})["changed"] == 4
    assert people.one("SELECT count(*), count(DISTINCT contact_id) FROM contact_changes WHERE batch_id = 2") == (4, 4)
    undo(people, 2)
    assert everything(people) == before


def test_tags_are_taken_back_from_many_at_once_and_from_those_whom_others_changed_one_by_one(
    people: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.undo_tags._AT_ONCE", 2)
    done = edit(people, "NOT tagged('x')", add_tags=["nuevo"], remove_tags=["viejo"])
    edit_contact(people.engine, SETTINGS, 1, ContactForm(tags=["nuevo", "otro"]), asked())
    delete_contact(people.engine, 3, asked())
    people.import_text(_PEOPLE.splitlines()[0] + "\nEva,+573001112244,,Lima,nuevo,\n")

    report = undo(people, done["batch_id"])

    tags = {name: find_contact(people.engine, number).tags for number, name in people.living("id, display_name")}
    assert tags == {"Ana": ["otro"], "Eva": ["nuevo", "vip"], "Noé": ["viejo"]}
    assert (report.restored, report.kept) == (2, (2,))


def test_taking_tags_back_that_was_cut_off_goes_on(people: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.undo_tags._AT_ONCE", 1)
    before = everything(people)
    edit(people, "NOT tagged('x')", add_tags=["nuevo"], remove_tags=["viejo"])
    reached: list[int] = []

    def progress(done: int, total: int) -> None:
        reached.append(done)
        if done == 2:
            raise Died

    with pytest.raises(Died):
        undo_batch(people.engine, 2, "test", utc_now, progress)
    undo_batch(people.engine, 2, "test", utc_now)

    assert reached == [0, 1, 2]
    assert everything(people) == before
    assert people.one("SELECT count(*) FROM contact_changes WHERE operation = 'undo'") == 4


def test_a_tag_that_many_get_changes_the_version_and_not_what_a_file_row_left(people: Roll) -> None:
    before = find_contact(people.engine, 1).version
    edit(people, add_tags=["nuevo"])

    assert find_contact(people.engine, 1).version > before
    assert people.import_text(_PEOPLE, custom_fields={"plan": "text"}).unchanged == 4
    assert "nuevo" in find_contact(people.engine, 1).tags
    edit(people, remove_tags=["vip"])
    assert people.import_text(_PEOPLE, custom_fields={"plan": "text"}).updated == 2
