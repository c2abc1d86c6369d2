"""One of two workers killed under 200 requests a second."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from tests.harness import Client, unique
from tests.reliability.processes import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

CLIENTS, EACH = 20, 30
INTERVAL = 0.1  # between two requests of one client: 200 a second in all


@dataclass
class Outcome:
    """One request: when it was sent, when it ended, and whether it was answered as it should be."""

    begun: float
    ended: float
    problem: str


class Crowd:
    """Clients with a connection each, that ask at a steady pace."""

    def __init__(self, server: Server) -> None:
        self.project = server.project()
        self.path = f"/projects/{self.project}/secure_files"
        made = [server.root.upload(self.project, unique("file"), bytes(size)) for size in (1_000, 100_000)]
        self.files = [answer.json["id"] for answer in made]
        self.outcomes: list[Outcome] = []
        self._threads = [threading.Thread(target=self._ask, args=(server.root, number)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, outcomes: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.outcomes) < outcomes:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _ask(self, client: Client, number: int) -> None:
        first = time.monotonic() + number * INTERVAL / CLIENTS
        for turn in range(EACH):
            time.sleep(max(0.0, first + turn * INTERVAL - time.monotonic()))
            begun = time.monotonic()
            try:
                problem = self._one(client, number + turn)
            except requests.ConnectionError as error:
                problem = type(error).__name__
            self.outcomes.append(Outcome(begun, time.monotonic(), problem))

    def _one(self, client: Client, turn: int) -> str:
        """Read a file, a list, a content or write a file, in turn; say what was wrong about the answer."""
        expected = 200
        match turn % 5:
            case 0:
                answer = client.get(self.path)
            case 1:
                answer = client.get(f"{self.path}/{self.files[0]}")
            case 2 | 3:
                answer = client.get(f"{self.path}/{self.files[turn % 2]}/download")
            case _:
                answer, expected = client.upload(self.project, unique("file"), b"x" * 500), 201
        return "" if answer.status == expected else repr(answer)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=2, secure_files_per_project=10_000) as running:
        yield running


def test_at_most_the_requests_under_way_on_it_fail_and_nobody_else_notices(server: Server) -> None:
    crowd = Crowd(server)
    crowd.start()
    crowd.wait_for(CLIENTS * EACH // 3)
    victim = server.workers()[0]
    connected = server.connections(victim)

    os.kill(victim, signal.SIGKILL)
    while victim in server.everyone():
        time.sleep(0.001)
    gone = time.monotonic()
    crowd.join()

    failed = [outcome for outcome in crowd.outcomes if outcome.problem]
    after = [outcome for outcome in crowd.outcomes if outcome.begun > gone]
    waits = sorted(outcome.ended - outcome.begun for outcome in after)
    span = max(outcome.ended for outcome in crowd.outcomes) - min(outcome.begun for outcome in crowd.outcomes)
    log.info(
        "%d requests, %.0f a second; %d failed of %d clients of the worker; afterwards median %.1f ms, longest %.0f ms",
        *(len(crowd.outcomes), len(crowd.outcomes) / span, len(failed), connected),
        *(1000 * waits[len(waits) // 2], 1000 * waits[-1]),
    )
    assert len(crowd.outcomes) == CLIENTS * EACH
    assert len(after) > CLIENTS
    assert [outcome for outcome in after if outcome.problem] == []
    assert len(failed) <= connected
    assert len(server.workers()) == 2
