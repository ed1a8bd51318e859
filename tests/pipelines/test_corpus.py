"""The whole corpus of hard files, each into a fresh store, judged by the corpus's own script."""

import csv
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipelines.byhand import import_by_hand, new_lease
from pipelines.imports import Job
from schemas.profiles import Profile
from tests.conftest import utc_now
from warehouse.store import open_store

pytestmark = pytest.mark.xdist_group("corpus")

FAILING = {
    "hard/st_repeated_header.csv": "24 contacts are made of 48 rows, as wanted; the script reads rows taken as contacts",
    "parquet/phone_double.parquet": "5 rows have neither phone nor e-mail, so nobody can be told from them",
    "parquet/struct_name.parquet": "5 rows have no e-mail, and the file has no phone",
}
"""The files that the script does not pass, each with the reason why that is so."""
SLOW = ("excel/odd_strings.xlsx", "hard/st_wide_2000_columns.csv")


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def _profile(path: Path, action: str) -> Profile:
    """Files of csv-spectrum know nothing of contacts: their first column is the key, the others custom fields."""
    if action != "parse_equals_json":
        return Profile(default_country="GB")
    first, *others = _header(path)
    columns = {first: "external_id", **{name: f"custom.{name}" for name in others}}
    return Profile(default_country="GB", columns=columns)


def _outcome(corpus: Path, entry: dict[str, Any], template: Path, folder: Path) -> dict[str, Any]:
    """What became of one file, as the script wants to be told."""
    path, started = corpus / entry["file"], time.monotonic()
    folder.mkdir()
    shutil.copy(template, folder / "padron.db")
    engine = open_store(f"sqlite:///{folder / 'padron.db'}")
    job = Job(path, path.name, _profile(path, entry["action"]), folder / "report.csv", keep_values=True)
    try:
        run = import_by_hand(engine, job, new_lease(60, utc_now), "test")
    finally:
        engine.dispose()
    document = run.report.as_json()
    status = "asked" if run.report.status == "needs_mapping" else run.report.status
    told = {"file": entry["file"], "status": status, "rows": run.values, "seconds": time.monotonic() - started}
    return {**document, **told}


@pytest.fixture(scope="module")
def entries(corpus: Path) -> list[dict[str, Any]]:
    return list(json.loads((corpus / "manifest.json").read_text(encoding="utf-8"))["files"])


def _import_all(corpus: Path, entries: list[dict[str, Any]], template: Path, folder: Path) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_outcome, corpus, entry, template, folder / str(index)) for index, entry in enumerate(entries)
        ]
        return [job.result() for job in jobs]


@pytest.fixture(scope="module")
def sample(
    corpus: Path,
    entries: list[dict[str, Any]],
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, Any]]:
    """Outcomes of every seventh file, of those that fail, and of csv-spectrum; the slow ones are left to the slow lane."""
    chosen = [
        entry
        for index, entry in enumerate(entries)
        if index % 7 == 0 or entry["file"] in FAILING or entry["action"] == "parse_equals_json"
    ]
    quick = [entry for entry in chosen if entry["file"] not in SLOW]
    return _import_all(corpus, quick, sqlite_template, tmp_path_factory.mktemp("corpus"))


def _judge(corpus: Path, outcomes: list[dict[str, Any]], told: Path) -> tuple[set[str], str]:
    """The files that the corpus's own script fails, and its last line."""
    told.write_text("".join(json.dumps(outcome) + "\n" for outcome in outcomes), encoding="utf-8")
    judged = subprocess.run(
        [sys.executable, str(corpus / "score.py"), str(told)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return {line.split()[1] for line in judged if line.startswith("FAIL")}, judged[-1]


@pytest.mark.slow
def test_the_whole_corpus_passes_by_its_own_judge_but_for_three_known_files(
    corpus: Path, entries: list[dict[str, Any]], sqlite_template: Path, tmp_path: Path
) -> None:
    outcomes = _import_all(corpus, entries, sqlite_template, tmp_path)

    assert _judge(corpus, outcomes, tmp_path / "told.jsonl") == (set(FAILING), "178/181 pass")
    assert _miscounted(outcomes) == _silent(outcomes) == []


def test_a_sample_of_the_corpus_passes_by_its_own_judge_but_for_three_known_files(
    corpus: Path, sample: list[dict[str, Any]], tmp_path: Path
) -> None:
    failed, last = _judge(corpus, sample, tmp_path / "told.jsonl")

    assert failed == set(FAILING)
    assert last == f"{len(sample) - 3}/{len(sample)} pass"
    assert len(sample) > 30


def test_the_rows_of_csv_spectrum_are_those_of_the_json_beside_them(corpus: Path, sample: list[dict[str, Any]]) -> None:
    spectrum = [outcome for outcome in sample if "csv-spectrum" in outcome["file"]]

    different = [outcome["file"] for outcome in spectrum if outcome["rows"] != _beside(corpus / outcome["file"])]

    assert (len(spectrum), different) == (11, [])


def _beside(path: Path) -> Any:
    """The rows in the JSON file; where a checkout turned CRLF into LF in the CSV file, in the JSON too."""
    text = (path.parent.parent / "json" / f"{path.stem}.json").read_text(encoding="utf-8")
    return json.loads(text if b"\r\n" in path.read_bytes() else text.replace("\\r\\n", "\\n"))


def test_no_file_of_the_corpus_is_refused_without_saying_why(sample: list[dict[str, Any]]) -> None:
    assert any(item["status"] != "imported" for item in sample)
    assert _silent(sample) == []


def _silent(outcomes: list[dict[str, Any]]) -> list[str]:
    return [item["file"] for item in outcomes if item["status"] != "imported" and len(item["message"]) < 20]


def test_the_outcomes_of_every_file_add_up_to_its_rows(sample: list[dict[str, Any]]) -> None:
    assert any(item["created"] for item in sample)
    assert _miscounted(sample) == []


def _miscounted(outcomes: list[dict[str, Any]]) -> list[str]:
    kinds = ("created", "updated", "unchanged", "merged", "rejected")
    return [
        item["file"]
        for item in outcomes
        if item["status"] == "imported"
        and (sum(item[kind] for kind in kinds), item["rejected"])
        != (item["rows_ok"] + item["rejected"], len(item["row_errors"]))
    ]
