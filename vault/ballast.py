"""Room kept back on a disk, so that on a full one there is still room to delete."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB = 1024
MIB = 1024 * KIB


class Ballast:
    """A file that does nothing but hold `size` bytes of its disk; any number of processes may share it.

    It is given up a `portion` at a time, so that a disk that was filled again is not the end of it. 4 MiB is what
    SQLite's log grows to before it begins anew; deleting a file takes some 50 to 150 KiB of it.
    """

    def __init__(self, path: Path, size: int = 4 * MIB, portion: int = 256 * KIB) -> None:
        self._path = path
        self._size = size
        self._portion = portion
        self._whole = False

    def take(self) -> None:
        """Hold all of the room, unless less than twice as much would be left to others. Raises nothing."""
        if self._whole:
            return
        with suppress(OSError), self._open(os.O_CREAT) as fd:
            disk = os.fstatvfs(fd)
            missing = self._size - os.fstat(fd).st_size
            if missing > 0 and disk.f_bavail * disk.f_frsize - missing >= 2 * self._size:
                os.posix_fallocate(fd, 0, self._size)
                missing = 0
            self._whole = missing <= 0

    def give_up(self, keep: int = 0) -> bool:
        """Let others have a portion of the room beyond `keep` bytes and return whether any was left to give."""
        self._whole = False
        with suppress(OSError), self._open() as fd:
            held = os.fstat(fd).st_size
            if held <= keep:
                return False
            os.ftruncate(fd, max(held - self._portion, keep))
            return True
        return False

    @contextmanager
    def _open(self, flags: int = 0) -> Iterator[int]:
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        try:
            yield fd
        finally:
            os.close(fd)
