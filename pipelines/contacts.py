"""Finding contacts: by filter, by what somebody types, and one by one."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from pipelines.emails import normalise_email
from pipelines.filter_catalogue import Catalogue
from pipelines.filters import understand
from pipelines.spellings import phone_form
from pipelines.texts import fold
from schemas.conditions import Clock, Condition
from schemas.cql2 import parse
from schemas.filters import Node, of_json
from schemas.settings import Settings
from warehouse import contact_details, contact_lists, roll
from warehouse.contact_details import Change, Detail, Happening
from warehouse.contact_lists import MOST_COUNTED, Listed, Wanted
from warehouse.engines import Store, reading
from warehouse.search import Sought

_PHONE = re.compile(r"[\d\s()+./-]*\d[\d\s()+./-]*")
_FEWEST_DIGITS, _SHORTEST = 6, 1
_PREFIX = "00"


def clock_of(settings: Settings, now: datetime) -> Clock:
    """The moment of a question, and the zone in which the installation's days begin."""
    return Clock(now, ZoneInfo(settings.time_zone))


def read_filter(store: Store, settings: Settings, asked: str | dict[str, Any]) -> Condition:
    """The condition that a filter asks, in CQL2 text or JSON; raises WrongFilter."""
    node: Node = parse(asked) if isinstance(asked, str) else of_json(asked)
    with reading(store) as connection:
        fields = roll.known_fields(connection)
    return understand(node, Catalogue(fields, settings.default_country or None))


def read_search(text: str, country: str | None) -> Sought | None:
    """What is looked for: a phone in any spelling, an e-mail, or words of a name in any order.

    >>> read_search("  Núñez ANA ", None).parts, read_search("+57 (300) 111", None).parts
    (('nunez', 'ana'), ('57300111',))
    >>> read_search("00", None).parts
    ('00',)
    """
    if not text.strip():
        return None
    words = tuple(str(fold(pa.array([word]))[0]) or word for word in text.split())
    if _PHONE.fullmatch(text.strip()):
        return _phone_sought(text, country)
    email = normalise_email(text) if "@" in text else None
    return Sought(words, (("email", email),) if email else ())


def _phone_sought(text: str, country: str | None) -> Sought:
    typed = re.sub(r"\D", "", text)
    digits = typed.removeprefix(_PREFIX) if text.strip().startswith(_PREFIX) else typed
    form = phone_form(text, country) if len(digits) >= _FEWEST_DIGITS else None
    local = digits.lstrip("0") or typed
    return Sought((local,), (("phone", form),) if form else ())


def find_contacts(store: Store, settings: Settings, wanted: Wanted, limit: int, now: datetime) -> Sequence[Listed]:
    with reading(store) as connection:
        return contact_lists.list_contacts(connection, wanted, clock_of(settings, now), limit)


def count_contacts(store: Store, settings: Settings, wanted: Wanted, now: datetime, *, exactly: bool = False) -> int:
    """How many; beyond 10,000 only if `exactly`."""
    with reading(store) as connection:
        most = None if exactly else MOST_COUNTED
        return contact_lists.count_contacts(connection, wanted, clock_of(settings, now), most)


def history_of(store: Store, number: int, limit: int, before: int | None = None) -> list[Change]:
    """The changes of a contact, the newest first."""
    with reading(store) as connection:
        contact_details.living(connection, number)
        return contact_details.history_of(connection, number, limit, before)


def interactions_of(store: Store, number: int, limit: int, before: int | None = None) -> list[Happening]:
    """What happened with a contact, the newest first."""
    with reading(store) as connection:
        contact_details.living(connection, number)
        return contact_details.interactions_of(connection, number, limit, before)


def find_contact(store: Store, number: int) -> Detail:
    """Everything about one contact; raises NoSuchContact."""
    with reading(store) as connection:
        return contact_details.detail_of(connection, number)
