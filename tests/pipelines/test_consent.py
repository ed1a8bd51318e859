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


def _consents(store: Roll) -> list[tuple[str, str, str]]:
    return store.rows(
        "SELECT c.email, k.channel, k.state FROM consents k JOIN contacts c ON c.id = k.contact_id ORDER BY 1, 2"
    )


def test_a_time_in_a_column_of_opt_outs_is_an_opt_out(store: Roll) -> None:
    report = store.import_text(
        "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,UNSUB_TIME,UNSUB_REASON,LEID\n"
        "ana@example.org,Ana,2,2025-01-01 10:00:00,2026-03-01 09:00:00,NORMAL,1\n"
        "eva@example.org,Eva,2,2025-01-01 10:00:00,,,2\n"
    )

    assert (report.created, report.warnings) == (2, 0)
    assert _consents(store) == [("ana@example.org", "email", "out"), ("eva@example.org", "email", "in")]


def test_a_marketing_status_is_consent(store: Roll) -> None:
    store.import_text(
        "Person - ID,Person - Name,Person - Email - Work,Person - Marketing status\n"
        "1,Ana,ana@example.org,Unsubscribed\n2,Eva,eva@example.org,Subscribed\n3,Luz,luz@example.org,No consent\n"
    )

    assert _consents(store) == [
        ("ana@example.org", "email", "out"),
        ("eva@example.org", "email", "in"),
        ("luz@example.org", "email", "out"),
    ]


def test_a_status_of_unsubscribed_opts_out_of_every_channel(store: Roll) -> None:
    report = store.import_text("email,Estado\nana@example.org,Unsubscribed\neva@example.org,Raro\n")

    assert _consents(store) == [("ana@example.org", "all", "out")]
    assert store.living("email, status") == [("ana@example.org", "active"), ("eva@example.org", "active")]
    assert report.warnings == 1


def test_what_cannot_be_told_in_a_column_of_opt_outs_is_out_and_said(store: Roll) -> None:
    report = store.import_text(
        "email,no contactar,acepta publicidad\nana@example.org,tal vez,\neva@example.org,,quizá\n"
    )

    assert _consents(store) == [("ana@example.org", "all", "out")]
    assert report.warnings == 2


def test_every_column_of_statuses_is_read(store: Roll) -> None:
    report = store.import_text(
        "email,Estado,Contact status\nana@example.org,activo,unsubscribed\neva@example.org,activo,bloqueado\n"
        "luz@example.org,inactivo,raro\nzoe@example.org,raro,inactivo\n"
    )

    assert _consents(store) == [("ana@example.org", "all", "out")]
    assert store.living("status") == [("active",), ("blocked",), ("inactive",), ("inactive",)]
    assert report.warnings == 2
