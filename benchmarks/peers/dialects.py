"""How the peers are asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from benchmarks.dialect import Projects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.dialect import Link

ACCESS_KEY, SECRET_KEY = "benchmark", "secret-key-of-the-benchmark"
REGION = "us-east-1"


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


class Barbican(Projects):
    """A file is a secret, made in two steps: the way that carries bytes instead of base64 in JSON."""

    def upload(self, link: Link, number: int, data: bytes) -> str | None:  # noqa: ARG002 - it has no folders
        kind = "Content-Type: application/json\r\n"
        meta = json.dumps({"name": self.name(), "secret_type": "opaque"}).encode()
        status, _, body = link.request("POST /v1/secrets", kind, meta, keep=True)
        if status != 201:
            return None
        path = urlsplit(json.loads(body)["secret_ref"]).path
        status, _, _ = link.request(f"PUT {path}", "Content-Type: application/octet-stream\r\n", data)
        return path if status == 204 else None

    def download(self, link: Link, path: str, size: int) -> bool:
        status, length, _ = link.request(f"GET {path}/payload", "Accept: application/octet-stream\r\n")
        return status == 200 and length == size

    def read(self, link: Link, path: str) -> bytes:
        return link.request(f"GET {path}/payload", "Accept: application/octet-stream\r\n", keep=True)[2]

    def list(self, link: Link) -> bool:
        status, length, _ = link.request("GET /v1/secrets?limit=100", "Accept: application/json\r\n")
        return status == 200 and length > 2

    def delete(self, link: Link, path: str) -> bool:
        return link.request(f"DELETE {path}")[0] == 204


class S3(Projects):
    """MinIO: a project is a bucket; every request is signed (AWS Signature Version 4)."""

    def __init__(self, projects: Sequence[int]) -> None:
        super().__init__(projects)
        self._hashed, self._hash = b"", hashlib.sha256(b"").hexdigest()
        self._day, self._key = "", b""

    def make_buckets(self, link: Link) -> bool:
        """Make a bucket for each project."""
        return all(self._ask(link, "PUT", f"/project-{each}")[0] == 200 for each in self._projects)

    def upload(self, link: Link, number: int, data: bytes) -> str | None:
        path = f"/project-{self.project(number)}/{self.name()}"
        return path if self._ask(link, "PUT", path, data)[0] == 200 else None

    def download(self, link: Link, path: str, size: int) -> bool:
        status, length, _ = self._ask(link, "GET", path)
        return status == 200 and length == size

    def read(self, link: Link, path: str) -> bytes:
        return self._ask(link, "GET", path, keep=True)[2]

    def list(self, link: Link) -> bool:
        query = "list-type=2&max-keys=100"
        status, length, _ = self._ask(link, "GET", f"/project-{self._projects[0]}", query=query)
        return status == 200 and length > 2

    def delete(self, link: Link, path: str) -> bool:
        return self._ask(link, "DELETE", path)[0] == 204

    def _ask(
        self, link: Link, method: str, path: str, data: bytes = b"", query: str = "", *, keep: bool = False
    ) -> tuple[int, int, bytes]:
        if data is not self._hashed:
            self._hashed, self._hash = data, hashlib.sha256(data).hexdigest()
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        named = {"host": link.host, "x-amz-content-sha256": self._hash, "x-amz-date": now}
        lines = "".join(f"{name}:{value}\n" for name, value in named.items())
        request = f"{method}\n{path}\n{query}\n{lines}\n{';'.join(named)}\n{self._hash}"
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        signed = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._day_key(now[:8]), signed.encode(), "sha256").hex()
        headers = (
            f"x-amz-content-sha256: {self._hash}\r\nx-amz-date: {now}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={';'.join(named)}, "
            f"Signature={signature}\r\n"
        )
        parts = (data,) if data else ()
        return link.request(f"{method} {path}{'?' if query else ''}{query}", headers, *parts, keep=keep)

    def _day_key(self, day: str) -> bytes:
        if day != self._day:
            self._day, self._key = day, f"AWS4{SECRET_KEY}".encode()
            for part in (day, REGION, "s3", "aws4_request"):
                self._key = hmac.digest(self._key, part.encode(), "sha256")
        return self._key
