"""Nothing may lower consent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines import imports
from pipelines.undo import undo_batch
from tests.conftest import Roll, utc_now


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


def test_an_opt_out_of_every_channel_ends_opt_ins_and_lets_no_new_one_in(store: Roll) -> None:
    store.import_text("email,email opt in\nana@example.org,si\n")
    store.import_text("email,no contactar,email opt in\nana@example.org,si,si\n")
    store.import_text("email,email opt in\nana@example.org,si\n")

    assert _consents(store) == [("ana@example.org", "all", "out"), ("ana@example.org", "email", "out")]


@pytest.mark.parametrize("profile", [{"mode": "create"}, {"duplicates": "create"}, {"duplicates": "skip"}], ids=str)
def test_an_opt_out_holds_for_the_contact_that_exists_whatever_the_profile(
    store: Roll, profile: dict[str, str]
) -> None:
    store.import_text("nombre,correo\nAna,a@x.org\n")

    store.import_text("nombre,correo,email opt out,estado\nAna,a@x.org,si,bloqueado\n", **profile)

    assert store.one("SELECT state FROM consents WHERE contact_id = 1") == "out"
    assert store.one("SELECT status FROM contacts WHERE id = 1") == "blocked"


def test_a_consent_is_kept_with_the_time_that_the_file_says(store: Roll) -> None:
    store.import_text("email,UNSUB_TIME,CONFIRM_TIME\na@x.org,2024-05-10 09:30:00,\nb@x.org,,2023-01-02\n")

    at = [moment for (moment,) in store.rows("SELECT at FROM consents ORDER BY contact_id")]
    if store.engine.dialect.name == "sqlite":
        at = [datetime.fromtimestamp(moment / 1_000_000, UTC) for moment in at]
    assert at == [datetime(2024, 5, 10, 9, 30, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC)]


def test_leave_to_keep_data_is_no_leave_to_write_and_its_refusal_is(store: Roll) -> None:
    store.import_text("email,Autoriza habeas data\na@x.org,Sí\nb@x.org,No\n")

    assert _consents(store) == [("b@x.org", "all", "out")]


def test_a_blank_name_takes_nobody_s_name_away(store: Roll) -> None:
    store.import_text("nombre,telefono,correo\nAna,3001112222,ana@x.org\n")
    store.import_text("nombre,telefono\n,3001112222\n", blank="clear")

    assert store.import_text("nombre,telefono\nEva,3001112222\n").created == 1
    assert store.living("display_name") == [("Ana",), ("Eva",)]


@pytest.mark.parametrize("header", ["Marketing", "Boletín", "Publicidad", "Newsletter", "SMS Marketing", "Novedades"])
def test_a_no_in_a_column_that_only_names_what_is_sent_is_an_opt_out(roll: Roll, header: str) -> None:
    roll.import_text(f"correo,{header}\nno@example.org,No\nsi@example.org,Sí\notro@example.org,Google Ads\n")

    said = roll.rows("SELECT email, state FROM contacts JOIN consents ON contact_id = contacts.id ORDER BY email")
    assert said == [("no@example.org", "out"), ("si@example.org", "in")]


# ── shared phones and e-mails ────────────────────────────────────────────────────────────────────────────────────

_IN = "nombre,correo,acepta publicidad\nTienda Pepe,pepe@example.org,sí\n"
_OUT = "nombre,correo,dado de baja\nJosé García,pepe@example.org,sí\n"


def opted_out(store: Roll) -> list[tuple[Any, ...]]:
    """Who may not be written to, and on which channel."""
    return store.rows(
        "SELECT display_name, o.channel FROM opted_out o JOIN contacts c ON c.id = contact_id ORDER BY 1, 2"
    )


@pytest.mark.parametrize("profile", [{}, {"duplicates": "create"}, {"duplicates": "skip"}, {"mode": "create"}], ids=str)
def test_an_opt_out_holds_for_everybody_who_has_the_address(store: Roll, profile: dict[str, Any]) -> None:
    store.import_text(_IN)
    store.import_text(_OUT, **profile)

    assert ("Tienda Pepe", "email") in opted_out(store)
    again = store.import_text(_OUT, **profile)
    assert again.updated == again.created == 0


def test_an_opt_out_of_a_row_that_is_not_taken_holds_for_the_address_until_that_is_undone(store: Roll) -> None:
    store.import_text(_IN)

    report = store.import_text(_OUT + "José García,pepe@example.org,\n", mode="update")

    assert (report.rejected, opted_out(store)) == (2, [("Tienda Pepe", "email")])
    assert report.batch_id is not None
    assert undo_batch(store.engine, report.batch_id, "test", utc_now).lifted == 1
    assert opted_out(store) == []


def test_of_what_rows_that_are_not_taken_say_out_wins(store: Roll) -> None:
    store.import_text(_IN)
    both = "nombre,correo,email opt out,email opt in\n"

    store.import_text(f"{both}José García,pepe@example.org,sí,\nJosé García,pepe@example.org,,sí\n", mode="update")

    assert opted_out(store) == [("Tienda Pepe", "email")]


def test_who_comes_to_an_address_that_opted_out_is_out_too(store: Roll) -> None:
    store.import_text(_OUT)
    store.import_text(_IN)

    assert opted_out(store) == [("José García", "all"), ("José García", "email"), ("Tienda Pepe", "email")]


def test_do_not_call_holds_for_the_whole_family_and_not_for_their_own_phones(store: Roll) -> None:
    store.import_text("nombre,teléfono\nLuis Mora,3006100001\nRosa Mora,3006100001\nEva Mora,3006100009/3006100001\n")

    store.import_text("teléfono,no llamar\n3006100001,sí\n")

    assert opted_out(store) == [("Luis Mora", "phone"), ("Rosa Mora", "phone")]


def test_what_one_says_at_another_address_of_theirs_holds_for_the_phone_they_share(store: Roll) -> None:
    store.import_text("nombre,teléfono,correo\nLuis Mora,3006100001,\nRosa Mora,3006100001,rosa@example.org\n")

    store.import_text("correo,no llamar\nrosa@example.org,sí\n")

    assert opted_out(store) == [("Luis Mora", "phone"), ("Rosa Mora", "phone")]


def test_an_opt_out_that_one_has_of_another_goes_no_further(store: Roll) -> None:
    store.import_text("nombre,teléfono\nLuis Gil,3006100001 / 3006100002\nEva Paz,3006100002\nAna Mora,3006100001\n")

    store.import_text("nombre,teléfono,no llamar\nAna Mora,3006100001,sí\nEva Paz,3006100002,\n")

    assert opted_out(store) == [("Ana Mora", "phone"), ("Luis Gil", "phone")]


def test_undoing_one_of_two_that_say_the_same_lets_nobody_be_written_to(store: Roll) -> None:
    store.import_text(_IN)
    first, second = (store.import_text(_OUT).batch_id for _ in range(2))
    assert first is not None
    assert second is not None

    undo_batch(store.engine, second, "test", utc_now)
    assert ("Tienda Pepe", "email") in opted_out(store)
    undo_batch(store.engine, first, "test", utc_now)

    assert opted_out(store) == []


def test_a_phone_that_undo_gives_back_is_out_where_another_holder_of_it_opted_out_meanwhile(store: Roll) -> None:
    store.import_text("id externo,nombre,telefono\n1,Luis,3001112222\n")
    moved = store.import_text("id externo,nombre,telefono\n1,Luis,3001113333\n").batch_id
    store.import_text("nombre,telefono,no llamar\nAna,3001112222,sí\n")
    assert moved is not None

    undo_batch(store.engine, moved, "test", utc_now)

    assert opted_out(store) == [("Ana", "phone"), ("Luis", "phone")]


@pytest.mark.parametrize("late", [False, True], ids=["asked", "first load"])
def test_in_one_file_too(store: Roll, monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    monkeypatch.setattr(imports, "_FIRST_LOAD", 1 if late else 20_000)  # a first load of 20,000 rows takes long

    store.import_text(
        "nombre,correo,dado de baja\nAna,x@example.org,\nLuis,x@example.org,\nPedro,x@example.org,sí\n"
        "Rita,y@example.org,\n"
    )

    assert [name for name, channel in opted_out(store) if channel == "email"] == ["Ana", "Luis", "Pedro"]
    assert "Rita" not in str(opted_out(store))


@pytest.mark.parametrize("rows", ["Ana,3001112222,sí\n", "Ana,3001112222,\nAna,3001112222,sí\n"], ids=["one", "two"])
def test_a_file_with_opt_outs_makes_no_more_contacts_when_it_comes_again(store: Roll, rows: str) -> None:
    store.import_text("nombre,telefono\nAna,3001112222\n", duplicates="create")
    text = f"nombre,telefono,no llamar\n{rows}"
    store.import_text(text, duplicates="create")

    again = store.import_text(text, duplicates="create")

    assert again.created == 0
