"""What headers and cells say of consent: whether a person may be written to, and on which channel.

A lost opt-out is the worst that an import can do, so that what says "no" is looked for in many words, and what says
"yes" in few. Headers come in header form; cells in lower case without accents.
"""

import re
from typing import Literal

ConsentKind = Literal["opt_in", "opt_out"]
Said = Literal["in", "out", "unclear"]
"""`unclear` cells are opt-outs in columns of opt-outs, and nothing in others."""
EVERY_CHANNEL = "all"
MARKETING = "marketing"
"""The purpose that files, and what is said of opt-outs, are about; people may keep others."""
DATA_CONSENT = "data_consent"
REACHED_BY = {"email": ("email",), "phone": ("phone", "sms", "whatsapp")}
"""The channels on which a key of each kind is written to."""

_LONGEST = 120
_ABOUT_IT = re.compile(
    r"\b(reason|motivo|razon|title|titulo|id|ip|source|origen|link|url|token|marketing contact|mode|modo)\b|\bpor$"
    r"|\bcontacto de marketing\b"
    r"|\b(no|not) (cancel\w+|anul\w+|withdrawn|revo[ck]\w+)"
)
"""Words of columns that say something about a consent, and not whether it is given."""
_WHEN_SEEN = re.compile(r"\b(last|ultim\w+|updated?|actualiz\w+|timestamp)\b")
_NEGATED = re.compile(
    r"\b(no|not|nao|non|sin|sem|without|never|nunca|revo[ck]\w*|withdr\w+|retir\w+|rechaz\w+|refus\w+|declin\w+"
    r"|cancel\w*|anul\w+|remov\w+|ended|terminad[oa])\b"
)
_OFFERS = (
    r"(publicidad|publicidade|marketing|promocion\w*|promoco\w*|comunicacion\w*|comunicaco\w*|e ?mails?|mails?|correos?"
    r"|sms|whatsapp|ofertas|newsletter|boletin\w*|mensajes|difusion|broadcasts?|novedades|llamadas)"
)
_OUT = re.compile(
    r"(has )?opt(ed)? ?out|unsub(scribed?)?\b|desuscri|descadastr|(black|block|deny) ?listed"
    r"|\b(cancel\w+|anul\w+) (de )?(la |a |mi |su )?(suscripcion|subscripcion|assinatura|inscricao em|subscription)"
    r"|\b(suscripcion|subscripcion|assinatura|subscription|newsletter|boletin) (cancel\w+|anul\w+)"
    r"|\bsin suscripcion\b|\bno suscri(p?to|p?ta)\b|\b(darse|dar|dado|dada|dados|dadas) de baja\b"
    r"|\bopt ?in (removed|revoked|withdrawn)\b"
    rf"|\b(rechaz\w+|recus\w+) (\w+ )?{_OFFERS}"
    r"|\bconsent\w* (revocad\w|retirad\w|revogad\w|revoked|withdrawn)\b"
    r"|\bdo ?not ?(allow )?(call|phone|contact|e ?mail|sms|text|disturb|whatsapp|market|bulk)|\bdnc\b|\bdnd\b"
    r"|\bno (llamar|contactar|molestar|enviar|mandar|escribir|desea|quiere|acepta|autoriza|(e ?)?mail|sms)"
    r"|\bno (whatsapp|calls?)"
    r"|\bbaja (de |del |en |por )?((e ?)?mail|correo|boletin|newsletter|lista|sms|whatsapp|publicidad|comunicaciones)"
    r"|\b(e ?mail|correo|boletin|newsletter|sms|whatsapp|publicidad) baja\b"
    r"|^baja$|\bdad[oa] de baja\b|\bfecha (de )?baja\b|\blista negra\b|\bno participar\b"
    r"|\b(no participacion|exclusion) (de|en|por) \w+|\bclean time\b|lista robinson|\bexcluir de\b"
    r"|\bnao (enviar|contatar|ligar|perturbe)"
)
_IN = re.compile(
    r"\bopt(ed)? ?in\b|\boptin\b|double opt|^(e ?mail |sms )?subscribed\b|^suscri(to|ta|pto|pta)\b"
    r"|^suscripcion( (activa|al?|por|de) .*)?$"
    r"|^inscrit[oa]\b"
    r"|\bconfirm time\b"
    r"|\b(acept\w*|aceita\w*|autoriz\w*|permit\w*|allow\w*|accept\w*|quiere|desea|receives?|recib\w*)( \w+)*?"
    rf" {_OFFERS}"
    rf"|\b{_OFFERS}( \w+)* (consent\w*|permission|permitid\w*|allowed|autorizad\w*|opt in)"
    rf"|\b(consent\w*|permission|permiso)( \w+)*? {_OFFERS}|^(consent|consentimiento|permission|permiso)$"
    r"|\b(marketing|subscription|subscriber|email permission|email marketing|sms marketing) status\b"
    r"|\b(estado|status) (para|de|da) (la )?comunica\w+ (por|via) (e ?mail|correo|sms|whatsapp)"
    r"|\bestado (de (la )?)?suscripcion\b|\b(estado|status) de marketing\b"
)
_PLAIN = re.compile(
    r"marketing|(e ?mail|sms|whatsapp) marketing|publicidade?|boletin(es)?|newsletters?|promociones|promocoes|novedades"
    r"|comunicaciones( comerciales)?|mailings?"
)
"""Headers that only name what is sent: their cells say yes or no, and anything else says nothing."""
_DATA = re.compile(
    r"habeas data|(autoriz\w*|acept\w*|consent\w*)( \w+)*? (datos|tratamiento|data|dados)\b"
    r"|\blgpd\b|\bgdpr\b|\brgpd\b"
)
"""Leave to keep the person's data: a yes is no leave to write to them, a no is none either."""
_CHANNELS = {
    "whatsapp": re.compile(r"whatsapp|\bwa\b|broadcast|difusion"),
    "sms": re.compile(r"\bsms\b|\btext"),
    "phone": re.compile(r"calls?\b|\bphone|llama|telefon|\bdnc\b|ligar"),
    "email": re.compile(r"e ?mail|correo|newsletter|boletin"),
}
_OF_EMAIL = re.compile(
    r"\bmails?\b|unsub|clean time|opt ?in time|confirm time|descadastr|subscri|suscri|inscrito|marketing status"
    r"|(estado|status) de marketing|assinatura"
)
"""What such columns are about where they name no channel."""
_ELSEWHERE = re.compile(r"fax\b|\bpostal\b|direct mail|\bdo not (allow )?mails?\b")


