"""Lenses keep their laws, and the merge of a field is fair to both sides."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.field_merge import Marks, Rule, merge_field
from pipelines.lenses import Lens, Unreadable, Value, lens_of
from pipelines.mappings import merging_of
from schemas.crm import MISSING
from schemas.fields import FieldType
from schemas.mappings import FieldPair, WrongMapping, read_mapping
from schemas.settings import Settings

TYPES: dict[str, FieldType] = {"age": "number", "member": "boolean", "born": "date", "seen": "datetime"}


def lens(local: str, **said: Any) -> Lens:
    pair = FieldPair.model_validate({"local": local, "remote": "there", **said})
    return lens_of(pair, TYPES, "CO", "America/Bogota")


WORDS = st.from_regex(r"[a-záéñ]{1,8}( [a-záéñ]{1,8}){0,2}", fullmatch=True)
DAYS = st.dates().map(lambda day: day.isoformat())
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat())
KEPT: dict[str, tuple[Lens, st.SearchStrategy[Any]]] = {
    "text": (lens("city"), WORDS),
    "name": (lens("first_name"), WORDS),
    "number": (lens("custom.age"), st.integers(-(2**40), 2**40).map(float)),
    "boolean": (lens("custom.member"), st.booleans()),
    "inverse": (lens("opt_out.email", values={"true": "false", "false": "true"}), st.booleans()),
    "words": (lens("custom.member", values={"true": "Sí", "false": "No"}), st.booleans()),
    "date": (lens("custom.born"), DAYS),
    "date ms": (
        lens("custom.born", format="ms"),
        st.dates(min_value=date(1975, 1, 1)).map(lambda day: day.isoformat()),
    ),
    "datetime": (lens("custom.seen"), TIMES),
    "set": (
        lens("tags"),
        st.sets(st.sampled_from(["vip", "new", "old"]), min_size=1).map(lambda one: tuple(sorted(one))),
    ),
    "text of set": (
        lens("tags", separator=";"),
        st.sets(st.sampled_from(["vip", "new", "old"]), min_size=1).map(lambda one: tuple(sorted(one))),
    ),
    "enum": (
        lens("status", lens="enum", values={"active": "1", "inactive": "0"}),
        st.sampled_from(["active", "inactive"]),
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_put_is_read_back(name: str) -> None:
    found, values = KEPT[name]

    @given(values)
    def check(value: Value) -> None:
        put = found.put(value, None)
        assert found.same(found.get_one(put), value), (value, put)

    check()


@pytest.mark.parametrize("name", KEPT)
def test_reading_what_was_put_again_changes_nothing(name: str) -> None:
    found, values = KEPT[name]

    @given(values)
    def check(value: Value) -> None:
        once = found.put(value, None)
        read = found.get_one(once)
        assert not isinstance(read, Unreadable)
        assert found.put(read, once) == once

    check()


@pytest.mark.parametrize(
    ("local", "raw", "wanted", "said"),
    [
        ("phone", "300 111 2233", "+573001112233", {}),
        ("phone", "600 11 22 33", "+34600112233", {"region": "ES"}),
        ("email", " ANA@Example.org ", "ana@example.org", {}),
        ("city", "  Lima  ", "Lima", {}),
        ("city", [7, "Lima"], "Lima", {}),
        ("custom.born", "2026-11-30T23:30:00-05:00", "2026-12-01", {"zone": "UTC"}),
        ("custom.born", 1_700_000_000_000, "2023-11-14", {}),
        ("custom.born", "2026-11-30", "2026-11-30", {"zone": "Pacific/Auckland"}),
        ("custom.seen", "2026-11-30 10:00:00", "2026-11-30T15:00:00+00:00", {}),
        ("custom.member", "no", False, {}),
        ("opt_out.all", None, False, {}),
        ("tags", "vip; new;;VIP", ("new", "vip"), {"separator": ";"}),
        ("custom.age", "12.5", 12.5, {}),
    ],
)
def test_values_are_read_as_they_are_meant(local: str, raw: Any, wanted: Value, said: dict[str, Any]) -> None:
    found = lens(local, **said)

    assert found.same(found.get_one(raw), wanted), found.get_one(raw)


@pytest.mark.parametrize(
    ("local", "raw", "said"),
    [
        ("phone", "12", {}),
        ("email", "nobody", {}),
        ("custom.age", "many", {}),
        ("custom.born", "yesterday", {}),
        ("status", "3", {"lens": "enum", "values": {"active": "1"}}),
        ("custom.member", "perhaps", {}),
        ("tags", 7, {}),
    ],
)
def test_what_cannot_be_read_is_told_and_not_guessed(local: str, raw: Any, said: dict[str, Any]) -> None:
    assert isinstance(lens(local, **said).get_one(raw), Unreadable)


# ── the merge of one field ───────────────────────────────────────────────────────────────────────────────────────


def rule(local: str = "city", **said: Any) -> Rule:
    mapping = read_mapping({"fields": [{"local": local, "remote": "there", **said}]}, "test")
    return merging_of(mapping, TYPES, Settings(), "crm").rules[0]


def merged(one: Rule, here: Value, raw: Any, base: list[Any] | None, **marks: Any) -> tuple[str, Any]:
    read = None if raw is MISSING else one.lens.get_one(raw)
    found = merge_field(one, here, raw, read, base, Marks(**marks))
    return found.action, found.value


@pytest.mark.parametrize(
    ("here", "raw", "base", "wanted"),
    [
        ("a", "a", None, "same"),
        ("a", "b", ["a", "a"], "pull"),
        ("b", "a", ["a", "a"], "push"),
        ("a", "A.", ["a", "A."], "keep"),
        ("b", "A.", ["a", "A."], "push"),
        (None, "b", None, "pull"),
        ("a", None, None, "push"),
        ("a", None, ["a", "a"], "pull"),
        (None, "a", ["a", "a"], "push"),
        ("a", MISSING, ["b", "b"], "skip"),
        ("a", "b", ["a", "b", 1], "push"),
    ],
)
def test_who_changed_tells_where_a_value_goes(here: Value, raw: Any, base: Any, wanted: str) -> None:
    assert merged(rule(), here, raw, base)[0] == wanted


POLICIES: list[tuple[str, dict[str, Any], Any, Any, list[Any], tuple[str, Any]]] = [
    ("local_wins", {}, "b", "c", ["a", "a"], ("push", "b")),
    ("remote_wins", {}, "b", "c", ["a", "a"], ("pull", "c")),
    ("review", {}, "b", "c", ["a", "a"], ("park", None)),
    ("prefer_nonempty", {}, None, "c", ["a", "a"], ("pull", "c")),
    ("append", {}, "b", "c", ["a", "a"], ("both", "b\nc")),
    ("append", {}, "b\nc", "c", ["a", "a"], ("push", "b\nc")),
    ("max", {"local": "custom.age"}, 2.0, 3, [1, 1], ("pull", 3.0)),
    ("min", {"local": "custom.age"}, 2.0, 3, [1, 1], ("push", 2.0)),
    ("never_overwrite_nonempty", {}, "b", "c", ["b", "a"], ("keep", None)),
]


@pytest.mark.parametrize(("policy", "said", "here", "raw", "base", "wanted"), POLICIES)
def test_each_policy_says_who_wins(
    policy: str, said: dict[str, Any], here: Any, raw: Any, base: Any, wanted: Any
) -> None:
    assert merged(rule(**{"local": "city", "policy": policy, **said}), here, raw, base) == wanted


def test_the_newest_wins_where_both_times_are_known_and_a_person_decides_where_not() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    one = rule(policy="newest_wins")

    assert merged(one, "b", "c", ["a", "a"], local_at=early, remote_at=late) == ("pull", "c")
    assert merged(one, "b", "c", ["a", "a"], local_at=late, remote_at=early) == ("push", "b")
    assert merged(one, "b", "c", ["a", "a"], local_at=late, remote_at=None)[0] == "park"
    assert merged(one, "b", "c", ["a", "a"], local_at=late, remote_at=late)[0] == "park"


def test_the_source_that_is_named_first_wins() -> None:
    one = rule(policy="source_order", order=["erp", "local", "crm"])

    assert merged(one, "b", "c", ["a", "a"], local_source="erp", remote_source="crm") == ("push", "b")
    assert merged(one, "b", "c", ["a", "a"], local_source="other", remote_source="crm") == ("pull", "c")


SETS = st.sets(st.sampled_from(["vip", "new", "old", "gold"])).map(lambda one: tuple(sorted(one)) or None)


@given(SETS, SETS, SETS)
def test_sets_keep_what_either_side_added_and_lose_what_either_took_away(base: Any, here: Any, there: Any) -> None:
    one = rule("tags")
    action, value = merged(
        one, here, list(there) if there else None, [list(base) if base else None, list(base) if base else None]
    )
    after_here = set(value or ()) if action in ("pull", "both") else set(here or ())
    after_there = set(value or ()) if action in ("push", "both") else set(there or ())
    was, mine, theirs = set(base or ()), set(here or ()), set(there or ())
    wanted = (was | (mine - was) | (theirs - was)) - (was - mine) - (was - theirs)

    assert after_here == after_there == wanted


@given(st.booleans(), st.booleans(), st.booleans())
def test_an_opt_out_is_never_taken_back(here: bool, there: bool, base: bool) -> None:
    action, value = merged(rule("opt_out.all"), here, there, [base, base])
    after = (value if action == "pull" else here, value if action == "push" else there)

    assert after == (here or there, here or there)


@given(
    st.sampled_from(["a", "b", "c", None]),
    st.sampled_from(["a", "b", "c", None]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["local_wins", "remote_wins", "append", "review", "prefer_nonempty"]),
)
def test_a_merge_that_was_carried_out_has_nothing_left_to_do(here: Any, there: Any, base: Any, policy: str) -> None:
    one = rule(policy=policy)
    action, value = merged(one, here, there, [base, base])
    after_here = value if action in ("pull", "both") else here
    after_there = value if action in ("push", "both") else there
    again, _ = merged(one, after_here, after_there, [after_here, after_there])

    assert again in ("same", "keep", "park")


def test_a_mapping_says_what_is_wrong_with_it_and_where() -> None:
    for document, said in (
        ({"fields": [{"local": "fax", "remote": "x"}]}, "fields[1].local"),
        ({"fields": [{"local": "city", "remote": "x"}, {"local": "city", "remote": "y"}]}, "written by two pairs"),
        ({"fields": [{"local": "city", "remote": "x", "policy": "mine"}]}, "fields[1].policy"),
        ({"fields": []}, "fields"),
        ({"fields": [{"local": "city", "remote": "x"}], "colour": 1}, "colour"),
    ):
        with pytest.raises(WrongMapping, match=said.replace("[", r"\[").replace("]", r"\]")):
            read_mapping(document, "test.toml")
