"""Connections to CRMs: made, checked, mapped, paused, and removed. Credentials go in encrypted and never come out."""

import ipaddress
import json
import re
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine

from connectors.crm_files import read_connector
from connectors.limits import shared
from connectors.outward import Reach
from connectors.rest import RestCrm
from connectors.rest_calls import Api
from pipelines.conformance import Proof
from pipelines.mappings import check_against, merging_of, propose_mapping
from pipelines.secrets import decrypt, encrypt
from pipelines.sync import CrmOf, NotReady, require_ready
from pipelines.versions import require_version, version_of
from schemas.connectors import Connector
from schemas.crm import RemoteField
from schemas.mappings import Mapping, read_mapping
from schemas.operators import WrongField
from schemas.settings import Settings
from warehouse import audit, connections, links, roll
from warehouse.audit import Asked
from warehouse.connections import ACTIVE, FAILED, NEW, PAUSED, CrmConnection, MappingVersion
from warehouse.engines import Store, reading, transaction

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """What is set of a connection; of what is not named nothing changes."""

    config: Map[str, str] = field(default_factory=dict)
    secrets: Map[str, str] = field(default_factory=dict)


def create_connection(
    store: Store, settings: Settings, name: str, connector: str, form: ConnectionForm, asked: Asked
) -> CrmConnection:
    """A new connection; raises WrongField, and WrongConnector for a connector that there is not."""
    if not _NAME.fullmatch(name):
        raise WrongField(
            "name",
            "invalid",
            "A name has small letters, digits and hyphens, such as sales-crm.",
            "Un nombre lleva minúsculas, cifras y guiones, como crm-ventas.",
        )
    _check_form(read_connector(settings.home, connector), form)
    values = {
        "name": name,
        "connector": connector,
        "config": dict(form.config),
        "secrets": _sealed(settings, form.secrets),
        "state": NEW,
        "created_by": asked.actor,
        "created_at": asked.at,
    }
    with transaction(store) as connection:
        made = connections.add_connection(connection, values)
        audit.add_entry(connection, asked, "connections:create", f"connection:{made.id}", None, told(made))
    return made


def _check_form(connector: Connector, form: ConnectionForm) -> None:
    for kind, given, known in (
        ("config", form.config, {*connector.config, *_named(connector, "config")}),
        ("secrets", form.secrets, {*connector.secrets, *_named(connector, "secret"), *_HOOKS, *_OAUTH}),
    ):
        unknown = sorted(set(given) - known)
        if unknown:
            listed = ", ".join(sorted(known)) or "-"
            raise WrongField(
                kind,
                "unknown",
                f"{connector.title} has no {unknown[0]!r}. It has: {listed}.",
                f"{connector.title} no tiene {unknown[0]!r}. Tiene: {listed}.",
            )


_HOOKS = ("hook", "hook_user", "hook_password")
_OAUTH = ("access_token", "refresh_token", "expires_at", "client_id", "client_secret")


def _named(connector: Connector, kind: str) -> set[str]:
    return set(re.findall(rf"\{{{kind}\.([A-Za-z0-9_]+)", connector.model_dump_json()))


def _sealed(settings: Settings, secrets: Map[str, Any]) -> str | None:
    return encrypt(settings, json.dumps(dict(secrets))) if secrets else None


def secrets_of(settings: Settings, crm: CrmConnection) -> dict[str, Any]:
    """The credentials of a connection; raises WrongKey."""
    return dict(json.loads(decrypt(settings, crm.secrets))) if crm.secrets else {}


def told(crm: CrmConnection) -> dict[str, Any]:
    """What may be said of a connection: of secrets not even which there are."""
    return {"name": crm.name, "connector": crm.connector, "config": dict(crm.config), "state": crm.state}


