"""From headers to fields."""

from pathlib import Path

import pyarrow as pa
import pytest

from connectors.sources import open_source
from pipelines.byhand import preview
from pipelines.imports import Job
from pipelines.mapping import map_columns, propose, require_keys
from schemas.fields import FIELDS, PARTS
from schemas.frames import PROBLEM, ROW, RawFrame
from schemas.headers import ALIASES, custom_key, header_form, header_target
from schemas.layouts import LAYOUTS
from schemas.profiles import Profile
from schemas.refusals import NeedsAnswer
from tests.conftest import Roll


def _targets(header: list[str], **profile: object) -> list[str | None]:
    return list(map_columns(header, Profile(**profile), {}).targets)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [
        ["Nombre", "Apellidos", "Teléfono móvil", "Correo electrónico", "Empresa", "Ciudad", "País", "Etiquetas"],
        ["First Name", "Last Name", "Mobile Phone", "E-mail Address", "Company", "City", "Country", "Tags"],
        ["Nome", "Sobrenome", "Telefone celular", "E-mail", "Empresa", "Cidade", "País", "Marcadores"],
    ],
)
def test_headers_are_known_in_spanish_english_and_portuguese(header: list[str]) -> None:
    wanted = ["first_name", "last_name", "phone", "email", "company", "city", "country", "tags"]

    assert _targets(header) == wanted
    assert _targets([f" {name.upper().replace(' ', '_')} " for name in header]) == wanted


def test_the_portuguese_name_of_an_email_address_is_known() -> None:
    assert header_target("Endereço de e-mail") == "email"


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_label_of_every_field_means_that_field(language: str) -> None:
    assert {field.key: header_target(field.label(language)) for field in FIELDS} == {
        field.key: field.key for field in FIELDS
    }


def test_every_known_name_is_in_header_form_and_means_a_field() -> None:
    known = {field.key for field in FIELDS} | set(PARTS)

    assert [alias for alias in ALIASES if header_form(alias) != alias] == []
    assert {target for target in ALIASES.values() if not target.startswith("opt_")} <= known


def test_a_note_in_brackets_or_a_number_does_not_hide_a_header() -> None:
    found = _targets(["Teléfono (móvil)", "E-mail 3 - Value", "Phone 2", "Field: Plan de Pago", "zzz"])

    assert found == ["phone", "email", "phone", "custom.plan_de_pago", None]


def test_the_profile_wins_over_what_a_header_is_called() -> None:
    found = _targets(
        ["Phone", "Quien", "Mail", "RARO"], columns={"phone": "note", "Quien": "display_name", "Mail": "ignore"}
    )

    assert found == ["note", "display_name", None, None]


def test_unknown_columns_become_custom_fields_when_the_profile_says_so() -> None:
    assert _targets(["Phone", "Shoe size", ""], unmapped="custom") == ["phone", "custom.shoe_size", None]
    assert _targets(["Phone", "Shoe size"], custom_fields={"shoe_size": "number"}) == ["phone", "custom.shoe_size"]


def test_the_columns_of_a_row_report_are_never_taken() -> None:
    assert _targets(["phone", "_row", "_code", "_message"], unmapped="custom") == ["phone", None, None, None]


def test_a_file_without_a_key_column_is_asked_about() -> None:
    with pytest.raises(NeedsAnswer, match="'nombre', 'ciudad'"):
        require_keys(map_columns(["nombre", "ciudad"], Profile(), {}), "contacts.csv", "contacts.csv")


@pytest.mark.parametrize(
    ("file", "layout"),
    [
        ("google_contacts_current.csv", "google_contacts"),
        ("google_contacts_legacy_utf16le.csv", "google_contacts_legacy"),
        ("outlook_classic_cp1252.csv", "outlook"),
        ("hubspot_contacts_export.csv", "hubspot"),
        ("salesforce_report_export_iso8859.csv", "salesforce"),
        ("pipedrive_people_export.csv", "pipedrive"),
        ("zoho_contacts_export.csv", "zoho"),
        ("mailchimp_subscribed_members_export.csv", "mailchimp"),
        ("brevo_export_semicolon.csv", "brevo"),
        ("chatwoot_contacts_export.csv", "chatwoot"),
    ],
)
def test_the_export_of_a_known_product_is_recognised(corpus: Path, file: str, layout: str) -> None:
    with open_source(corpus / "layouts" / file, Profile(), name=file) as opened:
        mapping = map_columns(opened.header, Profile(), {})

    assert mapping.layout is not None
    assert mapping.layout.name == layout
    assert {"email", "first_name"} & set(filter(None, mapping.targets))


