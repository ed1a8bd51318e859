"""What may be done (`noun:verb`), and the roles that come with Padrón. What is not named is not allowed."""

PERMISSIONS: dict[str, tuple[str, str]] = {
    "operators:read": ("See operators.", "Ver los operadores."),
    "operators:write": ("Create and edit operators.", "Crear y editar operadores."),
    "operators:password": ("Set another operator's password.", "Cambiar la contraseña de otro operador."),
    "operators:sign_out": ("Sign another operator out.", "Cerrar la sesión de otro operador."),
    "licences:read": ("See licences and who has their seats.", "Ver las licencias y quién ocupa sus puestos."),
    "licences:write": ("Create and edit licences.", "Crear y editar licencias."),
    "roles:read": ("See roles.", "Ver los roles."),
    "roles:write": ("Create and edit roles.", "Crear y editar roles."),
    "tokens:read": ("See API tokens.", "Ver las claves de API."),
    "tokens:write": ("Create and revoke API tokens.", "Crear y revocar claves de API."),
    "audit:read": ("Read the audit.", "Leer la auditoría."),
    "states:write": ("Define the states of agents.", "Definir los estados de los agentes."),
    "conversations:report": ("Report open conversations.", "Informar de las conversaciones abiertas."),
    "contacts:read": ("See contacts.", "Ver los contactos."),
    "contacts:write": ("Create and edit contacts.", "Crear y editar contactos."),
    "contacts:edit_many": ("Edit many contacts at once.", "Editar muchos contactos a la vez."),
    "contacts:block": ("Block and unblock contacts.", "Bloquear y desbloquear contactos."),
    "contacts:delete": ("Delete contacts for good.", "Eliminar contactos para siempre."),
    "contacts:erase": (
        "Erase people without a trace, and let them come back.",
        "Borrar personas sin dejar rastro, y permitir que vuelvan.",
    ),
    "contacts:export": (
        "Take contacts out as files, and see everything that is held of a person.",
        "Sacar contactos en archivos, y ver todo lo que se guarda de una persona.",
    ),
    "fields:read": ("See custom fields and tags.", "Ver los campos propios y las etiquetas."),
    "fields:write": ("Define custom fields and tags.", "Definir los campos propios y las etiquetas."),
    "retention:run": ("Let what is too old go.", "Dejar ir lo que es demasiado antiguo."),
    "interactions:write": ("Tell what happened with contacts.", "Informar de lo ocurrido con los contactos."),
    "segments:read": ("See segments and who is in them.", "Ver los segmentos y quién está en ellos."),
    "segments:write": ("Create and edit segments.", "Crear y editar segmentos."),
    "batches:read": ("See imports and their reports.", "Ver las importaciones y sus informes."),
    "batches:import": ("Import files.", "Importar archivos."),
    "batches:undo": ("Take an import back.", "Deshacer una importación."),
    "jobs:read": ("See long work.", "Ver los trabajos largos."),
    "jobs:cancel": ("Stop long work.", "Detener los trabajos largos."),
    "webhooks:read": ("See webhooks and what they were told.", "Ver los webhooks y lo que se les envió."),
    "webhooks:write": ("Create and edit webhooks.", "Crear y editar webhooks."),
    "connections:read": (
        "See connections to CRMs and what was synced.",
        "Ver las conexiones con CRM y qué se sincronizó.",
    ),
    "connections:write": ("Create and edit connections to CRMs.", "Crear y editar conexiones con CRM."),
    "sync:run": ("Plan, apply and run syncs.", "Planear, aplicar y hacer sincronizaciones."),
    "backups:read": ("See backups.", "Ver las copias."),
    "backups:write": ("Make and verify backups.", "Hacer y verificar copias."),
    "metrics:read": ("Read the measurements.", "Leer las medidas."),
}
"""Each permission, in English and in Spanish."""

_READS = frozenset(name for name in PERMISSIONS if name.endswith(":read"))
ROLES: dict[str, frozenset[str]] = {
    "administrator": frozenset(PERMISSIONS),
    "supervisor": frozenset(
        {
            *("operators:read", "operators:sign_out", "licences:read", "roles:read", "conversations:report"),
            *("contacts:read", "contacts:write", "contacts:edit_many", "contacts:block"),
            *("fields:read", "fields:write", "segments:read", "segments:write"),
            *("batches:read", "batches:import", "batches:undo", "jobs:read", "jobs:cancel"),
        }
    ),
    "agent": frozenset({"batches:read", "contacts:read", "contacts:write", "fields:read", "segments:read"}),
    "auditor": _READS,
}
"""The built-in roles, with what each may do."""