_SMELLS = re.compile(r"suscri|subscri|inscri|assinatura|consent|\bopt|\bbaja\b|newsletter|boletin|publicidad|marketing")


def may_be_consent(form: str) -> bool:
    """Whether a header that is not understood sounds as if it said who may be written to.

    >>> may_be_consent("suscripcion trimestral"), may_be_consent("cargo"), may_be_consent("opt in reason")
    (True, False, False)
    """
    return bool(_SMELLS.search(form)) and not _ABOUT_IT.search(form) and not _WHEN_SEEN.search(form)


def consent_target(form: str) -> str | None:
    """The `opt_out.…` or `opt_in.…` target that a header (in header form) means, or None.

    >>> consent_target("do not call"), consent_target("acepta publicidad"), consent_target("unsub reason")
    ('opt_out.phone', 'opt_in.all', None)
    """
    if len(form) > _LONGEST:
        return None
    kind = _kind_of(form)
    if kind is None and _DATA.search(form) and not _ABOUT_IT.search(form) and not _WHEN_SEEN.search(form):
        return DATA_CONSENT
    channel = _channel_of(form) if kind else None
    return f"{kind}.{channel}" if channel else None


def _kind_of(form: str) -> ConsentKind | None:
    if _ABOUT_IT.search(form):
        return None
    if _OUT.search(form):
        return "opt_out"
    if _PLAIN.fullmatch(form):
        return "opt_in"
    if not _IN.search(form) or _WHEN_SEEN.search(form):
        return None
    return "opt_out" if _NEGATED.search(form) else "opt_in"


