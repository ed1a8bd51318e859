"""`padron backup …` and `padron restore`: copies of the whole store, proven, and made into a store again."""

from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from admin.asking import confirm
from admin.bars import bar
from admin.contact_commands import result_of
from admin.operator_commands import asked_now
from admin.times import shown_time
from admin.words import say
from pipelines import backup_jobs, backup_retention
from pipelines.backups import NEWEST, Beat, find_backup, list_backups, place_of
from pipelines.contact_restores import find_past_contact, restore_past_contact
from pipelines.jobs import run_job
from pipelines.restores import Plan, Wish, plan_restore, restore_backup
from scheduler.tasks import utc_now
from schemas.settings import Settings, read_settings
from schemas.urls import with_driver
from warehouse.store import open_store

app = typer.Typer(help="Backups: create, list, verify, prune.", no_args_is_help=True)
console = Console()
At = Annotated[str, typer.Option("--place", help="Where backups lie, instead of PADRON_BACKUP_URL.")]


def _settings(place: str) -> Settings:
    found = read_settings()
    return found.model_copy(update={"backup_url": place}) if place else found


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


@app.command()
def create(
    csv: Annotated[bool, typer.Option("--csv", help="The contacts as CSV too.")] = False, place: At = ""
) -> None:
    """Write every table, as it is at this moment, to a backup; then let go those that are too many."""
    settings = _settings(place)
    settings = settings.model_copy(update={"backup_csv": True}) if csv else settings
    store, words = open_store(settings.store_url), settings.language
    work = backup_jobs.ask_for_backup(store, asked_now())
    with bar(say(words, "backing_up")) as told:
        found = result_of(run_job(store, work.id, settings, utc_now, told))
    said = {"name": found["backup"], "rows": f"{found['rows']:,}", "size": _size(found["size_bytes"])}
    console.print(say(words, "backed_up", **said, place=place_of(settings).shown), soft_wrap=True)
    _tell_of_pruned(words, found["let_go"], found["interrupted"], "let_go")


@app.command("list")
def list_some(place: At = "") -> None:
    """The backups of this installation, the oldest first, and how far each was verified."""
    settings = _settings(place)
    words = settings.language
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("name", "as_of", "rows", "size", "verified"):
        table.add_column(
            say(words, name), no_wrap=name in ("name", "as_of"), justify="right" if name in ("rows", "size") else "left"
        )
    for one in list_backups(settings):
        found = one.manifest
        verified = say(words, "never")
        if one.verified:
            verified = f"{say(words, f'level_{one.verified.level}')} ({shown_time(one.verified.at, settings)})"
        as_of = shown_time(found.as_of, settings)
        table.add_row(found.name, as_of, f"{found.rows:,}", _size(found.size_bytes), verified)
    console.print(table)


@app.command()
def verify(
    name: Annotated[str, typer.Argument(help="The backup's name; else the newest.")] = NEWEST,
    level: Annotated[
        int, typer.Option(min=1, max=3, help="1: the files are whole. 2: every page too. 3: restored and compared.")
    ] = 2,
    place: At = "",
) -> None:
    """See whether a backup is whole, up to making a store of it and comparing every row."""
    settings = _settings(place)
    words, manifest = settings.language, find_backup(settings, name)
    with bar(manifest.name) as told:
        beat = Beat(told, len(manifest.files) * (1 if level == 1 else 2))
        backup_jobs.note(settings, manifest, level, utc_now, beat)
    said = {"name": manifest.name, "rows": f"{manifest.rows:,}", "level": say(words, f"level_{level}")}
    console.print(say(words, "backup_good", **said), soft_wrap=True)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False, place: At = ""
) -> None:
    """Let go the backups that PADRON_BACKUP_KEEP does not keep, and what is left of unfinished ones."""
    settings = _settings(place)
    store = open_store(settings.store_url)
    found = backup_retention.prune(store, settings, utc_now(), is_rehearsal=dry_run)
    _tell_of_pruned(settings.language, found.backups, found.interrupted, "would_let_go" if dry_run else "let_go")
    if not found.backups and not found.interrupted:
        console.print(say(settings.language, "nothing_to_let_go"))


def _tell_of_pruned(
    words: str, backups: list[str] | tuple[str, ...], left: list[str] | tuple[str, ...], key: str
) -> None:
    for name in (*backups, *left):
        console.print(say(words, key, name=name), soft_wrap=True)


def restore(
    name: Annotated[str, typer.Argument(help="The backup's name, or newest.")],
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would be done.")] = False,
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table, which has no rows; may be said again.")
    ] = None,
    contact: Annotated[
        int, typer.Option("--contact", help="Only this contact, in the store as it is: its number.")
    ] = 0,
    after: Annotated[
        str,
        typer.Option(
            "--after", help="URL of the database that this one replaces, if it is there: its opt-outs are kept."
        ),
    ] = "",
    foreign: Annotated[
        bool, typer.Option("--foreign", help="Also a backup that another installation signed, whom you trust.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    place: At = "",
) -> None:
    """Make the store in PADRON_DATABASE_URL, which is empty, what a backup has; without who was erased since."""
    settings = _settings(place)
    words, wish = settings.language, Wish(name, tuple(table or ()), foreign, with_driver(after))
    if contact:
        _restore_contact(settings, wish, contact, only_plan=plan, yes=yes)
        return
    planned = plan_restore(settings, wish)
    _show_plan(planned, settings)
    if plan:
        return
    confirm(words, say(words, "sure_to_restore"), yes=yes)
    with bar(planned.manifest.name) as told:
        found = restore_backup(settings, wish, asked_now(), Beat(told, len(planned.tables)))
    said = {"name": found.name, "rows": f"{found.rows:,}", "tables": found.tables, "erased": found.erased}
    console.print(say(words, "restored", **said), soft_wrap=True)


def _show_plan(planned: Plan, settings: Settings) -> None:
    words = settings.language
    shown = Table(box=box.SIMPLE_HEAD)
    shown.add_column(say(words, "table"))
    shown.add_column(say(words, "rows"), justify="right")
    for name, count in planned.tables.items():
        if count:
            shown.add_row(name, f"{count:,}")
    console.print(shown)
    said = {
        "name": planned.manifest.name,
        "as_of": shown_time(planned.manifest.as_of, settings),
        "target": planned.target,
    }
    console.print(say(words, "restore_plan", **said), soft_wrap=True)
    if planned.is_older:
        console.print(say(words, "restore_migrates", version=planned.manifest.schema_version), soft_wrap=True)
    if planned.erased:
        console.print(say(words, "restore_erases", count=planned.erased), soft_wrap=True)


def _restore_contact(settings: Settings, wish: Wish, number: int, *, only_plan: bool, yes: bool) -> None:
    store, words = open_store(settings.store_url), settings.language
    past = find_past_contact(store, settings, wish, number)
    as_of = shown_time(past.as_of, settings)
    if past.is_gone:
        console.print(say(words, "past_contact_gone", id=number, as_of=as_of), soft_wrap=True)
    elif not past.changes:
        console.print(say(words, "past_contact_same", id=number, as_of=as_of), soft_wrap=True)
        return
    for name, (now, then) in past.changes.items():
        console.print(f"  {escape(name)}: {escape(str(now))} → {escape(str(then))}", soft_wrap=True, highlight=False)
    if only_plan:
        return
    confirm(words, say(words, "sure_to_restore"), yes=yes)
    made = restore_past_contact(store, settings, past, asked_now())
    console.print(say(words, "contact_made" if past.is_gone else "contact_saved", id=made))
