"""The settings of backups: where, when, how long, and under which key."""

import base64
import binascii
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.spans import comes

_NO_CRON = (
    "use five fields of cron, such as 15 3 * * *, or nothing | use cinco campos de cron, como 15 3 * * *, o vacío"
)
_NO_KEEP = "use three whole numbers, such as 7 4 12 | use tres números enteros, como 7 4 12"
_NO_KEY = (
    "use 32 bytes in base64, several with commas, such as: openssl rand -base64 32 | "
    "use 32 bytes en base64, varias con comas, por ejemplo: openssl rand -base64 32"
)


def _schedule(default: str, english: str, spanish: str) -> Any:
    return Field(default, description=english, json_schema_extra={"es": spanish})


class BackupSettings(BaseSettings):
    """Part of `schemas.settings.Settings`."""

    model_config = SettingsConfigDict(env_prefix="PADRON_", frozen=True, extra="forbid")

    backup_url: str = Field(
        "",
        description="Where backups lie: a folder, s3://bucket/folder (?endpoint_override=host:9000&scheme=http for "
        "storage of one's own), or any fsspec URL; empty is the folder backups in the home folder.",
        json_schema_extra={
            "es": "Dónde se guardan las copias: una carpeta, s3://bucket/carpeta (?endpoint_override=host:9000&"
            "scheme=http para un almacén propio) o cualquier URL de fsspec; vacía es la carpeta backups de home."
        },
    )
    backup_schedule: str = _schedule(
        "15 3 * * *",
        "When backups are made (cron, in PADRON_TIME_ZONE); empty makes none by itself.",
        "Cuándo se hacen copias (cron, en PADRON_TIME_ZONE); vacío no hace ninguna por sí solo.",
    )
    backup_verify_schedule: str = _schedule(
        "45 4 * * 0",
        "When the newest backup is restored into a scratch database and compared (cron); empty never.",
        "Cuándo se restaura la última copia en una base de prueba y se compara (cron); vacío nunca.",
    )
    backup_keep: str = Field(
        "7 4 12",
        description="How many daily, weekly and monthly backups are kept.",
        json_schema_extra={"es": "Cuántas copias diarias, semanales y mensuales se conservan."},
    )
    backup_csv: bool = Field(
        False,
        description="Put the contacts into backups as CSV too.",
        json_schema_extra={"es": "Incluir los contactos en las copias también como CSV."},
    )
    backup_key: SecretStr = Field(
        SecretStr(""),
        description="Key that backups are encrypted with (32 bytes in base64; several with commas, the newest first); "
        "empty does not encrypt. Keep it where the backups are not.",
        json_schema_extra={
            "es": "Clave con que se cifran las copias (32 bytes en base64; varias con comas, la más nueva primero); "
            "vacía no cifra. Guárdela donde no estén las copias."
        },
    )
    scratch_url: str = Field(
        "",
        description="An empty database for trial restores (SQLAlchemy URL); empty is a SQLite file that is deleted.",
        json_schema_extra={
            "es": "Una base de datos vacía para restauraciones de prueba (URL de SQLAlchemy); vacía es un archivo "
            "SQLite que se borra."
        },
    )

    @field_validator("backup_schedule", "backup_verify_schedule")
    @classmethod
    def _cron(cls, value: str) -> str:
        if value and not comes(value):
            raise ValueError(_NO_CRON)
        return value

    @field_validator("backup_keep")
    @classmethod
    def _keep(cls, value: str) -> str:
        parts = value.split()
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
            raise ValueError(_NO_KEEP)
        return value

    @field_validator("backup_key")
    @classmethod
    def _backup_key(cls, value: SecretStr) -> SecretStr:
        try:
            as_backup_keys(value)
        except (ValueError, binascii.Error) as error:
            raise ValueError(_NO_KEY) from error
        return value


def as_backup_keys(value: SecretStr) -> tuple[bytes, ...]:
    """The keys of backups, the newest first; raises ValueError."""
    found = [
        base64.b64decode(part.strip(), b"-_" if {"-", "_"} & set(part) else None, validate=True)
        for part in value.get_secret_value().split(",")
        if part.strip()
    ]
    if any(len(key) != 32 for key in found):
        raise ValueError("not 32 bytes")
    return tuple(found)
