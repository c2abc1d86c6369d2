"""A disk that refuses one thing at every step of a commit: what is acknowledged is there, and nothing is broken."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from tests.reliability.failing_disk import FailingDisk, compiler
from tests.reliability.processes import Server
from tests.vault.repositories.support import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.engine("cc"),
    pytest.mark.skipif(compiler() is None, reason="the disk that refuses is made by a C compiler, and there is none"),
]

STEPS, TURNS = 40, 5


class Scene:
    """A server on a disk that may refuse, with one project."""

    def __init__(self, server: Server, disk: FailingDisk) -> None:
        self.server, self.disk = server, disk
        made = server.root.post("/projects", json={"name": "app", "initialize_with_readme": True})
        self.files = f"/projects/{made.json['id']}/repository/files"
        self.kept: dict[str, str] = {}

    @property
    def repository(self) -> Path:
        return next((self.server.data / "repositories").glob("??/*.git"))

    def write(self, name: str) -> int:
        """Write a file and remember it when it was acknowledged."""
        body = {"branch": "main", "content": name, "commit_message": name}
        answer = self.server.root.post(f"{self.files}/d%2F{name}", json=body)
        if answer.status == 201:
            self.kept[f"d/{name}"] = answer.json["commit_id"]
        return answer.status

    def check(self) -> None:
        place = f"--git-dir={self.repository}"
        assert "error" not in git(place, "fsck", "--strict")
        assert set(self.kept.values()) <= set(git(place, "rev-list", "main").splitlines())
        for name, commit in self.kept.items():
            found = self.server.root.get(f"{self.files}/{name.replace('/', '%2F')}?ref=main")
            assert (found.status, found.json["last_commit_id"]) == (200, commit)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = tmp_path_factory.mktemp("disk")
    (place / "data").mkdir()
    disk = FailingDisk(place, place / "data")
    # The audit log lies elsewhere: while it refuses, and until its next turn, writes are refused too (test_audit.py).
    with disk, Server(place / "data", workers=1, environment=disk.environment, audit=place / "log") as server:
        yield Scene(server, disk)


class TestADiskThatRefuses:
    @pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
    def test_one_step_of_a_commit_has_it_whole_or_not_at_all(self, scene: Scene, error: int) -> None:
        refused: list[str] = []
        for turn in range(TURNS):
            for step in range(1, STEPS + 1):
                name = f"{errno.errorcode[error]}-{turn}-{step}"
                scene.disk.refuse(step, error)
                status = scene.write(name)
                where = scene.disk.mend()
                refused.append(where)
                assert status in (201, 500, 503, 507), f"{status} when {where} was refused"
                assert scene.write(f"{name}-again") == 201, f"after {where} was refused"
            scene.check()
            # Nothing is acknowledged that the disk was not asked to keep: the object's files, their folders, the
            # branch. Now and then the catalog, which writes aside, is refused in the branch's place.
            synced = "\n".join(where for where in refused if where.startswith("fsync"))
            if "/objects/" in synced and "/refs/heads" in synced:
                return
        raise AssertionError(refused)

    def test_everything_from_a_step_on_is_told_and_over_when_it_works_again(self, scene: Scene) -> None:
        for step in (1, 5, 12, 20):
            scene.disk.refuse(step, errno.ENOSPC, lasting=True)
            statuses = {scene.write(f"full-{step}-{number}") for number in range(3)}
            scene.disk.mend()

            assert statuses <= {201, 503, 507}
            assert scene.write(f"after-{step}") == 201
        scene.check()
