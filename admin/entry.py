"""Where `padron` begins: whoever stops it while it is still loading sees no traceback."""

import sys


def main() -> None:
    try:
        from admin.command import main as run  # noqa: PLC0415 (loading takes a second or two)

        run()
    except KeyboardInterrupt:
        sys.exit(130)
