"""Guesses at a password: some are free, and each further one waits twice as long, to a quarter of an hour.

They are counted by network, so that nobody keeps somebody out by guessing from elsewhere; who came in from a network
before is not kept out there by guesses at other e-mails, nor by those from everywhere.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import Connection

from schemas.errors import InputError
from warehouse import sessions
from warehouse.audit import Asked

WINDOW = timedelta(hours=1)
"""For how long a guess counts."""
_FREE_TRIES, _MOST_TRIES = 5, 50
_LONGEST_WAIT = timedelta(minutes=15)


class TooManyTries(InputError):
    """Too many guesses failed; `wait` says how long the next one has to."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__(
            f"Too many sign-ins failed. Try again in {seconds} s.",
            f"Demasiados intentos fallidos. Vuelva a intentarlo en {seconds} s.",
        )
        self.wait = wait


def network_of(address: str | None) -> str | None:
    """An address, and of IPv6 the part that one household or office has.

    >>> network_of("10.0.0.1"), network_of("::ffff:10.0.0.1"), network_of("2001:db8:1:2:3::4")
    ('10.0.0.1', '10.0.0.1', '2001:db8:1:2::/64')
    """
    try:
        found = ip_address(address or "")
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(ip_network(f"{found}/64", strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def begin_try(connection: Connection, whose: str, asked: Asked, operator_id: int | None) -> int:
    """Count a try before it is made: one that is right is forgotten (`forget_attempt`). Raises TooManyTries."""
    attempt = sessions.next_attempt(connection)
    network, since = network_of(asked.address), asked.at - WINDOW
    here = sessions.attempts_since(connection, since, email_match=whose, address=network)
    extra = len(here) - _FREE_TRIES
    if extra >= 0:
        _refuse_until(here[0] + min(timedelta(seconds=2 ** min(extra, 12)), _LONGEST_WAIT), asked.at)
    if operator_id is None or network not in map(network_of, sessions.addresses_of(connection, operator_id)):
        for filters in ({"email_match": whose}, {"address": network}):
            failed = sessions.attempts_since(connection, since, **filters)
            if len(failed) >= _MOST_TRIES:
                _refuse_until(failed[_MOST_TRIES - 1] + WINDOW, asked.at)
    sessions.add_attempt(connection, attempt, whose, network, asked.at)
    return attempt


def _refuse_until(until: datetime, now: datetime) -> None:
    if until > now:
        raise TooManyTries(until - now)
