"""A connection to a CRM in memory, and the few things that tests do with it."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from pipelines.edits import ContactForm, archive_contact, create_contact, edit_contact
from pipelines.sync import Asking, SyncReport, find_decisions, run_sync
from pipelines.sync_calls import keep_calls
from schemas.mappings import Mapping, read_mapping
from schemas.settings import Settings
from tests.sync.memory_crm import MemoryCrm, Server
from warehouse import bulk, connections
from warehouse.audit import Asked
from warehouse.connections import CrmConnection
from warehouse.engines import reading, transaction

PAIRS: list[dict[str, Any]] = [
    {"local": "first_name", "remote": "firstname"},
    {"local": "last_name", "remote": "lastname"},
    {"local": "email", "remote": "email"},
    {"local": "phone", "remote": "phone"},
    {"local": "city", "remote": "city"},
    {"local": "tags", "remote": "tags", "separator": ";"},
    {"local": "opt_out.all", "remote": "optout"},
]


def mapping(**changes: Any) -> Mapping:
    return read_mapping({"policy": "local_wins", "fields": PAIRS, "delete": {"most": 100}, **changes}, "test")


@dataclass
class Sync:
    """A store with one connection."""

    store: Engine
    settings: Settings
    server: Server = field(default_factory=Server)
    crm: MemoryCrm = field(init=False)
    now: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    number: int = 0

    def __post_init__(self) -> None:
        self.crm = MemoryCrm(self.server)

    def connect(self, wanted: Mapping, name: str = "crm", *, is_applied: bool = True) -> None:
        with transaction(self.store) as connection:
            values: dict[str, Any] = {"name": name, "connector": "memory", "config": {}, "state": "active"}
            values |= {
                "created_by": "test",
                "created_at": self.now,
                "applied_mapping": wanted.hash if is_applied else None,
            }
            made = connections.add_connection(connection, values)
            self.number = made.id
            document = wanted.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            said = {"hash": wanted.hash, "document": document, "created_by": "test", "created_at": self.now}
            connections.add_mapping(connection, made.id, said)

    def remap(self, wanted: Mapping) -> None:
        """Let another mapping be in use, as if its plan had been applied."""
        with transaction(self.store) as connection:
            document = wanted.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            said = {"hash": wanted.hash, "document": document, "created_by": "test", "created_at": self.now}
            connections.add_mapping(connection, self.number, said)
            connections.set_connection(connection, self.number, {"applied_mapping": wanted.hash})

    def approve(self) -> None:
        with transaction(self.store) as connection:
            connections.set_connection(connection, self.number, {"approved": 100})

    @property
    def asked(self) -> Asked:
        return Asked("ana", self.now)

    def clock(self) -> datetime:
        return self.now

    def connection(self) -> CrmConnection:
        with reading(self.store) as connection:
            return connections.get_connection(connection, self.number)

    def run(self, **asking: Any) -> SyncReport:
        """One run; the clock goes on by an hour before it, so that nothing waits."""
        self.now += timedelta(hours=1)
        self.crm.calls = 0
        report = run_sync(
            self.store, self.settings, self.number, lambda _: self.crm, self.clock, Asking("ana", **asking)
        )
        assert report is not None
        return report

    def plan(self) -> dict[str, int]:
        found, _ = find_decisions(self.store, self.settings, self.connection(), self.crm, self.clock)
        return dict(Counter(one.action for one in found))

    def until_quiet(self, most: int = 12) -> SyncReport:
        """Runs until one writes nothing; the last of them."""
        for _ in range(most):
            before, changes = self.server.writes, self.last_change()
            report = self.run(sweeps=True)
            if (self.server.writes, self.last_change()) == (before, changes) and report.state == "done":
                return report
        raise AssertionError(f"it does not come to rest: {report}")

    def last_change(self) -> int:
        with reading(self.store) as connection:
            return bulk.last_id(connection, "contact_changes")

    def create(self, **fields: Any) -> int:
        tags = fields.pop("tags", None)
        return create_contact(self.store, self.settings, ContactForm(fields, tags=tags), self.asked)

    def edit(self, number: int, **fields: Any) -> None:
        tags = fields.pop("tags", None)
        edit_contact(self.store, self.settings, number, ContactForm(fields, tags=tags), self.asked)

    def archive(self, number: int) -> None:
        archive_contact(self.store, number, self.asked)

    def call(self, body: str) -> None:
        with transaction(self.store) as connection:
            keep_calls(connection, [(self.number, body, self.now)])

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        with reading(self.store) as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    def living(self, columns: str = "first_name, email, city") -> list[tuple[Any, ...]]:
        return self.rows(
            f"SELECT {columns} FROM contacts WHERE deleted_at IS NULL AND status != 'archived' ORDER BY id"
        )

    def there(self, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(self.server.records[id_].values.get(name) for name in names) for id_ in self.server.living()]

    def links(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT contact_id, remote_id, state, dirty FROM links ORDER BY id")

    def conflicts(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT pair, local, remote, winner, state FROM conflicts ORDER BY id")
