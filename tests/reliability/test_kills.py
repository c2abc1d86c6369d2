"""Processes killed with SIGKILL while six clients upload, replace and delete."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

import sample_certs
from tests.harness import ROOT_TOKEN, Client, unique
from tests.reliability.processes import READY_SECONDS, Server
from tests.reliability.stored import assert_nothing_left_over
from tests.reliability.writers import Load

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

ROUNDS = int(os.environ.get("KILL_ROUNDS", "15"))
SOON = 5.0


class Scene:
    """One server and one load, which all rounds go on with."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.random = random.Random(20)
        self.load = Load(server.project(), writers=6, seed=3)
        # One object that stays: beside a catalog that knows of none, the sweep removes none either.
        kept = server.root.upload(server.project(), "kept", bytes(100_000))
        assert kept.status == 201, kept

    def under_load(self) -> None:
        """Start the writers and let them work for a while of any length; they are in the middle of it then."""
        self.load.start(self.server.url, ROOT_TOKEN)
        self.load.work_for(self.random.randint(6, 120))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Server(tmp_path_factory.mktemp("kills") / "data") as server:
        yield Scene(server)
        log.info("ready after %s s", [round(seconds, 2) for seconds in server.starts])


def kill_everything(server: Server) -> None:
    server.kill_all()


def kill_the_group(server: Server) -> None:
    server.signal_group(signal.SIGKILL)
    server.process.wait(10)


def kill_the_parent(server: Server) -> None:
    server.signal(signal.SIGKILL)
    server.process.wait(10)


def _upload_slow_reading(client: Client, project: int) -> None:
    """Upload a file whose reading takes all the time that a parser has."""
    bomb = (Path(sample_certs.__file__).with_name("files") / "iteration-bomb.p12").read_bytes()
    slow = bomb.replace(b"\x02\x04" + (2**31 - 1).to_bytes(4), b"\x02\x04" + (5_000_000).to_bytes(4))
    with suppress(requests.ConnectionError):
        client.upload(project, unique("slow"), slow)


class TestAServerThatIsKilled:
    @pytest.mark.parametrize("kill", [kill_everything, kill_the_group, kill_the_parent] * (ROUNDS // 3))
    def test_has_all_that_was_acknowledged_and_nothing_else_when_it_is_started_again(self, scene, kill):
        scene.under_load()
        kill(scene.server)
        scene.server.start()

        scene.load.stop()
        assert scene.load.unexpected == []
        assert scene.load.cut_off > 0, "nothing was under way"
        assert scene.server.ready_seconds < READY_SECONDS
        assert_nothing_left_over(scene.server.data)
        scene.load.settle(scene.server.root)

    def test_leaves_no_worker_behind_when_only_the_parent_is_killed(self, scene):
        scene.under_load()
        others = set(scene.server.everyone()) - {scene.server.process.pid}

        kill_the_parent(scene.server)

        assert len(others) >= 2
        assert scene.server.wait_until_gone() < SOON
        scene.load.stop()
        scene.server.start()
        scene.load.settle(scene.server.root)

    def test_is_not_kept_from_starting_again_by_workers_that_read_hostile_files(self, scene):
        client = scene.server.root
        uploads = [threading.Thread(target=_upload_slow_reading, args=(client, scene.load.project)) for _ in range(6)]
        for upload in uploads:
            upload.start()
        while len(scene.server.everyone()) < 4:  # the parent, two workers and a parser
            time.sleep(0.01)

        kill_the_parent(scene.server)
        scene.server.start()

        assert scene.server.ready_seconds < SOON
        for upload in uploads:
            upload.join()

    def test_goes_on_with_another_worker_when_one_is_killed(self, scene):
        scene.under_load()
        victim = scene.server.workers()[0]
        connected = scene.server.connections(victim)

        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + SOON
        while len(set(scene.server.workers()) - {victim}) < 2:
            assert time.monotonic() < deadline, "nobody took the place of the worker that was killed"
            time.sleep(0.02)

        scene.load.stop()
        assert scene.load.unexpected == []
        assert scene.load.cut_off <= connected, "clients of the other worker were cut off too"
        scene.load.settle(scene.server.root)
