"""The command line in forks of a process that has imported it already, as starting Python takes seconds."""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from admin.command import main

ROOT = Path(__file__).resolve().parents[1]
FORKS = multiprocessing.get_context("forkserver")
"""Its processes have imported all of Padrón."""
FORKS.set_forkserver_preload([__name__])


def fork(arguments: list[str], variables: dict[str, str], files: tuple[Path, Path, Path]) -> ForkServerProcess:
    """Start a command in a process group of its own, with files for standard input, output and error."""
    process = FORKS.Process(target=_run, args=(arguments, variables, files))
    process.start()
    return process


def _run(arguments: list[str], variables: dict[str, str], files: tuple[Path, Path, Path]) -> None:
    """In the fork: become the command, and end with its exit code."""
    os.setsid()
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate(files):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.stdin = os.fdopen(0, closefd=False)  # the fork had closed it
    sys.argv = ["padron", *arguments]
    main()
