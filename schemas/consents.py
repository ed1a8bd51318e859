"""What headers and cells say of consent: whether a person may be written to, and on which channel.

A lost opt-out is the worst that an import can do, so that what says "no" is looked for in many words, and what says
"yes" in few.
"""

import re
from typing import Literal

ConsentKind = Literal["opt_in", "opt_out"]
Said = Literal["in", "out", "unclear"]
EVERY_CHANNEL = "all"

_LONGEST = 120
_NOT_THE_ANSWER = (
    re.compile(r"\bfax\b|\bpostal\b|direct mail|do not mail\b"),
    re.compile(r"\b(reason|motivo|campaign|title|titulo|ip|source|origen|other)\b"),
    re.compile(r"\bmarketing contact status\b|\bestado del? contacto de marketing\b"),
)
_OUT = re.compile(
    r"(has )?opt(ed)? ?out|unsub(scribed?)?\b|desuscri|descadastr|(black|block|deny) ?listed"
    r"|cancel\w+ (la )?suscripcion"
    r"|\bdo ?not ?(allow )?(call|phone|contact|e ?mail|sms|text|disturb|whatsapp|market|bulk)|\bdnc\b|\bdnd\b"
    r"|\bno (llamar|contactar|molestar|enviar|escribir|desea|quiere|acepta|autoriza|e ?mail|sms|whatsapp|calls?)"
    r"|\bbaja (de |del |en |por )?(e ?mail|correo|boletin|newsletter|lista|sms|whatsapp|publicidad|comunicaciones)"
    r"|\bclean time\b|lista robinson|\bexcluir de\b|\bnao (enviar|contatar|ligar|perturbe)"
)
_OFFERS = (
    r"(publicidad|publicidade|marketing|promocion\w*|promoco\w*|comunicacion\w*|comunicaco\w*|e ?mails?|correos?|sms"
    r"|whatsapp|ofertas|newsletter|boletin\w*|mensajes|difusion|broadcasts?|novedades|llamadas)"
)
_IN = re.compile(
    r"\bopt(ed)? ?in\b|\boptin\b|double opt|^subscribed$|^suscri(to|ta|pcion)$|^inscrito$|\bconfirm time\b"
    rf"|\b(acept\w*|aceita\w*|autoriz\w*|permit\w*|allow\w*|accept\w*|quiere|desea|receives?|recib\w*)( \w+)*?"
    rf" {_OFFERS}"
    rf"|\b{_OFFERS}( \w+)* (consent\w*|permission|permitid\w*|allowed|autorizad\w*|opt in)"
    rf"|\b(consent\w*|permission|permiso)( \w+)*? {_OFFERS}|^(consent|consentimiento|permission|permiso)$"
    r"|\b(marketing|subscription|subscriber|email permission|email marketing|sms marketing) status\b"
    r"|\bestado (de (la )?)?suscripcion\b|\bestado de marketing\b"
)
_CHANNELS = (
    ("whatsapp", re.compile(r"whatsapp|\bwa\b|broadcast|difusion")),
    ("sms", re.compile(r"\bsms\b|\btext")),
    ("phone", re.compile(r"\bcalls?\b|\bphone|llama|telefon|\bdnc\b|ligar")),
    (
        "email",
        re.compile(
            r"e ?mail|correo|newsletter|boletin|unsub|clean time|opt ?in time|confirm time|descadastr|subscri|suscri"
            r"|inscrito|marketing status|estado de marketing"
        ),
    ),
)


def consent_target(form: str) -> str | None:
    """The `opt_out.…` or `opt_in.…` target that a header (in header form) means, or None.

    >>> consent_target("do not call"), consent_target("acepta publicidad"), consent_target("unsub reason")
    ('opt_out.phone', 'opt_in.all', None)
    """
    if len(form) > _LONGEST or any(pattern.search(form) for pattern in _NOT_THE_ANSWER):
        return None
    kind = "opt_out" if _OUT.search(form) else "opt_in" if _IN.search(form) else None
    channel = next((name for name, words in _CHANNELS if words.search(form)), EVERY_CHANNEL)
    return f"{kind}.{channel}" if kind else None


_SAYS_OUT = re.compile(
    r"unsub|opt(ed)? ?out|desuscri|descadastr|\bbaja\b|no consent|sin consentimiento"
    r"|\bnot? (allowed|permission|acept|quiere)"
    r"|revo[ck]|withdrawn|retirad|(black|block|deny) ?list|bloque|\bblocked\b|bounce|rebot|clean|complain|queja|spam"
    r"|rechaz|refus|denied|denegad|declin|do ?not|prohib|suppress|suprimi|cancelad|cancelled"
)
_SAYS_NOTHING = re.compile(
    r"never|nunca|non ?subscribed|not subscribed|no suscrit|pending|pendiente|unconfirmed|unknown"
)
_SAYS_IN = re.compile(
    r"^(subscribed|suscrit[oa]|opt(ed)? ?in|single opt in|double opt in|confirmed|confirmad[oa]|granted|given|express"
    r"|implied|allowed|accepted|acept[oa]|aceptad[oa]|autorizad[oa]|consent(ed)?|consent given|active|activ[oa]"
    r"|inscrit[oa])$"
)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ t,]+\d{1,2}:.*)?")


def consent_said(text: str, yes: bool | None, kind: ConsentKind) -> Said | None:
    """What a cell (lower case, no accents) of a consent column says; `yes` where it is a plain yes or no.

    A date is when it happened. What cannot be told counts as opted out in a column of opt-outs.

    >>> consent_said("2026-01-02 10:00", None, "opt_out"), consent_said("subscribed", None, "opt_in")
    ('out', 'in')
    """
    if yes is None and _DATE.fullmatch(text):
        yes = True
    if yes is not None:
        return ("in" if yes else "out") if kind == "opt_in" else ("out" if yes else None)
    if _SAYS_NOTHING.search(text):
        return None
    if _SAYS_OUT.search(text):
        return "out"
    if _SAYS_IN.search(text):
        return "in" if kind == "opt_in" else None
    return "unclear"


def status_says_out(text: str) -> bool:
    """Whether a status (lower case, no accents) that is none of Padrón's says that the person opted out.

    >>> status_says_out("unsubscribed"), status_says_out("prospect")
    (True, False)
    """
    return bool(
        re.search(r"unsub|opt(ed)? ?out|desuscri|descadastr|do not|no contact|no molest|no llamar|revo[ck]", text)
    )
