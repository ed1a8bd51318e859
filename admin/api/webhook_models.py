"""What the API takes and gives of webhooks."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from admin.api.models import NO_NUL, Body, Name, among
from schemas.events import EVENTS
from warehouse.webhooks import Delivery, Webhook

Url = Annotated[str, Field(min_length=8, max_length=2_000, pattern=NO_NUL)]
Events = Annotated[
    list[Annotated[Name, among(*EVENTS), WithJsonSchema({"type": "string", "enum": list(EVENTS)})]],
    Field(min_length=1, max_length=len(EVENTS)),
]
Description = Annotated[str, Field(max_length=200, pattern=NO_NUL)]
DeliveryState = Literal["waiting", "sent", "dead"]


class WebhookBody(Body):
    """An address that is to be told of events."""

    url: Url
    events: Events
    description: Description = ""


class WebhookChanges(Body):
    """What is to change of a webhook; what is not named stays."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    is_active: bool | None = None


class WebhookModel(BaseModel):
    """An address that is told of events."""

    id: int
    url: str
    events: list[str]
    description: str
    is_active: bool
    disabled_because: str | None
    created_by: str
    created_at: datetime
    version: int

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookModel":
        said: dict[str, Any] = {name: getattr(webhook, name) for name in cls.model_fields}
        return cls(**{**said, "events": list(webhook.events)})


class NewWebhookModel(BaseModel):
    """A webhook and its secret (`whsec_…`), which is told this once."""

    secret: str
    webhook: WebhookModel


class SecretModel(BaseModel):
    """A secret (`whsec_…`), which is told this once."""

    secret: str


class DeliveryModel(BaseModel):
    """A telling: the body that was signed, how often it was tried, and what came back."""

    id: int
    event: str
    message_id: str
    body: str
    state: DeliveryState
    created_at: datetime
    attempts: int
    next_at: datetime | None
    sent_at: datetime | None
    status: int | None
    error: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryModel":
        return cls.model_validate({name: getattr(delivery, name) for name in cls.model_fields})


class ReplayModel(BaseModel):
    """How many deliveries are sent again."""

    deliveries: int
