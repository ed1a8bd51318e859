"""Connections by JSON: accounts of CRMs and their mappings. Credentials go in, and never come out."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from admin.api.callers import AtDesk, IdempotencyKey, May, asked_by, once_of
from admin.api.etags import MADE, VERSIONED, IfMatch, wanted_version, with_etag
from admin.api.problems import problems
from admin.api.sync_models import (
    ConnectionBody,
    ConnectionChanges,
    ConnectionModel,
    ConnectorModel,
    MappingModel,
    RemoteFieldModel,
)
from connectors.crm_files import connector_paths, read_connector
from pipelines import connections
from pipelines.access import Caller
from pipelines.connections import ConnectionForm
from pipelines.once import create_once
from schemas.mappings import Mapping, read_mapping

router = APIRouter(prefix="/api", tags=["connections"])
Reader = Annotated[Caller, Depends(May("connections:read"))]
Writer = Annotated[Caller, Depends(May("connections:write"))]
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,39}$", description="The connection's name.")]


@router.get("/connectors", responses=problems(401, 403, 409))
def find_connectors(caller: Reader, desk: AtDesk) -> list[ConnectorModel]:
    """The CRMs that there are connectors for."""
    home, found = desk.settings.home, []
    for name in sorted(connector_paths(home)):
        one = read_connector(home, name)
        found.append(ConnectorModel(name=name, title=one.title, config=list(one.config), secrets=list(one.secrets)))
    return found


@router.get("/connections", responses=problems(401, 403))
def find(caller: Reader, desk: AtDesk) -> list[ConnectionModel]:
    """Every connection, without its credentials."""
    return [ConnectionModel.of(one) for one in connections.find_connections(desk.store)]


@router.post("/connections", status_code=201, responses=MADE | problems(401, 403))
def create(
    body: ConnectionBody,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    key: IdempotencyKey = None,
) -> ConnectionModel:
    """Keep an account of a CRM, encrypted; nothing is asked of it yet."""
    form = ConnectionForm(body.config, body.secrets)
    made = create_once(
        desk.store,
        asked_by(request, caller),
        once_of(key, request, body),
        lambda asked: connections.create_connection(desk.store, desk.settings, body.name, body.connector, form, asked),
        lambda _: connections.find_connection(desk.store, body.name),
    )
    with_etag(response, made.version)
    response.headers["Location"] = f"/api/connections/{made.name}"
    return ConnectionModel.of(made)


@router.get("/connections/{name}", responses=VERSIONED | problems(401, 403, 404))
def show(name: Name, caller: Reader, response: Response, desk: AtDesk) -> ConnectionModel:
    """One connection."""
    found = connections.find_connection(desk.store, name)
    with_etag(response, found.version)
    return ConnectionModel.of(found)


@router.patch("/connections/{name}", responses=VERSIONED | problems(401, 403, 404, 409, 412))
def edit(
    name: Name,
    body: ConnectionChanges,
    caller: Writer,
    request: Request,
    response: Response,
    desk: AtDesk,
    if_match: IfMatch = "*",
) -> ConnectionModel:
    """Change what is named; a connection whose credentials were refused is tried again."""
    form, asked = ConnectionForm(body.config, body.secrets), asked_by(request, caller)
    version = wanted_version(if_match)
    changed = connections.edit_connection(desk.store, desk.settings, name, form, asked, version)
    with_etag(response, changed.version)
    return ConnectionModel.of(changed)


@router.delete("/connections/{name}", status_code=204, responses=problems(401, 403, 404))
def delete(name: Name, caller: Writer, request: Request, desk: AtDesk) -> Response:
    """Remove a connection; contacts and records stay as they are."""
    connections.drop_connection(desk.store, name, asked_by(request, caller))
    return Response(status_code=204)


@router.post("/connections/{name}/check", responses=problems(401, 403, 404, 409, 503))
def check(name: Name, caller: Writer, desk: AtDesk) -> list[RemoteFieldModel]:
    """Sign in, and read which fields the CRM has."""
    found = connections.read_fields(desk.store, desk.settings, name)
    return [RemoteFieldModel(**asdict(one)) for one in found]


@router.get("/connections/{name}/mapping", responses=problems(401, 403, 404, 409))
def show_mapping(name: Name, caller: Reader, desk: AtDesk) -> MappingModel:
    """The mapping in use, or the one that the CRM's own fields suggest where there is none yet."""
    found = connections.find_mapping(desk.store, name)
    return _told(found or connections.proposed_mapping(desk.store, desk.settings, name))


@router.put("/connections/{name}/mapping", responses=problems(401, 403, 404, 409))
def set_mapping(name: Name, body: dict[str, Any], caller: Writer, request: Request, desk: AtDesk) -> MappingModel:
    """Set another mapping, as its file would have it; a plan has to be applied before runs go on."""
    mapping = read_mapping(body, name)
    connections.set_mapping(desk.store, desk.settings, name, mapping, asked_by(request, caller))
    return _told(mapping)


def _told(mapping: Mapping) -> MappingModel:
    document = mapping.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return MappingModel(hash=mapping.hash, document=document)
