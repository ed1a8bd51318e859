"""Deliberate mistakes in the engine, and what catches each: `python -m tests.sync.mutants` (by hand, some minutes).

Each is made in a copy of the project, on which the machine and the directed tests are run.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FIRST = ["tests/sync/test_machine.py", "-k", "whatever_happens"]
_THEN = ["tests/sync/test_engine.py", "tests/sync/test_lenses.py", "-k", "not postgresql"]
_LAST = ["tests/sync/test_machine.py", "-k", "many_ways"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: what of a module is written otherwise."""

    name: str
    module: str
    right: str
    wrong: str


MUTANTS = (
    Mutant(
        "compares the CRM's value with ours instead of with what it stored",
        "field_merge",
        "raw != base[1] and not rule.lens.same(read, rule.lens.get_one(base[1]))",
        "not rule.lens.same(read, kept(base[0]))",
    ),
    Mutant(
        "looks for no token, and matches no keys: what the lost answer was of is made again",
        "sync_steps",
        "records = work.crm.find_tokens([link.token for link in part])",
        "work.merging = replace(work.merging, mapping=work.merging.mapping.model_copy(update={'match': ()}))\n        records = {}",
    ),
    Mutant(
        "does not write down what it makes",
        "sync_here",
        '_put(here, work, one, "creating",',
        '_put(here, work, one, "new",',
    ),
    Mutant(
        "believes that what it will send has arrived",
        "decisions",
        "base[rule.name] = [stored(mine), raw, 1]",
        "base[rule.name] = [stored(mine), raw]",
    ),
    Mutant(
        "takes what is not returned for empty",
        "pairs",
        "return record.value(rule.remote[0])",
        "return record.values.get(rule.remote[0])",
    ),
    Mutant(
        "writes over what somebody typed meanwhile",
        "sync_here",
        "versions.get(one.view.id, 0) != one.view.version:",
        "versions.get(one.view.id, 0) < 0:",
    ),
    Mutant("keeps no loser of a conflict", "decisions", "found.lost[rule.name] = verdict.lost", "pass"),
    Mutant(
        "never sweeps",
        "sync_sweeps",
        "    seen, page = set[str](), None\n",
        "    return True\n    seen, page = set[str](), None\n",
    ),
    Mutant(
        "sends while a listing is read",
        "sync_steps",
        "        work.later += take_in(work, new)\n",
        "        send(work, take_in(work, new))\n        send_later(work)\n",
    ),
    Mutant(
        "takes an opt-out back when the CRM does",
        "field_merge",
        "    return _one_way(rule, here)\n\n\ndef _joined",
        "    return _pulled(rule, read)\n\n\ndef _joined",
    ),
    Mutant("deletes while a field is missing", "decisions", "    if merging.is_adrift:\n", "    if False:\n"),
    Mutant(
        "writes its own form of a value that means the same",
        "decisions",
        "            found.agreed.append(rule.name)\n",
        "            found.agreed.append(rule.name)\n            if mine and mine != raw:\n                found.push[rule.name] = mine\n"
        "                found.patch |= put_fields(rule, mine, raw)\n",
    ),
    Mutant("makes again who was merged", "../warehouse/links", 'c.state != "gone")\n', "c.state.not_in(OVER))\n"),
    Mutant("does not ask who a survivor is", "sync_here", "if holder is None and (owner", "if False and (owner"),
    Mutant(
        "takes in a record by what it knew of it before",
        "sync_steps",
        "free = [record for record in records if record.id not in known or known[record.id].state in UNKNOWN]",
        "free = list(records)",
    ),
    Mutant(
        "does not see two of one page who are one",
        "sync_matching",
        "        twin = seen.get(key)\n",
        "        twin = None\n",
    ),
    Mutant(
        "forgets to look again when a field comes back",
        "sync",
        'links.mark_all(connection, work.number, links.SWEEP, "fields")',
        "pass",
    ),
    Mutant(
        "never takes a tag away",
        "field_merge",
        "gone = {form for form in base if form not in mine or form not in theirs}",
        "gone = set[str]()",
    ),
    Mutant(
        "passes over an opt-out of an archived record",
        "decisions",
        'return is_flag(rule) and rule.direction != "out"',
        "return False and is_flag(rule)",
    ),
    Mutant(
        "brings back who was deleted",
        "decisions",
        'if record is None or link.why != "gone_there" or',
        "if record is None or",
    ),
    Mutant(
        "does not mark what changed here",
        "sync",
        "    links.mark_changed(connection, work.number, work.connection.last_change, until)\n",
        "",
    ),
)


def caught_by(mutant: Mutant) -> str:
    """The first test that fails, with what it says; "survived" where none does."""
    with tempfile.TemporaryDirectory(prefix="padron-mutant-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", ".git", "__pycache__", "docs", "benchmarks"))
        path = (copy / "pipelines" / mutant.module).with_suffix(".py").resolve()
        text = path.read_text("utf-8")
        assert mutant.right in text, f"{mutant.name}: the line is not there any more"
        path.write_text(text.replace(mutant.right, mutant.wrong), "utf-8")
        for tests in (_THEN, _FIRST, _LAST):
            found = _run(copy, tests)
            if found:
                return found
    return "survived"


def _run(copy: Path, tests: Sequence[str]) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", "-o", "timeout=600", *tests]
    env = {**os.environ, "MACHINE_EXAMPLES": "30"}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=1200)
    if done.returncode == 0:
        return ""
    failed = re.search(r"FAILED \S+::(\S+)", done.stdout)
    said = re.search(r"\b(I\d)\b: [a-z]", done.stdout)
    why = said.group(1) if said else "it does not come to rest" if "does not come to rest" in done.stdout else ""
    return f"`{failed.group(1) if failed else 'nothing runs'}`{f' ({why})' if why else ''}"


def main() -> None:
    """All of them, or those from a number on."""
    mutants = MUTANTS[int(sys.argv[1]) if len(sys.argv) > 1 else 0 :]
    with ThreadPoolExecutor(2) as pool:
        for mutant, caught in zip(mutants, pool.map(caught_by, mutants), strict=True):
            print(f"| {mutant.name} | {caught} |", flush=True)


if __name__ == "__main__":
    main()
