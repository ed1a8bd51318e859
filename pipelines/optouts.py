"""Opt-outs of shared phones and e-mails: it is the address that is written to, whoever of its holders said no."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from pipelines.belongings import Said, consent_rows
from pipelines.columns import SEPARATOR, Longs, chunked
from pipelines.context import Context
from pipelines.history import as_diff, insert_changes
from pipelines.keys import KEYS, key_form
from schemas.consents import EVERY_CHANNEL, REACHED_BY
from schemas.frames import ROW, CleanFrame
from warehouse import bulk, matches, roll
from warehouse.engines import Store, reading, transaction
from warehouse.tables import consents, contacts

_AT_ONCE = 5_000
States = dict[int, dict[str, str]]
Key = tuple[str, str]


def share_opt_outs(
    connection: Connection, frame: CleanFrame, found: pa.Table, contact: Longs, context: Context
) -> None:
    """Share the opt-outs of rows with those who hold their phones and e-mails too, and the other way round.

    `found` are the rows' matches, `contact` the contact that each row became, 0 where it was refused: its opt-outs hold
    for the others even so.
    """
    rows = chunked(frame[ROW]).to_numpy()
    found = found.filter(pc.is_in(found["kind"], pa.array(list(REACHED_BY))))
    found = found.filter(pa.array(np.isin(found["row"].to_numpy(), rows)))
    if not found.num_rows:
        return
    position = np.searchsorted(rows, found["row"].to_numpy())
    shared = np.unique(position[found["contact_id"].to_numpy() != contact[position]])
    if not len(shared):
        return
    found = found.filter(pa.array(np.isin(position, shared)))
    own = {row: int(at) or -row for row, at in zip(rows[shared].tolist(), contact[shared], strict=True)}
    said = {-row: _said(frame["consents"][at].as_py()) for row, at in zip(own, shared.tolist(), strict=True)}
    holders: dict[Key, set[int]] = {}
    for row, kind, value, other in zip(*(found[name].to_pylist() for name in _FOUND), strict=True):
        holders.setdefault((kind, value), set()).update((other, own[row]))
    _share(connection, holders, said, context)


_FOUND = ("row", "kind", "value", "contact_id")


def share_all_opt_outs(store: Store, context: Context) -> None:
    """The same for every shared key of the store: in a first load, nobody can be asked who holds a key."""
    with reading(store) as connection:
        if not roll.has_opt_outs(connection):
            return
    after = ""
    while True:
        with transaction(store) as connection:
            bulk.lock_keys(connection)
            keys = roll.shared_keys(connection, after, _AT_ONCE)
            if not keys:
                return
            after = keys[-1][1]
            part = [(at, kind, value) for at, (kind, value) in enumerate(keys)]
            asked = pa.Table.from_arrays([pa.array(column) for column in zip(*part, strict=True)], schema=KEYS)
            found = matches.find_matches(connection, asked)
            holders: dict[Key, set[int]] = {}
            for _, kind, value, other in zip(*(found[name].to_pylist() for name in _FOUND), strict=True):
                holders.setdefault((kind, value), set()).add(other)
            _share(connection, holders, {}, context)


def _said(text: str | None) -> dict[str, str]:
    """What a row's own cells say: the state by channel."""
    parts = (part.split(":") for part in text.split(SEPARATOR)) if text else ()
    return {channel: state.partition("@")[0] for channel, state in parts}


def _share(connection: Connection, holders: Mapping[Key, set[int]], states: States, context: Context) -> None:
    """Opt out whoever has one of these phones or e-mails as their own, where another of its holders is opted out."""
    ids = sorted({one for together in holders.values() for one in together if one > 0})
    if not ids:
        return
    existing = roll.fetch_slice(connection, pa.array(ids))
    for row in roll.slice_consents(connection).to_pylist():
        states.setdefault(ids[row["position"]], {})[row["channel"]] = row["state"]
    out = {one for one, said in states.items() if "out" in said.values()}
    at = {one: place for place, one in enumerate(existing["id"].to_pylist())}
    changes: dict[Key | tuple[int, str], Said] = {}
    for (kind, value), together in holders.items():
        for channel in REACHED_BY[kind] if out & together else ():
            if any(_is_out(states.get(one, {}), channel) for one in together):
                for one in _whose_own(together, kind, value, existing, at):
                    had = states.get(one, {})
                    if not _is_out(had, channel):
                        changes[one, channel] = Said(at[one], channel, had.get(channel), "out", context.at)
    _write(connection, list(changes.values()), existing, context)


def _is_out(states: Mapping[str, str], channel: str) -> bool:
    return "out" in (states.get(channel), states.get(EVERY_CHANNEL))


def _whose_own(
    together: Iterable[int], kind: str, value: str, existing: pa.Table, at: Mapping[int, int]
) -> Iterable[int]:
    """Of the holders, those who are written to at this phone or e-mail; others have it beside one of their own."""
    for one in sorted(together):
        own = existing[kind][at[one]].as_py() if one in at else None
        if own and key_form(kind, own) == value:
            yield one


def _write(connection: Connection, said: list[Said], existing: pa.Table, context: Context) -> None:
    if not said:
        return
    ids = existing["id"].to_numpy()
    bulk.replace_rows(connection, consents, consent_rows(said, ids, context))
    diffs: dict[int, dict[str, list[str | None]]] = {}
    for item in said:
        diffs.setdefault(item.at, {})[f"consent.{item.channel}"] = [item.had, item.state]
    changed = pa.array(sorted(diffs))
    rows = existing.take(changed).select(["id", "version"])
    rows = rows.set_column(1, "version", pc.add(rows["version"], 1))
    bulk.update_rows(connection, contacts, rows, "id")
    unnumbered = CleanFrame(pa.table({ROW: pa.nulls(len(diffs), pa.int64())}))
    texts = [as_diff(diffs[place]) for place in sorted(diffs)]
    insert_changes(connection, ids[changed.to_numpy()], unnumbered, "update", texts, context)
