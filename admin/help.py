"""The command line's help in Spanish: each English sentence with its translation."""

from typing import Any, Protocol

from typer import rich_utils
from typer._click.core import Command, Context
from typer.core import TyperGroup

SPANISH = {
    "One clean roll of contacts, from files, CRMs and people.": "Un solo padrón limpio de contactos, de archivos, "
    "CRM y personas.",
    "Show this message and exit.": "Muestra esta ayuda.",
    "Import a contact file, or see what importing it would do.": "Importa un archivo de contactos, o muestra qué "
    "haría al importarlo.",
    "CSV, Excel, Parquet or JSON lines; .gz or .zip of one of them.": "CSV, Excel, Parquet o líneas JSON; o uno de "
    "ellos en .gz o .zip.",
    "How the source's columns map.": "Cómo se corresponden las columnas del origen.",
    "Do the whole job and keep nothing.": "Hace todo el trabajo y no guarda nada.",
    "Print one JSON object.": "Escribe un objeto JSON.",
    "With --json: the cells of accepted rows.": "Con --json: las celdas de las filas aceptadas.",
    "Show a proposed mapping and stop.": "Muestra la correspondencia propuesta y termina.",
    "Keep that mapping under a name.": "Guarda esa correspondencia con un nombre.",
    "COLUMN=FIELD; may be repeated.": "COLUMNA=CAMPO; puede repetirse.",
    "A tag for every contact; may be repeated.": "Una etiqueta para cada contacto; puede repetirse.",
    "Country of phones without prefix, such as CO.": "País de los teléfonos sin prefijo, como CO.",
    "Which sheet of a workbook.": "Qué hoja de un libro.",
    "Encoding of a text file, such as cp1251.": "Codificación de un archivo de texto, como cp1251.",
    "What separates cells.": "Qué separa las celdas.",
    "Which line is the header, from 1.": "En qué línea están los nombres de columna, desde 1.",
    "Write the import template, from the fields as they are now.": "Escribe la plantilla de importación, con los "
    "campos que hay ahora.",
    "Where to write it; .csv or .xlsx.": "Dónde escribirla; .csv o .xlsx.",
    "es or en.": "es o en.",
    "Watch the drop folders and import what arrives, in one process, until stopped.": "Vigila las carpetas de entrada "
    "e importa lo que llega, en un proceso, hasta que se detenga.",
    "A line for each file.": "Una línea por archivo.",
    "Import dropped files (production; needs Redis).": "Importa los archivos recibidos (producción; necesita Redis).",
    "Send the timetable's ticks (production; needs Redis).": "Da los avisos del horario (producción; necesita Redis).",
    "Watch the drop folders (production; needs Redis).": "Vigila las carpetas de entrada (producción; necesita Redis).",
    "Bring the database's tables to this version.": "Lleva las tablas de la base de datos a esta versión.",
    "Every setting, with its value and what it means.": "Cada ajuste, con su valor y su significado.",
    "Imports: list, show, undo, retry.": "Importaciones: lista, detalle, deshacer, repetir.",
    "The newest batches.": "Los lotes más recientes.",
    "How many.": "Cuántos.",
    "Everything known of one batch.": "Todo lo que se sabe de un lote.",
    "The batch's number.": "El número del lote.",
    "Take an import back; contacts that were edited since keep those edits and are listed.": "Deshace una importación; "
    "los contactos editados después conservan esos cambios y se listan.",
    "Send a rejected or parked file of a drop folder again, under a profile.": "Envía de nuevo, con un perfil, un "
    "archivo rechazado o en espera de una carpeta de entrada.",
}
_TITLES = {
    "ARGUMENTS_PANEL_TITLE": "Argumentos",
    "OPTIONS_PANEL_TITLE": "Opciones",
    "COMMANDS_PANEL_TITLE": "Órdenes",
    "DEFAULT_STRING": "[por defecto: {}]",
    "REQUIRED_LONG_STRING": "[obligatorio]",
}


class _Helped(Protocol):
    help: str | None


def in_spanish(command: Command) -> None:
    """Translate the help of a command and of those below it, in place."""
    for name, title in _TITLES.items():
        setattr(rich_utils, name, title)
    for text, holder in texts(command):
        holder.help = SPANISH[text]


def texts(command: Command) -> list[tuple[str, _Helped]]:
    """Each English sentence of the help of a command and of those below it, and what holds it."""
    option = command.get_help_option(Context(command))
    holders: list[Any] = [command, *command.params, *([option] if option else [])]
    found = [(str(holder.help), holder) for holder in holders if getattr(holder, "help", "")]
    below = command.commands.values() if isinstance(command, TyperGroup) else ()
    return found + [item for part in below for item in texts(part)]
