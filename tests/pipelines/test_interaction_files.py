"""Interactions by file: what a platform exports is taken once, and what is not taken is in the row report."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.folders import Watch, make_places
from connectors.profiles import DropFolder
from pipelines import interaction_files
from pipelines.drops import claim_ready, import_drop
from pipelines.jobs import ask_for_undo, run_job
from pipelines.removals import ask_for_erasure
from schemas.errors import InputError
from schemas.settings import Settings
from tests.conftest import Roll, utc_now
from tests.routes.running import drop_text, import_drops
from warehouse.audit import Asked

_TEXT = (
    "Id;Tipo;Fecha;Teléfono;Canal;Campaña;Texto\n"
    "1;recibido;2026-03-01 10:00;310 987 6501;WhatsApp;;Hola\n"
    "2;enviado;2026-03-01T15:05:00Z;+573109876501;whatsapp;verano;¿Qué tal?\n"
    "3;clic;1772377500;3109876501;whatsapp;verano;\n"
    "4;recibido;2026-03-01 10:00;3000000000;whatsapp;;nadie\n"
    "5;recibido;ayer;3109876501;whatsapp;;\n"
    ";recibido;2026-03-01 10:00;3109876501;whatsapp;;\n"
    "7;recibido;2026-03-01 10:00;3109876501;fax;;\n"
    "8;¿?;2026-03-01 10:00;3109876501;;;\n"
)


@pytest.fixture
def home(store: Roll) -> Settings:
    store.import_text("nombre,celular,correo\nAna,3109876501,ana@example.org\nLuis,,luis@example.org\n")
    settings = Settings(home=store.folder / "home", default_country="CO", time_zone="America/Bogota")
    make_places(folder(settings))
    return settings


def folder(settings: Settings) -> DropFolder:
    return DropFolder(settings.home / "chat", "interactions")


def take(store: Roll, settings: Settings, content: str | bytes, name: str = "chat.csv") -> tuple[Any, ...]:
    """The batch of a dropped file: its kind, state and counts."""
    incoming = settings.home / "chat" / "incoming"
    if isinstance(content, bytes):
        (incoming / name).write_bytes(content)
    else:
        drop_text(incoming, name, content)
    import_drops(store.engine, settings, folder(settings))
    said = "kind, state, rows_read, created, unchanged, rejected"
    return store.rows(f"SELECT {said} FROM batches ORDER BY id DESC LIMIT 1")[0]


def report(settings: Settings) -> list[dict[str, str]]:
    text = (settings.home / "chat" / "done" / "chat.csv.report.csv").read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def test_a_file_of_interactions_is_taken_once_and_says_what_it_could_not_take(store: Roll, home: Settings) -> None:
    assert take(store, home, _TEXT) == ("activity", "done", 8, 3, 0, 5)

    assert [(line["_row"], line["_code"]) for line in report(home)] == [
        ("4", "no_such_contact"),
        ("5", "date_invalid"),
        ("6", "no_id"),
        ("7", "unknown_channel"),
        ("8", "wrong_kind"),
    ]
    found = store.rows("SELECT external_id, contact_id, kind, channel, ref, text, source FROM interactions ORDER BY id")
    assert found == [
        ("1", 1, "received", "whatsapp", None, "Hola", "chat"),
        ("2", 1, "sent", "whatsapp", "verano", "¿Qué tal?", "chat"),
        ("3", 1, "clicked", "whatsapp", "verano", None, "chat"),
    ]
    assert store.one("SELECT sent, received, replied FROM contacts WHERE id = 1") == (1, 1, 0)
    assert store.rows(
        "SELECT row, contact_id, outcome FROM batch_rows WHERE batch_id = 2 AND row < 5 ORDER BY row"
    ) == [
        (1, 1, "created"),
        (2, 1, "created"),
        (3, 1, "created"),
        (4, None, "rejected"),
    ]
    assert take(store, home, _TEXT, "otra.csv")[2:] == (8, 0, 3, 5)
    with pytest.raises(InputError, match="brought interactions"):
        ask_for_undo(store.engine, 2, Asked("test", utc_now()))


def test_times_are_read_in_the_installations_zone_or_as_seconds_and_milliseconds(store: Roll, home: Settings) -> None:
    lines = ["2026-03-01 10:00", "2026-03-01T10:00:00Z", "1772377500", "1772377500123", "15/03/2026 10:00 -05:00"]
    rows = "".join(f"{at},received,{line},1\n" for at, line in enumerate(lines))

    assert take(store, home, f"id,kind,at,contact\n{rows}")[3:] == (5, 0, 0)

    times = [one if isinstance(one, datetime) else datetime.fromtimestamp(one / 1e6, UTC) for (one,) in store.rows("SELECT at FROM interactions ORDER BY external_id")]  # fmt: skip
    assert [one.astimezone(UTC).strftime("%d %H:%M:%S") for one in times] == ["01 15:00:00", "01 10:00:00", "01 15:05:00", "01 15:05:00", "15 15:00:00"]  # fmt: skip


def test_json_lines_and_parquet_are_taken_too(store: Roll, home: Settings) -> None:
    lines = '{"id": 1, "event": "received", "timestamp": 1772377500, "email": "LUIS@example.org", "body": "hola"}\n'
    table = pa.table(
        {"message_id": ["p1"], "type": ["sent"], "sent_at": [datetime(2026, 3, 1, tzinfo=UTC)], "contact": [2]}
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer)

    assert take(store, home, lines, "chat.jsonl")[3:] == (1, 0, 0)
    assert take(store, home, buffer.getvalue(), "chat.parquet")[3:] == (1, 0, 0)
    assert store.rows("SELECT contact_id, kind, text FROM interactions ORDER BY id") == [
        (2, "received", "hola"),
        (2, "sent", None),
    ]


def test_a_file_without_the_columns_waits_for_an_answer(store: Roll, home: Settings) -> None:
    assert take(store, home, "id,tipo,celular\n1,recibido,3109876501\n")[:2] == ("activity", "needs_mapping")
    said = next((home.home / "chat" / "rejected").glob("*.txt")).read_text()
    assert "at" in said
    assert "id, tipo, celular" in said


def test_one_that_was_cut_off_goes_on_and_reports_every_row(
    store: Roll, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interaction_files, "_AT_ONCE", 3)
    has_died = False

    def clock() -> datetime:
        """Fails once, within the third part."""
        nonlocal has_died
        if not has_died and store.one("SELECT rows_done FROM batches WHERE id = 2") == 6:
            has_died = True
            raise OSError("no space left on device")
        return utc_now()

    drop_text(home.home / "chat" / "incoming", "chat.csv", _TEXT)
    [number] = claim_ready(store.engine, Watch(folder(home), settle_seconds=0), home, utc_now, 1.0)
    with pytest.raises(OSError, match="no space"):
        import_drop(store.engine, number, home, clock)
    store.run("UPDATE batches SET lease_until = NULL")
    import_drop(store.engine, number, home, utc_now)

    assert store.rows("SELECT state, rows_read, created, rejected FROM batches WHERE id = 2") == [("done", 8, 3, 5)]
    assert [line["_row"] for line in report(home)] == ["4", "5", "6", "7", "8"]


def test_what_erased_people_did_is_not_taken_nor_told(store: Roll, home: Settings) -> None:
    work = ask_for_erasure(store.engine, 1, Asked("test", utc_now()))
    run_job(store.engine, work.id, home, utc_now)

    assert take(store, home, _TEXT)[3:] == (0, 0, 8)
    assert [line["_code"] for line in report(home)][:3] == ["erased"] * 3
    kept = [path.read_text("utf-8-sig") for path in (home.home / "chat" / "done").iterdir()]
    assert not [text for text in kept if "Qué tal" in text or "987 6501" in text]


def test_lines_that_are_no_text_or_no_json_are_told_as_such(store: Roll, home: Settings) -> None:
    lines = '{"id": 1, "kind": "received", "at": 1772377500, "contact": 1, "text": "a\\u0000b"}\n{"id": 2,\n'

    assert take(store, home, lines, "chat.jsonl")[3:] == (0, 0, 2)
    assert store.rows("SELECT code FROM batch_rows WHERE batch_id = 2 ORDER BY row") == [
        ("control_character",),
        ("json_invalid",),
    ]
