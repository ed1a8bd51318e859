"""Runs the command line in a fork of a process that has imported it already, as starting Python takes seconds.

Each line of standard input is a request: arguments, environment, and the files for standard input, output and error. The fork
runs `main()` and ends as the command does; the answer is its exit code.
"""

import json
import os
import sys
import traceback

from admin.command import main


def run(request: dict[str, list[str] | dict[str, str] | str]) -> None:
    """In the fork: become the command, and end with its exit code."""
    arguments, variables = request["arguments"], request["environment"]
    assert isinstance(arguments, list)
    assert isinstance(variables, dict)
    os.environ.clear()
    os.environ.update(variables)
    for number, name in ((0, str(request["in"])), (1, str(request["out"])), (2, str(request["err"]))):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
    sys.argv = ["padron", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # as the interpreter does at the end of a process: a trace, and 1
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
