"""One key at a time: the match form of a phone or e-mail as it is stored."""

import pyarrow as pa

from pipelines.phones import match_form


def key_form(kind: str, value: str) -> str:
    """The form under which a stored phone or e-mail is owned.

    >>> key_form("phone", "+5511961234567"), key_form("email", "ana@example.org")
    ('+551161234567', 'ana@example.org')
    """
    return str(match_form(pa.array([value]))[0].as_py()) if kind == "phone" else value
