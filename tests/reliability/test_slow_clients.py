"""Fifty uploads that come byte by byte and fifty downloads that nobody reads, beside clients in a hurry."""

from __future__ import annotations

import logging
import random
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import Client, unique
from tests.reliability.processes import Server
from tests.reliability.slow_clients import Connection, SlowUpload

log = logging.getLogger(__name__)

SLOW = UNREAD = 50
MIB = 1024 * 1024
LARGE = 5 * MIB - 1
TOKENS = 5


def memory(server: Server) -> int:
    """Bytes of memory that all processes of the server hold."""
    total = 0
    for pid in server.everyone():
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def seconds_of(client: Client, method: str, path: str, **kwargs: object) -> float:
    begun = time.monotonic()
    answer = client(method, path, **kwargs)
    assert answer.status in (200, 201), answer
    return time.monotonic() - begun


@pytest.mark.parametrize("workers", [1, 2])
def test_slow_and_dead_clients_cost_their_neighbours_nothing_and_the_server_little(
    tmp_path: Path, workers: int
) -> None:
    with Server(tmp_path / "data", workers=workers, secure_files_per_project=1_000) as server, ExitStack() as crowd:
        project = server.project()
        path = f"/projects/{project}/secure_files"
        content = random.randbytes(LARGE)
        large = server.root.upload(project, "large", content).json["id"]
        assert server.root.get(f"{path}/{large}/download").body == content
        idle = memory(server)
        clients = [server.client_with_new_token() for _ in range(TOKENS)]
        slow = [
            crowd.enter_context(SlowUpload(clients[n % TOKENS], project, unique("slow"), content)) for n in range(SLOW)
        ]
        for _ in range(UNREAD):
            unread = crowd.enter_context(Connection(server.root, receive_buffer=4096))
            unread.request("GET", f"{path}/{large}/download")

        neighbour, waits = server.root, []
        for _ in range(10):
            for upload in slow:
                upload.dribble()
            waits += [
                seconds_of(neighbour, "GET", path),
                seconds_of(neighbour, "GET", f"{path}/{large}/download"),
                seconds_of(
                    neighbour, "POST", path, data={"name": unique("quick")}, files={"file": ("file", content[:90_000])}
                ),
            ]
        grown = memory(server) - idle

        log.info(
            "%d workers: median %.0f ms, longest %.0f ms; memory %+d MiB over %d",
            *(workers, 1000 * statistics.median(waits), 1000 * max(waits), grown // MIB, idle // MIB),
        )
        assert statistics.median(waits) < 1
        # What each has sent, and the file of each that does not read, once opened and once on its way.
        assert grown < (SLOW * LARGE // 2 + UNREAD * LARGE * 2) * 1.25
        assert server.is_ready()
        assert slow[0].finish().status == 201
