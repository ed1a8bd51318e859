"""The export layouts of well-known products: how they are recognised and what their columns mean.

Only what the plain header names (`schemas/headers.py`) do not say, or say differently, stands here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.exports import NOT_TAKEN_BACK, TAG_SEPARATOR, column_header, every_column
from schemas.headers import header_form, header_forms

_OTHERS = {"other_phones": "phone", "other_emails": "email", "external_ids": "external_id"}
OURS = "padron"
"""The source of our own exports, whose external ids say themselves whose they are: `hubspot:7`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A product's export: the headers that give it away, and its own meanings for headers.

    `source` names the product whose record numbers its ids are. `is_ours`: what it leaves out is no loss.
    """

    name: str
    source: str
    signature: tuple[str, ...]
    columns: dict[str, str] = field(default_factory=dict)
    tag_separator: str | None = None
    date_order: str | None = None
    is_ours: bool = False

    def target_of(self, header: str) -> str | None:
        """Its own meaning for a header, or None."""
        return next((self.columns[form] for form in header_forms(header) if form in self.columns), None)


_HUBSPOT = {
    "lead status": "ignore",
    "create date gmt 1": "ignore",
    "contact owner": "ignore",
    "estado del lead": "ignore",
    "empresa asociada": "company",
    "id de registro": "external_id",
    "hs object id": "external_id",
    "additional email addresses": "email",
    "direcciones de correo electronico adicionales": "email",
}
_SALESFORCE = {
    "id": "external_id",
    "title": "ignore",
    "salutation": "ignore",
    "assistant phone": "ignore",
    "name": "display_name",
}
_PIPEDRIVE = {
    "id": "external_id",
    "person id": "external_id",
    "person name": "display_name",
    "person first name": "first_name",
    "person last name": "last_name",
    "person email": "email",
    "person email home": "email",
    "person email work": "email",
    "person email other": "email",
    "person phone": "phone",
    "person phone work": "phone",
    "person phone home": "phone",
    "person phone mobile": "phone",
    "person phone other": "phone",
    "person organization": "company",
    "person label": "tags",
    "person labels": "tags",
    "person person created": "created_at",
    "person created": "created_at",
    "person add time": "created_at",
    "person postal address": "address",
    "person notes": "note",
    "person marketing status": "opt_in.email",
    "marketing status": "opt_in.email",
    "person last activity date": "last_interaction_at",
}
_PIPEDRIVE_PT = {
    "pessoa id": "external_id",
    "pessoa nome": "display_name",
    "pessoa etiqueta": "tags",
    "pessoa etiquetas": "tags",
    "pessoa marcadores": "tags",
    "pessoa status de marketing": "opt_in.email",
    "pessoa pessoa criada": "created_at",
}
_BREVO = {
    "sms": "phone",
    "lastname": "last_name",
    "firstname": "first_name",
    "whatsapp": "phone",
    "landline number": "phone",
    "ext id": "external_id",
    "contact id": "external_id",
    "opt in": "opt_in.email",
    "double opt in": "opt_in.email",
    "modified time": "ignore",
}
_PIPEDRIVE_ES = {
    "persona id": "external_id",
    "persona nombre": "display_name",
    "persona etiqueta": "tags",
    "persona etiquetas": "tags",
    "persona fecha de creacion": "created_at",
    "persona estado de marketing": "opt_in.email",
    "persona persona creada": "created_at",
}
_OUTLOOK_ES = {
    "departamento": "ignore",
    "particular": "phone",
    "particular 2": "phone",
    "telefono del automovil": "phone",
    "numero de centralita de la organizacion": "phone",
    "telefono del ayudante": "ignore",
    "calle del trabajo 2": "street",
    "calle del trabajo 3": "street",
    "otra calle": "street",
    "provincia o estado de trabajo": "region",
    "codigo postal del trabajo": "postal_code",
    "tipo de correo electronico": "ignore",
    "tipo de correo electronico 2": "ignore",
    "tipo de correo electronico 3": "ignore",
    "aniversario": "ignore",
    "cumpleanos": "ignore",
    "sexo": "ignore",
}

_PADRON = {
    header_form(column_header(name, language)): target
    for language in ("en", "es")
    for name in every_column(())
    for target in ["ignore" if name in NOT_TAKEN_BACK else _OTHERS.get(name, name)]
}

LAYOUTS: tuple[Layout, ...] = (
    Layout("padron", OURS, ("padron id",), _PADRON, TAG_SEPARATOR, is_ours=True),
    Layout(
        "outlook_es",
        "outlook",
        ("tratamiento", "apellidos", "tipo de correo electronico", "pagina web"),
        _OUTLOOK_ES,
        ";",
        date_order="dmy",
    ),
    Layout(
        "google_contacts",
        "google_contacts",
        ("first name", "last name", "labels", "e mail 1 value"),
        {
            "photo": "photo_url",
            "nickname": "ignore",
            "address 1 street": "street",
            "address 1 region": "region",
            "address 1 postal code": "postal_code",
        },
        ":::",
    ),
    Layout(
        "google_contacts_legacy",
        "google_contacts",
        ("given name", "family name", "group membership", "e mail 1 value"),
        {"name": "display_name", "location": "ignore"},
        ":::",
    ),
    Layout(
        "outlook",
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
    Layout("hubspot", "hubspot", ("record id", "first name", "last name", "email"), _HUBSPOT),
    Layout("hubspot_es", "hubspot", ("id de registro", "nombre", "apellidos", "correo"), _HUBSPOT),
    Layout("hubspot_pt", "hubspot", ("id do registro", "nome", "sobrenome"), _HUBSPOT),
    Layout(
        "salesforce",
        "salesforce",
        ("contact id", "first name", "last name", "account name", "email"),
        _SALESFORCE,
    ),
    Layout(
        "salesforce_es",
        "salesforce",
        ("id de contacto", "nombre", "apellidos", "nombre de la cuenta"),
        _SALESFORCE,
    ),
    Layout("salesforce_api", "salesforce", ("id", "account id", "last name"), _SALESFORCE),
    Layout("salesforce_api_owner", "salesforce", ("id", "owner id", "last name"), _SALESFORCE),
    Layout("pipedrive", "pipedrive", ("person id", "person name"), _PIPEDRIVE, ","),
    Layout("pipedrive_es", "pipedrive", ("persona id", "persona nombre"), _PIPEDRIVE_ES, ","),
    Layout("pipedrive_pt", "pipedrive", ("pessoa id", "pessoa nome"), _PIPEDRIVE_PT, ","),
    Layout("pipedrive_short", "pipedrive", ("id", "name", "email work", "phone work"), _PIPEDRIVE, ","),
    Layout(
        "zoho",
        "zoho",
        ("record id", "contact owner", "first name", "last name", "email", "account name"),
        {"asst phone": "ignore", "contact owner": "ignore"},
        ",",
    ),
    Layout("zoho_es", "zoho", ("id de registro", "nombre", "apellidos", "nombre de cuenta"), {}, ","),
    Layout(
        "mailchimp",
        "mailchimp",
        ("email address", "member rating", "leid"),
        {
            "cc": "country",
            "region": "ignore",
            "optin ip": "ignore",
            "confirm ip": "ignore",
            "optin time": "opt_in.email",
            "confirm time": "opt_in.email",
            "unsub time": "opt_out.email",
            "clean time": "opt_out.email",
        },
        ",",
    ),
    Layout(
        "brevo",
        "brevo",
        ("email", "email blacklisted", "sms blacklisted"),
        _BREVO,
        date_order="dmy",
    ),
    Layout("brevo_contacts", "brevo", ("sms", "added time", "modified time"), _BREVO, date_order="dmy"),
    Layout(
        "chatwoot",
        "chatwoot",
        ("id", "name", "email", "phone number", "identifier"),
        {"identifier": "external_id", "id": "ignore", "ip address": "ignore", "company name": "company"},
    ),
)


def recognise(headers: Sequence[str]) -> Layout | None:
    """The layout whose whole signature is among the headers; the longest signature wins."""
    forms = {form for header in headers for form in header_forms(header)}
    found = [layout for layout in LAYOUTS if forms.issuperset(layout.signature)]
    return max(found, key=lambda layout: len(layout.signature), default=None)
