"""Many processes race for few seats, round after round: exactly as many get one as there are, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest

from pipelines.access import Lasting, MayNotComeIn, NoSeatFree, SignInRefused, force_sign_out, sign_in
from pipelines.audit import broken_entry
from pipelines.licences import LicenceForm, create_licence
from pipelines.new_passwords import LinkUsed, make_reset_link, use_reset_link
from pipelines.operators import create_operator, edit_operator
from pipelines.passwords import Password
from pipelines.states import let_silent_be_offline, set_agent_state
from schemas.operators import OperatorForm
from tests.conftest import Roll
from tests.forks import FORKS
from warehouse.audit import Asked
from warehouse.store import open_store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PASSWORD = "tres gatos en un tejado"
OTHER = "cuatro gatos en un tejado"


def race(url: str, number: int, rounds: int, barrier: Barrier, results: Any) -> None:
    """One operator: sign in at each start, and tell whether a seat was had."""
    engine = open_store(url)
    for lap in range(rounds):
        barrier.wait(120)
        try:
            asked = Asked("race", NOW + timedelta(seconds=lap), f"10.0.0.{number}")
            sign_in(engine, f"a{number}@example.org", PASSWORD, asked, user_agent=None, lasting=Lasting())
            results.put((lap, number, True))
        except NoSeatFree:
            results.put((lap, number, False))
        barrier.wait(120)
    engine.dispose()


@pytest.mark.timeout(280)
@pytest.mark.parametrize(("many", "seats", "rounds"), [(6, 3, 2), pytest.param(32, 10, 20, marks=pytest.mark.slow)])
def test_exactly_as_many_as_there_are_seats_come_in_however_many_race(
    store: Roll, many: int, seats: int, rounds: int
) -> None:
    licence = create_licence(store.engine, LicenceForm("Agentes", seats=seats), Asked("test", NOW))
    for number in range(many):
        form = OperatorForm(f"a{number}@example.org", "Ana", f"Pérez {number}", True, licence.id, roles=("agent",))
        create_operator(store.engine, form, Password(PASSWORD, PASSWORD), Asked("test", NOW))
    barrier, results = FORKS.Barrier(many + 1), FORKS.Queue()
    url = store.engine.url.render_as_string(hide_password=False)
    racers = [FORKS.Process(target=race, args=(url, n, rounds, barrier, results), daemon=True) for n in range(many)]
    for racer in racers:
        racer.start()

    granted = []
    for lap in range(rounds):
        barrier.wait(120)
        barrier.wait(120)
        found = [results.get(timeout=60) for _ in range(many)]
        inside = [number for at, number, came_in in found if came_in and at == lap]
        granted.append((len(inside), store.one("SELECT count(*) FROM seats WHERE ended_at IS NULL")))
        for number in inside:
            force_sign_out(store.engine, number + 1, Asked("test", NOW + timedelta(seconds=lap)))
    for racer in racers:
        racer.join(60)

    assert granted == [(seats, seats)] * rounds


def test_who_changes_licence_while_signing_in_keeps_no_seat_of_the_old_one(store: Roll) -> None:
    asked = Asked("test", NOW)
    named = create_licence(store.engine, LicenceForm("Con nombre", holding="named", seats=2), asked)
    other = create_licence(store.engine, LicenceForm("Otra", seats=9), asked)
    for number in range(4):
        form = OperatorForm(f"a{number}@example.org", "Ana", "Pérez", True, named.id, roles=("agent",))
        create_operator(store.engine, form, Password(PASSWORD, PASSWORD), asked)

    def come_in(number: int, lap: int) -> None:
        mine = Asked("test", NOW + timedelta(seconds=lap), f"10.0.{lap}.{number}")
        with suppress(MayNotComeIn, SignInRefused):
            sign_in(store.engine, f"a{number}@example.org", PASSWORD, mine, user_agent=None, lasting=Lasting())

    def move(number: int, lap: int) -> None:
        licence = other.id if (number + lap) % 2 else named.id
        edit_operator(store.engine, number + 1, {"licence_id": licence}, asked)

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(act, number, lap) for lap in range(4) for number in range(4) for act in (come_in, move)]
        for item in work:
            item.result()

    astray = "SELECT count(*) FROM seats s JOIN operators o ON o.id = operator_id WHERE ended_at IS NULL"
    assert store.one(f"{astray} AND s.licence_id != o.licence_id") == 0
    assert store.one(f"{astray} AND s.licence_id = :named", named=named.id) <= 2
    doubled = "SELECT operator_id FROM seats WHERE ended_at IS NULL GROUP BY operator_id HAVING count(*) > 1"
    assert store.rows(doubled) == []


def test_who_is_silent_signs_out_changes_state_or_password_at_once_waits_for_the_others(store: Roll) -> None:
    """Whoever locks operators and their sessions in another order than the others ends in a deadlock here."""
    asked = Asked("test", NOW)
    licence = create_licence(store.engine, LicenceForm("Agentes", seats=9), asked)
    for number in range(4):
        form = OperatorForm(f"a{number}@example.org", "Ana", "Pérez", True, licence.id, roles=("agent",))
        create_operator(store.engine, form, Password(PASSWORD, PASSWORD), asked)

    def come_in(number: int) -> None:
        with suppress(MayNotComeIn, SignInRefused):
            email = f"a{number - 1}@example.org"
            sign_in(store.engine, email, PASSWORD, asked, user_agent=None, lasting=Lasting())

    def reset(number: int) -> None:
        with suppress(LinkUsed):
            use_reset_link(store.engine, make_reset_link(store.engine, number, asked), Password(OTHER, OTHER), asked)

    acts = (
        come_in,
        reset,
        lambda number: set_agent_state(store.engine, number, "online", asked),
        lambda number: force_sign_out(store.engine, number, asked),
        lambda _: let_silent_be_offline(store.engine, NOW + timedelta(days=1)),
    )
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(act, number) for _ in range(6) for number in (1, 2, 3, 4) for act in acts]
        for item in work:
            item.result()

    assert broken_entry(store.engine) is None
