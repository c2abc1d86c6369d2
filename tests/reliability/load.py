"""A mixed load that knows what was acknowledged, and holds every answer to it."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import requests

from tests.harness import Answer, Client, unique

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (3_000, 20_000, 100_000, 100_000, 1_000_000)
LARGE = 18_000_000
PATIENCE = 60.0
WELL_IN_A_ROW = 3


@dataclass(frozen=True)
class Kept:
    """A file that was acknowledged."""

    path: str
    digest: str


class Unacknowledged(Exception):
    """A request that was not answered within the patience of its client."""


class Load:
    """Runs workers while the block runs: they upload, replace, read, list and delete, and try again what is 503.

    A failure is good when it is a 503 with Retry-After, or a download that breaks off; everything else is among
    `wrong`, with what it was.
    """

    def __init__(self, url: str, token: str, workers: int = 6) -> None:
        self._url, self._token = url, token
        self._kept: dict[str, Kept] = {}
        self._gone: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(workers)]
        self._begun = 0.0
        self._seconds = 0.0
        self.during = ""
        self.answered: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._seconds = time.monotonic() - self._begun

    def _client(self) -> Client:
        return Client(self._url, self._token)

    def _work(self, number: int) -> None:
        dice, client = random.Random(number), self._client()
        project = self._project(client)
        works: list[Callable[[Client, int, random.Random], None]]
        works = [self._upload] * 4 + [self._read] * 6 + [self._list, self._delete, self._replace]
        while not self._stop.is_set():
            try:
                dice.choice(works)(client, project, dice)
                if dice.random() < 0.01:
                    self._send_large(client, project)
            except Unacknowledged as error:
                self._note_wrong(f"never answered: {error}")
            except Exception as error:  # noqa: BLE001 - a bug of the load must not end it unseen
                self._note_wrong(f"{type(error).__name__}: {error}")

    # What the workers do

    def _project(self, client: Client) -> int:
        made = self._ask("project", lambda: client.post("/projects", json={"name": unique("load")}))
        return int(made.json["id"])

    def _upload(self, client: Client, project: int, dice: random.Random) -> None:
        name, content = unique("file") + ".bin", os.urandom(dice.choice(SIZES))
        made = self._ask("upload", lambda: client.upload(project, name, content), 201, 400)
        if made.status == 400:  # it was taken by an earlier try, whose answer was lost
            self._require(b"has already been taken" in made.body, f"upload {made}")
            found = self._ask("find", lambda: client.get(f"/projects/{project}/secure_files?name={name}"))
            self._require(len(found.json) == 1, f"not listed although taken: {name}")
            made_id, checksum = found.json[0]["id"], found.json[0]["checksum"]
        else:
            made_id, checksum = made.json["id"], made.json["checksum"]
        digest = hashlib.sha256(content).hexdigest()
        self._require(checksum == digest, f"another checksum for {name}")
        path = f"/projects/{project}/secure_files/{made_id}"
        with self._lock:
            self._kept[path] = Kept(f"{path}/download", digest)

    def _read(self, client: Client, project: int, dice: random.Random) -> None:
        kept = self._any(dice)
        if kept is not None:
            self._check(client, kept)

    def _check(self, client: Client, kept: Kept) -> bool:
        found = self._ask("download", lambda: client.get(kept.path), 200, 404)
        good = found.status == 200 and hashlib.sha256(found.body).hexdigest() == kept.digest
        if not good:
            with self._lock:  # it may be one that another worker deleted or replaced meanwhile
                now = next((each for each in self._kept.values() if each.path == kept.path), None)
            good = now != kept
            self._require(good, f"lost or wrong: {kept.path} {found.status}")
        return good

    def _list(self, client: Client, project: int, dice: random.Random) -> None:
        with self._lock:
            expected = {path for path in self._kept if path.startswith(f"/projects/{project}/secure")}
        listed: set[str] = set()
        page = 1
        while page:
            path = f"/projects/{project}/secure_files?per_page=100&page={page}"
            answer = self._ask("list", lambda path=path: client.get(path))  # type: ignore[misc]
            listed |= {f"/projects/{project}/secure_files/{each['id']}" for each in answer.json}
            page = int(answer.headers.get("X-Next-Page") or 0)
        self._require(expected <= listed, f"not listed: {sorted(expected - listed)[:3]}")

    def _delete(self, client: Client, project: int, dice: random.Random) -> None:
        path = self._own(project, dice)
        if path is None:
            return
        with self._lock:
            del self._kept[path]
        self._ask("delete", lambda: client.delete(path), 204, 404)
        with self._lock:
            self._gone.add(path)

    def _replace(self, client: Client, project: int, dice: random.Random) -> None:
        path = self._own(project, dice)
        if path is None:
            return
        content = os.urandom(dice.choice(SIZES))
        with self._lock:
            del self._kept[path]
        self._ask("replace", lambda: client.put(path, files={"file": ("file", content)}))
        with self._lock:
            self._kept[path] = Kept(f"{path}/download", hashlib.sha256(content).hexdigest())

    def _send_large(self, client: Client, project: int) -> None:
        content = os.urandom(LARGE)
        files = {"file": ("large.bin", content)}
        sent = self._ask("large upload", lambda: client.post(f"/projects/{project}/uploads", files=files), 201)
        secret, name = sent.json["full_path"].split("/")[-2:]
        kept = Kept(f"/projects/{project}/uploads/{secret}/{name}", hashlib.sha256(content).hexdigest())
        with self._lock:
            self._kept[kept.path] = kept
        self._check(client, kept)

    def _own(self, project: int, dice: random.Random) -> str | None:
        """One of the worker's own files, which nobody else changes."""
        with self._lock:
            own = [path for path in self._kept if path.startswith(f"/projects/{project}/secure")]
        return dice.choice(own) if own else None

    def _any(self, dice: random.Random) -> Kept | None:
        with self._lock:
            return dice.choice(list(self._kept.values())) if self._kept else None

    # How they ask

    def _ask(self, what: str, request: Callable[[], Answer], *good: int) -> Answer:
        """Ask until the answer is none of a passing failure. Raises `Unacknowledged` after a minute."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self._once(what, request)
            if answer is not None:
                self.answered[what] += 1
                self._require(answer.status in (good or (200, 201)), f"{what}: {answer.status} {answer.body[:200]!r}")
                return answer
            time.sleep(0.2)
        raise Unacknowledged(what)

    def _once(self, what: str, request: Callable[[], Answer]) -> Answer | None:
        begun = time.monotonic()
        try:
            answer = request()
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            # The balancer never went away: this can only be an answer that had begun.
            broken = "download" in what or "IncompleteRead" in repr(error)
            self._note_failure(f"{what}: broken off" if broken else f"{what}: {error!r}"[:200], well=broken)
            return None
        finally:
            self.slowest = max(self.slowest, time.monotonic() - begun)
        if answer.status in (502, 503, 504, 500, 507):
            told = answer.status == 503 and answer.headers.get("Retry-After") is not None
            self._note_failure(f"{what}: {answer.status}", well=told, more=repr(answer))
            return None
        return answer

    def _note_failure(self, what: str, *, well: bool, more: str = "") -> None:
        with self._lock:
            self.failed[f"{self.during or 'between'}: {what}"] += 1
        if not well:
            self._note_wrong(f"{what} {more}")

    def _note_wrong(self, what: str) -> None:
        with self._lock:
            self.wrong.append(f"{self.during or 'between'}: {what}")

    def _require(self, true: bool, what: str) -> None:
        if not true:
            self._note_wrong(what)

    # What is asked of it

    def seconds_until_well(self) -> float:
        """Return how long it takes until a file goes in and out again, three times in a row."""
        begun, client, well = time.monotonic(), self._client(), 0
        project = self._project(client)
        end = begun
        while well < WELL_IN_A_ROW:
            assert time.monotonic() - begun < PATIENCE, "it does not recover"
            content = os.urandom(100_000)
            made = client.upload(project, unique("probe"), content)
            good = made.status == 201
            if good:
                back = client.get(f"/projects/{project}/secure_files/{made.json['id']}/download")
                good = back.body == content
            if not good:
                time.sleep(0.05)
            well, end = (well + 1, end if well else time.monotonic()) if good else (0, end)
        return end - begun

    def lost(self) -> list[str]:
        """Read all that was acknowledged, and ask for all that was deleted; return what is not as it should be."""
        client, bad = self._client(), []
        for kept in list(self._kept.values()):
            found = client.get(kept.path)
            if found.status != 200 or hashlib.sha256(found.body).hexdigest() != kept.digest:
                bad.append(f"{kept.path}: {found.status}")
        bad += [f"{path}: deleted, and there" for path in self._gone if client.get(path).status != 404]
        return bad

    def figures(self) -> dict[str, object]:
        """Return what happened, for people."""
        done = sum(self.answered.values())
        return {
            "seconds": round(self._seconds, 1),
            "requests answered": done,
            "by kind": dict(self.answered),
            "per second": round(done / max(self._seconds, 0.1), 1),
            "kept": len(self._kept),
            "deleted": len(self._gone),
            "failures": dict(self.failed),
            "slowest answer, seconds": round(self.slowest, 2),
            "wrong": self.wrong[:20],
        }
