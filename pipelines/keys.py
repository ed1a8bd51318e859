"""The keys by which a contact is found: phones in their match form, e-mails, and external ids with their source."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.aliases import match_form
from pipelines.columns import SEPARATOR, chunked
from schemas.frames import ROW
from schemas.layouts import OURS

KINDS = ("phone", "email", "external_id")
KEYS = pa.schema([("row", pa.int64()), ("kind", pa.string()), ("value", pa.string())])
OWN = (("phone", "phone_match"), ("email", "email"), ("external_id", "external_id"))
FURTHER = (("phone", "more_phones"), ("email", "more_emails"), ("external_id", "more_ids"))
KEY_COLUMNS = tuple(column for _, column in (*OWN, *FURTHER))
Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.uint32]


def key_form(kind: str, value: str) -> str:
    """The form under which a stored phone or e-mail is owned.

    >>> key_form("phone", "+5511961234567"), key_form("email", "ana@example.org")
    ('+551161234567', 'ana@example.org')
    """
    return str(match_form(pa.array([value]))[0].as_py()) if kind == "phone" else value


def keys_of(frame: pa.Table, source: str) -> pa.Table:
    """Every key of every row, as KEYS."""
    rows = chunked(frame[ROW])
    external = external_form(chunked(frame["external_id"]), source)
    parts = [
        _keyed(rows, "phone", frame["phone_match"]),
        _keyed(rows, "email", frame["email"]),
        _keyed(rows, "external_id", external),
    ]
    for kind, column in FURTHER:
        filled = chunked(pc.is_valid(frame[column]))
        if pc.any(filled).as_py():
            at, values = split_further(chunked(frame[column]))
            parts.append(_keyed(rows.take(at), kind, further_form(kind, values, source)))
    return pa.concat_tables(parts)


def first_keys(frame: pa.Table, applied: pa.Array, source: str) -> pa.Table:
    """One key of each row, its phone or else its e-mail or external id, with the row's hash."""
    phone, email = chunked(frame["phone_match"]), chunked(frame["email"])
    external = external_form(chunked(frame["external_id"]), source)
    columns = {
        "row": chunked(frame[ROW]),
        "kind": pc.if_else(pc.is_valid(phone), "phone", pc.if_else(pc.is_valid(email), "email", "external_id")),
        "value": pc.coalesce(phone, email, external),
        "applied": applied,
    }
    table = pa.table(columns)
    return table.filter(pc.is_valid(table["value"]))


def split_further(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The values of a column of further keys, and before them the position of the row that each stands in."""
    split = pc.split_pattern(column, SEPARATOR)
    return pc.list_parent_indices(split), pc.list_flatten(split)


def further_form(kind: str, values: pa.Array, source: str) -> pa.Array:
    """The form under which further values are keys: phones' match form, external ids with their source."""
    if kind == "external_id":
        return external_form(values, source)
    return match_form(values) if kind == "phone" else values


def external_form(ids: pa.Array, source: str) -> pa.Array:
    """External ids with their source before them, which those of our own exports have already.

    >>> external_form(pa.array(["7", None]), "crm").to_pylist()
    ['crm:7', None]
    >>> external_form(pa.array(["crm:7", "8"]), OURS).to_pylist()
    ['crm:7', 'padron:8']
    """
    known = pc.binary_join_element_wise(source, ids, ":")
    return pc.if_else(pc.match_substring(ids, ":"), ids, known) if source == OURS else known


def _keyed(rows: pa.Array, kind: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    values = chunked(values)
    filled = pc.is_valid(values)
    values = values.filter(filled)
    return pa.table({"row": rows.filter(filled), "kind": pa.array([kind] * len(values)), "value": values}, KEYS)


# ── numbers that stand for keys ──────────────────────────────────────────────────────────────────────────────────


def key_hashes(keys: pa.Table) -> Hashes:
    """A 64-bit hash that stands for each key (KEYS): in one of 300,000 files of 10 million keys two share theirs."""
    return _hashes(pc.binary_join_element_wise(chunked(keys["kind"]), chunked(keys["value"]), ":"))


def key_numbers(column: pa.Array) -> Numbers:
    """A 32-bit hash of each text, 0 where it is null: only to find candidates."""
    wide = _hashes(column.fill_null(""))
    narrow = np.maximum((wide ^ (wide >> np.uint64(32))).astype(np.uint32), 1)
    narrow[pc.is_null(column).to_numpy(zero_copy_only=False)] = 0
    return narrow


def _hashes(texts: pa.Array) -> Hashes:
    return pd.util.hash_array(texts.to_numpy(zero_copy_only=False), categorize=False)
