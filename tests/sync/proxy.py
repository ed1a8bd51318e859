"""A server between Padrón and a real CRM, which lets requests take effect and loses the answers."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Where it listens, and what it does: `drops` says of a request whether its answer is lost."""

    url: str
    drops: Callable[[str, str], bool] = lambda method, path: False
    answers: Callable[[str, str], tuple[int, dict[str, str], bytes] | None] = lambda method, path: None
    seen: list[tuple[str, str]] = field(default_factory=list)

    def count(self, *methods: str) -> int:
        return sum(method in methods for method, _ in self.seen)


@contextmanager
def proxy_of(upstream: str) -> Iterator[Proxy]:
    """A proxy before this server."""
    target = urlsplit(upstream).netloc
    found = Proxy("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.seen.append((self.command, self.path))
            if own := found.answers(self.command, self.path):
                self._answer(*own)
                return
            line = http.client.HTTPConnection(target, timeout=20)
            line.request(self.command, self.path, body, dict(self.headers))
            answer = line.getresponse()
            text = answer.read()
            if found.drops(self.command, self.path):
                self.close_connection = True
                return
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("content-length", "connection")
            }
            self._answer(answer.status, kept, text)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
