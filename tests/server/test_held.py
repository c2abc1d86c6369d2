"""Answers that wait for their clients: how much memory they may have together, and how those beyond it go out."""

from __future__ import annotations

import gc
import http.client
import os
import threading
import time
from contextlib import ExitStack
from mmap import mmap
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from server.held import SMALL
from server.room import Room
from tests.engines import files
from tests.harness import ROOT_TOKEN, RunningVault
from tests.reliability.slow_clients import Connection
from tests.server.support import MIB, files_of
from vault.blobs.open_file import OpenFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIZE = 8 * MIB  # more than a kernel takes for a client that does not read
CONTENT = os.urandom(SIZE)


class Scene:
    """A vault with room for two whole answers, and the ways to one file: a secure file and an upload."""

    def __init__(self, vault: RunningVault, room: Room) -> None:
        self.vault, self.room = vault, room
        project = vault.project()
        file = vault.root.upload(project["id"], "a.bin", CONTENT).json["id"]
        upload = vault.root.post(f"/projects/{project['id']}/uploads", files={"file": ("a.bin", CONTENT)}).json["id"]
        self.file = f"{files_of(project)}/{file}"
        self.paths = {"secure file": f"{self.file}/download", "upload": f"/projects/{project['id']}/uploads/{upload}"}

    def wait(self, taken: int) -> None:
        """Wait until so much of the room is taken."""
        for _ in range(1000):
            if self.room.taken == taken:
                return
            time.sleep(0.01)
        raise AssertionError(f"{self.room.taken} bytes are taken, and not {taken}")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    room = Room(2 * SIZE)
    monkeypatch.setattr("server.app.Room", lambda: room)
    with RunningVault(tmp_path / "data", secure_file_bytes=SIZE + 1) as vault:
        yield Scene(vault, room)


def buffers() -> int:
    """Return how many buffers for a whole answer there are, in use or not."""
    found = (each for each in gc.get_objects() if isinstance(each, mmap))
    return sum(not each.closed and len(each) == SIZE for each in found)


def eventually(true: Callable[[], bool]) -> bool:
    """Wait until something is so, and say whether it came to be."""
    for _ in range(200):
        if true():
            return True
        time.sleep(0.02)
    return False


WAYS = pytest.mark.parametrize("way", ["secure file", "upload"])


