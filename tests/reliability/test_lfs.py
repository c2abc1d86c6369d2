"""Git LFS objects on a server that is killed in the middle of them, and what a large one costs."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
import requests

from tests.harness import ROOT_TOKEN, Client
from tests.reliability.processes import Server
from tests.reliability.stored import named, objects, rows, unfinished
from tests.server.support import MIB
from tests.server.test_artifacts_memory import memory

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = int(os.environ.get("KILL_ROUNDS", "15")) // 5
SIZES = (100, 70_000, 700_000, 3_000_000)


class Senders:
    """Clients that send objects, over git's address and as files of the API, until they lose their server."""

    def __init__(self, server: Server, project: int) -> None:
        self.kept: dict[str, int] = {}
        self.commits: list[str] = []
        self.unexpected: list[str] = []
        self._project = project
        self._git = server.root.get(f"/projects/{project}").json["path_with_namespace"]
        self._url = server.url
        works = [*[self._send] * 3, self._commit]
        self._threads = [threading.Thread(target=work, args=(seed,)) for seed, work in enumerate(works)]
        for thread in self._threads:
            thread.start()

    def work_for(self, seconds: float) -> None:
        """Let them work until something was acknowledged, and some time more."""
        deadline = time.monotonic() + 30
        while len(self.kept) < 3 or not self.commits:
            assert time.monotonic() < deadline, self.unexpected
            time.sleep(0.01)
        time.sleep(seconds)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _send(self, seed: int) -> None:
        client, dice = Client(self._url, ROOT_TOKEN), random.Random(f"{seed} {time.monotonic_ns()}")
        while True:
            content = dice.randbytes(dice.choice(SIZES))
            oid = hashlib.sha256(content).hexdigest()
            try:
                answer = client.put(f"/{self._git}.git/gitlab-lfs/objects/{oid}/{len(content)}", data=content)
            except requests.RequestException:
                return
            if answer.status == 200:
                self.kept[oid] = len(content)
            else:
                self.unexpected.append(repr(answer))

    def _commit(self, _: int) -> None:
        client = Client(self._url, ROOT_TOKEN)
        while True:
            name = f"{len(self.commits)}-{time.monotonic_ns()}.bin"
            content = b64encode(random.randbytes(100_000)).decode()
            body = {"branch": "main", "content": content, "encoding": "base64", "commit_message": "m"}
            try:
                answer = client.post(f"/projects/{self._project}/repository/files/{name}", json=body)
            except requests.RequestException:
                return
            if answer.status == 201:
                self.commits.append(name)
            else:
                self.unexpected.append(repr(answer))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("lfs") / "data") as running:
        yield running


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_object_that_was_acknowledged_outlives_the_server(server: Server, seed: int) -> None:
    project = server.project()
    marks = {"branch": "main", "content": "*.bin filter=lfs\n", "commit_message": "m"}
    assert server.root.post(f"/projects/{project}/repository/files/.gitattributes", json=marks).status == 201
    senders = Senders(server, project)
    senders.work_for(random.Random(seed).uniform(0, 0.3))
    server.kill_all()
    senders.join()
    server.start()

    root, data = server.root, server.data
    assert senders.unexpected == []
    git = root.get(f"/projects/{project}").json["path_with_namespace"]
    for oid in [row[0] for row in rows(data, "SELECT checksum FROM lfs_objects WHERE project_id = ?", project)]:
        body = root.get(f"/{git}.git/gitlab-lfs/objects/{oid}").body
        assert hashlib.sha256(body).hexdigest() == oid
        senders.kept.pop(oid, None)
    assert senders.kept == {}, "acknowledged and lost"
    for name in senders.commits:
        assert root.get(f"/projects/{project}/repository/files/{name}/raw?lfs=true").status == 200
    assert (objects(data), unfinished(data)) == (named(data), set())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("alone") / "data", workers=1) as running:
        yield running


def test_a_large_object_takes_little_memory_both_ways(alone: Server) -> None:
    """A quarter of a gigabyte."""
    project = alone.project()
    git = alone.root.get(f"/projects/{project}").json["path_with_namespace"]
    pieces, count = [random.randbytes(MIB) for _ in range(8)], 256
    sent = hashlib.sha256()
    for number in range(count):
        sent.update(pieces[number % len(pieces)])
    place, before = f"/{git}.git/gitlab-lfs/objects/{sent.hexdigest()}", memory(alone)

    body = (pieces[number % len(pieces)] for number in range(count))
    assert alone.root.put(f"{place}/{count * MIB}", data=body).status == 200
    received = hashlib.sha256()
    with requests.get(alone.url + place, headers={"PRIVATE-TOKEN": ROOT_TOKEN}, stream=True, timeout=60) as answer:
        for piece in answer.iter_content(MIB):
            received.update(piece)

    assert received.hexdigest() == sent.hexdigest()
    assert memory(alone) - before < 60
