"""Taking one import back."""

import pytest

from pipelines.undo import undo_batch
from schemas.errors import InputError
from schemas.reports import ImportReport
from tests.conftest import Roll, utc_now


def _undo(store: Roll, batch: int) -> tuple[int, int, int]:
    report = undo_batch(store.engine, batch, "test", utc_now)
    return report.removed, report.restored, len(report.kept)


def test_what_an_import_created_goes(store: Roll) -> None:
    store.import_text("nombre,teléfono\nEva,3009998877\n")
    store.import_text("nombre,teléfono,etiquetas\nAna,3001112233,VIP\nLuis,3002223344,\n")

    assert _undo(store, 2) == (2, 0, 0)
    assert [name for name, _, _ in store.living()] == ["Eva"]
    assert store.one("SELECT state FROM batches WHERE id = 2") == "undone"


def test_what_an_import_changed_is_as_before(store: Roll) -> None:
    store.import_text(
        "nombre,teléfono,email,empresa,etiquetas,Field: plan\nAna,3001112233,ana@example.org,Acme,VIP,oro\n"
    )
    before = store.living("display_name, phone, phone_match, email, email_match, company, city, status")
    store.import_text(
        "nombre,teléfono,email,empresa,ciudad,etiquetas,notas,estado,Field: plan\n"
        "Ana,3002223344,ana@example.org,Beta,Cali,nuevo,hola,bloqueado,plata\n"
    )

    assert _undo(store, 2) == (0, 1, 0)
    assert store.living("display_name, phone, phone_match, email, email_match, company, city, status") == before
    assert store.one("SELECT text FROM contact_values") == "oro"
    assert store.rows("SELECT n.name FROM contact_tags t JOIN tags n ON n.id = t.tag_id") == [("VIP",)]
    assert store.rows("SELECT text FROM notes") == []


def test_later_changes_stay_and_their_contacts_are_listed(store: Roll) -> None:
    store.import_text("nombre,teléfono,empresa\nAna,3001112233,Acme\n")
    store.import_text("nombre,teléfono,empresa,ciudad\nAna,3001112233,Beta,Cali\n")
    store.import_text("nombre,teléfono,empresa\nAna,3001112233,Gama\n")

    assert _undo(store, 2) == (0, 1, 1)
    assert store.living("company, city") == [("Gama", None)]


def test_a_created_contact_that_changed_since_is_kept(store: Roll) -> None:
    store.import_text("nombre,teléfono\nAna,3001112233\n")
    store.import_text("nombre,teléfono,empresa\nAna,3001112233,Acme\n")

    assert _undo(store, 1) == (0, 0, 1)
    assert store.living("display_name, company") == [("Ana", "Acme")]


def test_an_import_that_was_taken_back_can_be_imported_again(store: Roll) -> None:
    text = "nombre,teléfono,external id\nAna,3001112233,A1\n"
    store.import_text(text)
    _undo(store, 1)

    report = store.import_text(text)

    assert (report.created, len(store.living())) == (1, 1)


def test_an_import_is_taken_back_once(store: Roll) -> None:
    store.import_text("nombre,teléfono\nAna,3001112233\n")
    _undo(store, 1)

    with pytest.raises(InputError, match="only an import whose rows were taken"):
        _undo(store, 1)


def test_taking_back_leaves_a_trace_in_the_history(store: Roll) -> None:
    store.import_text("nombre,teléfono\nAna,3001112233\n")

    _undo(store, 1)

    assert store.rows("SELECT operation FROM contact_changes ORDER BY id") == [("create",), ("undo",)]


def test_imports_taken_back_one_after_the_other_leave_nothing(store: Roll) -> None:
    store.import_text("nombre,teléfono\nAna,3001112233\n")
    store.import_text("nombre,teléfono,empresa\nAna,3001112233,Acme\n")

    assert _undo(store, 2) == (0, 1, 0)
    assert _undo(store, 1) == (1, 0, 0)
    assert store.living() == []


def test_an_opt_out_and_a_block_that_a_later_import_may_have_said_again_stay(store: Roll) -> None:
    store.import_text("email,email opt in\nana@example.org,\neva@example.org,\n")
    said = "email,estado,email opt out\nana@example.org,bloqueado,sí\neva@example.org,bloqueado,sí\n"
    store.import_text(said)
    store.import_text("email,estado,email opt out,ciudad\nana@example.org,bloqueado,sí,Cali\n")

    assert _undo(store, 2) == (0, 1, 1)
    assert store.living("email, status") == [("ana@example.org", "blocked"), ("eva@example.org", "active")]
    assert store.rows("SELECT contact_id, state FROM consents") == [(1, "out")]


def test_a_later_opt_out_survives_the_undo_of_an_opt_in(store: Roll) -> None:
    store.import_text("email\nana@example.org\n")
    store.import_text("email,email opt in\nana@example.org,sí\n")
    store.import_text("email,email opt out\nana@example.org,sí\n")

    _undo(store, 2)

    assert store.rows("SELECT channel, state FROM consents") == [("email", "out")]


