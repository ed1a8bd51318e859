"""The export layouts of well-known products: how they are recognised and what their columns mean.

Only what the plain header names (`schemas/headers.py`) do not say, or say differently, stands here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.headers import header_form


@dataclass(frozen=True, slots=True)
class Layout:
    """A product's export: the headers that give it away, and its own meanings for headers."""

    name: str
    signature: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    tag_separator: str | None = None
    date_order: str | None = None


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "google_contacts",
        ("first name", "last name", "labels", "e mail 1 value", "phone 1 value"),
        {"photo": "photo_url", "address 1 city": "city", "address 1 country": "country", "nickname": "ignore"},
        ":::",
    ),
    Layout(
        "google_contacts_legacy",
        ("given name", "family name", "group membership", "e mail 1 value"),
        {"name": "display_name", "address 1 city": "city", "address 1 country": "country", "location": "ignore"},
        ":::",
    ),
    Layout(
        "outlook",
        ("first name", "last name", "e mail address", "business phone", "mobile phone"),
        {
            "title": "ignore",
            "business fax": "ignore",
            "e mail 2 address": "email",
            "e mail 3 address": "email",
            "mobile phone": "phone",
            "primary phone": "phone",
            "business phone 2": "phone",
            "home phone 2": "phone",
            "business street": "street",
            "business city": "city",
            "business state": "region",
            "business postal code": "postal_code",
            "business country region": "country",
            "language": "ignore",
            "location": "ignore",
        },
        ";",
    ),
    Layout(
        "hubspot",
        ("record id", "first name", "last name", "email", "phone number", "contact owner"),
        {"lead status": "ignore", "associated company": "ignore", "create date gmt 1": "ignore"},
    ),
    Layout(
        "salesforce",
        ("contact id", "first name", "last name", "account name", "email"),
        {"title": "ignore", "salutation": "ignore"},
        date_order="mdy",
    ),
    Layout(
        "pipedrive",
        ("person id", "person name", "person email work"),
        {
            "person email home": "email",
            "person email work": "email",
            "person email other": "email",
            "person phone work": "phone",
            "person phone home": "phone",
            "person phone mobile": "phone",
            "person phone other": "phone",
            "person organization": "company",
            "person label": "tags",
        },
        ",",
    ),
    Layout("zoho", ("record id", "contact owner", "first name", "last name", "email", "account name"), {}, ","),
    Layout(
        "mailchimp",
        ("email address", "first name", "last name", "member rating", "optin time"),
        {"cc": "country", "region": "ignore", "optin ip": "ignore"},
        ",",
    ),
    Layout(
        "brevo",
        ("email", "email blacklisted", "sms blacklisted"),
        {"sms": "phone", "lastname": "last_name", "firstname": "first_name", "whatsapp": "phone"},
        date_order="dmy",
    ),
    Layout(
        "chatwoot",
        ("id", "name", "email", "phone number", "identifier"),
        {"identifier": "external_id", "id": "ignore", "ip address": "ignore", "company name": "company"},
    ),
)


def recognise(headers: Sequence[str]) -> Layout | None:
    """The layout whose whole signature is among the headers; the longest signature wins."""
    forms = {header_form(header) for header in headers}
    found = [layout for layout in LAYOUTS if forms.issuperset(layout.signature)]
    return max(found, key=lambda layout: len(layout.signature), default=None)
