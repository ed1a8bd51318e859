"""What the command line says, in each language."""

import re

from typer._click.exceptions import BadParameter, MissingParameter, NoSuchOption, UsageError

from schemas.reports import STATES

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "rows": "Rows",
        "created": "Created",
        "updated": "Updated",
        "unchanged": "Unchanged",
        "merged": "Merged into another row",
        "rejected": "Rejected",
        "warnings": "Rows with a warning",
        "report": "Row report",
        "refused": "Refused",
        "needs_mapping": "Something has to be said of it",
        "imported": "Imported",
        "dry_run": "Dry run: nothing was written",
        "first": "The first contacts as they would be stored",
        "said": "The first rows that something is said of",
        "row": "Row",
        "reading": "Reading",
        "proposal": "Proposed mapping",
        "column": "Column",
        "field": "Field",
        "why": "Because",
        "example": "Example",
        "when": "Taken",
        "now": "yes",
        "with_profile": "with this profile",
        "never": "no",
        "known": "known by its name",
        "ignored": "left out by the profile or layout",
        "empty": "no cell is filled",
        "emails": "its cells are e-mails",
        "phones": "its cells are phones",
        "names": "its cells look like full names",
        "other": "a field of your own",
        "nothing_imported": "Nothing was imported: this was a look at the columns.",
        "saved": "Profile saved",
        "up": "Padrón is running. Drop contact files into:",
        "admin_at": "The admin endpoint is at",
        "stop": "Stop with Ctrl-C.",
        "stopped": "Stopped.",
        "taken_back": "Batch {id} taken back. Contacts removed: {removed}; restored: {restored}.",
        "lifted": "Opt-outs and blocks that only this import had said, and that went with it: {count}.",
        "kept": "{count} contacts were edited since, or came in a later import too, and keep what that said till "
        "it is undone: {ids}",
        "template": "Template written to",
        "retried": "Sent again as batch",
        "contact_made": "Contact {id} made.",
        "contact_saved": "Contact {id} saved.",
        "from": "From",
        "keys": "Keys",
        "opted_out": "Not to be written to by",
        "segments": "Segments",
        "note": "Note",
        "tags": "Tags",
        "seconds": "Seconds",
        "id": "No",
        "file": "File",
        "state": "State",
        "rows_read": "Rows",
        "short_created": "Created",
        "short_updated": "Updated",
        "short_unchanged": "Same",
        "short_merged": "Merged",
        "short_rejected": "Rejected",
        "rows_done": "Rows applied",
        "source": "Source",
        "profile": "Profile",
        "folder": "Folder",
        "path": "Path",
        "claim": "Claimed as",
        "actor": "By",
        "message": "Message",
        "created_at": "Added",
        "started_at": "Started",
        "finished_at": "Finished",
        "attempts": "Attempts",
        "reject_file": "Row report",
        "tables": "Tables of version",
        "setting": "Setting",
        "value": "Value",
        "meaning": "Meaning",
        "admin_licence": "Administration",
        "operator_made": "Operator {id} made: {name} <{email}>",
        "operator_changed": "Operator {id} changed: {name}",
        "password": "Password",
        "confirmation": "Password again",
        "password_set": "The password is set; open sessions ended.",
        "link_mailed": "The link was sent to {email}.",
        "signed_out": "Signed out; {count} conversations were open.",
        "email": "E-mail",
        "name": "Name",
        "roles": "Roles",
        "licence": "Licence",
        "agent": "Agent",
        "active": "active",
        "inactive": "inactive",
        "licence_made": "Licence {id} made: {name}, {seats} seats",
        "licence_changed": "Licence changed: {name}, {seats} seats",
        "kind": "Kind",
        "holding": "Held by",
        "seats": "Seats",
        "taken": "Taken",
        "who": "By",
        "until": "Until",
        "not_valid": "not valid now",
        "expires_soon": "expires soon",
        "day": "Day",
        "role_saved": "Role saved: {name}",
        "role_deleted": "Role deleted: {name}",
        "token_made": "Token {id} made. It is shown this once:",
        "token_revoked": "Token ended: {name}",
        "permissions": "May",
        "used": "Used",
        "audit_broken": "Entry {id} is not as it was written, or is missing.",
        "audit_whole": "Every entry is as it was written. The head of the chain: {head}",
        "object": "Of",
        "done": "Done",
        "job_waiting": "waiting",
        "job_running": "running",
        "job_done": "done",
        "job_failed": "failed",
        "job_cancelled": "stopped",
        "job_stopping": "Job {id} stops.",
        "import_stopping": "Batch {id} ({file}) stops before its next rows.",
        "en": "English",
        "es": "Spanish",
        "takes": "Takes conversations",
        "when_set": "Since",
        "state_saved": "State saved: {name}",
        "state_deleted": "State deleted: {name}",
        "address": "Address",
        "events": "Events",
        "event": "Event",
        "next": "Next",
        "answer": "Answer",
        "delivery_waiting": "waiting",
        "delivery_sent": "sent",
        "delivery_dead": "given up",
        "webhook_made": "Webhook {id} made. Its secret is shown this once:",
        "webhook_changed": "Webhook changed: {url}",
        "webhook_deleted": "Webhook {id} removed.",
        "webhook_test": "A trial is sent. See what came of it: padron webhooks deliveries {id}",
        "webhook_replayed": "Sent again: {count}",
        "status_active": "active",
        "status_inactive": "inactive",
        "status_blocked": "blocked",
        "status_archived": "archived",
    },
    "es": {
        "rows": "Filas",
        "created": "Creados",
        "updated": "Actualizados",
        "unchanged": "Sin cambios",
        "merged": "Unidos a otra fila",
        "rejected": "Rechazadas",
        "warnings": "Filas con aviso",
        "report": "Informe de filas",
        "refused": "Rechazado",
        "needs_mapping": "Falta indicar algo",
        "imported": "Importado",
        "dry_run": "Ensayo: no se escribió nada",
        "first": "Los primeros contactos, como quedarían",
        "said": "Las primeras filas con algo que decir",
        "row": "Fila",
        "reading": "Leyendo",
        "proposal": "Correspondencia propuesta",
        "column": "Columna",
        "field": "Campo",
        "why": "Porque",
        "example": "Ejemplo",
        "when": "Se toma",
        "now": "sí",
        "with_profile": "con este perfil",
        "never": "no",
        "known": "se conoce por su nombre",
        "ignored": "lo deja fuera el perfil o el formato",
        "empty": "ninguna celda tiene datos",
        "emails": "sus celdas son correos",
        "phones": "sus celdas son teléfonos",
        "names": "sus celdas parecen nombres completos",
        "other": "un campo propio",
        "nothing_imported": "No se importó nada: esto fue un vistazo a las columnas.",
        "saved": "Perfil guardado",
        "up": "Padrón está en marcha. Deje archivos de contactos en:",
        "admin_at": "El servicio de administración está en",
        "stop": "Se detiene con Ctrl-C.",
        "stopped": "Detenido.",
        "taken_back": "Lote {id} deshecho. Contactos retirados: {removed}; restaurados: {restored}.",
        "lifted": "Bajas y bloqueos que solo esta importación había dicho, y que se fueron con ella: {count}.",
        "kept": "{count} contactos se editaron después, o vinieron en otra importación, y conservan eso hasta que se "
        "deshaga: {ids}",
        "template": "Plantilla escrita en",
        "retried": "Enviado de nuevo como lote",
        "contact_made": "Contacto {id} creado.",
        "contact_saved": "Contacto {id} guardado.",
        "from": "De",
        "keys": "Claves",
        "opted_out": "No se le escribe por",
        "segments": "Segmentos",
        "note": "Nota",
        "tags": "Etiquetas",
        "seconds": "Segundos",
        "id": "Nº",
        "file": "Archivo",
        "state": "Estado",
        "rows_read": "Filas",
        "short_created": "Creados",
        "short_updated": "Camb.",
        "short_unchanged": "Igual",
        "short_merged": "Unidas",
        "short_rejected": "Rechaz.",
        "rows_done": "Filas aplicadas",
        "source": "Origen",
        "profile": "Perfil",
        "folder": "Carpeta",
        "path": "Ruta",
        "claim": "Reclamado como",
        "actor": "Por",
        "message": "Mensaje",
        "created_at": "Añadido",
        "started_at": "Empezado",
        "finished_at": "Terminado",
        "attempts": "Intentos",
        "reject_file": "Informe de filas",
        "tables": "Tablas de la versión",
        "setting": "Ajuste",
        "value": "Valor",
        "meaning": "Qué es",
        "admin_licence": "Administración",
        "operator_made": "Operador {id} creado: {name} <{email}>",
        "operator_changed": "Operador {id} cambiado: {name}",
        "password": "Contraseña",
        "confirmation": "Otra vez la contraseña",
        "password_set": "Contraseña cambiada; las sesiones abiertas se cerraron.",
        "link_mailed": "El enlace se envió a {email}.",
        "signed_out": "Sesión cerrada; quedaban {count} conversaciones abiertas.",
        "email": "Correo",
        "name": "Nombre",
        "roles": "Roles",
        "licence": "Licencia",
        "agent": "Agente",
        "active": "activo",
        "inactive": "inactivo",
        "licence_made": "Licencia {id} creada: {name}, {seats} puestos",
        "licence_changed": "Licencia cambiada: {name}, {seats} puestos",
        "kind": "Tipo",
        "holding": "Se asigna",
        "seats": "Puestos",
        "taken": "Ocupados",
        "who": "Por",
        "until": "Hasta",
        "not_valid": "no vigente",
        "expires_soon": "vence pronto",
        "day": "Día",
        "role_saved": "Rol guardado: {name}",
        "role_deleted": "Rol borrado: {name}",
        "token_made": "Clave {id} creada. Solo se muestra esta vez:",
        "token_revoked": "Clave anulada: {name}",
        "permissions": "Puede",
        "used": "Usada",
        "audit_broken": "La entrada {id} no está como se escribió, o falta.",
        "audit_whole": "Todas las entradas están como se escribieron. La punta de la cadena: {head}",
        "object": "De",
        "done": "Hecho",
        "job_waiting": "en espera",
        "job_running": "en curso",
        "job_done": "terminado",
        "job_failed": "falló",
        "job_cancelled": "detenido",
        "job_stopping": "El trabajo {id} se detiene.",
        "import_stopping": "El lote {id} ({file}) se detiene antes de sus próximas filas.",
        "en": "Inglés",
        "es": "Español",
        "takes": "Atiende conversaciones",
        "when_set": "Desde",
        "state_saved": "Estado guardado: {name}",
        "state_deleted": "Estado borrado: {name}",
        "address": "Dirección",
        "events": "Eventos",
        "event": "Evento",
        "next": "Próximo",
        "answer": "Respuesta",
        "delivery_waiting": "en espera",
        "delivery_sent": "enviado",
        "delivery_dead": "abandonado",
        "webhook_made": "Webhook {id} creado. Su secreto se muestra solo esta vez:",
        "webhook_changed": "Webhook modificado: {url}",
        "webhook_deleted": "Webhook {id} borrado.",
        "webhook_test": "Se envía una prueba. Vea el resultado: padron webhooks deliveries {id}",
        "webhook_replayed": "Enviados de nuevo: {count}",
        "status_active": "activo",
        "status_inactive": "inactivo",
        "status_blocked": "bloqueado",
        "status_archived": "archivado",
    },
}


