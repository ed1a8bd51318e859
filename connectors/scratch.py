"""Folders for what is only there while somebody works on it; what a process left that died goes with the next one."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

_FOLDER, _HELD = "scratch", ".held"


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """A folder of one's own in the home folder, where there is room as for the database; only its owner can read it."""
    parent = home / _FOLDER
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        with (parent / ".turn").open("wb") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for left in parent.iterdir():
                if left.is_dir() and not _is_held(left):
                    shutil.rmtree(left, ignore_errors=True)
            folder = Path(mkdtemp(dir=parent))
            held = stack.enter_context((folder / _HELD).open("wb"))
            fcntl.flock(held, fcntl.LOCK_EX)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _is_held(folder: Path) -> bool:
    """Whether its process lives: the kernel lets go of the lock of one that died."""
    with suppress(FileNotFoundError), (folder / _HELD).open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
