"""Mail: one message by SMTP, by TLS wherever a password or anything beyond this machine is involved."""

import ipaddress
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from schemas.errors import SetupError

_SECONDS = 15


class NotSent(SetupError):
    """The mail server did not take the message."""


def send_mail(smtp_url: str, sender: str, to: str, subject: str, text: str) -> None:
    """Send a message by `smtp://` (then STARTTLS) or `smtps://`; raises NotSent."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        with _connection(smtp_url) as server:
            _introduce(server, smtp_url)
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        host = urlsplit(smtp_url).hostname
        raise NotSent(
            f"The mail server {host} did not take the message ({type(error).__name__}). Check PADRON_SMTP_URL and try "
            "again.",
            f"El servidor de correo {host} no aceptó el mensaje ({type(error).__name__}). Revise PADRON_SMTP_URL y "
            "vuelva a intentarlo.",
        ) from error


def _connection(smtp_url: str) -> smtplib.SMTP:
    parts = urlsplit(smtp_url)
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        return smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)


def _introduce(server: smtplib.SMTP, smtp_url: str) -> None:
    """Go over to TLS, unless mail stays on this machine and its server has none; then sign in."""
    parts = urlsplit(smtp_url)
    server.ehlo()
    if parts.scheme == "smtp" and (server.has_extn("starttls") or not _is_here(parts.hostname or "")):
        server.starttls(context=ssl.create_default_context())
    if parts.username:
        server.login(unquote(parts.username), unquote(parts.password or ""))


def _is_here(host: str) -> bool:
    """Whether mail to this host stays on this machine."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