def test_no_phone_is_lost_when_an_import_between_two_is_taken_back(store: Roll) -> None:
    store.import_text("email,nombre,teléfono\nana@example.org,Ana,3001112233\n")
    store.import_text("email,nombre,teléfono\nana@example.org,Ana,3002223344\n")
    store.import_text("email,nombre,teléfono\nana@example.org,Ana,3003334455\n")

    _undo(store, 2)

    assert store.living("phone") == [("+573003334455",)]
    assert store.rows("SELECT value, role FROM contact_keys WHERE kind = 'phone'") == [
        ("+573001112233", "owner"),
        ("+573002223344", "owner"),
    ]
    assert store.import_text("nombre,teléfono\nAna,3001112233\n").created == 0


def test_the_text_that_is_searched_goes_back_too(store: Roll) -> None:
    store.import_text("email,nombre\nana@example.org,Ana Pérez\n")
    before = store.one("SELECT search_text FROM contacts")
    store.import_text("email,nombre\nana@example.org,Ana Pérez Gómez\n")

    _undo(store, 2)

    assert store.one("SELECT search_text FROM contacts") == before == "ana perez ana@example.org"


def test_what_a_later_import_said_again_stays_with_all_its_keys(store: Roll) -> None:
    store.import_text("nombre,telefono\nAna,3001112222\n")
    store.import_text("id externo,nombre,telefono,correo,etiquetas\n7,Ana,3001112222,e@x.org,vip\n")
    store.import_text("id externo,nombre,telefono,correo,etiquetas,ciudad\n7,Ana,3001112222,e@x.org,vip,Cali\n")

    assert _undo(store, 2)[2] == 1
    assert store.living("email, email_match, city") == [("e@x.org", "e@x.org", "Cali")]
    assert store.rows("SELECT value FROM contact_keys") == [("default:7",)]
    assert len(store.rows("SELECT * FROM contact_tags")) == 1


def test_a_contact_that_a_later_import_has_unchanged_stays(store: Roll) -> None:
    text = "nombre,correo,email opt out,estado\nAna,a@x.org,si,bloqueado\n"
    store.import_text(text)
    store.import_text(text)

    assert _undo(store, 1) == (0, 0, 1)
    assert store.living("email, status") == [("a@x.org", "blocked")]
    assert store.rows("SELECT state FROM consents") == [("out",)]


def test_a_phone_that_another_owns_by_now_goes_back_without_becoming_a_second_owner_s(store: Roll) -> None:
    head = "id externo,nombre,telefono\n"
    store.import_text(head + "1,Ana,3001112222\n")
    store.import_text(head + "1,Ana,3001112223\n")
    store.import_text(head + "2,Luis,3001112222\n")
    store.import_text(head + "2,Luis,3001112229\n")

    _undo(store, 4)

    assert store.living("phone, phone_match") == [("+573001112223", "+573001112223"), ("+573001112222", None)]


def test_a_shared_phone_goes_back_as_a_shared_one(store: Roll) -> None:
    store.import_text("id externo,nombre,telefono\n1,Ana,3001112222\n2,Luis,3001112222\n")
    before = store.living("id, phone, phone_match")
    store.import_text("id externo,nombre,telefono\n2,Luis,3001112229\n")

    assert _undo(store, 2) == (0, 1, 0)
    assert store.living("id, phone, phone_match") == before


def test_an_opt_in_goes_when_the_opt_out_after_it_and_then_itself_are_taken_back(store: Roll) -> None:
    store.import_text("nombre,correo\nAna,a@x.org\n")
    store.import_text("nombre,correo,email opt in\nAna,a@x.org,si\n")
    store.import_text("nombre,correo,email opt out\nAna,a@x.org,si\n")

    _undo(store, 3)
    assert store.rows("SELECT state FROM consents") == [("in",)]
    _undo(store, 2)
    assert store.rows("SELECT state FROM consents") == []


def test_the_opt_outs_and_blocks_that_go_with_an_import_are_counted(store: Roll) -> None:
    store.import_text("email\nana@x.org\n")
    store.import_text("email,estado,email opt out\nana@x.org,bloqueado,sí\neva@x.org,,sí\nluz@x.org,activo,no\n")

    assert undo_batch(store.engine, 2, "test", utc_now).lifted == 3


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3), (1, 3, 2)])
def test_in_whatever_order_imports_are_taken_back_nobody_of_theirs_stays(store: Roll, order: tuple[int, ...]) -> None:
    text = "nombre,correo,ciudad\nAna,ana@example.org,Lima\nEva,eva@example.org,\n"
    store.import_text(text)
    store.import_text(text)
    store.import_text(text.replace("Lima", "Quito"))

    for number in order:
        undo_batch(store.engine, number, "test", utc_now)

    assert store.living() == []