class TestAnAnswer:
    @WAYS
    def test_lets_go_of_its_room_once_it_is_sent_though_its_connection_stays(self, scene: Scene, way: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(scene.vault.url).netloc, timeout=20)
        for _ in range(5):
            connection.request("GET", f"/api/v4{scene.paths[way]}", headers={"PRIVATE-TOKEN": ROOT_TOKEN})
            answer = connection.getresponse()
            assert (answer.status, answer.read() == CONTENT) == (200, True)

        scene.wait(taken=0)
        connection.close()

    @WAYS
    def test_lets_go_of_it_when_its_client_goes_away(self, scene: Scene, way: str) -> None:
        with Connection(scene.vault.root, receive_buffer=4096) as unread:
            unread.request("GET", scene.paths[way])
            scene.wait(taken=SIZE)

        scene.wait(taken=0)

    @WAYS
    def test_leaves_nothing_to_the_collector_when_its_client_goes_away(
        self, scene: Scene, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error that tells of it is part of a circle: what its frames had would pile up beyond all room."""
        monkeypatch.setattr("server.room.KEPT_SECONDS", 0.01)
        gc.collect()
        gc.disable()
        before = buffers()
        try:
            with ExitStack() as clients:
                for number in (1, 2):
                    unread = clients.enter_context(Connection(scene.vault.root, receive_buffer=4096))
                    unread.request("GET", scene.paths[way])
                    scene.wait(taken=number * SIZE)
            scene.wait(taken=0)

            assert eventually(lambda: buffers() <= before)
        finally:
            gc.enable()

    @WAYS
    def test_to_a_slow_client_is_not_written_over_by_others(self, scene: Scene, way: str) -> None:
        """Memory is used again as soon as its answer is with the kernel, and no sooner."""
        other = bytes(SIZE)
        project = scene.vault.project()
        file = scene.vault.root.upload(project["id"], "b.bin", other).json["id"]
        with Connection(scene.vault.root, receive_buffer=4096) as slow:
            slow.request("GET", scene.paths[way])
            scene.wait(taken=SIZE)
            for _ in range(5):
                assert scene.vault.root.get(f"{files_of(project)}/{file}/download").body == other

            answer = slow.read_reply()

        assert (answer.status, answer.body == CONTENT) == (200, True)
        scene.wait(taken=0)

    @files
    def test_of_what_the_disk_has_to_be_waited_for_is_whole(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        threads = set()

        def cold(self: OpenFile, target: memoryview, offset: int) -> int:
            threads.add(threading.current_thread().name)
            return warm(self, target, offset)

        warm = OpenFile.read
        monkeypatch.setattr(OpenFile, "read_now", lambda *_: 0)
        monkeypatch.setattr(OpenFile, "read", cold)

        for path in scene.paths.values():
            assert scene.vault.root.get(path).body == CONTENT
        assert all(name.startswith("vault") for name in threads)

    @files
    @WAYS
    def test_lets_go_of_it_when_nothing_comes_of_it(self, scene: Scene, way: str) -> None:
        for blob in (scene.vault.settings.data / "blobs").glob("??/*"):
            blob.write_bytes(bytes(100))

        assert scene.vault.root.get(scene.paths[way]).status == 500

        scene.wait(taken=0)

    @WAYS
    @pytest.mark.parametrize("headers", [{"Range": "bytes=5-200000"}, {"If-None-Match": "*"}])
    def test_in_part_or_of_nothing_lets_go_of_it(self, scene: Scene, way: str, headers: dict[str, str]) -> None:
        assert scene.vault.root.get(scene.paths[way], headers=headers).status in (206, 304)
        assert scene.vault.root("HEAD", scene.paths[way]).headers["Content-Length"] == str(SIZE)

        scene.wait(taken=0)

    def test_that_is_small_takes_none(self, scene: Scene) -> None:
        with Connection(scene.vault.root, receive_buffer=4096) as unread:
            unread.request("GET", scene.paths["upload"], headers=f"Range: bytes=0-{SMALL - 1}\r\n")
            assert unread.read_reply().status == 206

            assert scene.room.taken == 0


class TestWithoutRoom:
    @pytest.fixture(autouse=True)
    def crowd(self, scene: Scene) -> Iterator[None]:
        with ExitStack() as crowd:
            for _ in range(4):
                unread = crowd.enter_context(Connection(scene.vault.root, receive_buffer=4096))
                unread.request("GET", scene.paths["upload"])
            scene.wait(taken=2 * SIZE)
            yield

    @WAYS
    def test_an_answer_comes_in_pieces_and_whole(self, scene: Scene, way: str) -> None:
        answer = scene.vault.root.get(scene.paths[way])

        assert (answer.status, answer.body == CONTENT) == (200, True)
        assert answer.headers["Content-Length"] == str(SIZE)
        assert scene.vault.root.get(scene.paths[way], headers={"Range": "bytes=5-200000"}).body == CONTENT[5:200_001]
        assert scene.room.taken == 2 * SIZE

    @files
    @WAYS
    def test_damage_in_the_middle_is_an_error_still(self, scene: Scene, way: str) -> None:
        for blob in (scene.vault.settings.data / "blobs").glob("??/*"):
            sealed = bytearray(blob.read_bytes())
            sealed[len(sealed) // 2] ^= 1
            blob.write_bytes(sealed)

        answer = scene.vault.root.get(scene.paths[way])

        assert answer.status == 500
        assert "secure-files verify" in answer.json["message"]

    def test_a_file_that_is_replaced_meanwhile_is_the_new_one(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept, changed = scene.vault.services.secure_files, os.urandom(SIZE)
        looks: list[Any] = []
        envelope = kept._envelope

        def replaced(file: Any) -> Any:
            looks.append(file)
            if len(looks) == 2:  # the first look is the event loop's, where it may be in the catalog
                assert scene.vault.root.put(scene.file, files={"file": ("a", changed)}).status == 200
            return envelope(file)

        monkeypatch.setattr(kept, "_envelope", replaced)

        assert scene.vault.root.get(scene.paths["secure file"]).body == changed
