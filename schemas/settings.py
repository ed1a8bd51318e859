"""The settings, each from an environment variable `PADRON_<NAME>`; wrong ones are refused at start."""

import difflib
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

import phonenumbers
from cryptography.fernet import Fernet
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.backup_settings import BackupSettings
from schemas.errors import SetupError
from schemas.sync_settings import SyncSettings
from schemas.urls import hide_password, with_driver

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_OF_COMPOSE = {"PADRON_UID", "PADRON_GID"}
"""What only the compose file reads."""
_START = "start it with {0} or {1} | debe empezar por {0} o {1}"
_NO_KEY = (
    "make one with python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())' | "
    "cree una con python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
)
_NO_NETWORK = "use networks such as 10.2.0.0/16,127.0.0.1 | use redes como 10.2.0.0/16,127.0.0.1"
_MENDS = {
    "literal_error": ("use one of {expected}", "use uno de {expected}"),
    "int_parsing": ("use a whole number", "use un número entero"),
    "float_parsing": ("use a number", "use un número"),
    "greater_than": ("use more than {gt:g}", "use más de {gt:g}"),
    "greater_than_equal": ("use {ge:g} or more", "use {ge:g} o más"),
    "less_than_equal": ("use {le:g} or less", "use {le:g} o menos"),
}
"""How to mend what pydantic finds, in English and in Spanish; Padrón's own checks say both themselves."""


