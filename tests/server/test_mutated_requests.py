"""Requests that were right before some of their bytes were changed: no answer to any is 500 or more."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.support import MULTIPART, multipart, part, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import RunningVault

# More rounds from another seed find more: MUTATIONS=100000 MUTATION_SEED=7 pytest tests/server/test_mutated_requests.py
COUNT = int(os.environ.get("MUTATIONS", "3000"))
SEED = int(os.environ.get("MUTATION_SEED", "4711"))

WORDS = (
    *(
        b"\x00",
        b"\xff",
        b"\r\n",
        b"\n",
        b"\r\n\r\n",
        b"--frontier",
        b"--frontier--\r\n",
        b"%00",
        b"%",
        b"%2F",
        b"%2e%2e",
    ),
    *(b"..", b"/", b"[]", b"[a]", b"&", b"=", b";", b'"', b"'", b"\\", b"{", b"}", b"[", b"null", b"true", b"-1", b"0"),
    *(b"9" * 20, b"1e999", b"NaN", b"\\ud800", "\u202e".encode(), b"a" * 5000, b"page", b"per_page", b"private_token"),
    *(
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
    ),
    *(b"Range: bytes=0-0\r\n", b"If-None-Match: *\r\n", b"JOB-TOKEN: x\r\n", b"Content-Type: application/json\r\n"),
)


def swap(data: bytes, rng: random.Random) -> bytes:
    """Change one byte."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Leave some bytes out."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 20) :]


def double(data: bytes, rng: random.Random) -> bytes:
    """Say some bytes again."""
    at, length = rng.randrange(len(data)), rng.randrange(1, 40)
    return data[: at + length] + data[at : at + length] * rng.choice((1, 2, 50)) + data[at + length :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """Put in a word that means something somewhere."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(WORDS) + data[at:]


CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (swap, cut, double, insert, insert)


def seeds(vault: RunningVault) -> list[tuple[bytes, bytes]]:
    """Return one right request for every endpoint, as head and body."""
    project = vault.project()
    own = f"/api/v4/projects/{project['id']}"
    file = vault.root.upload(project["id"], "a", b"12345").json["id"]
    job = vault.job(vault.root, project["id"])[0]["id"]
    gets = [
        f"{own}/secure_files?page=1&per_page=20&name=a&expires_before=2030-01-01",
        f"{own}/secure_files/{file}",
        f"{own}/secure_files/{file}/download",
        f"{own}/jobs?scope[]=running&page=1",
        f"{own}/jobs/{job}",
        f"{own}/pipelines",
        f"{own}/members/all",
        own,
        f"/api/v4/projects/{project['path_with_namespace'].replace('/', '%2F')}/secure_files",
        "/api/v4/projects?search=a&membership=true&visibility=private",
        "/api/v4/groups?search=a",
        "/api/v4/users?username=root&search=r",
        "/api/v4/personal_access_tokens?user_id=1",
        "/api/v4/secure_files?name=a&expires_before=2030-01-01T00:00:00Z",
        "/-/readiness",
    ]
    json_bodies = [
        (
            "POST",
            f"{own}/jobs",
            b'{"name": "a", "ref": "main", "status": "success", "pipeline_id": null, "stage": "t"}',
        ),
        ("POST", f"{own}/pipelines", b'{"ref": "main", "sha": "abc", "parent_id": null}'),
        ("POST", f"{own}/members", b'{"user_id": 1, "access_level": 30, "expires_at": "2030-01-01"}'),
        ("PUT", own, b'{"description": "d", "visibility": "private", "default_branch": "main"}'),
        ("POST", "/api/v4/projects", b'{"name": "N", "path": "p", "namespace_id": 1, "visibility": "public"}'),
        ("POST", "/api/v4/groups", b'{"name": "N", "path": "p", "parent_id": 1}'),
        ("POST", "/api/v4/users", b'{"username": "u", "name": "N", "email": "e@example.com", "admin": false}'),
        ("POST", "/api/v4/users/1/personal_access_tokens", b'{"name": "t", "scopes": ["api"], "expires_at": null}'),
        ("POST", f"{own}/secure_files/{file}/metadata", b'{"password": "p"}'),
        ("DELETE", f"{own}/secure_files/999999", b"{}"),
    ]
    parts = multipart([part("name", b"certs/a.cer"), part("file", b"\x00\x01", "a.cer", "Content-Type: a/b")])
    token = {"PRIVATE-TOKEN": ROOT_TOKEN}
    found = [(request("GET", path, token), b"") for path in gets]
    found += [
        (request(method, path, {**token, "Content-Type": "application/json"}), body)
        for method, path, body in json_bodies
    ]
    found += [
        (request("POST", f"{own}/secure_files", {**token, **MULTIPART}), parts),
        (request("PUT", f"{own}/secure_files/{file}", {**token, **MULTIPART}), parts),
        (
            request("POST", "/api/v4/groups", {**token, "Content-Type": "application/x-www-form-urlencoded"}),
            b"name=a&path=b&visibility=private",
        ),
    ]
    return found


def mutated(head: bytes, body: bytes, rng: random.Random) -> bytes:
    """Change the request one to three times, and tell its length rightly, mostly."""
    for _ in range(rng.randrange(1, 4)):
        if body and rng.random() < 0.6:
            body = rng.choice(CHANGES)(body or b" ", rng)
        else:
            head = rng.choice(CHANGES)(head or b" ", rng)
    length = b"Content-Length: %d\r\n" % len(body) if body and rng.random() < 0.95 else b""
    lines = head.rstrip(b"\r\n") + b"\r\n"
    return lines + length + b"\r\n" + body


def status(vault: RunningVault, raw: bytes) -> int | None:
    """Send a request and return the status of the answer, None when there is none soon."""
    place = urlsplit(vault.url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(raw)
        connection.settimeout(0.4)
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
        except (OSError, http.client.HTTPException, ValueError):
            return None
        return response.status


class TestMutations:
    def test_make_no_server_error(self, vault: RunningVault) -> None:
        rng = random.Random(SEED)
        right = seeds(vault)
        answered = 0
        for number in range(COUNT):
            raw = mutated(*rng.choice(right), rng)

            got = status(vault, raw)

            assert got is None or got < 500, f"mutation {number} of seed {SEED}: {got} to {raw!r}"
            answered += got is not None
        assert answered > COUNT * 0.7

    def test_begin_with_requests_that_are_right(self, vault: RunningVault) -> None:
        for head, body in seeds(vault):
            length = b"Content-Length: %d\r\n\r\n" % len(body) if body else b"\r\n"
            got = status(vault, head.removesuffix(b"\r\n") + length + body)

            assert got is not None
            assert got < 300 or got in (400, 404, 409), head


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
