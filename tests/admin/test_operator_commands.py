"""Operators, licences, roles, tokens and the audit on the command line."""

import json
import os
import pwd
import re
from pathlib import Path

import pytest

from tests.commands import Run

pytestmark = pytest.mark.xdist_group("command line")
_PASSWORD = "tres gatos en un tejado\n"


def _first(run: Run, home: Path, **settings: str) -> None:
    names = ("--first-name", "Ana", "--last-name", "Pérez", "--admin", "--password-stdin")
    done = run(home, "operators", "create", "ana@example.org", *names, typed=_PASSWORD, **settings)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_administrator_gets_a_seat_of_an_admin_licence(run: Run, tmp_path: Path) -> None:
    _first(run, tmp_path / "home", PADRON_LANGUAGE="es")

    shown = run(tmp_path / "home", "operators", "list", PADRON_LANGUAGE="es").stdout
    seats = run(tmp_path / "home", "licences", "list", PADRON_LANGUAGE="es").stdout

    assert re.search(r"1\s+ana@example.org\s+Ana Pérez\s+administrator\s+1\s+–\s+activo", shown)
    assert re.search(r"1\s+Administración\s+admin\s+floating\s+1\s+0\s", seats)


def test_operators_are_made_found_edited_and_kept_from_signing_in(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    _first(run, home)
    run(home, "licences", "create", "Agents", "--seats", "2")
    names = ("--first-name", "Luis", "--last-name", "Gil", "--agent", "--licence", "2", "--role", "agent")
    made = run(home, "operators", "create", "luis@example.org", *names, "--password-stdin", typed=_PASSWORD)
    assert made.stdout == "Operator 2 made: Luis Gil <luis@example.org>\n"

    edited = run(home, "operators", "edit", "2", "--last-name", "Gómez", "--inactive")

    assert edited.stdout == "Operator 2 changed: Luis Gómez\n"
    assert "Luis Gómez" in run(home, "operators", "list", "--search", "gomez", "--inactive").stdout
    assert "Luis" not in run(home, "operators", "list", "--active").stdout


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["operators", "create", "ANA@example.org", "--first-name", "A", "--last-name", "B"], _PASSWORD, "taken already, by Ana"),
        (["operators", "create", "b@example.org", "--first-name", "A", "--last-name", "B"], "corta\n", "10 to 128"),
        (["operators", "edit", "1", "--inactive"], "", "no administrator could sign in"),
        (["operators", "edit", "1"], "", "Name what to change"),
        (["operators", "edit", "7", "--active"], "", "no operator 7"),
        (["licences", "create", "X", "--seats", "-1"], "", "between 0 and 100,000"),
        (["licences", "create", "administration", "--seats", "1"], "", "already"),
        (["licences", "create", "X", "--seats", "1", "--kind", "gold"], "", "agent, admin"),
        (["roles", "save", "agent", "--may", "jobs:read"], "", "built-in"),
        (["roles", "save", "Noche", "--may", "fly"], "", "no permission 'fly'"),
        (["roles", "delete", "Noche"], "", "no role 'Noche'"),
        (["tokens", "create", "ERP", "--may", "fly"], "", "no permission 'fly'"),
        (["tokens", "revoke", "3"], "", "no token 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(run: Run, tmp_path: Path, arguments: list[str], typed: str, said: str) -> None:
    _first(run, tmp_path / "home")
    given = ["--password-stdin"] if typed else []

    done = run(tmp_path / "home", *arguments, *given, typed=typed)

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_roles_tokens_and_the_audit(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    _first(run, home)
    run(home, "roles", "save", "Noche", "--may", "batches:read", "--may", "jobs:read")
    secret = run(home, "tokens", "create", "ERP", "--may", "batches:read", "--days", "3").stdout.split()[-1]

    assert "Noche *: batches:read, jobs:read" in run(home, "roles", "list").stdout
    assert re.fullmatch(r"padron_[\w-]{43}", secret)
    assert "active" in run(home, "tokens", "list").stdout
    run(home, "tokens", "revoke", "1")
    assert "inactive" in run(home, "tokens", "list").stdout
    exported = [json.loads(line) for line in run(home, "audit", "show", "--json").stdout.splitlines()]
    assert [entry["action"] for entry in exported] == [
        *("licences:create", "operators:create", "roles:create", "tokens:create", "tokens:revoke")
    ]
    assert [entry["actor"] for entry in exported] == [f"command line:{pwd.getpwuid(os.getuid()).pw_name}"] * 5
    assert run(home, "audit", "show", "--search", "role:").stdout.count("\n") == 1
    assert run(home, "audit", "verify").returncode == 0


def test_a_password_and_a_reset_link_are_set_by_hand(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    _first(run, home)

    done = run(home, "operators", "password", "1", "--password-stdin", typed="cuatro perros sin collar\n")
    link = run(home, "operators", "reset-link", "1").stdout.strip()
    out = run(home, "operators", "sign-out", "1")

    assert (done.returncode, out.returncode) == (0, 0)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/reset#reset_[\w-]{43}", link)
    mailed = run(home, "operators", "reset-link", "1", "--mail")
    assert (mailed.returncode, "PADRON_SMTP_URL" in mailed.stderr) == (2, True)


def test_a_head_that_was_noted_proves_that_nothing_before_it_was_rewritten(run: Run, tmp_path: Path) -> None:
    run(tmp_path, "licences", "create", "A", "--seats", "1")
    said = run(tmp_path, "audit", "verify").stdout
    head = said.rsplit(" ", 1)[1].strip()
    run(tmp_path, "licences", "create", "B", "--seats", "1")

    assert run(tmp_path, "audit", "verify", "--head", head).returncode == 0
    number, hash_ = head.split(":")
    other = run(tmp_path, "audit", "verify", "--head", f"{number}:{hash_[::-1]}")
    assert (other.returncode, "Entry 1 is not as it was written" in other.stdout) == (1, True)
    for wrong in ("", "abc", "6", f"{number}:{hash_[:8]}", f"99999999999999999999:{hash_}"):
        refused = run(tmp_path, "audit", "verify", "--head", wrong)
        assert (refused.returncode, "no head" in refused.stderr) == (2, True), wrong
