"""Two server processes on one data folder: writers of one branch, and processes that are killed among them."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import requests

from tests.harness import ROOT_TOKEN, Client
from tests.postgres import needs_postgres
from tests.reliability.processes import Server
from tests.vault.repositories.support import git
from vault.repositories import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import PostgresServer

log = logging.getLogger(__name__)

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
WRITERS, COMMITS = 20, 8


@dataclass
class Writers:
    """Clients that each write files of their own to one branch, and remember what was acknowledged."""

    url: str
    project: int
    count: int = WRITERS
    most: int = 10**6
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self, name: str) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._write, args=(name, number)) for number in range(self.count)]
        for thread in threads:
            thread.start()
        return threads

    def _write(self, name: str, writer: int) -> None:
        client = Client(self.url, ROOT_TOKEN)
        for number in range(self.most):
            path = f"{name}/{writer % 3}/{writer}-{number}"
            place = f"/projects/{self.project}/repository/files/{path.replace('/', '%2F')}"
            try:
                answer = client.post(place, json={"branch": "main", "content": path, "commit_message": path})
            except requests.RequestException:
                return  # the server was killed under this request
            if answer.status == 201:
                self.acknowledged[path] = answer.json["commit_id"]
            else:
                self.refused.append(f"{path}: {answer}")
            if self.stop.is_set():
                return


def repository_of(server: Server) -> Path:
    return next((server.data / "repositories").glob("??/*.git"))


def made(server: Server) -> int:
    """Make a project with a first commit and return its id."""
    answer = server.root.post("/projects", json={"name": f"app {random.random()}", "initialize_with_readme": True})
    assert answer.status == 201, answer
    return int(answer.json["id"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("kills") / "data", workers=2) as server:
        yield server


class TestTwentyWriters:
    def test_of_eight_commits_to_one_branch_through_two_processes_all_land(self, tmp_path: Path) -> None:
        with Server(tmp_path / "data", workers=2) as server:
            writers = Writers(server.url, made(server), most=COMMITS)
            for thread in writers.start("all"):
                thread.join()
            assert len(server.workers()) == 2

            assert writers.refused == []
            assert len(writers.acknowledged) == WRITERS * COMMITS
            repository = repository_of(server)
            commits = git(f"--git-dir={repository}", "rev-list", "main").splitlines()
            assert len(commits) == 1 + WRITERS * COMMITS, "one commit each, and nothing else"
            assert set(writers.acknowledged.values()) < set(commits)
            git(f"--git-dir={repository}", "fsck", "--strict")

            url = server.url.replace("http://", f"http://x:{ROOT_TOKEN}@")
            path = server.root.get(f"/projects/{writers.project}").json["path_with_namespace"]
            git("clone", "--quiet", f"{url}/{path}.git", str(tmp_path / "clone"))
            for name in writers.acknowledged:
                assert (tmp_path / "clone" / name).read_text() == name


class TestTwoServers:
    pytestmark = needs_postgres

    def test_that_share_catalog_and_folder_are_one_queue(self, tmp_path: Path, postgres: PostgresServer) -> None:
        """As on two machines: they have nothing in common but PostgreSQL and the folder of the repositories."""
        shared = {
            "database": postgres.database(None),
            "keyring": tmp_path / "keyring.json",
            "blobs": tmp_path / "blobs",
            "repositories": tmp_path / "repositories",
        }
        with Server(tmp_path / "one", workers=1, **shared) as one, Server(tmp_path / "two", workers=1, **shared) as two:
            project = made(one)
            writers = [Writers(server.url, project, count=10, most=COMMITS) for server in (one, two)]
            for thread in [thread for each, name in zip(writers, "ab", strict=True) for thread in each.start(name)]:
                thread.join()

            assert [each.refused for each in writers] == [[], []]
            acknowledged = writers[0].acknowledged | writers[1].acknowledged
            repository = next((tmp_path / "repositories").glob("??/*.git"))
            commits = git(f"--git-dir={repository}", "rev-list", "main").splitlines()
            assert len(commits) == 1 + 20 * COMMITS
            assert set(acknowledged.values()) < set(commits)
            with nobody_packing(repository):
                assert not git(f"--git-dir={repository}", "fsck", "--strict", "--no-dangling")
            for server, name in ((one, "b/0/0-0"), (two, "a/0/0-0")):
                place = f"/projects/{project}/repository/files/{name.replace('/', '%2F')}?ref=main"
                assert server.root.get(place).json["last_commit_id"] == acknowledged[name]


class TestWritersWhoseServerIsKilled:
    def test_find_all_that_was_acknowledged(self, server: Server) -> None:
        chance, project = random.Random(6), made(server)
        kept: dict[str, str] = {}
        for number in range(ROUNDS):
            writers = Writers(server.url, project)
            threads = writers.start(f"round-{number}")
            time.sleep(chance.uniform(0.3, 1.2))
            server.kill_all()
            for thread in threads:
                thread.join()
            kept |= writers.acknowledged
            assert writers.refused == []
            assert writers.acknowledged, "the writers had begun"
            server.start()
            self.check(server, project, kept)
        log.info("%s commits kept over %s kills", len(kept), ROUNDS)

    def test_go_on_when_one_process_of_two_is_killed(self, server: Server) -> None:
        """What it left locked is nobody's any more: the others do not wait for it, and its place is taken."""
        chance, project = random.Random(7), made(server)
        writers = Writers(server.url, project)
        for number in range(ROUNDS):
            writers.stop.clear()
            threads = writers.start(f"round-{number}")
            time.sleep(chance.uniform(0.2, 0.6))
            os.kill(chance.choice(server.workers()), signal.SIGKILL)
            time.sleep(0.5)
            writers.stop.set()
            for thread in threads:
                thread.join()
        assert writers.refused == []
        self.check(server, project, writers.acknowledged)

    def check(self, server: Server, project: int, kept: dict[str, str]) -> None:
        """Every acknowledged commit is on the branch, git finds nothing wrong, and the next write is taken."""
        place = f"/projects/{project}/repository/files/probe-{time.monotonic_ns()}"
        probe = server.root.post(place, json={"branch": "main", "content": "x", "commit_message": "probe"})
        assert probe.status == 201, probe
        folders = (server.data / "repositories").glob("??/*.git")
        repository = next(each for each in folders if knows(each, probe.json["commit_id"]))
        with nobody_packing(repository):
            assert not git(f"--git-dir={repository}", "fsck", "--strict", "--no-dangling")
        commits = set(git(f"--git-dir={repository}", "rev-list", "main").splitlines())
        assert set(kept.values()) <= commits
        files = set(git(f"--git-dir={repository}", "ls-tree", "-r", "--name-only", "main").splitlines())
        assert kept.keys() <= files
        assert not list(repository.glob("refs/**/*.lock"))


@contextmanager
def nobody_packing(repository: Path) -> Iterator[None]:
    """Wait for the server's own packing and keep it off: `git fsck` trips over objects that move meanwhile."""
    for _ in range(1000):
        with locks.housekeeping(repository) as taken:
            if taken:
                yield
                return
        time.sleep(0.02)
    raise AssertionError("the packing does not end")


def knows(repository: Path, commit: str) -> bool:
    return commit in git(f"--git-dir={repository}", "for-each-ref", "--format=%(objectname)")
