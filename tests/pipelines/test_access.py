"""Signing in with a seat: who may, how long it lasts, and what frees it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from argon2 import PasswordHasher

from pipelines import access, new_passwords
from pipelines.access import (
    Lasting,
    MayNotComeIn,
    NoSeatFree,
    OpenConversations,
    SignedIn,
    SignInRefused,
    caller_of_session,
    force_sign_out,
    sign_in,
    sign_out,
)
from pipelines.audit import broken_entry
from pipelines.licences import LicenceForm, create_licence, daily_peaks, edit_licence, peaks, seat_views
from pipelines.new_passwords import WrongPassword, change_own_password, set_password
from pipelines.operators import LastAdministrator, NotYours, create_operator, edit_operator
from pipelines.passwords import Password, is_password
from pipelines.tokens import caller_of_token, create_token, revoke_token
from pipelines.tries import TooManyTries
from schemas.operators import OperatorForm, WrongField
from schemas.permissions import PERMISSIONS
from tests.conftest import Roll
from warehouse import operators
from warehouse.audit import Asked
from warehouse.engines import transaction
from warehouse.licences import Licence
from warehouse.operators import Operator, set_operator

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PASSWORD = "tres gatos en un tejado"
LASTING = Lasting(timedelta(minutes=15), timedelta(hours=12))


def asked(minutes: float = 0, address: str = "10.0.0.1") -> Asked:
    return Asked("test", NOW + timedelta(minutes=minutes), address)


def a_licence(store: Roll, seats: int = 2, **values: Any) -> Licence:
    return create_licence(store.engine, LicenceForm("Agentes", seats=seats, **values), asked())


def people(store: Roll, licence: Licence | None, count: int = 3, **values: Any) -> list[Operator]:
    number = licence.id if licence else None
    form = OperatorForm("", "Ana", "Pérez", True, number, roles=("agent",))
    forms = (replace(form, email=f"a{n}@example.org", first_name=f"Ana{n}", **values) for n in range(count))
    return [create_operator(store.engine, one, Password(PASSWORD, PASSWORD), asked()) for one in forms]


def come_in(store: Roll, email: str, minutes: float = 0, password: str = PASSWORD) -> SignedIn:
    return sign_in(store.engine, email, password, asked(minutes), user_agent="test", lasting=LASTING)


def test_as_many_come_in_as_there_are_seats_and_the_next_when_one_leaves(store: Roll) -> None:
    people(store, a_licence(store, 2))
    first = come_in(store, "a0@example.org")
    come_in(store, "A1@Example.org")

    with pytest.raises(NoSeatFree, match=r"All 2 seats of the licence 'Agentes' are taken.*about 15 min"):
        come_in(store, "a2@example.org")
    sign_out(store.engine, first.operator.id, first.session.id, asked(1))

    assert come_in(store, "a2@example.org", 1).operator.id == 3


def test_only_who_may_see_licences_is_told_who_has_the_seats(store: Roll) -> None:
    licence = a_licence(store, 1)
    people(store, licence, 2)
    people_who_see = replace(OperatorForm("eva@example.org", "Eva", "Gil", True, licence.id), roles=("supervisor",))
    create_operator(store.engine, people_who_see, Password(PASSWORD, PASSWORD), asked())
    come_in(store, "a0@example.org")

    with pytest.raises(NoSeatFree) as plain:
        come_in(store, "a1@example.org")
    with pytest.raises(NoSeatFree, match="Ana0 Pérez") as telling:
        come_in(store, "eva@example.org")

    assert "Ana0" not in str(plain.value) + plain.value.said("es")
    assert "Ana0 Pérez" in telling.value.said("es")


def test_signing_in_again_takes_ones_own_seat_back(store: Roll) -> None:
    people(store, a_licence(store, 1), 1)
    one, two = come_in(store, "a0@example.org"), come_in(store, "a0@example.org", 1)

    assert one.session.seat_id == two.session.seat_id
    sign_out(store.engine, 1, two.session.id, asked(2))
    assert caller_of_session(store.engine, one.secret, asked(3).at, LASTING) is not None
    assert seat_views(store.engine, asked(3).at)[0].free == 0
    sign_out(store.engine, 1, one.session.id, asked(4))
    assert seat_views(store.engine, asked(4).at)[0].free == 1


def test_silence_frees_the_seat_and_being_heard_of_keeps_it(store: Roll) -> None:
    people(store, a_licence(store, 1), 2)
    first = come_in(store, "a0@example.org")

    assert caller_of_session(store.engine, first.secret, asked(10).at, LASTING) is not None
    with pytest.raises(NoSeatFree):
        come_in(store, "a1@example.org", 24)
    second = come_in(store, "a1@example.org", 25)

    assert caller_of_session(store.engine, first.secret, asked(26).at, LASTING) is None
    assert caller_of_session(store.engine, second.secret, asked(26).at, LASTING) is not None
    assert store.rows("SELECT end_reason FROM seats ORDER BY id") == [("expired",), (None,)]


def test_a_session_ends_with_its_day_however_busy_it_is(store: Roll) -> None:
    people(store, a_licence(store, 1), 1)
    secret = come_in(store, "a0@example.org").secret

    heard = [caller_of_session(store.engine, secret, asked(10 * n).at, LASTING) is not None for n in range(1, 73)]

    assert heard == [True] * 71 + [False]


def test_fewer_seats_throw_nobody_out_and_refuse_the_next(store: Roll) -> None:
    licence = a_licence(store, 2)
    people(store, licence)
    secrets = [come_in(store, f"a{n}@example.org").secret for n in range(2)]

    edit_licence(store.engine, licence.id, {"seats": 1}, asked())

    assert all(caller_of_session(store.engine, secret, asked(1).at, LASTING) for secret in secrets)
    with pytest.raises(NoSeatFree):
        come_in(store, "a2@example.org", 1)
    assert come_in(store, "a0@example.org", 1).operator.id == 1


def test_a_named_seat_stays_with_its_operator(store: Roll) -> None:
    people(store, a_licence(store, 1, holding="named"), 2)
    first = come_in(store, "a0@example.org")
    sign_out(store.engine, 1, first.session.id, asked(1))

    with pytest.raises(NoSeatFree):
        come_in(store, "a1@example.org", 60 * 24 * 30)
    assert come_in(store, "a0@example.org", 60 * 24 * 30)
    edit_operator(store.engine, 1, {"is_active": False}, asked(60 * 24 * 31))
    assert come_in(store, "a1@example.org", 60 * 24 * 31)


def test_a_licence_counts_between_its_dates(store: Roll) -> None:
    people(store, a_licence(store, 1, valid_from=asked(10).at, valid_until=asked(20).at), 1)

    for minutes in (9, 20):
        with pytest.raises(MayNotComeIn, match="not valid now") as refused:
            come_in(store, "a0@example.org", minutes)
        assert refused.value.code == "licence_not_valid"
    assert come_in(store, "a0@example.org", 10)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"roles": ()}, "no_role", "no role yet.*Ask Jefa Gil <jefa@example.org>"),
        ({"is_active": False}, "inactive", "inactive.*Jefa Gil"),
        ({"licence_id": None}, "no_licence", "no licence.*Jefa Gil"),
    ],
)
def test_who_may_not_come_in_is_told_why_and_whom_to_ask(
    store: Roll, change: dict[str, Any], code: str, words: str
) -> None:
    boss = OperatorForm("jefa@example.org", "Jefa", "Gil", roles=("administrator",))
    create_operator(store.engine, boss, Password(PASSWORD, PASSWORD), asked())
    people(store, a_licence(store), 1)
    edit_operator(store.engine, 2, change, asked())

    with pytest.raises(MayNotComeIn, match=words) as refused:
        come_in(store, "a0@example.org")

    assert refused.value.code == code
    assert "jefa@example.org" in refused.value.said("es")


def test_a_wrong_email_and_a_wrong_password_sound_the_same(store: Roll) -> None:
    people(store, a_licence(store), 1)

    with pytest.raises(SignInRefused) as one:
        come_in(store, "nadie@example.org")
    with pytest.raises(SignInRefused) as two:
        come_in(store, "a0@example.org", password="otra")

    assert str(one.value) == str(two.value)


def test_wrong_passwords_make_the_next_try_wait_even_with_the_right_one(store: Roll) -> None:
    people(store, a_licence(store), 1)
    for n in range(5):
        with pytest.raises(SignInRefused):
            come_in(store, "a0@example.org", n / 60, "otra")

    with pytest.raises(TooManyTries) as waits:
        come_in(store, "a0@example.org", 4.5 / 60)
    assert waits.value.wait <= timedelta(seconds=1)
    assert come_in(store, "a0@example.org", 6 / 60)
    with pytest.raises(SignInRefused):
        come_in(store, "a0@example.org", 7 / 60, "otra")


def test_one_address_cannot_try_everybody(store: Roll) -> None:
    people(store, a_licence(store), 1)
    for n in range(50):
        with pytest.raises(SignInRefused):
            come_in(store, f"x{n}@example.org")

    with pytest.raises(TooManyTries):
        come_in(store, "a0@example.org")
    assert sign_in(store.engine, "a0@example.org", PASSWORD, asked(0, "10.0.0.2"), user_agent=None, lasting=LASTING)


def test_open_conversations_keep_who_may_not_leave_them(store: Roll) -> None:
    people(store, a_licence(store), 1)
    inside = come_in(store, "a0@example.org")
    with transaction(store.engine) as connection:
        set_operator(connection, 1, {"open_conversations": 3})

    with pytest.raises(OpenConversations, match="3 open"):
        sign_out(store.engine, 1, inside.session.id, asked(1))
    edit_operator(store.engine, 1, {"may_leave_open": True}, asked(1))
    sign_out(store.engine, 1, inside.session.id, asked(1))

    assert caller_of_session(store.engine, inside.secret, asked(2).at, LASTING) is None


def _deactivate(store: Roll) -> None:
    edit_operator(store.engine, 1, {"is_active": False}, asked(1))


def _force(store: Roll) -> None:
    force_sign_out(store.engine, 1, asked(1))


def _new_password(store: Roll) -> None:
    set_password(store.engine, 1, Password("cuatro perros sin collar", "cuatro perros sin collar"), asked(1))


def _other_licence(store: Roll) -> None:
    other = create_licence(store.engine, LicenceForm("Otra"), asked())
    edit_operator(store.engine, 1, {"licence_id": other.id}, asked(1))


@pytest.mark.parametrize("act", [_deactivate, _force, _new_password, _other_licence])
def test_what_ends_access_ends_every_session_and_frees_the_seat(store: Roll, act: Callable[[Roll], None]) -> None:
    people(store, a_licence(store, 1), 2)
    secrets = [come_in(store, "a0@example.org").secret for _ in range(2)]

    act(store)

    assert [caller_of_session(store.engine, secret, asked(1).at, LASTING) for secret in secrets] == [None, None]
    assert come_in(store, "a1@example.org", 1)


def test_changing_ones_own_password_ends_the_other_sessions(store: Roll) -> None:
    people(store, a_licence(store), 1)
    one, two = come_in(store, "a0@example.org"), come_in(store, "a0@example.org")

    new = Password("cuatro perros sin collar", "cuatro perros sin collar")
    change_own_password(store.engine, 1, PASSWORD, new, asked(1), keep=two.session.id)

    assert caller_of_session(store.engine, one.secret, asked(1).at, LASTING) is None
    assert caller_of_session(store.engine, two.secret, asked(1).at, LASTING) is not None


def test_what_an_operator_may_do_comes_from_all_roles_and_nothing_else(store: Roll) -> None:
    people(store, a_licence(store), 1, roles=("agent", "auditor"))
    secret = come_in(store, "a0@example.org").secret

    caller = caller_of_session(store.engine, secret, asked(1).at, LASTING)

    assert caller is not None
    assert "audit:read" in caller.permissions
    assert "operators:write" not in caller.permissions
    assert caller_of_session(store.engine, "session_nothing", asked(1).at, LASTING) is None
    assert secret not in str(store.rows("SELECT * FROM operator_sessions"))


def test_a_token_opens_what_it_says_until_it_ends(store: Roll) -> None:
    mine = replace(asked(), permissions=frozenset({"batches:read", "jobs:read"}))
    secret, token = create_token(store.engine, "ERP", ["batches:read"], asked(10).at, mine)

    caller = caller_of_token(store.engine, secret, asked(1).at)

    assert caller is not None and caller.permissions == {"batches:read"}
    assert caller_of_token(store.engine, secret, asked(10).at) is None
    assert caller_of_token(store.engine, secret + "x", asked(1).at) is None
    revoke_token(store.engine, token.id, asked(2))
    assert caller_of_token(store.engine, secret, asked(3).at) is None
    assert secret not in str(store.rows("SELECT * FROM api_tokens"))


@pytest.mark.parametrize(("permission", "code"), [("audit:read", "not_yours"), ("all:all", "unknown")])
def test_nobody_gives_a_token_what_they_do_not_have(roll: Roll, permission: str, code: str) -> None:
    with pytest.raises(WrongField) as refused:
        create_token(roll.engine, "ERP", [permission], None, replace(asked(), permissions=frozenset({"batches:read"})))

    assert refused.value.code == code


def test_the_day_of_an_invoice_shows_the_most_seats_taken_at_a_time(store: Roll) -> None:
    licence = a_licence(store, 3)
    people(store, licence)
    for n in range(3):
        inside = come_in(store, f"a{n}@example.org", n * 10)
        if n == 0:
            sign_out(store.engine, 1, inside.session.id, asked(5))

    day = date(2026, 11, 26)
    peaks = daily_peaks(store.engine, licence.id, date(2026, 11, 25), date(2026, 11, 27), asked(30).at)

    assert peaks == {date(2026, 11, 25): 0, day: 2, date(2026, 11, 27): 0}


def test_a_peak_does_not_count_who_left_as_another_came() -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 11, 26, hour, tzinfo=UTC)

    assert peaks([(at(1), at(2)), (at(2), at(3)), (at(3), at(3))], [at(0), at(23)]) == [1]
    assert peaks([(at(1), at(5)), (at(2), at(3)), (at(4), at(9))], [at(0), at(23)]) == [2]
    assert peaks([(at(1), at(5))], [at(5), at(9)]) == [0]
    assert peaks([(at(1), at(5)), (at(5), at(6)), (at(4), at(5))], [at(2), at(5), at(6), at(7)]) == [2, 1, 0]


def test_a_changed_or_missing_entry_of_the_audit_is_found(store: Roll) -> None:
    people(store, a_licence(store), 3)
    assert broken_entry(store.engine) is None

    with transaction(store.engine) as connection:
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE id = 3")
    assert broken_entry(store.engine) == 3
    with transaction(store.engine) as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE id >= 3")
    assert broken_entry(store.engine) == 3


def test_every_permission_has_a_noun_a_verb_and_two_sentences() -> None:
    for name, (english, spanish) in PERMISSIONS.items():
        assert len(name.split(":")) == 2
        assert english != spanish


def test_a_password_that_is_changed_while_somebody_signs_in_with_the_old_one_ends_that_session(
    store: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(store, a_licence(store), 1)
    new = Password("cuatro perros sin collar", "cuatro perros sin collar")
    other = Thread(target=lambda: set_password(store.engine, 1, new, asked(1)))
    checked = access._check_may_come_in

    def changed_meanwhile(*args: Any) -> frozenset[str]:
        may = checked(*args)
        other.start()
        other.join(0.3)  # it has to wait, as the sign-in is not over
        return may

    monkeypatch.setattr(access, "_check_may_come_in", changed_meanwhile)  # nothing else stands between the two
    secret = come_in(store, "a0@example.org").secret
    other.join()

    assert caller_of_session(store.engine, secret, asked(1).at, LASTING) is None


def test_who_is_put_out_while_signing_in_again_has_neither_session_nor_seat(
    store: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(store, a_licence(store, seats=1), 2)
    come_in(store, "a0@example.org")
    other = Thread(target=lambda: force_sign_out(store.engine, 1, asked(1)))
    claimed = access._claim

    def put_out_meanwhile(*args: Any, **rest: Any) -> int:
        seat = claimed(*args, **rest)
        other.start()
        other.join(0.3)  # likewise
        return seat

    monkeypatch.setattr(access, "_claim", put_out_meanwhile)  # likewise
    secret = come_in(store, "a0@example.org").secret
    other.join()
    monkeypatch.undo()

    assert caller_of_session(store.engine, secret, asked(1).at, LASTING) is None
    assert come_in(store, "a1@example.org")


def test_an_own_change_of_password_does_not_pass_an_administrators_by(
    store: Roll, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(store, a_licence(store), 1)
    mine = come_in(store, "a0@example.org").session.id
    given = Password("tres patos en un estanque", "tres patos en un estanque", is_temporary=True)
    hashed = new_passwords.hashed_password

    def given_meanwhile(*args: Any) -> str:
        monkeypatch.undo()
        set_password(store.engine, 1, given, asked(1))
        return hashed(*args)

    monkeypatch.setattr(new_passwords, "hashed_password", given_meanwhile)  # between the old password and the new one
    new = Password("cuatro perros sin collar", "cuatro perros sin collar")
    with pytest.raises(WrongPassword, match="just now"):
        change_own_password(store.engine, 1, PASSWORD, new, asked(1), keep=mine)

    assert come_in(store, "a0@example.org", password=given.password).operator.must_change_password


@pytest.mark.real_passwords
def test_a_password_that_was_kept_in_an_older_way_is_kept_anew(store: Roll) -> None:
    people(store, a_licence(store), 1)
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with transaction(store.engine) as connection:
        operators.keep_hash(connection, 1, older)

    secret = come_in(store, "a0@example.org").secret

    kept = store.one("SELECT password_hash FROM operators")
    assert "m=19456,t=2" in kept
    assert is_password(PASSWORD, kept)
    assert caller_of_session(store.engine, secret, asked(1).at, LASTING) is not None


def test_a_token_outlives_neither_the_one_it_was_made_with_nor_its_end(store: Roll) -> None:
    _, first = create_token(store.engine, "ERP", ["batches:read", "tokens:write"], asked(10).at, asked())
    machine = replace(asked(), actor=f"token:{first.id}", permissions=frozenset(first.permissions))

    for until in (None, asked(11).at):
        with pytest.raises(WrongField, match="no longer"):
            create_token(store.engine, "child", ["batches:read"], until, machine)
    secret, child = create_token(store.engine, "child", ["tokens:write"], asked(10).at, machine)
    below = replace(machine, actor=f"token:{child.id}", permissions=frozenset(child.permissions))
    last, _ = create_token(store.engine, "grandchild", ["tokens:write"], asked(9).at, below)
    revoke_token(store.engine, first.id, asked(1))

    assert [caller_of_token(store.engine, one, asked(2).at) for one in (secret, last)] == [None, None]


def test_nobody_puts_out_or_revokes_what_may_do_more_than_they(store: Roll) -> None:
    people(store, a_licence(store), 1, roles=("administrator",))
    come_in(store, "a0@example.org")
    _, token = create_token(store.engine, "ERP", ["operators:write"], None, asked())
    weak = replace(asked(), permissions=frozenset({"operators:sign_out", "tokens:write"}))

    with pytest.raises(NotYours):
        force_sign_out(store.engine, 1, weak)
    with pytest.raises(WrongField, match="operators:write"):
        revoke_token(store.engine, token.id, weak)


def test_nobody_is_kept_out_by_guesses_from_elsewhere(store: Roll) -> None:
    people(store, a_licence(store), 1)
    for n in range(30):
        with suppress(SignInRefused, TooManyTries):
            sign_in(
                store.engine,
                "a0@example.org",
                "otra",
                asked(n / 6, "10.6.6.6"),
                user_agent=None,
                lasting=LASTING,
            )

    assert come_in(store, "a0@example.org", 5)


def test_guesses_from_everywhere_wait_and_who_came_in_from_there_before_does_not(store: Roll) -> None:
    people(store, a_licence(store), 1)
    come_in(store, "a0@example.org")
    for n in range(60):
        with suppress(SignInRefused, TooManyTries):
            sign_in(store.engine, "a0@example.org", "otra", asked(1, f"10.6.6.{n}"), user_agent=None, lasting=LASTING)

    with pytest.raises(TooManyTries):
        sign_in(store.engine, "a0@example.org", PASSWORD, asked(2, "10.7.7.7"), user_agent=None, lasting=LASTING)
    assert come_in(store, "a0@example.org", 2)


def test_addresses_of_one_network_guess_together(store: Roll) -> None:
    people(store, a_licence(store), 1)
    for n in range(5):
        with pytest.raises(SignInRefused):
            sign_in(
                store.engine, "a0@example.org", "otra", asked(0, f"2001:db8::{n}"), user_agent=None, lasting=LASTING
            )

    with pytest.raises(TooManyTries):
        sign_in(store.engine, "a0@example.org", "otra", asked(0, "2001:db8::ff"), user_agent=None, lasting=LASTING)


def test_a_licence_that_ended_frees_the_seats_at_once(store: Roll) -> None:
    licence = a_licence(store, 1, valid_until=asked(5).at)
    people(store, licence, 1)
    inside = come_in(store, "a0@example.org")

    assert caller_of_session(store.engine, inside.secret, asked(6).at, LASTING) is None
    assert seat_views(store.engine, asked(6).at)[0].holders == ()


def test_an_edit_that_would_keep_every_administrator_out_is_refused(store: Roll) -> None:
    licence = a_licence(store)
    people(store, licence, 1, roles=("administrator",))

    for changes in ({"seats": 0}, {"valid_until": asked(-1).at}):
        with pytest.raises(LastAdministrator):
            edit_licence(store.engine, licence.id, changes, asked())
