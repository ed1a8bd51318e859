"""Searches find by part whoever has it, whether the index has everybody, nobody yet, or is being built."""

import random

import pytest
from sqlalchemy import text

from scheduler.tasks import sweep
from schemas.settings import Settings
from tests.conftest import Roll
from warehouse import indexes, search
from warehouse.engines import reading, transaction
from warehouse.search import Sought

_WORDS = (
    "ana",
    "nunez",
    "zq",
    "a*b",
    "c[d",
    "e?f",
    "50%",
    "x_y",
    "josé",
    "王伟",
    "o'neil",
    'q"r',
    "3001112233",
    "\\n",
    "lu",
)


def fill(store: Roll, count: int = 1_500, seed: int = 1) -> dict[int, str]:
    """Contacts whose search texts are these words in some order; the texts by id."""
    random_ = random.Random(seed)
    texts = {
        n: " ".join(random_.sample(_WORDS, random_.randint(1, 4))) for n in range(seed * 1000, seed * 1000 + count)
    }
    with transaction(store.engine) as connection:
        rows = [{"id": number, "words": words} for number, words in texts.items()]
        at = "0" if connection.dialect.name == "sqlite" else "now()"
        made = f"INSERT INTO contacts (id, search_text, created_at) VALUES (:id, :words, {at})"
        connection.execute(text(made), rows)
    return texts


def found(store: Roll, *parts: str) -> list[int]:
    with reading(store.engine) as connection:
        return sorted(connection.execute(search.sought_ids(connection, Sought(parts))).scalars())


def has(words: str, *parts: str) -> bool:
    long, short = [part for part in parts if len(part) >= 3], [part for part in parts if len(part) < 3]
    if not long and not words.startswith(short.pop(0)):
        return False
    return all(part in words for part in long) and all(f" {part}" in f" {words}" for part in short)


def assert_all_are_found(store: Roll, texts: dict[int, str]) -> None:
    parts = [word[start : start + size] for word in _WORDS for start in range(3) for size in range(1, 8)]
    for part in filter(None, parts):
        assert (part, found(store, part)) == (part, [n for n, words in texts.items() if has(words, part)])
    for parts in (("ana", "nun"), ("ana", "j"), ("lu", "zq"), ("l", "王"), ("c[", "a*b")):
        both = [n for n, words in texts.items() if has(words, *parts)]
        assert (parts, found(store, *parts)) == (parts, both)
        assert both
    assert found(store, "nobody") == []


def stand_back(store: Roll) -> None:
    with transaction(store.engine) as connection:
        search.stand_back(connection)


def test_parts_are_found_by_index(store: Roll) -> None:
    texts = fill(store)
    search.catch_up(store.engine)

    assert_all_are_found(store, texts | fill(store, 50, seed=3))


def test_who_comes_late_with_a_number_taken_before_is_found(roll: Roll) -> None:
    texts = fill(roll)
    search.catch_up(roll.engine)

    texts |= fill(roll, 50, seed=0)

    assert_all_are_found(roll, dict(sorted(texts.items())))
    roll.run("INSERT INTO contacts_search (contacts_search, rank) VALUES ('integrity-check', 1)")


def test_parts_are_found_while_there_is_no_index_and_after_it_caught_up(
    store: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_AT_ONCE", 150)
    stand_back(store)
    texts = fill(store)
    assert_all_are_found(store, texts)

    search.catch_up(store.engine)

    assert_all_are_found(store, texts | fill(store, 50, seed=3))


def test_who_changes_while_the_index_catches_up_is_found_by_the_new_text(
    roll: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_AT_ONCE", 150)
    stand_back(roll)
    texts = fill(roll)
    assert search._take_some(roll.engine)

    for number in (1003, 1350):
        texts[number] = "renamed zq"
        roll.run(f"UPDATE contacts SET search_text = 'renamed zq' WHERE id = {number}")
        roll.run(f"DELETE FROM contacts WHERE id = {number + 1}")
        del texts[number + 1]
    search.catch_up(roll.engine)

    assert_all_are_found(roll, texts)
    assert found(roll, "renamed") == [1003, 1350]
    roll.run("INSERT INTO contacts_search (contacts_search, rank) VALUES ('integrity-check', 1)")


def test_a_first_load_is_searched_at_once_and_indexed_by_the_sweep(store: Roll) -> None:
    rows = "".join(f"p{n}@example.org,Persona {n}\n" for n in range(20_050))
    store.import_text(f"email,nombre\n{rows}")
    before = found(store, "persona 20049")

    sweep(store.engine, Settings())

    assert (len(before), found(store, "persona 20049")) == (1, before)
    if store.engine.dialect.name == "sqlite":
        assert store.one("SELECT up_to = (SELECT max(id) FROM contacts) FROM contacts_searched")
    else:
        assert store.one("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_contacts_search')")
    assert indexes.missing(store.engine) == ()


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_an_index_whose_building_was_cut_off_is_built_anew(store: Roll) -> None:
    fill(store)
    store.run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('ix_contacts_search')")

    search.catch_up(store.engine)

    assert store.one("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_contacts_search')")
