"""What the pages tell people to type and to write works as they say, and their links lead somewhere."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from admin.api.callers import Desk
from admin.api.server import AdminServer
from connectors.crm_files import read_connector
from connectors.profiles import profiles_folder, read_folders, read_profile
from pipelines.drops import import_drop
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.jobs import run_job
from pipelines.tokens import create_token
from schemas.connectors import parse_connector
from schemas.cql2 import parse
from schemas.fields import field_type
from schemas.mappings import parse_mapping
from schemas.profiles import Profile
from schemas.settings import Settings, read_settings
from tests.commands import Run
from tests.forks import ROOT
from tests.servers import free_port
from warehouse.audit import Asked
from warehouse.store import open_store

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_UNKNOWN_LAYOUT = "Quién,Dónde llamarle\nAna Díaz,300 111 2233\nLuis Gil,300 222 3344\nEva Paz,300 333 4455\n"


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{kind}\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no block of {kind}"
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_the_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_profile_that_is_shown_is_a_profile(tmp_path: Path) -> None:
    (text,) = blocks("docs/how-to/profiles.md", "toml")
    profiles_folder(tmp_path).mkdir()
    (profiles_folder(tmp_path) / "events.toml").write_text(text, encoding="utf-8")

    profile = read_profile(tmp_path, "events")

    assert (profile.default_country, profile.clear_marker, profile.tags) == ("CO", "--", ("evento 2026",))
    assert profile.columns["WhatsApp"] == "phone"


def test_the_folders_that_are_shown_are_folders(tmp_path: Path) -> None:
    (text,) = blocks("docs/how-to/drop-folders.md", "toml")
    (tmp_path / "folders.toml").write_text(text, encoding="utf-8")

    crm, events = read_folders(tmp_path)

    assert (crm.path, crm.profile, crm.polling) == (Path("/srv/contacts/crm"), "crm", False)
    assert (events.profile, events.polling, events.settle_seconds) == ("events", True, 30)


def test_the_settings_of_production_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = blocks("docs/how-to/production.md", "sh")

    for line in text.splitlines():
        monkeypatch.setenv(*line.split("=", 1))
    settings = read_settings()

    assert settings.database_url.startswith("postgresql")
    assert settings.broker_url.startswith("redis://")


def test_every_key_of_a_profile_is_shown() -> None:
    shown = tomllib.loads(blocks("docs/how-to/profiles.md", "toml")[0])

    assert {item.name for item in fields(Profile)} - {"name"} == set(shown)


def test_the_quickstart_works_as_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my-contacts.csv").write_text(_UNKNOWN_LAYOUT, encoding="utf-8")
    commands = [line for block in blocks("docs/quickstart.md", "sh") for line in block.splitlines()]
    assert len(commands) == 3

    for command, code in zip(commands, (1, 0, 0), strict=True):
        program, *arguments = shlex.split(command)
        assert program == ".venv/bin/padron"
        arguments = [str(tmp_path / item) if item == "my-contacts.csv" else item for item in arguments]
        done = run(tmp_path / "padron-data", *arguments, PADRON_DEFAULT_COUNTRY="CO")
        assert (done.returncode, done.stderr) == (code, ""), command

    assert (tmp_path / "padron-data" / "profiles" / "mine.toml").exists()
    assert "Created" in done.stdout


def test_the_page_of_operators_works_as_written(run: Run, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        assert not os.environ.get("CI"), "curl is not installed, and CI must run the pages"
        pytest.skip("NOT RUN: curl is not installed")
    for line in blocks("docs/how-to/operators.md", "sh")[0].splitlines():
        typed = "tres gatos en un tejado\n" * 2
        program, *arguments = shlex.split(line)
        extra = ["--password-stdin"] if "operators" in arguments else []
        assert program == ".venv/bin/padron"
        done = run(tmp_path, *arguments, *extra, typed=typed)
        assert done.returncode == 0, done.stderr
    settings = Settings(home=tmp_path, admin_port=0)
    server = AdminServer(
        Desk(settings, open_store(settings.store_url), lambda: datetime.now(UTC), lambda _: None, lambda _: None)
    )
    server.start()
    script = "\n".join(blocks("docs/how-to/operators.md", "bash")).replace("http://127.0.0.1:8370", server.url)

    done = subprocess.run(["bash", "-eu", "-c", script], capture_output=True, text=True, timeout=120)

    server.stop()
    refused, taken = done.stdout.splitlines()
    assert done.stderr == ""
    assert json.loads(refused)["code"] == "no_seat"
    assert json.loads(taken)["operator"]["email"] == "agente3@example.org"


@pytest.mark.slow
def test_the_page_of_sync_works_as_written(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is not installed, and CI must run the pages"
        pytest.skip("NOT RUN: curl is not installed")
    port = str(free_port())
    script = blocks("docs/how-to/sync.md", "sh")[0].replace("8371", port)
    script = script.replace("padron example-crm", f"padron example-crm --port {port}")
    path = f"{ROOT / '.venv' / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PADRON_HOME": str(tmp_path / "home")}

    done = subprocess.run(
        ["bash", "-eu", "-c", f"trap 'kill %1' EXIT\n{script}"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=250,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "archived here 1, archived there 1" in done.stdout
    assert done.stdout.count("Nothing to do.") == 2, "the last run, and the status"
    assert "restored" in done.stdout or "Conflict 1 settled" in done.stdout


def test_the_mapping_that_is_shown_is_a_mapping() -> None:
    (text,) = blocks("docs/how-to/sync.md", "toml")

    assert [pair.local for pair in parse_mapping(text, "sync.md").fields][:2] == ["display_name", "phone"]


def test_the_connector_that_is_shown_is_a_connector() -> None:
    text = "\n".join(blocks("docs/how-to/add-a-crm.md", "toml"))
    shown, kept = parse_connector(text, "add-a-crm.md"), read_connector(Path(), "kinto")

    assert shown.model_dump(exclude={"docs", "check"}) == kept.model_dump(exclude={"docs", "check"})


def test_the_readme_s_steps_by_http_work_as_written(run: Run, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is not installed, and CI must run the pages"
        pytest.skip("NOT RUN: curl is not installed")
    (tmp_path / "clientes.csv").write_text("Nombre,Correo\nAna,ana@example.org\nEva,sin arroba\n", "utf-8")
    (commands,) = (block for block in blocks("README.md", "sh") if "operators" in block)
    for line in commands.splitlines():
        program, *arguments = shlex.split(line)
        extra = ["--password-stdin"] if "operators" in arguments else []
        assert program == ".venv/bin/padron"
        done = run(tmp_path, *arguments, *extra, typed="tres gatos en un tejado\n")
        assert done.returncode == 0, done.stderr
    settings = Settings(home=tmp_path, admin_port=0)
    store = open_store(settings.store_url)

    def wake(number: int) -> None:
        import_drop(store, number, settings, lambda: datetime.now(UTC))

    server = AdminServer(Desk(settings, store, lambda: datetime.now(UTC), wake, lambda _: None))
    server.start()
    script = "\n".join(blocks("README.md", "bash")).replace("http://127.0.0.1:8370", server.url)

    shown = subprocess.run(
        ["bash", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )

    server.stop()
    refused, taken, *report = shown.stdout.splitlines()
    assert json.loads(refused)["code"] == "no_seat"
    assert json.loads(taken)["operator"]["email"] == "agente3@example.org"
    assert "sin arroba" in report[1]


def test_the_page_of_imports_over_http_works_as_written(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is not installed, and CI must run the pages"
        pytest.skip("NOT RUN: curl is not installed")
    (tmp_path / "clientes.csv").write_text("Nombre,Correo\nAna,ana@example.org\nEva,sin arroba\n", "utf-8")
    settings, asked = Settings(home=tmp_path, admin_port=0), Asked("test", datetime.now(UTC))
    store = open_store(settings.store_url)
    secret, _ = create_token(store, "ERP", ["batches:import", "batches:read", "batches:undo", "jobs:read"], None, asked)

    def wake(number: int) -> None:
        import_drop(store, number, settings, lambda: datetime.now(UTC))

    def wake_for_job(number: int) -> None:
        run_job(store, number, settings, lambda: datetime.now(UTC))

    server = AdminServer(Desk(settings, store, lambda: datetime.now(UTC), wake, wake_for_job))
    server.start()
    script = "\n".join(blocks("docs/how-to/import-over-http.md", "bash")).replace("http://127.0.0.1:8370", server.url)

    done = subprocess.run(
        ["bash", "-eu", "-c", f"secret={secret}\n{script}"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    server.stop()
    batch, *report, job = done.stdout.splitlines()
    assert done.stderr == ""
    assert json.loads(job)["result"]["removed"] == 1
    assert (json.loads(batch)["created"], json.loads(batch)["rejected"]) == (1, 1)
    assert "sin arroba" in report[1]


def test_every_test_that_the_page_of_requirements_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/reference/asvs.md").read_text("utf-8")))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }

    assert named - there == set()
    assert len(named) > 40


def test_every_filter_that_the_page_shows_is_one() -> None:
    page = (ROOT / "docs/how-to/find-and-segment.md").read_text("utf-8")
    table = page[page.index("| asks") : page.index("A comparison with something")]
    fields = {"plan": "text", "puntos": "number", "activo": "boolean", "renueva": "date"}
    catalogue = Catalogue({**fields, "gustos": field_type("choices", ["té"])}, "CO")  # type: ignore[dict-item]
    shown = [text for text in re.findall(r"`([^`]+)`", table) if re.search(r"[ (=]", text) and "TIMESTAMP" not in text]

    for text in shown:
        understand(parse(text), catalogue)
    assert len(shown) >= 20
