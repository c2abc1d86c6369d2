"""A disk that refuses one thing, or everything from then on, at every step of an upload, a replacement and a delete."""

from __future__ import annotations

import errno
import hashlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from server.app import HOUSEKEEPING_SECONDS
from tests.harness import unique
from tests.reliability.failing_disk import FailingDisk, compiler
from tests.reliability.processes import Server
from tests.reliability.stored import assert_nothing_left_over, named, objects, orphans, rows
from tests.reliability.writers import all_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness import Answer

pytestmark = [
    pytest.mark.engine("cc"),
    pytest.mark.skipif(compiler() is None, reason="the disk that refuses is made by a C compiler, and there is none"),
]

SMALL, LARGE = 3_000, 150_000  # in its row, in a file of its own
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
YES = (200, 201, 204)
ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


@dataclass
class Stored:
    """A file that was acknowledged."""

    id: int
    checksum: str
    size: int


class Scene:
    """A server on a disk that may refuse, and what it has acknowledged."""

    def __init__(self, server: Server, disk: FailingDisk) -> None:
        self.server = server
        self.disk = disk
        self.project = server.project()
        self.client = server.root
        self.path = f"/projects/{self.project}/secure_files"
        self.stored: dict[str, Stored] = {}
        self.target = ""
        self.undecided: set[str] = set()  # objects of commits that ended with 503: the next start looks
        for size in (SMALL, LARGE):
            assert self.upload(size).status == 201
        self.bystanders = list(self.stored)

    # What is done while the disk refuses: each returns the answer, and remembers what a yes has changed

    def upload(self, size: int) -> Answer:
        """Upload a file, which is the target of what comes next when it was taken."""
        name, content = unique("file"), random.randbytes(size)
        answer = self.client.upload(self.project, name, content)
        if answer.status == 201:
            self.stored[name] = Stored(answer.json["id"], _checksum(content), size)
            self.target = name
        return answer

    def replace(self, size: int) -> Answer:
        """Put other content in the place of the target's."""
        content = random.randbytes(size)
        number = self.stored[self.target].id
        answer = self.client.put(f"{self.path}/{number}", files={"file": ("f", content)})
        if answer.status == 200:
            self.stored[self.target] = Stored(number, _checksum(content), size)
        return answer

    def delete(self) -> Answer:
        """Delete the target."""
        answer = self.client.delete(f"{self.path}/{self.stored[self.target].id}")
        if answer.status == 204:
            del self.stored[self.target]
        return answer

    def aim(self, size: int) -> None:
        """See to it that the target is a file of this size that nobody else looks at."""
        found = self.stored.get(self.target)
        if found is None or found.size != size or self.target in self.bystanders:
            assert self.upload(size).status == 201

    # What has to be so

    def check_lists(self) -> None:
        """Exactly what was acknowledged is listed."""
        listed = {file["name"]: file["checksum"] for file in all_files(self.client, self.project)}
        assert listed == {name: file.checksum for name, file in self.stored.items()}

    def check_reading(self, names: list[str]) -> None:
        """These files come down as they were sent."""
        for name in names:
            down = self.client.get(f"{self.path}/{self.stored[name].id}/download")
            assert down.status == 200, down
            assert _checksum(down.body) == self.stored[name].checksum

    def take_stock(self) -> None:
        """Go on from what is there, which differs from what was acknowledged by the target at most."""
        listed = {file["name"]: file for file in all_files(self.client, self.project)}
        changed = {
            name
            for name in listed.keys() | self.stored.keys()
            if name not in listed or name not in self.stored or listed[name]["checksum"] != self.stored[name].checksum
        }
        assert len(changed) <= 1
        self.stored = {name: Stored(file["id"], file["checksum"], 0) for name, file in listed.items()}

    def check_after_restart(self) -> None:
        """After a kill and a start all of it is there, and nothing else anywhere."""
        self.server.kill_all()
        self.server.start()
        assert_nothing_left_over(self.server.data)
        self.check_lists()
        self.check_reading(list(self.stored))


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with (
        FailingDisk(folder, folder / "data") as disk,
        # The audit log lies elsewhere: while it refuses, reading is refused too (test_audit.py).
        Server(
            folder / "data",
            workers=1,
            environment=disk.environment,
            secure_files_per_project=10_000,
            audit=folder / "log",
        ) as server,
    ):
        yield Scene(server, disk)


class Action(NamedTuple):
    """Something a client asks for: the size of the file it needs, and how it is asked."""

    needs: int | None
    ask: Callable[[Scene], Answer]


