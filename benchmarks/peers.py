"""`python -m benchmarks.peers`: the same file by dlt, by plain pandas and by Padrón, in turn, into PostgreSQL.

The peers normalise with the libraries row by row (phonenumbers, email-validator), keep one row for each phone or
else e-mail, and merge into what is there. They keep no history, no further keys and no outcome of a row, but for
`pandas, all tables`, which also writes custom values, a change for each contact and an outcome for each row by to_sql.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from csv import DictReader
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
import pandas as pd
import pandera.pandas as pandera
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import create_engine, inspect, make_url, text

from benchmarks.importing import SERVER, database
from benchmarks.people import write_people
from benchmarks.steps import run_import
from tests import servers


def _phone(value: str) -> str | None:
    digits = "".join(char for char in value if char.isdigit()).removeprefix("00")
    try:
        number = phonenumbers.parse(value if value.startswith("+") else f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(value: str) -> str | None:
    try:
        return validate_email(value, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def _normalised(row: dict[str, str]) -> dict[str, Any]:
    return {
        "first_name": " ".join(row["Nombre"].split()) or None,
        "last_name": " ".join(row["Apellidos"].split()) or None,
        "phone": _phone(row["Teléfono"]),
        "email": _email(row["Correo electrónico"]),
        "city": row["Ciudad"].strip() or None,
        "tags": sorted({tag.strip() for tag in row["Etiquetas"].split(";") if tag.strip()}),
        "plan": row["plan"] or None,
        "puntos": float(row["puntos"]) if row["puntos"] else None,
        "renovacion": datetime.fromisoformat(row["renovacion"]).replace(tzinfo=UTC) if row["renovacion"] else None,
    }


def load_by_dlt(url: str, file: str) -> float:
    """Rows as dicts into a merge pipeline; tags become dlt's child table."""

    @dlt.resource(name="contacts", write_disposition="merge", primary_key="key")  # type: ignore[untyped-decorator]
    def people() -> Iterator[dict[str, Any]]:
        with open(file, encoding="utf-8", newline="") as lines:
            for row in map(_normalised, DictReader(lines)):
                if key := row["phone"] or row["email"]:
                    yield {"key": key, **row}

    credentials = make_url(url).set(drivername="postgresql", password="not asked for")
    destination = dlt.destinations.postgres(credentials.render_as_string(hide_password=False))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        dlt.pipeline("peers", pipelines_dir=folder, destination=destination, dataset_name="peers").run(people())
        return time.perf_counter() - began


_CHECKED = pandera.DataFrameSchema(
    {
        "phone": pandera.Column(str, pandera.Check.str_matches(r"^\+[1-9]\d{6,14}$"), nullable=True),
        "email": pandera.Column(str, pandera.Check.str_matches(r"^[^@\s]+@[^@\s]+$"), nullable=True),
        "puntos": pandera.Column(float, nullable=True),
    }
)


def load_by_pandas(url: str, file: str, *, everything: bool = False) -> float:
    """read_csv, the libraries by `apply`, pandera, drop_duplicates, known keys left out, to_sql (tags a child)."""
    began = time.perf_counter()
    engine = create_engine(url)
    raw = pd.read_csv(file, dtype=str, keep_default_na=False)
    clean = pd.DataFrame(raw.apply(lambda row: _normalised(row.to_dict()), axis=1).tolist())
    clean["key"] = clean["phone"].fillna(clean["email"])
    outcomes = pd.DataFrame({"row": range(1, len(clean) + 1), "key": clean["key"]})
    clean = _CHECKED.validate(clean.dropna(subset=["key"]).drop_duplicates("key", keep="last"))
    if inspect(engine).has_table("contacts"):
        with engine.connect() as connection:
            known = pd.read_sql(text("SELECT key FROM contacts"), connection)
        clean = clean[~clean["key"].isin(known["key"])]
    tables = {"contact_tags": clean[["key", "tags"]].explode("tags").dropna(subset=["tags"])}
    if everything:
        values = clean[["key", "plan", "puntos", "renovacion"]].astype({"puntos": str, "renovacion": str})
        tables["contact_values"] = values.melt("key").dropna(subset=["value"])
        tables["contact_changes"] = clean[["key"]].assign(operation="create", at=datetime.now(UTC))
        tables["batch_rows"] = outcomes.assign(outcome=outcomes["key"].isna().map({True: "rejected", False: "created"}))
    kept = ["tags", "plan", "puntos", "renovacion"] if everything else ["tags"]
    for name, table in {"contacts": clean.drop(columns=kept), **tables}.items():
        table.to_sql(name, engine, if_exists="append", index=False)
    return time.perf_counter() - began


def load_all_by_pandas(url: str, file: str) -> float:
    return load_by_pandas(url, file, everything=True)


def load_by_padron(url: str, file: str) -> float:
    return run_import(url, file)["seconds"]


LOADERS: dict[str, Callable[[str, str], float]] = {
    "dlt": load_by_dlt,
    "pandas": load_by_pandas,
    "pandas, all tables": load_all_by_pandas,
    "padron": load_by_padron,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=300_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--one", nargs=3, metavar=("LOADER", "URL", "FILE"), help=argparse.SUPPRESS)
    found = arguments.parse_args()
    if found.one:
        loader, url, file = found.one
        print(LOADERS[loader](url, file))
        return
    server, admin = servers.start_postgres(**SERVER)
    times: dict[str, list[float]] = {name: [] for name in LOADERS}
    try:
        with tempfile.TemporaryDirectory(prefix="padron-bench-") as folder:
            write_people(file := Path(folder) / "people.csv", found.rows, seed=7)
            for _ in range(found.rounds):
                for name in LOADERS:
                    times[name].append(_in_a_process(name, database("postgresql", Path(folder), admin), file))
                    print(name, times[name][-1], file=sys.stderr, flush=True)
    finally:
        server.stop()
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(json.dumps({"rows": found.rows, "seconds": {name: round(value, 1) for name, value in medians.items()}}))
    ratios = {f"{name} / padron": round(medians[name] / medians["padron"], 1) for name in medians if name != "padron"}
    print(json.dumps({"ratios (limits 5 and 10)": ratios}))


def _in_a_process(name: str, url: str, file: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.peers", "--one", name, url, str(file)]
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **quiet})
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
