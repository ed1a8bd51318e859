"""Requests to addresses that somebody typed: only where they may go, to the address that was checked, no further.

The host is resolved once; each of its addresses must be public, or in a network that the settings allow; the connection
goes to one that was checked, so that a name that is resolved otherwise a moment later changes nothing. No redirects,
no proxies of the environment.
"""

import ipaddress
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from schemas.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_DAY, _MOST_COPIES = 86_400, 8
_ASSIGNED = ipaddress.IPv4Network("192.0.0.0/24")
"""Addresses of protocols, which this Python's `is_global` takes for public."""
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class MayNotGo(InputError):
    """The address is none that may be called."""


class NotAnswered(Exception):
    """Nothing came back that can be understood; the message is the kind of error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and how long to wait if it says so (seconds)."""

    status: int
    wait: float | None = None


def check_url(url: str, allowed: Sequence[Network]) -> tuple[str, int, Address]:
    """The host, the port and a checked address of a URL; raises MayNotGo."""
    parts = _split(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise MayNotGo(
            f"The host {host} is not found. Check how it is written.",
            f"No se encuentra el servidor {host}. Revise cómo está escrito.",
        ) from error
    found = [ipaddress.ip_address(item[4][0]) for item in known]
    for address in found:
        if not _is_public(address) and not any(address in network for network in allowed):
            raise MayNotGo(
                f"{_shown(host, address)} a private address. Allow its network with PADRON_WEBHOOK_NETWORKS if you "
                "trust it.",
                f"{_shown(host, address, 'está en', 'es')} una dirección privada. Si confía en su red, permítala con "
                "PADRON_WEBHOOK_NETWORKS.",
            )
    if parts.scheme != "https" and not all(any(address in network for network in allowed) for address in found):
        raise MayNotGo(
            f"{url} is not https. Plain http is for networks in PADRON_WEBHOOK_NETWORKS.",
            f"{url} no es https. El http sin cifrar es para redes de PADRON_WEBHOOK_NETWORKS.",
        )
    return host, port, found[0]


def _shown(host: str, address: object, at: str = "is at", is_: str = "is") -> str:
    """The host with its address, or as the address that it is.

    >>> _shown("erp.local", "10.0.0.1"), _shown("10.0.0.1", "10.0.0.1")
    ('erp.local is at 10.0.0.1,', '10.0.0.1 is')
    """
    return f"{host} {is_}" if host == str(address) else f"{host} {at} {address},"


def _split(url: str) -> SplitResult:
    """The parts of a URL that two readers of it understand alike."""
    try:
        parts, other = urlsplit(url), parse_url(url)
        alike = parts.hostname == (other.host or "").strip("[]").lower() and parts.port == other.port
    except (ValueError, requests.exceptions.RequestException):
        alike = False
    if not alike or parts.scheme not in ("http", "https") or not parts.hostname or "\\" in url or "@" in parts.netloc:
        raise MayNotGo(
            f"{url!r} is not an address that can be called. Write it as https://host/path, without user or password.",
            f"{url!r} no es una dirección que se pueda llamar. Escríbala como https://host/ruta, sin usuario ni "
            "contraseña.",
        )
    return parts


def _is_public(address: Address) -> bool:
    """Whether an address is on the open internet, whatever it is wrapped in.

    >>> [_is_public(ipaddress.ip_address(text)) for text in ("8.8.8.8", "10.0.0.1", "::ffff:127.0.0.1")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _last_four(address)
        if inner is not None:
            return _is_public(inner)
        if address.is_site_local or address.teredo is not None:
            return False
    elif address in _ASSIGNED:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _last_four(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address in one of NAT64, or in the old form ::1.2.3.4."""
    number = int(address)
    if any(address in network for network in _NAT64) or (0xFFFF < number < 1 << 32):
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return None


class _Deadline:
    """Cuts every connection of a request once its time is over, however slowly the other side goes on sending."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._copies: list[socket.socket] = []

    def watch(self, connection: socket.socket) -> None:
        if len(self._copies) >= _MOST_COPIES:  # of connections that are long closed
            self._copies.pop(0).close()
        self._copies.append(socket.socket(fileno=os.dup(connection.fileno())))

    def _cut(self) -> None:
        for copy in self._copies:
            with suppress(OSError):
                copy.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def running(self) -> Iterator[None]:
        """For one request."""
        timer = threading.Timer(self._seconds, self._cut)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def close(self) -> None:
        for copy in self._copies:
            copy.close()
        self._copies.clear()


class _Pinned(HTTPAdapter):
    """Connects to an address that was checked, and still asks for the host by its name."""

    def __init__(self, host: str, address: Address, deadline: _Deadline) -> None:
        super().__init__()
        self._host, self._address = host, address
        self.poolmanager.pool_classes_by_scheme = _watched_pools(deadline)

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        where, how = super().build_connection_pool_key_attributes(request, verify, cert)
        if where["scheme"] == "https":
            how |= {"server_hostname": self._host, "assert_hostname": self._host}
        return {**where, "host": str(self._address)}, how


def _watched_pools(deadline: _Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections are watched from the first byte on."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            deadline.watch(connection)
            return connection

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            deadline.watch(connection)
            return connection

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far requests go: the private networks that are allowed, further certificates, and for how long (seconds)."""

    networks: Sequence[Network] = ()
    ca_file: str | None = None
    seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, with as much of its body as was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """Requests to one host, at the address that was checked, over connections that are kept."""

    def __init__(self, url: str, reach: Reach) -> None:
        """Raises MayNotGo."""
        host, port, address = check_url(url, reach.networks)
        shown = f"[{host}]" if ":" in host else host
        self._seconds = reach.seconds
        self._own = {"Host": shown if port in (80, 443) else f"{shown}:{port}", "User-Agent": "Padron"}
        self._deadline, self._session = _Deadline(reach.seconds), requests.Session()
        self._session.trust_env = False
        self._session.verify = reach.ca_file or True
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Pinned(host, address, self._deadline))

    def request(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], most: int) -> Response:
        """Ask for something of this host; of the body at most so many bytes. Raises NotAnswered."""
        how: dict[str, Any] = {"timeout": self._seconds, "allow_redirects": False, "stream": True}
        said = {**headers, **self._own}
        try:
            with (
                self._deadline.running(),
                self._session.request(method, url, data=body, headers=said, **how) as answer,
            ):
                return Response(answer.status_code, answer.headers, _body(answer, most))
        except (OSError, ValueError, requests.RequestException, HTTPError) as error:
            raise NotAnswered(type(error).__name__) from error

    def close(self) -> None:
        self._session.close()
        self._deadline.close()


def _body(answer: requests.Response, most: int) -> bytes:
    """The body; raises NotAnswered where it is longer than anybody means."""
    found = bytearray()
    if most:
        for part in answer.iter_content(65_536):
            found += part
            if len(found) > most:
                raise NotAnswered("TooLarge")
    return bytes(found)


def post(url: str, body: bytes, headers: Mapping[str, str], reach: Reach) -> Answer:
    """POST a body; raises MayNotGo, or NotAnswered. Of what comes back only the status and the headers are read."""
    line = Line(url, reach)
    try:
        found = line.request("POST", url, body, headers, 0)
    finally:
        line.close()
    return Answer(found.status, seconds_to_wait(found.headers.get("Retry-After"), found.headers.get("Date")))


def seconds_to_wait(text: str | None, date: str | None) -> float | None:
    """What Retry-After says, seconds or a time, which is after that of Date (RFC 9110, 10.2.3); at most a day."""
    if not text or not text.isascii():
        return None
    if text.isdigit():
        return float(min(int(text[:6]), _DAY)) if len(text) <= 6 else float(_DAY)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(date or "")
    except (ValueError, OverflowError, TypeError):  # no time, or one without a zone
        return None
    return min(max(wait.total_seconds(), 0.0), float(_DAY))
