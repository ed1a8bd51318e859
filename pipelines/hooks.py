"""Webhooks of CRMs: calls are checked on their raw bodies, kept, and answered; the next run goes through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.crm_files import read_connector
from connectors.signatures import Call, is_genuine
from pipelines.connections import secrets_of
from pipelines.sync_calls import keep_calls
from schemas.errors import InputError
from schemas.settings import Settings
from warehouse import connections
from warehouse.connections import CrmConnection, NoSuchConnection
from warehouse.engines import Store, transaction


class NotGenuine(InputError):
    """A call does not prove that it comes from the CRM."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A call of the connection with this name."""

    name: str
    call: Call
    at: datetime


def take_hooks(store: Store, settings: Settings, hooks: Sequence[Hook]) -> list[InputError | None]:
    """Keep calls, all in one transaction; for each that is not kept a NoSuchConnection or NotGenuine."""
    with transaction(store) as connection:
        known = {one.name: one for one in connections.all_connections(connection)}
        wrong = [_wrong(settings, known.get(hook.name), hook) for hook in hooks]
        kept = [
            (known[hook.name].id, hook.call.body.decode("utf-8", "replace").replace("\x00", ""), hook.at)
            for hook, error in zip(hooks, wrong, strict=True)
            if error is None
        ]
        if kept:
            keep_calls(connection, kept)
    return wrong


def _wrong(settings: Settings, crm: CrmConnection | None, hook: Hook) -> InputError | None:
    webhook = read_connector(settings.home, crm.connector).webhook if crm else None
    if crm is None or webhook is None:  # who asks is nobody yet, and is not told what there is
        return NoSuchConnection("Nobody takes calls here.", "Aquí no se reciben llamadas.")
    if is_genuine(webhook.verify, secrets_of(settings, crm), hook.call, hook.at.timestamp()):
        return None
    return NotGenuine(
        "The call does not prove where it comes from: its signature or secret is missing or wrong.",
        "La llamada no demuestra de dónde viene: su firma o su secreto falta o no es correcto.",
    )
