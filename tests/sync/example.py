"""The example CRM, served for real, and a connection to it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import uvicorn

from admin.example_crm import Records, build_example
from pipelines import connections
from pipelines.connections import ConnectionForm
from tests.servers import free_port
from warehouse.audit import Asked
from warehouse.engines import Store


class Example:
    """Where it listens, and what people do there."""

    def __init__(self, url: str, records: Records) -> None:
        self.url, self.records = url, records

    def ask(self, method: str, path: str, **values: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.records.token}"}
        answer = requests.request(method, self.url + path, json=values or None, headers=headers, timeout=20)
        return answer.json() if answer.content else None

    def living(self, *names: str) -> list[tuple[Any, ...]]:
        rows = (row for row in self.records.rows.values() if not row["deleted"])
        return sorted((tuple(row.get(name) for name in names) for row in rows), key=repr)

    def connect(self, store: Store, settings: Any, asked: Asked, name: str = "ejemplo", **secrets: str) -> None:
        form = ConnectionForm({"url": self.url}, {"token": self.records.token, **secrets})
        connections.create_connection(store, settings, name, "example", form, asked)
        connections.read_fields(store, settings, name)
        mapping = connections.proposed_mapping(store, settings, name)
        connections.set_mapping(store, settings, name, mapping, asked)


@contextmanager
def example_crm(folder: Path) -> Iterator[Example]:
    """The example CRM with its three contacts."""
    records, port = Records.open(folder / "example.json"), free_port()
    server = uvicorn.Server(uvicorn.Config(build_example(records), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Example(f"http://127.0.0.1:{port}", records)
    finally:
        server.should_exit = True
        thread.join()
