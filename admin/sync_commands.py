"""`padron sync …`: see what a sync would do, let it be done, and look at what became of whom."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from admin.operator_commands import asked_now
from admin.sync_words import KEYS
from admin.times import shown_time
from admin.words import say
from connectors.limits import share
from pipelines import connections, sync_plans, sync_reports
from pipelines.connections import crm_factory
from pipelines.sync import Asking, CrmOf, SyncReport, run_sync
from scheduler.limits import limiter_of
from scheduler.tasks import utc_now
from schemas.settings import Settings, read_settings
from warehouse.store import open_store
from warehouse.sync_plans import PlanItem

app = typer.Typer(
    help="Sync with CRMs: plan, apply, run, status, explain, conflicts, restore, approve, pause, resume.",
    no_args_is_help=True,
)
console = Console()
Name = Annotated[str, typer.Argument(help="The connection's name.")]
_SIGNS = {
    "create_local": "[green]+[/]",
    "create_remote": "[green]+[/]",
    "adopt": "[cyan]=[/]",
    "merge": "[yellow]~[/]",
    "restore_local": "[yellow]~[/]",
    "recreate": "[green]+[/]",
    "archive_local": "[red]-[/]",
    "archive_remote": "[red]-[/]",
    "delete_local": "[red]-[/]",
    "erase_remote": "[red]-[/]",
    "conflict": "[magenta]![/]",
    "ambiguous": "[magenta]?[/]",
}


def _crm_of(store: Engine, settings: Settings) -> CrmOf:
    """Clients that are within the limits of all workers."""
    share(limiter_of(settings))
    return crm_factory(store, settings)


@app.command()
def plan(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many pairs to show.")] = 50,
) -> None:
    """What a run would do, pair by pair, by reading both sides; nothing is changed."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    sync_plans.make_plan(store, settings, name, _crm_of(store, settings), utc_now, asked_now())
    made, items = sync_plans.find_plan(store, name, limit)
    for item in items:
        _tell_item(item, words)
    total = sum(count for action, count in made.counts.items() if action not in ("conflicts", "fields"))
    if total > len(items):
        console.print(say(words, "and_more", count=f"{total - len(items):,}"))
    if not total:
        console.print(say(words, "sync_nothing"))
        return
    counts = ", ".join(f"{say(words, f'sync_{key}')} {count:,}" for key, count in sorted(made.counts.items()) if count)
    console.print(say(words, "planned", counts=counts, calls=f"{made.calls:,}", name=name), soft_wrap=True)


def _tell_item(item: PlanItem, words: str) -> None:
    named = (f"#{item.contact_id}" if item.contact_id else "", str(item.remote_id or ""), _why(item.reason, words))
    who = " ".join(filter(None, named))
    sign = _SIGNS.get(item.action, "·")
    console.print(f"{sign} {say(words, f'sync_{item.action}')} {escape(who)}", soft_wrap=True, highlight=False)
    for side in ("local", "remote"):
        for field, (old, new) in item.changes.get(side, {}).items():
            where, name = ("here", field) if side == "local" else ("there", field.partition("=")[2])
            line = f"    {say(words, where)} {name}: {_shown(old, words)} → {_shown(new, words)}"
            console.print(escape(line), soft_wrap=True, highlight=False)
    for pair in item.changes.get("conflicts", ()):
        console.print(escape(f"    {say(words, 'conflict_in')} {_pair(pair)}"), soft_wrap=True, highlight=False)
    for pair, why in item.changes.get("parked", {}).items():
        console.print(escape(f"    {say(words, 'left_as_is')} {_pair(pair)}: {why}"), soft_wrap=True, highlight=False)


def _why(reason: str | None, words: str) -> str:
    """A reason in words, where it needs any; who the twin of a record is, as it is."""
    key = f"why_{reason}"
    if key in KEYS:
        return f"({say(words, key)})"
    return f"({reason})" if reason and reason.startswith("twin ") else ""


