"""Nothing may lower consent."""

from tests.conftest import Roll


def test_a_blocked_contact_stays_blocked_when_the_file_says_active(store: Roll) -> None:
    store.import_text("Teléfono,Estado\n+57 300 111 2233,bloqueado\n")

    report = store.import_text("Teléfono,Estado\n+57 300 111 2233,activo\n")

    assert (report.updated, report.unchanged, store.one("SELECT status FROM contacts")) == (0, 1, "blocked")


def test_an_opt_out_survives_a_later_opt_in_from_a_file(store: Roll) -> None:
    store.import_text("email,email opt out\nana@example.org,yes\n")

    store.import_text("email,email opt in\nana@example.org,yes\n")

    assert store.one("SELECT state FROM consents") == "out"


def test_a_skipped_row_still_blocks_and_still_opts_out(store: Roll) -> None:
    store.import_text("email,nombre\nana@example.org,Ana\n")

    store.import_text(
        "email,nombre,empresa,estado,email opt out\nana@example.org,Ana,Acme,bloqueado,sí\n", duplicates="skip"
    )

    assert store.living("display_name, company, status") == [("Ana", None, "blocked")]
    assert store.one("SELECT state FROM consents") == "out"
