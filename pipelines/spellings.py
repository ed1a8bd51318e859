"""Phones and e-mails as somebody types them, in the form under which contacts have them."""

import re

from phonenumbers import country_code_for_region

from pipelines.keys import key_form
from pipelines.phones import normalise_phone


def phone_form(text: str, country: str | None) -> str | None:
    """The match form of a phone in whatever spelling; None for what is no phone.

    >>> phone_form("0057 (300) 111-2233", "CO"), phone_form("300 1112233", "CO"), phone_form("Ana", "CO")
    ('+573001112233', '+573001112233', None)
    >>> phone_form("+55 11 98765-4321", None)
    '+551187654321'
    """
    code = country_code_for_region(country) if country else 0
    spelled = r"\W*".join(str(code))
    own = re.match(rf"\W*0\W*0(?=\W*{spelled})", text) if code else None
    number, _ = normalise_phone(f"+{text[own.end() :]}" if own else text, country)
    return key_form("phone", number) if number else None
