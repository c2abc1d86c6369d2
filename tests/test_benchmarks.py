"""The client of the benchmarks, and the page that figures are written to.

The peers themselves are tried by hand: `python -m benchmarks.peers --prove`.
"""

from __future__ import annotations

import shutil
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from benchmarks import page
from benchmarks.dialect import Link
from benchmarks.load import Work, measure
from benchmarks.peers.known import PEERS
from benchmarks.peers.peer import in_plain, prove
from benchmarks.run import floor
from tests.docs.markdown import document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_nginx = [
    pytest.mark.engine("nginx"),
    pytest.mark.skipif(shutil.which("nginx", path="/usr/sbin:/usr/bin") is None, reason="needs nginx"),
]


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """Give the port of a server that sends one answer after the other, each to a request."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            peer: socket.socket | None = None
            for answer in answers:
                peer = peer or listening.accept()[0]
                peer.recv(65536)
                peer.sendall(answer)
                if b"Connection: close" in answer:
                    peer.close()
                    peer = None

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


class TestLink:
    def test_reads_a_body_in_chunks(self) -> None:
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\n\r\n"
        with answering(chunks, b"HTTP/1.1 204 No Content\r\n\r\n") as port:
            link = Link(port)
            assert link.request("GET /", keep=True) == (200, 6, b"abcdef")
            assert link.request("GET /") == (204, 0, b"")

    def test_begins_a_new_connection_where_the_server_closes_one(self) -> None:
        closed = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"
        with answering(closed, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb") as port:
            link = Link(port)
            assert link.request("GET /", keep=True)[2] == b"a"
            assert link.request("GET /", keep=True)[2] == b"b"


class TestMeasuring:
    def test_counts_what_the_plain_floor_stored_and_finds_no_error(self, tmp_path: Path) -> None:
        with floor("honest", tmp_path, 3072) as target:
            prove(target, 3072)
            result = measure(target, Work("upload", 3072, 2, count=20, seconds=30))
            read = measure(target, Work("download", 3072, 2, count=20, seconds=30), result.made)

        assert (len(result.made), result.errors, len(read.latencies), read.errors) == (20, 0, 20, 0)


class TestPeers:
    pytestmark = needs_nginx

    def test_one_keeps_what_it_is_given_and_is_seen_to_keep_it_in_plain(self, tmp_path: Path) -> None:
        nginx = PEERS["nginx"]
        nginx.install(tmp_path)
        with nginx.running(tmp_path, tmp_path) as target:
            prove(target, 3072)

            assert in_plain(target, tmp_path, 3072)
            assert not nginx.sealed


def row(operation: str, size: int, target: str, per_second: float, **changed: float) -> dict[str, Any]:
    figures = {"p50_ms": 1.5, "p99_ms": 9.0, "cpu_ms": 0.4, "peak_mb": 50.0, "alien": 0.0, "errors": 0.0}
    work = {"operation": operation, "size": size, "connections": 16, "target": target}
    return {**work, "per_s": per_second, **figures, **changed}


@pytest.fixture
def written(tmp_path: Path) -> tuple[str, Path]:
    """The page and the picture of made-up figures."""
    rows = [
        row("upload", 3072, "bare", 4000),
        row("upload", 3072, "vault-1", 1000),
        row("upload", 3072, "nginx", 5000),
        row("upload", 3072, "swift", 50, errors=3.0, alien=0.5),
        row("list", 3072, "bare", 8000),
        row("list", 3072, "vault-1", 4000),
        row("list", 3072, "nginx", 1000),
        row("list", 3072, "swift", 0),
    ]
    names = {"nginx": "", "swift": "", "minio": "go install: `no` such\nmodule"}
    peers = [{"name": name, "what": "", "unlike": "", "missing": missing} for name, missing in names.items()]
    found = {"day": "2026-11-28", "machine": "2 cores", "rounds": 3, "seconds": 2.0, "peers": peers, "rows": rows}
    target, picture = tmp_path / "benchmarks.md", tmp_path / "benchmarks.svg"
    shutil.copy(page.PAGE, target)
    page.write(found, target, picture)
    return target.read_text("utf-8"), picture


class TestPage:
    def test_tells_of_the_peers_what_their_modules_do(self) -> None:
        text = document("docs/benchmarks.md").text

        assert page.put(text, "peers", page.peers()) == text

    def test_divides_the_vaults_requests_by_the_others(self, written: tuple[str, Path]) -> None:
        assert "|  | vault | bare | nginx | swift |" in written[0]
        assert "| upload 3 KiB, c=16 | 0.25 | 0.20 | 20.0 |" in written[0]
        assert "| list of 90, c=16 | 0.50 | 4.00 | none |" in written[0]

    def test_marks_what_failed_in_part_and_names_what_was_disturbed(self, written: tuple[str, Path]) -> None:
        assert "| upload 3 KiB, c=16 | 1,000 | 4,000 | 5,000 | 50.0\\* |" in written[0]
        assert "more than 0.2 of a core during: upload 3 KiB, c=16." in written[0]

    def test_says_where_the_vault_is_slower_and_who_took_no_part(self, written: tuple[str, Path]) -> None:
        assert "- Slower than nginx at: upload 3 KiB, c=16 (0.20)." in written[0]
        assert "Slower than swift" not in written[0]
        assert "- minio took no part: `go install: 'no' such module`." in written[0]

    def test_draws_a_dot_for_each_figure(self, written: tuple[str, Path]) -> None:
        picture = ElementTree.parse(written[1])
        dots = [each for each in picture.iter("{http://www.w3.org/2000/svg}circle") if len(each)]

        assert len(dots) == 7

    def test_can_be_written_again(self, written: tuple[str, Path], tmp_path: Path) -> None:
        page.write(None, tmp_path / "benchmarks.md", tmp_path / "benchmarks.svg")

        assert (tmp_path / "benchmarks.md").read_text("utf-8") == written[0]
