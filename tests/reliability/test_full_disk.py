"""A real disk of 48 MB, filled to the brim."""

from __future__ import annotations

import hashlib
import random
import re
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.harness import unique
from tests.reliability.full_disks import SmallDisk, small_disk
from tests.reliability.processes import Server
from tests.reliability.stored import assert_nothing_left_over
from tests.reliability.writers import all_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.harness import Answer

SMALL, LARGE = 3_000, 300_000
# What the audit log and the catalog take of the room meanwhile.
LINES = 64 * 1024


class Scene:
    """A server on a disk of its own, with some files of each kind."""

    def __init__(self, server: Server, disk: SmallDisk) -> None:
        self.server = server
        self.disk = disk
        self.project = server.project()
        self.client = server.root
        self.path = f"/projects/{self.project}/secure_files"
        self.stored: dict[int, str] = {}
        for _ in range(12):
            assert self.upload(SMALL).status == 201
            assert self.upload(LARGE).status == 201

    def upload(self, size: int) -> Answer:
        content = random.randbytes(size)
        answer = self.client.upload(self.project, unique("file"), content)
        if answer.status == 201:
            self.stored[answer.json["id"]] = hashlib.sha256(content).hexdigest()
        return answer

    def delete_one(self) -> Answer:
        number = next(iter(self.stored))
        answer = self.client.delete(f"{self.path}/{number}")
        if answer.status == 204:
            del self.stored[number]
        return answer

    def check(self) -> None:
        """All that was acknowledged, and nothing else, is listed and comes down as it was sent."""
        assert {file["id"] for file in all_files(self.client, self.project)} == set(self.stored)
        for number, checksum in self.stored.items():
            down = self.client.get(f"{self.path}/{number}/download")
            assert down.status == 200, down
            assert hashlib.sha256(down.body).hexdigest() == checksum

    def restart(self) -> None:
        self.server.kill_all()
        self.server.start()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with (
        small_disk(tmp_path / "disk") as disk,
        Server(disk.folder, workers=2, secure_files_per_project=1_000) as server,
    ):
        yield Scene(server, disk)


class TestAFullDisk:
    def test_takes_no_more_says_so_and_goes_on_reading(self, scene: Scene) -> None:
        while (answer := scene.upload(4_000_000)).status == 201:
            pass
        assert answer.status == 507
        assert answer.json == {"message": "507 Insufficient Storage"}
        scene.disk.fill()

        refused = [scene.upload(size) for size in (0, SMALL, LARGE)]

        assert [answer.status for answer in refused] == [507] * 3
        scene.check()

    def test_is_why_it_is_not_ready_and_no_reason_to_be_restarted(self, scene: Scene) -> None:
        scene.disk.fill()
        ready = scene.client.get("/-/readiness")

        assert (ready.status, scene.client.get("/-/liveness").status) == (503, 200)
        assert ready.json["status"] == "failed"
        (said,) = ready.json["disk_check"]
        assert re.fullmatch(r"the disk of the data is full: \d+ KiB of \d+ MiB are free", said["message"])
        assert ready.json["catalog_check"] == [{"status": "ok"}]

        scene.disk.make_room(20_000_000)
        assert scene.server.is_ready()

    def test_still_deletes_and_then_takes_as_much_again(self, scene: Scene) -> None:
        for _ in range(3):  # and is filled again, each time
            scene.disk.fill()
            assert [scene.delete_one().status for _ in range(4)] == [204] * 4
            wait_for_room(scene, 2 * LARGE - LINES)  # of two of these four files
            assert scene.upload(LARGE).status == 201
            assert scene.upload(SMALL).status == 201

        scene.check()

    def test_costs_nothing_when_the_server_is_killed_on_it(self, scene: Scene) -> None:
        scene.disk.fill()
        scene.upload(LARGE), scene.upload(SMALL)

        scene.restart()

        assert_nothing_left_over(scene.server.data)
        scene.check()
        assert scene.delete_one().status == 204

    def test_lets_a_server_start_that_ended_well_before_it_was_full(self, scene: Scene) -> None:
        scene.server.signal(signal.SIGTERM)
        assert scene.server.process.wait(20) == 0
        scene.disk.fill()

        scene.server.start()

        scene.check()
        assert scene.delete_one().status == 204
        scene.disk.make_room(20_000_000)
        assert scene.upload(LARGE).status == 201

    def test_is_as_before_once_there_is_room(self, scene: Scene) -> None:
        scene.disk.fill()
        assert scene.upload(SMALL).status == 507
        assert scene.delete_one().status == 204

        scene.disk.make_room(20_000_000)

        assert scene.upload(LARGE).status == 201
        assert (scene.server.data / "catalog.sqlite.ballast").stat().st_size == 4 * 1024 * 1024
        scene.restart()
        scene.check()


def wait_for_room(scene: Scene, size: int) -> None:
    """Wait until the bytes of deleted files are gone, which follows their deletion."""
    deadline = time.monotonic() + 20
    while scene.disk.free < size:
        assert time.monotonic() < deadline, f"{scene.disk.free} bytes are free"
        time.sleep(0.05)
