"""Requests that no client would send: each is answered in JSON, below 500, and the server serves on."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.harness import ROOT_TOKEN
from tests.server.support import MIB, MULTIPART, exchange, multipart, part, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import RunningVault

PART = part("name", b"a") + b"\r\n--frontier\r\n"
FILE = part("file", b"1", "f")
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Body(NamedTuple):
    """A body and the headers it is sent with."""

    body: bytes
    headers: dict[str, str]


def disposition(line: bytes) -> bytes:
    return multipart([line + b"\r\n\r\nx", FILE])


BODIES = {
    # Multipart: its type
    "no boundary": Body(multipart([FILE]), {"Content-Type": "multipart/form-data"}),
    "empty boundary": Body(multipart([FILE]), {"Content-Type": 'multipart/form-data; boundary=""'}),
    "other boundary": Body(multipart([FILE]), {"Content-Type": "multipart/form-data; boundary=other"}),
    "endless boundary": Body(multipart([FILE]), {"Content-Type": "multipart/form-data; boundary=" + "b" * 7000}),
    "boundary of bytes": Body(multipart([FILE]), {"Content-Type": "multipart/form-data; boundary=\xff\xfe"}),
    "quoted boundary that does not end": Body(multipart([FILE]), {"Content-Type": 'multipart/form-data; boundary="a'}),
    "type that is none": Body(b"x", {"Content-Type": "/;;;=\xff"}),
    "type of many parameters": Body(b"x", {"Content-Type": "multipart/form-data" + "; a=b" * 1000}),
    "unknown charset": Body(
        multipart([FILE]), {"Content-Type": "multipart/form-data; boundary=frontier; charset=nonsense"}
    ),
    "mixed": Body(multipart([FILE]), {"Content-Type": "multipart/mixed; boundary=frontier"}),
    # Multipart: its parts
    "empty": Body(b"", MULTIPART | {"Content-Length": "0"}),
    "only rubbish": Body(b"\x00\xff" * 500, MULTIPART),
    "only the end": Body(b"--frontier--\r\n", MULTIPART),
    "no end": Body(multipart([FILE])[:-14], MULTIPART),
    "line feeds alone": Body(multipart([FILE]).replace(b"\r\n", b"\n"), MULTIPART),
    "rubbish behind the boundary": Body(b"--frontierx\r\n" + FILE + b"\r\n--frontier--\r\n", MULTIPART),
    "rubbish before the boundary": Body(b"x--frontier\r\n" + FILE + b"\r\n--frontier--\r\n", MULTIPART),
    "no disposition": Body(disposition(b"Content-Type: text/plain"), MULTIPART),
    "disposition of another kind": Body(disposition(b'Content-Disposition: attachment; name="name"'), MULTIPART),
    "no name": Body(disposition(b"Content-Disposition: form-data"), MULTIPART),
    "name that does not end": Body(disposition(b'Content-Disposition: form-data; name="name'), MULTIPART),
    "header without colon": Body(disposition(b"Content-Disposition"), MULTIPART),
    "header with NUL": Body(disposition(b'Content-Disposition: form-data; name="na\x00me"'), MULTIPART),
    "header with DEL": Body(disposition(b'Content-\x7fDisposition: form-data; name="name"'), MULTIPART),
    "header of bytes": Body(disposition(b'Content-Disposition: form-data; name="\xff\xfe"'), MULTIPART),
    "header of 20 kB": Body(disposition(b'Content-Disposition: form-data; name="' + b"n" * 20_000 + b'"'), MULTIPART),
    "header of 1 MB": Body(disposition(b"X-Long: " + b"n" * MIB), MULTIPART),
    "headers without end": Body(disposition(b"X-A: b\r\n" * 50_000), MULTIPART),
    "header continued": Body(disposition(b' Content-Disposition: form-data; name="name"'), MULTIPART),
    "name of an unknown charset": Body(disposition(b"Content-Disposition: form-data; name*=nonsense''name"), MULTIPART),
    "field of an unknown charset": Body(
        disposition(b'Content-Disposition: form-data; name="name"\r\nContent-Type: text/plain; charset=nonsense'),
        MULTIPART,
    ),
    "part with a wrong length": Body(multipart([part("name", b"abc", None, "Content-Length: 1"), FILE]), MULTIPART),
    "part with a length of words": Body(multipart([part("name", b"a", None, "Content-Length: x"), FILE]), MULTIPART),
    "part with an endless length": Body(
        multipart([part("name", b"a", None, "Content-Length: " + "9" * 4000), FILE]), MULTIPART
    ),
    "part in base64": Body(
        multipart([part("name", b"YQ==", None, "Content-Transfer-Encoding: base64"), FILE]), MULTIPART
    ),
    "part inside a part": Body(
        multipart([part("name", multipart([FILE], b"in"), None, "Content-Type: multipart/mixed; boundary=in"), FILE]),
        MULTIPART,
    ),
    "1,000 parts": Body(multipart([part(f"n{number}", b"x") for number in range(1000)]), MULTIPART),
    "one name 1,000 times": Body(multipart([part("name", b"x")] * 1000), MULTIPART),
    "field of 200 kB": Body(multipart([part("name", b"x" * 200_000), FILE]), MULTIPART),
    "preamble of 1 MB": Body(b"p" * MIB + b"\r\n" + multipart([FILE]), MULTIPART),
    "epilogue of 1 MB": Body(multipart([FILE]) + b"e" * MIB, MULTIPART),
    "preamble of boundaries that are none": Body(b"\r\n--frontie" * 50_000, MULTIPART),
    "preamble of carriage returns": Body(b"\r" * 200_000, MULTIPART),
    # JSON and forms
    "JSON that is none": Body(b"{", JSON),
    "JSON list": Body(b"[1, 2]", JSON),
    "JSON number": Body(b"1", JSON),
    "JSON of bytes": Body(b"\xff\xfe\xfd", JSON),
    "JSON with NaN": Body(b'{"name": NaN}', JSON),
    "JSON of 100,000 brackets": Body(b"[" * 100_000, JSON),
    "JSON of 100,000 objects": Body(b'{"a":' * 100_000, JSON),
    "JSON of 100,000 digits": Body(b'{"name": ' + b"9" * 100_000 + b"}", JSON),
    "JSON with half a character": Body(b'{"name": "\\ud800", "path": "\\udfff", "ref": "\\ud800"}', JSON),
    "JSON with NUL": Body(b'{"name": "a\\u0000", "path": "a\\u0000", "ref": "a\\u0000", "username": "\\u0000"}', JSON),
    "JSON with other types": Body(b'{"name": [1], "path": {"a": 1}, "ref": true, "scopes": 1, "user_id": {}}', JSON),
    "JSON with numbers too large": Body(
        b'{"name": "a", "user_id": 1e400, "namespace_id": 99999999999999999999, "access_level": -1}', JSON
    ),
    "form of bytes": Body(b"name=\xff&path=%FF", FORM),
    "form of half escapes": Body(b"%&%z=%zz&=&;;&name=%", FORM),
    "form of 100,000 fields": Body(b"a=b&" * 100_000, FORM),
    # Codings and lengths
    "gzip": Body(gzip.compress(multipart([FILE])), MULTIPART | {"Content-Encoding": "gzip"}),
    "gzip that is none": Body(b"not gzip", MULTIPART | {"Content-Encoding": "gzip"}),
    "gzip that swells": Body(gzip.compress(bytes(50 * MIB), 1), MULTIPART | {"Content-Encoding": "gzip"}),
    "deflate": Body(zlib.compress(b"{}"), JSON | {"Content-Encoding": "deflate"}),
    "a coding nobody knows": Body(b"{}", JSON | {"Content-Encoding": "identity, nonsense"}),
    "length of exabytes": Body(multipart([FILE]), MULTIPART | {"Content-Length": "9" * 18}),
    "length beyond 64 bits": Body(b"x", MULTIPART | {"Content-Length": "9" * 30}),
    "length that is negative": Body(b"x", MULTIPART | {"Content-Length": "-1"}),
    "length of words": Body(b"x", MULTIPART | {"Content-Length": "many"}),
    "length and chunks": Body(b"0\r\n\r\n", MULTIPART | {"Content-Length": "5", "Transfer-Encoding": "chunked"}),
    "chunk without a length": Body(b"zz\r\nx\r\n0\r\n\r\n", MULTIPART | {"Transfer-Encoding": "chunked"}),
    "chunk of exabytes": Body(b"f" * 30 + b"\r\nx\r\n0\r\n\r\n", MULTIPART | {"Transfer-Encoding": "chunked"}),
    "chunk that is longer": Body(b"2\r\nxxxx\r\n0\r\n\r\n", MULTIPART | {"Transfer-Encoding": "chunked"}),
    "chunk extension without end": Body(
        b"1;" + b"e" * 100_000 + b"\r\nx\r\n0\r\n\r\n", MULTIPART | {"Transfer-Encoding": "chunked"}
    ),
    "transfer coding nobody knows": Body(b"x", MULTIPART | {"Transfer-Encoding": "nonsense"}),
    "an expectation nobody knows": Body(multipart([FILE]), MULTIPART | {"Expect": "the-unexpected"}),
    "too many bytes": Body(bytes(8 * MIB), MULTIPART),
}

ROUTES = {
    "create a file": ("POST", "/projects/{id}/secure_files"),
    "replace a file": ("PUT", "/projects/{id}/secure_files/{file}"),
    "delete a file": ("DELETE", "/projects/{id}/secure_files/999999999"),
    "list files": ("GET", "/projects/{id}/secure_files"),
    "make a group": ("POST", "/groups"),
    "make a project": ("POST", "/projects"),
    "make a user": ("POST", "/users"),
    "make a token": ("POST", "/users/1/personal_access_tokens"),
    "make a member": ("POST", "/projects/{id}/members"),
    "make a job": ("POST", "/projects/{id}/jobs"),
    "no such route": ("POST", "/nowhere"),
}


@pytest.fixture(scope="module")
def places(vault: RunningVault) -> dict[str, str]:
    """The paths of ROUTES in a project with one file."""
    project = vault.project()
    file = vault.root.upload(project["id"], "a", b"1").json["id"]
    return {name: "/api/v4" + path.format(id=project["id"], file=file) for name, (_, path) in ROUTES.items()}


@pytest.fixture(autouse=True)
def serves_on(vault: RunningVault) -> Iterator[None]:
    """After whatever a test sends, another client is served."""
    yield
    assert vault.root.get("/version").status == 200


class TestBodies:
    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("kind", BODIES)
    def test_are_refused_or_taken_but_never_crash(
        self, vault: RunningVault, places: dict[str, str], kind: str, route: str
    ) -> None:
        method = ROUTES[route][0]
        body, headers = BODIES[kind]
        raw = request(method, places[route], {"PRIVATE-TOKEN": ROOT_TOKEN, **headers}, body)

        answer = exchange(vault.url, raw, method=method)

        assert answer.status < 500, answer
        if answer.status != 204:
            assert answer.headers["content-type"] == "application/json"
            assert isinstance(answer.json, dict | list)

    @pytest.mark.parametrize("kind", BODIES)
    def test_are_no_way_past_the_token(self, vault: RunningVault, places: dict[str, str], kind: str) -> None:
        body, headers = BODIES[kind]

        answer = exchange(vault.url, request("POST", places["create a file"], headers, body))

        assert answer.status in (400, 401, 413, 415, 417), answer
        assert isinstance(answer.json, dict)
