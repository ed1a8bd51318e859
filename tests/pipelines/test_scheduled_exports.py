"""Exports on schedule: once for each moment, to a folder or object storage, named by the time of their contacts."""

import csv
import os
import time
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from connectors.toml_files import TomlFileError
from pipelines.jobs import run_job
from pipelines.refreshes import refresh_segment
from pipelines.scheduled_exports import NoSuchPlan, ask_for_scheduled, export_on_schedule, find_plan
from pipelines.segments import SegmentForm, create_segment
from schemas.errors import InputError
from schemas.filters import WrongFilter
from schemas.settings import Settings
from tests.backing import asked, settings_of
from tests.commands import Run
from tests.conftest import Roll, utc_now
from warehouse.jobs import Work

PEOPLE = "nombre,correo,ciudad\nAna,ana@example.org,Lima\nEva,eva@example.org,Cali\n=Luis,luis@example.org,Lima\n"


@pytest.fixture
def settings(store: Roll) -> Settings:
    store.import_text(PEOPLE)
    return settings_of(store, time_zone="America/Lima", language="es")


def write(settings: Settings, text: str, name: str = "lima") -> Path:
    path = settings.home / "export-plans" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def plan(folder: Path, **more: str) -> str:
    said = {"schedule": "* * * * *", "to": str(folder), "file": "lima-%Y.csv", **more}
    return "".join(f'{key} = "{value}"\n' for key, value in said.items())


def made(store: Roll, settings: Settings, name: str = "lima") -> Work:
    done = run_job(store.engine, ask_for_scheduled(store.engine, settings, name, asked()).id, settings, utc_now)
    assert done is not None
    return done


def test_a_file_comes_where_the_plan_says_with_who_it_says(store: Roll, settings: Settings) -> None:
    out = store.folder / "out" / "deep"
    write(settings, plan(out, filter="city = 'Lima'") + 'columns = ["display_name", "email"]\n')

    done = made(store, settings)

    name = f"lima-{utc_now():%Y}.csv"
    assert dict(done.result or {})["rows"] == 2
    with (out / name).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert [row[1:] for row in rows] == [
        ["Nombre completo", "Correo electrónico"],
        ["Ana", "ana@example.org"],
        ["'=Luis", "luis@example.org"],
    ]
    assert [path.name for path in out.iterdir()] == [name]
    assert store.one("SELECT actor, action, object FROM audit WHERE action = 'contacts:export'") == (
        "test",
        "contacts:export",
        f"file:{name}",
    )


def test_the_name_has_the_time_as_of_which_the_segment_is(store: Roll, settings: Settings) -> None:
    number = create_segment(store.engine, settings, SegmentForm(name="De 'Lima'", filter_text="city = 'Lima'"), asked())
    then = datetime.fromisoformat("2026-03-01T02:30:00+00:00")
    refresh_segment(store.engine, number, settings, lambda: then)
    write(settings, plan(store.folder / "out", segment="De 'Lima'", file="lima-%Y-%m-%d-%H%M.parquet"))

    done = made(store, settings)

    assert dict(done.result or {})["as_of"] == then.isoformat()
    assert pq.read_table(store.folder / "out" / "lima-2026-02-28-2130.parquet").num_rows == 2


def test_each_moment_is_done_once_and_not_moments_before_the_file(roll: Roll) -> None:
    settings = settings_of(roll)
    path = write(settings, plan(roll.folder / "out"))
    write(settings, "nonsense", "broken")
    export_on_schedule(roll.engine, settings, utc_now())
    assert roll.rows("SELECT kind FROM jobs") == []

    os.utime(path, (time.time() - 7_200, time.time() - 7_200))
    for _ in range(3):
        export_on_schedule(roll.engine, settings, utc_now())

    [(number, kind, actor)] = roll.rows("SELECT id, kind, actor FROM jobs")
    assert (kind, actor) == ("scheduled_export", "schedule")
    assert run_job(roll.engine, number, settings, utc_now) is not None
    assert len(list((roll.folder / "out").iterdir())) == 1


@pytest.mark.parametrize(
    "text",
    [
        "schedule = 5\n",
        'schedule = "at noon"\nto = "x"\nfile = "a.csv"\n',
        'schedule = "1 2 * * *"\nto = "x"\nfile = "../a.csv"\n',
        'schedule = "1 2 * * *"\nto = "x"\n',
        'schedule = "1 2 * * *"\nto = "x"\nfile = "a.csv"\nfilter = "a"\nsegment = "b"\n',
        'schedule = "1 2 * * *"\nto = "x"\nfile = "a.csv"\nlanguage = "fr"\n',
        'schedule = "1 2 * * *"\nto = "x"\nfile = "a.csv"\ncolums = ["a"]\n',
        'schedule = "1 2 * * *"\nto = "x"\nfile = "a.csv"\ncolumns = [1]\n',
        "[[",
    ],
)
def test_a_plan_that_says_something_else_is_named_with_its_file(roll: Roll, text: str) -> None:
    settings = settings_of(roll)
    write(settings, text)

    with pytest.raises(TomlFileError, match=r"lima\.toml"):
        find_plan(settings, "lima")


def test_what_cannot_be_exported_is_said_before_or_by_the_job(store: Roll, settings: Settings) -> None:
    (store.folder / "file").write_text("")
    for text, wrong in (
        (plan(store.folder, filter="citi = 'Lima'"), WrongFilter),
        (plan(store.folder, segment="Nadie"), InputError),
        (plan(store.folder, file="x.pdf"), InputError),
    ):
        write(settings, text)
        with pytest.raises(wrong):
            ask_for_scheduled(store.engine, settings, "lima", asked())
    with pytest.raises(NoSuchPlan, match="lima"):
        ask_for_scheduled(store.engine, settings, "otra", asked())
    write(settings, plan(store.folder / "file" / "below"))

    done = made(store, settings)

    assert done.state == "failed"
    assert "lima.toml" in str(done.message_es)


def test_plans_are_listed_and_made_at_the_command_line(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (tmp_path / "gente.csv").write_text(PEOPLE, "utf-8")
    assert run(home, "import", str(tmp_path / "gente.csv")).returncode == 0
    settings = Settings(home=home)
    write(settings, plan(tmp_path / "sent"))
    write(settings, "[[", "broken")

    listed = run(home, "export-plans", "list")
    made_ = run(home, "export-plans", "run", "lima")
    wrong = run(home, "export-plans", "run", "otra")

    assert "lima" in listed.stdout
    assert "not valid TOML" in " ".join(listed.stdout.split())
    assert "3 contacts written to" in made_.stdout, made_.stderr
    assert (wrong.returncode, "There are: broken, lima" in wrong.stderr) == (2, True)
