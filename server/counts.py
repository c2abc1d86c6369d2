"""Counts and places that a server's processes share: they are in memory that the workers inherit, and bounded.

Whoever makes one before it forks shares it with its children. A file that exists in memory only is behind each, and
locks of its bytes order the processes: the system takes them back from a process that dies, so nothing is left held.
Each is for one thread of a process, the event loop's.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import time
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEYS = 100_000
WAYS = 8
ENTRY = struct.Struct("=QddQ")  # the key's mark, begin of its window, last time it came, how often


def memory_file(name: str, size: int = 0) -> int:
    """Return the descriptor of a new file that has no name on any disk."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create(name)
    else:
        with tempfile.TemporaryFile() as unnamed:
            file = os.dup(unnamed.fileno())
    os.ftruncate(file, size)
    return file


class Windows:
    """Counts how often keys come in a window of time, which begins with a key's first.

    It knows about `keys` keys at a time. A new one takes the place of the one among `WAYS` that was quiet longest; who
    wants to push another out has to guess at a salt first.
    """

    def __init__(self, seconds: float, keys: int = KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._salt = os.urandom(16)
        ways = min(WAYS, keys)
        self._bucket_size = ways * ENTRY.size
        self._buckets = keys // ways
        self._file = memory_file("secure-files-counts", self._buckets * self._bucket_size)
        self._memory = mmap.mmap(self._file, self._buckets * self._bucket_size)

    def add(self, key: str) -> tuple[int, float]:
        """Count `key` once more; return how often it came in its window, and the seconds until that ends."""
        digest = blake2b(key.encode("utf-8", "surrogateescape"), key=self._salt, digest_size=16).digest()
        first = int.from_bytes(digest[:8]) % self._buckets * self._bucket_size
        mark = int.from_bytes(digest[8:]) or 1  # 0 is an empty entry
        with self._locked(first):
            place, begin, count = self._find(first, mark)
            now = self._clock()
            if not count or now - begin >= self._seconds:
                begin, count = now, 0
            ENTRY.pack_into(self._memory, place, mark, begin, now, count + 1)
        return count + 1, begin + self._seconds - now

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        os.close(self._file)

    def _find(self, first: int, mark: int) -> tuple[int, float, int]:
        """Return the entry of a mark, its begin and its count, or the entry it may have, with a count of 0."""
        quietest, since = first, float("inf")
        for place in range(first, first + self._bucket_size, ENTRY.size):
            found, begin, last, count = ENTRY.unpack_from(self._memory, place)
            if found == mark:
                return place, begin, count
            if (last if found else -1.0) < since:
                quietest, since = place, last if found else -1.0
        return quietest, 0.0, 0

    @contextmanager
    def _locked(self, first: int) -> Iterator[None]:
        fcntl.lockf(self._file, fcntl.LOCK_EX, self._bucket_size, first)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, self._bucket_size, first)


class Slots:
    """Numbers of which each is had by one holder at a time, among all processes."""

    def __init__(self) -> None:
        self._file = memory_file("secure-files-slots")
        self._mine: set[int] = set()  # a process's own locks do not keep itself out

    def take(self, first: int, count: int) -> int | None:
        """Take one of the `count` numbers from `first` on and return it; None when all are had."""
        for number in range(first, first + count):
            if number not in self._mine and self._lock(number):
                self._mine.add(number)
                return number
        return None

    def give_back(self, number: int) -> None:
        """Let others have a number."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)
        self._mine.discard(number)

    def close(self) -> None:
        """Let go of all."""
        os.close(self._file)

    def _lock(self, number: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # how systems say that another process has it
            return False
        return True
