"""The SHA-256 of what was pushed, found out right after the push: then no HEAD has to read a file for it.

git knows files by SHA-1, and the API tells their SHA-256. What comes by the API is hashed as it comes; of a push, what
its branches and tags hold and did not hold before. Content that only commits between these have is hashed when it is
first asked for, as is what a process had not got to when it ended.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from vault.repositories import program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from vault.repositories.facts import BlobFacts, Facts

log = logging.getLogger("secure_files.repositories")

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SUBMODULE = "160000"
CHANGED = ("diff-tree", "-r", "-z", "--no-renames", "--diff-filter=d")
# Pushes that wait to be hashed; what comes beyond is hashed when it is asked for.
WAITING = 1000
BATCH = 200
PIECE = 256 * 1024


class Push(NamedTuple):
    """What a push has moved: from what a ref was, or else from what is most like it, to what it is now."""

    project_id: int
    folder: Path
    moves: frozenset[tuple[str, str]]


def moves(before: Mapping[str, str], after: Mapping[str, str], default_branch: str) -> frozenset[tuple[str, str]]:
    """Return what two looks at all branches and tags differ in; a new one is held against the default branch."""
    base = before.get(f"refs/heads/{default_branch}", EMPTY_TREE)
    return frozenset((before.get(name, base), new) for name, new in after.items() if before.get(name) != new)


class Digests:
    """Hashes what was pushed, one push after the other, in a thread that nobody waits for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._pushes: queue.Queue[Push] = queue.Queue(WAITING)
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, push: Push) -> None:
        """Have the content of a push hashed soon."""
        if not push.moves:
            return
        with self._guard:
            if self._pushes.full():
                return
            self._pushes.put(push)
            if self._thread is None:
                # A daemon: what it has not got to is hashed when it is asked for.
                self._thread = threading.Thread(target=self._run, name="repository-digests", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Wait until all that was noted is hashed."""
        self._pushes.join()

    def _run(self) -> None:
        while push := self._next():
            try:
                self._hash(push)
            except Exception:
                # The project may be gone, the server about to end, an object damaged: whoever asks for it is told.
                log.info("what was pushed to %s is hashed when it is asked for", push.folder.name, exc_info=True)
            finally:
                self._pushes.task_done()

    def _next(self) -> Push | None:
        with self._guard:
            if self._pushes.empty():
                self._thread = None
                return None
            return self._pushes.get()

    def _hash(self, push: Push) -> None:
        batch: list[BlobFacts] = []
        for found in hashed(push.folder, changed_blobs(push)):
            batch.append(found)
            if len(batch) == BATCH:
                self._facts.tell_blobs(push.project_id, batch)
                batch = []
        self._facts.tell_blobs(push.project_id, batch)


def changed_blobs(push: Push) -> set[str]:
    """Return the ids of the blobs that the later of each pair has and the earlier has not at the same path."""
    found = set()
    for old, new in push.moves:
        with suppress(program.Failed):  # a tag may lead to a blob
            found |= set(_changed(program.run(push.folder, *CHANGED, old, new, patient=True)))
    return found


def _changed(told: bytes) -> Iterator[str]:
    """Yield ids out of `:<mode before> <mode> <id before> <id> <letter>`, NUL, path, NUL, and so on."""
    for line in told.split(b"\0")[::2]:
        if line:
            _, mode, _, blob_id, _ = line.decode("ascii").split(" ")
            if mode != SUBMODULE:
                yield blob_id


def hashed(folder: Path, blob_ids: Iterable[str]) -> Iterator[BlobFacts]:
    """Yield size and SHA-256 of each blob, read by one git program."""
    with program.conversation(folder, "cat-file", "--batch") as (ask, answer):
        for blob_id in blob_ids:
            ask.write(f"{blob_id}\n".encode("ascii"))
            ask.flush()
            # `<id> blob <size>`, or `<id> missing`
            _, _, size = answer.readline().decode("ascii").partition(" blob ")
            left, digest = int(size), hashlib.sha256()
            while left:
                piece = answer.read(min(left, PIECE))
                if not piece:
                    raise ValueError("git ended in the middle of a file")
                digest.update(piece)
                left -= len(piece)
            answer.read(1)
            yield blob_id, int(size), digest.hexdigest()