def say(language: str, key: str, **values: object) -> str:
    """The words for this key.

    >>> say("es", "rows")
    'Filas'
    """
    return _WORDS[language][key].format(**values) if values else _WORDS[language][key]


def say_state(language: str, state: str) -> str:
    """The words for a batch's state.

    >>> say_state("es", "needs_mapping")
    'falta indicar las columnas'
    """
    return STATES[state][language == "es"]


_PLACES = {"FILE": "ARCHIVO", "NUMBER": "NÚMERO", "OUTPUT": "SALIDA"}
_WRONG_USE = (
    (r"No such command (\S+)\. Did you mean (.+)\?", "no existe la orden {0} (¿{1}?)"),
    (r"No such command (.+)", "no existe la orden {0}"),
    (r"Got unexpected extra argument\S* \((.+)\)", "sobra: {0}"),
    (r"Option (.+) requires an argument", "la opción {0} necesita un valor"),
    (r"Option (.+) does not take a value", "la opción {0} no lleva valor"),
    (r"Input should be a valid integer.*", "debe ser un número entero"),
    (r"Input should be greater than or equal to (\S+)", "debe ser {0} o más"),
    (r"Input should be less than or equal to (\S+)", "debe ser {0} o menos"),
)
"""What the command line's library says, and the same in Spanish."""


