"""What large and hostile artifacts cost: the memory of a server, and the time of its other clients."""

from __future__ import annotations

import hashlib
import random
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN
from tests.reliability.processes import Server
from tests.server.support import MIB, body_of
from tests.zips import Made, archive, built

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BOMB_SIZE = 1100 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server") / "data", workers=1, artifact_bytes=600 * MIB) as running:
        yield running


class Remote:
    """As much of `Ci` as a server in another process lets be done."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.root = server.root
        self.path = f"/projects/{server.project()}"

    def left(self, data: Any) -> str:
        """Have a job leave the data, bytes or an iterator of them, and return the path of its archive."""
        made = self.root.post(f"{self.path}/jobs", json={"name": "build", "ref": "main"}).json
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'

        def body() -> Iterator[bytes]:
            yield head
            yield from [data] if isinstance(data, bytes) else data
            yield b"\r\n--x--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=x", "JOB-TOKEN": made["token"]}
        sent = self.root.post(f"/jobs/{made['id']}/artifacts", data=body(), headers=headers)
        assert sent.status == 201, sent
        return f"{self.path}/jobs/{made['id']}/artifacts"


def memory(server: Server) -> int:
    """Return how much memory the server's process has had at most, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def slowest_neighbour(server: Server, work: Callable[[], object]) -> float:
    """Return the longest that a small request took while the work went on."""
    slowest, done = 0.0, threading.Event()
    client = server.root

    def ask() -> None:
        nonlocal slowest
        while not done.is_set():
            begun = time.monotonic()
            assert client.get("/user").status == 200
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.01)

    neighbour = threading.Thread(target=ask)
    neighbour.start()
    work()
    done.set()
    neighbour.join()
    return slowest


class TestMemory:
    def test_of_a_bomb_is_constant_and_neighbours_are_served(self, server: Server) -> None:
        remote = Remote(server)
        path = remote.left(bomb())
        assert server.root.get("/user").status == 200
        before, size = memory(server), 0

        def unpack() -> None:
            nonlocal size
            size = sum(map(len, body_of(server.url, f"{path}/zeros", ROOT_TOKEN)))

        slowest = slowest_neighbour(server, unpack)

        assert size == BOMB_SIZE
        assert memory(server) - before < 60
        assert slowest < 1

    def test_of_a_large_artifact_is_constant_both_ways(self, server: Server) -> None:
        """A third of a gigabyte here; a release tries two."""
        remote, rng = Remote(server), random.Random(3)
        pieces = [rng.randbytes(MIB) for _ in range(8)]
        count, before = 300, memory(server)

        path = remote.left(pieces[number % 8] for number in range(count))
        going_up = memory(server)
        digest = hashlib.sha256()
        for piece in body_of(server.url, path, ROOT_TOKEN):
            digest.update(piece)

        sent = hashlib.sha256()
        for number in range(count):
            sent.update(pieces[number % 8])
        assert digest.hexdigest() == sent.hexdigest()
        assert going_up - before < 60
        assert memory(server) - before < 60

    def test_of_a_large_directory_is_small(self, server: Server) -> None:
        remote = Remote(server)
        path = remote.left(archive({f"some/folder/of/{number:06}.txt": b"" for number in range(70_000)}, 0))
        before = memory(server)
        statuses: list[int] = []

        def ask() -> None:
            statuses.extend(
                server.root.get(f"{path}/some/folder/of/{number:06}.txt").status for number in range(0, 70_000, 7000)
            )

        slowest = slowest_neighbour(server, ask)

        assert statuses == [200] * 10
        assert memory(server) - before < 60
        assert slowest < 1


def bomb() -> bytes:
    """Return an archive of 1.1 MB whose one entry unpacks to 1.1 GiB."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros, crc, packed = bytes(MIB), 0, bytearray()
    for _ in range(BOMB_SIZE // MIB):
        packed += deflater.compress(zeros)
        crc = zlib.crc32(zeros, crc)
    packed += deflater.flush()
    return built([Made(b"zeros", packed=bytes(packed), size=BOMB_SIZE, crc32=crc)])