ACTIONS = {
    "upload into a row": Action(None, lambda scene: scene.upload(SMALL)),
    "upload into a file": Action(None, lambda scene: scene.upload(LARGE)),
    "replacement of a row by a file": Action(SMALL, lambda scene: scene.replace(LARGE)),
    "replacement of a file by a row": Action(LARGE, lambda scene: scene.replace(SMALL)),
    "deletion of a row": Action(SMALL, Scene.delete),
    "deletion of a file": Action(LARGE, Scene.delete),
}


def refuse_each_step(scene: Scene, action: Action, error: int, *, lasting: bool) -> Iterator[tuple[str, Answer]]:
    """Do it again and again, refusing one step later each time, until there was no step left to refuse."""
    for step in range(1, 200):
        for _ in range(3):
            refused, answer = refuse_step(scene, action, step, error, lasting=lasting)
            if not refused or answer.status in YES or answer.status == expected_status(refused, error):
                break
            # What was refused was a step of a chore in the background, not of this request: once more.
            scene.undecided = orphans(scene.server.data)
        if not refused:
            assert answer.status in YES, answer
            return
        yield refused, answer
    raise AssertionError("there is no end of steps")


def refuse_step(scene: Scene, action: Action, step: int, error: int, *, lasting: bool) -> tuple[str, Answer]:
    """Do it once on a disk that refuses this step; return which that was, and the answer."""
    if action.needs:
        scene.aim(action.needs)
    scene.disk.refuse(step, error, lasting=lasting)
    answer = action.ask(scene)
    if lasting:
        scene.check_reading(scene.bystanders)
    return scene.disk.mend(), answer


def refuse_the_sync(scene: Scene, action: Action, *, lasting: bool) -> None:
    """Do it until it met a disk that wrote the whole commit into the log and then did not sync it."""
    for _ in range(10):  # commits differ by a page or two: one may have no such step where the one before had it
        for refused, answer in refuse_each_step(scene, action, errno.EIO, lasting=lasting):
            if refused == "fdatasync /catalog.sqlite-wal" and answer.status == 503:
                return
    raise AssertionError("no commit was synced")


def expected_status(refused: str, error: int) -> int:
    """Say how a refusal looks: SQLite tells of a full disk only when that is what a write of its own met."""
    if "/catalog" in refused:
        return 507 if error == errno.ENOSPC and refused.startswith("pwrite") else 503
    return 507 if error in NO_ROOM else 503


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what the server does by itself."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestADiskThatRefusesAnyStep:
    @pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
    @pytest.mark.parametrize("what", ACTIONS)
    def test_is_answered_honestly_and_costs_nothing_that_was_acknowledged(
        self, scene: Scene, what: str, lasting: bool
    ) -> None:
        scene.undecided = orphans(scene.server.data)
        for error in ERRORS:
            steps = 0
            for refused, answer in refuse_each_step(scene, ACTIONS[what], error, lasting=lasting):
                steps += 1
                if refused.startswith("fsync /blobs"):
                    assert answer.status not in YES, "what was not synced was acknowledged"
                if answer.status not in YES:
                    assert answer.status == expected_status(refused, error), f"{refused}: {answer}"
                    assert set(answer.json) == {"message"}
                    if ACTIONS[what].needs:
                        scene.check_reading([scene.target])
                if answer.status == 507:
                    assert orphans(scene.server.data) <= scene.undecided, "what did not fit takes room"
                scene.undecided = orphans(scene.server.data)
                scene.check_lists()
            assert steps >= 3, "a commit alone takes more"
        scene.check_after_restart()

    @pytest.mark.parametrize("error", [errno.EIO, errno.EROFS], ids=["EIO", "EROFS"])
    def test_keeps_the_bytes_of_a_deleted_file_no_longer_than_it_has_to(self, scene: Scene, error: int) -> None:
        scene.aim(LARGE)
        before = objects(scene.server.data)
        assert scene.delete().status == 204

        scene.disk.refuse(1, error, lasting=True)
        wait_until(lambda: scene.disk.has_refused)
        time.sleep(HOUSEKEEPING_SECONDS)
        scene.check_lists()
        scene.check_reading(scene.bystanders)
        assert objects(scene.server.data) == before, "nothing was refused"
        scene.disk.mend()

        wait_until(lambda: objects(scene.server.data) == named(scene.server.data))
        wait_until(lambda: rows(scene.server.data, "SELECT * FROM removals") == [])

    @pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
    def test_and_is_pulled_out_then_leaves_nothing_half_made(self, scene: Scene, lasting: bool) -> None:
        """A commit whose sync failed may or may not be in the log that the next start reads: both ends are whole."""
        for what in ("upload into a file", "replacement of a row by a file", "deletion of a file"):
            refuse_the_sync(scene, ACTIONS[what], lasting=lasting)

            scene.server.kill_all()
            scene.server.start()

            assert_nothing_left_over(scene.server.data)
            scene.take_stock()
            scene.check_reading(list(scene.stored))