def edit_connection(
    store: Store, settings: Settings, name: str, form: ConnectionForm, asked: Asked, version: int | None = None
) -> CrmConnection:
    """Change what is named; one that failed is tried again."""
    with transaction(store) as connection:
        crm = connections.find_connection(connection, name)
        require_version(version in (None, crm.version), f"connection {name}", f"la conexión {name}")
        _check_form(read_connector(settings.home, crm.connector), form)
        values: dict[str, Any] = {"config": {**crm.config, **form.config}, "failures": 0, "next_at": None}
        if values["config"] != crm.config and crm.applied_mapping:  # it may be another account: what would be done?
            values |= {"applied_mapping": None, "state": NEW, "read_until": None, "page": None}
        if form.secrets:
            values["secrets"] = _sealed(settings, {**secrets_of(settings, crm), **form.secrets})
        if crm.state == FAILED:
            values |= {"state": ACTIVE if crm.applied_mapping else NEW, "message_en": None, "message_es": None}
        connections.edit_connection(connection, crm.id, values)
        after = connections.get_connection(connection, crm.id)
        audit.add_entry(connection, asked, "connections:edit", f"connection:{crm.id}", told(crm), told(after))
    return after


def find_connections(store: Store) -> list[CrmConnection]:
    with reading(store) as connection:
        return connections.all_connections(connection)


def find_connection(store: Store, name: str) -> CrmConnection:
    """Raises NoSuchConnection."""
    with reading(store) as connection:
        return connections.find_connection(connection, name)


def drop_connection(store: Store, name: str, asked: Asked) -> None:
    """Remove a connection; contacts and records stay as they are."""
    with transaction(store) as connection:
        crm = connections.find_connection(connection, name)
        connections.drop_connection(connection, crm.id)
        audit.add_entry(connection, asked, "connections:delete", f"connection:{crm.id}", told(crm))


def pause(store: Store, name: str, asked: Asked) -> None:
    """Let no run begin until it is resumed."""
    _set_state(store, name, PAUSED, "sync:pause", asked)


def resume(store: Store, name: str, asked: Asked) -> None:
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
    _set_state(store, name, ACTIVE if crm.applied_mapping else NEW, "sync:resume", asked)


def _set_state(store: Store, name: str, state: str, action: str, asked: Asked) -> None:
    with transaction(store) as connection:
        crm = connections.find_connection(connection, name)
        connections.edit_connection(connection, crm.id, {"state": state, "next_at": None, "failures": 0})
        audit.add_entry(connection, asked, action, f"connection:{crm.id}", {"state": crm.state}, {"state": state})


def approve(store: Store, name: str, asked: Asked) -> int:
    """Let the deletions through that wait for a person; how many they are."""
    with transaction(store) as connection:
        crm = connections.find_connection(connection, name)
        count = links.count_held(connection, crm.id)
        connections.edit_connection(connection, crm.id, {"approved": max(1, count), "next_at": None})
        said = {"deletions": count}
        audit.add_entry(connection, asked, "sync:approve", f"connection:{crm.id}", None, said)
    return count


# ── mappings ─────────────────────────────────────────────────────────────────────────────────────────────────────


def set_mapping(store: Store, settings: Settings, name: str, mapping: Mapping, asked: Asked) -> MappingVersion:
    """Another version of a connection's mapping, checked against both sides; a plan has to be applied with it."""
    with transaction(store) as connection:
        crm = connections.find_connection(connection, name)
        check_mapping(connection, settings, crm, mapping)
        document = mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        values = {"hash": mapping.hash, "document": document, "created_by": asked.actor, "created_at": asked.at}
        connections.add_mapping(connection, crm.id, values)
        audit.add_entry(connection, asked, "connections:map", f"connection:{crm.id}", None, {"mapping": mapping.hash})
        made = connections.mapping_of(connection, connections.get_connection(connection, crm.id))
    assert made is not None
    return made


def check_mapping(connection: Connection, settings: Settings, crm: CrmConnection, mapping: Mapping) -> None:
    """Raise WrongMapping where a pair cannot work."""
    remote = [RemoteField(**one) for one in crm.fields or ()]
    check_against(mapping, remote)
    merging_of(mapping, roll.known_fields(connection), settings, crm.name)


def find_mapping(store: Store, name: str) -> Mapping | None:
    """The mapping in use; None where there is none yet."""
    with reading(store) as connection:
        found = connections.mapping_of(connection, connections.find_connection(connection, name))
    return read_mapping(found.document, name) if found else None


def proposed_mapping(store: Store, settings: Settings, name: str) -> Mapping:
    """The mapping that the connector's file suggests, or that the CRM's own fields do; raises WrongMapping."""
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
        types = roll.known_fields(connection)
    suggested = read_connector(settings.home, crm.connector).mapping
    if suggested:
        return read_mapping(suggested, crm.connector)
    return propose_mapping([RemoteField(**one) for one in crm.fields or ()], types)


# ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────


def crm_factory(store: Engine, settings: Settings) -> CrmOf:
    """Makes clients within the limits that this process shares, which keep the tokens they are given."""

    def crm_of(crm: CrmConnection) -> RestCrm:
        return client_of(store, settings, crm)

    return crm_of


def client_of(store: Engine, settings: Settings, crm: CrmConnection) -> RestCrm:
    """A client of one connection; raises WrongConnector and WrongKey."""

    def keep(tokens: Map[str, Any]) -> None:
        with transaction(store) as connection:
            now = secrets_of(settings, connections.get_connection(connection, crm.id))
            connections.set_connection(connection, crm.id, {"secrets": _sealed(settings, {**now, **tokens})})

    def again() -> Map[str, Any]:
        with reading(store) as connection:
            return secrets_of(settings, connections.get_connection(connection, crm.id))

    ca_file = str(settings.webhook_ca_file) if settings.webhook_ca_file else None
    reach = Reach([*settings.allowed_networks, *_LOOPBACK], ca_file, settings.sync_timeout_seconds)
    connector = read_connector(settings.home, crm.connector)
    api = Api(crm.name, connector, crm.config, secrets_of(settings, crm), reach, shared(), keep, again)
    flags = frozenset(one["name"] for one in crm.fields or () if one["type"] == "boolean")
    return RestCrm(api, _fields_of(store, crm), flags)


def _fields_of(store: Engine, crm: CrmConnection) -> list[str]:
    """The CRM's fields that the mapping names."""
    with reading(store) as connection:
        found = connections.mapping_of(connection, crm)
    if found is None:
        return []
    mapping = read_mapping(found.document, crm.name)
    names = [name for pair in mapping.fields for name in pair.remote]
    return list(dict.fromkeys([*names, *(one.field for one in mapping.scope.remote)]))


def read_fields(store: Engine, settings: Settings, name: str) -> Sequence[RemoteField]:
    """Sign in, and keep what fields the CRM says it has."""
    crm = find_connection(store, name)
    client = client_of(store, settings, crm)
    client.check()
    found = client.describe()
    fields = [asdict(one) for one in found]
    with transaction(store) as connection:
        values: dict[str, Any] = {"fields": fields, "fields_hash": version_of(fields)} if fields else {}
        if crm.state == FAILED:
            values |= {"state": ACTIVE if crm.applied_mapping else NEW, "message_en": None, "message_es": None}
        if values:
            connections.set_connection(connection, crm.id, values)
    return found


def check_standing(store: Store, settings: Settings, name: str, mapping: Mapping) -> None:
    """Compare a mapping with the fields that were read last; raises WrongMapping."""
    with reading(store) as connection:
        check_mapping(connection, settings, connections.find_connection(connection, name), mapping)


def client_for_proof(store: Engine, settings: Settings, name: str) -> Proof:
    """A client with which records of a test can be made; raises NotReady where there is no mapping to make them by."""
    with reading(store) as connection:
        crm = connections.find_connection(connection, name)
        require_ready(crm, is_applied=True)
        mapping = read_mapping(_document(connection, crm), name)
    remote = {pair.local: pair.remote[0] for pair in mapping.fields if pair.direction != "in"}
    text = next((remote[one] for one in ("first_name", "display_name", "last_name", "city") if one in remote), None)
    if text is None:
        raise NotReady(
            f"The mapping of {name} writes no name, so no record of a test can be made.",
            f"El mapeo de {name} no escribe ningún nombre, y no se puede crear un registro de prueba.",
        )

    def values(mark: str) -> dict[str, Any]:
        found = {text: "Padron A"}
        if "last_name" in remote and remote["last_name"] != text:
            found[remote["last_name"]] = "Padron"
        if "email" in remote:
            found[remote["email"]] = f"padron.{mark}@example.com"
        return found

    return Proof(client_of(store, settings, crm), text, values)


def _document(connection: Connection, crm: CrmConnection) -> Map[str, Any]:
    found = connections.mapping_of(connection, crm)
    assert found is not None, "require_ready asks before"
    return found.document
