"""Versions in headers: what was read comes with its ETag, and an edit may say with If-Match which version it edits."""

from typing import Annotated, Any

from fastapi import Header, Response

IfMatch = Annotated[str, Header(alias="If-Match", max_length=40, description="The ETag that was read, or *.")]
_NO_VERSION = 0


def _headers(**told: str) -> dict[str, Any]:
    return {"headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}}


Answers = dict[int | str, dict[str, Any]]
_VERSION, _MADE = "The version, for `If-Match`.", "The address of what was made."
VERSIONED: Answers = {200: _headers(ETag=_VERSION)}
MADE: Answers = {201: _headers(ETag=_VERSION, Location=_MADE)}
MADE_HERE: Answers = {201: _headers(ETag=_VERSION)}
WATCHED: Answers = {202: _headers(Location="The address of what is to be watched.")}
SIGNED_OUT: Answers = {204: _headers(**{"Set-Cookie": "Takes the session's cookie away."})}
SIGNED_IN: Answers = {201: _headers(**{"Set-Cookie": "The session's cookie, where one was asked for."})}
"""The headers of answers, as the document of the API tells them."""


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