def _pair(name: str) -> str:
    """A pair of fields as one reads it.

    >>> _pair("city=city"), _pair("first_name=firstname")
    ('city', 'first_name ↔ firstname')
    """
    here, _, there = name.partition("=")
    return here if here == there else f"{here} ↔ {there}"


def _shown(value: Any, words: str) -> str:
    if isinstance(value, bool):
        return say(words, "yes_said" if value else "no_said")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "∅" if value is None else str(value)


@app.command()
def apply(name: Name) -> None:
    """Do what the newest plan says; pairs that have moved since are left for the next one."""
    settings = read_settings()
    store = open_store(settings.store_url)
    report = sync_plans.apply_plan(store, settings, name, _crm_of(store, settings), utc_now, asked_now())
    _tell_report(report, settings)


@app.command()
def run(
    name: Name,
    sweep: Annotated[bool, typer.Option("--sweep", help="Go through everything the CRM has, as each night.")] = False,
) -> None:
    """Sync now: what changed on either side since the last time."""
    settings = read_settings()
    store = open_store(settings.store_url)
    crm, asking = connections.find_connection(store, name), Asking(asked_now().actor, sweeps=sweep)
    report = run_sync(store, settings, crm.id, _crm_of(store, settings), utc_now, asking)
    if report is None:
        console.print(say(settings.language, "sync_busy", name=name), soft_wrap=True)
        raise typer.Exit(1)
    _tell_report(report, settings)


def _tell_report(report: SyncReport, settings: Settings) -> None:
    words = settings.language
    if report.sentence:
        console.print(escape(report.sentence[words == "es"]), soft_wrap=True)
    counts = _counts(report.counts, words)
    if not counts and report.state == "done":
        console.print(say(words, "sync_nothing"))
    elif counts:
        console.print(say(words, "synced", counts=counts, calls=f"{report.calls:,}", run=report.run), soft_wrap=True)
    if report.state in ("failed", "waiting"):
        raise typer.Exit(1)


def _counts(counts: Mapping[str, int], words: str) -> str:
    shown = {key: count for key, count in counts.items() if count and key not in ("applied", "unchanged", "none")}
    return ", ".join(f"{say(words, f'sync_{key}')} {count:,}" for key, count in sorted(shown.items()))


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="The connection's name; all of them without.")] = None,
) -> None:
    """How connections stand: pairs, what is due, what waits for a person, and the last run."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    names = [name] if name else [one.name for one in connections.find_connections(store)]
    for one in names:
        found = sync_reports.find_standing(store, one)
        console.print(f"[bold]{one}[/] · {say(words, f'connection_{found.crm.state}')}", highlight=False)
        said = found.crm.message_es if words == "es" else found.crm.message_en
        rows = [
            ("pairs", ", ".join(f"{say(words, f'link_{state}')} {count:,}" for state, count in found.links.items())),
            ("due", f"{found.due:,}" if found.due else ""),
            ("held", f"{found.held:,}" if found.held else ""),
            ("open_conflicts", f"{found.open_conflicts:,}" if found.open_conflicts else ""),
            ("failed_calls", f"{found.failed_calls:,}" if found.failed_calls else ""),
            ("message", escape(said or "")),
        ]
        if found.last is not None:
            ended = shown_time(found.last.finished_at, settings) if found.last.finished_at else ""
            rows.append(
                ("last_run", f"{ended} {_counts(found.last.counts or {}, words) or say(words, 'sync_nothing')}")
            )
        for key, text in rows:
            if text:
                console.print(f"  {say(words, key)}: {text}", soft_wrap=True, highlight=False)


@app.command()
def outcomes(
    name: Name,
    run: Annotated[int | None, typer.Option("--run", help="Another run than the last.")] = None,
    outcome: Annotated[str, typer.Option(help="Only those applied, unchanged, conflict, rejected or waiting.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 50,
) -> None:
    """What became of each record that a run looked at."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    runs = sync_reports.find_runs(store, name, 1)
    number = run or (runs[0].id if runs else 0)
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("contact", "there", "outcome", "action", "field", "why"):
        table.add_column(say(words, head), overflow="fold")
    for one in sync_reports.find_outcomes(store, number, limit, outcome):
        cells = (str(one.contact_id or ""), str(one.remote_id or ""), say(words, f"sync_{one.outcome}"))
        action = say(words, f"sync_{one.action}") if one.action else ""
        table.add_row(*cells, action, escape(", ".join(one.fields or ())), escape(one.said or ""))
    console.print(table)


