"""Padrón's own processes, started, killed and asked, for the tests; and what a store holds, without ids and times."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, func, select

from connectors.folders import Watch, make_places
from connectors.profiles import DropFolder
from pipelines.drops import claim_ready, import_drop
from schemas.settings import Settings
from tests.forks import ROOT, fork
from warehouse.engines import reading
from warehouse.tables import (
    batch_rows,
    batches,
    candidate_pairs,
    consents,
    contact_changes,
    contact_keys,
    contact_tags,
    contact_values,
    contacts,
    custom_fields,
    notes,
    tags,
)

_PROFILE = 'unmapped = "custom"\ndefault_country = "CO"\n'
QUICK = {
    "PADRON_LEASE_SECONDS": "2",
    "PADRON_SWEEP_SECONDS": "0.5",
    "PADRON_SCAN_SECONDS": "0.3",
    "PADRON_SETTLE_SECONDS": "0.1",
    "PADRON_MAX_ATTEMPTS": "1000",
}
_FACTS = (
    "first_name",
    "last_name",
    "display_name",
    "phone",
    "phone_match",
    "email",
    "email_match",
    "company",
    "city",
    "country",
    "channel",
    "status",
    "search_text",
    "deleted_at",
)
Document = tuple[Any, ...]


def utc_now() -> datetime:
    return datetime.now(UTC)


def environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a Padrón process: nothing of the caller's settings, and quick ticks."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PADRON_")}
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        "PADRON_ADMIN_PORT": "0",
        **QUICK,
        "PADRON_HOME": str(home),
        **settings,
    }


def wait_until(check: Callable[[], object], seconds: float, pause: float = 0.05) -> bool:
    """Whether the check came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(pause)
    return bool(check())


class Running:
    """A command of Padrón's in a process group of its own."""

    def __init__(self, command: str, home: Path, log: Path, **settings: str) -> None:
        self.log = log
        log.touch()
        self.started_at = log.stat().st_size
        files = (Path(os.devnull), log, log)
        self.process = fork([command, "--verbose"], environment(home, **settings), files)

    def said(self) -> str:
        """What this process wrote since it was started."""
        with self.log.open("rb") as file:
            file.seek(self.started_at)
            return file.read().decode(errors="replace")

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    def wait_ready(self, seconds: float = 60) -> "Running":
        """Wait for `padron up` to say that it runs."""
        assert wait_until(lambda: "Stop with" in self.said() or not self.is_alive, seconds), self.said()
        assert self.is_alive, self.said()
        return self

    def send(self, number: signal.Signals) -> None:
        """A signal for the whole process group."""
        assert self.process.pid
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:  # it has ended, or leads no group yet
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.join(20)
        assert not self.is_alive

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Ask the process itself to stop; its exit code."""
        assert self.process.pid
        os.kill(self.process.pid, number)
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"did not stop in {seconds} s: {self.said()[-3000:]}"
        return self.process.exitcode


Start = Callable[..., Running]
"""Starts a command over one home folder."""


def a_home(home: Path) -> Path:
    (home / "profiles").mkdir(parents=True)
    (home / "profiles" / "default.toml").write_text(_PROFILE, encoding="utf-8")
    make_places(DropFolder(home / "drop"))
    return home


def padron(home: Path, *arguments: str, typed: str = "", **settings: str) -> "subprocess.CompletedProcess[str]":
    """A command of Padrón's, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "admin.command", *arguments],
        env=environment(home, **settings),
        cwd=ROOT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def drop(incoming: Path, *files: Path) -> None:
    """Put copies of files into a drop folder, each at once."""
    incoming.mkdir(parents=True, exist_ok=True)
    for file in files:
        part = incoming / f".{file.name}"
        shutil.copyfile(file, part)
        part.rename(incoming / file.name)


def drop_text(incoming: Path, name: str, text: str) -> Path:
    incoming.mkdir(parents=True, exist_ok=True)
    part = incoming / f".{name}"
    part.write_text(text, encoding="utf-8")
    return part.rename(incoming / name)


