"""What the API takes and gives of agents' states and conversations."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from admin.api.models import NO_NUL, Body, Many, whole
from pipelines.versions import version_of
from warehouse.states import AgentState, StateChange


class StateBody(Body):
    """The state that an agent sets."""

    state: Annotated[str, Field(min_length=1, max_length=40, pattern=NO_NUL)]


class AgentStateBody(Body):
    """What a state of agents is: its words, whether who is in it takes conversations, and its place in lists."""

    en: Annotated[str, Field(min_length=1, max_length=60, pattern=NO_NUL)]
    es: Annotated[str, Field(min_length=1, max_length=60, pattern=NO_NUL)]
    takes_conversations: bool = False
    place: Many = 100


class AgentStateModel(BaseModel):
    """A state that an agent may set."""

    name: str
    en: str
    es: str
    takes_conversations: bool
    place: int
    version: str

    @classmethod
    def of(cls, state: AgentState) -> "AgentStateModel":
        said = asdict(state)
        return cls(**said, version=version_of(said))


class StateChangeModel(BaseModel):
    """Since when an operator was in a state, and who set it."""

    state: str
    at: datetime
    actor: str

    @classmethod
    def of(cls, change: StateChange) -> "StateChangeModel":
        return cls.model_validate({name: getattr(change, name) for name in cls.model_fields})


class ConversationsBody(Body):
    """How many conversations an operator has open, as the chat platform counts."""

    open: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(whole)]
