"""Many files at once, past the requests that would bring them, and what proves that they are whole."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from tests.harness import ROOT_TOKEN, Client
from tests.vault.core import LARGE, opened

if TYPE_CHECKING:
    from pathlib import Path

PER_PROJECT = 100

Digests = dict[tuple[int, int], str]
"""The SHA-256 of each file, by project and file id."""


def filled(data: Path, files: int) -> Digests:
    """Make a vault in `data` whose administrator has so many secure files, every tenth of them stored as an object."""
    with opened(data) as core, ThreadPoolExecutor(16) as threads:
        root = core.user("root", is_admin=True)
        core.tokens.create(root, "tests", ("api",), None, ROOT_TOKEN)
        projects = [core.project(root).id for _ in range(-(-files // PER_PROJECT))]

        def add(number: int) -> tuple[tuple[int, int], str]:
            plain = os.urandom(LARGE if number % 10 == 0 else 200 + number % 1000)
            file = core.secure_files.add(projects[number // PER_PROJECT], f"file-{number}", plain)
            return (file.project_id, file.id), hashlib.sha256(plain).hexdigest()

        return dict(threads.map(add, range(files)))


def bodies(data: Path) -> Digests | dict[str, str]:
    """Return the SHA-256 of each stored object's bytes, by name."""
    files = [path for path in (data / "blobs").rglob("*") if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Readers:
    """Clients that download files at random while the block runs, and compare what comes."""

    def __init__(self, url: str, digests: Digests, count: int = 3, seed: int = 1) -> None:
        self.read = itertools.count()
        self.wrong: list[str] = []
        self._url = url
        self._digests = digests
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(random.Random(seed + n),)) for n in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, chance: random.Random) -> None:
        client, places = Client(self._url, ROOT_TOKEN), list(self._digests)
        while not self._stop.is_set():
            self.wrong += unlike(client, {place: self._digests[place] for place in chance.sample(places, 10)})
            next(self.read)


def unlike(client: Client, digests: Digests) -> list[str]:
    """Download these files and return a text for each that is not what it was."""
    wrong = []
    for (project, number), digest in digests.items():
        answer = client.get(f"/projects/{project}/secure_files/{number}/download")
        if answer.status != 200 or hashlib.sha256(answer.body).hexdigest() != digest:
            wrong.append(f"file {number} of project {project}: {answer}")
    return wrong
