"""Lenses: how a value here is written in a CRM, and read back. Each keeps the laws get(put(l)) = l and put(get(r)) ~ r.

Values here are text, numbers, yes or no, several options or tags as a tuple, or None; days and times are ISO text. A
column is read at a time, as phones and e-mails are cheaper so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipelines.emails import normalise_emails
from pipelines.names import folded
from pipelines.numbers import MOST, yes_or_no
from pipelines.phones import normalise_phones
from pipelines.texts import normalise_names, normalise_texts
from pipelines.words import split_tags, tag_form
from schemas.fields import BY_KEY, CUSTOM, LONG_TEXT_LIMIT, TEXT_LIMIT, FieldType
from schemas.mappings import NAMES, TIGHTENING, FieldPair, LensName, WrongMapping

Value = str | float | bool | tuple[str, ...] | None
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_FROM = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would be in the year 5138."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that the lens cannot carry over; it stays as it is on both sides, and the outcome says why."""

    code: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Lens:
    """`get` reads a column of the CRM's values; `put` writes one of ours, given what stands there."""

    get: Callable[[Sequence[Any]], list[Value | Unreadable]]
    put: Callable[[Value, Any], Any]
    is_set: bool = False
    is_yes_or_no: bool = False
    is_day: bool = False

    def get_one(self, raw: Any) -> Value | Unreadable:
        return self.get([raw])[0]

    def same(self, one: Value | Unreadable, other: Value | Unreadable) -> bool:
        """Whether two values mean the same; what cannot be read is only ever itself."""
        if self.is_set and isinstance(one, tuple | None) and isinstance(other, tuple | None):
            return _forms(one) == _forms(other)
        return type(one) is type(other) and one == other


def _forms(tags: tuple[str, ...] | None) -> frozenset[str]:
    return frozenset(map(tag_form, tags or ()))


def lens_of(pair: FieldPair, types: Mapping[str, FieldType], country: str | None, zone: str) -> Lens:
    """The lens of a pair, by what it says or else by the field here; raises WrongMapping."""
    kind = pair.lens or _usual(pair.local, types)
    match kind:
        case "text":
            return Lens(_texts(normalise_texts, _limit(pair.local, types)), _as_is)
        case "name":
            return Lens(_texts(normalise_names, _limit(pair.local, types)), _as_is)
        case "email":
            return Lens(_normal(normalise_emails), _as_is)
        case "phone":
            return Lens(_normal(lambda column: normalise_phones(column, pair.region or country)), _as_is)
        case "number":
            return Lens(_each(_number), _put_number)
        case "boolean":
            is_flag = pair.local in TIGHTENING
            return Lens(_each(_boolean(pair.values, False if is_flag else None)), _put_boolean(pair), is_yes_or_no=True)
        case "date" | "datetime":
            return Lens(_each(_moment(pair, kind, zone)), _put_moment(pair, kind, zone), is_day=kind == "date")
        case "enum":
            return Lens(_each(_option(pair.values)), _put_option(pair.values))
        case "set":
            return Lens(_lists(_several(pair.separator, pair.values)), _put_several(pair.separator, pair.values), True)
        case "full_name":
            return Lens(_full_names, _put_full_name)
        case "template":
            return Lens(_each(lambda raw: None if raw is None else str(raw)), _as_is)


def _usual(local: str, types: Mapping[str, FieldType]) -> LensName:
    """What a field here is written as, where the mapping does not say."""
    if local.startswith(CUSTOM):
        key = local.removeprefix(CUSTOM)
        if key not in types:
            raise WrongMapping(
                f"There is no custom field {key!r}. Make it first: padron fields create {key}",
                f"No hay un campo propio {key!r}. Créelo antes: padron fields create {key}",
            )
        usual: dict[str, LensName] = {
            "number": "number",
            "boolean": "boolean",
            "date": "date",
            "datetime": "datetime",
            "choices": "set",
        }
        return usual.get(types[key], "text")
    if local in TIGHTENING:
        return "boolean"
    own: dict[str, LensName] = {"phone": "phone", "email": "email", "tags": "set"}
    return own.get(local, "name" if local in NAMES else "text")


