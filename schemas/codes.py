"""The codes of the row report: stable names, with their sentence in each language. Codes are never renamed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """Why a row or a cell was not taken, or what was noticed about it."""

    name: str
    en: str
    es: str
    en_suggestion: str = ""
    es_suggestion: str = ""

    def message(self, language: str) -> str:
        return self.es if language == "es" else self.en

    def suggestion(self, language: str) -> str:
        return self.es_suggestion if language == "es" else self.en_suggestion


CODES: dict[str, Code] = {
    code.name: code
    for code in (
        Code(
            "no_key",
            "The row has no usable phone, e-mail or external id, so nobody can be told from it.",
            "La fila no tiene un teléfono, correo o id externo utilizable: no se sabe de quién es.",
            "Fill in a phone with its country prefix, or an e-mail.",
            "Escriba un teléfono con prefijo de país, o un correo.",
        ),
        Code(
            "erased",
            "This person asked to be erased, and does not come back by a file. The row's cells are left out here.",
            "Esta persona pidió que se la borrara, y no vuelve con un archivo. Aquí se omiten las celdas de la fila.",
            "Nothing, unless the person wants to come back: padron contacts readmit",
            "Nada, salvo que la persona quiera volver: padron contacts readmit",
        ),
        Code(
            "not_an_option",
            "This is none of the field's options.",
            "Esto no es ninguna de las opciones del campo.",
            "Write one of them, or add it: padron fields options",
            "Escriba una de ellas, o añádala: padron fields options",
        ),
        Code(
            "no_id",
            "The interaction has no id, so that it could not be told whether it came twice.",
            "La interacción no tiene id: no se sabría si llega dos veces.",
            "Fill in the id that the platform gives it.",
            "Escriba el id que le da la plataforma.",
        ),
        Code(
            "wrong_kind",
            "This is no kind of interaction.",
            "Esto no es un tipo de interacción.",
            "Write received, sent, replied, clicked or another word in small letters.",
            "Escriba received, sent, replied, clicked u otra palabra en minúsculas.",
        ),
        Code(
            "unknown_channel",
            "There is no such channel.",
            "No existe ese canal.",
            "Write whatsapp, instagram, facebook, telegram, webchat, sms, email or phone.",
            "Escriba whatsapp, instagram, facebook, telegram, webchat, sms, email o phone.",
        ),
        Code(
            "wrong_time",
            "The time lies before 2000, or has not come yet.",
            "La fecha es anterior a 2000, o aún no ha llegado.",
            "Check the date and its zone.",
            "Revise la fecha y su zona.",
        ),
        Code(
            "no_such_contact",
            "No contact has this number, phone, e-mail or id.",
            "Ningún contacto tiene ese número, teléfono, correo o id.",
            "Import the contact first, then send this row again.",
            "Importe antes el contacto, y envíe de nuevo esta fila.",
        ),
        Code(
            "phone_invalid",
            "This is not a phone number.",
            "Esto no es un número de teléfono.",
            "Write it as +57 300 111 2233.",
            "Escríbalo como +57 300 111 2233.",
        ),
        Code(
            "phone_no_country",
            "The phone has no country prefix and the profile has no default country.",
            "El teléfono no tiene prefijo de país y el perfil no tiene país por defecto.",
            "Write it with + and the prefix, or set default_country in the profile.",
            "Escríbalo con + y el prefijo, o ponga default_country en el perfil.",
        ),
        Code(
            "phone_unlikely",
            "The phone has too many or too few digits, or begins as no number of its country does.",
            "El teléfono tiene dígitos de más o de menos, o empieza como ningún número de su país.",
            "Check the digits, and the country prefix.",
            "Revise los dígitos y el prefijo de país.",
        ),
        Code(
            "phone_digits_lost",
            "A spreadsheet rounded the phone (1.2E+11): its last digits are lost.",
            "Una hoja de cálculo redondeó el teléfono (1,2E+11): se perdieron sus últimos dígitos.",
            "Format the column as text in the original file and export it again.",
            "Dé formato de texto a la columna en el archivo original y expórtelo de nuevo.",
        ),
        Code(
            "phone_not_assigned",
            "The phone has a possible length but is in no range that its country uses.",
            "El teléfono tiene un largo posible, pero no está en ningún rango usado en su país.",
            "Check the number, or set phones = 'possible' in the profile.",
            "Revise el número, o ponga phones = 'possible' en el perfil.",
        ),
        Code(
            "email_invalid",
            "This is not an e-mail address.",
            "Esto no es una dirección de correo.",
            "Write it as name@example.com.",
            "Escríbala como nombre@ejemplo.com.",
        ),
        Code(
            "date_ambiguous",
            "Day and month cannot be told apart.",
            "No se distingue el día del mes.",
            "Write it as 2026-04-03, or set date_order in the profile.",
            "Escríbala como 2026-04-03, o ponga date_order en el perfil.",
        ),
        Code(
            "date_invalid",
            "This is not a date.",
            "Esto no es una fecha.",
            "Write it as 2026-04-03 or 2026-04-03 14:30.",
            "Escríbala como 2026-04-03 o 2026-04-03 14:30.",
        ),
        Code(
            "number_ambiguous",
            "It cannot be told whether the mark is a decimal or a thousands separator.",
            "No se sabe si el signo separa decimales o miles.",
            "Write it without thousands separators, or set decimal in the profile.",
            "Escríbalo sin separador de miles, o ponga decimal en el perfil.",
        ),
        Code(
            "number_invalid",
            "This is not a number.",
            "Esto no es un número.",
            "Write it as 1234.5.",
            "Escríbalo como 1234.5.",
        ),
        Code(
            "boolean_invalid",
            "This is neither yes nor no.",
            "Esto no es ni sí ni no.",
            "Write yes or no.",
            "Escriba sí o no.",
        ),
        Code(
            "consent_unclear",
            "It cannot be told from this whether the person opted out, so it counts as opted out.",
            "No se sabe por esto si la persona se dio de baja, así que cuenta como baja.",
            "Write yes or no, or the date. The opt-out stays until somebody lifts it: a file does not.",
            "Escriba sí o no, o la fecha. La baja queda hasta que alguien la levante: un archivo no lo hace.",
        ),
        Code(
            "consent_unknown",
            "It cannot be told from this whether the person consents, so no consent was noted.",
            "No se sabe por esto si la persona consiente, así que no se anotó ningún consentimiento.",
            "Write yes or no, or the date.",
            "Escriba sí o no, o la fecha.",
        ),
        Code(
            "phone_extension",
            "The phone was taken without its extension.",
            "El teléfono se tomó sin su extensión.",
            "Keep the extension in the notes.",
            "Guarde la extensión en las notas.",
        ),
        Code(
            "status_unknown",
            "This status is not known.",
            "Este estado no se conoce.",
            "Use active, inactive, blocked or archived.",
            "Use activo, inactivo, bloqueado o archivado.",
        ),
        Code(
            "channel_unknown",
            "This channel is not known.",
            "Este canal no se conoce.",
            "Use whatsapp, instagram, facebook, telegram, webchat, sms, email or phone.",
            "Use whatsapp, instagram, facebook, telegram, webchat, sms, email o phone.",
        ),
        Code(
            "too_long",
            "The text is longer than this field holds.",
            "El texto es más largo de lo que cabe en este campo.",
            "Shorten it, or map the column to a long text field.",
            "Acórtelo, o lleve la columna a un campo de texto largo.",
        ),
        Code(
            "control_character",
            "The cell holds a control character (such as NUL) that no text has.",
            "La celda tiene un carácter de control (como NUL) que ningún texto lleva.",
            "Delete the character and send the row again.",
            "Borre el carácter y envíe la fila de nuevo.",
        ),
        Code(
            "cell_error",
            "The spreadsheet cell holds an error or a formula without a result.",
            "La celda de la hoja tiene un error o una fórmula sin resultado.",
            "Mend the formula, save the workbook in a spreadsheet program, and send it again.",
            "Corrija la fórmula, guarde el libro en su hoja de cálculo y envíelo de nuevo.",
        ),
        Code(
            "bad_encoding",
            "The row has bytes that are not text in the file's encoding.",
            "La fila tiene bytes que no son texto en la codificación del archivo.",
            "Save the file as UTF-8 and send the row again.",
            "Guarde el archivo como UTF-8 y envíe la fila de nuevo.",
        ),
        Code(
            "double_encoded",
            "The text was encoded twice, as José is that became JosÃ©; it was read as it was meant.",
            "El texto se codificó dos veces, como José que quedó en JosÃ©; se leyó como debía ser.",
            "Nothing has to be done. Export with UTF-8 once to be rid of this.",
            "No hace falta nada. Exporte en UTF-8 una sola vez para evitarlo.",
        ),
        Code(
            "column_count",
            "The row has more or fewer cells than the header.",
            "La fila tiene más o menos celdas que el encabezado.",
            "Add the separators that are missing at its end, or put cells that contain the separator in quotes.",
            "Añada al final los separadores que faltan, o ponga entre comillas las celdas que los contienen.",
        ),
        Code(
            "json_invalid",
            "The line is not a JSON object.",
            "La línea no es un objeto JSON.",
            'Write it as {"phone": "+57 300 111 2233"}.',
            'Escríbala como {"phone": "+57 300 111 2233"}.',
        ),
        Code(
            "quote_unclosed",
            "A quotation mark opens in this row and never closes.",
            "En esta fila se abre una comilla que nunca se cierra.",
            "Close the quotation mark, or double it if it is part of the text.",
            "Cierre la comilla, o escríbala doble si es parte del texto.",
        ),
        Code(
            "quote_inside",
            "A quotation mark inside a cell in quotes is not doubled.",
            "Una comilla dentro de una celda entre comillas no está doblada.",
            'Write it twice: "he said ""no"" again".',
            'Escríbala dos veces: "dijo ""no"" ayer".',
        ),
        Code(
            "repeated_header",
            "The row repeats the header.",
            "La fila repite el encabezado.",
            "Delete the line.",
            "Borre la línea.",
        ),
        Code(
            "already_exists",
            "The contact exists already and the profile only creates.",
            "El contacto ya existe y el perfil solo crea.",
            "Use mode = 'upsert' to update it.",
            "Use mode = 'upsert' para actualizarlo.",
        ),
        Code(
            "not_found",
            "No such contact exists and the profile only updates.",
            "No existe tal contacto y el perfil solo actualiza.",
            "Use mode = 'upsert' to create it.",
            "Use mode = 'upsert' para crearlo.",
        ),
        Code(
            "key_shared",
            "The phone or e-mail belongs to a contact with another name, so it was kept as shared; a person decides.",
            "El teléfono o correo es de un contacto con otro nombre: quedó como compartido y una persona decide.",
        ),
        Code(
            "names_disagree",
            "The row's external id leads to a contact or an earlier row with another name; it was applied there.",
            "El id externo de la fila lleva a un contacto o una fila anterior con otro nombre; se aplicó ahí.",
            "If they are two people, the ids come from two systems: give each its own source in a profile.",
            "Si son dos personas, los ids son de dos sistemas: dé a cada uno su propio source en un perfil.",
        ),
        Code(
            "keys_disagree",
            "The row's keys are of more than one contact; it went to the first, and a person decides about the pair.",
            "Más de un contacto tiene las claves de la fila; fue al primero y una persona decide sobre el par.",
        ),
        Code(
            "skipped",
            "The contact exists already and the profile leaves existing contacts alone.",
            "El contacto ya existe y el perfil deja en paz a los existentes.",
        ),
        Code(
            "stays_blocked",
            "The contact stays blocked: a file never lifts a block.",
            "El contacto sigue bloqueado: un archivo nunca levanta un bloqueo.",
        ),
    )
}
DAMAGED = ("column_count", "quote_unclosed", "quote_inside", "bad_encoding", "control_character")
"""What makes a whole row unreadable."""