def test_a_layout_does_not_depend_on_the_order_of_its_columns() -> None:
    for layout in LAYOUTS:
        found = map_columns(list(reversed(layout.signature)), Profile(), {}).layout
        assert found is not None
        assert set(found.signature) <= set(layout.signature)


def test_a_column_without_a_known_name_is_proposed_by_what_its_cells_hold() -> None:
    columns = {
        "A": ["3001112233", "300 222 3344", "3003334455"],
        "B": ["ana@example.org", "luis@example.org", ""],
        "C": ["Ana Pérez", "Luis Gil", "Eva Ríos"],
        "D": ["oro", "plata", "oro"],
        "E": ["", " ", ""],
        "Ciudad": ["Cali", "Cali", "Bogotá"],
    }
    arrays = {f"c{index}": cells for index, cells in enumerate(columns.values())}
    sample = RawFrame(pa.table({ROW: [1, 2, 3], **arrays, PROBLEM: pa.nulls(3, pa.string())}))

    found = propose(list(columns), sample, Profile(default_country="CO"), {})

    assert {item.column: item.target for item in found} == {
        "A": "phone",
        "B": "email",
        "C": "display_name",
        "D": "custom.d",
        "E": "ignore",
        "Ciudad": "city",
    }
    assert found[0].example == "3001112233"


def test_names_in_several_parts_and_addresses_are_put_together(roll: Roll) -> None:
    roll.import_text(
        "nombre,segundo nombre,apellido paterno,apellido materno,teléfono,calle,codigo postal,provincia\n"
        "Ana,María,Pérez,López,3001112233,Calle 1,110111,Cundinamarca\n"
    )

    assert roll.living("first_name, last_name, display_name, address") == [
        ("Ana María", "Pérez López", "Ana María Pérez López", "Calle 1, 110111, Cundinamarca")
    ]


def test_a_column_with_the_country_prefix_reads_the_phone_beside_it(roll: Roll) -> None:
    roll.import_text("nombre,codigo de pais,teléfono\nAna,+34,612345678\nLuis,MX,5512345678\nEva,,3001112233\n")

    assert roll.living("phone") == [("+34612345678",), ("+525512345678",), ("+573001112233",)]


def test_the_key_of_a_custom_field_is_short_and_never_empty() -> None:
    assert custom_key("!!!").startswith("column_")
    assert len(custom_key("x" * 200)) <= 60
    assert custom_key("x" * 200) != custom_key("x" * 201)


@pytest.mark.parametrize(
    ("layout", "columns"),
    [
        (
            "salesforce_api",
            {
                "Id": "external_id",
                "AccountId": None,
                "LastName": "last_name",
                "FirstName": "first_name",
                "MailingStreet": "street",
                "MailingCity": "city",
                "MailingState": "region",
                "MailingPostalCode": "postal_code",
                "MobilePhone": "phone",
                "AssistantPhone": None,
                "Email": "email",
                "HasOptedOutOfEmail": "opt_out.email",
                "DoNotCall": "opt_out.phone",
                "CreatedDate": "created_at",
            },
        ),
        (
            "hubspot",
            {
                "Record ID": "external_id",
                "First Name": "first_name",
                "Last Name": "last_name",
                "Email": "email",
                "WhatsApp Phone Number": "phone",
                "Opted out of email: One to One": "opt_out.email",
                "Marketing contact status": None,
            },
        ),
        (
            "hubspot_es",
            {
                "ID de registro": "external_id",
                "Nombre": "first_name",
                "Apellidos": "last_name",
                "Correo": "email",
                "Número de teléfono de WhatsApp": "phone",
                "Fecha de creación": "created_at",
            },
        ),
        (
            "zoho",
            {
                "Record Id": "external_id",
                "Contact Owner": None,
                "First Name": "first_name",
                "Last Name": "last_name",
                "Account Name": "company",
                "Email": "email",
                "Secondary Email": "email",
                "Asst Phone": None,
                "Email Opt Out": "opt_out.email",
            },
        ),
        (
            "brevo",
            {
                "EMAIL": "email",
                "EMAIL_BLACKLISTED": "opt_out.email",
                "SMS_BLACKLISTED": "opt_out.sms",
                "WHATSAPP_BLACKLISTED": "opt_out.whatsapp",
                "LANDLINE_NUMBER": "phone",
                "WHATSAPP": "phone",
                "EXT_ID": "external_id",
            },
        ),
        (
            "pipedrive",
            {
                "Person - ID": "external_id",
                "Person - Name": "display_name",
                "Person - Labels": "tags",
                "Person - Person created": "created_at",
                "Person - Marketing status": "opt_in.email",
            },
        ),
        (
            "mailchimp",
            {
                "Email Address": "email",
                "MEMBER_RATING": None,
                "LEID": None,
                "OPTIN_TIME": "opt_in.email",
                "UNSUB_TIME": "opt_out.email",
                "UNSUB_REASON": None,
                "CLEAN_TIME": "opt_out.email",
            },
        ),
    ],
)
def test_the_columns_of_known_products_mean_what_they_mean_there(layout: str, columns: dict[str, str | None]) -> None:
    mapping = map_columns(list(columns), Profile(), {})

    assert mapping.layout is not None
    assert mapping.layout.name == layout
    assert dict(zip(columns, mapping.targets, strict=True)) == columns