def _limit(local: str, types: Mapping[str, FieldType]) -> int:
    if local.startswith(CUSTOM):
        return LONG_TEXT_LIMIT if types.get(local.removeprefix(CUSTOM)) == "long_text" else TEXT_LIMIT
    return BY_KEY[local].limit if local in BY_KEY else TEXT_LIMIT


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _each(read: Callable[[Any], Value | Unreadable]) -> Callable[[Sequence[Any]], list[Value | Unreadable]]:
    return lambda raws: [Unreadable("type_wrong") if _is_odd(raw) else read(raw) for raw in raws]


def _is_odd(raw: Any) -> bool:
    """Whether it is an object or a list where one text is meant; an id with its name, as Odoo has it, is none."""
    return isinstance(raw, dict) or (isinstance(raw, list) and bool(raw) and not _is_named(raw))


def _is_named(raw: Sequence[Any]) -> bool:
    return len(raw) == 2 and isinstance(raw[0], int) and isinstance(raw[1], str)


def _text(raw: Any) -> str | None:
    """What a value of the CRM says as text.

    >>> _text("  "), _text(7), _text(7.0), _text([3, "Perú"]), _text(True)
    (None, '7', '7', 'Perú', 'true')
    """
    if isinstance(raw, list) and _is_named(raw):
        raw = raw[1]
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if raw is None or isinstance(raw, list | dict):
        return None
    return str(raw).strip() or None


def _texts(
    normalise: Callable[[pa.Array], pa.Array], limit: int
) -> Callable[[Sequence[Any]], list[Value | Unreadable]]:
    def get(raws: Sequence[Any]) -> list[Value | Unreadable]:
        found = normalise(pa.array([_text(raw) for raw in raws], pa.string())).to_pylist()
        texts = [Unreadable("too_long") if text and len(text) > limit else text for text in found]
        return _but_odd(texts, raws)

    return get


def _normal(normalise: Callable[[pa.Array], Any]) -> Callable[[Sequence[Any]], list[Value | Unreadable]]:
    def get(raws: Sequence[Any]) -> list[Value | Unreadable]:
        found = normalise(pa.array([_text(raw) for raw in raws], pa.string()))
        pairs = zip(found.value.to_pylist(), found.problem.to_pylist(), strict=True)
        return _but_odd([Unreadable(code, text or "") if code else text for text, code in pairs], raws)

    return get


def _but_odd(read: list[Value | Unreadable], raws: Sequence[Any]) -> list[Value | Unreadable]:
    return [Unreadable("type_wrong") if _is_odd(raw) else value for value, raw in zip(read, raws, strict=True)]


def _number(raw: Any) -> Value | Unreadable:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw)
    text = _text(raw)
    try:
        found = None if text is None else float(text.replace("_", "?"))
    except ValueError:
        return Unreadable("number_invalid", str(text))
    return found if found is None or abs(found) < MOST else Unreadable("number_invalid", str(text))


def _boolean(words: Mapping[str, str], nothing: bool | None) -> Callable[[Any], Value | Unreadable]:
    """Yes or no, in the CRM's own words where the mapping has them (`true` and `false` → the word there)."""
    known = {word.casefold(): meaning == "true" for meaning, word in words.items()}

    def read(raw: Any) -> Value | Unreadable:
        text = _text(raw)
        if text is None:
            return known.get("", nothing)
        found = known.get(text.casefold()) if known else yes_or_no(folded(text))
        return Unreadable("boolean_invalid", text) if found is None else found

    return read


def _moment(pair: FieldPair, kind: str, zone: str) -> Callable[[Any], Value | Unreadable]:
    def read(raw: Any) -> Value | Unreadable:
        text = _text(raw)
        if text is None:
            return None
        try:
            at = _read_moment(text, ZoneInfo(pair.zone or ("UTC" if kind == "date" else zone)))
        except (ValueError, OverflowError):
            return Unreadable("date_invalid", text)
        return at.date().isoformat() if kind == "date" else at.astimezone(UTC).isoformat()

    return read


