"""Guesses at a password: some are free, and each further one waits twice as long, to a quarter of an hour."""

from datetime import timedelta

from sqlalchemy import Connection

from schemas.errors import InputError
from warehouse import sessions
from warehouse.audit import Asked

WINDOW = timedelta(minutes=15)
"""For how long a guess counts."""
_FREE_TRIES, _FREE_TRIES_OF_ADDRESS = 5, 50
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


def begin_try(connection: Connection, whose: str, asked: Asked) -> int:
    """Count a try before it is made: one that is right is forgotten (`forget_attempt`). Raises TooManyTries."""
    attempt = sessions.next_attempt(connection)
    failed, there = sessions.attempts_since(connection, whose, asked.address, asked.at - WINDOW)
    extra = len(failed) - _FREE_TRIES
    if extra >= 0:
        wait = min(timedelta(seconds=2 ** min(extra, 12)), _LONGEST_WAIT) - (asked.at - failed[0])
        if wait > timedelta(0):
            raise TooManyTries(wait)
    if len(there) >= _FREE_TRIES_OF_ADDRESS:
        raise TooManyTries(there[_FREE_TRIES_OF_ADDRESS - 1] + WINDOW - asked.at)
    sessions.add_attempt(connection, attempt, whose, asked.address, asked.at)
    return attempt
