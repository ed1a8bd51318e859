"""What the headers of contact files are called, in Spanish, English, Portuguese, French and German.

A header is compared in its *header form*: no case, accents, punctuation or double spaces.
"""

import re
import unicodedata
import zlib

from schemas.consents import consent_target
from schemas.fields import CUSTOM, CUSTOM_KEY_LIMIT

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]")
_NOT_WORD = re.compile(r"[^0-9a-z\u0370-\uffff]+")


def header_form(text: str) -> str:
    """The form in which headers are compared.

    >>> header_form("  Correo_Electrónico ")
    'correo electronico'
    """
    plain = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text).casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return _NOT_WORD.sub(" ", plain).strip()


_ONE_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:__c)?")
_SHORTEST_SQUEEZED = 7
_SQUEEZED = {
    words.replace(" ", ""): words
    for words in [
        "first name",
        "last name",
        "middle name",
        "mobile phone",
        "home phone",
        "other phone",
        "assistant phone",
        "account id",
        "created date",
        "last activity date",
        "mailing street",
        "mailing city",
        "mailing state",
        "mailing postal code",
        "mailing country",
        "is deleted",
        "has opted out of email",
        "has opted out of fax",
        "do not call",
        "owner id",
        "last modified date",
        "system modstamp",
    ]
}
"""Names of fields as Salesforce's Data Loader writes them: MOBILEPHONE."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def header_forms(text: str) -> tuple[str, ...]:
    """The header form, and for names as programs write them also the form of their words.

    >>> header_forms("HasOptedOutOfEmail"), header_forms("Correo")
    (('hasoptedoutofemail', 'has opted out of email'), ('correo',))
    """
    stripped = text.strip()
    form = header_form(stripped)
    parts = header_form(_HUMP.sub(" ", stripped)) if _ONE_WORD.fullmatch(stripped) else form
    if stripped.isupper() and len(stripped) >= _SHORTEST_SQUEEZED:
        parts = _SQUEEZED.get(stripped.lower(), parts)
    return (form,) if parts == form else (form, parts)


_NAMES: dict[str, str] = {
    "external_id": "id de cliente|external id|id externo|identifier|identificador|external key|contact uuid|uuid"
    "|contact id|record id|person id|crm id|id contacto|id de contacto|codigo cliente|id cliente|customer id|client id"
    "|id do cliente|id de registro|id do registro|persona id|pessoa id",
    "first_name": "first name|firstname|given name|nombre|nombres|primer nombre|nome|primeiro nome|prenom|vorname"
    "|first|fname|nombre de pila|name first|name given|nombre s",
    "middle_name": "middle name|middlename|additional name|segundo nombre|nome do meio|second name|segundo nome",
    "last_name": "last name|lastname|surname|family name|apellido|apellidos|primer apellido|sobrenome|ultimo nome|nom"
    "|nom de famille|nachname|apellido paterno|lname|last|name last|name family|apellido s",
    "second_last_name": "segundo apellido|apellido materno|second last name|second surname",
    "display_name": "saved name|public name|nombre guardado|nombre publico|name|full name|fullname|display name"
    "|nombre completo|nombre y apellidos|nombre y apellido|nombres y apellidos|nombre cliente|nombre del cliente"
    "|nombre contacto|nome completo|contact name|contacto|contact|cliente|person name|nom complet|customer name"
    "|vollstandiger name|complete name",
    "phone": "iphone|whats|wpp|zap|billing phone|default address phone|user phone|tel directo oficina|tel directo"
    "|phone|phone number|phonenumber|mobile|mobile phone|mobile number|mobile no|cell|cell phone|cellphone|telephone"
    "|tel|telefono|telefono movil|telefono celular|numero de telefono|numero telefono|celular|movil|numero celular"
    "|numero de celular|whatsapp|numero de whatsapp|numero whatsapp|whatsapp number|telefone|telefone celular"
    "|telemovel|numero de telefone|fone|contact number|primary phone|phone 1|telefono 1|telephone mobile|portable"
    "|handy|telefon|telefon mobil|telefonnummer|mobiltelefon|mobil|urn tel|urn whatsapp|home phone|work phone"
    "|business phone|telefono fijo|telefono casa|telefono trabajo|phone home|phone work|phone mobile|phone other"
    "|phone e164|msisdn|wa id|numero de contacto|other phone|phone 2|telefono 2|mobile phone number"
    "|whatsapp phone number|whatsapp phone|numero de telefono de whatsapp|telefono whatsapp|landline|landline number"
    "|landline phone|fijo|numero fijo|telefone fixo|numero de telefono movil|phones|telefonos|celulares|phone numbers"
    "|mobiles|telefones|telefono del trabajo|telefono particular|telefono oficina|telefono de la oficina"
    "|telefono del trabajo 2|telefono particular 2|otro telefono|telefono principal|telefono alternativo"
    "|telefono secundario|secondary phone|cel|tfno|tlf|tlfno|telf|telefone comercial|telefone residencial"
    "|telefone principal|telefone do trabalho|outro telefone|tel cel|tel movil|tel fijo",
    "phone_country": "country code|phone country|phone country code|codigo de pais|codigo pais|indicativo"
    "|codigo do pais|prefijo|calling code",
    "phone_area": "ddd|lada|area code|codigo de area|codigo area|caracteristica|cod area|codigo de la ciudad",
    "email": "mail id|correo e|user email|billing email|e mail priv|email priv|usuario email|email|e mail|mail"
    "|email address|e mail address|correo|correo electronico|direccion de correo|direccion de correo electronico"
    "|email 1|e mail 1|emails|endereco de e mail|courriel|adresse e mail|e mail adresse|email work|email home"
    "|work email|primary email|personal email|email id|urn mailto|email 2|correo 1|correo 2|adresse email|email other"
    "|secondary email|correo secundario|correo alternativo|correos|correos electronicos|email addresses"
    "|alternate email|alternative email|mails|endereco de email|email de contacto|correo de contacto"
    "|e mail de contacto|email contacto|correo contacto|email de contato|e mail de contato",
    "company": "empresa principal|company|company name|organization|organisation|organization name|empresa|compania"
    "|organizacion|organizacao|nombre de empresa|nombre de la empresa|razon social|societe|entreprise|firma"
    "|account name|primary company|associated company|nombre de la cuenta|nombre de cuenta|empresa associada"
    "|empresa principal associada|empresa asociada|empresa principal asociada",
    "street": "billing address 1|billing address 2|default address address1|default address address2|calle del trabajo"
    "|calle de trabajo|calle particular|street|street address|calle|rua|strasse|mailing street|street 2|street2"
    "|calle de correo|rua do endereco comercial|rua do endereco residencial",
    "neighborhood": "colonia|barrio|bairro|neighborhood|neighbourhood|distrito",
    "address": "address|direccion|endereco|domicilio|adresse|direccion completa|full address|anschrift|morada",
    "region": "uf|provincia o estado|billing state|default address province|state|region|province|state province"
    "|estado o provincia|provincia|departamento|mailing state province|mailing state|entidad federativa|state region"
    "|estado region|estado de trabajo|estado del trabajo|estado o provincia de correo|estado do endereco comercial"
    "|estado do endereco residencial",
    "postal_code": "billing postcode|default address zip|zip|zip code|postal code|postcode|codigo postal|cp|c p|cep"
    "|plz|code postal|mailing zip postal code|mailing postal code|mailing zip|zip postal code|codigo postal de correo"
    "|cep do endereco comercial|cep do endereco residencial",
    "city": "billing city|default address city|ciudad del trabajo|ciudad de trabajo|ciudad particular|city|ciudad"
    "|cidade|ville|ort|stadt|town|mailing city|localidad|municipio|poblacion|ciudad de correo"
    "|cidade do endereco comercial|cidade do endereco residencial",
    "country": "billing country|default address country|country|pais|pays|land|mailing country|country region"
    "|pais region|pais o region|pais del trabajo|pais o region del trabajo|pais de correo"
    "|pais regiao do endereco comercial|pais regiao do endereco residencial|pais regiao|pais o region del domicilio"
    "|pais o region particular",
    "photo_url": "photo|photo url|foto|foto de perfil|avatar|avatar url|picture|profile picture|imagen|url foto",
    "channel": "channel|canal|main channel|canal principal|canal de comunicacion|chat channel",
    "status": "status|estado|estatus|situacao|contact status|estado del contacto|state of contact",
    "blocked": "blocked|bloqueado|blacklisted|is blocked|esta bloqueado",
    "language": "language|idioma|lenguaje|lingua|langue|sprache|locale|lang|preferred language|idioma preferido"
    "|idioma de preferencia",
    "created_at": "fecha de registro|fecha registro|registered|registration date|created|created at|create date"
    "|creation date|date created|created on|created time|fecha de creacion|created date|fecha creacion|creado"
    "|creado el|fecha de alta|fecha alta|alta|data de criacao|criado em|added time|create time|creation|persona creada"
    "|pessoa criada|data de cadastro|data do cadastro|data cadastro|data de inscricao|hora de creacion"
    "|fecha de inscripcion",
    "last_interaction_at": "data da ultima atividade|last interaction|last interaction at|last activity"
    "|last activity at|last activity date|ultima interaccion|ultimo contacto|ultima actividad|last seen|last contacted"
    "|ultima interacao|last message at|fecha de la ultima actividad|fecha de ultima actividad|fecha ultima actividad"
    "|fecha ultima interaccion|fecha de ultima interaccion",
    "tags": "tags|tag|labels|label|etiquetas|etiqueta|marcadores|grupos|groups|group|group membership|categories"
    "|categorias|segments|listas|person label|etiquettes",
    "note": "notes|note|notas|nota|observaciones|observacion|comentarios|comentario|comments|comment|observacoes"
    "|observacao|remarks|notizen|description|descripcion|anotacoes|anotacao|descricao",
}
ALIASES: dict[str, str] = {alias: target for target, names in _NAMES.items() for alias in names.split("|")}

_LINE = r"(tel|telf|tlf|tlfno|tfno|telefonos?|telefones?|celular|cel|movil|whatsapp|wsp|wa|fono|fone|telemovel)"
_WHERE = (
    r"(trabajo|laboral|empresa|empresarial|corporativo|institucional|personal|particular|privado|casa|oficina|hogar)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(e ?mail|(direccion del? )?correo( electronico)?) \d+( value| address)?|e mail \d+ address"),
        "email",
    ),
    (re.compile(r"(phone|telefono|telefone|celular|movil|mobile) \d+( value)?"), "phone"),
    (re.compile(r"(phones?|telefonos?) (mobile|movil|celular|home|casa|work|trabajo|other|otro|whatsapp)"), "phone"),
    (
        re.compile(
            r"(e ?mails?|correos?( electronicos?)?) "
            r"(home|personal|work|trabajo|other|otro|trabalho|pessoal|residencial|comercial|outro|casa)"
        ),
        "email",
    ),
    (re.compile(rf"{_LINE}( {_LINE})*( (de|do) contact?o)?( principal| personal| particular)?"), "phone"),
    (re.compile(rf"{_LINE} (trabalho|comercial|residencial|outro)"), "phone"),
    (re.compile(rf"(n|no|nr|nro|num|numero)( de| do)? (?!whatsapp|wsp|wa\b){_LINE}( {_LINE})*"), "phone"),
    (re.compile(rf"{_LINE} (fij[oa]|movil|directo)?( ?(de|del) (la |el )?)? ?{_WHERE}?( \d)?"), "phone"),
    (re.compile(rf"(e ?mails?|mails?|correos?( electronicos?)?)( (de|del) (la |el )?)? ?{_WHERE}?( \d)?"), "email"),
    (re.compile(r"(work|home|business|other|personal) (e ?mail|mail)"), "email"),
    (re.compile(r"address \d+ formatted"), "address"),
    (re.compile(r"organization \d+ name"), "company"),
    (re.compile(r"address \d+ city"), "city"),
    (re.compile(r"address \d+ country"), "country"),
)
_ADDRESS_PARTS = ("street", "city", "region", "postal_code", "country")
_OF_A_PERSON = ("person ", "persona ", "pessoa ")
"""What Pipedrive puts before the names of its columns."""
_LONGEST = 300
"""No header that means something is longer; cells of data, which are tried too, can be."""
_OWN_FIELD = re.compile(r"\s*field\s*:\s*(\S.*)", re.IGNORECASE | re.DOTALL)
_TRAILING_NOTE = re.compile(r"\s*[(\[][^)\]]*[)\]]\s*$")


def header_target(header: str) -> str | None:
    """The field that a header means by itself, or None; `Field:x` means the custom field x.

    >>> header_target("TELÉFONO_MÓVIL"), header_target("Email (work)"), header_target("Field: Plan")
    ('phone', 'email', 'custom.plan')
    """
    if len(header) > _LONGEST:
        return None
    own = _OWN_FIELD.match(header)
    if own:
        return f"{CUSTOM}{custom_key(own.group(1))}"
    whole, shortened = header_forms(header), header_forms(_TRAILING_NOTE.sub("", header))
    meant = (target for form in whole if (target := _meaning(form)))
    return next(meant, None) or consent_target(whole[-1]) or next(filter(None, map(_meaning, shortened)), None)


def _meaning(form: str) -> str | None:
    """The field that a header form names; parts of an address may say so first."""
    target = ALIASES.get(form)
    if target:
        return target
    inner = ALIASES.get(form.removeprefix("address ").removeprefix("direccion "))
    if inner in _ADDRESS_PARTS:
        return inner
    if form.startswith(_OF_A_PERSON):
        return _meaning(form.partition(" ")[2])
    return next((target for pattern, target in _PATTERNS if pattern.fullmatch(form)), None)


_FIRST_PHONES = (
    re.compile(r"\b(whatsapp|wa|wsp)\b"),
    re.compile(r"\b(mobile|mobil|movil|cell|cellphone|celular|celulares|handy|portable|telemovel|mobiltelefon)\b"),
)
_LAST_PHONES = re.compile(
    r"\b(home|work|business|office|other|landline|fijo|fixo|casa|trabajo|oficina|secondary|secundario|alternativo"
    r"|[2-9])\b"
)


def phone_rank(header: str) -> int:
    """The place of a column of phones among several: WhatsApp, then mobiles, then others, then landlines.

    >>> sorted(["Home Phone", "Phone", "Mobile Phone"], key=phone_rank)
    ['Mobile Phone', 'Phone', 'Home Phone']
    """
    form = header_forms(header)[-1]
    if _LAST_PHONES.search(form) and not any(pattern.search(form) for pattern in _FIRST_PHONES):
        return len(_FIRST_PHONES) + 1
    return next((rank for rank, pattern in enumerate(_FIRST_PHONES) if pattern.search(form)), len(_FIRST_PHONES))


def custom_key(header: str) -> str:
    """The key of a custom field made from a header.

    >>> custom_key("Fecha de Renovación")
    'fecha_de_renovacion'
    """
    form = header_form(header).replace(" ", "_")
    if 0 < len(form) <= CUSTOM_KEY_LIMIT:
        return form
    return f"{form[:50] or 'column'}_{zlib.crc32(header.encode()):08x}"
