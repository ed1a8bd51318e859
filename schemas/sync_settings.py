"""The settings of CRM sync."""

from pydantic import Field
from pydantic_settings import BaseSettings


class SyncSettings(BaseSettings):
    """How often connections are synced, and for how long what was said of it is kept."""

    sync_seconds: float = Field(
        300.0,
        ge=1,
        le=86_400,
        description="How often each CRM is asked for what changed; webhooks are taken at once.",
        json_schema_extra={"es": "Cada cuánto se pregunta a cada CRM qué cambió; los webhooks se toman en el acto."},
    )
    sync_timeout_seconds: float = Field(
        30.0,
        ge=1,
        le=600,
        description="How long a CRM may take to answer.",
        json_schema_extra={"es": "Cuánto puede tardar un CRM en responder."},
    )
    keep_sync_days: float = Field(
        30.0,
        ge=1,
        le=3_650,
        description="How long the outcomes of syncs are kept.",
        json_schema_extra={"es": "Cuánto se guardan los resultados de las sincronizaciones."},
    )
