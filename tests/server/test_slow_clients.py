"""Clients that hardly send or do not read: they cost their neighbours nothing, and are given up in the end."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from server import pace, stalled
from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.support import MIB, MULTIPART, exchange, files_of, part, request

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hasty(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningVault]:
    """A vault that gives clients up after a fraction of a second."""
    monkeypatch.setattr(pace, "WINDOW_SECONDS", 0.2)
    monkeypatch.setattr(stalled, "STALLED_SECONDS", 0.2)
    with RunningVault(tmp_path / "data") as running:
        yield running


@contextlib.contextmanager
def connected(vault: RunningVault) -> Iterator[socket.socket]:
    """A connection whose own buffer for what comes is as small as can be."""
    place = urlsplit(vault.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(20)
        connection.connect((place.hostname, place.port))
        yield connection


def upload_head(vault: RunningVault, project: dict[str, Any]) -> bytes:
    """Write the head of an upload whose body never comes to its end."""
    lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, "Content-Length": str(MIB)}
    return request("POST", f"/api/v4{files_of(project)}", lines) + b"--frontier\r\n" + part("file", b"", "f")


class TestSending:
    def test_next_to_nothing_ends_in_408(self, hasty: RunningVault) -> None:
        head = upload_head(hasty, hasty.project())

        answer = exchange(hasty.url, head)

        assert (answer.status, answer.json) == (408, {"message": "408 Request Timeout"})
        assert answer.headers["connection"] == "close"

    def test_a_little_at_a_time_ends_in_408_too(self, hasty: RunningVault) -> None:
        """One byte a look keeps no place."""
        with connected(hasty) as connection:
            connection.sendall(upload_head(hasty, hasty.project()))
            answer = b""
            connection.settimeout(0.02)
            for _ in range(1000):
                with contextlib.suppress(TimeoutError):
                    answer = connection.recv(1000)
                    break
                connection.send(b"x")

        assert answer.startswith(b"HTTP/1.1 408 ")

    def test_slowly_disturbs_nobody(self, vault: RunningVault, project: dict[str, Any]) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                connection = stack.enter_context(connected(vault))
                connection.sendall(upload_head(vault, project))
            start = time.monotonic()

            assert vault.root.upload(project["id"], "a", b"1" * 100_000).status == 201
            assert vault.root.get(files_of(project)).status == 200
            assert time.monotonic() - start < 1.0


class TestReading:
    def test_nothing_ends_the_connection(self, hasty: RunningVault) -> None:
        project = hasty.project()
        made = hasty.root.upload(project["id"], "a", bytes(5 * MIB - 1)).json
        whole = request("GET", f"/api/v4{files_of(project)}/{made['id']}/download", {"PRIVATE-TOKEN": ROOT_TOKEN})

        with connected(hasty) as connection:
            connection.sendall(whole)
            time.sleep(3)
            got = 0
            with contextlib.suppress(ConnectionResetError):
                while data := connection.recv(MIB):
                    got += len(data)

        assert got < 5 * MIB - 1
        assert hasty.root.get("/version").status == 200

    def test_nothing_disturbs_nobody(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "a", bytes(MIB)).json
        whole = request("GET", f"/api/v4{files_of(project)}/{made['id']}/download", {"PRIVATE-TOKEN": ROOT_TOKEN})
        with contextlib.ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(connected(vault)).sendall(whole)
            start = time.monotonic()

            assert vault.root.get(f"{files_of(project)}/{made['id']}/download").body == bytes(MIB)
            assert time.monotonic() - start < 1.0


class Waiting:
    """A connection whose client leaves as many bytes untaken as a test says."""

    def __init__(self, *sizes: int) -> None:
        self.transport: Any = self
        self._sizes = iter(sizes)
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return next(self._sizes)

    def get_extra_info(self, name: str) -> None:
        assert name == "socket"

    def abort(self) -> None:
        self.aborted = True


class Clients:
    """A server's connections."""

    def __init__(self, *connections: Waiting) -> None:
        self.connections = connections


class TestWatch:
    @pytest.mark.parametrize(
        ("sizes", "cut_off"),
        [
            ((9, 9, 9, 9, 9), True),
            ((9, 9, 9, 9), False),
            ((9, 9, 9, 9, 8, 8, 8, 8), False),
            ((9, 9, 9, 9, 0, 9, 9, 9, 9), False),
            ((5, 6, 7, 8, 9, 9, 9), False),
            ((0, 0, 0, 0, 0, 0), False),
        ],
    )
    def test_cuts_off_who_takes_nothing_and_nobody_else(self, sizes: tuple[int, ...], cut_off: bool) -> None:
        connection, reader = Waiting(*sizes), Waiting(*range(100, 100 - len(sizes), -1))
        watch = stalled.Watch(Clients(connection, reader))

        for _ in sizes:
            watch.look()

        assert (connection.aborted, reader.aborted) == (cut_off, False)