def wrong_use(error: UsageError, language: str | None) -> str:
    """What was typed wrongly, in this language."""
    spanish = language == "es"
    match error:
        case NoSuchOption():
            near = ", ".join(error.possibilities or ())
            said = f"no existe la opción {error.option_name}" if spanish else f"there is no option {error.option_name}"
            return f"{said} ({near}?)." if near else f"{said}."
        case MissingParameter():
            name = (error.param.name or "").upper() if error.param else ""
            return f"falta {_PLACES.get(name, name)}." if spanish else f"{name} is missing."
    message = error.message.rstrip(".")
    if spanish:
        found = ((re.fullmatch(english, message, re.DOTALL), said) for english, said in _WRONG_USE)
        message = next((said.format(*match.groups()) for match, said in found if match), f"uso equivocado: {message}")
    if isinstance(error, BadParameter) and error.param and error.param.opts:
        name = error.param.opts[0]
        shown = name if name.startswith("-") else name.upper()
        message = f"{_PLACES.get(shown, shown) if spanish else shown}: {message}"
    return f"{message}."


def system_said(error: OSError, language: str | None) -> str:
    """What the system refused, where, and what to look at."""
    at = f"{error.filename}: " if error.filename else ""
    if isinstance(error, FileNotFoundError):
        return f"{at}no existe esa carpeta o archivo." if language == "es" else f"{at}there is no such folder or file."
    if language == "es":
        return f"{at}el sistema no lo permite ({error.strerror or error}). Revise los permisos y el espacio libre."
    return f"{at}the system does not allow it ({error.strerror or error}). Check permissions and free space."


def database_away(reason: str, language: str | None) -> str:
    """That the database did not take it, and what to do."""
    if language == "es":
        return f"la base de datos no responde, está ocupada o llena ({reason}). Revise PADRON_DATABASE_URL y repita."
    return f"the database does not answer, is busy or full ({reason}). Check PADRON_DATABASE_URL and try again."
