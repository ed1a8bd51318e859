"""A real Chromium, driven by its own driver as W3C WebDriver has it (https://www.w3.org/TR/webdriver2)."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests import servers

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"] + [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Browser:
    """An open window."""

    session: str

    def go(self, url: str) -> None:
        self._call("POST", "url", url=url)

    @property
    def address(self) -> str:
        return str(self._call("GET", "url"))

    def type(self, selector: str, text: str) -> None:
        self._call("POST", f"element/{self._find(selector)}/value", text=text)

    def click(self, selector: str) -> None:
        self._call("POST", f"element/{self._find(selector)}/click")

    def text(self, selector: str) -> str:
        return str(self._call("GET", f"element/{self._find(selector)}/text"))

    def wait_for_text(self, selector: str, seconds: float = 20) -> str:
        """The text that stands there, once there is any."""
        end = time.monotonic() + seconds
        while not (found := self._all(selector) and self.text(selector)):
            assert time.monotonic() < end, f"nothing stands in {selector}"
            time.sleep(0.05)
        return str(found)

    def cut_off(self) -> None:
        """Let the network be away."""
        conditions = {"offline": True, "latency": 0, "throughput": 0}
        self._call("POST", "chromium/network_conditions", network_conditions=conditions)

    def _find(self, selector: str) -> str:
        return str(self._call("POST", "element", using="css selector", value=selector)[_ELEMENT])

    def _all(self, selector: str) -> list[Any]:
        return list(self._call("POST", "elements", using="css selector", value=selector))

    def _call(self, method: str, path: str, **body: Any) -> Any:
        json = body if method == "POST" else None
        answer = requests.request(method, f"{self.session}/{path}", json=json, timeout=60).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer


@contextmanager
def open_browser(folder: Path, language: str) -> Iterator[Browser]:
    """A window of its own, with nothing of an earlier one; raises servers.Missing."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or chromium is None:
        raise servers.Missing("chromium and chromedriver")
    port = servers.free_port()
    process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root = f"http://127.0.0.1:{port}"
    try:
        _wait_for(root)
        flags = [*_FLAGS, f"--user-data-dir={folder}", f"--accept-lang={language}"]
        options = {"goog:chromeOptions": {"binary": chromium, "args": flags}}
        made = requests.post(f"{root}/session", json={"capabilities": {"alwaysMatch": options}}, timeout=60).json()
        session = f"{root}/session/{made['value']['sessionId']}"
        yield Browser(session)
        requests.delete(session, timeout=30)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(root: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            requests.get(f"{root}/status", timeout=5)
            return
        except requests.ConnectionError:
            assert time.monotonic() < end, "the driver did not start"
            time.sleep(0.05)
