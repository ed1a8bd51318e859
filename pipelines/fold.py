"""Several rows of one person folded into one, in file order, by the profile's rule for duplicates."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import SEPARATOR, chunked
from pipelines.phones import match_form
from pipelines.words import tag_form
from schemas.frames import ROW, CleanFrame
from schemas.profiles import Profile

_UNITED = ("tags", "more_phones", "more_emails", "consents", "clear")


def fold_rows(frame: CleanFrame, leaders: pa.Array, profile: Profile) -> CleanFrame:
    """One row for each leader: `update` lets later cells win, `merge` and `skip` earlier ones, `overwrite` the last row.

    Tags and further keys are united; a later phone that does not win is kept as a further one; blocked stays blocked.
    """
    rows = frame.to_pandas(types_mapper=pd.ArrowDtype)
    rows["_leader"] = pd.array(leaders.to_pylist(), dtype="int64[pyarrow]")
    rows = rows.sort_values(["_leader", ROW], kind="stable")
    grouped = rows.groupby("_leader", sort=True)
    folded = _winners(grouped, profile)
    if profile.duplicates != "skip":
        for name in _UNITED:
            folded[name] = grouped[name].agg(_united)
        for key, more in (("phone", "more_phones"), ("email", "more_emails")):
            folded[more] = _losers(rows, folded, key, more)
        folded["note"] = grouped["note"].agg(_joined)
    blocked = rows.loc[(rows["status"] == "blocked").fillna(False).astype(bool), "_leader"].unique()
    folded.loc[folded.index.isin(blocked), "status"] = "blocked"
    folded["last_interaction_at"] = grouped["last_interaction_at"].max()
    folded[ROW] = folded.index
    result = pa.Table.from_pandas(folded[frame.column_names], frame.schema, preserve_index=False)
    index = result.column_names.index("phone_match")
    return CleanFrame(result.set_column(index, "phone_match", match_form(chunked(result["phone"]))))


def _winners(grouped: "pd.core.groupby.DataFrameGroupBy[tuple[object, ...], bool]", profile: Profile) -> pd.DataFrame:
    match profile.duplicates:
        case "overwrite":
            return grouped.tail(1).set_index("_leader")
        case "skip":
            return grouped.head(1).set_index("_leader")
        case "merge":
            return grouped.first()
        case _:
            return grouped.last()


def _united(values: pd.Series) -> str | None:
    parts: dict[str, str] = {}
    for value in values.dropna():
        for part in value.split(SEPARATOR):
            parts.setdefault(tag_form(part), part)
    return SEPARATOR.join(parts.values()) or None


def _joined(values: pd.Series) -> str | None:
    return "\n".join(dict.fromkeys(values.dropna())) or None


def _losers(rows: pd.DataFrame, folded: pd.DataFrame, key: str, more: str) -> pd.Series:
    """The further values with those of the group's own that did not win, and without the winner."""
    own = rows.groupby("_leader", sort=True)[key].agg(lambda values: SEPARATOR.join(dict.fromkeys(values.dropna())))
    found = [
        SEPARATOR.join(dict.fromkeys(part for part in _parts(mine) + _parts(further) if part != winner)) or None
        for mine, further, winner in zip(own, folded[more], folded[key], strict=True)
    ]
    return pd.Series(found, index=folded.index, dtype=rows[more].dtype)


def _parts(text: object) -> list[str]:
    return [part for part in text.split(SEPARATOR) if part] if isinstance(text, str) else []


def is_same(one: pa.Array, other: pa.Array) -> pa.Array:
    """Whether the values are the same, null being the same as null."""
    return pc.or_kleene(pc.equal(one, other), pc.and_(pc.is_null(one), pc.is_null(other))).fill_null(False)
