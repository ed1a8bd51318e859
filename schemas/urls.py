"""URLs as Padrón uses and shows them."""

import re


def with_driver(url: str) -> str:
    """A database's URL with the driver that Padrón uses."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def hide_password(text: str) -> str:
    """A URL without the name and password in it.

    >>> hide_password("postgresql://ana:secret@db/padron")
    'postgresql://…@db/padron'
    """
    return re.sub(r"//.*@", "//…@", text)
