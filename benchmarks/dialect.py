"""How a server is asked: a kept-open connection, what a dialect promises, and the secure files API's own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

BOUNDARY = "benchmark7MA4YWxkTrZu0gW"
# A project takes 100 files; a list is asked for as many.
PER_PROJECT = 90


def private(token: str) -> str:
    """Return the header that bears a token."""
    return f"PRIVATE-TOKEN: {token}\r\n"


class Link:
    """One kept-open HTTP/1.1 connection; `headers` go with each request, and end with a line's end."""

    def __init__(self, port: int, headers: str = "") -> None:
        self._port = port
        self.host = f"127.0.0.1:{port}"
        self._head = f"HTTP/1.1\r\nHost: {self.host}\r\n{headers}"
        self._scratch = memoryview(bytearray(1 << 20))
        self._open()

    def _open(self) -> None:
        self._buffer = b""
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reopen(self) -> None:
        """Begin anew after an answer that did not come whole; a server that is gone is for the next request to find."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self._open()

    def request(self, line: str, headers: str = "", *parts: bytes, keep: bool = False) -> tuple[int, int, bytes]:
        """Send a request; return status, length of the body, and the body when it is to be kept."""
        length = sum(map(len, parts))
        extra = f"Content-Length: {length}\r\n" if parts else ""
        self._send([f"{line} {self._head}{headers}{extra}\r\n".encode(), *parts])
        head = self._until(b"\r\n\r\n").decode("latin-1").lower()
        status = int(head.split(" ", 2)[1])
        body = self._chunks(keep=keep) if "\r\ntransfer-encoding: chunked" in head else self._whole(head, keep=keep)
        if "\r\nconnection: close" in head:
            self.reopen()
        return status, *body

    def _send(self, parts: list[bytes]) -> None:
        views = [memoryview(part) for part in parts]
        while views:
            sent = self._socket.sendmsg(views)
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if sent:
                views[0] = views[0][sent:]

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            got = self._socket.recv(65536)
            if not got:
                raise ConnectionError("closed by the server")
            self._buffer += got
        head, self._buffer = self._buffer.split(mark, 1)
        return head

    def _whole(self, head: str, *, keep: bool) -> tuple[int, bytes]:
        _, _, rest = head.partition("\r\ncontent-length:")
        size = int(rest.split("\r\n", 1)[0]) if rest else 0
        return size, self._body(size, keep=keep)

    def _chunks(self, *, keep: bool) -> tuple[int, bytes]:
        size, kept = 0, []
        while length := int(self._until(b"\r\n").split(b";")[0], 16):
            kept.append(self._body(length, keep=keep))
            size += length
            self._until(b"\r\n")
        self._until(b"\r\n")
        return size, b"".join(kept)

    def _body(self, size: int, *, keep: bool) -> bytes:
        kept = [self._buffer[:size]]
        left = size - len(kept[0])
        self._buffer = self._buffer[size:]
        while left:
            got = self._socket.recv_into(self._scratch, min(left, len(self._scratch)))
            if not got:
                raise ConnectionError("closed by the server")
            if keep:
                kept.append(bytes(self._scratch[:got]))
            left -= got
        return b"".join(kept) if keep else b""


class Dialect(Protocol):
    """How the servers of one kind are asked. Each client process makes its own, of the target's projects.

    Every upload of a run carries the same bytes under another name. `number` counts them: it says into which project
    one goes. A path is what `upload` returned.
    """

    def upload(self, link: Link, number: int, data: bytes) -> str | None:
        """Store `data`; return its path, None when that was refused."""

    def download(self, link: Link, path: str, size: int) -> bool:
        """Fetch a file of `size` bytes and drop it; say whether status and length were right."""

    def read(self, link: Link, path: str) -> bytes:
        """Return the bytes of a file."""

    def list(self, link: Link) -> bool:
        """Fetch the list of the first project's files; say whether it came."""

    def delete(self, link: Link, path: str) -> bool:
        """Remove a file; say whether it was."""


class Projects:
    """Names, and the project that one goes into."""

    def __init__(self, projects: Sequence[int]) -> None:
        self._projects = projects

    def project(self, number: int) -> int:
        """Return where upload `number` of a run goes."""
        return self._projects[number // PER_PROJECT % len(self._projects)]

    @staticmethod
    def name() -> str:
        """Return a name that was never used."""
        return f"{os.getpid()}-{time.monotonic_ns()}.bin"


class SecureFiles(Projects):
    """The vault's and the floors' dialect: GitLab's secure files."""

    def upload(self, link: Link, number: int, data: bytes) -> str | None:
        path = f"/api/v4/projects/{self.project(number)}/secure_files"
        name = self.name()
        opening = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\n{name}\r\n'
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        )
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        closing = f"\r\n--{BOUNDARY}--\r\n"
        status, _, body = link.request(f"POST {path}", kind, opening.encode(), data, closing.encode(), keep=True)
        return f"{path}/{json.loads(body)['id']}" if status == 201 else None

    def download(self, link: Link, path: str, size: int) -> bool:
        status, length, _ = link.request(f"GET {path}/download")
        return status == 200 and length == size

    def read(self, link: Link, path: str) -> bytes:
        return link.request(f"GET {path}/download", keep=True)[2]

    def list(self, link: Link) -> bool:
        status, length, _ = link.request(f"GET /api/v4/projects/{self._projects[0]}/secure_files?per_page=100")
        return status == 200 and length > 2

    def delete(self, link: Link, path: str) -> bool:
        return link.request(f"DELETE {path}")[0] == 204
