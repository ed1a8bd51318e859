"""Dates and times to UTC. What could be two dates is a problem, never a guess."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import Normalised, chunked, trimmed, without_blanks
from pipelines.names import folded

STAMP = pa.timestamp("us", "UTC")
_ISO = r"^(?:[1-8]\d{3}|9[0-8]\d{2})-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?"
_PARTS = re.compile(
    r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})"
    r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s*([ap]\.?\s?m\.?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)

_MONTHS = (
    "enero january janeiro ene jan|febrero february fevereiro feb fev|marzo march marco mar|abril april abr apr"
    "|mayo may maio mai|junio june junho jun|julio july julho jul|agosto august ago aug"
    "|septiembre setiembre september setembro sep sept set|octubre october outubro oct out"
    "|noviembre november novembro nov|diciembre december dezembro dic dec dez"
)
_MONTH_OF = {name: month for month, names in enumerate(_MONTHS.split("|"), 1) for name in names.split()}
_ORDINAL = r"(?:st|nd|rd|th|\.?[º°]|er|ro|\.?o\b)?"
_WEEKDAY = (
    r"(?:lunes|martes|miercoles|jueves|viernes|sabado|domingo|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|(?:segunda|terca|quarta|quinta|sexta)(?:[- ]feira)?"
    r"|(?:lun|mar|mie|jue|vie|sab|dom|mon|tue|wed|thu|fri|sat|sun|seg|ter|qua|qui|sex)\.?)"
)
_NAMED = re.compile(
    rf"(?:{_WEEKDAY},? )?(\d{{1,2}}){_ORDINAL}(?:\s+(?:de|of)\s+|[-/. ]+)([a-z]{{3,10}})\.?(?:\s+del?\s+|[-/., ]+)"
    r"([1-9]\d{3}|\d{2})\b(.*)",
    re.DOTALL,
)
_NAMED_FIRST = re.compile(
    rf"(?:{_WEEKDAY},? )?([a-z]{{3,10}})\.?[-/. ](\d{{1,2}}){_ORDINAL}(?:,? |[-/.]| del? )([1-9]\d{{3}})\b(.*)",
    re.DOTALL,
)
_AT = re.compile(r"^,?\s+(?:a\s+las?|at|as)\s+(?=\d)|\s*h(?:rs|oras)?\.?$")
_YEAR_FIRST = re.compile(r"([1-9]\d{3})[-/. ]([a-z]{3,10})[-/. ](\d{1,2})\b(.*)", re.DOTALL)


def normalise_dates(column: pa.Array, order: str | None, zone: str) -> Normalised:
    """UTC times as ISO text (the pandera schema checks them); a cell that is no date keeps its text and a code."""
    texts = without_blanks(trimmed(chunked(column)))
    stamps = _bulk(texts, zone)
    if stamps is not None:
        return Normalised(stamps, pa.nulls(len(texts), pa.string()))
    encoded = pc.dictionary_encode(texts)
    answers = [_read(text, order, zone) for text in encoded.dictionary.to_pylist()]
    values = pa.array([stamp for stamp, _ in answers], STAMP).take(encoded.indices)
    problems = pa.array([code for _, code in answers], pa.string()).take(encoded.indices)
    return Normalised(values, problems)


def _bulk(texts: pa.Array, zone: str) -> pa.Array | None:
    """All of them at once, where all are ISO, in UTC or without a zone; else None."""
    plain, utc = (pc.match_substring_regex(texts, f"{_ISO}{end}$").fill_null(False) for end in ("", "(?:Z|[+]00:00)"))
    if not pc.all(pc.or_(pc.or_(plain, utc), pc.is_null(texts))).as_py() and len(texts):
        return None
    nothing = pa.scalar(None, pa.string())
    try:
        stamps = pc.cast(pc.if_else(plain, texts, nothing), pa.timestamp("us"))
        local = pc.assume_timezone(stamps, zone, ambiguous="earliest", nonexistent="latest").cast(STAMP)
        return pc.coalesce(local, pc.cast(pc.if_else(utc, texts, nothing), STAMP)) if pc.any(utc).as_py() else local
    except pa.ArrowInvalid:
        return None


def _read(text: str | None, order: str | None, zone: str) -> tuple[datetime | None, str | None]:
    if text is None:
        return None, None
    match = _PARTS.fullmatch(text)
    if not match and (numbers := _with_numbers(text)):
        match = _PARTS.fullmatch(numbers)
        two_years = match is not None and len(match.group(1)) == len(match.group(3)) == 2
        order = "ymd" if order == "ymd" and two_years else "dmy"
    if not match:
        return None, "date_invalid"
    days = _days([int(part) for part in match.group(1, 2, 3)], match.group(1), match.group(3), order)
    if len(days) != 1:
        return None, "date_ambiguous" if days else "date_invalid"
    try:
        return _stamp(days.pop(), match, zone), None
    except (ValueError, OverflowError):
        return None, "date_invalid"


def _with_numbers(text: str) -> str | None:
    """A date whose month is a word, in numbers, the day first; None where it has no such word.

    >>> _with_numbers("12 de marzo de 2022"), _with_numbers("01-ene-23 10:30"), _with_numbers("March 12, 2022")
    ('12-3-2022', '01-1-23 10:30', '12-3-2022')
    >>> _with_numbers("jueves, 5 de marzo de 2026"), _with_numbers("2022-ene-05"), _with_numbers("1º de marzo de 2022")
    ('5-3-2026', '05-1-2022', '1-3-2022')
    >>> _with_numbers("1.º de enero de 2024"), _with_numbers("5 de marzo de 2026 a las 10:30 h")
    ('1-1-2024', '5-3-2026 10:30')
    """
    form = folded(text)
    if match := _NAMED.fullmatch(form):
        day, word, year, rest = match.groups()
    elif match := _NAMED_FIRST.fullmatch(form):
        word, day, year, rest = match.groups()
    elif match := _YEAR_FIRST.fullmatch(form):
        year, word, day, rest = match.groups()
    else:
        return None
    month, time = _MONTH_OF.get(word), _AT.sub(" ", rest).rstrip()
    return f"{day}-{month}-{year}{time}" if month else None


def _days(parts: list[int], first: str, last: str, order: str | None) -> set[date]:
    """The days that the three numbers can mean."""
    a, b, c = parts
    if len(first) == 4:
        candidates = [(a, b, c)]
    else:
        if len(last) == 3 or (order == "ymd" and len(first) != 2):
            return set()
        year = c if len(last) == 4 else c + (2000 if c < 70 else 1900)
        ways = {"dmy": [(year, b, a)], "mdy": [(year, a, b)], "ymd": [(a + 2000, b, c)]}
        candidates = ways[order] if order else [(year, b, a), (year, a, b)]
    return {day for item in candidates if (day := _date(*item))}


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _stamp(day: date, match: re.Match[str], zone: str) -> datetime:
    hour, minute, second = (int(part or 0) for part in match.group(4, 5, 6))
    fraction = int((match.group(7) or "")[:6].ljust(6, "0"))
    half = (match.group(8) or "").lower().replace(".", "").replace(" ", "")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    moment = datetime(day.year, day.month, day.day, hour, minute, second, fraction)
    offset = (match.group(9) or "").upper()
    if offset in ("Z", "UTC", "GMT"):
        return moment.replace(tzinfo=UTC)
    if offset:
        return datetime.fromisoformat(f"{moment.isoformat()}{offset[:3]}:{offset[-2:]}").astimezone(UTC)
    return moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
