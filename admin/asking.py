"""Asking before something is done that many would regret."""

import typer

from admin.words import say

_YES = ("s", "si", "sí", "y", "yes")


def confirm(language: str, question: str, *, yes: bool) -> None:
    """Go on if the answer, in either language, is yes, or was said beforehand; leave with 1 otherwise."""
    if yes:
        return
    answer = typer.prompt(f"{question} {say(language, 'yes_or_no')}", default="", show_default=False)
    if answer.strip().lower() not in _YES:
        typer.echo(say(language, "left_alone"))
        raise typer.Exit(1)
