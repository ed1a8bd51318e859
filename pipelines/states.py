"""States of agents: defining them, setting one's own, and the history."""

import re
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection

from pipelines.events import emit
from pipelines.versions import check_version
from schemas.errors import InputError
from schemas.operators import OFFLINE, WrongField, plain_name
from warehouse import audit, operators, states
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.operators import Operator
from warehouse.states import AgentState, NoSuchState, StateChange

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST = 60


class StateInUse(InputError):
    """Agents are in the state."""


def known_states(store: Store) -> list[AgentState]:
    with reading(store) as connection:
        return list(states.all_states(connection).values())


def changes_of(store: Store, operator_id: int, limit: int, before: int | None = None) -> list[StateChange]:
    """The states that an operator was in, the newest first."""
    with reading(store) as connection:
        operators.get_operator(connection, operator_id)
        return states.state_changes(connection, operator_id, limit, before)


def put_state(store: Store, state: AgentState, asked: Asked, *, version: str | None = None) -> AgentState:
    """Define a state, or say anew what it is, if its `version` still is that."""
    state = replace(state, en=plain_name("en", state.en), es=plain_name("es", state.es))
    _check(state)
    with transaction(store) as connection:
        operators.lock_operators(connection)
        before = states.all_states(connection).get(state.name)
        check_version(None if before is None else asdict(before), version, state.name)
        states.put_state(connection, state)
        action = "states:create" if before is None else "states:edit"
        was = None if before is None else asdict(before)
        audit.add_entry(connection, asked, action, f"state:{state.name}", was, asdict(state))
    return state


def _check(state: AgentState) -> None:
    if not _NAME.fullmatch(state.name):
        raise WrongField(
            "name",
            "invalid",
            "A state's name has small letters, digits and _, such as in_training.",
            "El nombre de un estado lleva minúsculas sin acento, dígitos y _, como en_curso.",
        )
    for language, text in (("en", state.en), ("es", state.es)):
        if not 0 < len(text) <= _LONGEST:
            raise WrongField(
                language,
                "length",
                f"What a state is called has 1 to {_LONGEST} characters.",
                f"Lo que se muestra de un estado tiene de 1 a {_LONGEST} caracteres.",
            )
    if state.name == OFFLINE and state.takes_conversations:
        raise WrongField(
            "takes_conversations",
            "offline",
            "Who is offline takes no conversations.",
            "Quien está desconectado no atiende conversaciones.",
        )


def drop_state(store: Store, name: str, asked: Asked) -> None:
    """Remove a state that nobody is in."""
    with transaction(store) as connection:
        operators.lock_operators(connection)
        before = states.all_states(connection).get(name)
        if before is None:
            raise NoSuchState(f"There is no state {name!r}.", f"No existe el estado {name!r}.")
        if name == OFFLINE:
            raise StateInUse(
                f"{OFFLINE!r} stays: every agent who is signed out is in it.",
                f"{OFFLINE!r} no se quita: en él está todo agente sin sesión.",
            )
        count = states.agents_in(connection, name)
        if count:
            raise StateInUse(
                f"{count} agents are in the state {name!r}. Let them set another one first.",
                f"{count} agentes están en el estado {name!r}. Que pongan antes otro.",
            )
        states.drop_state(connection, name)
        audit.add_entry(connection, asked, "states:delete", f"state:{name}", asdict(before))


def enter_state(connection: Connection, operator_id: int, state: str, asked: Asked) -> None:
    """Set an agent's state, and tell whoever wants to know."""
    states.set_state(connection, operator_id, state, asked.actor, asked.at)
    said = {"operator_id": operator_id, "state": state, "actor": asked.actor}
    emit(connection, "operator.state", said, asked.at)


def leave_state(connection: Connection, operator: Operator, asked: Asked) -> None:
    """An agent who is no longer there is offline."""
    if operator.agent_state != OFFLINE:
        enter_state(connection, operator.id, OFFLINE, asked)


def let_silent_be_offline(store: Store, now: datetime) -> int:
    """Agents of whom nothing was heard for too long are offline; how many."""
    with reading(store) as connection:
        silent = states.silent_agents(connection, OFFLINE, now)
    count = 0
    for number in silent:
        with transaction(store) as connection:
            operators.lock_operator(connection, number)
            if number in states.silent_agents(connection, OFFLINE, now, number):  # and not back by now
                enter_state(connection, number, OFFLINE, Asked("silence", now))
                count += 1
    return count


def set_agent_state(store: Store, operator_id: int, state: str, asked: Asked) -> Operator:
    """Set an agent's state; raises WrongField for a state that there is not, or an operator who is no agent."""
    with transaction(store) as connection:
        operators.lock_operators(connection)
        known = states.all_states(connection)
        if state not in known:
            listed = ", ".join(known)
            raise WrongField(
                "state",
                "unknown",
                f"There is no state {state!r}. Known: {listed}.",
                f"No existe el estado {state!r}. Hay: {listed}.",
            )
        if not operators.get_operator(connection, operator_id).is_agent:
            raise WrongField("state", "no_agent", "Only agents have a state.", "Solo los agentes tienen estado.")
        enter_state(connection, operator_id, state, asked)
        return operators.get_operator(connection, operator_id)
