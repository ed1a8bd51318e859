"""Jobs, states of agents and webhooks on the command line."""

import re
from pathlib import Path

import pytest

from pipelines.jobs import ask_for_undo
from pipelines.webhooks import send_due
from schemas.settings import Settings
from tests.commands import Run
from tests.conftest import utc_now
from tests.receiver import receiver
from warehouse.audit import Asked
from warehouse.store import open_store

pytestmark = pytest.mark.xdist_group("command line")
NEAR = {"PADRON_WEBHOOK_NETWORKS": "127.0.0.1"}


def test_jobs_are_listed_and_stopped(run: Run, tmp_path: Path) -> None:
    home, people = tmp_path / "home", tmp_path / "people.csv"
    people.write_text("correo\nana@example.org\n", "utf-8")
    run(home, "import", str(people))
    store = open_store(Settings(home=home).store_url)
    job = ask_for_undo(store, 1, Asked("ana", utc_now())).id

    listed = run(home, "jobs", "list", "--of", "batch:1", PADRON_LANGUAGE="es").stdout
    stopped = run(home, "jobs", "cancel", str(job))
    again = run(home, "jobs", "cancel", str(job))

    assert re.search(rf"{job}\s+undo\s+batch:1\s+en espera\s+0 / 0\s+ana", listed)
    assert (stopped.returncode, stopped.stdout) == (0, f"Job {job} stops.\n")
    assert (again.returncode, again.stderr) == (2, f"padron: Job {job} is finished: there is nothing to stop.\n")
    assert "stopped" in run(home, "jobs", "list").stdout


def test_an_import_that_is_over_cannot_be_stopped(run: Run, tmp_path: Path) -> None:
    home, people = tmp_path / "home", tmp_path / "people.csv"
    people.write_text("correo\nana@example.org\n", "utf-8")
    run(home, "import", str(people))

    done = run(home, "batches", "cancel", "1", PADRON_LANGUAGE="es")

    assert (done.returncode, done.stderr) == (2, "padron: El lote 1 ya no toma filas: no hay nada que detener.\n")


def test_states_of_agents_are_defined_listed_and_removed(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"

    saved = run(home, "states", "save", "lunch", "--en", "At lunch", "--es", "Comiendo", "--place", "2")
    wrong = run(home, "states", "save", "At Lunch", "--en", "x", "--es", "x")
    listed = run(home, "states", "list", PADRON_LANGUAGE="es").stdout

    assert (saved.returncode, saved.stdout) == (0, "State saved: lunch\n")
    assert (wrong.returncode, "small letters" in wrong.stderr) == (2, True)
    assert re.search(r"lunch\s+At lunch\s+Comiendo\s+no", listed)
    assert run(home, "states", "delete", "lunch").stdout == "State deleted: lunch\n"
    assert "no state 'lunch'" in run(home, "states", "delete", "lunch").stderr
    assert "no operator 7" in run(home, "states", "history", "7").stderr


def test_a_webhook_is_made_tried_out_looked_at_and_removed(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with receiver() as heard:
        made = run(home, "webhooks", "create", heard.url, "--event", "batch.finished", **NEAR)
        tried = run(home, "webhooks", "test", "1", PADRON_LANGUAGE="es", **NEAR)
        settings = Settings(home=home, webhook_networks="127.0.0.1")
        send_due(open_store(settings.store_url), settings, utc_now)
        assert len(heard.calls) == 1

    assert made.stdout.splitlines()[0] == "Webhook 1 made. Its secret is shown this once:"
    assert made.stdout.splitlines()[1].startswith("whsec_")
    assert "padron webhooks deliveries 1" in tried.stdout
    assert re.search(r"1\s+webhook.test\s+sent\s+1\s", run(home, "webhooks", "deliveries", "1").stdout)
    assert "batch.finished" in run(home, "webhooks", "list").stdout
    assert (
        "inactive"
        in run(home, "webhooks", "edit", "1", "--inactive", **NEAR).stdout + run(home, "webhooks", "list").stdout
    )
    assert "Webhook 1 is not active" in run(home, "webhooks", "replay", "1").stderr
    assert run(home, "webhooks", "secret", "1").stdout.startswith("whsec_")
    assert run(home, "webhooks", "delete", "1").stdout == "Webhook 1 removed.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["webhooks", "create", "https://127.0.0.1/x", "--event", "batch.finished"], "PADRON_WEBHOOK_NETWORKS"),
        (["webhooks", "create", "https://8.8.8.8/x"], "at least one of"),
        (["webhooks", "create", "https://8.8.8.8/x", "--event", "fly"], "no event 'fly'"),
        (["webhooks", "test", "7"], "no webhook 7"),
        (["webhooks", "edit", "7", "--active"], "no webhook 7"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path / "home", *arguments)

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
