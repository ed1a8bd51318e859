"""States of agents, such as online or away: which there are, who is in which, and who was when."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from schemas.errors import InputError
from warehouse import bulk
from warehouse.access_tables import agent_state_changes, agent_states, operator_sessions, operators


class NoSuchState(InputError):
    """There is no state of this name."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """A row of `agent_states`."""

    name: str
    en: str
    es: str
    takes_conversations: bool
    place: int


@dataclass(frozen=True, slots=True)
class StateChange:
    """A row of `agent_state_changes`."""

    id: int
    operator_id: int
    state: str
    at: datetime
    actor: str


def all_states(connection: Connection) -> dict[str, AgentState]:
    """Each state by its name, in the order in which they are shown."""
    c = agent_states.c
    query = select(*(c[name] for name in AgentState.__slots__)).order_by(c.place, c.name)
    return {row.name: AgentState(**row._mapping) for row in connection.execute(query)}


def put_state(connection: Connection, state: AgentState) -> None:
    """Make a state, or say anew what it is."""
    values = {name: getattr(state, name) for name in AgentState.__slots__}
    changed = update(agent_states).where(agent_states.c.name == state.name).values(**values)
    if not connection.execute(changed.returning(agent_states.c.name)).first():
        connection.execute(insert(agent_states).values(**values))


def drop_state(connection: Connection, name: str) -> None:
    connection.execute(delete(agent_states).where(agent_states.c.name == name))


def agents_in(connection: Connection, name: str) -> int:
    """How many operators are in this state."""
    return connection.execute(select(func.count()).where(operators.c.agent_state == name)).scalar_one()


def silent_agents(connection: Connection, offline: str, now: datetime, number: int | None = None) -> list[int]:
    """Operators in another state than this one, who have no session that stands; of one only, where it is named."""
    o, s = operators.c, operator_sessions.c
    stands = exists().where(s.operator_id == o.id, s.ended_at.is_(None), s.lease_until > now, s.absolute_until > now)
    query = select(o.id).where(o.agent_state != offline, ~stands)
    return list(connection.execute(query if number is None else query.where(o.id == number)).scalars())


def set_state(connection: Connection, number: int, state: str, actor: str, now: datetime) -> None:
    """Set an agent's state, and note it in the history."""
    values = {"agent_state": state, "agent_state_at": now}
    connection.execute(update(operators).where(operators.c.id == number).values(**values))
    change = bulk.take_ids(connection, "agent_state_changes", 1)
    row = {"id": change, "operator_id": number, "state": state, "at": now, "actor": actor}
    connection.execute(insert(agent_state_changes).values(**row))


def state_changes(connection: Connection, operator_id: int, limit: int, before: int | None = None) -> list[StateChange]:
    """An agent's states, the newest first; from those before a number on."""
    c = agent_state_changes.c
    query = select(*(c[name] for name in StateChange.__slots__)).where(c.operator_id == operator_id)
    if before is not None:
        query = query.where(c.id < before)
    return [StateChange(**row._mapping) for row in connection.execute(query.order_by(c.id.desc()).limit(limit))]
