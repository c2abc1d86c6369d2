"""How the peers are asked."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, ClassVar

from benchmarks.dialect import Projects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.dialect import Link


class Put(Projects):
    """A file is a path: PUT, GET, DELETE. A project is a folder."""

    root: ClassVar[str] = ""
    listing: ClassVar[str] = "/"
    accept: ClassVar[str] = ""

    def upload(self, link: Link, number: int, data: bytes) -> str | None:
        path = f"{self.root}/{self.project(number)}/{self.name()}"
        status, _, _ = link.request(f"PUT {path}", "Content-Type: application/octet-stream\r\n", data)
        return path if status in {200, 201, 204} else None

    def download(self, link: Link, path: str, size: int) -> bool:
        status, length, _ = link.request(f"GET {path}")
        return status == 200 and length == size

    def read(self, link: Link, path: str) -> bytes:
        return link.request(f"GET {path}", keep=True)[2]

    def list(self, link: Link) -> bool:
        status, length, _ = link.request(f"GET {self.root}/{self._projects[0]}{self.listing}", self.accept)
        return status == 200 and length > 2

    def delete(self, link: Link, path: str) -> bool:
        return link.request(f"DELETE {path}")[0] in {200, 202, 204}


class WebDav(Put):
    """nginx: the list is a folder's index in JSON."""

    root = "/dav"


class Filer(Put):
    """SeaweedFS's filer."""

    root = "/files"
    listing = "/?limit=100"
    accept = "Accept: application/json\r\n"


class Swift(Put):
    """Swift: a project is a container."""

    root = "/v1/AUTH_test"
    listing = "?format=json&limit=100"


class KeyValue(Projects):
    """OpenBao: a file is a secret with one value of base64; what the client makes of that is not timed."""

    def __init__(self, projects: Sequence[int]) -> None:
        super().__init__(projects)
        self._sent, self._body = b"", b""

    def upload(self, link: Link, number: int, data: bytes) -> str | None:
        if data is not self._sent:
            self._sent = data
            self._body = json.dumps({"data": {"file": base64.b64encode(data).decode()}}).encode()
        path = f"{self.project(number)}/{self.name()}"
        status, _, _ = link.request(f"POST /v1/secret/data/{path}", "Content-Type: application/json\r\n", self._body)
        return path if status == 200 else None

    def download(self, link: Link, path: str, size: int) -> bool:
        status, length, _ = link.request(f"GET /v1/secret/data/{path}")
        return status == 200 and length > size * 4 // 3

    def read(self, link: Link, path: str) -> bytes:
        body = link.request(f"GET /v1/secret/data/{path}", keep=True)[2]
        return base64.b64decode(json.loads(body)["data"]["data"]["file"])

    def list(self, link: Link) -> bool:
        status, length, _ = link.request(f"LIST /v1/secret/metadata/{self._projects[0]}")
        return status == 200 and length > 2

    def delete(self, link: Link, path: str) -> bool:
        return link.request(f"DELETE /v1/secret/metadata/{path}")[0] == 204
