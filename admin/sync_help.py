"""The help of connections, sync and pairs of contacts in Spanish."""

SYNC_SPANISH = {
    "Contacts that may be one person, and why: edit or archive one of the two, or say: padron contacts apart.": (
        "Contactos que pueden ser la misma persona, y por qué: edite o archive uno, o diga: padron contacts apart."
    ),
    "Two contacts that may be one person are two: the pair is not shown again.": (
        "Dos contactos que pueden ser una persona son dos: el par no se muestra más."
    ),
    "Connections to CRMs: create, check, map, edit, list, delete.": "Conexiones con CRM: crear, comprobar, mapear, "
    "editar, listar, eliminar.",
    "The connection's name.": "El nombre de la conexión.",
    "NAME=VALUE, such as url=https://crm.example.com.": "NOMBRE=VALOR, como url=https://crm.example.com.",
    "NAME asks for it without showing it; NAME=VALUE says it on the command line.": (
        "NOMBRE lo pregunta sin mostrarlo; NOMBRE=VALOR lo dice en la línea de órdenes."
    ),
    "Which CRM; see: padron connections connectors": "Qué CRM; vea: padron connections connectors",
    "Connect a CRM: its address and credentials are kept, encrypted, and its fields are read.": (
        "Conecta un CRM: guarda su dirección y sus credenciales, cifradas, y lee sus campos."
    ),
    "Change the address or the credentials; what is not named stays.": (
        "Cambia la dirección o las credenciales; lo que no se nombra queda."
    ),
    "Every connection, and how it is.": "Cada conexión, y cómo está.",
    "The CRMs that there are connectors for, and what each needs to be told.": (
        "Los CRM que tienen conector, y qué hay que decirle a cada uno."
    ),
    "Make, change and remove records of a test, to prove what the CRM can do.": (
        "Crear, cambiar y quitar registros de prueba, para demostrar qué sabe hacer el CRM."
    ),
    "Sign in, read the CRM's fields, and compare the mapping with them.": (
        "Entra, lee los campos del CRM y compara con ellos el mapeo."
    ),
    "A mapping (TOML), which is then in use.": "Un mapeo (TOML), que pasa a usarse.",
    "Write the mapping in use, or a proposal, to this file.": (
        "Escribir en este archivo el mapeo en uso, o una propuesta."
    ),
    "Set the mapping from a file; without one, take what the CRM's own fields suggest.": (
        "Pone el mapeo de un archivo; sin él, toma lo que sugieren los campos del CRM."
    ),
    "Remove a connection; contacts and records stay as they are.": (
        "Elimina una conexión; contactos y registros quedan como están."
    ),
    "The port at which it listens.": "El puerto en el que escucha.",
    "Where it keeps its contacts.": "Dónde guarda sus contactos.",
    "Start a small CRM to try sync with; it says how to connect to it.": (
        "Arranca un CRM pequeño para probar; dice cómo conectarse a él."
    ),
    "Sync with CRMs: plan, apply, run, status, explain, conflicts, restore, approve, pause, resume.": (
        "Sincronizar con CRM: planear, aplicar, pasar, estado, explicar, conflictos, restaurar, aprobar, pausar, "
        "seguir."
    ),
    "How many pairs to show.": "Cuántas parejas mostrar.",
    "What a run would do, pair by pair, by reading both sides; nothing is changed.": (
        "Lo que haría una pasada, pareja por pareja, leyendo los dos lados; no cambia nada."
    ),
    "Do what the newest plan says; pairs that have moved since are left for the next one.": (
        "Hace lo que dice el último plan; lo que se movió desde entonces queda para el siguiente."
    ),
    "Go through everything the CRM has, as each night.": "Recorrer todo lo que tiene el CRM, como cada noche.",
    "Sync now: what changed on either side since the last time.": (
        "Sincroniza ahora: lo que cambió en cada lado desde la última vez."
    ),
    "The connection's name; all of them without.": "El nombre de la conexión; sin él, todas.",
    "How connections stand: pairs, what is due, what waits for a person, and the last run.": (
        "Cómo están las conexiones: parejas, lo pendiente, lo que espera a alguien, y la última pasada."
    ),
    "Another run than the last.": "Otra pasada que la última.",
    "Only those applied, unchanged, conflict, rejected or waiting.": (
        "Solo applied (aplicados), unchanged (sin cambios), conflict, rejected (rechazados) o waiting (en espera)."
    ),
    "What became of each record that a run looked at.": "Qué fue de cada registro que miró una pasada.",
    "Why a contact stands in each CRM as it does: what was agreed on, what is on each side, what would be done.": (
        "Por qué un contacto está así en cada CRM: lo acordado, lo que hay en cada lado, lo que se haría."
    ),
    "Only those open, chosen, auto, restored or dismissed.": (
        "Solo open (abiertos), chosen (elegidos), auto (por política), restored (restaurados) o dismissed (resueltos)."
    ),
    "Values that stood against each other, the newest first: who won by what, and what was passed over.": (
        "Valores enfrentados, los últimos primero: quién ganó y por qué, y qué quedó atrás."
    ),
    "The conflict's number.": "El número del conflicto.",
    "Whose value stands: local, remote, or loser (the one passed over).": (
        "Qué valor vale: local (aquí), remote (allí) o loser (el que perdió)."
    ),
    "Let the other value of a conflict stand, here and there.": (
        "Hace valer el otro valor de un conflicto, aquí y allí."
    ),
    "Let the deletions through that a run held back.": "Deja pasar las bajas que una pasada retuvo.",
    "Let no run begin.": "No deja empezar ninguna pasada.",
    "Let runs begin again.": "Deja empezar pasadas de nuevo.",
}
