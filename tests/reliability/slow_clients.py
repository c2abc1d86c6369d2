"""Clients over bare sockets that send slowly, stop in the middle, or do not read what they asked for."""

from __future__ import annotations

import json
import select
import socket
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.harness import Client

BOUNDARY = "slow-client"
PATIENCE = 60.0


class Reply(NamedTuple):
    """What a server answered; status 0 when it closed the connection instead."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A socket to the server of a client, with the client's token."""

    def __init__(self, client: Client, *, receive_buffer: int = 0) -> None:
        where = urlsplit(client.url)
        self._token = client.token
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((where.hostname, where.port))
        self._host = where.netloc

    def request(self, method: str, path: str, headers: str = "") -> None:
        """Send the head of a request."""
        head = f"{method} /api/v4{path} HTTP/1.1\r\nHost: {self._host}\r\nPRIVATE-TOKEN: {self._token}\r\n{headers}\r\n"
        self._socket.sendall(head.encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_reply(self) -> Reply:
        """Read one answer, to its end."""
        try:
            with self._socket.makefile("rb") as stream:
                first = stream.readline().split()
                if not first:
                    return Reply(0, b"")
                headers = dict(_header(line) for line in iter(stream.readline, b"\r\n"))
                return Reply(int(first[1]), stream.read(int(headers.get("content-length", 0))))
        except ConnectionError:
            return Reply(0, b"")

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.strip().lower(), value.strip()


class SlowUpload(Connection):
    """An upload that has begun, half of its body sent: the server is reading it."""

    def __init__(self, client: Client, project: int, name: str, content: bytes) -> None:
        super().__init__(client)
        self.name = name
        body = _multipart(name, content)
        self._rest = body[len(body) // 2 :]
        self.request(
            "POST",
            f"/projects/{project}/secure_files",
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n"
            "Expect: 100-continue\r\n",
        )
        # The server says so when it begins to read: from here on the request is under way.
        assert self.read_reply().status == 100
        self.send(body[: len(body) // 2])

    def dribble(self, count: int = 1) -> None:
        """Send a few bytes more, never all."""
        self.send(self._rest[:count])
        self._rest = self._rest[count:]

    def send_rest(self) -> None:
        """Send the rest and do not wait for the answer."""
        self.send(self._rest)

    def has_answer(self, seconds: float) -> bool:
        """Whether an answer begins to come in this time."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def finish(self) -> Reply:
        """Send the rest and return the answer."""
        try:
            self.send_rest()
        except ConnectionError:
            return Reply(0, b"")
        return self.read_reply()


def _multipart(name: str, content: bytes) -> bytes:
    part = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    return b"".join(
        (
            f'{part}"name"\r\n\r\n{name}\r\n'.encode(),
            f'{part}"file"; filename="file"\r\n\r\n'.encode(),
            content,
            f"\r\n--{BOUNDARY}--\r\n".encode(),
        )
    )