def test_a_contact_that_stayed_for_an_import_stays_while_another_has_it(store: Roll) -> None:
    for _ in range(3):
        store.import_text("nombre,correo\nAna,ana@example.org\n")

    undo_batch(store.engine, 1, "test", utc_now)
    undo_batch(store.engine, 2, "test", utc_now)

    assert store.living("email") == [("ana@example.org",)]


def test_a_value_that_came_back_by_a_later_import_stays(store: Roll) -> None:
    batches = [
        store.import_text(f"correo,empresa\na@x.co,{name}\n").batch_id for name in ("Acme", "Beta", "Gama", "Beta")
    ]
    assert batches[1] is not None

    report = undo_batch(store.engine, batches[1], "ana", utc_now)

    assert store.living("company") == [("Beta",)]
    assert (report.restored, len(report.kept)) == (0, 1)


def test_contacts_that_an_import_beside_the_undo_has_too_stay(store: Roll) -> None:
    rows = "nombre,correo\n" + "".join(f"P{n},p{n}@x.co\n" for n in range(1_200))
    first = store.import_text(rows).batch_id
    assert first is not None
    others: list[ImportReport] = []

    def meanwhile(done: int, total: int) -> None:
        if done and not others:
            others.append(store.import_text(rows))

    report = undo_batch(store.engine, first, "ana", utc_now, meanwhile)

    [second] = others
    assert (second.created, second.unchanged) == (500, 700)
    assert (report.removed, len(store.living())) == (500, 1_200)


def test_what_is_put_back_already_is_not_counted_as_kept(store: Roll) -> None:
    emails = [f"p{n}@x.co" for n in range(700)]
    store.import_text("correo,empresa\n" + "".join(f"{one},A\n" for one in emails))
    second = store.import_text("correo,empresa\n" + "".join(f"{one},B\n" for one in emails)).batch_id
    assert second is not None

    def dies(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undo_batch(store.engine, second, "ana", utc_now, dies)

    report = undo_batch(store.engine, second, "ana", utc_now)

    assert (report.restored, report.kept) == (200, ())
    assert store.rows("SELECT DISTINCT company FROM contacts") == [("A",)]


def test_a_consent_goes_back_to_when_and_where_it_was_given(store: Roll) -> None:
    store.import_text("nombre,correo,CONFIRM_TIME\nAna,a@example.org,2023-01-02\n")
    before = store.rows("SELECT * FROM consents")
    store.import_text("nombre,correo,email opt out\nAna,a@example.org,sí\n", source="events")
    assert store.rows("SELECT * FROM consents") != before

    _undo(store, 2)

    assert store.rows("SELECT * FROM consents") == before


def test_whoever_was_blocked_as_a_namesake_leaves_with_the_last_import_that_had_them(store: Roll) -> None:
    store.import_text("nombre,correo\nAna,p@example.org\n")
    store.import_text("nombre,correo,estado\nAna,p@example.org,bloqueado\n", duplicates="create")

    _undo(store, 1)
    _undo(store, 2)

    assert store.living() == []


def test_an_undo_that_was_cut_off_counts_what_is_left_when_it_goes_on(store: Roll) -> None:
    people = range(700)
    store.import_text("correo\n" + "".join(f"p{n}@example.org\n" for n in people))
    store.import_text(
        "correo,dado de baja,etiquetas,notas,Field: plan\n"
        + "".join(f"p{n}@example.org,sí,VIP,hola,oro\n" for n in people)
    )

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done:
            raise Stopped

    with pytest.raises(Stopped):
        undo_batch(store.engine, 2, "test", utc_now, stop)
    rest = undo_batch(store.engine, 2, "test", utc_now)

    assert (rest.restored, rest.kept) == (200, ())
    assert store.one("SELECT count(*) FROM contact_changes WHERE operation = 'undo'") == 700


def test_pairs_that_an_import_put_up_for_review_go_with_it(store: Roll) -> None:
    store.import_text("nombre,telefono,correo\nAna,3001112222,\nAna,,a@example.org\n")
    store.import_text("nombre,telefono,correo\nAna,3001112222,a@example.org\n")
    assert store.one("SELECT count(*) FROM candidate_pairs") == 1

    _undo(store, 2)

    assert store.one("SELECT count(*) FROM candidate_pairs") == 0


def test_a_phone_that_gave_way_and_came_back_is_still_a_key(store: Roll) -> None:
    store.import_text("nombre,telefono\nAna Pérez,3001112222\nLuis,3001112222\n")
    store.import_text("nombre,telefono\nLuis Gil,3001112222\nAna Pérez,3001114444 / 3001112222\n")

    _undo(store, 2)
    again = store.import_text("nombre,telefono\nAna Pérez,3001112222\n")

    assert again.created == 0