class Settings(BackupSettings, SyncSettings):
    """Everything that differs between installations."""

    model_config = SettingsConfigDict(env_prefix="PADRON_", frozen=True, extra="forbid")

    home: Path = Field(
        Path("padron-data"),
        description="Folder for the database, drop folders, profiles and reports.",
        json_schema_extra={"es": "Carpeta de la base de datos, las carpetas de entrada, los perfiles y los informes."},
    )
    database_url: str = Field(
        "",
        description="SQLAlchemy URL; empty means SQLite in the home folder.",
        json_schema_extra={"es": "URL de SQLAlchemy; vacía es SQLite en la carpeta home."},
    )
    broker_url: str = Field(
        "memory://",
        description="Celery broker: memory:// (one process) or redis://host:port/0.",
        json_schema_extra={"es": "Mensajería de Celery: memory:// (un proceso) o redis://host:puerto/0."},
    )
    language: Literal["es", "en"] = Field(
        "en",
        description="Language of messages and reports.",
        json_schema_extra={"es": "Idioma de los mensajes y los informes."},
    )
    default_country: str = Field(
        "",
        description="Country for phones without prefix, such as CO; profiles override.",
        json_schema_extra={"es": "País de los teléfonos sin prefijo, como CO; los perfiles mandan."},
    )
    time_zone: str = Field(
        "UTC",
        description="Zone of dates in files that name none, and of times shown.",
        json_schema_extra={"es": "Zona de las fechas en archivos que no dicen ninguna, y de las horas mostradas."},
    )
    settle_seconds: float = Field(
        1.0,
        ge=0,
        le=3600,
        description="How long a file's size must rest before it is taken.",
        json_schema_extra={"es": "Cuánto debe estar quieto el tamaño de un archivo antes de tomarlo."},
    )
    scan_seconds: float = Field(
        2.0,
        gt=0,
        le=3600,
        description="How often drop folders are looked through.",
        json_schema_extra={"es": "Cada cuánto se miran las carpetas de entrada."},
    )
    sweep_seconds: float = Field(
        5.0,
        gt=0,
        le=3600,
        description="How often unfinished work is looked for.",
        json_schema_extra={"es": "Cada cuánto se busca trabajo sin terminar."},
    )
    lease_seconds: float = Field(
        60.0,
        ge=2,
        le=86400,
        description="How long a silent worker keeps its claim.",
        json_schema_extra={"es": "Cuánto conserva su trabajo un proceso que calla."},
    )
    worker_threads: int = Field(
        2,
        ge=1,
        le=64,
        description="Imports that run at once in one worker.",
        json_schema_extra={"es": "Importaciones a la vez en un proceso."},
    )
    max_attempts: int = Field(
        5,
        ge=1,
        le=1000,
        description="Claims without progress before a file is given up.",
        json_schema_extra={"es": "Intentos sin avance antes de abandonar un archivo."},
    )
    max_file_bytes: int = Field(
        20_000_000_000,
        ge=1,
        description="Largest file taken, unpacked.",
        json_schema_extra={"es": "El mayor archivo que se toma, ya descomprimido."},
    )
    excel_memory_bytes: int = Field(
        1_500_000_000,
        ge=100_000_000,
        description="Memory a workbook's reader may use.",
        json_schema_extra={"es": "Memoria que puede usar el lector de un libro."},
    )
    excel_seconds: int = Field(
        120,
        ge=1,
        description="Time a workbook's reader may take.",
        json_schema_extra={"es": "Tiempo que puede tardar el lector de un libro."},
    )

    admin_host: str = Field(
        "127.0.0.1",
        description="Address at which the admin endpoint listens.",
        json_schema_extra={"es": "Dirección en la que escucha el servicio de administración."},
    )
    admin_port: int = Field(
        8370,
        ge=0,
        le=65535,
        description="Port of the admin endpoint; 0 takes any free one.",
        json_schema_extra={"es": "Puerto del servicio de administración; 0 toma uno libre."},
    )
    proxies: str = Field(
        "",
        description="Addresses or networks of the proxies before the admin endpoint, such as 10.2.0.5; only they are "
        "believed about who calls (X-Forwarded-For).",
        json_schema_extra={
            "es": "Direcciones o redes de los proxies delante del servicio de administración, como 10.2.0.5; solo a "
            "ellos se les cree quién llama (X-Forwarded-For)."
        },
    )
    public_url: str = Field(
        "",
        description="How people reach the admin endpoint, such as https://padron.example.com; links in mails begin "
        "with it.",
        json_schema_extra={
            "es": "Cómo se llega al servicio de administración, como https://padron.example.com; así empiezan los "
            "enlaces de los correos."
        },
    )
    smtp_url: str = Field(
        "",
        description="Mail server: smtp://user:password@host:587 or smtps://…; empty sends no mail.",
        json_schema_extra={"es": "Servidor de correo: smtp://usuario:clave@host:587 o smtps://…; vacío no envía."},
    )
    mail_from: str = Field(
        "padron@localhost",
        description="Sender of mails.",
        json_schema_extra={"es": "Remitente de los correos."},
    )
    max_upload_bytes: int = Field(
        1_000_000_000,
        ge=1,
        description="Largest file taken over HTTP.",
        json_schema_extra={"es": "El mayor archivo que se toma por HTTP."},
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key that secrets in the store are encrypted with (Fernet; several with commas, the newest first); "
        "empty means the file secret.key in the home folder, made when first needed.",
        json_schema_extra={
            "es": "Clave con que se cifran los secretos de la base de datos (Fernet; varias con comas, la más nueva "
            "primero); vacía es el archivo secret.key de la carpeta home, que se crea cuando hace falta."
        },
    )
    webhook_networks: str = Field(
        "",
        description="Private networks in which webhooks and CRMs may be called, as 10.2.0.0/16; others are refused.",
        json_schema_extra={
            "es": "Redes privadas en las que se puede llamar a webhooks y CRM, como 10.2.0.0/16; a otras no."
        },
    )
    webhook_ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) that webhooks trust instead of the public ones, for receivers of your own.",
        json_schema_extra={
            "es": "Certificados (PEM) en que confían los webhooks en vez de los públicos, para servidores propios."
        },
    )
    deliver_seconds: float = Field(
        2.0,
        gt=0,
        le=600,
        description="How often webhooks are told what is due.",
        json_schema_extra={"es": "Cada cuánto se envía a los webhooks lo que toca."},
    )
    upload_days: float = Field(
        7.0,
        gt=0,
        le=3650,
        description="How long a file that was sent over HTTP waits to be confirmed.",
        json_schema_extra={"es": "Cuánto espera un archivo enviado por HTTP a que lo confirmen."},
    )
    keep_interactions_days: float = Field(
        0.0,
        ge=0,
        le=36_500,
        description="How long interactions are kept; 0 keeps them. Counters stay; filters look at what is kept.",
        json_schema_extra={
            "es": "Cuánto se guardan las interacciones; 0 las guarda siempre. Los contadores quedan; los filtros miran "
            "lo guardado."
        },
    )
    keep_files_days: float = Field(
        0.0,
        ge=0,
        le=36_500,
        description="How long imported files and their reports are kept; 0 keeps them.",
        json_schema_extra={"es": "Cuánto se guardan los archivos importados y sus informes; 0 los guarda siempre."},
    )
    keep_inactive_days: float = Field(
        0.0,
        ge=0,
        le=36_500,
        description="How long contacts are kept with whom nothing happens and whom nobody changes; 0 keeps them. "
        "Their opt-outs stay.",
        json_schema_extra={
            "es": "Cuánto se guardan contactos con los que no pasa nada y que nadie cambia; 0 los guarda siempre. Sus "
            "bajas quedan."
        },
    )
    session_idle_minutes: float = Field(
        15.0,
        gt=0,
        le=1440,
        description="How long a seat stays taken when nothing is heard of its operator.",
        json_schema_extra={"es": "Cuánto sigue ocupado un puesto si su operador no da señales."},
    )
    session_hours: float = Field(
        12.0,
        gt=0,
        le=720,
        description="How long a session lasts at most.",
        json_schema_extra={"es": "Cuánto dura una sesión como máximo."},
    )

    @field_validator("default_country")
    @classmethod
    def _country(cls, value: str) -> str:
        if value and value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("use two capital letters such as CO, MX or ES | use dos mayúsculas, como CO, MX o ES")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("use a name such as America/Bogota | use un nombre como America/Bogota")
        return value

    @field_validator("database_url", "scratch_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://", "postgresql://")):
            raise ValueError(_START.format("sqlite:///", "postgresql://"))
        return with_driver(value)

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        if not value.startswith(("memory://", "redis://", "rediss://", "unix://")):
            raise ValueError(_START.format("memory://", "redis://"))
        return value

    @field_validator("smtp_url", "public_url")
    @classmethod
    def _url(cls, value: str, info: ValidationInfo) -> str:
        starts = ("smtp://", "smtps://") if info.field_name == "smtp_url" else ("https://", "http://")
        if value and not value.startswith(starts):
            raise ValueError(_START.format(*starts))
        return value.rstrip("/")

    @field_validator("secret_key")
    @classmethod
    def _secret_key(cls, value: SecretStr) -> SecretStr:
        try:
            for key in filter(None, value.get_secret_value().split(",")):
                Fernet(key.strip())
        except ValueError as error:
            raise ValueError(_NO_KEY) from error
        return value

    @field_validator("webhook_networks", "proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            _as_networks(value)
        except ValueError as error:
            raise ValueError(_NO_NETWORK) from error
        return value

    @property
    def address(self) -> str:
        """What links to the admin endpoint begin with."""
        return self.public_url or f"http://{self.admin_host}:{self.admin_port}"

    @property
    def allowed_networks(self) -> list[Network]:
        """The private networks that webhooks may call."""
        return _as_networks(self.webhook_networks)

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home.absolute() / 'padron.db'}"


