"""`padron webhooks …`: who is told of what, what was told, and telling again."""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines import webhooks
from pipelines.webhooks import WebhookForm
from schemas.settings import read_settings
from warehouse.store import open_store

app = typer.Typer(help="Webhooks: create, list, edit, deliveries, replay.", no_args_is_help=True)
console = Console()
Number = Annotated[int, typer.Argument(help="The webhook's number.")]
Events = Annotated[list[str] | None, typer.Option("--event", help="An event, such as batch.finished; may be repeated.")]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="The address that is told, https://…")],
    event: Events = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Tell an address of events, signed; the secret is shown this once."""
    settings = read_settings()
    form = WebhookForm(url, tuple(event or ()), description)
    secret, made = webhooks.create_webhook(open_store(settings.store_url), settings, form, asked_now())
    console.print(say(settings.language, "webhook_made", id=made.id))
    console.print(secret, soft_wrap=True, highlight=False)


@app.command("list")
def list_all() -> None:
    """Every webhook."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("id", "address", "events", "state"):
        table.add_column(say(words, name), overflow="fold")
    for one in webhooks.find_webhooks(open_store(settings.store_url)):
        state = say(words, "active") if one.is_active else one.disabled_because or say(words, "inactive")
        table.add_row(str(one.id), escape(one.url), ", ".join(one.events), escape(state))
    console.print(table)


@app.command()
def edit(
    number: Number,
    url: Annotated[str | None, typer.Option(help="Another address.")] = None,
    event: Events = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Whether it is told.")] = None,
) -> None:
    """Change what is named; one that is made active again is told of what happens from then on."""
    settings = read_settings()
    named = {"url": url, "events": tuple(event) if event else None, "is_active": active}
    changes = {name: value for name, value in named.items() if value is not None}
    changed = webhooks.edit_webhook(open_store(settings.store_url), settings, number, changes, asked_now())
    console.print(say(settings.language, "webhook_changed", url=escape(changed.url)))


@app.command()
def delete(number: Number) -> None:
    """Remove a webhook with its deliveries."""
    settings = read_settings()
    webhooks.drop_webhook(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "webhook_deleted", id=number))


@app.command()
def secret(number: Number) -> None:
    """Another secret, shown this once; for a day everything is signed with the old one too."""
    settings = read_settings()
    made = webhooks.new_secret(open_store(settings.store_url), settings, number, asked_now())
    console.print(made, soft_wrap=True, highlight=False)


@app.command()
def test(number: Number) -> None:
    """Send an event that says nothing, to see whether it is heard."""
    settings = read_settings()
    webhooks.send_test(open_store(settings.store_url), number, asked_now())
    console.print(say(settings.language, "webhook_test", id=number))


@app.command()
def deliveries(
    number: Number,
    state: Annotated[str, typer.Option(help="Only those waiting, sent or dead.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
) -> None:
    """What was told, or is to be, the newest first."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("id", "event", "state", "attempts", "created_at", "next", "answer"):
        table.add_column(say(words, name), overflow="fold")
    for one in webhooks.find_deliveries(open_store(settings.store_url), number, limit, state=state):
        stamps = (shown_time(at, settings) for at in (one.created_at, one.next_at))
        answer = one.error or (str(one.status) if one.status else "")
        state_said = say(words, f"delivery_{one.state}")
        table.add_row(str(one.id), one.event, state_said, str(one.attempts), *stamps, escape(answer))
    console.print(table)


@app.command()
def replay(
    number: Number,
    delivery: Annotated[int | None, typer.Option(help="Only this delivery.")] = None,
) -> None:
    """Send dead deliveries again."""
    settings = read_settings()
    count = webhooks.replay(open_store(settings.store_url), number, asked_now(), delivery)
    console.print(say(settings.language, "webhook_replayed", count=count))
