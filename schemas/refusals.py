"""Why a whole file was not taken, in each language. The keys are stable; the sentences say what to do."""

from typing import Any

from schemas.errors import InputError
from schemas.sentences import Sentence

REFUSALS: dict[str, tuple[str, str]] = {
    "empty": (
        "{name} is empty: there is no header and no row in it.",
        "{name} está vacío: no tiene encabezado ni filas.",
    ),
    "not_delimited": (
        "{name} is not delimited text (it looks like JSON, vCard or HTML). Export it as CSV.",
        "{name} no es texto delimitado (parece JSON, vCard o HTML). Expórtelo como CSV.",
    ),
    "binary": (
        "{name} is not a contact file (a picture, document, program or other binary data). Send CSV or Excel.",
        "{name} no es un archivo de contactos (una imagen, documento, programa u otros datos binarios). "
        "Envíe CSV o Excel.",
    ),
    "encoding": (
        "{name} is neither UTF-8 nor Western European text, and its encoding cannot be told from the file. "
        "Save it as UTF-8, or say which it is (the option encoding, here or in a profile): cp1251, shift_jis, gb18030, "
        "mac_roman …",
        "{name} no es texto UTF-8 ni de Europa occidental, y su codificación no se deduce del archivo. "
        "Guárdelo como UTF-8, o indique cuál es (la opción encoding, aquí o en un perfil): cp1251, shift_jis, gb18030, "
        "mac_roman …",
    ),
    "encoding_wrong": (
        "This file is not text in the encoding {encoding}. Leave the encoding out, or name another one.",
        "Este archivo no es texto en la codificación {encoding}. No la indique, o indique otra.",
    ),
    "encoding_unknown": (
        "Encoding {encoding} is not known. Try utf-8, cp1252, latin-1 or utf-16.",
        "La codificación {encoding} no se conoce. Pruebe utf-8, cp1252, latin-1 o utf-16.",
    ),
    "no_header": (
        "{name} has no header line that names its columns (the first line looks like a contact). "
        "Add a line such as: name,phone,email. Or say in the profile which line is the header (header_row).",
        "{name} no tiene una línea de encabezado que nombre sus columnas (la primera parece un contacto). "
        "Añada una línea como: nombre,teléfono,correo. O indique en el perfil cuál es el encabezado (header_row).",
    ),
    "no_header_row": (
        "{name} has nothing on line {row} that could be its header. Lines count from 1.",
        "{name} no tiene en la línea {row} nada que pueda ser su encabezado. Las líneas se cuentan desde 1.",
    ),
    "no_sheet_header": (
        "{name} has no header line that names its columns on its visible sheets ({sheets}). "
        "Add one such as: name | phone | email.",
        "{name} no tiene una línea de encabezado que nombre sus columnas en sus hojas visibles ({sheets}). "
        "Añada una como: nombre | teléfono | correo.",
    ),
    "several_sheets": (
        "{name} has contacts on several sheets ({sheets}). Say which one: the option --sheet of padron import, or "
        "sheet in a profile.",
        "{name} tiene contactos en varias hojas ({sheets}). Indique cuál: la opción --sheet de padron import, o "
        "sheet en un perfil.",
    ),
    "no_sheet": (
        "{name} has no visible sheet {sheet}. It has: {sheets}.",
        "{name} no tiene una hoja visible {sheet}. Tiene: {sheets}.",
    ),
    "no_keys": (
        "{name} has no column that is known to be a phone, an e-mail or an external id (its columns: {columns}). "
        "A profile can say what they are; this proposes one and keeps it: "
        "padron import {path} --preview --save-profile NAME.",
        "{name} no tiene una columna que se sepa de teléfono, correo o id externo (sus columnas: {columns}). "
        "Un perfil puede decir qué son; esto propone uno y lo guarda: "
        "padron import {path} --preview --save-profile NOMBRE.",
    ),
    "interaction_columns": (
        "{name} lacks columns that interactions have: {missing} (its columns: {columns}). Name them so in its header.",
        "A {name} le faltan columnas que tienen las interacciones: {missing_es} (sus columnas: {columns}). "
        "Nómbrelas así en el encabezado.",
    ),
    "json_encoding": (
        "{name} is not UTF-8 text. JSON lines are always UTF-8.",
        "{name} no es texto UTF-8. Las líneas JSON son siempre UTF-8.",
    ),
    "no_objects": (
        '{name} holds no JSON objects. Write one object a line: {{"phone": "+57…"}}.',
        '{name} no contiene objetos JSON. Escriba un objeto por línea: {{"phone": "+57…"}}.',
    ),
    "encrypted": (
        "{name} is encrypted: it is protected by a password or key. Save it without one and send it again.",
        "{name} está cifrado: lo protege una contraseña o clave. Guárdelo sin ella y envíelo de nuevo.",
    ),
    "parquet_damaged": (
        "{name} is damaged after row {row}: {reason}. Export it again.",
        "{name} está dañado después de la fila {row}. Expórtelo de nuevo.",
    ),
    "not_parquet": (
        "{name} is not a readable Parquet file: {reason}. Export it again.",
        "{name} no es un archivo Parquet legible. Expórtelo de nuevo.",
    ),
    "packed_damaged": (
        "{name} cannot be unpacked: it is damaged, cut off or encrypted ({reason}).",
        "{name} no se puede descomprimir: está dañado, cortado o cifrado.",
    ),
    "packed_several": (
        "{name} holds {count} files. Send a zip with exactly one contact file in it.",
        "{name} contiene {count} archivos. Envíe un zip con exactamente un archivo de contactos.",
    ),
    "packed_escapes": (
        "{name} holds a file whose name leads out of its folder ({inner}), so it is refused.",
        "{name} contiene un archivo cuyo nombre sale de su carpeta ({inner}), así que se rechaza.",
    ),
    "packed_huge": (
        "{name} unpacks to more than can be kept ({size} bytes and going on).",
        "{name} ocupa al descomprimirse más de lo que se puede guardar ({size} bytes y sigue).",
    ),
    "line_long": (
        "{name} has a line of more than 8 million characters, so it is no file of contacts. Look at how it was made.",
        "{name} tiene una línea de más de 8 millones de caracteres: no es un archivo de contactos. Mire cómo se hizo.",
    ),
    "web_page": (
        "{name} is a web page named as a workbook. Open it in a spreadsheet and save it as xlsx.",
        "{name} es una página web con nombre de libro de Excel. Ábrala en una hoja de cálculo y guárdela como xlsx.",
    ),
    "workbook_damaged": (
        "{name} cannot be opened as a workbook: it is damaged, cut off or of another kind {reason}.",
        "{name} no se puede abrir como libro: está dañado, cortado o es de otro tipo.",
    ),
    "workbook_bomb": (
        "{name} unpacks to {megabytes} MB in {parts} parts, far more than a contact list needs, so it is refused as "
        "unsafe. Save it again as CSV.",
        "{name} ocupa al abrirse {megabytes} MB en {parts} partes, mucho más de lo que necesita una lista de "
        "contactos, así que se rechaza por seguridad. Guárdelo como CSV.",
    ),
    "workbook_slow": (
        "{name} took longer than {seconds} s to read. Save it as CSV.",
        "{name} tardó más de {seconds} s en leerse. Guárdelo como CSV.",
    ),
    "workbook_large": (
        "{name} needs more memory or time than a workbook may use. Delete formatted empty areas, or save as CSV.",
        "{name} necesita más memoria o tiempo del permitido. Borre las zonas vacías con formato, o guárdelo como CSV.",
    ),
    "cancelled": (
        "{name} was stopped by {by} after {rows} of its rows. What those did stays, and can be taken back: "
        "padron batches undo {batch}.",
        "{by} detuvo {name} después de {rows} de sus filas. Lo que hicieron queda, y se puede deshacer: "
        "padron batches undo {batch}.",
    ),
    "again": (
        " To import all of it after all: padron batches retry {batch}",
        " Para importarlo entero de todas formas: padron batches retry {batch}",
    ),
    "gone": (
        "{name} is no longer in {path}, so it was not imported. Drop it again.",
        "{name} ya no está en {path}, así que no se importó. Déjelo de nuevo.",
    ),
    "parked": (
        " Then send the file again: padron batches retry {batch} --profile NAME",
        " Después envíe el archivo de nuevo: padron batches retry {batch} --profile NOMBRE",
    ),
    "given_up": (
        "{name} was given up after {attempts} attempts in which the worker died or failed. "
        "Look at the worker's log, then send it again with: padron batches retry {batch}",
        "{name} se abandonó tras {attempts} intentos en que el proceso murió o falló. "
        "Mire el registro del proceso y envíelo de nuevo con: padron batches retry {batch}",
    ),
}


def refusal(key: str, **values: Any) -> Sentence:
    """The sentence for this key.

    >>> refusal("empty", name="a.csv").es
    'a.csv está vacío: no tiene encabezado ni filas.'
    """
    english, spanish = REFUSALS[key]
    return Sentence(english.format(**values), spanish.format(**values))


class Refused(InputError):
    """A whole file was not taken."""

    def __init__(self, key: str, **values: Any) -> None:
        said = refusal(key, **values)
        super().__init__(said.en, said.es)
        self.key, self.values = key, values


class NeedsAnswer(Refused):
    """The file can be read only after a person says something about it: a mapping, an encoding, a sheet."""


class Cancelled(Refused):
    """Somebody asked the import to stop."""


class UnreadableFile(Refused):
    """The file is not what its name says, is damaged, or is no contact file at all."""
