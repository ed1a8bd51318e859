"""Runs of the command line that need no new Python each."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forks import fork
from tests.routes.running import environment

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path, sqlite_template: Path) -> Run:
    """Runs a command to its end, over a store whose tables stand already."""

    def begin(home: Path, *arguments: str, typed: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "padron.db").exists():
            shutil.copy(sqlite_template, home / "padron.db")
        given, out, err = tmp_path / "in", tmp_path / "out", tmp_path / "err"
        out.unlink(missing_ok=True)
        err.unlink(missing_ok=True)
        given.write_text(typed, "utf-8")
        process = fork(list(arguments), environment(home, **settings), (given, out, err))
        process.join(60)
        assert process.exitcode is not None, f"padron {arguments} did not end in 60 s"
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))

    return begin
