"""`padron up`: one process that imports what is dropped, until it is told to stop."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from sqlalchemy import Engine, text

from connectors.folders import make_places
from connectors.profiles import DropFolder
from schemas.settings import Settings
from tests.commands import Run
from tests.conftest import Roll
from tests.routes.running import Running, drop_text, import_drops, wait_until
from warehouse.engines import reading
from warehouse.store import open_store

pytestmark = pytest.mark.xdist_group("embedded")
_FOLDERS = """
[[folder]]
path = "drop"

[[folder]]
path = "clients"
profile = "clients"

[[folder]]
path = "broken"
profile = "broken"

[[folder]]
path = "slow"
settle_seconds = 0.3
"""


@dataclass
class House:
    """A home folder with several drop folders, and the process that watches them."""

    home: Path
    running: Running
    engine: Engine

    def incoming(self, folder: str = "drop") -> Path:
        return self.home / folder / "incoming"

    def batch(self, file: str) -> dict[str, Any]:
        """The newest batch of this file, once it is finished."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            with reading(self.engine) as connection:
                query = text("SELECT * FROM batches WHERE file = :file ORDER BY id DESC LIMIT 1")
                found[:] = [dict(row) for row in connection.execute(query, {"file": file}).mappings()]
            return bool(found) and found[0]["finished_at"] is not None

        assert wait_until(look, 30), f"{found}\n{self.running.said()[-3000:]}"
        return found[0]

    def emails(self, batch_id: int) -> list[str]:
        with reading(self.engine) as connection:
            query = text(
                "SELECT email FROM contacts c JOIN batch_rows ON contact_id = c.id WHERE batch_id = :b ORDER BY row"
            )
            return list(connection.execute(query, {"b": batch_id}).scalars())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """`padron up` over a home folder in whose `incoming/` a file lay before the start."""
    home = tmp_path_factory.mktemp("house")
    (home / "folders.toml").write_text(_FOLDERS, encoding="utf-8")
    (home / "profiles").mkdir()
    (home / "profiles" / "broken.toml").write_text("columns = [", encoding="utf-8")
    (home / "profiles" / "clients.toml").write_text(
        'source = "crm"\ntags = ["client"]\n[columns]\n"Contacto" = "email"\n', encoding="utf-8"
    )
    drop_text(home / "drop" / "incoming", "before.csv", "email\nbefore@example.org\n")
    running = Running("up", home, home / "up.log").wait_ready()
    engine = open_store(f"sqlite:///{home / 'padron.db'}")
    yield House(home, running, engine)
    engine.dispose()
    running.kill()


def test_it_imports_what_lay_there_before_the_start(house: House) -> None:
    batch = house.batch("before.csv")

    assert (batch["state"], house.emails(batch["id"])) == ("done", ["before@example.org"])
    assert (house.home / "drop" / "done" / "before.csv").exists()


def test_it_imports_a_csv_file_and_writes_a_summary_beside_it(house: House) -> None:
    drop_text(house.incoming(), "later.csv", "email\nlater@example.org\nnot an address\n")

    batch = house.batch("later.csv")

    done = house.home / "drop" / "done"
    summary = json.loads((done / "later.csv.summary.json").read_text(encoding="utf-8"))
    assert (batch["state"], batch["created"], batch["rejected"]) == ("done", 1, 1)
    assert (summary["status"], summary["rows"], summary["created"], summary["row_errors"]) == ("imported", 2, 1, [2])
    assert Path(summary["reject_file"]) == done / "later.csv.report.csv" == Path(batch["reject_file"])
    assert "not an address" in (done / "later.csv.report.csv").read_text(encoding="utf-8-sig")


def test_it_imports_a_workbook(house: House) -> None:
    part = house.incoming() / ".people.xlsx"
    workbook = xlsxwriter.Workbook(str(part))
    sheet = workbook.add_worksheet()
    sheet.write_row(0, 0, ["Nombre", "Correo"])
    sheet.write_row(1, 0, ["Ana", "ana.workbook@example.org"])
    workbook.close()
    part.rename(house.incoming() / "people.xlsx")

    assert house.emails(house.batch("people.xlsx")["id"]) == ["ana.workbook@example.org"]


