"""What a CRM says of its fields, and what the call of a webhook says: both by dotted paths of the connector file."""

import json
import re
from collections.abc import Mapping
from typing import Any

from connectors.templates import at_path, listed
from schemas.connectors import DescribeSpec, WebhookSpec
from schemas.crm import RemoteField


def read_field(spec: DescribeSpec, one: Mapping[str, Any]) -> RemoteField:
    """A field by the CRM's own metadata."""
    options = {
        str(at_path(each, spec.option_id)): str(at_path(each, spec.option_label))
        for each in (listed(one, spec.options) if spec.options else ())
    }
    read_only = bool(at_path(one, spec.read_only)) if spec.read_only else False
    if spec.writable:
        read_only = not at_path(one, spec.writable)
    name, kind = str(at_path(one, spec.name)), str(at_path(one, spec.type))
    label = at_path(one, spec.label)
    return RemoteField(name, str(label or name), spec.types.get(kind, "text"), options, read_only)


def read_hints(spec: WebhookSpec | None, body: str) -> list[str]:
    """The ids of the records that a webhook's call is about; raises ValueError."""

    if spec is None:
        raise ValueError("the connector has no webhook")
    document = json.loads(body)
    found: list[str] = []
    for item in listed(document, spec.items):
        if all(str(at_path(item, path)) in allowed for path, allowed in spec.only.items()):
            for path in (spec.id, *spec.more_ids):
                found += [_an_id(spec, str(one)) for one in listed(item, path) if one not in (None, "")]
    if not found and not listed(document, spec.items):
        raise ValueError("no events")
    return found


def _an_id(spec: WebhookSpec, id_: str) -> str:
    if spec.id_is and not re.fullmatch(spec.id_is, id_):
        raise ValueError(f"no record has the id {id_[:60]!r}")
    return id_
