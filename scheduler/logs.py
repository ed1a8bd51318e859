"""Logs: one line for each thing done, with counts and numbers; never a name, phone, e-mail or cell."""

import logging
import sqlite3
import sys

import structlog

from schemas.errors import PadronError


def set_up_logs(*, verbose: bool) -> None:
    """Own lines to standard error; other libraries only when they warn."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.add_log_level,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO if verbose else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def reason_of(error: BaseException) -> str:
    """Why something failed, without what databases say of the rows: their messages hold names and phones."""
    if isinstance(error, OSError | PadronError):
        return str(error)
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.OperationalError):  # its words are of the file and of SQL, and never of values
        return f"{type(cause).__name__} {cause}"
    return " ".join(filter(None, (type(cause).__name__, getattr(cause, "sqlstate", None))))
