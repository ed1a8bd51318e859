"""Serving the endpoint: in a thread beside the worker, or as a process of its own."""

import socket
import threading
import time
from contextlib import closing

import uvicorn

from admin.api.app import build_app
from admin.api.callers import Desk
from schemas.errors import SetupError

_START_SECONDS, _STOP_SECONDS = 15.0, 5.0


class AdminServer:
    """The endpoint in a thread; `start` returns when it answers."""

    def __init__(self, desk: Desk) -> None:
        settings = desk.settings
        self._socket = _listen(settings.admin_host, settings.admin_port)
        self.port = int(self._socket.getsockname()[1])
        host = f"[{settings.admin_host}]" if ":" in settings.admin_host else settings.admin_host
        self.url = f"http://{host}:{self.port}"
        self.app = build_app(desk)
        config = uvicorn.Config(
            self.app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=settings.proxies,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="admin", daemon=True
        )

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started and self._thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SetupError where somebody else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        with closing(found):
            raise SetupError(
                f"The admin endpoint cannot listen at {host}:{port}: {error.strerror}. Set PADRON_ADMIN_PORT or "
                "PADRON_ADMIN_HOST.",
                f"El servicio de administración no puede escuchar en {host}:{port}: {error.strerror}. Cambie "
                "PADRON_ADMIN_PORT o PADRON_ADMIN_HOST.",
            ) from error
    return found
