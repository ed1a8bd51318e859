"""Webhooks of CRMs: a call is checked on its raw body, kept, and answered; the next run goes through it."""

from connectors.crm_files import read_connector
from connectors.signatures import Call, is_genuine
from pipelines.connections import secrets_of
from pipelines.sync_calls import keep_call
from schemas.errors import InputError
from schemas.settings import Settings
from warehouse import connections
from warehouse.audit import Asked
from warehouse.connections import NoSuchConnection
from warehouse.engines import Store, reading


class NotGenuine(InputError):
    """A call does not prove that it comes from the CRM."""


def take_hook(store: Store, settings: Settings, name: str, call: Call, asked: Asked) -> int:
    """Keep a call, and give the connection's number; raises NoSuchConnection, and NotGenuine."""
    with reading(store) as connection:
        crm = next((one for one in connections.all_connections(connection) if one.name == name), None)
    webhook = read_connector(settings.home, crm.connector).webhook if crm else None
    if crm is None or webhook is None:  # who asks is nobody yet, and is not told what there is
        raise NoSuchConnection("Nobody takes calls here.", "Aquí no se reciben llamadas.")
    if not is_genuine(webhook.verify, secrets_of(settings, crm), call, asked.at.timestamp()):
        raise NotGenuine(
            "The call does not prove where it comes from: its signature or secret is missing or wrong.",
            "La llamada no demuestra de dónde viene: su firma o su secreto falta o no es correcto.",
        )
    keep_call(store, crm.id, call.body.decode("utf-8", "replace").replace("\x00", ""), asked)
    return crm.id
