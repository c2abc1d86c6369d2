"""Clients that write and delete in every family at once, and a project of files that nobody touches afterwards."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.harness import Client, unique
from tests.zips import archive

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (100, 60_000, 70_000, 400_000)


class Everything:
    """One client for each family, and one that makes projects with all of them and deletes them; each until `stop`."""

    def __init__(self, url: str, token: str, project: int) -> None:
        self._url = url
        self._token = token
        self._project = f"/projects/{project}"
        self._stop = threading.Event()
        self._failed: list[str] = []
        self.acknowledged = 0
        works = (secure_files, uploads, artifacts, commits, projects)
        self._threads = [threading.Thread(target=self._work, args=(work,), name=work.__name__) for work in works]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def work_for(self, acknowledgements: int) -> None:
        """Wait for so many more changes."""
        enough, deadline = self.acknowledged + acknowledgements, time.monotonic() + 60
        while self.acknowledged < enough:
            assert not self._failed, self._failed
            assert time.monotonic() < deadline, "the clients come to nothing"
            time.sleep(0.005)

    def stop(self) -> None:
        """End them all; fails when one was refused anything."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        assert not self._failed, self._failed

    def _work(self, work: Callable[[Client, str, random.Random], None]) -> None:
        client, chance = Client(self._url, self._token), random.Random(work.__name__)
        try:
            while not self._stop.is_set():
                work(client, self._project, chance)
                self.acknowledged += 1
        except BaseException as error:  # noqa: BLE001 - told by whoever waits
            self._failed.append(f"{work.__name__}: {error!r}")


def content(chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice(SIZES))


def acknowledged(answer: Any, *statuses: int) -> Any:
    assert answer.status in statuses, answer
    return answer.json if answer.body and answer.body[:1] in b"[{" else None


def secure_files(client: Client, project: str, chance: random.Random) -> None:
    path = f"{project}/secure_files"
    made = acknowledged(client.post(path, data={"name": unique("s")}, files={"file": ("f", content(chance))}), 201)
    if chance.random() < 0.5:
        acknowledged(client.put(f"{path}/{made['id']}", files={"file": ("f", content(chance))}), 200)
    acknowledged(client.delete(f"{path}/{made['id']}"), 204)


def uploads(client: Client, project: str, chance: random.Random) -> None:
    made = acknowledged(client.post(f"{project}/uploads", files={"file": ("f", content(chance))}), 201)
    if chance.random() < 0.8:
        acknowledged(client.delete(f"{project}/uploads/{made['id']}"), 204)


def artifacts(client: Client, project: str, chance: random.Random) -> None:
    job = acknowledged(client.post(f"{project}/jobs", json={"name": "build", "ref": "main"}), 201)
    sender = Client(client.url, job["token"], "JOB-TOKEN")
    files = {"file": ("artifacts.zip", archive({"a": content(chance)}))}
    acknowledged(sender.post(f"/jobs/{job['id']}/artifacts", files=files), 201)
    if chance.random() < 0.8:
        acknowledged(client.delete(f"{project}/jobs/{job['id']}/artifacts"), 204)


def commits(client: Client, project: str, chance: random.Random) -> None:
    path = f"{project}/repository/files/{unique('f')}"
    body = {"branch": "main", "commit_message": "write", "content": content(chance).hex()[:5000]}
    acknowledged(client.post(path, json=body), 201)
    if chance.random() < 0.5:
        acknowledged(client.delete(path, json={"branch": "main", "commit_message": "delete"}), 204)


def projects(client: Client, _: str, chance: random.Random) -> None:
    made = acknowledged(client.post("/projects", json={"name": unique("gone")}), 201)
    project = f"/projects/{made['id']}"
    for put in (uploads, artifacts, commits):
        put(client, project, chance)
    acknowledged(client.delete(project), 202)


class Kept:
    """A project whose files stay as they are."""

    def __init__(self, client: Client) -> None:
        chance = random.Random(1)
        made = acknowledged(client.post("/projects", json={"name": unique("kept")}), 201)
        self._path, self._sent = f"/projects/{made['id']}", {}
        for size in SIZES:
            body = chance.randbytes(size)
            acknowledged(
                client.post(f"{self._path}/secure_files", data={"name": f"s{size}"}, files={"file": ("f", body)}), 201
            )
            commit = {"branch": "main", "commit_message": "m", "content": body.hex()[:5000]}
            acknowledged(client.post(f"{self._path}/repository/files/r{size}", json=commit), 201)
            upload = acknowledged(client.post(f"{self._path}/uploads", files={"file": ("f", body)}), 201)
            job = acknowledged(client.post(f"{self._path}/jobs", json={"name": "build", "ref": "main"}), 201)
            zipped = archive({"a": body})
            sender = Client(client.url, job["token"], "JOB-TOKEN")
            acknowledged(sender.post(f"/jobs/{job['id']}/artifacts", files={"file": ("a.zip", zipped)}), 201)
            self._sent[f"uploads/{upload['id']}"] = body
            self._sent[f"jobs/{job['id']}/artifacts"] = zipped
            self._sent[f"repository/files/r{size}/raw?ref=main"] = body.hex()[:5000].encode()
            self._sent[f"secure_files?name=s{size}"] = body

    def check(self, client: Client) -> None:
        """Download all of it."""
        for path, body in self._sent.items():
            asked = path
            if path.startswith("secure_files?"):
                [found] = acknowledged(client.get(f"{self._path}/{path}"), 200)
                asked = f"secure_files/{found['id']}/download"
            down = client.get(f"{self._path}/{asked}")
            assert down.status == 200, (path, down)
            assert hashlib.sha256(down.body).digest() == hashlib.sha256(body).digest(), path