def _channel_of(form: str) -> str | None:
    """The one channel that is named, `all` for several or none, None for post and fax."""
    named = [channel for channel, words in _CHANNELS.items() if words.search(form)]
    if len(named) == 1:
        return named[0]
    if not named and _ELSEWHERE.search(form.replace("e mail", "")):
        return None
    return "email" if not named and _OF_EMAIL.search(form) else EVERY_CHANNEL


_WORD = re.compile(r"[^0-9a-z]+")
_NOT_OUT = re.compile(
    r"(never|nunca|not|no)( esta| ha sido| been)? (unsubscribed|opted out|opt out|dado de baja|desuscrito|bloqueado"
    r"|blacklisted|bounced)"
)
_NOT_ASKED = re.compile(
    r"never subscribed|nunca suscrit[oa]|non ?subscribed|not subscribed|no suscrit[oa]|pending( \w+)?"
    r"|pendiente( de \w+)?|unconfirmed|sin confirmar|never|nunca|unknown"
)
_SAYS_OUT = re.compile(
    r"unsub|opt(ed)? ?out|desuscri|descadastr|\bbaja\b|no consent|sin consentimiento|cancelad|cancelled"
    r"|\b(no|not|nao) (allowed|permission|acept|quiere|dese|autoriz|permit|contact|molest|llam|envi|interes)"
    r"|revo[ck]|withdrawn|retirad|(black|block|deny) ?list|bloque|\bblocked\b|bounce|rebot|clean|complain|queja|spam"
    r"|rechaz|refus|denied|denegad|declin|do ?not|don t|prohib|suppress|suprimi"
    r"|\b(never|nunca) (e ?mail|call|contact|llam|envi|escrib)"
)
_STARTS_WITH_NO = re.compile(r"(ya )?(no|not|nao|non|sin|sem|never|nunca)\b")
_SAYS_IN = re.compile(
    r"(subscribed|suscrit[oa]|opt(ed)? ?in|(single|double) opt in|confirmed|confirmad[oa]|granted|given|express"
    r"|implied|allowed|accepted|acept[oa]|aceptad[oa]|autorizad[oa]|consent(ed)?|consent given|active|activ[oa]"
    r"|inscrit[oa])"
)
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ t,]+\d{1,2}:.*)?")


def consent_said(text: str, yes: bool | None, kind: ConsentKind) -> Said | None:
    """What a cell of a consent column says; `yes` where it is a plain yes or no.

    A date is when it happened. What cannot be told is unclear, and an opt-out where the column is one of opt-outs.

    >>> consent_said("2026-01-02 10:00", None, "opt_out"), consent_said("opt-in", None, "opt_in")
    ('out', 'in')
    """
    if yes is None and _DATE.fullmatch(text):
        yes = True
    if kind == "opt_out":
        return _said_of_opt_out(_words(text), yes)
    return _said_of_opt_in(_words(text), yes)


def _words(text: str) -> str:
    return _WORD.sub(" ", text).strip()


def _said_of_opt_out(text: str, yes: bool | None) -> Said | None:
    if yes is not None:
        return "out" if yes else None
    if _NOT_OUT.fullmatch(text) or _SAYS_IN.fullmatch(text) or text in ("never", "nunca", "never subscribed"):
        return None
    return "out" if _SAYS_OUT.search(text) else "unclear"


def _said_of_opt_in(text: str, yes: bool | None) -> Said | None:
    if yes is not None:
        return "in" if yes else "out"
    if _NOT_OUT.fullmatch(text) or _NOT_ASKED.fullmatch(text):
        return None
    if _SAYS_OUT.search(text) or _STARTS_WITH_NO.match(text):
        return "out"
    return "in" if _SAYS_IN.fullmatch(text) else "unclear"


_STATUS_OUT = re.compile(
    r"unsub|dad[oa] de baja|opt(ed)? ?out|desuscri|descadastr|do not|don t (call|contact)|revo[ck]"
    r"|\b(no|nao) (contact|molest|llam|dese|autoriz|quier|envi)|lista robinson"
)


def status_says_out(text: str) -> bool:
    """Whether a status that is none of Padrón's says that the person opted out.

    >>> status_says_out("opt-out"), status_says_out("prospect")
    (True, False)
    """
    words = _words(text)
    return bool(_STATUS_OUT.search(words)) and not _NOT_OUT.fullmatch(words)