def test_a_saved_preview_leaves_columns_open_that_are_empty_in_its_sample(tmp_path: Path, roll: Roll) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("quien,telefono,segundo,comentario interno\nAna Ruiz,3001112233,,x\n", encoding="utf-8")

    proposals, profile = preview(roll.engine, Job(path, path.name, Profile(default_country="CO"), tmp_path / "report"))

    assert [(item.target, item.reason, item.taken) for item in proposals] == [
        ("display_name", "names", False),
        ("phone", "known", True),
        ("ignore", "empty", False),
        ("custom.comentario_interno", "other", False),
    ]
    assert profile.columns == {
        "quien": "display_name",
        "telefono": "phone",
        "comentario interno": "custom.comentario_interno",
    }


@pytest.mark.parametrize("text", ["aA" * 40_000, "A" * 100_000, " (" * 50_000, "a" * 100_000 + "!", "acepta " * 20_000])
def test_a_long_cell_is_no_header_and_costs_no_time(text: str) -> None:
    assert header_target(text) is None
    assert header_target(text[:290]) is None


def test_the_profile_of_a_known_layout_keeps_whose_ids_they_are(tmp_path: Path, roll: Roll) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text("Record ID,First Name,Last Name,Email\n7,Ana,Díaz,ana@x.org\n", encoding="utf-8")

    _, profile = preview(roll.engine, Job(path, path.name, Profile(), tmp_path / "report"))

    assert profile.source == "hubspot"


def test_what_pipedrive_puts_before_its_columns_is_passed_over() -> None:
    header = [
        "Persona - ID",
        "Persona - Nombre",
        "Persona - Teléfono - Móvil",
        "Persona - Correo electrónico - Trabajo",
    ]

    assert _targets(header) == ["external_id", "display_name", "phone", "email"]


def _proposed(text: str) -> dict[str, str]:
    rows = [line.split(",") for line in text.splitlines()]
    columns = {f"c{at}": [row[at] for row in rows[1:]] for at in range(len(rows[0]))}
    sample = RawFrame(pa.table({"row": list(range(1, len(rows))), "problem": [None] * (len(rows) - 1), **columns}))
    return {one.column: one.target for one in propose(rows[0], sample, Profile(default_country="CO"), {})}


def test_no_column_is_guessed_to_be_the_name_where_the_file_has_names() -> None:
    found = _proposed(
        "Record ID,First Name,Last Name,Email,Marketing contact\n1,Jorge,Gil,j@example.org,Non marketing contact\n"
        "2,Laura,Ruiz,l@example.org,Is marketing contact\n"
    )

    assert found["Marketing contact"] == "custom.marketing_contact"


def test_one_column_at_most_is_guessed_to_be_the_name() -> None:
    found = _proposed("Quien,Asesor,Tel\nAna Gil,Juan Ventas,3001110001\nEva Paz,Luz Ventas,3001110002\n")

    assert (found["Quien"], found["Asesor"]) == ("display_name", "custom.asesor")


def test_a_fax_is_no_phone() -> None:
    found = _proposed("Nombre,Correo,Fax\nAna,a@example.org,+57 601 555 0101\nEva,e@example.org,+57 601 555 0102\n")

    assert found["Fax"] == "custom.fax"
