"""How a file too large for memory comes in: in every shape of a body, never on disk in clear, never half kept."""

from __future__ import annotations

import contextlib
import http.client
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.support import MIB, MULTIPART, exchange, multipart, part, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.support import RawAnswer

LIMIT = 2 * MIB


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A running vault that takes uploads of up to 2 MiB."""
    with RunningVault(tmp_path_factory.mktemp("vault") / "data", upload_bytes=LIMIT) as running:
        yield running


def send(
    vault: RunningVault, project: dict[str, Any], *pieces: bytes, headers: dict[str, str] | None = None, **how: Any
) -> RawAnswer:
    """POST the pieces as they are to the project's uploads."""
    lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, **(headers or {})}
    head = request("POST", f"/api/v4/projects/{project['id']}/uploads", lines, pieces[0] if len(pieces) == 1 else b"")
    return exchange(vault.url, head, *(pieces if len(pieces) > 1 else ()), **how)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def content(vault: RunningVault, project: dict[str, Any], made: RawAnswer) -> bytes:
    return vault.root.get(f"/projects/{project['id']}/uploads/{made.json['id']}").body


def listed(vault: RunningVault, project: dict[str, Any]) -> Any:
    return vault.root.get(f"/projects/{project['id']}/uploads").json


def blobs(vault: RunningVault) -> set[Path]:
    return {path for path in (vault.settings.data / "blobs").rglob("*") if path.is_file()}


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestContent:
    @pytest.mark.parametrize(
        "size", [0, 1, 64 * 1024, 64 * 1024 + 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MIB, LIMIT]
    )
    def test_of_any_size_up_to_the_limit_comes_back_as_it_was(
        self, vault: RunningVault, project: dict[str, Any], size: int
    ) -> None:
        sent = os.urandom(size)

        made = send(vault, project, multipart([part("file", sent, "a.bin")]))

        assert made.status == 201
        assert content(vault, project, made) == sent

    @pytest.mark.parametrize(
        "sent", [b"\r\n" * 200_000, b"\r\n--frontie" * 20_000, b"--frontier" * 20_000, b"\0" * MIB]
    )
    def test_that_looks_like_a_boundary_comes_back_as_it_was(
        self, vault: RunningVault, project: dict[str, Any], sent: bytes
    ) -> None:
        made = send(vault, project, multipart([part("file", sent, "a.bin")]))

        assert content(vault, project, made) == sent


