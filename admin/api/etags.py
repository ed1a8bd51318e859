"""Versions in headers: what was read comes with its ETag, and an edit may say with If-Match which version it edits."""

from typing import Annotated

from fastapi import Header, Response

IfMatch = Annotated[str, Header(alias="If-Match", max_length=40, description="The ETag that was read, or *.")]
_NO_VERSION = 0


def wanted_version(if_match: str) -> int | None:
    """The version in an If-Match header, one that nothing has if it is none of ours; None where any will do."""
    text = wanted_digest(if_match)
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() else _NO_VERSION


def wanted_digest(if_match: str) -> str | None:
    """The version in an If-Match header of what has a digest for one; None where any will do."""
    text = if_match.strip().removeprefix("W/").strip('"')
    return None if text == "*" else text


def with_etag(response: Response, version: int | str) -> None:
    response.headers["ETag"] = f'"{version}"'
