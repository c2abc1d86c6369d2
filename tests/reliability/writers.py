"""Clients that upload, replace and delete at once, and remember what was acknowledged and what was under way."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests

from tests.harness import Client, unique
from vault.storage import INLINE_LIMIT

if TYPE_CHECKING:
    from tests.harness import Answer

FILES_PER_WRITER = 5
SIZES = (0, 2_000, INLINE_LIMIT, INLINE_LIMIT + 1, 200_000, 700_000)

Checksum = str | None
"""SHA-256 in hex; None: there is no such file."""


@dataclass
class Slot:
    """One name of a project: what may be there. One value unless a request ended without an answer."""

    name: str
    possible: set[Checksum] = field(default_factory=lambda: {None})
    id: int | None = None


class Writer:
    """Works on slots of its own until it is told to stop or loses its server in the middle of a request."""

    def __init__(self, client: Client, project: int, slots: list[Slot], stop: threading.Event, seed: int) -> None:
        self.thread = threading.Thread(target=self._work, name=f"writer-{seed}", daemon=True)
        self._client = client
        self._files = f"/projects/{project}/secure_files"
        self._slots = slots
        self._stop = stop
        self._random = random.Random(seed)
        self.acknowledged = 0
        self.cut_off = 0
        self.deleted: list[int] = []
        self.unexpected: list[str] = []

    def _work(self) -> None:
        while not self._stop.is_set() and not self.cut_off:
            slot = self._random.choice(self._slots)
            try:
                self._change(slot)
            except requests.RequestException:
                self.cut_off += 1

    def _change(self, slot: Slot) -> None:
        [now] = slot.possible
        if now is None:
            self._send(slot, "POST", self._files, 201)
        elif self._random.random() < 0.6:
            self._send(slot, "PUT", f"{self._files}/{slot.id}", 200)
        else:
            self._delete(slot)

    def _send(self, slot: Slot, method: str, path: str, status: int) -> None:
        content = self._random.randbytes(self._random.choice(SIZES))
        checksum = hashlib.sha256(content).hexdigest()
        slot.possible.add(checksum)
        answer = self._client(method, path, data={"name": slot.name}, files={"file": ("file", content)})
        if self._acknowledges(answer, status):
            slot.possible, slot.id = {checksum}, answer.json["id"]

    def _delete(self, slot: Slot) -> None:
        slot.possible.add(None)
        answer = self._client.delete(f"{self._files}/{slot.id}")
        if self._acknowledges(answer, 204):
            self.deleted.append(slot.id or 0)
            slot.possible, slot.id = {None}, None

    def _acknowledges(self, answer: Answer, status: int) -> bool:
        """Whether the change was made. Any other answer ends this writer: what is there then is not known."""
        if answer.status == status:
            self.acknowledged += 1
            return True
        self.cut_off += 1
        self.unexpected.append(repr(answer))
        return False


class Load:
    """Writers on one project, each with slots of its own; `settle` says whether what is stored is what it has to be."""

    def __init__(self, project: int, writers: int, seed: int) -> None:
        self.project = project
        self._slots = [[Slot(unique("slot")) for _ in range(FILES_PER_WRITER)] for _ in range(writers)]
        self._seeds = random.Random(seed)
        self._stop = threading.Event()
        self._writers: list[Writer] = []
        self._deleted: list[int] = []

    def start(self, url: str, token: str) -> None:
        """Begin to write, each writer over a connection of its own."""
        self._stop.clear()
        self._writers = [
            Writer(Client(url, token), self.project, slots, self._stop, self._seeds.getrandbits(32))
            for slots in self._slots
        ]
        for writer in self._writers:
            writer.thread.start()

    def work_for(self, acknowledgements: int) -> None:
        """Wait until so many changes were acknowledged since the start."""
        deadline = time.monotonic() + 30
        while sum(writer.acknowledged for writer in self._writers) < acknowledgements:
            assert time.monotonic() < deadline, "the writers come to nothing"
            time.sleep(0.002)

    def stop(self) -> None:
        """Let every request end, or fail."""
        self._stop.set()
        for writer in self._writers:
            writer.thread.join(60)
            assert not writer.thread.is_alive(), "a writer still waits for its answer"
            self._deleted += writer.deleted

    @property
    def cut_off(self) -> int:
        """How many writers of the last run ended without an acknowledgement."""
        return sum(writer.cut_off for writer in self._writers)

    @property
    def unexpected(self) -> list[str]:
        """Answers of the last run that were neither an acknowledgement nor a broken connection."""
        return [text for writer in self._writers for text in writer.unexpected]

    def settle(self, client: Client) -> None:
        """Check every name, content and deleted id against what was acknowledged, and start from what is there."""
        listed = {file["name"]: file for file in all_files(client, self.project)}
        for slot in (slot for slots in self._slots for slot in slots):
            file = listed.pop(slot.name, None)
            there = file["checksum"] if file else None
            assert there in slot.possible, f"{slot.name} is {there}, and can only be {slot.possible}"
            if file:
                down = client.get(f"/projects/{self.project}/secure_files/{file['id']}/download")
                assert down.status == 200, down
                assert hashlib.sha256(down.body).hexdigest() == there, f"{slot.name} has other bytes than were sent"
            slot.possible, slot.id = {there}, file["id"] if file else None
        assert not listed, f"files that nobody uploaded: {list(listed)}"
        self._check_deleted(client)

    def _check_deleted(self, client: Client) -> None:
        for number in self._deleted[-20:]:
            assert client.get(f"/projects/{self.project}/secure_files/{number}").status == 404


def all_files(client: Client, project: int) -> list[dict[str, object]]:
    """Every file of a project as the list tells of it."""
    found, page = [], 1
    while True:
        answer = client.get(f"/projects/{project}/secure_files?per_page=100&page={page}")
        assert answer.status == 200, answer
        found += answer.json
        if len(answer.json) < 100:
            return found
        page += 1