@app.command()
def explain(contact: Annotated[int, typer.Argument(help="The contact's number.")]) -> None:
    """Why a contact stands in each CRM as it does: what was agreed on, what is on each side, what would be done."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    found = sync_reports.explain(store, settings, contact, _crm_of(store, settings))
    if not found:
        console.print(say(words, "not_linked", id=contact))
    for one in found:
        head = f"{one.connection} {one.link.remote_id or ''} · {say(words, f'link_{one.link.state}')}"
        said = one.link.message or one.why
        console.print(
            f"[bold]{escape(head)}[/] {escape(say(words, f'sync_{one.action}'))} {escape(said)}", highlight=False
        )
        table = Table(box=box.SIMPLE_HEAD)
        for name in ("field", "agreed", "here", "there", "why"):
            table.add_column(say(words, name), overflow="fold")
        for each in one.fields:
            sides = (_both(each.base, words), _shown(each.local, words), _shown(each.remote, words))
            said = f"{say(words, f'verdict_{each.verdict}')} {each.detail}".strip()
            table.add_row(_pair(each.pair), *(escape(text) for text in sides), escape(said))
        console.print(table)


def _both(base: Sequence[Any] | None, words: str) -> str:
    if base is None:
        return "—"
    mine, theirs = _shown(base[0], words), _shown(base[1], words)
    return mine if mine == theirs else f"{mine} / {theirs}"


@app.command()
def conflicts(
    name: Annotated[str | None, typer.Argument(help="The connection's name; all of them without.")] = None,
    state: Annotated[str, typer.Option(help="Only those open, chosen, auto, restored or dismissed.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
) -> None:
    """Values that stood against each other, the newest first: who won by what, and what was passed over."""
    settings = read_settings()
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("id", "contact", "field", "here", "there", "winner", "state"):
        table.add_column(say(words, head), overflow="fold")
    for one in sync_reports.find_conflicts(open_store(settings.store_url), limit, name, state):
        sides = (escape(_shown(one.local, words)), escape(_shown(one.remote, words)))
        won = f"{say(words, f'winner_{one.winner}')} ({one.policy})"
        table.add_row(
            str(one.id), str(one.contact_id or ""), _pair(one.pair), *sides, won, say(words, f"conflict_{one.state}")
        )
    console.print(table)


@app.command()
def restore(
    conflict: Annotated[int, typer.Argument(help="The conflict's number.")],
    side: Annotated[
        str, typer.Option(help="Whose value stands: local, remote, or loser (the one passed over).")
    ] = "loser",
) -> None:
    """Let the other value of a conflict stand, here and there."""
    settings = read_settings()
    store = open_store(settings.store_url)
    found = sync_reports.restore_conflict(store, settings, conflict, side, asked_now())
    console.print(say(settings.language, "conflict_settled", id=found.id), soft_wrap=True)


@app.command()
def approve(name: Name) -> None:
    """Let the deletions through that a run held back."""
    settings = read_settings()
    count = connections.approve(open_store(settings.store_url), name, asked_now())
    console.print(say(settings.language, "approved", count=f"{count:,}", name=name), soft_wrap=True)


@app.command()
def pause(name: Name) -> None:
    """Let no run begin."""
    settings = read_settings()
    connections.pause(open_store(settings.store_url), name, asked_now())
    console.print(say(settings.language, "paused", name=name))


@app.command()
def resume(name: Name) -> None:
    """Let runs begin again."""
    settings = read_settings()
    connections.resume(open_store(settings.store_url), name, asked_now())
    console.print(say(settings.language, "resumed", name=name))
