"""`padron backup` and `padron restore`, as somebody types them."""

from pathlib import Path

from tests.commands import Run


def filled(run: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "gente.csv").write_text("nombre,celular\nAna,3001112233\nEva,3004445566\n", "utf-8")
    assert run(home, "import", str(tmp_path / "gente.csv"), PADRON_DEFAULT_COUNTRY="CO").returncode == 0


def test_a_backup_is_made_listed_verified_and_restored_without_who_was_erased(run: Run, tmp_path: Path) -> None:
    home, other = tmp_path / "home", f"sqlite:///{tmp_path / 'new' / 'padron.db'}"
    filled(run, home, tmp_path)

    made = run(home, "backup", "create", "--csv", PADRON_LANGUAGE="es")
    assert "filas" in made.stdout, made.stderr
    name = made.stdout.split()[1].rstrip(":")
    assert (home / "backups" / name / "contacts.csv").exists()
    assert run(home, "contacts", "erase", "1", "--yes").returncode == 0
    checked = run(home, "backup", "verify", "--level", "3")
    assert f"Backup {name} is whole (restored and compared)" in checked.stdout, checked.stderr
    listed = run(home, "backup", "list")
    assert name in listed.stdout
    assert "restored" in listed.stdout

    plan = run(home, "restore", "newest", "--plan", PADRON_DATABASE_URL=other)
    assert "contacts" in plan.stdout, plan.stderr
    assert "do not come back" in plan.stdout
    refused = run(home, "restore", "newest", "--yes")
    assert refused.returncode == 2
    assert "writes over nothing" in refused.stderr
    asked = run(home, "restore", "newest", typed="no\n", PADRON_DATABASE_URL=other)
    assert asked.returncode == 1
    done = run(home, "restore", name, "--yes", PADRON_DATABASE_URL=other)
    assert "Erased again: 1" in done.stdout, done.stderr
    people = run(home, "contacts", "list", PADRON_DATABASE_URL=other)
    assert "Eva" in people.stdout
    assert "Ana" not in people.stdout


def test_what_is_wrong_is_one_sentence(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    filled(run, home, tmp_path)

    for arguments, said in (
        (("backup", "verify"), "There is no backup in"),
        (("backup", "verify", "20260101T000000Z-1"), "There is no backup 20260101T000000Z-1"),
        (("restore", "newest"), "There is no backup in"),
        (("backup", "create", "--place", "nope://x"), "cannot be used"),
    ):
        found = run(home, *arguments)
        assert (found.returncode, said in found.stderr, "Traceback" in found.stderr) == (2, True, False), found
    wrong = run(home, "backup", "list", PADRON_BACKUP_KEEP="x", PADRON_BACKUP_SCHEDULE="1 2", PADRON_BACKUP_KEY="abc")
    for name in ("PADRON_BACKUP_KEEP", "PADRON_BACKUP_SCHEDULE", "PADRON_BACKUP_KEY"):
        assert name in wrong.stderr
    secret = run(home, "backup", "list", PADRON_BACKUP_KEY="short,pU2BfPrwj7jpU2BfPrwj7jpU2BfPrwj7jpU2BfPrwj4=")
    assert "pU2B" not in secret.stderr
    assert "Nothing is too many" in run(home, "backup", "prune", "--dry-run").stdout
