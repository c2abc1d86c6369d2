"""SIGTERM in the middle of uploads: what can end does, what cannot leaves nothing, and the server is gone in time."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

import sample_certs
from tests.harness import Client, unique
from tests.reliability.processes import Server
from tests.reliability.slow_clients import SlowUpload
from tests.reliability.stored import assert_nothing_left_over
from tests.reliability.writers import all_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPLOADS = 50
GRACE = 3.0
CERTIFICATE = (Path(sample_certs.__file__).parent / "files" / "sample.cer").read_bytes()


def to_the_parent(server: Server) -> None:
    server.signal(signal.SIGTERM)


def to_every_process(server: Server) -> None:
    """As service managers do: the parsers get it too."""
    server.signal_everyone(signal.SIGTERM)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """Holds slow clients until the test has ended."""
    with ExitStack() as stack:
        yield stack


def begin_uploads(server: Server, project: int, clients: ExitStack, count: int) -> list[SlowUpload]:
    """Begin uploads with a few tokens, as one alone may not have so many under way."""
    tokens = [server.client_with_new_token() for _ in range(5)]
    return [
        clients.enter_context(SlowUpload(tokens[number % 5], project, unique("slow"), CERTIFICATE))
        for number in range(count)
    ]


WAYS = [(1, to_the_parent), (2, to_the_parent), (2, to_every_process)]


class TestSIGTERM:
    @pytest.mark.parametrize(("workers", "tell"), WAYS)
    def test_lets_uploads_end_that_come_to_an_end_and_keeps_nothing_of_the_others(
        self, tmp_path: Path, clients: ExitStack, workers: int, tell: Callable[[Server], None]
    ) -> None:
        with Server(tmp_path / "data", workers=workers, grace=GRACE) as server:
            project = server.project()
            assert server.root.upload(project, "before", CERTIFICATE).status == 201
            uploads = begin_uploads(server, project, clients, UPLOADS)

            tell(server)
            replies = [upload.finish() for upload in uploads[: UPLOADS // 4]]
            wait_until_closed(server)
            replies += [upload.finish() for upload in uploads[UPLOADS // 4 : UPLOADS // 2]]

            assert [reply.status for reply in replies] == [201] * (UPLOADS // 2)
            assert all(reply.json["metadata"] for reply in replies), "a parser did not live to read them"
            assert server.process.wait(GRACE + 10) == 0
            assert server.wait_until_gone() < 5
            assert "Traceback" not in server.log

            server.start()
            listed = {str(file["name"]) for file in all_files(server.root, project)}
            assert listed == {"before"} | {upload.name for upload in uploads[: UPLOADS // 2]}
            assert_nothing_left_over(server.data)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_turns_new_clients_away_and_ends_at_once_when_nothing_is_under_way(
        self, tmp_path: Path, workers: int
    ) -> None:
        with Server(tmp_path / "data", workers=workers, grace=60) as server:
            server.signal(signal.SIGTERM)
            begun = time.monotonic()
            while server.process.poll() is None:
                assert_ready_or_turned_away(server)
                time.sleep(0.05)
                assert time.monotonic() - begun < 20

            assert server.process.wait() == 0
            assert not server.is_ready()

    @pytest.mark.parametrize(("workers", "tell"), WAYS)
    def test_sent_twice_ends_it_at_once(
        self, tmp_path: Path, clients: ExitStack, workers: int, tell: Callable[[Server], None]
    ) -> None:
        with Server(tmp_path / "data", workers=workers, grace=60) as server:
            project = server.project()
            begin_uploads(server, project, clients, 10)

            tell(server)
            time.sleep(0.5)
            assert server.process.poll() is None
            tell(server)

            server.process.wait(5)
            assert server.wait_until_gone() < 5
            server.start()
            assert all_files(server.root, project) == []
            assert_nothing_left_over(server.data)


def wait_until_closed(server: Server) -> None:
    """Wait until new clients are not let in any more."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            Client(server.url, None).get("/-/readiness")
        except requests.ConnectionError:
            return
        time.sleep(0.05)
    raise AssertionError("new clients are still let in")


def assert_ready_or_turned_away(server: Server) -> None:
    """A client that comes now is served, told 503 by the readiness check, or not let in."""
    try:
        answer = Client(server.url, None).get("/-/readiness")
    except requests.ConnectionError:
        return
    assert answer.status in (200, 503), answer
