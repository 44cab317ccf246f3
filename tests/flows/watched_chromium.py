"""A Chromium in which nothing that mail does goes unnoticed."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from chromium_program import ARGUMENTS, PROGRAM
from playwright.sync_api import BrowserContext, Dialog, Frame, Page, sync_playwright

HOSTILE_DOMAIN = ".hostile.test"


class Canary(ThreadingHTTPServer):
    """A server that must never be called. It serves whatever its test put into `content`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}"
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.content: dict[str, tuple[str, bytes]] = {}
        self.connections = 0

    def get_request(self) -> Any:
        accepted = super().get_request()
        self.connections += 1
        return accepted

    def handle_error(self, *_: object) -> None:
        """A browser that goes away in the middle is no error."""


class _Answer(BaseHTTPRequestHandler):
    server: Canary

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        content_type, content = self.server.content.get(self.path, ("text/plain", b""))
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def listening_canary() -> Iterator[Canary]:
    with Canary() as canary:
        Thread(target=canary.serve_forever, daemon=True).start()
        yield canary
        canary.shutdown()


@dataclass
class Watch:
    """What happened in one page since `clear`, other than requests to `own_host`."""

    page: Page
    own_host: str
    own_requests: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        page = self.page
        page.on("request", lambda request: self._ask(request.url))
        page.on("console", lambda message: self.happened.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.happened.append(f"error: {error}"))
        page.on("popup", lambda popup: self.happened.append(f"popup: {popup.url}"))
        page.on("download", lambda download: self.happened.append(f"download: {download.url}"))
        page.on("dialog", self._dismiss)
        page.on("framenavigated", self._arrive)

    def clear(self) -> None:
        self.own_requests.clear()
        self.happened.clear()

    def _ask(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.netloc == self.own_host:
            self.own_requests.append(url.partition(self.own_host)[2])
        elif parts.scheme not in ("about", "data"):
            self.happened.append(f"request: {url}")

    def _dismiss(self, dialog: Dialog) -> None:
        self.happened.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _arrive(self, frame: Frame) -> None:
        url = frame.url
        if frame.parent_frame and url != "about:srcdoc" and not url.endswith("/body"):
            self.happened.append(f"frame went to {url}")


@contextlib.contextmanager
def watched_chromium(log: Path) -> Iterator[BrowserContext]:
    """A browser that writes down in `log`, once it is closed, all that its network did."""
    # A process of its own for each frame of each mail costs half of the time, and is not our doing.
    arguments = [*ARGUMENTS, "--disable-features=IsolateSandboxedIframes", f"--log-net-log={log}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=arguments)
        yield browser.new_context()
        browser.close()


def read_hosts(log: Path) -> set[str]:
    """Every host that was looked up or asked for, with its port where one was named."""
    hosts = set()
    for event in json.loads(log.read_text())["events"]:
        parameters = event.get("params", {})
        if isinstance(url := parameters.get("url"), str):
            hosts.add(urlsplit(url).netloc)
        if isinstance(host := parameters.get("host"), str):
            hosts.add(urlsplit(host).netloc or host)
    return hosts - {""}