def _as_networks(text: str) -> list[Network]:
    return [ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def describe(item: FieldInfo, language: str) -> str:
    """What a setting is, in this language."""
    extra = item.json_schema_extra
    return str(extra["es"]) if language == "es" and isinstance(extra, dict) else item.description or ""


def read_settings() -> Settings:
    """The settings of this process; raises SetupError naming each wrong one and its mend."""
    _refuse_unknown(name for name in os.environ if name.startswith("PADRON_"))
    try:
        return Settings()
    except ValidationError as error:
        english, spanish = ("; ".join(_said(item, language) for item in error.errors()) for language in (0, 1))
        raise SetupError(
            f"Wrong settings: {english}. See docs/reference/settings.md.",
            f"Ajustes equivocados: {spanish}. Vea docs/reference/settings.md.",
        ) from error


def _refuse_unknown(names: Iterable[str]) -> None:
    """A mistyped name would leave its setting at the default, silently."""
    known = {f"PADRON_{name.upper()}" for name in Settings.model_fields}
    for name in sorted(set(names) - known - _OF_COMPOSE):
        near = difflib.get_close_matches(name, known, 1)
        english, spanish = (f" Did you mean {near[0]}?", f" ¿Quiso decir {near[0]}?") if near else ("", "")
        raise SetupError(
            f"There is no setting {name}.{english} See docs/reference/settings.md.",
            f"No existe el ajuste {name}.{spanish} Vea docs/reference/settings.md.",
        )


def asked_language() -> str | None:
    """The language that was asked for, also where the settings cannot be read."""
    return _Language().language


class _Language(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="PADRON_", extra="ignore")

    language: str | None = None


def _said(item: ErrorDetails, language: int) -> str:
    """One wrong setting, with what it may be, in English (0) or Spanish (1)."""
    mend = item["msg"].removeprefix("Value error, ")
    words = _MENDS.get(item["type"])
    context = {
        key: str(value).replace(" or ", ", ") if key == "expected" else value
        for key, value in item.get("ctx", {}).items()
    }
    mend = words[language].format(**context) if words else mend.split(" | ")[min(language, mend.count("|"))]
    is_secret = item["loc"] in (("secret_key",), ("backup_key",))
    value = "…" if is_secret else hide_password(repr(item["input"]))
    return f"PADRON_{'_'.join(map(str, item['loc'])).upper()} = {value}: {mend}"