def import_drops(engine: Engine, settings: Settings, folder: DropFolder | None = None) -> list[int]:
    """Claim and import what lies in the drop folder, in this process, one after the other."""
    watched = folder or DropFolder(settings.home / "drop")
    make_places(watched)
    watch = Watch(watched, settle_seconds=0)
    numbers = claim_ready(engine, watch, settings, utc_now, time.monotonic())
    for number in numbers:
        import_drop(engine, number, settings, utc_now)
    return numbers


@dataclass
class Content:
    """What a store holds: a document for each living contact, and the counts that must add up."""

    documents: Counter[Document]
    creates: int
    created_contacts: int
    outcomes: Counter[str]
    pairs: Counter[str]
    sums: list[str] = field(default_factory=list)


def content_of(engine: Engine) -> Content:
    """The store's content, comparable between databases and between runs."""
    with reading(engine) as connection:

        def grouped(query: Any) -> dict[int, list[Document]]:
            found: dict[int, list[Document]] = defaultdict(list)
            for row in connection.execute(query):
                found[row[0]].append(tuple(row[1:]))
            return {key: sorted(rows, key=repr) for key, rows in found.items()}

        def columns(table: Table, *names: str) -> Any:
            return select(*(table.c[name] for name in names))

        v = contact_values.c
        parts = (
            grouped(columns(contact_keys, "contact_id", "kind", "value", "role")),
            grouped(
                select(v.contact_id, custom_fields.c.key, v.text, v.number, v.at, v.long_text).join(
                    custom_fields, custom_fields.c.id == v.field_id
                )
            ),
            grouped(select(contact_tags.c.contact_id, tags.c.form).join(tags, tags.c.id == contact_tags.c.tag_id)),
            grouped(columns(consents, "contact_id", "channel", "purpose", "state")),
            grouped(columns(notes, "contact_id", "text")),
        )
        people = connection.execute(columns(contacts, "id", *_FACTS)).all()
        changes = contact_changes.c
        created = select(func.count(), func.count(changes.contact_id.distinct())).where(changes.operation == "create")
        creates, created_contacts = connection.execute(created).one()
        outcomes: Counter[str] = Counter()
        for name, count in connection.execute(
            select(batch_rows.c.outcome, func.count()).group_by(batch_rows.c.outcome)
        ):
            outcomes[name] = count
        pairs = Counter(connection.execute(select(candidate_pairs.c.reason)).scalars().all())
        return Content(
            Counter((tuple(row[1:]), *(repr(part.get(row[0], [])) for part in parts)) for row in people),
            creates,
            created_contacts,
            outcomes,
            pairs,
            _sums_that_are_wrong(connection),
        )


def _sums_that_are_wrong(connection: Any) -> list[str]:
    """Batches whose counts are not those of their rows."""
    names = ("created", "updated", "unchanged", "merged", "rejected")
    wrong = []
    for batch in connection.execute(select(batches)).mappings().all():
        r = batch_rows.c
        found = dict(
            connection.execute(
                select(r.outcome, func.count()).where(r.batch_id == batch["id"]).group_by(r.outcome)
            ).all()
        )
        said = {name: batch[name] for name in names if batch[name]}
        rows = sum(found.values())
        if found != said or (batch["state"] == "done" and not rows == batch["rows_read"] == batch["rows_done"]):
            wrong.append(
                f"batch {batch['id']} ({batch['state']}): rows {found}, batch {said}, read {batch['rows_read']}"
            )
    return wrong


def states_of(engine: Engine) -> Counter[str]:
    """How many batches are in each state."""
    with reading(engine) as connection:
        return Counter(connection.execute(select(batches.c.state)).scalars().all())


def assert_same_content(found: Content, clean: Content) -> None:
    """Nothing lost, nothing twice."""
    assert found.sums == []
    extra, lacking = found.documents - clean.documents, clean.documents - found.documents
    assert (len(extra), len(lacking)) == (0, 0), (list(extra.items())[:3], list(lacking.items())[:3])
    assert found.creates == found.created_contacts == clean.creates
    assert found.outcomes["rejected"] == clean.outcomes["rejected"]
    assert found.outcomes.total() == clean.outcomes.total()
    assert found.pairs == clean.pairs