class TestShapes:
    def test_chunks_without_a_length(self, vault: RunningVault, project: dict[str, Any]) -> None:
        sent = os.urandom(300_000)
        body = multipart([part("file", sent, "a.bin")])
        pieces = [body[at : at + 7001] for at in range(0, len(body), 7001)]

        made = send(vault, project, chunked(*pieces), headers={"Transfer-Encoding": "chunked"})

        assert content(vault, project, made) == sent

    def test_other_fields_before_and_after_the_file(self, vault: RunningVault, project: dict[str, Any]) -> None:
        parts = [part("id", b"999"), part("file", b"1", "a"), part("avatar", b"", ""), part("sudo", b"x")]

        assert send(vault, project, multipart(parts)).status == 201

    def test_a_part_with_headers_of_its_own(self, vault: RunningVault, project: dict[str, Any]) -> None:
        lines = ("Content-Length: 1", "Content-Type: text/html", "Content-Transfer-Encoding: binary")

        assert send(vault, project, multipart([part("file", b"1", "a", *lines)])).status == 201

    def test_a_preamble_and_an_epilogue(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = b"before\r\n" + multipart([part("file", b"1", "a")]) + b"after" * 1000

        assert send(vault, project, body).status == 201

    def test_a_token_in_the_query(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = multipart([part("file", b"1", "a")])
        path = f"/api/v4/projects/{project['id']}/uploads?private_token={ROOT_TOKEN}"

        assert exchange(vault.url, request("POST", path, MULTIPART, body)).status == 201


class TestRefusals:
    @pytest.mark.parametrize(
        ("parts", "error"),
        [
            ([], "file is missing"),
            ([part("name", b"a")], "file is missing"),
            ([part("file", b"text")], "file is invalid"),
            ([part("file[]", b"1", "a")], "file is missing"),
            ([part("upload", b"1", "a")], "file is missing"),
            ([part("file", b"1", "a"), part("file", b"2", "b")], "file is given twice"),
            ([part("file", b"\xff" * 10)], "file is invalid"),
            ([part("x", b"x" * 70_000), part("file", b"1", "a")], "a form field is longer than 65536 bytes"),
        ],
    )
    def test_name_what_is_wrong(
        self, vault: RunningVault, project: dict[str, Any], parts: list[bytes], error: str
    ) -> None:
        answer = send(vault, project, multipart(parts))

        assert (answer.status, answer.json) == (400, {"error": error})
        assert listed(vault, project) == []

    @pytest.mark.parametrize(
        ("kind", "body", "error"),
        [
            ("application/json", b"", "file is missing"),
            ("application/json", b'{"file": "text"}', "file is invalid"),
            ("application/json", b'{"file": {"tempfile": "/etc/passwd"}}', "file is invalid"),
            ("application/x-www-form-urlencoded", b"file=text", "file is invalid"),
            ("application/x-www-form-urlencoded", b"file.path=/etc/passwd", "file is missing"),
            ("application/octet-stream", b"bytes", "file is missing"),
            ("multipart/form-data", b"bytes", "invalid multipart body: no usable boundary"),
        ],
    )
    def test_of_what_is_no_multipart_body(
        self, vault: RunningVault, project: dict[str, Any], kind: str, body: bytes, error: str
    ) -> None:
        answer = send(vault, project, body, headers={"Content-Type": kind})

        assert (answer.status, answer.json) == (400, {"error": error})

    @pytest.mark.parametrize("size", [10, 100_000, MIB])
    def test_of_a_body_without_its_closing_boundary_keep_nothing(
        self, vault: RunningVault, project: dict[str, Any], size: int
    ) -> None:
        before = blobs(vault)
        body = multipart([part("file", b"x" * size, "a")]).removesuffix(b"\r\n--frontier--\r\n")

        answer = send(vault, project, body)

        assert (answer.status, answer.json) == (
            400,
            {"error": "invalid multipart body: it ends before its closing boundary"},
        )
        assert listed(vault, project) == []
        assert blobs(vault) == before

    def test_of_a_body_that_is_cut_off_keep_nothing(self, vault: RunningVault, project: dict[str, Any]) -> None:
        before = blobs(vault)
        body = multipart([part("file", b"x" * MIB, "a")])
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART}
        whole = request("POST", f"/api/v4/projects/{project['id']}/uploads", lines, body)

        with contextlib.suppress(http.client.RemoteDisconnected):
            exchange(vault.url, whole[:-400_000], finish=True)

        wait_until(lambda: blobs(vault) == before)
        assert listed(vault, project) == []

    def test_of_an_encoded_body(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = multipart([part("file", b"1", "a")])

        assert send(vault, project, body, headers={"Content-Encoding": "gzip"}).status == 415


class TestLimit:
    def test_is_told_with_the_size_that_was_sent(self, vault: RunningVault, project: dict[str, Any]) -> None:
        body = multipart([part("file", b"x" * (LIMIT + 1), "a")])

        answer = send(vault, project, body)

        assert answer.status == 413
        assert answer.json == {
            "message": f"file size has reached maximum size limit: {LIMIT} bytes may be sent, and the request has "
            f"{len(body)} bytes"
        }
        assert listed(vault, project) == []

    def test_is_answered_before_a_larger_body_is_read(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answer = send(vault, project, b"", b"--frontier\r\n", headers={"Content-Length": str(10**12)})

        assert answer.status == 413
        assert str(10**12) in answer.json["message"]

    def test_holds_where_no_length_is_told(self, vault: RunningVault, project: dict[str, Any]) -> None:
        before = blobs(vault)
        body = chunked(multipart([part("file", b"x" * (LIMIT + 1), "a")]))

        answer = send(vault, project, body, headers={"Transfer-Encoding": "chunked"})

        assert answer.status == 413
        assert answer.json["message"].endswith(f"{LIMIT} bytes may be sent, and more than {LIMIT} bytes came")
        assert blobs(vault) == before

    def test_holds_for_what_is_no_file_too(self, vault: RunningVault, project: dict[str, Any]) -> None:
        endless = b"x" * (LIMIT + MIB)

        for body in (endless, multipart([part("file", b"1", "a")]) + endless):
            answer = send(vault, project, chunked(body), headers={"Transfer-Encoding": "chunked"})

            assert answer.status == 413


class TestSecrecy:
    def test_nothing_lies_on_disk_in_clear_while_a_file_comes(
        self, vault: RunningVault, project: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        marked = b"MARKED PLAINTEXT" * 64 * 1024
        body = multipart([part("file", marked, "a")])
        seen: list[Path] = []

        def pieces() -> Iterator[bytes]:
            yield body[:-1000]
            seen.extend(places_of(marked[:64], vault.settings.data, tmp_path))
            yield body[-1000:]

        made = vault.root.post(f"/projects/{project['id']}/uploads", data=pieces(), headers=MULTIPART)

        assert made.status == 201
        assert seen == []
        assert places_of(marked[:64], vault.settings.data, tmp_path) == []


def places_of(marked: bytes, *folders: Path) -> list[Path]:
    """Return the files below the folders, and the open files of this process, that hold the bytes."""
    files = [path for folder in folders for path in folder.rglob("*")]
    found = []
    for path in [*files, *Path("/proc/self/fd").iterdir()]:
        # What is no file any more, or never was one, holds nothing.
        with contextlib.suppress(OSError):
            if path.is_file() and marked in path.read_bytes():
                found.append(path)
    return found
