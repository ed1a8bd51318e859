"""Words with a fixed meaning: statuses and channels by their Spanish, English and Portuguese names; and tags."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import SEPARATOR, Normalised, chunked, per_distinct, trimmed, without_blanks
from pipelines.numbers import yes_or_no
from pipelines.texts import fold, normalise_texts
from schemas.consents import ConsentKind, consent_said, status_says_out
from schemas.exports import TAG_SEPARATOR
from schemas.headers import header_form

_STATUSES = {
    "active": "active activo activa ativo ativa enabled habilitado subscribed suscrito contactable vigente alta 1 true",
    "inactive": "inactive inactivo inactiva inativo inativa disabled deshabilitado inhabilitado baja 0 false",
    "blocked": "blocked bloqueado bloqueada blocklisted blacklisted block baneado spam",
    "archived": "archived archivado archivada arquivado arquivada",
}
_CHANNELS = {
    "whatsapp": "whatsapp wa wsp wpp whatsappbusiness whatsappcloud zap",
    "instagram": "instagram ig instagramdirect",
    "facebook": "facebook fb messenger facebookmessenger",
    "telegram": "telegram tg",
    "webchat": "webchat web livechat chat chatweb sitioweb website",
    "sms": "sms mensajedetexto",
    "email": "email mail correo correoelectronico",
    "phone": "phone telefono telefone call llamada voz voice",
}
_STATUS_OF = {word: status for status, words in _STATUSES.items() for word in words.split()}
_CHANNEL_OF = {word: channel for channel, words in _CHANNELS.items() for word in words.split()}
_TAG_SPLIT = re.compile(r"\s*(?::::|[;|\n])\s*")
_TAG_SPLIT_COMMA = re.compile(r"\s*(?::::|[;|,\n])\s*")
_TAG_LIMIT = 200
_SYSTEM_GROUPS = ("myContacts", "starred")
"""Groups that Google puts everybody into."""


def normalise_statuses(column: pa.Array) -> Normalised:
    return _vocabulary(column, _STATUS_OF, "status_unknown")


def normalise_channels(column: pa.Array) -> Normalised:
    return _vocabulary(column, _CHANNEL_OF, "channel_unknown")


def _vocabulary(column: pa.Array, words: dict[str, str], code: str) -> Normalised:
    texts = without_blanks(trimmed(chunked(column)))

    def known(text: str | None) -> str | None:
        return words.get(header_form(text).replace(" ", "")) if text else None

    value = per_distinct(texts, lambda text: known(text) or text, pa.string())
    problem = per_distinct(texts, lambda text: None if text is None or known(text) else code, pa.string())
    return Normalised(value, problem)


def normalise_consents(column: pa.Array, kind: ConsentKind) -> Normalised:
    """`in` or `out` for each cell of such a column, null where it says nothing; with a code where it is unclear."""
    folded = fold(without_blanks(trimmed(chunked(column))))

    def said(text: str) -> str | None:
        return consent_said(text, yes_or_no(text), kind)

    answers = per_distinct(folded, lambda text: said(text) if text else None, pa.string())
    unclear = pc.equal(answers, "unclear").fill_null(False)
    out = kind == "opt_out"
    meant = pa.scalar("out" if out else None, pa.string())
    code = pa.scalar("consent_unclear" if out else "consent_unknown", pa.string())
    return Normalised(pc.if_else(unclear, meant, answers), pc.if_else(unclear, code, pa.scalar(None, pa.string())))


def says_out(column: pa.Array) -> pa.Array:
    """Where a status that is none of Padrón's says that the person opted out."""
    folded = fold(chunked(column))
    return per_distinct(folded, lambda text: bool(text) and status_says_out(text), pa.bool_())


def normalise_tags(column: pa.Array, separator: str | None) -> pa.Array:
    """The tags of each cell as written, joined by SEPARATOR; null where there are none.

    Without a separator of the profile's, cells are split at | ; and ::: and at commas.
    """
    return per_distinct(
        trimmed(chunked(column)), lambda text: join_tags(split_tags(text or "", separator)), pa.string()
    )


def split_tags(text: str, separator: str | None = None) -> list[str]:
    """The tags in a cell, each once; what stands around them is left off, but in a file of our own.

    >>> split_tags('"VIP","early adopter"'), split_tags("* myContacts ::: VIP,early", ":::")
    (['VIP', 'early adopter'], ['VIP,early'])
    """
    if separator and separator not in ":::;|":
        parts = text.split(separator)
    else:
        parts = (_TAG_SPLIT if separator else _TAG_SPLIT_COMMA).split(text)
    is_ours, tags = separator == TAG_SEPARATOR, dict[str, str]()
    for part in parts:
        bare = part if is_ours else part.strip().strip('"').removeprefix("* ")
        tag = " ".join(bare.split())[:_TAG_LIMIT]
        if is_ours and tag or tag not in ("", "*") and not (part.strip().startswith("* ") and tag in _SYSTEM_GROUPS):
            tags.setdefault(tag_form(tag), tag)
    return list(tags.values())


def join_tags(tags: list[str]) -> str | None:
    return SEPARATOR.join(tags) or None


def tags_by_form(tags: Sequence[str]) -> dict[str, str]:
    """The form of each tag, and its name as it is kept: what a file with it would bring.

    >>> tags_by_form([" VIP\u200b", "vip"])
    {'vip': 'VIP'}
    """
    names = normalise_texts(pa.array(tags, pa.string())).to_pylist()
    return {tag_form(name or ""): name or "" for name in reversed(names)}


@lru_cache(maxsize=10_000)
def tag_form(tag: str) -> str:
    """The form in which tags are the same: `VIP`, `vip ` and `Víp` are one tag."""
    plain = unicodedata.normalize("NFKD", tag.casefold())
    return " ".join("".join(char for char in plain if not unicodedata.combining(char)).split())
