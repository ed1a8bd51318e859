"""What lint cannot hold: the shape of the house, and that what it promises is written down."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from celery import Celery
from typer.main import get_command

from admin.command import app as commands
from admin.help import SPANISH, texts
from scheduler.app import QUEUE, TICKS, make_app, timetable
from scheduler.tasks import add_tasks
from schemas.codes import CODES
from schemas.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("schemas", "warehouse", "connectors", "pipelines", "scheduler", "admin")
DOORS = {
    "scheduler/tasks.py": "the tasks' door: gives the clock to what lies below",
}
FRESH_NAMES = {
    "connectors/folders.py": "the name under which a file is claimed must be nobody else's",
    "pipelines/drops.py": "the token of a lease and the name of a retried file must be nobody else's",
    "pipelines/byhand.py": "the token of a lease must be nobody else's",
    "pipelines/uploads.py": "the name under which an upload is kept must be nobody else's",
    "pipelines/refreshes.py": "the token of a lease must be nobody else's",
    "pipelines/jobs.py": "the token of a lease must be nobody else's",
    "pipelines/events.py": "the receiver of a delivery knows by its name whether it came twice",
    "pipelines/passwords.py": "a secret must be nobody else's",
    "pipelines/sync.py": "the token of a lease must be nobody else's",
    "pipelines/sync_here.py": "the token by which a record is found again must be nobody else's",
    "pipelines/sync_steps.py": "the token by which a record is found again must be nobody else's",
    "pipelines/conformance.py": "the token by which a record is found again must be nobody else's",
    "admin/example_crm.py": "the token of the example CRM must be nobody else's",
}
"""Modules that may make a random name, and why; nothing that is stored of a contact depends on it."""


def modules() -> Iterator[Path]:
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def called(tree: ast.AST) -> Iterator[str]:
    """The last names of everything that is called: `uuid.uuid4()` gives uuid4, `datetime.now()` gives datetime.now."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            yield node.func.id
        elif isinstance(node.func, ast.Attribute):
            owner = node.func.value
            yield node.func.attr
            yield f"{owner.id if isinstance(owner, ast.Name) else '?'}.{node.func.attr}"


def test_there_are_modules_to_look_at() -> None:
    assert len(list(modules())) > 50


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}

    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_no_function_is_longer_than_40_lines_of_code() -> None:
    long = []
    for path in modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.name != "import_file":  # import_file lists its options
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > 40:
                    long.append(f"{name_of(path)}:{node.lineno} {node.name} {lines}")

    assert long == []


def test_imports_stand_at_the_top() -> None:
    inside = [
        f"{name_of(path)}:{found.lineno}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for found in ast.walk(node)
        if isinstance(found, ast.Import | ast.ImportFrom)
    ]

    assert inside == []


def test_every_module_says_what_lives_in_it() -> None:
    assert [name_of(path) for path in modules() if not ast.get_docstring(tree_of(path))] == []


def test_nothing_below_the_doors_asks_for_the_time() -> None:
    asks = {"datetime.now", "datetime.utcnow", "date.today", "datetime.today", "time.time", "time.time_ns"}
    found = {name_of(path) for path in modules() if asks & set(called(tree_of(path)))}

    assert found == set(DOORS)


def test_random_names_are_made_only_where_listed() -> None:
    makers = {"uuid1", "uuid4", "uuid7", "token_hex", "token_urlsafe", "random", "randrange", "choice"}
    found = {name_of(path) for path in modules() if makers & set(called(tree_of(path)))}

    assert found == set(FRESH_NAMES)


def test_the_environment_is_read_in_the_settings_only() -> None:
    found = [
        name_of(path)
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]

    assert found == ["schemas/settings.py"]


def test_nothing_is_mocked() -> None:
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    mocked = [name_of(path) for path in tests if re.search(r"unittest\.mock|MagicMock", path.read_text("utf-8"))]

    assert mocked == []


@pytest.mark.parametrize("name", sorted(CODES))
def test_a_code_of_the_row_report_is_given_somewhere(name: str) -> None:
    sources = [path.read_text(encoding="utf-8") for path in modules() if name_of(path) != "schemas/codes.py"]

    assert any(f'"{name}"' in source for source in sources)


def test_a_code_has_its_sentence_in_both_languages() -> None:
    assert [code.name for code in CODES.values() if not (code.en and code.es) or code.en == code.es] == []
    assert [code.name for code in CODES.values() if bool(code.en_suggestion) != bool(code.es_suggestion)] == []


def test_a_code_fits_its_column() -> None:
    assert [name for name in CODES if len(name) > 24] == []


def test_every_code_is_documented() -> None:
    text = document("docs/reference/codes.md")

    assert [name for name in CODES if f"`{name}`" not in text] == []


def test_every_setting_is_documented() -> None:
    text = document("docs/reference/settings.md")

    assert [name for name in Settings.model_fields if f"PADRON_{name.upper()}" not in text] == []


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, item in Settings.model_fields.items() if not item.description] == []


def command_names() -> list[str]:
    group = typer.main.get_command(commands)
    names = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", {})
        names += [f"padron {name} {item}" for item in below] or [f"padron {name}"]
    return sorted(names)


def test_every_command_is_documented() -> None:
    text = document("docs/reference/commands.md")

    assert [name for name in command_names() if name not in text] == []


def test_every_command_has_a_sentence_of_help() -> None:
    group = typer.main.get_command(commands)
    every = {**group.commands, **group.commands["batches"].commands}  # type: ignore[attr-defined]

    assert len(every) > 10
    assert [name for name, command in every.items() if not command.help] == []


@pytest.fixture(scope="module")
def celery() -> Celery:
    settings = Settings()
    app = make_app(settings)
    add_tasks(app, settings)
    app.finalize()
    return app


def queue_of(app: Celery, task: str) -> str:
    queue = app.amqp.router.route({}, task)["queue"]
    return str(getattr(queue, "name", queue))


def test_every_beat_entry_names_a_registered_task(celery: Celery) -> None:
    entries = timetable(Settings())

    assert entries
    assert [name for name, entry in entries.items() if entry["task"] not in celery.tasks] == []


def test_every_task_goes_to_a_queue_that_the_workers_read(celery: Celery) -> None:
    own = [name for name in celery.tasks if name.startswith("padron.")]
    readers = [(ROOT / "scheduler" / name).read_text(encoding="utf-8") for name in ("embedded.py", "processes.py")]

    assert {queue_of(celery, name) for name in own} == {QUEUE, TICKS}
    assert [text.count("queues=[QUEUE, TICKS]") for text in readers] == [1, 1]


def test_every_part_runs_in_the_compose_file() -> None:
    """A worker reads every queue, so each queue is consumed where a worker runs."""
    text = document("docker-compose.yml")

    assert [part for part in ("worker", "beat", "watch", "admin") if not re.search(rf"\b{part}\b", text)] == []


def test_the_help_of_every_command_is_there_in_spanish() -> None:
    assert {text for text, _ in texts(get_command(commands))} == set(SPANISH)