def test_it_imports_a_parquet_file(house: House) -> None:
    part = house.incoming() / ".people.parquet"
    pq.write_table(pa.table({"email": ["ana.parquet@example.org"]}), part)
    part.rename(house.incoming() / "people.parquet")

    assert house.emails(house.batch("people.parquet")["id"]) == ["ana.parquet@example.org"]


def test_an_empty_file_is_rejected_with_a_message(house: House) -> None:
    drop_text(house.incoming(), "empty.csv", "")

    batch = house.batch("empty.csv")

    rejected = house.home / "drop" / "rejected"
    message = (rejected / "empty.csv.message.txt").read_text(encoding="utf-8")
    assert (batch["state"], batch["message_en"]) == ("rejected", message.strip())
    assert (rejected / "empty.csv").exists()
    assert "empty" in message


def test_a_file_of_unknown_columns_waits_for_a_mapping_and_goes_in_after_one_was_given(run: Run, house: House) -> None:
    drop_text(house.incoming(), "strange.csv", "foo,bar\nana.strange@example.org,1\n")
    parked = house.batch("strange.csv")
    message = (house.home / "drop" / "rejected" / "strange.csv.message.txt").read_text(encoding="utf-8")
    profile = house.home / "profiles" / "strange.toml"
    profile.write_text('[columns]\n"foo" = "email"\n', encoding="utf-8")

    retried = run(house.home, "batches", "retry", str(parked["id"]), "--profile", "strange")

    assert (parked["state"], retried.returncode, retried.stderr) == ("needs_mapping", 0, "")
    assert "foo" in message
    assert wait_until(lambda: house.batch("strange.csv")["id"] > parked["id"], 20)
    batch = house.batch("strange.csv")
    assert (batch["state"], house.emails(batch["id"])) == ("done", ["ana.strange@example.org"])
    assert (house.home / "drop" / "done" / "strange.csv").exists()
    assert not (house.home / "drop" / "rejected" / "strange.csv").exists()


def test_each_folder_has_its_own_profile(house: House) -> None:
    drop_text(house.incoming("clients"), "clients.csv", "Contacto\nana.client@example.org\n")

    batch = house.batch("clients.csv")

    with reading(house.engine) as connection:
        query = text(
            "SELECT name FROM tags JOIN contact_tags ON tag_id = tags.id JOIN contacts c ON c.id = contact_id"
            " WHERE c.email = 'ana.client@example.org'"
        )
        tags = list(connection.execute(query).scalars())
    assert (batch["state"], batch["source"], batch["profile"], tags) == ("done", "crm", "clients", ["client"])


def test_a_broken_profile_parks_its_files_and_the_other_folders_go_on(house: House) -> None:
    drop_text(house.incoming("broken"), "parked.csv", "email\nana.parked@example.org\n")
    drop_text(house.incoming(), "goes-on.csv", "email\nana.goes-on@example.org\n")

    parked, other = house.batch("parked.csv"), house.batch("goes-on.csv")

    assert (parked["state"], other["state"]) == ("needs_mapping", "done")
    assert "broken.toml is not valid TOML" in parked["message_en"]
    assert (house.home / "broken" / "rejected" / "parked.csv.message.txt").exists()


def test_half_written_hidden_and_linked_files_are_left_alone(house: House, tmp_path: Path) -> None:
    names = ["a.csv.part", "b.tmp", ".c.csv", "~$d.xlsx", "e.crdownload", "link.csv", "hard.csv"]
    outside = tmp_path / "outside.csv"
    outside.write_text("email\noutside@example.org\n", encoding="utf-8")
    for name in names[:5]:
        (house.incoming("slow") / name).write_text("email\nhalf@example.org\n", encoding="utf-8")
    (house.incoming("slow") / "link.csv").symlink_to(outside)
    try:
        os.link(outside, house.incoming("slow") / "hard.csv")
    except OSError:
        shutil.copyfile(outside, house.home / "outside.csv")
        os.link(house.home / "outside.csv", house.incoming("slow") / "hard.csv")
    drop_text(house.incoming("slow"), "plain.csv", "email\nplain@example.org\n")

    assert house.batch("plain.csv")["state"] == "done"
    time.sleep(1)

    assert sorted(path.name for path in house.incoming("slow").iterdir()) == sorted(names)