def _read_moment(text: str, zone: ZoneInfo) -> datetime:
    """A time from ISO text or from seconds or milliseconds since 1970, in this zone."""
    if text.lstrip("-").isdigit() and len(text) > 8:
        number = int(text)
        span = timedelta(milliseconds=number) if abs(number) >= _MS_FROM else timedelta(seconds=number)
        return (_EPOCH + span).astimezone(zone)
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), zone)
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(zone)


def _option(values: Mapping[str, str]) -> Callable[[Any], Value | Unreadable]:
    known = {there.casefold(): here for here, there in values.items()}

    def read(raw: Any) -> Value | Unreadable:
        text = _text(raw)
        if text is None:
            return known.get("")
        return known.get(text.casefold(), Unreadable("option_unknown", text))

    return read


def _several(separator: str | None, values: Mapping[str, str]) -> Callable[[Any], Value | Unreadable]:
    known = {there.casefold(): here for here, there in values.items()}

    def read(raw: Any) -> Value | Unreadable:
        if isinstance(raw, str):
            raw = split_tags(raw, separator)
        if raw is not None and (not isinstance(raw, list) or any(isinstance(one, dict | list) for one in raw)):
            return Unreadable("list_invalid", str(raw)[:80])
        texts = [text for text in (_text(one) for one in raw or ()) if text]
        found = {tag_form(name): name for name in (known.get(text.casefold(), text) for text in reversed(texts))}
        return tuple(found[form] for form in sorted(found)) or None

    return read


def _lists(read: Callable[[Any], Value | Unreadable]) -> Callable[[Sequence[Any]], list[Value | Unreadable]]:
    return lambda raws: [read(raw) for raw in raws]


def _full_names(raws: Sequence[Any]) -> list[Value | Unreadable]:
    joined = [" ".join(filter(None, map(_text, raw if isinstance(raw, list) else [raw]))) for raw in raws]
    return list(normalise_names(pa.array(joined, pa.string())).to_pylist())


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _as_is(value: Value, _raw: Any) -> Any:
    return value


def _put_number(value: Value, _raw: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _put_boolean(pair: FieldPair) -> Callable[[Value, Any], Any]:
    words = {"true": True, "false": False}

    def put(value: Value, _raw: Any) -> Any:
        if value is None:
            return None
        said = pair.values.get("true" if value else "false")
        return bool(value) if said is None else words.get(said, said)

    return put


def _put_moment(pair: FieldPair, kind: str, zone: str) -> Callable[[Value, Any], Any]:
    form = pair.format or ("date" if kind == "date" else "rfc3339")

    def put(value: Value, _raw: Any) -> Any:
        if value is None:
            return None
        at = _read_moment(str(value), ZoneInfo(pair.zone or "UTC"))
        if form == "date":
            return at.date().isoformat()
        if form == "rfc3339":
            return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        since = at.astimezone(UTC) - _EPOCH
        return since // (timedelta(milliseconds=1) if form == "ms" else timedelta(seconds=1))

    return put


def _put_option(values: Mapping[str, str]) -> Callable[[Value, Any], Any]:
    def put(value: Value, _raw: Any) -> Any:
        if value is None:
            return None
        return values.get(str(value), Unreadable("option_unknown", str(value)))

    return put


def _put_several(separator: str | None, values: Mapping[str, str]) -> Callable[[Value, Any], Any]:
    def put(value: Value, _raw: Any) -> Any:
        listed = [values.get(one, one) for one in value] if isinstance(value, tuple) else []
        if separator is None:
            return listed
        return separator.join(listed) or None

    return put


def _put_full_name(value: Value, raw: Any) -> Any:
    """The first word is the first name; a name without parts goes into the last field, which CRMs require.

    >>> _put_full_name("Ana María Ruiz", ["", ""]), _put_full_name("Cher", ["", ""]), _put_full_name("Ana Ruiz", "")
    (['Ana', 'María Ruiz'], [None, 'Cher'], 'Ana Ruiz')
    """
    if not isinstance(raw, list):
        return value
    words = str(value or "").split()
    first, rest = (words[0], " ".join(words[1:])) if len(words) > 1 else (None, " ".join(words) or None)
    return [first, rest, *[None] * (len(raw) - 2)]
