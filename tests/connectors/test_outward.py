"""Requests to addresses that somebody typed: to the address that was checked, within their time, whatever comes back."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.outward import Answer, MayNotGo, NotAnswered, Reach, check_url, post
from tests.receiver import receiver

NEAR = Reach([ipaddress.ip_network("127.0.0.1")], seconds=1.0)


@contextmanager
def saying(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """A server that answers every call with these bytes, with a pause after each part."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                try:
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(pause)
                except OSError:
                    continue

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


@pytest.mark.parametrize("rest", ["/hook", "?x=1", "/ñ", "/a b", "/a/../b", "/%7Eb", "/x|y", "/%zz"])
def test_a_name_that_resolves_otherwise_a_moment_later_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    asked: list[str] = []
    really = socket.getaddrinfo

    def resolve(host: str, *arguments: Any, **options: Any) -> Any:
        if host != "rebind.example":
            return really(host, *arguments, **options)
        asked.append(host)
        return really("127.0.0.2" if len(asked) == 1 else "127.0.0.1", *arguments, **options)

    # No name server at hand changes its answer between two questions.
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with receiver() as private:
        port = private.url.split(":")[2].split("/")[0]
        reach = Reach([ipaddress.ip_network("127.0.0.2")], seconds=1.0)

        with pytest.raises(NotAnswered):
            post(f"http://rebind.example:{port}{rest}", b"{}", {}, reach)

        assert (private.calls, asked) == ([], ["rebind.example"])


@pytest.mark.parametrize("url", ["https://a..b/", f"https://{'a' * 70}.example/", "https://nobody.invalid/"])
def test_a_host_that_cannot_be_is_said(url: str) -> None:
    with pytest.raises(MayNotGo, match="is not found"):
        check_url(url, [])


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Answer(200)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc", Answer(200)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: " + b"9" * 400 + b"\r\nContent-Length: 0\r\n\r\n", Answer(503, 86_400.0)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 999999\r\nContent-Length: 0\r\n\r\n", Answer(503, 86_400.0)),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", Answer(503)),
    ],
    ids=["bad chunk", "cut body", "endless wait", "long wait", "a wait in words"],
)
def test_the_status_counts_whatever_comes_after_it(said: bytes, answer: Answer) -> None:
    with saying(said) as url:
        assert post(url, b"{}", {}, NEAR) == answer


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "no HTTP", "no status", "a redirect to nowhere", "a header without end"],
)
def test_what_cannot_be_understood_is_no_answer(said: bytes) -> None:
    with saying(said) as url, pytest.raises(NotAnswered):
        post(url, b"{}", {}, NEAR)


def test_an_answer_that_drips_is_cut_off_in_time() -> None:
    with saying(*(bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), pause=0.3) as url:
        began = time.monotonic()

        with pytest.raises(NotAnswered):
            post(url, b"{}", {}, NEAR)

        assert time.monotonic() - began < 5
