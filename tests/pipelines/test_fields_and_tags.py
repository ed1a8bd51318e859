"""Custom fields are defined, archived and converted; tags are kept tidy."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines import fields as field_pipeline
from pipelines.contacts import find_contact, find_contacts, history_of, read_filter
from pipelines.edits import ContactForm, edit_contact
from pipelines.fields import (
    FieldForm,
    ask_for_conversion,
    create_field,
    edit_field,
    find_fields,
    run_conversion,
)
from pipelines.jobs import ask_for_undo, run_job
from pipelines.segments import SegmentForm, create_segment
from pipelines.tags import TagInUse, drop_tag, edit_tag, find_tags, merge_tags, near_tags
from schemas.filters import WrongFilter
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from warehouse.audit import Asked
from warehouse.contact_lists import Wanted
from warehouse.fields import NoSuchField, NoSuchTag, Tag

SETTINGS = Settings(time_zone="America/Lima", default_country="CO")


def asked() -> Asked:
    return Asked("test", utc_now())


def custom(store: Roll, key: str) -> list[Any]:
    count = store.one("SELECT max(id) FROM contacts")
    return [find_contact(store.engine, number).custom.get(key) for number in range(1, count + 1)]


def with_values(store: Roll, *values: str, kind: str = "text") -> None:
    rows = "".join(f'C{at},c{at}@example.org,"{value}"\n' for at, value in enumerate(values))
    assert store.import_text(f"nombre,correo,dato\n{rows}", custom_fields={"dato": kind}).created == len(values)


def convert(store: Roll, wanted: str) -> Any:
    work = ask_for_conversion(store.engine, "dato", wanted, asked())
    return run_job(store.engine, work.id, SETTINGS, utc_now)


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_field_is_defined_named_archived_and_taken_out_again(store: Roll) -> None:
    made = create_field(store.engine, FieldForm("plan", "text"), asked())
    store.import_text("nombre,correo,plan\nAna,ana@example.org,oro\n", columns={"plan": "custom.plan"})
    named = edit_field(store.engine, "plan", asked(), label="Plan contratado")
    edit_field(store.engine, "plan", asked(), is_archived=True)
    away = custom(store, "plan")
    edit_field(store.engine, "plan", asked(), is_archived=False)

    assert (made.label, named.label, away, custom(store, "plan")) == ("plan", "Plan contratado", [None], ["oro"])
    assert [one.key for one in find_fields(store.engine)] == ["plan"]
    for form, field in (
        (FieldForm("plan"), "key"),
        (FieldForm("Dos Palabras"), "key"),
        (FieldForm("x", "colour"), "type"),
    ):
        with pytest.raises(WrongField) as error:
            create_field(store.engine, form, asked())
        assert error.value.field == field
    with pytest.raises(NoSuchField):
        edit_field(store.engine, "nada", asked(), label="x")


def test_a_field_that_a_segment_asks_for_is_not_put_away(store: Roll) -> None:
    create_field(store.engine, FieldForm("plan", "text"), asked())
    create_segment(store.engine, SETTINGS, SegmentForm("Oro", filter_text="custom.plan = 'oro'"), asked())

    with pytest.raises(WrongField, match="Oro"):
        edit_field(store.engine, "plan", asked(), is_archived=True)
    with pytest.raises(WrongField, match="Oro"):
        ask_for_conversion(store.engine, "plan", "number", asked())


@pytest.mark.parametrize(
    ("kind", "values", "wanted", "expected"),
    [
        ("text", ["1.200,50", "7", "-3"], "number", [1200.5, 7.0, -3.0]),
        ("text", ["sí", "no", "TRUE"], "boolean", [True, False, True]),
        ("text", ["2026-03-01", "15/04/2026"], "date", [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 15, tzinfo=UTC)]),
        ("text", ["2026-03-01 10:00"], "datetime", [datetime(2026, 3, 1, 15, tzinfo=UTC)]),
        ("text", ["largo"], "long_text", ["largo"]),
        ("number", ["1200.5", "7"], "text", ["1200.5", "7"]),
        ("number", ["1", "0"], "boolean", [True, False]),
        ("boolean", ["sí", "no"], "number", [1.0, 0.0]),
        ("boolean", ["sí", "no"], "text", ["true", "false"]),
        ("date", ["2026-03-01"], "text", ["2026-03-01"]),
        ("date", ["2026-03-01"], "datetime", [datetime(2026, 3, 1, tzinfo=UTC)]),
        ("datetime", ["2026-03-01 10:00"], "text", ["2026-03-01 10:00:00Z"]),
    ],
)  # fmt: skip
def test_values_are_what_they_were_in_the_other_type(
    store: Roll, kind: str, values: list[str], wanted: str, expected: list[Any]
) -> None:
    with_values(store, *values, kind=kind)

    done = convert(store, wanted)

    assert (done.state, done.result) == ("done", {"key": "dato", "type": wanted, "values": len(values)})
    assert custom(store, "dato") == expected
    assert [(one.key, one.type) for one in find_fields(store.engine)] == [("dato", wanted)]
    assert store.one("SELECT count(*) FROM custom_fields") == 1


def test_nothing_is_converted_where_one_value_does_not_fit(store: Roll) -> None:
    with_values(store, "7", "siete", "8")

    done = convert(store, "number")

    assert (done.state, done.message_en) == (
        "failed",
        "1 values of «dato» are no number, such as those of the contacts 2. Nothing was changed.",
    )
    assert custom(store, "dato") == ["7", "siete", "8"]
    assert store.one("SELECT count(*) FROM custom_fields") == 1


def test_what_changes_meanwhile_is_converted_too(store: Roll, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_pipeline, "_AT_ONCE", 2)
    with_values(store, "1", "2", "3", "4", "5")

    def progress(done: int, total: int) -> None:
        if done == 4:
            edit_contact(store.engine, SETTINGS, 1, ContactForm(custom={"dato": "10"}), asked())
            edit_contact(store.engine, SETTINGS, 2, ContactForm(custom={"dato": None}), asked())
            store.import_text("nombre,correo,dato\nNuevo,nuevo@example.org,60\n", columns={"dato": "custom.dato"})

    run_conversion(store.engine, "dato", "number", SETTINGS, utc_now, progress)

    assert custom(store, "dato") == [10.0, None, 3.0, 4.0, 5.0, 60.0]


# ── choices ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def choosing(store: Roll) -> Roll:
    """Contacts whose field `plan` is one of three, and `gustos` some of four."""
    create_field(store.engine, FieldForm("plan", "choice", options=("Oro", "Plata", "50%_off")), asked())
    create_field(store.engine, FieldForm("gustos", "choices", options=("té", "café", "mate", "agua con gas")), asked())
    report = store.import_text(
        "nombre,correo,plan,gustos\nAna,a@example.org, ORO ,CAFE; te\nEva,e@example.org,50%_OFF,Agua con gas\n"
        "Luis,l@example.org,bronce,mate; vino\nNoé,n@example.org,,\n",
        columns={"plan": "custom.plan", "gustos": "custom.gustos"},
    )
    assert (report.created, report.warnings) == (4, 1)
    return store


def found(store: Roll, filter_text: str) -> list[str]:
    wanted = Wanted(read_filter(store.engine, SETTINGS, filter_text), order="id", descending=False)
    return [one.contact["display_name"] for one in find_contacts(store.engine, SETTINGS, wanted, 10, utc_now())]


def test_options_are_known_in_any_spelling_and_others_are_reported(choosing: Roll) -> None:
    assert custom(choosing, "plan") == ["Oro", "50%_off", None, None]
    assert custom(choosing, "gustos") == [["té", "café"], ["agua con gas"], None, None]
    said = (choosing.folder / f"report-{choosing.imports}.csv").read_text("utf-8-sig")
    assert "not_an_option; not_an_option" in said

    edit_contact(choosing.engine, SETTINGS, 4, ContactForm(custom={"plan": "plata", "gustos": ["mate", "TÉ"]}), asked())
    assert (custom(choosing, "plan")[3], custom(choosing, "gustos")[3]) == ("Plata", ["té", "mate"])
    diff = {"custom.plan": [None, "Plata"], "custom.gustos": [None, ["té", "mate"]]}
    assert history_of(choosing.engine, 4, 1)[0].diff == diff
    before = find_contact(choosing.engine, 4).version
    edit_contact(choosing.engine, SETTINGS, 4, ContactForm(custom={"gustos": "mate; té"}), asked())
    assert find_contact(choosing.engine, 4).version == before
    for key, wrong in (("plan", "bronce"), ("plan", ["Oro"]), ("gustos", ["vino"]), ("plan", 3.0)):
        with pytest.raises(WrongField) as error:
            edit_contact(choosing.engine, SETTINGS, 4, ContactForm(custom={key: wrong}), asked())  # type: ignore[dict-item]
        assert error.value.field == f"custom.{key}"


@pytest.mark.parametrize(
    ("filter_text", "names"),
    [
        ("custom.plan = 'oro'", ["Ana"]),
        ("custom.plan = '50%_off'", ["Eva"]),
        ("custom.plan IN ('Oro', '50%_OFF')", ["Ana", "Eva"]),
        ("custom.plan <> 'oro'", ["Eva"]),
        ("custom.plan IS NULL", ["Luis", "Noé"]),
        ("A_CONTAINS(custom.gustos, ('Cafe'))", ["Ana"]),
        ("A_CONTAINS(custom.gustos, ('café', 'té'))", ["Ana"]),
        ("A_CONTAINS(custom.gustos, ('café', 'mate'))", []),
        ("A_OVERLAPS(custom.gustos, ('agua con gas', 'té'))", ["Ana", "Eva"]),
        ("A_CONTAINEDBY(custom.gustos, ('agua con gas', 'mate'))", ["Eva"]),
        ("A_EQUALS(custom.gustos, ('té', 'café'))", ["Ana"]),
        ("A_EQUALS(custom.gustos, ('té'))", []),
        ("custom.gustos IS NULL", ["Luis", "Noé"]),
        ("NOT A_OVERLAPS(custom.gustos, ('té'))", ["Eva", "Luis", "Noé"]),
    ],
)
def test_filters_ask_for_options(choosing: Roll, filter_text: str, names: list[str]) -> None:
    assert found(choosing, filter_text) == names


@pytest.mark.parametrize(
    ("filter_text", "said"),
    [
        ("custom.plan = 'bronce'", "plan is one of Oro, Plata, 50%_off"),
        ("A_CONTAINS(custom.gustos, ('vino'))", "gustos is one of té"),
        ("custom.gustos = 'té'", "custom.gustos is a list: ask A_CONTAINS"),
        ("custom.plan LIKE 'o%'", "LIKE asks for a text"),
    ],
)
def test_what_is_no_option_is_told_with_those_there_are(choosing: Roll, filter_text: str, said: str) -> None:
    with pytest.raises(WrongFilter, match=said):
        found(choosing, filter_text)


def test_an_option_that_somebody_has_stays(choosing: Roll) -> None:
    for key, options in (("plan", ["Plata"]), ("gustos", ["té", "mate"])):
        with pytest.raises(WrongField, match="Contacts have the option"):
            edit_field(choosing.engine, key, asked(), options=options)
    edited = edit_field(choosing.engine, "plan", asked(), options=["50%_off", "Oro", "Bronce"])

    assert edited.options == ["50%_off", "Oro", "Bronce"]
    edit_contact(choosing.engine, SETTINGS, 3, ContactForm(custom={"plan": "bronce"}), asked())
    assert custom(choosing, "plan")[2] == "Bronce"
    forms = (
        FieldForm("x", "choice"),
        FieldForm("x", "text", options=("a",)),
        FieldForm("x", "choice", options=("a", "A ")),
    )
    for form in forms:
        with pytest.raises(WrongField) as error:
            create_field(choosing.engine, form, asked())
        assert error.value.field == "options"


def test_texts_become_choices_and_choices_texts(store: Roll) -> None:
    with_values(store, "Oro", "oro", "plata; oro", "plata")
    assert convert(store, "choices").state == "done"
    several = custom(store, "dato")
    assert convert(store, "text").state == "done"

    assert several == [["Oro"], ["Oro"], ["Oro", "plata"], ["plata"]]
    assert custom(store, "dato") == ["Oro", "Oro", "Oro; plata", "plata"]


def test_an_import_that_set_options_is_taken_back(choosing: Roll) -> None:
    choosing.import_text(
        "nombre,correo,gustos\nAna,a@example.org,mate\n", columns={"gustos": "custom.gustos"}, duplicates="overwrite"
    )
    during = custom(choosing, "gustos")[0]
    work = ask_for_undo(choosing.engine, 2, asked())
    run_job(choosing.engine, work.id, SETTINGS, utc_now)

    assert (during, custom(choosing, "gustos")[0]) == (["mate"], ["té", "café"])


# ── tags ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tagged(store: Roll) -> Roll:
    store.import_text(
        "nombre,correo,etiquetas\nAna,a@example.org,VIP; cliente\nEva,e@example.org,Vips\nLuis,l@example.org,vip\n"
    )
    return store


def numbers(store: Roll) -> dict[str, int]:
    return {tag.name: tag.id for tag in find_tags(store.engine)}


def test_tags_are_counted_named_and_coloured(tagged: Roll) -> None:
    assert {tag.name: tag.contacts for tag in find_tags(tagged.engine)} == {"VIP": 2, "Vips": 1, "cliente": 1}

    edited = edit_tag(tagged.engine, numbers(tagged)["cliente"], asked(), name="Clienta", colour="#1D4ED8")

    assert (edited.name, edited.form, edited.colour) == ("Clienta", "clienta", "#1d4ed8")
    assert find_contact(tagged.engine, 1).tags == ["Clienta", "VIP"]
    assert edit_tag(tagged.engine, edited.id, asked(), colour="").colour is None
    for wrong in ({"name": " "}, {"name": "vip"}, {"colour": "blue"}):
        with pytest.raises(WrongField):
            edit_tag(tagged.engine, edited.id, asked(), **wrong)
    with pytest.raises(NoSuchTag):
        edit_tag(tagged.engine, 99, asked(), name="x")


def test_one_tag_is_merged_into_another_and_that_is_taken_back(tagged: Roll) -> None:
    found = numbers(tagged)
    work = merge_tags(tagged.engine, SETTINGS, found["Vips"], found["VIP"], asked())
    done = run_job(tagged.engine, work.id, SETTINGS, utc_now)
    during = find_contact(tagged.engine, 2).tags
    undone = ask_for_undo(tagged.engine, 2, asked())
    run_job(tagged.engine, undone.id, SETTINGS, utc_now)

    assert done is not None
    assert (done.result, during) == ({"batch_id": 2, "matched": 1, "changed": 1, "skipped": 0}, ["VIP"])
    assert find_contact(tagged.engine, 2).tags == ["Vips"]


def test_a_tag_in_use_stays(tagged: Roll) -> None:
    found = numbers(tagged)
    create_segment(
        tagged.engine,
        SETTINGS,
        SegmentForm("Especiales", filter_text="tagged('vips') OR A_CONTAINS(tags, ('cliente'))"),
        asked(),
    )

    with pytest.raises(TagInUse, match="2 contacts"):
        drop_tag(tagged.engine, found["VIP"], asked())
    for tag in ("Vips", "cliente"):
        with pytest.raises(TagInUse, match="Especiales"):
            merge_tags(tagged.engine, SETTINGS, found[tag], found["VIP"], asked())
        with pytest.raises(TagInUse, match="Especiales"):
            edit_tag(tagged.engine, found[tag], asked(), name="otra")
    edit_contact(tagged.engine, SETTINGS, 1, ContactForm(tags=[]), asked())
    edit_contact(tagged.engine, SETTINGS, 3, ContactForm(tags=[]), asked())
    drop_tag(tagged.engine, found["VIP"], asked())
    assert "VIP" not in numbers(tagged)


def test_tags_that_are_nearly_the_same_are_found() -> None:
    forms = ["vip", "vips", "clientes vip", "vip cliente", "cliente-vip", "newsletter", "newsleter", "news letter", "promocion", "promocoin", "lima 1", "lima 2", "oro", "ora", "boletines", "boletin", "curso de ingles", "cursos ingles"]  # fmt: skip

    groups = near_tags([Tag(at, form, form, None, 100 - at) for at, form in enumerate(forms)])

    assert [sorted(tag.name for tag in group) for group in groups] == [
        ["boletin", "boletines"],
        ["cliente-vip", "clientes vip", "vip cliente"],
        ["curso de ingles", "cursos ingles"],
        ["newsleter", "newsletter"],
        ["promocion", "promocoin"],
        ["vip", "vips"],
    ]
