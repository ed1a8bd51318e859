"""The contact as pandera checks it: declared once, from the catalogue of fields.

The checks are on whole columns. A cell that fails gets the code that its check says as its error, unless its
normaliser had a better one.
"""

from collections.abc import Mapping
from functools import lru_cache

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from schemas.fields import CHANNELS, CUSTOM, FIELDS, LONG_TEXT_LIMIT, STATUSES, TEXT_LIMIT, Field, FieldType

E164 = r"\+[1-9][0-9]{6,14}"
EMAIL = r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{1,63}"
TEXT = pd.ArrowDtype(pa.string())
STAMP = pd.ArrowDtype(pa.timestamp("us", "UTC"))
NUMBER = pd.ArrowDtype(pa.float64())
YES_NO = pd.ArrowDtype(pa.bool_())

MULTIPLE = ("more_phones", "more_emails", "more_ids", "consents", "clear")
"""Columns of a clean frame that hold several values in one text (see `pipelines.columns.SEPARATOR`)."""

_TYPES: dict[FieldType, pd.ArrowDtype] = {
    "text": TEXT,
    "long_text": TEXT,
    "number": NUMBER,
    "boolean": YES_NO,
    "date": STAMP,
    "datetime": STAMP,
    "choice": TEXT,
    "choices": TEXT,
}


@lru_cache(maxsize=64)
def _schema(custom: tuple[tuple[str, FieldType], ...]) -> pandera.DataFrameSchema:
    optional = {"nullable": True, "required": False}
    columns = {field.key: pandera.Column(_kind(field), _checks(field), **optional) for field in FIELDS}
    for key, kind in custom:
        limit = LONG_TEXT_LIMIT if kind == "long_text" else TEXT_LIMIT
        checks = [_no_longer_than(limit)] if _TYPES[kind] is TEXT else []
        columns[f"{CUSTOM}{key}"] = pandera.Column(_TYPES[kind], checks, **optional)
    return pandera.DataFrameSchema(columns, strict=False)


def contact_schema(custom: Mapping[str, FieldType] | None = None) -> pandera.DataFrameSchema:
    """The schema of a clean frame with these custom fields; columns without any value may be left out."""
    return _schema(tuple(sorted((custom or {}).items())))


KEYS = pandera.DataFrameSchema(
    {"has_key": pandera.Column(YES_NO, pandera.Check.eq(True, error="no_key"))},
    strict=False,
)


def _kind(field: Field) -> pd.ArrowDtype:
    return STAMP if field.kind == "datetime" else TEXT


def _checks(field: Field) -> list[pandera.Check]:
    match field.kind:
        case "phone":
            return [pandera.Check.str_matches(f"^{E164}$", error="phone_invalid")]
        case "email":
            return [pandera.Check.str_matches(f"^{EMAIL}$", error="email_invalid"), _no_longer_than(field.limit)]
        case "vocabulary":
            allowed = STATUSES if field.key == "status" else CHANNELS
            return [pandera.Check.isin(allowed, error=f"{field.key}_unknown")]
        case "datetime":
            return []
        case _:
            return [_no_longer_than(field.limit)]


def _no_longer_than(limit: int) -> pandera.Check:
    return pandera.Check.str_length(max_value=limit, error="too_long")
