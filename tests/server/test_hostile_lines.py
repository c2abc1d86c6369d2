"""Request lines and headers that are none, and connections that end in the middle."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import pytest

from tests.harness import ROOT_TOKEN, unique
from tests.server.support import MULTIPART, exchange, files_of, multipart, part, request

if TYPE_CHECKING:
    from tests.harness import RunningVault


LINES = {
    "no version": b"GET /api/v4/version\r\n\r\n",
    "unknown version": b"GET /api/v4/version HTTP/7.3\r\n\r\n",
    "unknown method": b"FETCH /api/v4/version HTTP/1.1\r\nHost: x\r\n\r\n",
    "method in small letters": b"get /api/v4/version HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the line": b"GET /api/\x00v4 HTTP/1.1\r\n\r\n",
    "only NUL": b"\x00" * 100 + b"\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000001fc0303") + b"x" * 200 + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "path without end": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "path of bytes": b"GET /api/v4/projects/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "path with a space": b"GET /api/v4/a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "path of an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "path of another host": b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT vault:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "header without end": b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "headers without end": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n",
    "header without colon": b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    "header with NUL": b"GET / HTTP/1.1\r\nHost: x\x00\r\n\r\n",
    "header folded": b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    "header with a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "no header": b"GET /api/v4/version HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "host of quotes": b'GET /api/v4/version HTTP/1.1\r\nHost: "><script>\r\n\r\n',
    "line feeds alone": b"GET /api/v4/version HTTP/1.1\nHost: x\n\n",
    "websocket": b"GET /api/v4/version HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "upgrade to HTTP/2": b"GET /api/v4/version HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "an expectation nobody knows": b"GET /nowhere HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\n\r\n",
}


class TestLines:
    @pytest.mark.parametrize("kind", LINES)
    def test_are_answered_in_json(self, vault: RunningVault, kind: str) -> None:
        answer = exchange(vault.url, LINES[kind])

        assert 400 <= answer.status < 500
        assert answer.headers["content-type"] == "application/json"
        assert isinstance(answer.json, dict)
        assert answer.headers["server"] == "secure-files"

    @pytest.mark.parametrize("host", ['"><script>', "a b", "\xff", "a,b", "a/b", "a@b", "a:b", "[::1", ""])
    def test_whose_host_is_none_do_nothing(self, vault: RunningVault, host: str) -> None:
        """It would stand in links as it is."""
        lines = {"Host": host, "PRIVATE-TOKEN": ROOT_TOKEN, "Content-Type": "application/json"}
        path = unique("hosted")

        answer = exchange(
            vault.url, request("POST", "/api/v4/groups", lines, b'{"name": "a", "path": "%s"}' % path.encode())
        )

        assert (answer.status, answer.json) == (400, {"error": "the Host header is invalid"})
        assert vault.root.get(f"/groups/{path}").status == 404

    @pytest.mark.parametrize(
        "host", ["vault.example.com", "vault_1:8443", "127.0.0.1:80", "[::1]:8080", "[2001:db8::1]"]
    )
    def test_whose_host_is_one_are_served(self, vault: RunningVault, host: str) -> None:
        answer = exchange(vault.url, request("GET", "/api/v4/user", {"Host": host, "PRIVATE-TOKEN": ROOT_TOKEN}))

        assert answer.json["web_url"] == f"http://{host}/root"


class TestCutOff:
    """A client that goes away in the middle: it may get an answer or none, and nothing of it stays."""

    BODY = multipart([part("name", b"a"), part("file", b"1" * 300, "f")])
    CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

    @pytest.mark.parametrize(
        ("headers", "body"),
        [({"Content-Length": str(len(BODY))}, BODY), ({"Transfer-Encoding": "chunked"}, CHUNKS)],
        ids=["length", "chunks"],
    )
    def test_anywhere_stores_nothing_and_is_no_crash(
        self, vault: RunningVault, headers: dict[str, str], body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        place = files_of(vault.project())
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, **headers}
        whole = request("POST", f"/api/v4{place}", lines, body)
        statuses = []
        with caplog.at_level(logging.ERROR):
            for length in (*range(1, len(whole), 23), len(whole) - 1):
                with contextlib.suppress(ConnectionError):
                    statuses.append(exchange(vault.url, whole[:length], finish=True).status)

        assert all(400 <= status < 500 for status in statuses)
        assert vault.root.get(place).json == []
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
