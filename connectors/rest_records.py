"""Records out of what a CRM answers, and what it is sent, as a connector file says where their parts stand."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.templates import at_path
from schemas.connectors import ContactSpec, Shape
from schemas.crm import MISSING, CrmSays, Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HASH = "hash"


def read_record(spec: ContactSpec, found: Any, fields: Sequence[str], flags: frozenset[str], name: str) -> Record:
    """One record; `flags` are fields that hold yes or no. Raises CrmSays for what is none."""
    if not isinstance(found, Mapping) or at_path(found, spec.id) in (None, ""):
        raise CrmSays(
            f"{name} answers with something that is no record (it has no {spec.id}). Nothing was taken from it.",
            f"{name} responde algo que no es un registro (no tiene {spec.id}). No se tomó nada de ello.",
        )
    own = at_path(found, spec.values)
    values = _values(spec, own if isinstance(own, Mapping) else {}, fields, flags)
    modified = at_path(found, spec.modified) if spec.modified else None
    archived = at_path(found, spec.archived) if spec.archived else None
    merged = at_path(found, spec.merged_into) if spec.merged_into else None
    token = at_path(own, spec.token) if spec.token and isinstance(own, Mapping) else None
    is_archived = archived is not None and _word(archived) in spec.archived_is
    return Record(
        str(at_path(found, spec.id)),
        values,
        _version(spec, found, {**values, "": is_archived}),
        read_time(spec, modified),
        is_archived,
        str(token) if token else None,
        str(merged) if merged else None,
        found,
    )


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(spec: ContactSpec, own: Mapping[str, Any], fields: Sequence[str], flags: frozenset[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in fields:
        value = _place(spec, own, name)
        if value is MISSING:
            if spec.absent == "empty":
                found[name] = None
            continue
        if name in spec.shapes:
            value = _primary(spec.shapes[name], value)
        found[name] = None if _is_empty(spec, value) and not (name in flags and value is False) else _clean(value)
    return found


def _place(spec: ContactSpec, own: Mapping[str, Any], name: str) -> Any:
    """The value of a field; MISSING where it is not there."""
    inner, _, key = name.partition(".")
    if spec.nested and inner == spec.nested:
        nested = own.get(inner)
        return nested.get(key, MISSING) if isinstance(nested, Mapping) else MISSING
    if name in own or not key:
        return own.get(name, MISSING)
    found = at_path(own, name)
    return MISSING if found is None and inner not in own else found


def _primary(shape: Shape, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    listed = [one for one in value if isinstance(one, Mapping)]
    chosen = next((one for one in listed if one.get(shape.primary)), listed[0] if listed else {})
    return chosen.get(shape.value)


def _is_empty(spec: ContactSpec, value: Any) -> bool:
    return value is None or any(type(value) is type(one) and value == one for one in spec.empties)


def _clean(value: Any) -> Any:
    """A value without signs that no database keeps."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "ignore").decode()
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return value


def _version(spec: ContactSpec, found: Any, values: Mapping[str, Any]) -> str | None:
    path, _, more = spec.version.partition("+")
    digest = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]
    if path in ("", _HASH):
        return digest
    version = at_path(found, path)
    if version is None:
        return None
    return f"{version}+{digest}" if more == _HASH else str(version)


def read_time(spec: ContactSpec, value: Any) -> datetime | None:
    """A time as this CRM tells it; None for what is none."""
    try:
        if value is None:
            return None
        if spec.time in ("ms", "s"):
            return _EPOCH + timedelta(**{"milliseconds" if spec.time == "ms" else "seconds": float(value)})
        at = datetime.fromisoformat(str(value))
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=ZoneInfo(spec.zone)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────


def write_values(spec: ContactSpec, values: Mapping[str, Any], record: Record | None, token: str | None) -> Any:
    """Values as the CRM takes them; what is empty is cleared, and of lists of values only the primary changes."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        sent = spec.clear if value is None else value
        if name in spec.shapes:
            sent = _with_primary(spec.shapes[name], value, record, name, spec)
        inner, _, key = name.partition(".")
        if spec.nested and inner == spec.nested:
            found.setdefault(inner, {})[key] = sent
        else:
            found[name] = sent
    if token is not None and spec.token:
        inner, _, key = spec.token.partition(".")
        if spec.nested and inner == spec.nested:
            found.setdefault(inner, {})[key] = token
        else:
            found[spec.token] = token
    return found


def _with_primary(shape: Shape, value: Any, record: Record | None, name: str, spec: ContactSpec) -> list[Any]:
    own = at_path(record.raw, spec.values) if record is not None else None
    had = own.get(name) if isinstance(own, Mapping) else None
    listed = [dict(one) for one in had or () if isinstance(one, Mapping)]
    first = next((one for one in listed if one.get(shape.primary)), listed[0] if listed else None)
    if value is None:
        return [one for one in listed if one is not first]
    if first is None:
        return [{shape.value: value, shape.primary: True, **shape.label}]
    first[shape.value] = value
    return listed
