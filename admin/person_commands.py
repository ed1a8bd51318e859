"""What is done with one person beside editing: `padron contacts delete | erase | readmit | export | consent | note`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from fastapi.encoders import jsonable_encoder

from admin.asking import confirm
from admin.contact_commands import AsJson, Number, app, console, result_of
from admin.hygiene_page import hygiene_page
from admin.operator_commands import asked_now
from admin.subject_page import subject_page
from admin.words import say
from pipelines import candidates, consents, edits, hygiene, notes, removals, retention, subjects
from pipelines.consents import ConsentForm
from pipelines.jobs import run_job
from scheduler.tasks import utc_now
from schemas.codes import CODES
from schemas.consents import MARKETING
from schemas.settings import read_settings
from warehouse.store import open_store

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command()
def delete(
    number: Number,
    permanently: Annotated[bool, typer.Option("--permanently", help="For good, instead of into the archive.")] = False,
    yes: Yes = False,
) -> None:
    """Archive a contact, or take it off the roll for good; who may not be written to stays so."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    question = "sure_to_delete" if permanently else "sure_to_archive"
    confirm(words, say(words, question, id=number), yes=yes)
    if permanently:
        removals.delete_contact(store, number, asked_now())
    else:
        edits.archive_contact(store, number, asked_now())
    console.print(say(words, "contact_deleted" if permanently else "contact_archived", id=number))


@app.command()
def erase(number: Number, yes: Yes = False) -> None:
    """Leave no trace of a person, in tables or in files that Padrón keeps; no file brings them back."""
    settings = read_settings()
    store, words = open_store(settings.store_url), settings.language
    confirm(words, say(words, "sure_to_erase", id=number), yes=yes)
    work = removals.ask_for_erasure(store, number, asked_now())
    found = result_of(run_job(store, work.id, settings, utc_now))
    console.print(say(words, "contact_erased", id=number, **{name: found.get(name, 0) for name in ("files", "rows")}))
    for name in ("files_to_look_at", "segments_to_look_at"):
        if found.get(name):
            console.print(say(words, name, listed=", ".join(found[name])), soft_wrap=True)


@app.command()
def readmit(key: Annotated[str, typer.Argument(help="A phone, an e-mail, or an id as source:id.")]) -> None:
    """Let somebody come back who was erased, and asks to."""
    settings = read_settings()
    removals.readmit(open_store(settings.store_url), settings, key, asked_now())
    console.print(say(settings.language, "readmitted"))


@app.command()
def export(
    number: Number,
    into: Annotated[Path, typer.Option("--into", help="The folder to write to.")] = Path(),
) -> None:
    """Everything that is held on one person, as JSON and as a page that the person can read."""
    settings = read_settings()
    held = subjects.subject_of(open_store(settings.store_url), number, asked_now())
    into.mkdir(parents=True, exist_ok=True)
    text = json.dumps(jsonable_encoder(held), ensure_ascii=False, indent=1)
    for ending, content in (("json", text), ("html", subject_page(held, settings.language))):
        path = into / f"contact-{number}.{ending}"
        path.touch(mode=0o600)
        path.write_text(content, "utf-8")
        console.print(str(path), highlight=False, soft_wrap=True)


@app.command()
def consent(
    number: Number,
    channel: Annotated[str, typer.Argument(help="whatsapp, email, sms … or all.")],
    state: Annotated[str, typer.Argument(help="in or out.")],
    source: Annotated[str, typer.Option(help="Where the person said so.")],
    purpose: Annotated[str, typer.Option(help="For what.")] = MARKETING,
) -> None:
    """Keep what a person said to being written to."""
    settings = read_settings()
    form = ConsentForm(channel, state, source, purpose)
    consents.set_consent(open_store(settings.store_url), number, form, asked_now())
    console.print(say(settings.language, "contact_saved", id=number))


@app.command()
def note(number: Number, text: Annotated[str, typer.Argument(help="What the note says.")]) -> None:
    """Write a note on a contact."""
    settings = read_settings()
    notes.add_note(open_store(settings.store_url), number, text, asked_now())
    console.print(say(settings.language, "contact_saved", id=number))


@app.command()
def pairs(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Contacts that may be one person, and why: edit or archive one of the two, or say: padron contacts apart."""
    settings = read_settings()
    words, found = settings.language, candidates.pairs_to_review(open_store(settings.store_url), limit)
    if as_json:
        print(json.dumps(jsonable_encoder([asdict(pair) for pair in found]), ensure_ascii=False, indent=1))
        return
    if not found:
        console.print(say(words, "no_pairs"))
    for pair in found:
        for one in (pair.older, pair.newer):
            said = " · ".join(filter(None, (one.display_name, one.phone, one.email)))
            console.print(f"{one.id:>8}  {said}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"          {_why(words, pair.reason)}", style="dim", markup=False, soft_wrap=True)


def _why(language: str, reason: str) -> str:
    if reason in CODES:
        return CODES[reason].message(language)
    return say(language, f"pair_{reason}")


@app.command()
def apart(one: Number, other: Number) -> None:
    """Two contacts that may be one person are two: the pair is not shown again."""
    settings = read_settings()
    candidates.keep_apart(open_store(settings.store_url), one, other, asked_now())
    console.print(say(settings.language, "kept_apart", one=one, other=other))


def hygiene_report(
    page: Annotated[Path | None, typer.Option(help="Write the report as a page (HTML) there.")] = None,
) -> None:
    """The state of the roll: what contacts lack, who cannot be reached, tags that are nearly the same, by source."""
    settings = read_settings()
    found = hygiene.look(open_store(settings.store_url), utc_now())
    if page is None:
        print(json.dumps(jsonable_encoder(asdict(found)), ensure_ascii=False, indent=1))
        return
    page.write_text(hygiene_page(found, settings.language), "utf-8")
    console.print(str(page), highlight=False, soft_wrap=True)


def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
) -> None:
    """Let go what the settings say is too old: interactions, files, contacts with whom nothing happens."""
    settings = read_settings()
    store = open_store(settings.store_url)
    work = retention.ask_for_retention(store, asked_now(), is_rehearsal=dry_run)
    found = result_of(run_job(store, work.id, settings, utc_now))
    said = {name: f"{found[name]:,}" for name in ("interactions", "files", "contacts")}
    console.print(say(settings.language, "would_go" if dry_run else "gone", **said), soft_wrap=True)
