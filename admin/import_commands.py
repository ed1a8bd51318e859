"""`padron import` and `padron template`."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import phonenumbers
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from admin.actors import by_hand
from admin.words import say
from connectors.folders import plain_name
from connectors.profiles import read_profile, save_profile
from connectors.workbooks import Limits
from pipelines.byhand import Run, check_options, import_by_hand, new_lease, preview, rehearse
from pipelines.clean import with_defaults
from pipelines.countries import region_named
from pipelines.imports import Job, known_fields
from pipelines.suppression import suppressed_in
from pipelines.template import write_template
from scheduler.logs import set_up_logs
from scheduler.tasks import utc_now
from schemas.errors import InputError
from schemas.fields import BY_KEY, IGNORE
from schemas.profiles import Profile, check_profile
from schemas.refusals import Refused
from schemas.reports import OUTCOMES, ImportReport
from schemas.settings import Settings, read_settings
from warehouse.store import open_store

console = Console()
_CONTACT_COLUMNS = ("display_name", "phone", "email", "company", "city", "country", "channel", "status")


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, Excel, Parquet or JSON lines; .gz or .zip of one of them.")],
    profile: Annotated[str, typer.Option(help="How the source's columns map.")] = "default",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do the whole job and keep nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    values: Annotated[bool, typer.Option("--values", help="With --json: the cells of accepted rows.")] = False,
    show_preview: Annotated[bool, typer.Option("--preview", help="Show a proposed mapping and stop.")] = False,
    save_as: Annotated[str | None, typer.Option("--save-profile", help="Keep that mapping under a name.")] = None,
    column: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag for every contact; may be repeated.")] = None,
    country: Annotated[str | None, typer.Option(help="Country of phones without prefix, such as CO.")] = None,
    sheet: Annotated[str | None, typer.Option(help="Which sheet of a workbook.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text file, such as cp1251.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What separates cells.")] = None,
    header_row: Annotated[int | None, typer.Option(min=1, help="Which line is the header, from 1.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a profile that is there.")] = False,
) -> None:
    """Import a contact file, or see what importing it would do."""
    set_up_logs(verbose=False)
    settings = read_settings()
    found = _profile(settings, profile, country, column, tag)
    found = replace(
        found,
        sheet=sheet or found.sheet,
        encoding=encoding or found.encoding,
        delimiter=delimiter or found.delimiter,
        header_row=header_row or found.header_row,
    )
    _check_file(file)
    if values and not as_json:
        raise InputError("--values goes with --json.", "--values va con --json.")
    job = _job(settings, file, found, keep_values=values)
    if column or sheet or encoding or delimiter or header_row:
        check_options(job, _mapped(column), sheet=bool(sheet), text=bool(encoding or delimiter))
    if show_preview or save_as:
        if as_json or dry_run:
            raise InputError(
                "--preview and --save-profile import nothing: leave --json and --dry-run out.",
                "--preview y --save-profile no importan nada: quite --json y --dry-run.",
            )
        _preview(settings, job, save_as, over=force)
        return
    run = _run(settings, job, dry_run=dry_run, quiet=as_json)
    if as_json:
        document = run.report.as_json() | ({"values": run.values} if values else {})
        document |= {"dry_run": True} if dry_run else {}
        print(json.dumps(document, ensure_ascii=False))
    else:
        _show(run, settings.language, dry_run=dry_run)
    raise typer.Exit(0 if run.report.status == "imported" else 1)


def _check_file(file: Path) -> None:
    shown = plain_name(str(file))
    if file.is_dir():
        raise InputError(f"{shown} is a folder: name one file.", f"{shown} es una carpeta: indique un archivo.")
    if file.exists() and not file.is_file():
        raise InputError(f"{shown} is no ordinary file.", f"{shown} no es un archivo corriente.")
    if not file.exists():
        raise InputError(f"there is no file {shown}.", f"no existe el archivo {shown}.")


def _profile(
    settings: Settings, name: str, country: str | None, column: list[str] | None, tag: list[str] | None
) -> Profile:
    profile = read_profile(settings.home, name)
    profile = replace(profile, columns={**profile.columns, **_mapped(column)}, tags=(*profile.tags, *(tag or [])))
    profile = replace(profile, default_country=_region(country) if country else profile.default_country)
    check_profile(profile)
    return with_defaults(profile, settings)


def _region(country: str) -> str:
    """The two letters of a country given by them or by its name."""
    region = region_named(country) or country.upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        shown = plain_name(country)
        raise InputError(
            f"--country {shown}: there is no such country; write it as --country CO, or by its name.",
            f"--country {shown}: no hay tal país; escríbalo como --country CO, o por su nombre.",
        )
    return region


def _mapped(column: list[str] | None) -> dict[str, str]:
    """The columns of --map, with their fields."""
    wrong = [item for item in column or [] if not all(item.rpartition("=")[::2])]
    if wrong:
        raise InputError(
            f"--map {wrong[0]}: write it as --map COLUMN=FIELD.", f"--map {wrong[0]}: escriba --map COLUMNA=CAMPO."
        )
    return dict(item.rpartition("=")[::2] for item in column or [])


def _job(settings: Settings, file: Path, profile: Profile, *, keep_values: bool) -> Job:
    reports = settings.home / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    stamp = utc_now().strftime("%Y%m%d-%H%M%S-%f")
    return Job(
        file,
        plain_name(file.name),
        profile,
        reports / f"{stamp}-{plain_name(file.name)}.report.csv",
        language=settings.language if "language" in settings.model_fields_set else None,
        limits=Limits(settings.excel_memory_bytes, settings.excel_seconds),
        most_bytes=settings.max_file_bytes,
        keep_values=keep_values,
    )


def _run(settings: Settings, job: Job, *, dry_run: bool, quiet: bool) -> Run:
    store = open_store(settings.store_url)
    lease = new_lease(settings.lease_seconds, utc_now)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, disable=quiet or not screen.is_terminal, transient=True) as bar:
        task = bar.add_task(say(settings.language, "reading"), total=None, said="")

        def progress(rows: int, rejected: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.001
            bar.update(task, completed=rows, said=f"{rows:,} · {rows / elapsed:,.0f}/s · ✗ {rejected:,}")

        job = replace(job, progress=progress, suppressed=suppressed_in(store, settings))
        if dry_run:
            with TemporaryDirectory(prefix="padron-") as scratch:
                return rehearse(store, job, lease, by_hand(), Path(scratch))
        return import_by_hand(store, job, lease, by_hand())


def _show(run: Run, language: str, *, dry_run: bool) -> None:
    report = run.report
    if report.status != "imported":
        word = "refused" if report.status == "rejected" else "needs_mapping"
        console.print(
            f"[bold red]{say(language, word)}[/]: {escape(report.sentence.said(language))}",
            highlight=False,
            soft_wrap=True,
        )
        return
    show_report(report, language)
    if report.sentence:
        console.print(report.sentence.said(language), highlight=False, markup=False, soft_wrap=True)
    if dry_run:
        console.print(f"[bold]{say(language, 'dry_run')}[/]")
        _show_said(run, language)
        _show_contacts(run, language)


def show_report(report: ImportReport, language: str) -> None:
    """A small table of the outcomes, and where the row report is."""
    table = Table(title=escape(report.file), show_header=False)
    table.add_row(say(language, "rows"), f"{report.rows:,}")
    for name in OUTCOMES:
        table.add_row(say(language, name), f"{getattr(report, name):,}")
    if report.warnings:
        table.add_row(say(language, "warnings"), f"{report.warnings:,}")
    table.add_row(say(language, "seconds"), f"{report.seconds:.1f}")
    console.print(table)
    if report.reject_file:
        console.print(f"{say(language, 'report')}: {report.reject_file}", highlight=False, soft_wrap=True)


def _show_said(run: Run, language: str) -> None:
    """The first rows that something is said of, and what."""
    if not run.said:
        return
    table = Table(title=say(language, "said"))
    for name in ("row", "column", "value", "message"):
        table.add_column(say(language, name), overflow="fold")
    for line in run.said:
        table.add_row(*(escape(line[f"_{name}"]) for name in ("row", "field", "value", "message")))
    console.print(table)


def _show_contacts(run: Run, language: str) -> None:
    """The first contacts, with the columns that any of them has."""
    if not run.contacts:
        return
    shown = [name for name in _CONTACT_COLUMNS if any(contact[name] for contact in run.contacts)]
    table = Table(title=say(language, "first"))
    for name in shown:
        table.add_column(BY_KEY[name].label(language), overflow="fold")
    for contact in run.contacts:
        said = contact | {"status": say(language, f"status_{contact['status']}")}
        table.add_row(*(escape(str(said[name] or "")) for name in shown))
    console.print(table)


def _preview(settings: Settings, job: Job, save_as: str | None, *, over: bool) -> None:
    language = settings.language
    try:
        proposals, profile = preview(open_store(settings.store_url), job)
    except Refused as error:
        print(f"padron: {error.said(language)}", file=sys.stderr)
        raise typer.Exit(1) from error
    table = Table(title=say(language, "proposal"))
    for name in ("column", "field", "why", "when", "example"):
        table.add_column(say(language, name))
    for item in proposals:
        when = "now" if item.taken else "never" if item.target == IGNORE else "with_profile"
        cells = (item.column, item.target, say(language, item.reason), say(language, when), item.example)
        table.add_row(*map(escape, cells))
    console.print(table)
    if save_as:
        path = save_profile(settings.home, replace(profile, name=save_as), over=over)
        console.print(f"{say(language, 'saved')}: {path}", highlight=False, soft_wrap=True)
    console.print(say(language, "nothing_imported"), soft_wrap=True)


def template(
    output: Annotated[Path, typer.Argument(help="Where to write it; .csv or .xlsx.")] = Path("contacts.csv"),
    language: Annotated[str | None, typer.Option(help="es or en.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write the import template, from the fields as they are now."""
    settings = read_settings()
    if output.exists() and not force:
        raise InputError(
            f"{output} exists already. Choose another name, or say --force to write over it.",
            f"{output} ya existe. Elija otro nombre, o indique --force para reemplazarlo.",
        )
    if output.suffix.lower() not in (".csv", ".xlsx"):
        raise InputError(f"{output} must end in .csv or .xlsx.", f"{output} debe terminar en .csv o .xlsx.")
    words = language or settings.language
    if words not in ("es", "en"):
        raise InputError(f"--language {words} is not one of es, en.", f"--language {words} no es uno de es, en.")
    write_template(output, known_fields(open_store(settings.store_url)), words)
    console.print(f"{say(words, 'template')} {output}", highlight=False, soft_wrap=True)
