"""The command line's help in Spanish: each English sentence with its translation."""

from typing import Any, Protocol

from typer import rich_utils
from typer._click.core import Command, Context
from typer.core import TyperGroup

from admin.sync_help import SYNC_SPANISH

SPANISH = {
    **SYNC_SPANISH,
    "One clean roll of contacts, from files, CRMs and people.": "Un solo padrón limpio de contactos, de archivos, "
    "CRM y personas.",
    "Show this message and exit.": "Muestra esta ayuda.",
    "Contacts: list, count, show, create, edit one or many, block, archive.": "Contactos: listar, contar, ver, crear, "
    "editar uno o muchos, bloquear, archivar.",
    "Change all who match a filter, after saying how many they are; it can be taken back.": (
        "Cambia a todos los que cumplen un filtro, tras decir cuántos son; se puede deshacer."
    ),
    "A contact's number, instead of a filter.": "El número de un contacto, en lugar de un filtro.",
    "A tag to add.": "Una etiqueta que poner.",
    "A tag to take away.": "Una etiqueta que quitar.",
    "block, archive, restore or delete.": "block (bloquear), archive (archivar), restore (restaurar) o delete "
    "(eliminar).",
    "Why they are blocked.": "Por qué se bloquean.",
    "Do not ask.": "No preguntar.",
    "Exports on schedule: list, run.": "Exportaciones programadas: listar, hacer.",
    "The exports that files in the home folder's export-plans/ ask for, and what is wrong with a file.": (
        "Las exportaciones que piden los archivos de export-plans/ de la carpeta home, y qué tiene mal un archivo."
    ),
    "The file's name, without .toml.": "El nombre del archivo, sin .toml.",
    "Make a scheduled export now.": "Hace ahora una exportación programada.",
    "History: the roll as it was.": "Historia: el padrón como era.",
    "A day or a time, such as 2026-05-01 or 2026-05-01T18:30.": (
        "Un día o una hora, como 2026-05-01 o 2026-05-01T18:30."
    ),
    "Only who was in this segment.": "Solo quien estaba en este segmento.",
    "Write the contacts as they were at a moment, by taking back what was changed since.": (
        "Escribe los contactos como eran en un momento, deshaciendo lo que cambió desde entonces."
    ),
    "Backups: create, list, verify, prune.": "Copias: crear, listar, verificar, depurar.",
    "Where backups lie, instead of PADRON_BACKUP_URL.": "Dónde están las copias, en vez de PADRON_BACKUP_URL.",
    "The contacts as CSV too.": "También los contactos como CSV.",
    "Write every table, as it is at this moment, to a backup; then let go those that are too many.": (
        "Escribe todas las tablas, como están en este momento, en una copia; después deja ir las que sobran."
    ),
    "The backups of this installation, the oldest first, and how far each was verified.": (
        "Las copias de esta instalación, la más antigua primero, y hasta dónde se verificó cada una."
    ),
    "The backup's name; else the newest.": "El nombre de la copia; si no, la más nueva.",
    "1: the files are whole. 2: every page too. 3: restored and compared.": (
        "1: los archivos están íntegros. 2: también cada página. 3: restaurada y comparada."
    ),
    "See whether a backup is whole, up to making a store of it and comparing every row.": (
        "Mira si una copia está íntegra, hasta restaurarla aparte y comparar cada fila."
    ),
    "Only say what would go.": "Solo decir qué se iría.",
    "Let go the backups that PADRON_BACKUP_KEEP does not keep, and what is left of unfinished ones.": (
        "Deja ir las copias que PADRON_BACKUP_KEEP no conserva, y los restos de las que no se terminaron."
    ),
    "The backup's name, or newest.": "El nombre de la copia, o newest (la más nueva).",
    "Only say what would be done.": "Solo decir qué se haría.",
    "Only this table, which has no rows; may be said again.": "Solo esta tabla, que no tiene filas; se puede repetir.",
    "URL of the database that this one replaces, if it is there: its opt-outs are kept.": (
        "URL de la base de datos que esta reemplaza, si existe: se conservan sus bajas."
    ),
    "Only this contact, in the store as it is: its number.": "Solo este contacto, en la base como está: su número.",
    "Also a backup that another installation signed, whom you trust.": (
        "También una copia que firmó otra instalación en la que confía."
    ),
    "Make the store in PADRON_DATABASE_URL, which is empty, what a backup has; without who was erased since.": (
        "Deja la base de PADRON_DATABASE_URL, que está vacía, como dice una copia; sin quien se borró desde entonces."
    ),
    "Write the report as a page (HTML) there.": "Escribe ahí el informe como página (HTML).",
    "The state of the roll: what contacts lack, who cannot be reached, tags that are nearly the same, by source.": (
        "El estado del padrón: qué les falta a los contactos, a quién no se llega, etiquetas casi iguales, por origen."
    ),
    "in (always), out (never), or free (as the filter says).": "in (siempre), out (nunca) o free (lo que diga el "
    "filtro).",
    "Let a contact be always in a segment, never, or as its filter says.": (
        "Deja un contacto siempre en un segmento, nunca, o como diga su filtro."
    ),
    "Why a contact is in a segment or not: each part of the filter, and whether it holds.": (
        "Por qué un contacto está en un segmento o no: cada parte del filtro, y si se cumple."
    ),
    "Write a chart (SVG) there instead.": "Escribe ahí un gráfico (SVG) en su lugar.",
    "How many were in a segment at the end of each day on which somebody joined or left.": (
        "Cuántos había en un segmento al final de cada día en que alguien entró o salió."
    ),
    "What applying the files in the home folder's segments/ would change.": (
        "Qué cambiaría al aplicar los archivos de segments/ de la carpeta home."
    ),
    "Let the segments be as the files in the home folder's segments/ say; those made by hand stay.": (
        "Deja los segmentos como dicen los archivos de segments/ de la carpeta home; los hechos a mano quedan."
    ),
    "For good, instead of into the archive.": "Para siempre, en vez de archivarlo.",
    "Archive a contact, or take it off the roll for good; who may not be written to stays so.": (
        "Archiva un contacto, o lo saca del padrón para siempre; a quien no se le puede escribir, sigue sin poderse."
    ),
    "Leave no trace of a person, in tables or in files that Padrón keeps; no file brings them back.": (
        "No deja rastro de una persona, ni en tablas ni en los archivos que guarda Padrón; ningún archivo la devuelve."
    ),
    "A phone, an e-mail, or an id as source:id.": "Un teléfono, un correo o un id como origen:id.",
    "Let somebody come back who was erased, and asks to.": "Deja volver a quien fue borrado y lo pide.",
    "The folder to write to.": "La carpeta donde escribir.",
    "Everything that is held on one person, as JSON and as a page that the person can read.": (
        "Todo lo que se guarda de una persona, en JSON y como página que la persona puede leer."
    ),
    "whatsapp, email, sms … or all.": "whatsapp, email, sms … o all (todos).",
    "in or out.": "in (sí) u out (no).",
    "Where the person said so.": "Dónde lo dijo la persona.",
    "For what.": "Para qué.",
    "Keep what a person said to being written to.": "Guarda lo que una persona dijo sobre recibir mensajes.",
    "What the note says.": "Lo que dice la nota.",
    "Write a note on a contact.": "Escribe una nota sobre un contacto.",
    "Only count what would go.": "Solo contar lo que se iría.",
    "Let go what the settings say is too old: interactions, files, contacts with whom nothing happens.": (
        "Deja ir lo que los ajustes dicen que es demasiado antiguo: interacciones, archivos, contactos sin actividad."
    ),
    "Custom fields: list, create, rename, convert, archive, restore.": "Campos propios: listar, crear, renombrar, "
    "convertir, archivar, restaurar.",
    "Tags: list, rename, colour, merge, find near-duplicates, delete.": "Etiquetas: listar, renombrar, dar color, "
    "unir, hallar casi iguales, eliminar.",
    "The field's key.": "La clave del campo.",
    "The tag's number.": "El número de la etiqueta.",
    "Every custom field.": "Todos los campos propios.",
    "text, long_text, number, boolean, date, datetime, choice (one option) or choices (several).": (
        "text, long_text, number, boolean, date, datetime, choice (una opción) o choices (varias)."
    ),
    "An option of a choice; may be repeated.": "Una opción de una elección; puede repetirse.",
    "All options that it is to have.": "Todas las opciones que tendrá.",
    "Give a choice other options; one that contacts have stays.": "Da otras opciones a una elección; las que tienen "
    "contactos quedan.",
    "How people call it.": "Cómo lo llama la gente.",
    "Define a field before a file brings it.": "Define un campo antes de que lo traiga un archivo.",
    "Call a field otherwise; its key stays, as files and filters name it so.": (
        "Llama a un campo de otro modo; su clave queda, pues archivos y filtros lo nombran así."
    ),
    "Put a field away with its values.": "Guarda un campo con sus valores en el archivo.",
    "Take a field out of the archive.": "Saca un campo del archivo.",
    "The type it is to have.": "El tipo que tendrá.",
    "Give a field another type, if every value fits it.": "Da otro tipo a un campo, si le valen todos los valores.",
    "Every tag, with how many contacts have it.": "Todas las etiquetas, con cuántos contactos las tienen.",
    "Groups of tags that may be one, such as VIP and Vips.": "Grupos de etiquetas que pueden ser una, como VIP y Vips.",
    "How it is written.": "Cómo se escribe.",
    "Write a tag otherwise.": "Escribe una etiqueta de otro modo.",
    "As #1d4ed8; empty takes it away.": "Como #1d4ed8; vacío lo quita.",
    "Give a tag a colour.": "Da un color a una etiqueta.",
    "The number of the tag that they get instead.": "El número de la etiqueta que reciben en su lugar.",
    "Let whoever has a tag have another instead; it can be taken back.": (
        "Da otra etiqueta en su lugar a quien tiene una; se puede deshacer."
    ),
    "Take a tag away that no contact has.": "Elimina una etiqueta que no tiene ningún contacto.",
    "Write contacts to a file that an import takes back without a change.": (
        "Escribe contactos en un archivo que una importación toma de vuelta sin un cambio."
    ),
    "The file to write: .csv, .xlsx or .parquet.": "El archivo que se escribe: .csv, .xlsx o .parquet.",
    "Names with commas between, such as phone,tags,custom.plan; else all that imports take.": (
        "Nombres separados por comas, como phone,tags,custom.plan; si no, todo lo que toman las importaciones."
    ),
    "Language of the headers: es or en; else the installation's.": (
        "Idioma de los encabezados: es o en; si no, el de la instalación."
    ),
    "The contact's number.": "El número del contacto.",
    "A filter, such as city = 'Lima' AND tagged('vip').": "Un filtro, como city = 'Lima' AND tagged('vip').",
    "A name, an e-mail, or a phone in any spelling.": "Un nombre, un correo o un teléfono escrito de cualquier forma.",
    "Print JSON.": "Escribe JSON.",
    "FIELD=VALUE, such as city=Lima or custom.plan=oro; FIELD= empties.": "CAMPO=VALOR, como city=Lima o "
    "custom.plan=oro; CAMPO= lo vacía.",
    "FIELD=VALUE.": "CAMPO=VALOR.",
    "A tag of the contact; these are all it will have.": "Una etiqueta del contacto; tendrá solo estas.",
    "id, created_at, last_interaction_at or name; - before it: downwards.": "id, created_at, last_interaction_at o "
    "name; con - delante: hacia abajo.",
    "Contacts by filter and search.": "Contactos por filtro y búsqueda.",
    "How many contacts a filter and a search find.": "Cuántos contactos encuentran un filtro y una búsqueda.",
    "Everything about one contact: its values and where each came from, its keys, tags and history.": (
        "Todo sobre un contacto: sus valores y de dónde vino cada uno, sus claves, etiquetas e historia."
    ),
    'Make a contact by hand, as in: padron contacts create first_name=Ana phone="300 111 2233".': "Crea un contacto "
    'a mano, como: padron contacts create first_name=Ana phone="300 111 2233".',
    "Change what is named of a contact.": "Cambia lo que se indique de un contacto.",
    "Let no message reach a contact any more.": "Hace que ningún mensaje llegue más al contacto.",
    "Why.": "Por qué.",
    "Take a block back.": "Quita un bloqueo.",
    "Put a contact away.": "Archiva un contacto.",
    "Take a contact out of the archive.": "Saca un contacto del archivo.",
    "Segments: create, list, edit, refresh, members, events, growth, files.": (
        "Segmentos: crear, listar, editar, recalcular, miembros, entradas, evolución, archivos."
    ),
    "The segment's number.": "El número del segmento.",
    "Who is in, such as city = 'Lima' AND sent(ago('30d')) = 0.": (
        "Quién entra, como city = 'Lima' AND sent(ago('30d')) = 0."
    ),
    "How often it is refreshed: 15min, 2h, 1d, at 06:30, or cron 0 7 * * MON-FRI.": (
        "Cada cuánto se recalcula: 15min, 2h, 1d, a las 06:30, o cron 0 7 * * MON-FRI."
    ),
    "What the segment is called.": "Cómo se llama el segmento.",
    "dynamic, static or snapshot.": "dynamic (con filtro), static (lista) o snapshot (foto fija).",
    "A contact of a static one; may be repeated.": "Un contacto de uno estático; puede repetirse.",
    "Make a segment, and fill it.": "Crea un segmento y lo llena.",
    "Every segment, with its size and when it was refreshed.": "Cada segmento, con su tamaño y cuándo se recalculó.",
    "Change what is named.": "Cambia lo que se indique.",
    "Look at every contact.": "Mira todos los contactos.",
    "Refresh a segment now; who joined and left.": "Recalcula un segmento ahora; quién entró y salió.",
    "The numbers of the contacts in a segment, a line each.": (
        "Los números de los contactos de un segmento, uno por línea."
    ),
    "Who joined and left, the newest first; a JSON object a line.": (
        "Quién entró y salió, lo último primero; un objeto JSON por línea."
    ),
    "Take a segment away; its contacts stay.": "Borra un segmento; sus contactos siguen.",
    "Import a contact file, or see what importing it would do.": "Importa un archivo de contactos, o muestra qué "
    "haría al importarlo.",
    "CSV, Excel, Parquet or JSON lines; .gz or .zip of one of them.": "CSV, Excel, Parquet o líneas JSON; o uno de "
    "ellos en .gz o .zip.",
    "How the source's columns map.": "Cómo se corresponden las columnas del origen.",
    "How the source's columns map; empty: as they did.": "Cómo se corresponden las columnas del origen; vacío: como "
    "antes.",
    "Do the whole job and keep nothing.": "Hace todo el trabajo y no guarda nada.",
    "Print one JSON object.": "Escribe un objeto JSON.",
    "With --json: the cells of accepted rows.": "Con --json: las celdas de las filas aceptadas.",
    "Show a proposed mapping and stop.": "Muestra la correspondencia propuesta y termina.",
    "Keep that mapping under a name.": "Guarda esa correspondencia con un nombre.",
    "COLUMN=FIELD; may be repeated.": "COLUMNA=CAMPO; puede repetirse.",
    "A tag for every contact; may be repeated.": "Una etiqueta para cada contacto; puede repetirse.",
    "Country of phones without prefix, such as CO.": "País de los teléfonos sin prefijo, como CO.",
    "Write over a profile that is there.": "Reemplaza un perfil que ya está.",
    "Which sheet of a workbook.": "Qué hoja de un libro.",
    "Encoding of a text file, such as cp1251.": "Codificación de un archivo de texto, como cp1251.",
    "What separates cells.": "Qué separa las celdas.",
    "Which line is the header, from 1.": "En qué línea están los nombres de columna, desde 1.",
    "Write the import template, from the fields as they are now.": "Escribe la plantilla de importación, con los "
    "campos que hay ahora.",
    "Where to write it; .csv or .xlsx.": "Dónde escribirla; .csv o .xlsx.",
    "Write over a file that is there.": "Reemplaza un archivo que ya está.",
    "es or en.": "es o en.",
    "Watch the drop folders and import what arrives, in one process, until stopped.": "Vigila las carpetas de entrada "
    "e importa lo que llega, en un proceso, hasta que se detenga.",
    "A line for each file.": "Una línea por archivo.",
    "Import dropped files (production; needs Redis).": "Importa los archivos recibidos (producción; necesita Redis).",
    "Send the timetable's ticks (production; needs Redis).": "Da los avisos del horario (producción; necesita Redis).",
    "Watch the drop folders (production; needs Redis).": "Vigila las carpetas de entrada (producción; necesita Redis).",
    "Serve the admin endpoint (production).": "Ofrece el servicio de administración (producción).",
    "Bring the database's tables to this version.": "Lleva las tablas de la base de datos a esta versión.",
    "Every setting, with its value and what it means.": "Cada ajuste, con su valor y su significado.",
    "Imports: list, show, cancel, undo, retry.": "Importaciones: lista, detalle, detener, deshacer, repetir.",
    "Ask an import to stop; the rows that were taken stay, and can be taken back.": "Pide que una importación se "
    "detenga; las filas tomadas quedan, y se pueden deshacer.",
    "Webhooks: create, list, edit, deliveries, replay.": "Webhooks: crear, lista, cambios, envíos, repetir.",
    "The webhook's number.": "El número del webhook.",
    "An event, such as batch.finished; may be repeated.": "Un evento, como batch.finished; puede repetirse.",
    "The address that is told, https://…": "La dirección a la que se avisa, https://…",
    "What it is for.": "Para qué es.",
    "Tell an address of events, signed; the secret is shown this once.": "Avisa a una dirección de lo que ocurre, con "
    "firma; el secreto se muestra solo esta vez.",
    "Every webhook.": "Todos los webhooks.",
    "Another address.": "Otra dirección.",
    "Whether it is told.": "Si se le avisa.",
    "Change what is named; one that is made active again is told of what happens from then on.": "Cambia lo que se "
    "indique; si se reactiva, se le avisa de lo que ocurra desde entonces.",
    "Remove a webhook with its deliveries.": "Borra un webhook con sus envíos.",
    "Another secret, shown this once; for a day everything is signed with the old one too.": "Otro secreto, que se "
    "muestra solo esta vez; durante un día todo se firma también con el anterior.",
    "Send an event that says nothing, to see whether it is heard.": "Envía un evento vacío, para ver si llega.",
    "Only those waiting, sent or dead.": "Solo los que están waiting, sent o dead.",
    "What was told, or is to be, the newest first.": "Lo que se envió o se enviará, lo más reciente primero.",
    "Only this delivery.": "Solo este envío.",
    "Send dead deliveries again.": "Envía de nuevo los envíos abandonados.",
    "Part of the e-mail.": "Parte del correo.",
    "Part of the first name.": "Parte del nombre.",
    "Part of the last name.": "Parte del apellido.",
    "From this time on.": "Desde este momento.",
    "Until before this time.": "Hasta antes de este momento.",
    "Long work that was asked for: list, cancel.": "Trabajos largos que alguien pidió: lista, detener.",
    "Only of this, such as batch:3.": "Solo los de esto, como batch:3.",
    "The newest jobs, with how far each is.": "Los trabajos más recientes, y cuánto llevan.",
    "The job's number.": "El número del trabajo.",
    "Ask a job to stop; what it did stays.": "Pide que un trabajo se detenga; lo que hizo queda.",
    "States of agents: list, save, delete, history.": "Estados de los agentes: lista, guardar, borrar, historial.",
    "The state's name, such as in_training.": "El nombre del estado, como en_curso.",
    "The states that an agent may set.": "Los estados que puede poner un agente.",
    "What it is called in English.": "Cómo se llama en inglés.",
    "What it is called in Spanish.": "Cómo se llama en español.",
    "Who is in it takes conversations.": "Quien está en él atiende conversaciones.",
    "Its place in lists.": "Su lugar en las listas.",
    "Define a state, or say anew what it is.": "Define un estado, o vuelve a decir qué es.",
    "Remove a state that nobody is in.": "Quita un estado en el que no hay nadie.",
    "The states that an operator was in, the newest first.": "Los estados en que estuvo un operador, del más reciente "
    "al más antiguo.",
    "The newest batches.": "Los lotes más recientes.",
    "How many.": "Cuántos.",
    "Everything known of one batch.": "Todo lo que se sabe de un lote.",
    "The batch's number.": "El número del lote.",
    "Take an import back; contacts that were edited since keep those edits and are listed.": "Deshace una importación; "
    "los contactos editados después conservan esos cambios y se listan.",
    "Send a rejected or parked file of a drop folder again, under a profile.": "Envía de nuevo, con un perfil, un "
    "archivo rechazado o en espera de una carpeta de entrada.",
    "Operators: create, list, edit, passwords, sign out.": "Operadores: crear, lista, cambios, contraseñas, cerrar "
    "sesión.",
    "Create an operator; the password is asked for.": "Crea un operador; la contraseña se pregunta.",
    "The e-mail, by which the operator signs in.": "El correo, con el que el operador inicia sesión.",
    "First name.": "Nombre.",
    "Last name.": "Apellidos.",
    "An administrator, with a seat of an admin licence.": "Un administrador, con puesto de una licencia de "
    "administración.",
    "A role; may be repeated.": "Un rol; puede repetirse.",
    "The number of the licence.": "El número de la licencia.",
    "May take conversations.": "Puede atender conversaciones.",
    "Most conversations at a time.": "Máximo de conversaciones a la vez.",
    "Take every role away.": "Quitar todos los roles.",
    "Take the licence away.": "Quitar la licencia.",
    "To be changed at the next sign-in.": "Se cambia al iniciar sesión la próxima vez.",
    "Read the password from standard input.": "Lee la contraseña de la entrada estándar.",
    "Operators, by number.": "Los operadores, por número.",
    "Part of an e-mail, first or last name.": "Parte del correo, del nombre o de los apellidos.",
    "Only those who may sign in, or not.": "Solo los que pueden iniciar sesión, o los que no.",
    "Change what is named of an operator.": "Cambia lo que se indique de un operador.",
    "The operator's number.": "El número del operador.",
    "May sign in.": "Puede iniciar sesión.",
    "May sign out with open conversations.": "Puede cerrar la sesión con conversaciones abiertas.",
    "Sees queued conversations.": "Ve las conversaciones en cola.",
    "Set an operator's password; their sessions end.": "Cambia la contraseña de un operador; sus sesiones se cierran.",
    "Need not be changed at the next sign-in.": "No hay que cambiarla al iniciar sesión.",
    "Send it to the operator by mail.": "Lo envía al operador por correo.",
    "Print a link by which the operator sets a new password, once, within two hours.": "Escribe un enlace con el "
    "que el operador pone una "
    "contraseña nueva, una vez y en dos horas.",
    "End an operator's sessions and free the seat.": "Cierra las sesiones de un operador y libera su puesto.",
    "Licences: create, list, edit, days.": "Licencias: crear, lista, cambios, días.",
    "Add seats that were bought.": "Añade los puestos comprados.",
    "What the licence is called.": "Cómo se llama la licencia.",
    "How many may be signed in at a time.": "Cuántos pueden tener sesión a la vez.",
    "agent or admin; with an admin one nobody takes conversations.": "agent o admin; con una admin nadie atiende "
    "conversaciones.",
    "floating or named.": "floating (quien inicie sesión) o named (un operador fijo).",
    "A day, such as 2027-01-31.": "Un día, como 2027-01-31.",
    "Every licence, with its seats and who has them.": "Cada licencia, con sus puestos y quién los ocupa.",
    "Change what is named of a licence; fewer seats throw nobody out.": "Cambia lo que se indique de una licencia; "
    "con menos puestos "
    "no se echa a nadie.",
    "The licence's number.": "El número de la licencia.",
    "The most seats that were taken on each day (UTC): by default of the last thirty.": "El máximo de puestos "
    "ocupados cada día (UTC); por defecto, "
    "de los últimos treinta.",
    "Roles: list, save, delete.": "Roles: lista, guardar, borrar.",
    "Every role, with what it may do.": "Cada rol, con lo que puede hacer.",
    "Make a role of your own, or say anew what it may do.": "Crea un rol propio, o indica de nuevo qué puede hacer.",
    "The role's name.": "El nombre del rol.",
    "A permission, such as operators:read; may be repeated.": "Un permiso, como operators:read; puede repetirse.",
    "Remove a role that nobody has.": "Borra un rol que nadie tiene.",
    "API tokens: create, list, revoke.": "Claves de API: crear, lista, anular.",
    "Make a token for a machine; it is shown this once.": "Crea una clave para una máquina; solo se muestra esta vez.",
    "What the token is for.": "Para qué es la clave.",
    "For how many days it is good.": "Cuántos días sirve.",
    "Every token, with when it was used last.": "Cada clave, con su último uso.",
    "End a token at once.": "Anula una clave al momento.",
    "The token's number.": "El número de la clave.",
    "The audit: show, export, verify.": "La auditoría: ver, exportar, comprobar.",
    "What was done, by whom and from where; the newest first.": "Qué se hizo, quién y desde dónde; lo más reciente "
    "primero.",
    "An actor, action or object, such as operator:3.": "Un autor, acción u objeto, como operator:3.",
    "A JSON object for each line, oldest first: an export.": "Un objeto JSON por línea, del más antiguo "
    "al más reciente: "
    "para exportar.",
    "Check that no entry was changed or left out; who keeps the printed head elsewhere can prove it later.": (
        "Comprueba que ninguna entrada se cambió ni falta; con la punta guardada en otro sitio se puede probar después."
    ),
    "What verify printed earlier: a number, a colon and the hash.": (
        "Lo que verify mostró antes: un número, dos puntos y el hash."
    ),
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
