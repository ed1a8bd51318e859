"""A contact's further keys: external ids, shared phones and e-mails, second ones, and those that gave way."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.columns import Longs, chunked
from pipelines.context import Context
from pipelines.fold import is_same
from pipelines.keys import FURTHER, external_form, further_form, split_further
from pipelines.match import Decision
from pipelines.merge import Diffs, Merged
from schemas.frames import ROW, CleanFrame
from warehouse import bulk, roll
from warehouse.tables import contact_keys

_TEXT = pa.string()
_SCHEMA = pa.schema(
    [("contact_id", pa.int64()), ("kind", _TEXT), ("value", _TEXT), ("written", _TEXT), ("role", _TEXT)]
)
_OWN = (("phone", "phone_match"), ("email", "email_match"))


def insert_further(connection: Connection, frame: CleanFrame, decision: Decision, ids: Longs, context: Context) -> None:
    """Write the further keys of new contacts."""
    _insert_keys(connection, _further_keys(frame, decision, ids, context), context)


def change_further(
    connection: Connection, frame: CleanFrame, decision: Decision, existing: pa.Table, merged: Merged, context: Context
) -> None:
    """Add the keys that the contacts do not have yet, among them phones and e-mails that gave way or came late."""
    ids = decision.contact
    wanted = pa.concat_tables(
        [_lost(ids, merged), _further_keys(frame, decision, ids, context), *_late(frame, decision, ids, merged)]
    )
    if not wanted.num_rows:
        return
    have = roll.slice_keys(connection)
    known = set(zip(*(have[name].to_pylist() for name in ("position", "kind", "value")), strict=True))
    for kind, name in _OWN:
        known |= {(at, kind, value) for at, value in enumerate(merged.columns[name].to_pylist()) if value}
    position_of = {contact: at for at, contact in enumerate(ids.tolist())}
    keep = [_is_new(row, position_of[row["contact_id"]], known, merged.diffs) for row in wanted.to_pylist()]
    _insert_keys(connection, wanted.filter(pa.array(keep, pa.bool_())), context)


def _is_new(row: dict[str, object], at: int, known: set[tuple[object, ...]], diffs: Diffs) -> bool:
    key = (at, row["kind"], row["value"])
    if key in known:
        return False
    known.add(key)
    diffs.setdefault(at, {}).setdefault("keys", [[], []])[1].append(f"{row['kind']}:{row['value']}")
    return True


def _lost(ids: Longs, merged: Merged) -> pa.Table:
    """Phones and e-mails that stopped being their contact's own."""
    rows = [(int(ids[at]), kind, form, written, "owner") for at, kind, form, written in merged.lost]
    columns = zip(*rows, strict=True) if rows else [[] for _ in _SCHEMA]
    return pa.Table.from_arrays(
        [pa.array(column, item.type) for column, item in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
    )


def _late(frame: CleanFrame, decision: Decision, ids: Longs, merged: Merged) -> list[pa.Table]:
    """Phones and e-mails of the rows that did not become their contact's own, where nobody else owns them."""
    parts = []
    for (kind, own), form, written, taken in zip(
        _OWN, ("phone_match", "email"), ("phone", "email"), (decision.phone_taken, decision.email_taken), strict=True
    ):
        values = chunked(frame[form])
        differs = pc.and_(pc.is_valid(values), pc.invert(is_same(values, chunked(merged.columns[own]))))
        mask = pc.and_(differs, pa.array(~taken & ~decision.held[kind]))
        late = ids[mask.to_numpy(zero_copy_only=False)]
        parts.append(_key_table(late, kind, values.filter(mask), chunked(frame[written]).filter(mask), "owner"))
    return parts


def _further_keys(frame: CleanFrame, decision: Decision, ids: Longs, context: Context) -> pa.Table:
    """External ids, shared phones and e-mails, and further ones, of these rows."""
    parts: list[pa.Table] = []
    external = chunked(frame["external_id"])
    if external.null_count < len(external):
        parts.append(_external_keys(external, frame, decision, ids, context))
    for kind, form, written, taken in (
        ("phone", "phone_match", "phone", decision.phone_taken),
        ("email", "email", "email", decision.email_taken),
    ):
        if taken.any():
            mask = pa.array(taken)
            own = chunked(frame[form]).filter(mask)
            parts.append(_key_table(ids[taken], kind, own, chunked(frame[written]).filter(mask), "shared"))
    parts += _more_keys(frame, decision, ids, context.source)
    return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()


def _external_keys(external: pa.Array, frame: CleanFrame, decision: Decision, ids: Longs, context: Context) -> pa.Table:
    mask = pc.is_valid(external)
    values = external_form(external.filter(mask), context.source)
    table = _key_table(ids[mask.to_numpy(zero_copy_only=False)], "external_id", values, external.filter(mask), "owner")
    return _with_roles(table, chunked(frame[ROW]).filter(mask), decision)


def _more_keys(frame: CleanFrame, decision: Decision, ids: Longs, source: str) -> list[pa.Table]:
    parts = []
    for kind, column in FURTHER:
        filled = chunked(pc.is_valid(frame[column]))
        if pc.any(filled).as_py():
            at, written = split_further(chunked(frame[column]))
            part = _key_table(ids[at.to_numpy()], kind, further_form(kind, written, source), written, "owner")
            parts.append(_with_roles(part, chunked(frame[ROW]).take(at), decision))
    return parts


def _key_table(ids: Longs, kind: str, values: pa.Array, written: pa.Array, role: str) -> pa.Table:
    count = len(values)
    return pa.table(
        {"contact_id": ids, "kind": [kind] * count, "value": values, "written": written, "role": [role] * count},
        _SCHEMA,
    )


def _with_roles(table: pa.Table, rows: pa.Array, decision: Decision) -> pa.Table:
    """Further keys that somebody else owns are shared."""
    if not decision.taken_further:
        return table
    taken = decision.taken_further
    kinds, values = table["kind"].to_pylist(), table["value"].to_pylist()
    roles = [
        "shared" if (row, f"{kind}:{value}") in taken else "owner"
        for row, kind, value in zip(rows.to_pylist(), kinds, values, strict=True)
    ]
    return table.set_column(4, "role", pa.array(roles, _TEXT))


def _insert_keys(connection: Connection, keys: pa.Table, context: Context) -> None:
    """Each key once, sorted; an owner comes before a sharer."""
    if not keys.num_rows:
        return
    keys = keys.sort_by([("contact_id", "ascending"), ("kind", "ascending"), ("value", "ascending")])
    owners: set[tuple[str, str]] = set()
    seen: set[tuple[int, str, str]] = set()
    keep, roles = [], []
    columns = (keys[name].to_pylist() for name in ("contact_id", "kind", "value", "role"))
    for contact, kind, value, role in zip(*columns, strict=True):
        new = (contact, kind, value) not in seen
        seen.add((contact, kind, value))
        keep.append(new)
        roles.append("shared" if role == "shared" or (kind, value) in owners else "owner")
        if new and roles[-1] == "owner":
            owners.add((kind, value))
    keys = keys.set_column(4, "role", pa.array(roles, _TEXT)).filter(pa.array(keep))
    batch = pa.array(np.full(keys.num_rows, context.batch_id))
    bulk.insert_rows(connection, contact_keys, keys.append_column("batch_id", batch))
