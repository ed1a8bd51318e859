"""Files as offices write them: everyday headers in Spanish and Portuguese, exports of products, countries by name."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import select

from pipelines.mapping import propose
from schemas.frames import RawFrame
from schemas.headers import header_target
from schemas.profiles import Profile
from tests.conftest import Roll
from warehouse.engines import reading
from warehouse.tables import contacts


@pytest.mark.parametrize(
    "header",
    [
        *("Cel", "Cel.", "Tfno", "Nº móvil", "No. Celular", "N° de teléfono", "Tel. móvil", "Móvil/Celular"),
        *("Celular/WhatsApp", "Telefone/WhatsApp", "Telefone comercial", "Celular de contacto", "Tel. principal"),
    ],
)
def test_everyday_headers_of_phones_are_known(header: str) -> None:
    assert header_target(header) == "phone"


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("Endereço de email", "email"),
        ("Email de contacto", "email"),
        ("Pessoa - E-mail - Trabalho", "email"),
        ("Nombre/s", "first_name"),
        ("Nombre de la cuenta", "company"),
        ("Cidade do endereço comercial", "city"),
        ("No WhatsApp", "opt_out.whatsapp"),
        ("No llamar", "opt_out.phone"),
        ("Cancelou a assinatura de todos os e-mails", "opt_out.email"),
        ("Cela", None),
        ("Nº de cuenta", None),
    ],
)
def test_headers_mean_what_people_mean(header: str, target: str | None) -> None:
    assert header_target(header) == target


def consents(roll: Roll) -> list[tuple[Any, ...]]:
    return roll.rows("SELECT channel, state FROM consents ORDER BY contact_id, channel")


def ids(roll: Roll) -> list[str]:
    return [value for (value,) in roll.rows("SELECT value FROM contact_keys WHERE kind = 'external_id' ORDER BY value")]


def test_the_default_export_of_brevo_is_known(roll: Roll) -> None:
    head = "CONTACT ID;EMAIL;LASTNAME;FIRSTNAME;WHATSAPP;SMS;DOUBLE_OPT-IN;OPT_IN;ADDED_TIME;MODIFIED_TIME\n"

    roll.import_text(f"{head}1;luca@br.es;Gómez;Lucas;;34611223344;1;Yes;;\n2;;Sms;Solo;;34611223366;;No;;\n")

    assert roll.living() == [("Lucas Gómez", "+34611223344", "luca@br.es"), ("Solo Sms", "+34611223366", None)]
    assert (ids(roll), consents(roll)) == (["brevo:1", "brevo:2"], [("email", "in"), ("email", "out")])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (
            "Pessoa - ID,Pessoa - Nome,Pessoa - E-mail - Trabalho,Pessoa - Status de marketing\n"
            "1,Ana Sousa,ana@x.br,Descadastrado\n",
            "pipedrive:1",
        ),
        (
            "ID do registro,Nome,Sobrenome,E-mail,Cancelou a assinatura de todos os e-mails\n"
            "1,Ana,Sousa,ana@x.br,true\n",
            "hubspot:1",
        ),
    ],
    ids=["pipedrive", "hubspot"],
)
def test_portuguese_exports_keep_ids_and_opt_outs(roll: Roll, text: str, key: str) -> None:
    report = roll.import_text(text)

    assert report.columns_not_taken == ()
    assert roll.living("display_name, email") == [("Ana Sousa", "ana@x.br")]
    assert (ids(roll), consents(roll)) == ([key], [("email", "out")])


def test_further_addresses_of_hubspot_are_taken(roll: Roll) -> None:
    head = "Record ID,First Name,Last Name,Email,Additional email addresses\n"

    report = roll.import_text(f"{head}1,Ana,Díaz,ana@x.co,otra@x.co;tercera@x.co\n2,Eva,Paz,eva@x.co,\n")

    assert (report.columns_not_taken, report.warnings) == ((), 0)
    assert roll.living("email") == [("ana@x.co",), ("eva@x.co",)]
    assert roll.rows("SELECT value FROM contact_keys WHERE kind = 'email' ORDER BY value") == [
        ("otra@x.co",),
        ("tercera@x.co",),
    ]


@pytest.mark.parametrize("error", ["#N/A", "#N/D", " #¡REF! ", "#DIV/0!", "#¿NOMBRE?"])
def test_an_error_of_a_spreadsheet_in_a_text_file_is_no_value(roll: Roll, error: str) -> None:
    report = roll.import_text(f"nombre;correo;ciudad\nAna;ana@x.co;{error}\nEva;eva@x.co;#1 de la zona\n")

    assert roll.living("display_name, city") == [("Ana", None), ("Eva", "#1 de la zona")]
    assert report.warnings == 1
    assert f'"cell_error";"ciudad";"{error}"' in Path(str(report.reject_file)).read_text("utf-8")


def test_a_lone_nombre_is_the_whole_name_and_leaves_first_names_alone(roll: Roll) -> None:
    roll.import_text("Nombre,Apellidos,Correo\nAna,Díaz,ana@x.co\n")
    roll.import_text("Nombre;Correo;Celular\nAna Díaz;ana@x.co;3001112233\n")

    assert roll.living("display_name, first_name, last_name") == [("Ana Díaz", "Ana", "Díaz")]


def test_a_second_column_of_one_name_is_said_not_to_be_taken(roll: Roll) -> None:
    report = roll.import_text("Nombre;Correo;Empresa;Empresa\nAna;ana@x.co;Uno;Dos\n")

    assert report.columns_not_taken == ("Empresa",)
    assert roll.living("company") == [("Uno",)]


def test_every_phone_of_a_cell_is_kept_or_said(roll: Roll) -> None:
    rows = ["A,+57 300 111 2201 / fijo 601 444 5566", "B,+57 300 111 2202 / casa: 601 444 5567", "C,300 111 2203 | 12"]

    report = roll.import_text("nombre,teléfono\n" + "\n".join(rows) + "\n")

    assert roll.rows("SELECT value FROM contact_keys WHERE kind = 'phone' ORDER BY value") == [
        ("+576014445566",),
        ("+576014445567",),
    ]
    assert (report.warnings, report.reject_file is not None) == (1, True)
    assert "phone_invalid" in Path(str(report.reject_file)).read_text("utf-8")


@pytest.mark.parametrize("column", ["País", "Country"])
def test_the_country_of_a_row_helps_its_phone(roll: Roll, column: str) -> None:
    rows = "Ana,3001112233,Colombia\nBia,11 98765-4321,Brasil\nLu,987 654 321,PERÚ\nEva,3001112233,Atlántida\n"

    report = roll.import_text(f"Nombre,Teléfono,{column}\n{rows}", default_country="")

    assert roll.living("phone") == [("+573001112233",), ("+5511987654321",), ("+51987654321",)]
    assert list(report.row_errors) == [4]


def test_a_fax_is_no_key(roll: Roll) -> None:
    head = (
        "First Name,Last Name,Labels,E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n"
    )

    roll.import_text(f"{head}Ana,Díaz,x,a@x.co,Work Fax,+576014445566,Mobile,+573001112233\n")

    assert roll.living("phone") == [("+573001112233",)]
    assert roll.rows("SELECT count(*) FROM contact_keys WHERE kind = 'phone'") == [(0,)]


@pytest.mark.parametrize(
    ("header", "stored"),
    [
        ("Create Date (GMT-5)", "2025-01-03 04:30"),
        ("Create Date (GMT+2)", "2025-01-02 21:30"),
        ("Create Date", "2025-01-02 23:30"),
    ],
)
def test_the_zone_that_a_header_names_counts(roll: Roll, header: str, stored: str) -> None:
    roll.import_text(f"Record ID,First Name,Last Name,Email,{header}\n1,Ana,Díaz,a@x.co,2025-01-02 23:30\n")

    assert roll.one("SELECT strftime('%Y-%m-%d %H:%M', created_at / 1000000, 'unixepoch') FROM contacts") == stored


def test_bytes_that_are_no_text_are_shown_as_such_in_the_report(roll: Roll) -> None:
    report = roll.import_bytes("nombre,correo\nÁngela,a@x.co\n".encode() + b"Jos\xff\xff,b@x.co\n")

    assert "\ufdd0" not in Path(str(report.reject_file)).read_text("utf-8")


def test_estado_beside_a_city_is_a_part_of_the_address_unless_it_is_a_status(roll: Roll) -> None:
    report = roll.import_text(
        "Nombre,Correo,Ciudad,Estado,C.P.\nBeto,b@example.org,Monterrey,Nuevo León,64000\n"
        "Caro,c@example.org,Puebla,bloqueado,72000\nDora,d@example.org,Puebla,Activo,72000\n"
    )

    assert (report.rejected, report.warnings, report.columns_not_taken) == (0, 0, ())
    assert roll.living("display_name, address, status") == [
        ("Beto", "64000, Nuevo León", "active"),
        ("Caro", "72000", "blocked"),
        ("Dora", "72000", "active"),
    ]


def test_totals_below_the_ids_are_nobody(roll: Roll) -> None:
    report = roll.import_text("Código cliente,Nombre\nA1,Rita\nTOTAL,\nTotal general:,2\nTotalán,Pueblo\n")

    assert (report.created, report.rejected) == (2, 2)
    assert roll.living("display_name") == [("Rita",), ("Pueblo",)]


def test_ids_of_whatsapp_are_phones(roll: Roll) -> None:
    roll.import_text("Nombre,Teléfono\nA,573007000020@c.us\nB,5215512345678:12@s.whatsapp.net\n", default_country="ES")

    assert roll.living("phone") == [("+573007000020",), ("+525512345678",)]


def test_outlook_in_spanish(roll: Roll) -> None:
    header = (
        "Tratamiento,Nombre,Apellidos,Departamento,Calle del trabajo,Ciudad de trabajo,Provincia o estado de trabajo,"
        "Código postal del trabajo,Teléfono del ayudante,Particular,Categorías,Dirección de correo electrónico,"
        "Tipo de correo electrónico,Dirección del correo electrónico 2,Página Web,Sexo"
    )
    report = roll.import_text(
        f"{header}\n,Joaquín,Sáez,Ventas,C/ Mayor 12,Murcia,Región de Murcia,30001,,+34 91 555 01 02,vecino,,,j@example.org,,\n"
    )

    assert (report.created, report.columns_not_taken) == (1, ("Departamento",))
    assert roll.living("display_name, phone, email, address") == [
        ("Joaquín Sáez", "+34915550102", "j@example.org", "C/ Mayor 12, 30001, Región de Murcia")
    ]


# ── what a column beside the phone says ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("country", ["AR", "MX", "US", None])
def test_the_row_s_own_country_comes_before_the_profile_s(roll: Roll, country: str | None) -> None:
    roll.import_text(
        "Nombre,Celular,Pais\nBea,3001112244,Colombia\nLeo,5512345678,México\nEva,+34612345678,Perú\n",
        default_country=country,
    )

    assert roll.living("phone") == [("+573001112244",), ("+525512345678",), ("+34612345678",)]


def test_a_phone_that_is_none_of_the_row_s_country_is_read_in_the_profile_s(roll: Roll) -> None:
    roll.import_text("Nombre,Celular,Pais\nBea,3001112244,Uruguay\n")

    assert roll.living("phone") == [("+573001112244",)]


@pytest.mark.parametrize(
    ("country", "text", "phones"),
    [
        ("BR", "Nome,DDD,Telefone,Celular\nJoão,11,3333-4444,96123-4567\n", ["+5511961234567", "+551133334444"]),
        ("MX", "Nombre,Lada,Teléfono\nAna,55,1234 5678\n", ["+525512345678"]),
        ("AR", "Nombre,Código de área,Celular\nAna,011,15-4444-5555\n", ["+5491144445555"]),
        ("BR", "Nome,DDD,Celular\nAna,11,11 96123-4567\n", ["+5511961234567"]),
        ("BR", "Nome,DDD,Celular\nAna,,+34 612 345 678\n", ["+34612345678"]),
    ],
)
def test_an_area_code_in_a_column_of_its_own_is_part_of_the_number(
    roll: Roll, country: str, text: str, phones: list[str]
) -> None:
    roll.import_text(text, default_country=country)

    more = roll.rows("SELECT written FROM contact_keys WHERE kind = 'phone'")
    assert [phone for (phone,) in roll.living("phone") + more] == phones


def test_parts_of_an_address_stand_in_their_order(roll: Roll) -> None:
    roll.import_text(
        "Nome;Telefone;Endereço;Bairro;Cidade;UF;Data de cadastro;Observação\n"
        "Ana;+55 11 96666-1111;Av. Paulista, 1000;Bela Vista;São Paulo;SP;2024-05-06;gosta de café\n"
    )

    assert roll.living("address, city") == [("Av. Paulista, 1000, Bela Vista, SP", "São Paulo")]
    assert roll.rows("SELECT text FROM notes") == [("gosta de café",)]


def test_a_creation_date_that_was_mended_is_taken(roll: Roll) -> None:
    first = roll.import_text("Nombre,Correo,Fecha de creación\nAna,a@example.org,03/04/2026\n")
    mended = roll.import_text("Nombre,Correo,Fecha de creación\nAna,a@example.org,2026-04-03\n")
    later = roll.import_text("Nombre,Correo,Fecha de creación\nAna,a@example.org,2026-05-03\n")
    with reading(roll.engine) as connection:
        [made] = connection.execute(select(contacts.c.created_at)).scalars()

    assert (first.warnings, mended.updated, later.unchanged) == (1, 1, 1)
    assert made == datetime(2026, 4, 3, tzinfo=UTC)


# ── what people write around a phone or an address ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cell", "phones"),
    [
        ("300 111 2233 (solo mensajes)", ["+573001112233"]),
        ('"300 111 2233 (mamá), 310 444 5566 (papá)"', ["+573001112233", "+573104445566"]),
        ("573001112233@c.us / 573104445566@C.US", ["+573001112233", "+573104445566"]),
        ("573001112233@S.WhatsApp.net", ["+573001112233"]),
        ("301 555 0010 whatsapp", ["+573015550010"]),
        ("301 555 0013 - solo whatsapp", ["+573015550013"]),
        ("301 555 0014 María", ["+573015550014"]),
        ('"301 555 0022, llamar tarde"', ["+573015550022"]),
    ],
)
def test_phones_with_words_around_them(roll: Roll, cell: str, phones: list[str]) -> None:
    report = roll.import_text(f"nombre,celular\nAna,{cell}\n")

    more = roll.rows("SELECT written FROM contact_keys WHERE kind = 'phone'")
    assert [phone for (phone,) in roll.living("phone") + more] == phones
    assert report.warnings == 0


@pytest.mark.parametrize(
    ("cell", "emails"),
    [
        ("ana@example.org (trabajo)", ["ana@example.org"]),
        ("ana@example.org.", ["ana@example.org"]),
        ("Correo: ana@example.org", ["ana@example.org"]),
        ("SMTP:ana@example.org;smtp:eva@example.org", ["ana@example.org", "eva@example.org"]),
        ("SMTP:ana@example.org", ["ana@example.org"]),
        ("ana@example.org y eva@example.org", ["ana@example.org", "eva@example.org"]),
    ],
)
def test_addresses_with_words_around_them(roll: Roll, cell: str, emails: list[str]) -> None:
    report = roll.import_text(f"nombre,correo\nAna,{cell}\n")

    more = roll.rows("SELECT written FROM contact_keys WHERE kind = 'email'")
    assert [email for (email,) in roll.living("email") + more] == emails
    assert report.warnings == 0


@pytest.mark.parametrize("cell", ['"a@example.org, Cali"', '"300 111 2234,a@example.org"'])
def test_what_is_no_address_in_a_cell_of_addresses_is_said(roll: Roll, cell: str) -> None:
    report = roll.import_text(f"nombre,correo\nAna,{cell}\n")

    assert (roll.living("email"), report.warnings) == ([("a@example.org",)], 1)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("Correo electrónico del trabajo", "email"),
        ("Work E-mail", "email"),
        ("Mail 2", "email"),
        ("Correo institucional", "email"),
        ("Correo empresa", "email"),
        ("Tel. Casa", "phone"),
        ("Teléfono Fijo 2", "phone"),
        ("Tel. directo oficina", "phone"),
        ("Saved Name", "display_name"),
        ("Número", None),
        ("Correo enviado", None),
        ("Mail count", None),
        ("Fecha del último correo", None),
    ],
)
def test_more_headers(header: str, target: str | None) -> None:
    assert header_target(header) == target


def test_a_second_column_of_one_field_is_named_where_it_says_something_else(roll: Roll) -> None:
    report = roll.import_text(
        "Nombre,Email,Ciudad,Localidad,Pais,Country\nAna,a@example.org,Cali,Centro,Perú,Perú\n"
        "Eva,e@example.org,,Suba,,\n"
    )

    assert roll.living("city") == [("Cali",), ("Suba",)]
    assert report.columns_not_taken == ("Localidad",)


def test_a_customer_beside_a_contact_is_the_company(roll: Roll) -> None:
    roll.import_text("Cliente,Contacto,Email\nFerretería Sur,Juan Pérez,j@example.org\n")
    roll.import_text("Cliente,Email\nAna Gil,a@example.org\n")

    assert roll.living("display_name, company") == [("Juan Pérez", "Ferretería Sur"), ("Ana Gil", None)]


def test_salesforce_s_data_loader_writes_its_names_in_capitals(roll: Roll) -> None:
    head = "ID,ACCOUNTID,LASTNAME,FIRSTNAME,PHONE,MOBILEPHONE,EMAIL,HASOPTEDOUTOFEMAIL,HASOPTEDOUTOFFAX,DONOTCALL\n"

    roll.import_text(
        f"{head}003A00000000001AAA,001,Uno,Rose,(512) 757-6000,(512) 757-9340,r@example.org,false,true,false\n"
        "003B00000000001AAA,001,Dos,Luis,(512) 757-6001,,l@example.org,true,false,true\n",
        default_country="US",
    )

    assert roll.living("display_name, phone") == [("Rose Uno", "+15127579340"), ("Luis Dos", "+15127576001")]
    assert consents(roll) == [("email", "out"), ("phone", "out")]
    assert ids(roll) == ["salesforce:003A00000000001AAA", "salesforce:003B00000000001AAA"]


def test_an_apostrophe_before_a_number_is_no_part_of_an_id_and_a_total_is_nobody_s(roll: Roll) -> None:
    roll.import_text("Customer ID,email\n'6521234567890,a@example.org\nTotal general: 2,\n")

    assert ids(roll) == ["default:6521234567890"]


def test_text_that_was_encoded_twice_is_read_as_it_was_meant_and_said(roll: Roll) -> None:
    report = roll.import_text("nombre,telefono,ciudad\nJosÃ© PeÃ±a,3001112233,BogotÃ¡\nJoÃO,3001112234,SÃO\n")

    assert roll.living("display_name, city") == [("José Peña", "Bogotá"), ("JoÃO", "SÃO")]
    assert report.warnings == 1


@pytest.mark.parametrize("header", ["DNI / CUIT", "CUIL", "RUC", "CPF", "Cédula", "NIT", "Order ID", "Pedido", "Total"])
def test_numbers_that_are_no_phones_are_not_proposed_as_phones(header: str) -> None:
    cells = pa.table({"c0": ["27123456789", "20123456789", "20123456780"]})

    (proposal,) = propose([header], RawFrame(cells), Profile(default_country="AR"), {})

    assert proposal.target.startswith("custom.")


def test_a_status_of_no_longer_subscribed_is_an_opt_out(roll: Roll) -> None:
    roll.import_text("nombre,correo,estado\nAna,a@example.org,Dado de baja\n")

    assert consents(roll) == [("all", "out")]


@pytest.mark.parametrize("country", ["Argentina", "Italia", "UK", "Alemania", "India"])
def test_a_country_beside_a_phone_makes_no_number_that_there_is_not(roll: Roll, country: str) -> None:
    roll.import_text(f"nombre,telefono,pais\nAna,3001112222,{country}\n")

    assert roll.living("phone") == [("+573001112222",)]


def test_a_calling_code_beside_a_phone_comes_before_the_row_s_country(roll: Roll) -> None:
    roll.import_text("nombre,telefono,pais,phone country\nAna,3001112222,Alemania,57\nEva,612345678,México,34\n")

    assert roll.living("phone") == [("+573001112222",), ("+34612345678",)]


@pytest.mark.parametrize(
    ("country", "area", "phone", "number"),
    [
        ("MX", "55", "3334123456", "+523334123456"),
        ("MX", "44", "5512345678", "+525512345678"),
        ("BR", "21", "1187654321", "+551187654321"),
        ("BR", "11", "2132345678", "+552132345678"),
        ("MX", "55", "12345678", "+525512345678"),
    ],
)
def test_a_number_that_is_whole_takes_no_area_code(
    roll: Roll, country: str, area: str, phone: str, number: str
) -> None:
    roll.import_text(f"nombre,area code,telefono\nAna,{area},{phone}\n", default_country=country)

    assert roll.living("phone") == [(number,)]


@pytest.mark.parametrize("remark", ["no existe", "número equivocado", "ya no es", "old"])
def test_a_phone_that_is_not_to_be_used_is_not(roll: Roll, remark: str) -> None:
    report = roll.import_text(f"nombre,telefono,correo\nAna,3001112222 ({remark}),a@example.org\n")

    assert (roll.living("phone"), report.warnings) == ([(None,)], 1)


@pytest.mark.parametrize(
    ("head", "row", "name", "company"),
    [
        ("Customer name,Contact name,Company", "Acme,Juan Pérez,Acme SA", "Juan Pérez", "Acme SA"),
        ("Cliente,Nombre,Apellido", "Acme,Juan,Pérez", "Juan Pérez", "Acme"),
        ("Nombre,Cliente", "Juan Pérez,Sí", "Juan Pérez", "Sí"),
        ("Cliente", "Juan Pérez", "Juan Pérez", None),
    ],
)
def test_who_is_the_person_and_who_the_customer(
    roll: Roll, head: str, row: str, name: str, company: str | None
) -> None:
    roll.import_text(f"{head},Email\n{row},j@example.org\n")

    assert roll.living("display_name, company") == [(name, company)]


@pytest.mark.parametrize("number", ["TOTAL-2024-001", "Total 7"])
def test_an_id_that_begins_like_a_total_is_one(roll: Roll, number: str) -> None:
    roll.import_text(f"id externo,correo\n{number},a@example.org\n")

    assert ids(roll) == [f"default:{number}"]
