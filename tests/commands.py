"""Runs of the command line that need no new Python each."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.routes.running import ROOT, environment

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def zygote() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.zygote"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def run(zygote: "subprocess.Popen[str]", tmp_path: Path) -> Run:
    """Runs a command to its end, in a fork of a process that has imported it."""

    def begin(home: Path, *arguments: str, typed: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
        out, err = tmp_path / "out", tmp_path / "err"
        out.unlink(missing_ok=True)
        err.unlink(missing_ok=True)
        variables = environment(home, **settings)
        given = tmp_path / "in"
        given.write_text(typed, "utf-8")
        files = {"in": str(given), "out": str(out), "err": str(err)}
        request = {"arguments": arguments, "environment": variables, **files}
        assert zygote.stdin
        assert zygote.stdout
        zygote.stdin.write(json.dumps(request) + "\n")
        zygote.stdin.flush()
        code = int(zygote.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, out.read_text("utf-8"), err.read_text("utf-8"))

    return begin
