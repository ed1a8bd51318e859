"""Bars on standard error that show how far something is."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from warehouse.jobs import Progress as Told


@contextmanager
def bar(title: str) -> Iterator[Told]:
    """What is to be told how much is done, and of how much."""
    with Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
    ) as shown:
        task = shown.add_task(escape(title), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
