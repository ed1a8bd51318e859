"""The OpenAPI document is complete and true: schemathesis asks every route as each built-in role."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.permissions import ROLES
from tests.admin.api.conftest import Endpoint, serve
from tests.conftest import Roll
from warehouse.store import open_store

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_ENDS_THE_SESSION = (
    *("/api/sessions/current", "/api/operators/{number}/sessions", "/api/me/password"),
    "/api/operators/{number}/password",
)


def ask_everything(endpoint: Endpoint, role: str, examples: int) -> None:
    """All that keeps the session first, then what ends it."""
    secret = endpoint.someone(role)
    for option in ("--exclude-path", "--include-path"):
        _ask(endpoint, secret, examples, [part for path in _ENDS_THE_SESSION for part in (option, path)])


def _ask(endpoint: Endpoint, secret: str, examples: int, which: list[str]) -> None:
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(_CONFIG)),
        *("run", f"{endpoint.url}/api/openapi.json", "--header", f"Authorization: Bearer {secret}"),
        *("--max-examples", str(examples), "--checks", "all", "--seed", "7", "--no-color", *which),
        *("--generation-database", "none"),  # with one, Hypothesis looks for smaller examples of what passes
    ]

    done = subprocess.run(command, cwd=endpoint.store.folder, capture_output=True, text=True, timeout=1500)

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("role", ROLES)
def test_the_document_is_true_for_each_role_in_200_examples(endpoint: Endpoint, role: str) -> None:
    ask_everything(endpoint, role, 200)


@pytest.mark.slow
def test_the_document_is_true_over_postgresql(postgres_url: str, tmp_path: Path) -> None:
    engine = open_store(postgres_url)
    for endpoint in serve(Roll(engine, tmp_path)):
        ask_everything(endpoint, "administrator", 25)
    engine.dispose()
