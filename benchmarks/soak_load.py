"""What one client of the soak does: a bit of everything, at random, also what a server does not like."""

from __future__ import annotations

import base64
import io
import json
import random
import socket
import threading
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.dialect import Link, private

SAMPLES = sorted((Path(__file__).parent.parent / "sample_certs" / "files").iterdir())
SIZES = (0, 2_000, 65_537, 400_000, 1_500_000)
KEPT = 20  # files of a kind that a client leaves there
BOUNDARY = "soak7MA4YWxkTrZu0gW"
FORM = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
JSON = "Content-Type: application/json\r\n"
KINDS = ("secure", "secure", "secure", "markdown", "artifact", "repository", "lists", "wrong", "broken", "gone")


def form(content: bytes, **fields: str) -> bytes:
    """Return a multipart body with some fields and the part `file`."""
    head = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


def archive(content: bytes) -> bytes:
    """Return a zip archive with one entry, `out/app.bin`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("out/app.bin", content)
    return stream.getvalue()


class Client(threading.Thread):
    """One connection that does one thing after the other until it is told to stop."""

    def __init__(self, port: int, token: str, number: int, pause: float, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._token, self._number = port, token, number
        self.pause = pause
        self._stop_told = stop
        self.counts: Counter[str] = Counter()
        self._random = random.Random(number)
        self._link = Link(port, private(token))
        self._project = 0
        self._secure: list[int] = []
        self._markdown: list[int] = []
        self._written = 0

    def run(self) -> None:
        """Work; a connection that broke is made anew."""
        made = self._ask("project", "POST /api/v4/projects", JSON, json.dumps({"name": f"soak-{self._number}"}))
        self._project = made["id"]
        while not self._stop_told.is_set():
            try:
                getattr(self, f"do_{self._random.choice(KINDS)}")()
            except (OSError, ValueError, IndexError) as error:
                self.counts[f"broken connection {type(error).__name__}"] += 1
                self._link = Link(self._port, private(self._token))
            self._stop_told.wait(self._random.uniform(0, 2 * self.pause))

    def _ask(self, kind: str, line: str, headers: str = "", body: str | bytes = b"") -> Any:
        data = body.encode() if isinstance(body, str) else body
        status, _, answer = self._link.request(line, headers, *([data] if data else []), keep=True)
        self.counts[f"{kind} {status}"] += 1
        if status >= 300:
            return None
        return json.loads(answer) if line.startswith("POST ") else True

    @property
    def _path(self) -> str:
        return f"/api/v4/projects/{self._project}"

    def _content(self) -> bytes:
        if self._random.random() < 0.5:
            return self._random.choice(SAMPLES).read_bytes()
        return self._random.randbytes(self._random.choice(SIZES))

    def _keep(self, kept: list[int], made: Any, path: str) -> None:
        if made:
            kept.append(made["id"])
        if len(kept) > KEPT:
            self._ask(f"delete {path}", f"DELETE {self._path}/{path}/{kept.pop(0)}")

    def do_secure(self) -> None:
        """Upload, replace, or read back a secure file."""
        self._written += 1
        body = form(self._content(), name=f"file-{self._number}-{self._written}")
        files = f"{self._path}/secure_files"
        if self._random.random() < 0.4 or not self._secure:
            self._keep(self._secure, self._ask("upload", f"POST {files}", FORM, body), "secure_files")
            return
        one = f"{files}/{self._random.choice(self._secure)}"
        if self._random.random() < 0.2:
            self._ask("replace", f"PUT {one}", FORM, body)
        self._ask("download", f"GET {one}/download")

    def do_markdown(self) -> None:
        """Upload a file for Markdown and read it back."""
        made = self._ask("markdown upload", f"POST {self._path}/uploads", FORM, form(self._content()))
        self._ask("markdown download", f"GET {self._path}/uploads/{made['id']}")
        self._keep(self._markdown, made, "uploads")

    def do_artifact(self) -> None:
        """Register a job, leave an artifact, read an entry of it, and erase it."""
        job = self._ask("job", f"POST {self._path}/jobs", JSON, json.dumps({"name": "build", "ref": "main"}))
        token, path = f"JOB-TOKEN: {job['token']}\r\n", f"{self._path}/jobs/{job['id']}/artifacts"
        self._ask("artifact", f"POST /api/v4/jobs/{job['id']}/artifacts", FORM + token, form(archive(self._content())))
        self._ask("artifact entry", f"GET {path}/out/app.bin")
        self._ask("artifact erased", f"DELETE {path}")

    def do_repository(self) -> None:
        """Commit a file and read it."""
        path = f"{self._path}/repository/files/file-{self._random.randrange(KEPT)}.bin"
        fields = {"branch": "main", "encoding": "base64", "commit_message": "soak"}
        body = json.dumps({**fields, "content": base64.b64encode(self._random.randbytes(3000)).decode()})
        there = self._ask("file", f"GET {path}?ref=main")
        self._ask("commit", f"{'PUT' if there else 'POST'} {path}", JSON, body)
        self._ask("raw file", f"GET {path}/raw?ref=main")

    def do_lists(self) -> None:
        """Read lists."""
        for path in ("secure_files", "uploads", "jobs"):
            self._ask("list", f"GET {self._path}/{path}?per_page=50")
        self._ask("list of all", "GET /api/v4/secure_files?per_page=20")
        self._ask("readiness", "GET /-/readiness")

    def do_wrong(self) -> None:
        """Come with a wrong token, and ask for what is not there."""
        status, _, _ = Link(self._port, private(f"glpat-{self._random.getrandbits(64)}")).request(f"GET {self._path}")
        self.counts[f"wrong token {status}"] += 1
        self._ask("missing", f"GET {self._path}/secure_files/999999999")

    def do_broken(self) -> None:
        """Send a body that is none."""
        body = self._random.randbytes(self._random.choice(SIZES))
        self._ask("broken body", f"POST {self._path}/secure_files", FORM, body or b"-")

    def do_gone(self) -> None:
        """Begin an upload, or a download, and go away in the middle of it."""
        token = f"HTTP/1.1\r\nHost: soak\r\nPRIVATE-TOKEN: {self._token}\r\n"
        with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
            if self._secure and self._random.random() < 0.5:
                path = f"{self._path}/secure_files/{self._random.choice(self._secure)}/download"
                connection.sendall(f"GET {path} {token}\r\n".encode())
                connection.recv(1)
            else:
                where = self._random.choice(("secure_files", "uploads"))
                head = f"POST {self._path}/{where} {token}{FORM}Content-Length: 900000\r\n\r\n"
                connection.sendall(head.encode() + form(bytes(70_000), name="gone")[:-20])
        self.counts["gone away -"] += 1
