"""A server in front of a vault: passes everything on, but for what a test wants otherwise."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    Interfere = Callable[["Asked", Callable[["Asked"], "Reply"]], "Reply"]

NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Asked:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def is_download(self) -> bool:
        return self.path.endswith("/download")


@dataclass(frozen=True)
class Reply:
    """What the client gets. `cut` ends the body half-way, `dropped` the connection before the status line."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    dropped: bool = False

    def listing(self, **changes: Any) -> Reply:
        """Return the list, or the one row, with these fields changed."""
        found = json.loads(self.body)
        changed = {**found, **changes} if isinstance(found, dict) else [{**row, **changes} for row in found]
        return replace(self, body=json.dumps(changed).encode())


class Between:
    """Serves on a free port while the block runs."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._place = urlsplit(url)
        self._lock = threading.Lock()
        self.seen: list[Asked] = []
        self.interfere: Interfere = lambda asked, pass_on: pass_on(asked)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, part: str = "") -> int:
        """Return how many requests had this in their path."""
        return sum(part in asked.path for asked in self.seen)

    def nth_time(self, asked: Asked) -> int:
        """Return how often this very request came so far."""
        return sum((each.method, each.path) == (asked.method, asked.path) for each in self.seen)

    def answer(self, asked: Asked) -> Reply:
        """Return what a request gets."""
        with self._lock:
            self.seen.append(asked)
        return self.interfere(asked, self._pass_on)

    def _pass_on(self, asked: Asked) -> Reply:
        assert self._place.hostname
        connection = http.client.HTTPConnection(self._place.hostname, self._place.port, timeout=30)
        headers = {name: text for name, text in asked.headers.items() if name not in NOT_PASSED_ON}
        try:
            connection.request(asked.method, asked.path, asked.body or None, headers)
            found = connection.getresponse()
            kept = {name: text for name, text in found.getheaders() if name.lower() not in NOT_PASSED_ON}
            return Reply(found.status, found.read(), kept)
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.close_connection = True
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    return
                headers = {name.lower(): text for name, text in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                reply = between.answer(Asked(self.command, self.path, headers, body))
                if not reply.dropped:
                    self._send(reply)

            def _send(self, reply: Reply) -> None:
                self.send_response_only(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)

        return Handler
