"""The roll as it was: what an export said then is what the history says of that moment now."""

import csv
import random
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipelines.bulk_edits import BulkForm, ask_for_edit
from pipelines.edits import ContactForm, block_contact, create_contact, edit_contact
from pipelines.exports import ExportForm, export_contacts
from pipelines.jobs import ask_for_undo, run_job
from pipelines.pasts import _NOT_KEPT, write_past
from pipelines.refreshes import refresh_segment
from pipelines.removals import ask_for_erasure, delete_contact
from pipelines.segments import SegmentForm, create_segment
from schemas.exports import every_column
from schemas.operators import WrongField
from schemas.settings import Settings
from tests.backing import asked, fill, settings_of
from tests.conftest import Roll, utc_now
from warehouse.contact_lists import Wanted
from warehouse.engines import reading
from warehouse.exports import custom_columns


@pytest.fixture
def settings(store: Roll) -> Settings:
    found = settings_of(store)
    fill(store, found)
    return found


def now(store: Roll, settings: Settings, name: str) -> list[list[str]]:
    """What an export of all, with the columns that the history keeps, says now."""
    with reading(store.engine) as connection:
        columns = tuple(one for one in every_column(custom_columns(connection)) if one not in _NOT_KEPT)
    path = store.folder / name
    export_contacts(store.engine, settings, ExportForm(Wanted(), "csv", columns), path, asked(), lambda *_: None)
    return rows(path)


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def at(store: Roll, settings: Settings, moment: datetime, segment: str = "") -> list[list[str]]:
    path = store.folder / "past.csv"
    write_past(store.engine, settings, moment, segment, path, asked(), lambda *_: None)
    return rows(path)


def moment() -> datetime:
    """A moment that lies between what was done and what is done next."""
    time.sleep(0.002)
    found = utc_now()
    time.sleep(0.002)
    return found


def test_every_moment_is_as_an_export_said_then(store: Roll, settings: Settings) -> None:
    told: list[tuple[datetime, list[list[str]]]] = []

    def look() -> None:
        told.append((moment(), now(store, settings, f"{len(told)}.csv")))

    look()
    edit_contact(
        store.engine,
        settings,
        1,
        ContactForm({"city": "Ica", "phone": "+573110000001"}, {"plan": "plata", "puntos": 7.25}),
        asked(),
    )
    edit_contact(store.engine, settings, 3, ContactForm({"display_name": "=Luis"}, tags=["nuevo", "z"]), asked())
    look()
    store.imports = 50
    store.import_text(
        "nombre,celular,ciudad,etiquetas,renovación,plan\nEva,3004445566,Tunja,otra,2027-01-31,\nNueva,3201112233,Cali,vip,,oro\n",
        unmapped="custom",
        duplicates="overwrite",
    )
    look()
    block_contact(store.engine, 1, "insulta", asked())
    create_contact(store.engine, settings, ContactForm({"phone": "+573209998877", "display_name": "A mano"}), asked())
    look()
    form = BulkForm(filter_text="tagged('vip')", add_tags=("masiva",), remove_tags=("vip",))
    work = ask_for_edit(store.engine, settings, form, asked())
    run_job(store.engine, work.id, settings, utc_now)
    look()
    run_job(
        store.engine,
        ask_for_undo(store.engine, store.one("SELECT max(id) FROM batches"), asked()).id,
        settings,
        utc_now,
    )
    look()
    edit_contact(
        store.engine, settings, 1, ContactForm({"city": None}, {"plan": None, "renovacion": None}, tags=[]), asked()
    )

    for then, said in told:
        assert at(store, settings, then) == said, told.index((then, said))


def test_random_edits_are_all_taken_back(roll: Roll) -> None:
    settings = settings_of(roll)
    fill(roll, settings)
    chance, told = random.Random(3), []
    for number in range(12):
        told.append((moment(), now(roll, settings, f"{number}.csv")))
        for _ in range(6):
            fields = {chance.choice(["city", "company", "display_name"]): chance.choice(["a", "b", "ñ", None])}
            custom = {chance.choice(["plan"]): chance.choice(["x", "y", None])}
            tags = chance.choice([None, [], ["p"], ["p", "q"], ["q", "r", "s"]])
            edit_contact(roll.engine, settings, chance.randint(1, 4), ContactForm(fields, custom, tags), asked())

    assert [at(roll, settings, then) == said for then, said in told] == [True] * 12


def test_a_segment_is_as_its_refreshes_said_and_who_is_gone_is_counted(store: Roll, settings: Settings) -> None:
    number = create_segment(store.engine, settings, SegmentForm(name="De Lima", filter_text="city = 'Lima'"), asked())
    edit_contact(store.engine, settings, 3, ContactForm({"city": "Lima"}), asked())
    refresh_segment(store.engine, number, settings, utc_now)
    then = moment()
    edit_contact(store.engine, settings, 3, ContactForm({"city": "Quito"}), asked())
    edit_contact(store.engine, settings, 4, ContactForm({"city": "Lima"}), asked())
    refresh_segment(store.engine, number, settings, utc_now)
    delete_contact(store.engine, 2, asked())

    path = store.folder / "x.parquet"
    found = write_past(store.engine, settings, then, "", path, asked(), lambda *_: None)

    assert [row[0] for row in at(store, settings, then, "De Lima")[1:]] == ["3"]
    assert (found.rows, found.deleted_since) == (3, 1)
    run_job(store.engine, ask_for_erasure(store.engine, 4, asked()).id, settings, utc_now)
    long_ago = write_past(
        store.engine, settings, then - timedelta(days=999), "", store.folder / "y.csv", asked(), lambda *_: None
    )
    assert (long_ago.rows, long_ago.deleted_since) == (0, 0)
    with pytest.raises(WrongField, match="De Lima, VIP"):
        at(store, settings, then, "Nadie")
    with pytest.raises(WrongField, match="still to come"):
        at(store, settings, utc_now() + timedelta(days=1))
