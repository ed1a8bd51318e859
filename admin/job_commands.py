"""`padron jobs …` and `padron states …`: long work that was asked for, and the states of agents."""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.actors import shown
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines.jobs import cancel_job, find_jobs
from pipelines.states import changes_of, drop_state, known_states, put_state
from schemas.settings import read_settings
from warehouse.states import AgentState
from warehouse.store import open_store

jobs = typer.Typer(help="Long work that was asked for: list, cancel.", no_args_is_help=True)
states = typer.Typer(help="States of agents: list, save, delete, history.", no_args_is_help=True)
console = Console()
StateName = Annotated[str, typer.Argument(help="The state's name, such as in_training.")]


@jobs.command("list")
def list_jobs(
    object_: Annotated[str, typer.Option("--of", help="Only of this, such as batch:3.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
) -> None:
    """The newest jobs, with how far each is."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("id", "kind", "object", "state", "done", "actor", "message"):
        table.add_column(say(words, name), overflow="fold")
    for work in find_jobs(open_store(settings.store_url), object_, limit):
        message = work.message_es if words == "es" else work.message_en
        far = f"{work.done:,} / {work.total:,}"
        state = say(words, f"job_{work.state}")
        table.add_row(
            str(work.id), work.kind, work.object, state, far, escape(shown(work.actor, words)), escape(message or "")
        )
    console.print(table)


@jobs.command()
def cancel(number: Annotated[int, typer.Argument(help="The job's number.")]) -> None:
    """Ask a job to stop; what it did stays."""
    settings = read_settings()
    cancel_job(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "job_stopping", id=number))


@states.command("list")
def list_states() -> None:
    """The states that an agent may set."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("name", "en", "es", "takes"):
        table.add_column(say(words, name))
    for state in known_states(open_store(settings.store_url)):
        takes = say(words, "now" if state.takes_conversations else "never")
        table.add_row(escape(state.name), escape(state.en), escape(state.es), takes)
    console.print(table)


@states.command()
def save(
    name: StateName,
    english: Annotated[str, typer.Option("--en", help="What it is called in English.")],
    spanish: Annotated[str, typer.Option("--es", help="What it is called in Spanish.")],
    takes: Annotated[bool, typer.Option("--takes/--no-takes", help="Who is in it takes conversations.")] = False,
    place: Annotated[int, typer.Option(min=0, max=1000, help="Its place in lists.")] = 100,
) -> None:
    """Define a state, or say anew what it is."""
    settings = read_settings()
    put_state(open_store(settings.store_url), AgentState(name, english, spanish, takes, place), asked_now())
    console.print(say(settings.language, "state_saved", name=escape(name)))


@states.command()
def delete(name: StateName) -> None:
    """Remove a state that nobody is in."""
    settings = read_settings()
    drop_state(open_store(settings.store_url), name, asked_now())
    console.print(say(settings.language, "state_deleted", name=escape(name)))


@states.command()
def history(
    number: Annotated[int, typer.Argument(help="The operator's number.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
) -> None:
    """The states that an operator was in, the newest first."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("when_set", "state", "actor"):
        table.add_column(say(words, name))
    for change in changes_of(open_store(settings.store_url), number, limit):
        table.add_row(
            shown_time(change.at, settings), escape(change.state), escape(shown(change.actor, settings.language))
        )
    console.print(table)
