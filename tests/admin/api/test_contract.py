"""The OpenAPI document is complete and true: schemathesis asks every route as each built-in role."""

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.permissions import ROLES
from tests.admin.api.conftest import Endpoint

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_ENDS_THE_SESSION = ("/api/sessions/current", "/api/operators/{number}/sessions", "/api/me/password")


def ask_everything(endpoint: Endpoint, role: str, examples: int) -> None:
    secret = endpoint.someone(role)
    leave_out = [part for path in _ENDS_THE_SESSION for part in ("--exclude-path", path)]
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(_CONFIG)),
        *("run", f"{endpoint.url}/api/openapi.json", "--header", f"Authorization: Bearer {secret}"),
        *("--max-examples", str(examples), "--checks", "all", "--seed", "7", "--no-color", *leave_out),
    ]

    done = subprocess.run(command, cwd=endpoint.store.folder, capture_output=True, text=True, timeout=1500)

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.parametrize("role", ROLES)
def test_the_document_is_true_for_each_role(endpoint: Endpoint, role: str) -> None:
    ask_everything(endpoint, role, 10)


@pytest.mark.slow
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("role", ROLES)
def test_the_document_is_true_for_each_role_in_200_examples(endpoints: Endpoint, role: str) -> None:
    ask_everything(endpoints, role, 200)
