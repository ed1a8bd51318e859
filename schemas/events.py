"""What webhooks tell of: each kind of event, in English and in Spanish."""

EVENTS: dict[str, tuple[str, str]] = {
    "contact.created": ("A contact was created.", "Se creó un contacto."),
    "contact.updated": ("A contact was changed.", "Cambió un contacto."),
    "contact.blocked": ("A contact was blocked.", "Se bloqueó un contacto."),
    "contact.deleted": ("A contact was taken off the roll.", "Un contacto salió del padrón."),
    "batch.finished": (
        "An import ended: done, rejected or without a mapping.",
        "Terminó una importación: hecha, rechazada o sin correspondencia.",
    ),
    "job.finished": (
        "Long work ended: done, failed or stopped.",
        "Terminó un trabajo largo: hecho, fallido o detenido.",
    ),
    "segment.joined": ("Contacts joined a segment.", "Entraron contactos en un segmento."),
    "segment.left": ("Contacts left a segment.", "Salieron contactos de un segmento."),
    "operator.state": ("An agent's state changed.", "Cambió el estado de un agente."),
    "webhook.test": ("Somebody asked for a trial.", "Alguien pidió una prueba."),
}
"""An event says what happened and to whom, by number; the values are asked for, so that none stay in deliveries."""
OF_CONTACTS = tuple(name for name in EVENTS if name.startswith("contact."))
