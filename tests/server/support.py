"""What the API tests share: sample files, and requests written byte by byte for what no client library would send."""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"
MIB = 1024 * 1024


def sample(name: str) -> bytes:
    """Return the bytes of one of the sample files."""
    return (SAMPLES / name).read_bytes()


def files_of(project: Mapping[str, Any]) -> str:
    """Return the path of a project's secure files, below /api/v4."""
    return f"/projects/{project['id']}/secure_files"


@dataclass(frozen=True)
class RawAnswer:
    """One answer off the wire; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """Write a request; Content-Length is added when there is a body and no length or coding was given."""
    lines = {"Host": "vault.test", **(headers or {})}
    if body and not {"Content-Length", "Transfer-Encoding"} & set(lines):
        lines["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode("latin-1") + b"\r\n" + body


def exchange(url: str, *pieces: bytes, finish: bool = False, method: str = "GET", timeout: float = 20) -> RawAnswer:
    """Send the pieces on a connection of their own and return the answer, whatever of them the server took.

    `finish` closes the sending side after them, as a client does that was cut off.
    """
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=timeout) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the answer may have come before the end of the request
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return RawAnswer(response.status, headers, response.read())


def part(name: str, content: bytes, filename: str | None = None, *headers: str) -> bytes:
    """Write one part of a multipart body, with further header lines."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return "\r\n".join([disposition, *headers, "", ""]).encode() + content


def multipart(parts: Iterable[bytes], boundary: bytes = b"frontier") -> bytes:
    """Join parts to a body of `multipart/form-data; boundary=frontier`."""
    return b"".join(b"--" + boundary + b"\r\n" + each + b"\r\n" for each in parts) + b"--" + boundary + b"--\r\n"


MULTIPART = {"Content-Type": "multipart/form-data; boundary=frontier"}


def body_of(url: str, path: str, token: str) -> Iterator[bytes]:
    """Yield the body of a 200 in pieces, as they come; the path lies below /api/v4."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    connection.request("GET", f"/api/v4{path}", headers={"PRIVATE-TOKEN": token})
    answer = connection.getresponse()
    assert answer.status == 200
    try:
        while piece := answer.read(MIB):
            yield piece
    finally:
        connection.close()