def test_a_file_that_is_copied_in_slowly_is_taken_whole(house: House) -> None:
    with (house.incoming() / "slow.csv").open("w", encoding="utf-8") as file:
        file.write("email\n")
        for number in range(4):
            file.write(f"slow{number}@example.org\n")
            file.flush()
            time.sleep(0.6)
        assert not (house.home / "drop" / "done" / "slow.csv").exists()

    batch = house.batch("slow.csv")

    assert (batch["state"], batch["rows_read"], batch["created"]) == ("done", 4, 4)


def test_two_files_of_one_name_are_both_kept(house: House) -> None:
    drop_text(house.incoming(), "again.csv", "email\nagain1@example.org\n")
    first = house.batch("again.csv")
    drop_text(house.incoming(), "again.csv", "email\nagain2@example.org\n")

    assert wait_until(lambda: house.batch("again.csv")["id"] > first["id"], 20)
    second = house.batch("again.csv")

    assert Path(first["path"]).read_text() == "email\nagain1@example.org\n"
    assert Path(second["path"]).read_text() == "email\nagain2@example.org\n"


def test_names_with_spaces_accents_and_shell_characters_are_kept(house: House) -> None:
    name = "lista número 1 (final); rm -rf $HOME '“x”'.csv"
    drop_text(house.incoming(), name, "email\nnames@example.org\n")

    assert house.batch(name)["state"] == "done"
    assert (house.home / "drop" / "done" / name).exists()


def test_two_commands_write_while_it_runs(run: Run, house: House, tmp_path: Path) -> None:
    file = tmp_path / "byhand.csv"
    file.write_text("email\nbyhand@example.org\n", encoding="utf-8")

    done = run(house.home, "import", str(file), "--json")

    assert (done.returncode, json.loads(done.stdout)["created"]) == (0, 1)


def test_nothing_of_a_person_stands_in_the_log(house: House) -> None:
    drop_text(house.incoming(), "private.csv", "email,nombre\nsecret@example.org,Secreto\nsecret-bad,Secreto\n")

    house.batch("private.csv")

    assert "secret" not in house.running.said().lower()


def test_an_idle_process_that_is_terminated_ends_with_0_and_no_traceback(house: House) -> None:
    """The last test that uses the shared process, as it stops it."""
    code = house.running.stop(signal.SIGTERM)

    assert (code, "Traceback" in house.running.said()) == (0, False), house.running.said()[-3000:]


def test_a_file_with_a_very_long_name_does_not_keep_the_others_waiting(roll: Roll) -> None:
    settings = Settings(home=roll.folder / "home")
    folder = DropFolder(settings.home / "drop")
    make_places(folder)
    (folder.path / "incoming" / ("n" * 251 + ".csv")).write_text("email\nlong@example.org\n", encoding="utf-8")
    time.sleep(0.01)
    drop_text(folder.path / "incoming", "short.csv", "email\nshort@example.org\n")

    import_drops(roll.engine, settings)

    assert ("short@example.org",) in roll.living("email")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_stops_when_told_so_in_the_middle_of_its_work(tmp_path: Path, number: signal.Signals) -> None:
    make_places(DropFolder(tmp_path / "drop"))
    rows = "".join(f"p{number}@example.org,Persona {number}\n" for number in range(40_000))
    drop_text(tmp_path / "drop" / "incoming", "people.csv", "email,nombre\n" + rows)
    running = Running("up", tmp_path, tmp_path / "up.log").wait_ready()
    assert wait_until(lambda: list((tmp_path / "drop" / "working").iterdir()), 20)

    code = running.stop(number)

    assert (code, "Traceback" in running.said()) == (0, False), running.said()[-3000:]
    assert "Stopped." in running.said()
    running.kill()
